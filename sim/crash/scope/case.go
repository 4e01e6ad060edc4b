package scope

import (
	"cmp"
	"slices"

	"flyball/internal/vt"
)

// Fault is what happens to a server.
type Fault int

const (
	Stop  Fault = iota // the server ends, and begins again later
	Pause              // the server does nothing for a while, and loses nothing
	Cut                // the server goes on, and no message comes to it from other servers, or from it to them
)

// Model is what a disk keeps when its server stops.
type Model int

const (
	Kill     Model = iota // the process ends: everything that was written stays
	PowerMin              // power is lost: what was made durable stays
	PowerAny              // power is lost: what was made durable stays, and some of what came next
	Models
)

func (m Model) String() string { return [...]string{"kill", "power-min", "power-any"}[m] }

// Crash stops servers at an effect.
type Crash struct {
	Effect int // number, from 1 on; 0: at Time
	After  bool
	Time   vt.Time
	Victim int // number of a host, Actor or All
	Model  Model
	Kept   int // facts beyond those that are durable, with PowerAny; 0: drawn
	Fault  Fault
	Down   vt.Span // until the server goes on
}

// Victims that are not one host.
const (
	Actor = -1 // the host whose effect it is; the sending server for effects outside all hosts
	All   = -2
)

// Case is a run with everything that goes wrong in it.
type Case struct {
	Lost         float64   // share of final replies that do not arrive
	Loss, Repeat float64   // share of messages between servers that do not arrive, or arrive twice
	Drift        []float64 // by which the clock of each delivering server goes faster
	Crashes      []Crash   // in the order of their effects
}

// place returns a number that is higher the later an effect, or what comes after it.
func (c *Crash) place() int {
	if c.After {
		return 2*c.Effect + 1
	}
	return 2 * c.Effect
}

// Sort brings crashes into the order of their effects.
func Sort(all []Crash) {
	slices.SortStableFunc(all, func(a, b Crash) int { return cmp.Compare(a.place(), b.place()) })
}
