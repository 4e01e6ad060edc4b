package runlog

import (
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Outcome is the end of one recipient: its last attempt that ended, and the status after
// it. Tries is 0 for a recipient that was never tried; then only Status is set, to
// Pending.
type Outcome struct {
	First, End vt.Time // beginning of the first attempt and end of the last one
	Code       uint16  // of the last reply; 0 if there was none
	Tries      uint16
	Server     mail.Server
	Status     mail.Status
	Stage      mail.Stage
	Fault      mail.Fault
}

// Outcomes has the Outcome of every recipient of a run, by position in the
// list. Recorders of several servers may share one: no recipient belongs to two
// servers at a time.
type Outcomes []Outcome

// ended records an attempt that ended at now. What made its recipient final before stands: a sending server may let two
// servers try the same one.
func (o Outcomes) ended(now vt.Time, a *mail.Attempt, r *mail.Reply, s mail.Status) {
	v := &o[a.Rcpt]
	if v.Status != mail.Pending {
		return
	}
	if a.Try == 0 && v.Tries == 0 {
		v.First = now.Add(-r.Took)
	}
	v.End, v.Code, v.Tries, v.Server, v.Status, v.Stage, v.Fault = now, r.Code, uint16(a.Try)+1, a.Server, s, r.Stage,
		r.Fault
}

// Suppress records that a recipient is not tried any more.
func (o Outcomes) Suppress(r mail.Recipient) { o.final(r, mail.Suppressed) }

// final records that a recipient got a final status without an attempt.
func (o Outcomes) final(r mail.Recipient, s mail.Status) { o[r].Status = s }

// State saves or restores the outcomes of a list of the same length.
func (o Outcomes) State(c *snap.Codec) {
	var tried bool
	var word, more uint64
	for i := range o {
		v := &o[i]
		tried = v.Tries > 0
		c.Fields(&tried)
		if !tried {
			continue
		}
		word = uint64(v.Code) | uint64(v.Tries)<<16 | uint64(v.Server)<<32 | uint64(v.Status)<<48
		more = uint64(v.Stage) | uint64(v.Fault)<<8
		c.Fields(&v.First, &v.End, &word, &more)
		v.Code, v.Tries, v.Server, v.Status = uint16(word), uint16(word>>16), mail.Server(word>>32),
			mail.Status(word>>48)
		v.Stage, v.Fault = mail.Stage(more), mail.Fault(more>>8)
	}
}
