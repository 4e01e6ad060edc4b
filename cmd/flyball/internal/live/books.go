package live

import (
	"encoding/json"
	"fmt"
	"slices"

	"flyball/cmd/flyball/internal/kept"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/hist"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/realrun/sink"
	"flyball/reports/measure"
	"flyball/reports/run"
	"flyball/reports/runlog"
	"flyball/reports/traces"
	"flyball/sim"
)

// ends records the end of every recipient.
type ends struct {
	status []mail.Status
	tries  []uint16
	unsure []uint16 // ambiguous attempts
	took   vt.Span  // by all attempts
	last   mail.Reply
	before []mail.Status // by recipient, of a mailing that goes on; nil: it begins
	store  *stored       // has the ends too; nil: of a list of no store
}

func newEnds(recipients int) *ends {
	return &ends{status: make([]mail.Status, recipients), tries: make([]uint16, recipients),
		unsure: make([]uint16, recipients)}
}

func (e *ends) watch(_ vt.Time, a mail.Attempt, reply mail.Reply, s mail.Status) {
	e.status[a.Rcpt] = s
	if s == mail.Unreached { // there was no attempt
		return
	}
	e.tries[a.Rcpt] = uint16(a.Try) + 1
	if reply.Class() == mail.Ambiguous {
		e.unsure[a.Rcpt]++ // at most the retry limit
	}
	e.took += reply.Took
	e.last = reply
	e.store.add(a.Rcpt, s)
}

// goOn takes what a run goes on with as what earlier ones did: the receivers' ledger of this one does not have it. It
// returns lines about it.
func (e *ends) goOn(st *kept.State) []string {
	if !st.Resumed() {
		return nil
	}
	e.before, e.took = slices.Clone(e.status), 0
	clear(e.unsure)
	n := 0
	for _, s := range e.before {
		if s != mail.Pending {
			n++
		}
	}
	words := fmt.Sprintf("Going on with the mailing in %s: %d of %d recipients were final", st.Dir, n, len(e.before))
	if st.Before.Torn > 0 {
		words += fmt.Sprintf("; %d bytes at the end of its journal were torn, and are cut off", st.Before.Torn)
	}
	return []string{words}
}

// now returns the status of every recipient by this run alone.
func (e *ends) now() []mail.Status {
	all := slices.Clone(e.status)
	for r, s := range e.before {
		if s != mail.Pending {
			all[r] = mail.Pending
		}
	}
	return all
}

// nothing returns an error if recipients were tried and none was delivered.
func (e *ends) nothing() error {
	tried, failed := 0, 0
	for r, s := range e.status {
		if s == mail.Done {
			return nil
		}
		if e.tries[r] > 0 {
			tried++
		}
		if s == mail.Failed {
			failed++
		}
	}
	if tried == 0 {
		return nil
	}
	with := e.last.Fault.String()
	if e.last.Fault == mail.NoFault {
		with = fmt.Sprint(e.last.Code)
	}
	return task.Fail(task.Missed, "got 0 of %d recipients delivered, want at least one: %d were tried and %d failed; "+
		"the last attempt ended at %s with %s", len(e.status), tried, failed, e.last.Stage, with)
}

// pace returns how well this machine kept the time of a live run, whose engine handled inputs late.
func (r *prepared) pace(late hist.Hist, scale float64) runlog.Pace {
	p := runlog.Pace{Scale: scale, Late: runlog.NewLateness(late)}
	asked := r.ends.took
	if r.sink != nil {
		var overslept hist.Hist
		asked, overslept = r.sink.Pace()
		p.Overslept = runlog.NewLateness(overslept)
	}
	if handled := vt.Span(late.Count()) * late.Mean(); asked > 0 {
		p.Slower = float64(r.ends.took+handled-asked) / float64(asked)
	}
	return p
}

