package governing

import (
	"fmt"

	"flyball/engine"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// form is the form of what a Kept learns. A change of what any law or the cluster saves needs another number.
const form = 1

// Kept is a Cluster on a server of its own, which goes on after a stop: an engine.Durable whose only fact is what it
// has learned. While it is stopped, each server keeps its C. Servers stop and begin again at any time. So the end of
// one ends no interval of all, and a partial Report is dropped; and servers may count their intervals differently, so
// a Report is about the interval in which it ended. All end their intervals at about the same moments, but their times
// may differ by whole intervals.
type Kept struct {
	*Cluster
	own  []uint64 // by server: the number that it gave to its last interval
	last string   // state that is a fact
}

// Keep returns a new cluster as one that goes on after a stop.
func Keep(c *Cluster) *Kept {
	k := &Kept{Cluster: c, own: make([]uint64, len(c.parts))}
	k.last = k.save()
	return k
}

// Receive processes a Report. See Cluster.
func (k *Kept) Receive(now vt.Time, m engine.Message, out *engine.Outbox) {
	if r, ok := m.Body.(engine.Report); ok {
		r.Ended = k.here(now, r.Ended)
		if r.Partial || r.Ended < vt.Time(k.cfg.Interval) {
			return
		}
		k.own[m.From.Server] = m.Number
		m.Number, m.Body = uint64(r.Ended/vt.Time(k.cfg.Interval))-1, r
	}
	k.Cluster.Receive(now, m, out)
	k.write(out)
}

// here returns the end of an interval by the time of the cluster: the last one that is whole intervals from the end by
// the server's time, and not later than now, but for a part of an interval by which the server's clock may be ahead.
func (k *Kept) here(now, ended vt.Time) vt.Time {
	s := vt.Time(k.cfg.Interval)
	end := now + s/patience
	return end - ((end-ended)%s+s)%s
}

// Wake decides on an interval without the reports that have not arrived in time.
func (k *Kept) Wake(now vt.Time, load engine.Load, out *engine.Outbox) {
	k.Cluster.Wake(now, load, out)
	k.write(out)
}

// write writes what the cluster has learned, if that has changed, and gives each verdict the number that its server
// waits for.
func (k *Kept) write(out *engine.Outbox) {
	for i := range out.Send {
		out.Send[i].Number = k.own[out.Send[i].To.Server]
	}
	if state := k.save(); state != k.last {
		k.last = state
		out.Write = append(out.Write, engine.Learned{Form: form, State: state})
	}
}

func (k *Kept) save() string {
	c := snap.Writer()
	k.State(c)
	c.Fields(&k.own)
	return string(c.Data())
}

// Recover takes the facts of the cluster before its stop: the last one is all that it knew. One of another form says
// nothing to this version, and the cluster begins anew.
func (k *Kept) Recover(_ vt.Time, _ uint64, facts []engine.Fact, _ *engine.Outbox) {
	var last *engine.Learned
	for _, f := range facts {
		v, ok := f.(engine.Learned)
		if !ok {
			panic(fmt.Sprintf("governing: got fact %T, want Learned", f))
		}
		last = &v
	}
	if last == nil || last.Form != form {
		return
	}
	c := snap.Reader([]byte(last.State))
	k.State(c)
	if c.Fields(&k.own); c.Err() != nil {
		panic(fmt.Sprintf("governing: got what another cluster has learned: %v", c.Err()))
	}
	k.last = last.State
}
