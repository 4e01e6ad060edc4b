package runlog

import (
	"flyball/engine"
	"flyball/internal/snap"
)

// State saves or restores what was recorded for the same destinations.
func (r *Recorder) State(c *snap.Codec) {
	r.Latency.State(c)
	snap.Slice(c, &r.Intervals, func(c *snap.Codec, i *Interval) {
		c.Fields(&i.Server, &i.End, &i.Number, &i.TargetRate)
		i.Sample.State(c)
		c.Fields(&i.Decision.Rate, &i.Decision.Allocated, &i.Decision.Efficiency, &i.Decision.Utilization,
			&i.Decision.Previous, &i.Decision.TargetRate, &i.Decision.Target, &i.Decision.Step, &i.Decision.Available,
			&i.Decision.Flags, &i.RetryLimit, &i.Freed, &i.HandedBack, &i.Partial, &i.Draining,
			&i.Finish, &i.Low, &i.High)
		snap.Slice(c, &i.Destinations, func(c *snap.Codec, d *engine.DestinationInterval) { d.State(c) })
	})
	c.Fields(&r.replies)
	snap.Slice(c, &r.readings, func(c *snap.Codec, of *[]Read) {
		snap.Slice(c, of, func(c *snap.Codec, v *Read) {
			c.Fields(&v.Destination, &v.Row, &v.Stage, &v.Code, &v.Count)
		})
	})
	for i := range r.by {
		r.by[i].State(c)
	}
	r.finals.State(c)
	r.course.State(c)
	r.forecast.State(c)
	c.Fields(&r.lastFirst, &r.digest)
}
