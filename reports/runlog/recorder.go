// Package runlog records a run: both shells feed a Recorder during the run, and the
// Recorder folds into a Run at the end. It reads no clock and writes no file; reports
// turns a Run into tables, plots and a folder.
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
	Latency   hist.Hist // times of all attempts
	Intervals []Interval
	Outcomes  Outcomes // of each recipient; set by a caller that needs them, otherwise nil
	replies   []uint64 // counts by destination, stage and outcome
	readings  [][]Read // by destination, in no order; nil if no reply matched a row of the reply table
	by        []Destination
	finals    finals
	course    course
	lastFirst vt.Time // end of the last first try
	unreached uint64  // recipients
	forecast  forecast
	watch     Watch
	digest    uint64
}

// Watch is called with every attempt when it ends. Journals, ledgers and tests use it.
type Watch func(now vt.Time, a mail.Attempt, r mail.Reply, s mail.Status)

// Interval is one governor interval of one server.
type Interval struct {
	Server mail.Server
	End    vt.Time
	engine.Interval
	Forecast // of the server, at the end of the interval
}

// outcomes is the number of outcomes of a stage: reply codes 0 to 599, then faults.
const outcomes = 600 + int(mail.Faults)

// NewRecorder returns a Recorder for a run with a number of destinations. Watch may be
// nil.
func NewRecorder(destinations int, watch Watch) *Recorder {
	return &Recorder{
		Latency: hist.New(),
		replies: make([]uint64, destinations*int(mail.Stages)*outcomes),
		by:      make([]Destination, destinations),
		watch:   watch,
		digest:  14695981039346656037,
	}
}

// Begins makes the recipients from from on, up to the next start that is set, recipients of a
// campaign, by its number among the campaigns of the run, which starts at at and whose deadline is
// due; vt.Never without a deadline. The time to a final status counts from at. Recipients before
// the first start belong to campaign 0, starting at 0 without a deadline.
func (r *Recorder) Begins(from mail.Recipient, campaign int, at, due vt.Time) {
	r.finals.begins(start{from, campaign, at, due})
}

// Ended counts an attempt that ended at now, and the status in which it left its
// recipient.
func (r *Recorder) Ended(now vt.Time, a *mail.Attempt, reply *mail.Reply, s mail.Status) {
	if s == mail.Unreached {
		r.reachesNot(now, a, reply)
		return
	}
	if now >= r.course.until {
		r.course.pass(now, r.by)
	}
	d := &r.by[a.Dest]
	if a.Try == 0 {
		d.First[s]++
		r.lastFirst = now
	} else {
		d.Resent[s]++
		r.forecast.resent(a.Dest, a.Try, s)
	}
	if reply.Refused() {
		d.Refused[min(a.Try, 1)][s]++
	}
	if s == mail.Pending {
		r.forecast.took[0] += reply.Took
	} else {
		r.forecast.took[1] += reply.Took
		r.forecast.squares += float64(float64(reply.Took) * float64(reply.Took))
		f := &r.finals
		if f.stale(now, a.Rcpt) {
			f.turn(now, a.Rcpt, len(r.by))
		}
		f.counts[a.Dest]++
		end := &f.row[a.Dest]
		end.last = now
		if now > f.stretch.due {
			end.late++
		}
	}
	r.Latency.Record(reply.Took)
	outcome := int(reply.Code)
	if reply.Fault != mail.NoFault {
		outcome = 600 + int(reply.Fault)
	}
	r.replies[(int(a.Dest)*int(mail.Stages)+int(reply.Stage))*outcomes+outcome]++
	if reply.Row > 0 {
		r.read(Read{a.Dest, reply.Row, reply.Stage, reply.Code, 1})
		r.mix(uint64(reply.Row))
	}
	r.mix(uint64(now))
	r.mix(uint64(a.Rcpt)<<32 | uint64(a.Server)<<16 | uint64(a.Try))
	r.mix(uint64(reply.Code)<<24 | uint64(reply.Stage)<<16 | uint64(reply.Fault)<<8 | uint64(s))
	if r.Outcomes != nil {
		r.Outcomes.ended(now, a, reply, s)
	}
	if r.watch != nil {
		r.watch(now, *a, *reply, s)
	}
}

