package runlog

import (
	"flyball/engine"
	"flyball/internal/snap"
)

// State saves or restores what was recorded for the same destinations.
func (r *Recorder) State(c *snap.Codec) {
	r.Latency.State(c)
	snap.Slice(c, &r.Intervals, func(c *snap.Codec, i *Interval) {
		snap.Int(c, &i.Server)
		snap.Int(c, &i.End)
		snap.Int(c, &i.Number)
		snap.Float(c, &i.TargetRate)
		i.Sample.State(c)
		snap.Float(c, &i.Decision.Rate)
		snap.Float(c, &i.Decision.Allocated)
		snap.Float(c, &i.Decision.Efficiency)
		snap.Float(c, &i.Decision.Utilization)
		snap.Float(c, &i.Decision.Previous)
		snap.Float(c, &i.Decision.TargetRate)
		snap.Float(c, &i.Decision.Target)
		snap.Float(c, &i.Decision.Step)
		snap.Float(c, &i.Decision.Available)
		snap.Int(c, &i.Decision.Flags)
		snap.Int(c, &i.RetryLimit)
		snap.Int(c, &i.Freed)
		snap.Int(c, &i.HandedBack)
		snap.Bool(c, &i.Partial)
		snap.Bool(c, &i.Draining)
		snap.Slice(c, &i.Destinations, func(c *snap.Codec, d *engine.DestinationInterval) { d.State(c) })
	})
	snap.Slice(c, &r.replies, snap.Int)
	for i := range r.by {
		r.by[i].State(c)
	}
	r.finals.State(c)
	r.course.State(c)
	snap.Int(c, &r.lastFirst)
	snap.Int(c, &r.digest)
}
