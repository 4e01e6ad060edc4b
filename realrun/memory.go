package realrun

import (
	"fmt"
	"slices"

	"flyball/engine"
	"flyball/engine/delivery"
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
	"flyball/realrun/journal"
)

// This file keeps what a run saw and learned: each attempt, each interval, and what laws, limits and brakes have come
// to. A run that goes on records all of it anew, so that its folder is about the whole mailing, and begins with what
// the runs before it have learned. An interval that a stop cut goes on too, with the attempts that ended in it.

// Begun is one of the runs of a mailing.
type Begun struct {
	At    vt.Time // when it began: where the run before it stopped
	Scale float64 // how many times faster than real time it was
}

// memory is what a run keeps of a delivering server, or of the governing role.
type memory struct {
	stale     bool   // something was learned that is not kept yet
	reactions uint64 // of the machine, when its state was kept

	// Of the runs before:
	last    *engine.Learned         // nil: none
	ended   []journal.Entry         // attempts that ended in the interval that the stop cut
	awaited map[mail.Recipient]bool // whose attempt was read, and its outcome was not
}

// witness observes a role for its record, and keeps what it observes.
type witness struct {
	engine.Observer
	kept   *kept
	number mail.Server // of the role
}

func (w witness) Ended(now vt.Time, a *mail.Attempt, r *mail.Reply, s mail.Status) {
	w.kept.note(now, w.number, engine.Attempted{Rcpt: a.Rcpt, Try: a.Try, Slot: a.Slot, Conn: a.Conn, Status: s,
		Took: r.Took, Code: r.Code, Stage: r.Stage, Fault: r.Fault, Row: r.Row, Way: w.kept.roles.end.Way,
		Charged: r.Fault != mail.Aborted})
	w.Observer.Ended(now, a, r, s)
}

func (w witness) Interval(now vt.Time, s mail.Server, i engine.Interval) {
	if !i.Partial {
		w.kept.note(now, w.number, engine.Measured{Ended: now, Number: i.Number, TargetRate: i.TargetRate,
			Sample: i.Sample, Decision: i.Decision, RetryLimit: i.RetryLimit, Freed: i.Freed, HandedBack: i.HandedBack,
			Draining: i.Draining, Destinations: engine.PackDestinations(i.Destinations)})
		w.kept.memories[w.number].stale = true
	}
	w.Observer.Interval(now, s, i)
}

// note keeps a fact of a role, or of this shell about it.
func (v *kept) note(now vt.Time, number mail.Server, f engine.Fact) {
	v.group.Note(now, v.address(number), f)
}

// learned keeps what a role has learned, if that has changed.
func (v *kept) learned(now vt.Time, number mail.Server) {
	if int(number) >= len(v.memories) {
		return
	}
	m := &v.memories[number]
	if int(number) < len(v.remotes) {
		n := v.remotes[number].Machine().Reactions()
		m.stale, m.reactions = m.stale || n != m.reactions, n
	}
	if m.stale {
		m.stale = false
		c := snap.Writer()
		v.lessons(number, c)
		v.note(now, number, engine.Learned{Form: delivery.LessonsForm, State: string(c.Data())})
	}
}

// lessons saves or restores what a role has learned.
func (v *kept) lessons(number mail.Server, c *snap.Codec) {
	if int(number) < len(v.remotes) {
		v.remotes[number].Machine().Lessons(c)
	} else {
		v.roles.cluster.State(c)
	}
}

// saw takes a fact that the shell of an earlier run kept, and reports whether it is one.
func (v *kept) saw(e journal.Entry) (bool, error) {
	number, known := mail.Server(0), len(v.memories)
	if e.Role.Role != engine.Sender {
		number = v.roles.numberOf(e.Role)
	}
	switch f := e.Fact.(type) {
	case engine.Run:
		v.runs = append(v.runs, Begun{e.At, f.Scale})
		return true, nil
	case engine.Attempted:
		known = len(v.remotes)
	case engine.Measured, engine.Learned:
	default:
		return false, nil
	}
	if int(number) >= known || e.Role != v.address(number) {
		return true, fmt.Errorf("%w: got %T of %v", journal.ErrDamaged, e.Fact, e.Role)
	}
	m := &v.memories[number]
	switch f := e.Fact.(type) {
	case engine.Attempted:
		m.ended = append(m.ended, e)
		if m.awaited == nil {
			m.awaited = map[mail.Recipient]bool{}
		}
		if f.Charged {
			m.awaited[f.Rcpt] = true
		}
		a, c := v.attempt(number, f)
		v.roles.end = c
		v.roles.records[number].Ended(e.At, &a, &c.Reply, f.Status)
	case engine.Measured:
		m.ended = slices.DeleteFunc(m.ended, func(e journal.Entry) bool { return e.At <= f.Ended })
		rec := v.roles.shared
		if int(number) < len(v.remotes) {
			rec = v.roles.records[number]
		}
		rec.Interval(f.Ended, number, engine.Interval{Number: f.Number, TargetRate: f.TargetRate, Sample: f.Sample,
			Decision: f.Decision, RetryLimit: f.RetryLimit, Freed: f.Freed, HandedBack: f.HandedBack,
			Draining: f.Draining, Destinations: engine.UnpackDestinations(f.Destinations)})
	case engine.Learned:
		m.last = &f
	}
	return true, nil
}

// attempt returns an attempt of a server that has ended, and how.
func (v *kept) attempt(number mail.Server, f engine.Attempted) (mail.Attempt, mail.Completion) {
	return mail.Attempt{Rcpt: f.Rcpt, Slot: f.Slot, Dest: v.list.Destination(f.Rcpt), Try: f.Try, Server: number,
			Conn: f.Conn}, mail.Completion{Slot: f.Slot, Way: f.Way, Reply: mail.Reply{Took: f.Took, Code: f.Code,
			Stage: f.Stage, Fault: f.Fault, Row: f.Row}}
}

// remember gives a role what was learned before.
func (v *kept) remember(now vt.Time, number mail.Server) error {
	if int(number) >= len(v.memories) {
		return nil
	}
	m := &v.memories[number]
	if m.last == nil || m.last.Form != delivery.LessonsForm {
		v.forgot, m.stale = v.forgot || m.last != nil, true
		return nil
	}
	c := snap.Reader([]byte(m.last.State))
	v.lessons(number, c)
	if err := c.Err(); err != nil {
		return fmt.Errorf("%w: got what %v has learned: %w", journal.ErrDamaged, v.address(number), err)
	}
	if v.roles.elsewhere != nil { // time has passed since the stop
		v.remotes[number].Machine().Lapse(now)
	}
	for _, e := range m.ended {
		f := e.Fact.(engine.Attempted)
		a, c := v.attempt(number, f)
		v.remotes[number].Machine().Recount(e.At, &a, &c, f.Status)
	}
	m.ended, m.last = nil, nil
	return nil
}
