package sim

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
	"flyball/reports/runlog"
	"flyball/scenarios"
	"flyball/scenarios/work"
)

// checkpointMagic begins a checkpoint file. After it come the identity of the
// run (World.identity) and a newline, the SHA-256 of the state, and the state.
const checkpointMagic = "flyball checkpoint 10\n"

// Checkpoint returns the saved state of a run that was stopped; nil if the run
// reached its end.
func (w *World) Checkpoint() []byte { return w.saved }

func (w *World) save() []byte {
	c := snap.Writer()
	w.state(c)
	sum := sha256.Sum256(c.Data())
	return bytes.Join([][]byte{[]byte(checkpointMagic), []byte(w.identity()), []byte("\n"), sum[:], c.Data()}, nil)
}

// identity returns a text that is equal for equal runs. A list from the caller
// enters by the destinations of its recipients, in their order, because nothing
// else in a list affects a run.
func (w *World) identity() string {
	if !w.given {
		return w.id()
	}
	return w.id() + " " + w.list.Digest()
}

// Resume returns the world of a checkpoint. It continues as if it had never been
// stopped: the digest at its end is the same. The scenario, the replication and
// the list must be the ones that the checkpoint was made with. Resume refuses a
// checkpoint that is damaged or belongs to another run.
func Resume(s *scenarios.Scenario, replication uint64, list *mail.List, watch runlog.Watch, checkpoint []byte) (*World,
	error) {
	w, err := New(s, replication, list, watch)
	if err != nil {
		return nil, err
	}
	rest, ok := bytes.CutPrefix(checkpoint, []byte(checkpointMagic))
	if !ok {
		return nil, errors.New("got a file that does not begin like a checkpoint of this version")
	}
	id, rest, ok := bytes.Cut(rest, []byte("\n"))
	if !ok || len(rest) < sha256.Size {
		return nil, errors.New("the checkpoint is cut short")
	}
	if want := w.identity(); string(id) != want {
		if scenario := scenarios.ID(s); string(id[:min(len(id), len(scenario))]) != scenario {
			return nil, fmt.Errorf("the checkpoint is of scenario %.12s, want %.12s", id, scenario)
		}
		return nil, errors.New("the checkpoint is of the same scenario with another list or replication")
	}
	sum, state := rest[:sha256.Size], rest[sha256.Size:]
	if got := sha256.Sum256(state); !bytes.Equal(got[:], sum) {
		return nil, errors.New("the checkpoint is damaged: its checksum differs")
	}
	c := snap.Reader(state)
	w.state(c)
	if err := c.Err(); err != nil {
		return nil, fmt.Errorf("the checkpoint is damaged: %w", err)
	}
	return w, nil
}

func (w *World) state(c *snap.Codec) {
	reached := w.reached
	c.Fields(&reached)
	if w.system != nil { // its state is spread over several roles: the run is made again up to here
		w.repeat(c, reached)
		return
	}
	w.reached = reached
	if w.planner != nil {
		w.planner.State(c, w.again)
	}
	for _, s := range w.servers {
		s.state(c)
	}
	kept := w.outcomes() != nil
	c.Fields(&kept)
	if kept {
		if c.Reading() {
			w.KeepOutcomes()
		}
		w.outcomes().State(c)
	}
	if w.cluster != nil {
		w.cluster.State(c)
		w.shared.State(c)
	}
}

// repeat saves what a run with a sending server needs to be made again, or makes it again up to the time reached.
func (w *World) repeat(c *snap.Codec, reached vt.Time) {
	kept := w.outcomes() != nil
	c.Fields(&kept)
	if !c.Reading() {
		return
	}
	if kept {
		w.KeepOutcomes()
	}
	for w.reached < reached {
		w.advance()
	}
}

// again gives servers all parts of a run that is restored; which of them they have had by then is in their states.
func (w *World) again(parts []work.Arrival) {
	w.work = nil
	for _, v := range w.servers {
		v.arrivals = nil
	}
	w.assign(parts)
}

func (s *server) state(c *snap.Codec) {
	s.machine.State(c)
	s.model.State(c)
	s.ends.State(c)
	s.rec.State(c)
	left := len(s.arrivals)
	c.Fields(&left)
	if c.Reading() && left >= 0 && left <= len(s.arrivals) {
		s.arrivals = s.arrivals[len(s.arrivals)-left:]
	}
	c.Fields(&s.now, &s.events)
}
