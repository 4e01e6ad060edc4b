// Package runlog is what a run leaves behind: the Recorder that both shells
// feed while the run goes on, and the Run it folds into. It reads no clock and
// writes no file; reports turns a Run into tables, plots and a folder.
package runlog

import (
	"cmp"
	"slices"

	"flyball/engine"
	"flyball/internal/hist"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Recorder observes the engines of one run. It allocates nothing per attempt.
// Not safe for concurrent use: engines call it from their owner's goroutine.
type Recorder struct {
	Attempts  uint64
	Resends   uint64                // attempts after a recipient's first
	ByStatus  [mail.Statuses]uint64 // recipients that ended so; Pending is not counted
	Latency   hist.Hist             // times of all attempts
	Intervals []Interval
	replies   []uint64 // counts by destination, stage and outcome
	watch     Watch
	digest    uint64
}

// Watch is told of every attempt as it ends: journals, ledgers and tests.
type Watch func(now vt.Time, a mail.Attempt, r mail.Reply, s mail.Status)

// Interval is one governor interval of one server.
type Interval struct {
	Server mail.Server
	End    vt.Time
	engine.Interval
}

// outcomes of a stage: reply codes 0..599, then faults.
const outcomes = 600 + int(mail.Faults)

// NewRecorder records a run with that many destinations. Watch, if not nil,
// is told of every attempt as well: journals, ledgers and tests use it.
func NewRecorder(destinations int, watch Watch) *Recorder {
	return &Recorder{
		Latency: hist.New(),
		replies: make([]uint64, destinations*int(mail.Stages)*outcomes),
		watch:   watch,
		digest:  14695981039346656037,
	}
}

// Ended counts an attempt and what became of its recipient.
func (r *Recorder) Ended(now vt.Time, a mail.Attempt, reply mail.Reply, s mail.Status) {
	r.Attempts++
	if a.Try > 0 {
		r.Resends++
	}
	r.ByStatus[s]++
	r.Latency.Record(reply.Took)
	outcome := int(reply.Code)
	if reply.Fault != mail.NoFault {
		outcome = 600 + int(reply.Fault)
	}
	r.replies[(int(a.Dest)*int(mail.Stages)+int(reply.Stage))*outcomes+outcome]++
	r.mix(uint64(now))
	r.mix(uint64(a.Rcpt)<<32 | uint64(a.Server)<<16 | uint64(a.Try))
	r.mix(uint64(reply.Code)<<24 | uint64(reply.Stage)<<16 | uint64(reply.Fault)<<8 | uint64(s))
	if r.watch != nil {
		r.watch(now, a, reply, s)
	}
}

// Interval keeps the row of one governor interval.
func (r *Recorder) Interval(now vt.Time, s mail.Server, i engine.Interval) {
	r.Intervals = append(r.Intervals, Interval{Server: s, End: now, Interval: i})
	r.mix(uint64(now))
	r.mix(i.Sample.Delivered)
	r.mix(i.Sample.Attempts)
	r.mix(uint64(int64(i.Decision.Available * (1 << 20))))
	for _, d := range i.Destinations {
		r.mix(d.Limits)
		r.mix(uint64(d.Limit)<<32 | uint64(d.Parked))
	}
}

// mix folds a word into the digest: one multiply, so order matters and every
// bit spreads.
func (r *Recorder) mix(word uint64) {
	h := (r.digest ^ word) * 0x9E3779B97F4A7C15
	r.digest = h ^ h>>29
}

// Merge is the record of servers that were recorded apart, each from its own
// first moment on. That of a single one is the one given.
func Merge(apart []*Recorder) *Recorder {
	if len(apart) == 1 {
		return apart[0]
	}
	all := NewRecorder(0, nil)
	all.replies = make([]uint64, len(apart[0].replies))
	all.digest = apart[0].digest
	for i, r := range apart {
		all.Attempts += r.Attempts
		all.Resends += r.Resends
		for s, n := range r.ByStatus {
			all.ByStatus[s] += n
		}
		all.Latency.Merge(r.Latency)
		all.Intervals = append(all.Intervals, r.Intervals...)
		for k, n := range r.replies {
			all.replies[k] += n
		}
		if i > 0 {
			all.mix(r.digest)
		}
	}
	slices.SortStableFunc(all.Intervals, func(a, b Interval) int { return cmp.Compare(a.End, b.End) })
	return all
}

// Fold closes the record of a run over that many recipients, of which some
// were suppressed.
func (r *Recorder) Fold(run *Run, recipients, suppressed uint64) {
	// Live machines are recorded together, and their cluster speaks before them.
	slices.SortStableFunc(r.Intervals, func(a, b Interval) int {
		return cmp.Or(cmp.Compare(a.End, b.End), cmp.Compare(a.Server, b.Server))
	})
	run.Digest = r.digest
	run.Intervals, run.Replies, run.Latency = r.Intervals, r.Replies(), r.Latency
	run.Totals = Totals{
		Recipients: recipients, Delivered: r.ByStatus[mail.Done], Failed: r.ByStatus[mail.Failed],
		Suppressed: suppressed, Ambiguous: r.ByStatus[mail.Held],
		Pending: recipients - suppressed - r.Final(), Attempts: r.Attempts, Resends: r.Resends,
	}
}

// Final is the number of recipients that are final.
func (r *Recorder) Final() uint64 {
	return r.ByStatus[mail.Done] + r.ByStatus[mail.Failed] + r.ByStatus[mail.Held]
}

// Digest names everything that was recorded, in its order.
func (r *Recorder) Digest() uint64 { return r.digest }

// ReplyCount says how often attempts for a destination ended in one way.
type ReplyCount struct {
	Destination mail.Destination
	Stage       mail.Stage
	Code        int // 0 when there was no reply
	Fault       mail.Fault
	Count       uint64
}

// Replies lists every way in which attempts ended, most frequent first.
func (r *Recorder) Replies() []ReplyCount {
	var all []ReplyCount
	for i, n := range r.replies {
		if n == 0 {
			continue
		}
		c := ReplyCount{Count: n, Stage: mail.Stage(i / outcomes % int(mail.Stages)), Destination: mail.Destination(i / outcomes / int(mail.Stages))}
		if o := i % outcomes; o < 600 {
			c.Code = o
		} else {
			c.Fault = mail.Fault(o - 600)
		}
		all = append(all, c)
	}
	slices.SortStableFunc(all, func(a, b ReplyCount) int {
		switch {
		case a.Count > b.Count:
			return -1
		case a.Count < b.Count:
			return 1
		}
		return 0
	})
	return all
}