// books compares a live run with the receivers' ledger and with the simulation of the
// same run. It is nil if the receiver keeps no ledger.
type books struct {
	Schema        string       `json:"schema"`
	SchemaVersion int          `json:"schema_version"`
	Ledger        sink.Account `json:"ledger"`
	Recipients    int          `json:"recipients"`
	Simulated     bool         `json:"simulated"` // false for a run that was stopped
	Tried         int          `json:"tried"`     // recipients that were tried both live and in the simulation
	// EndAlike counts those of Tried with the same status and number of tries in both.
	EndAlike  int `json:"end_alike"`
	Delivered int `json:"delivered"` // by the sender's account

	beside []measure.Row // intervals of the simulation
	stages *traces.Book  // of the simulation; nil unless the attempts of the run are in a table
}

// traced returns the times of the simulation's attempts; nil without them.
func (b *books) traced() *traces.Book {
	if b == nil {
		return nil
	}
	return b.stages
}

// attempts returns a table for the attempts of the run; nil if none is asked for.
func (q *Run) attempts(r *prepared) (*task.Attempts, error) {
	if !q.Attempts {
		return nil, nil
	}
	n := task.TraceNames(r.scenario)
	if q.List != "" {
		n.Address = func(to mail.Recipient) string { return r.mailing.Address(to).String() }
	}
	return task.NewAttempts(n)
}

// closeBooks reads the ledger and, if the run is whole, simulates the same run.
func (r *prepared) closeBooks(whole bool) (*books, error) {
	if r.sink == nil {
		return nil, nil
	}
	b := &books{Schema: "flyball/rehearsal", SchemaVersion: 1,
		Ledger:     r.sink.Ledger.Account(r.ends.now(), r.ends.unsure),
		Recipients: r.mailing.List.Len(), Simulated: whole}
	for _, s := range r.ends.now() {
		if s == mail.Done {
			b.Delivered++
		}
	}
	if !whole {
		return b, nil
	}
	simulated := newEnds(b.Recipients)
	w, err := sim.New(r.scenario, 0, &r.mailing.List, simulated.watch)
	if err != nil {
		return nil, err
	}
	if r.attempts != nil {
		b.stages = traces.NewBook(nil, task.TraceNames(r.scenario))
		w.Trace(b.stages.Add)
	}
	end, _ := w.Run(nil)
	b.compare(r.ends, simulated)
	ended := task.Header(r.scenario, "", "sim", end, false)
	w.Record().Fold(ended, uint64(b.Recipients), 0)
	b.beside = run.Fold(ended, nil, "").Rows
	return b, nil
}

// compare counts the recipients that were tried live and in the simulation, and those of them that ended alike.
func (b *books) compare(live, simulated *ends) {
	for i, tries := range simulated.tries {
		if tries == 0 || live.tries[i] == 0 {
			continue // a recipient whose turn never came has not ended differently
		}
		b.Tried++
		if tries == live.tries[i] && simulated.status[i] == live.status[i] {
			b.EndAlike++
		}
	}
}

// words returns lines about how the books compare.
func (b *books) words() []string {
	if b == nil {
		return []string{"The receiver is not part of Flyball: it has no ledger, and the simulation does not model it."}
	}
	l := b.Ledger
	verdict := "the books agree"
	if !l.Clean() {
		verdict = fmt.Sprintf("THE BOOKS DISAGREE: %d twice, %d missing, %d unknown", l.Duplicates, l.Missing,
			l.Unknown)
	}
	words := []string{fmt.Sprintf("Ledger: %d recipients delivered, %d received by the receivers' own count, %d of "+
		"these without a reply: %s", b.Delivered, l.Accepted, l.LostReply, verdict)}
	if b.Simulated {
		end := fmt.Sprintf("Simulation: %d of %d recipients end in the same way after the same number of tries",
			b.EndAlike, b.Tried)
		if untried := b.Recipients - b.Tried; untried > 0 {
			end += fmt.Sprintf("; the turn of %d did not come in both", untried)
		}
		words = append(words, end)
	}
	return words
}

func (b *books) file() []byte {
	raw, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		panic(err)
	}
	return append(raw, '\n')
}

// err returns an error if the ledger does not balance: a recipient has the message
// twice, was delivered but never received it, or received it but was not delivered.
func (b *books) err() error {
	if b == nil || b.Ledger.Clean() {
		return nil
	}
	l := b.Ledger
	return task.Fail(task.Disagrees, "the receivers' ledger disagrees: %d recipients twice, %d missing, %d unknown",
		l.Duplicates, l.Missing, l.Unknown)
}
