package evq

import "flyball/internal/snap"

// State saves or restores the queue.
func (q *Queue) State(c *snap.Codec) {
	snap.Slice(c, &q.nodes, func(c *snap.Codec, n *node) { c.Fields(&n.at, &n.key) })
	c.Fields(&q.seq, &q.count, &q.vacant)
}
