package crash

import "flyball/engine"

// Model is what a disk keeps when its server stops.
type Model int

const (
	Kill     Model = iota // the process ends: everything that was written stays
	PowerMin              // power is lost: what was made durable stays
	PowerAny              // power is lost: what was made durable stays, and some of what came next
	Models
)

func (m Model) String() string { return [...]string{"kill", "power-min", "power-any"}[m] }

// disk is the journal of a server: facts in order, of which the first ones are durable. A
// journal is read up to the first record that is missing or torn, so what is left of it
// is always a beginning.
type disk struct {
	facts   []engine.Fact
	durable int
}

func (d *disk) write(f engine.Fact) { d.facts = append(d.facts, f) }

// stop loses what the model does not keep; share, from 0 to below 1, is drawn for PowerAny.
func (d *disk) stop(m Model, share float64) {
	switch m {
	case PowerMin:
		d.facts = d.facts[:d.durable]
	case PowerAny:
		d.facts = d.facts[:d.durable+int(share*float64(len(d.facts)-d.durable+1))]
	}
	d.durable = len(d.facts)
}