// reachesNot counts a recipient to whom no allowed way leads: nothing was attempted.
func (r *Recorder) reachesNot(now vt.Time, a *mail.Attempt, reply *mail.Reply) {
	r.unreached++
	r.forecast.total--
	r.mix(uint64(now))
	r.mix(uint64(a.Rcpt)<<32 | uint64(a.Server)<<16 | uint64(mail.Unreached))
	if r.Outcomes != nil {
		r.Outcomes.final(a.Rcpt, mail.Unreached)
	}
	if r.watch != nil {
		r.watch(now, *a, *reply, mail.Unreached)
	}
}

// Read is the number of replies of a destination that matched the same row of its reply
// table in the same way.
type Read struct {
	Destination mail.Destination
	Row         uint16
	Stage       mail.Stage
	Code        uint16
	Count       uint64
}

// read counts replies that matched a row of the reply table.
func (r *Recorder) read(v Read) {
	if len(r.readings) == 0 { // nil, or restored from a checkpoint
		r.readings = make([][]Read, len(r.by))
	}
	all := r.readings[v.Destination]
	for i := range all {
		if same := &all[i]; same.Row == v.Row && same.Stage == v.Stage && same.Code == v.Code {
			same.Count += v.Count
			return
		}
	}
	r.readings[v.Destination] = append(all, v)
}

// reads returns all counts of read in order; nil if there are none.
func (r *Recorder) reads() (all []Read) {
	for _, of := range r.readings {
		all = append(all, of...)
	}
	slices.SortFunc(all, func(a, b Read) int {
		return cmp.Or(cmp.Compare(a.Destination, b.Destination), cmp.Compare(a.Row, b.Row),
			cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.Code, b.Code))
	})
	return all
}

// Interval records one governor interval.
func (r *Recorder) Interval(now vt.Time, s mail.Server, i engine.Interval) {
	r.forecast.last = r.forecast.at(now, r.by)
	r.Intervals = append(r.Intervals, Interval{Server: s, End: now, Interval: i, Forecast: r.forecast.last})
	r.mix(uint64(now))
	r.mix(i.Sample.Delivered)
	r.mix(i.Sample.Attempts)
	r.mix(uint64(int64(i.Decision.Available * (1 << 20))))
	for _, d := range i.Destinations {
		r.mix(d.Limits)
		r.mix(uint64(d.Limit)<<32 | uint64(d.Parked))
	}
}

// mix folds a word into the digest. Its multiplication makes the order matter and spreads
// every bit.
func (r *Recorder) mix(word uint64) {
	h := (r.digest ^ word) * 0x9E3779B97F4A7C15
	r.digest = h ^ h>>29
}

// Merge returns one record of servers that were recorded separately, each from its own
// start. It returns a single record unchanged.
func Merge(apart []*Recorder) *Recorder {
	if len(apart) == 1 {
		return apart[0]
	}
	all := NewRecorder(0, nil)
	all.replies = make([]uint64, len(apart[0].replies))
	all.by = make([]Destination, len(apart[0].by))
	all.Outcomes = apart[0].Outcomes // shared by all
	all.digest = apart[0].digest
	for i, r := range apart {
		all.lastFirst = max(all.lastFirst, r.lastFirst)
		all.unreached += r.unreached
		all.Latency.Merge(r.Latency)
		all.Intervals = append(all.Intervals, r.Intervals...)
		for k, n := range r.replies {
			all.replies[k] += n
		}
		for d := range r.by {
			all.by[d] = Together([]Destination{all.by[d], r.by[d]})
		}
		all.finals.add(&r.finals)
		for _, of := range r.readings {
			for _, v := range of {
				all.read(v)
			}
		}
		if i > 0 {
			all.mix(r.digest)
		}
	}
	all.course = together(apart)
	slices.SortStableFunc(all.Intervals, func(a, b Interval) int { return cmp.Compare(a.End, b.End) })
	return all
}

