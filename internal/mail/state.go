package mail

import "flyball/internal/snap"

// State saves or restores an attempt.
func (a *Attempt) State(c *snap.Codec) {
	snap.Int(c, &a.Rcpt)
	snap.Int(c, &a.Slot)
	snap.Int(c, &a.Gen)
	snap.Int(c, &a.Dest)
	snap.Int(c, &a.Try)
	snap.Int(c, &a.Server)
	snap.Int(c, &a.Conn)
}

// State saves or restores a reply.
func (r *Reply) State(c *snap.Codec) {
	snap.Int(c, &r.Took)
	snap.Int(c, &r.Code)
	snap.Int(c, &r.Stage)
	snap.Int(c, &r.Fault)
}
