package evq

import "flyball/internal/snap"

// State saves or restores the queue.
func (q *Queue) State(c *snap.Codec) {
	snap.Int(c, &q.seq)
	snap.Slice(c, &q.heap, func(c *snap.Codec, e *Event) {
		snap.Int(c, &e.At)
		snap.Int(c, &e.seq)
		snap.Int(c, &e.A)
		snap.Int(c, &e.B)
	})
}