// Fold completes run from the record. Recipients is the number of all recipients of the
// run, suppressed the number of suppressed ones among them.
func (r *Recorder) Fold(run *Run, recipients, suppressed uint64) {
	// Rows of several servers may have been recorded in another order.
	slices.SortStableFunc(r.Intervals, func(a, b Interval) int {
		return cmp.Or(cmp.Compare(a.End, b.End), cmp.Compare(a.Server, b.Server))
	})
	run.Digest = r.digest
	run.Intervals, run.Replies, run.Latency = r.Intervals, r.Replies(), r.Latency
	run.Readings = r.reads()
	run.ByDestination, run.Outcomes, run.Course, run.LastFirst = r.Destinations(), r.Outcomes,
		r.course.steps(r.by), r.lastFirst
	for c := range run.Campaigns {
		run.Campaigns[c].Ends = r.campaign(c)
	}
	run.Totals = Totals{
		Recipients: recipients, Delivered: r.Count(mail.Done), Failed: r.Count(mail.Failed),
		Suppressed: suppressed, Ambiguous: r.Count(mail.Held), Unreached: r.unreached,
		Pending: recipients - suppressed - r.unreached - r.Final(), Attempts: r.Attempts(), Resends: r.Resends(),
	}
}

// Attempts returns the number of attempts that ended.
func (r *Recorder) Attempts() uint64 { return r.sum((*Destination).Attempts) }

// Final returns the number of recipients that are final.
func (r *Recorder) Final() uint64 { return r.sum((*Destination).Final) }

// Unreached returns the number of recipients to whom no allowed way leads.
func (r *Recorder) Unreached() uint64 { return r.unreached }

// Refusals returns the number of attempts with which a receiver refused the sender.
func (r *Recorder) Refusals() uint64 { return r.sum((*Destination).Refusals) }

// OnTime returns the number of recipients of a campaign that were final by its deadline.
func (r *Recorder) OnTime(campaign int) uint64 { return r.finals.onTime(campaign) }

// Last returns the number of recipients of a campaign that are final, and when the last one of
// them became so.
func (r *Recorder) Last(campaign int) (at vt.Time, final uint64) { return r.finals.last(campaign) }

// LastFirst returns the end of the last first try.
func (r *Recorder) LastFirst() vt.Time { return r.lastFirst }

// Count returns the number of recipients that ended with a status; of Pending,
// the number of attempts that left their recipient waiting.
func (r *Recorder) Count(s mail.Status) uint64 {
	return r.sum(func(d *Destination) uint64 { return d.Count(s) })
}

// Resends returns the number of attempts after a recipient's first.
func (r *Recorder) Resends() uint64 { return r.sum((*Destination).Resends) }

// sum adds up a count of all destinations.
func (r *Recorder) sum(of func(*Destination) uint64) (n uint64) {
	for i := range r.by {
		n += of(&r.by[i])
	}
	return n
}

// Destinations returns what became of the recipients of each destination.
func (r *Recorder) Destinations() []Destination {
	all := slices.Clone(r.by)
	for d := range all {
		all[d].times, all[d].Recipients = r.finals.times(d, len(all)), all[d].Tried()
		for c := range r.finals.parts {
			e := r.finals.ends(c, d, len(all))
			all[d].Ends.add(&e)
		}
	}
	return all
}

// campaign returns when the recipients of campaign c became final.
func (r *Recorder) campaign(c int) (sum Ends) {
	if c < len(r.finals.parts) {
		for d := range r.by {
			e := r.finals.ends(c, d, len(r.by))
			sum.add(&e)
		}
	}
	return sum
}

// Digest returns a digest of everything that was recorded, in order.
func (r *Recorder) Digest() uint64 { return r.digest }

// ReplyCount is the number of attempts for a destination that ended in the same way.
type ReplyCount struct {
	Destination mail.Destination
	Stage       mail.Stage
	Code        int // 0 without a reply
	Fault       mail.Fault
	Count       uint64
}

// Replies returns every way in which attempts ended, the most frequent first.
func (r *Recorder) Replies() []ReplyCount {
	var all []ReplyCount
	for i, n := range r.replies {
		if n == 0 {
			continue
		}
		c := ReplyCount{Count: n, Stage: mail.Stage(i / outcomes % int(mail.Stages)),
			Destination: mail.Destination(i / outcomes / int(mail.Stages))}
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
