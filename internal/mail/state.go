package mail

import "flyball/internal/snap"

// State saves or restores an attempt.
func (a *Attempt) State(c *snap.Codec) {
	c.Fields(&a.Rcpt, &a.Slot, &a.Gen, &a.Dest, &a.Try, &a.Server, &a.Conn)
}

// State saves or restores a reply.
func (r *Reply) State(c *snap.Codec) {
	c.Fields(&r.Took, &r.Code, &r.Stage, &r.Fault, &r.Row)
}
