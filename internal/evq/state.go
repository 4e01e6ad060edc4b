package evq

import "flyball/internal/snap"

// State saves or restores the queue.
func (q *Queue) State(c *snap.Codec) {
	snap.Slice(c, &q.nodes, func(c *snap.Codec, n *node) {
		snap.Int(c, &n.at)
		snap.Int(c, &n.key)
	})
	snap.Int(c, &q.seq)
	snap.Int(c, &q.count)
	snap.Int(c, &q.vacant)
}
