package sim

import (
	"bytes"
	"cmp"
	"compress/flate"
	"fmt"
	"io"
	"reflect"
	"slices"

	"flyball/governor"
	"flyball/internal/snap"
	"flyball/internal/vt"
	"flyball/scenarios"
)

// A setting of the governor reaches a run through the governor's decisions alone. As long
// as the governors of two settings decide alike, the runs are the same, so a run need not
// be made again up to the first decision that differs: it branches off from a state that
// the earlier run left just before.

// branches keeps the courses of runs for later ones. The zero value is ready to use.
type branches struct {
	all   []*course // the oldest first
	size  int       // of them, in bytes
	every uint64    // least number of events between two states at first; 0: eventsPerState
	times int       // runs that branched
}

// course is what the governors of a run were asked and answered, and states of the run.
type course struct {
	of          *scenarios.Scenario
	replication uint64
	asked       [][]verdict // by server
	states      []passage   // rising
	kept        uint64      // events before the last state, which may be of the run from which this one branched
	every       uint64      // least number of events between two states
	branched    bool        // the run began where another one was
}

// verdict is a decision of a governor: the sample, and C for the next interval.
type verdict struct {
	sample    governor.Sample
	available float64
}

// passage is a state in which a run was.
type passage struct {
	events uint64
	asked  []int  // decisions before, by server
	data   []byte // compressed: most of it is counts that are 0
}

// Limits of what is kept. States are made only where a run from the start would take much
// longer than a state takes to be saved and restored.
const (
	eventsPerState = 1 << 18
	mostStates     = 12
	mostSize       = 64 << 20 // bytes
)

// branching reports whether the runs of a scenario can branch: each server must have a governor
// of its own, and no sending server.
func branching(s *scenarios.Scenario) bool {
	return !s.Together() && !s.Dispatch.Sends()
}

// witness is a governor whose decisions are written down.
type witness struct {
	governor.Governor
	asked *[]verdict
	other governor.Keeper // takes the governor's state of the run from which this one branches
}

func (g *witness) Decide(s governor.Sample) governor.Decision {
	d := g.Governor.Decide(s)
	*g.asked = append(*g.asked, verdict{s, d.Available})
	return d
}

// State restores the state of the run from which this one branches into a governor of that run's
// setting: the decisions before have been repeated already.
func (g *witness) State(c *snap.Codec) {
	if c.Reading() {
		g.other.State(c)
		return
	}
	g.Governor.(governor.Keeper).State(c)
}

// begin returns the course of a run that is about to begin.
func (b *branches) begin(s *scenarios.Scenario, replication uint64) *course {
	return &course{of: s, replication: replication, asked: make([][]verdict, len(s.Servers)),
		every: cmp.Or(b.every, eventsPerState)}
}

// witnesses wraps the governors of a world, so that what they decide is written down.
func (c *course) witnesses(all []governor.Governor) (w []*witness) {
	for i, g := range all {
		w = append(w, &witness{Governor: g, asked: &c.asked[i]})
		all[i] = w[i]
	}
	return w
}

// next returns the last moment before the next decisions of governors.
func (c *course) next(now vt.Time) vt.Time {
	s := vt.Time(c.of.Governor.Interval)
	return ((now+1)/s+1)*s - 1
}

// pass keeps the state of the world if it is just before decisions or at the end of its run, and
// the last state is far enough behind.
func (c *course) pass(w *World, last bool) {
	s := vt.Time(c.of.Governor.Interval)
	events, n := w.events(), len(c.states)
	if !last && (w.reached+1)%s != 0 || events-c.kept < c.every {
		return
	}
	if n == mostStates {
		for i := 0; i < n/2; i++ {
			c.states[i] = c.states[2*i+1]
		}
		c.states = c.states[:n/2]
		c.every = max(2*c.every, c.states[n/2-1].events/uint64(n/2))
	}
	p := passage{events: events}
	for _, a := range c.asked {
		p.asked = append(p.asked, len(a))
	}
	state := snap.Writer()
	w.state(state)
	p.data = pack(state.Data())
	c.states, c.kept = append(c.states, p), events
}

func pack(data []byte) []byte {
	var b bytes.Buffer
	to, _ := flate.NewWriter(&b, flate.BestSpeed) // a level that exists
	to.Write(data)                                // a buffer has no errors
	to.Close()
	return b.Bytes()
}

func unpack(data []byte) []byte {
	all, err := io.ReadAll(flate.NewReader(bytes.NewReader(data)))
	if err != nil {
		panic(err) // packed by this process
	}
	return all
}

// add keeps a course whose run has ended, and drops the oldest ones beyond the limit.
func (b *branches) add(c *course) {
	if c == nil {
		return
	}
	if c.branched {
		b.times++
	}
	if len(c.states) == 0 {
		return
	}
	b.size += c.size()
	for b.all = append(b.all, c); b.size > mostSize; b.all = slices.Delete(b.all, 0, 1) { // which frees it
		b.size -= b.all[0].size()
	}
}

// size returns the memory that a course takes, about, in bytes.
func (c *course) size() (n int) {
	for _, p := range c.states {
		n += len(p.data)
	}
	for _, asked := range c.asked {
		n += len(asked) * int(reflect.TypeFor[verdict]().Size())
	}
	return n
}

// alike reports whether two scenarios differ at most in what the governors alone read.
func alike(a, b *scenarios.Scenario) bool {
	x, y := *a, *b
	y.Governor.Target, y.Governor.Max, y.Governor.Start = x.Governor.Target, x.Governor.Max, x.Governor.Start
	return reflect.DeepEqual(&x, &y)
}

// branch lets a world that has just been built go on from the state of an earlier run, if there
// is one up to which all governors would have decided as they did there.
func (b *branches) branch(w *World) error {
	c := w.course
	var from *course
	var at passage
	for _, v := range b.all {
		if v.replication != c.replication || !alike(v.of, c.of) {
			continue
		}
		same, err := agreed(v, c.of)
		if err != nil {
			return err
		}
		for _, p := range v.states {
			if p.events > at.events && within(p.asked, same) {
				from, at = v, p
			}
		}
	}
	if from == nil {
		return nil
	}
	return w.goOn(from, at)
}

func within(asked, most []int) bool {
	for i, n := range asked {
		if n > most[i] {
			return false
		}
	}
	return true
}

// agreed returns, by server, how many decisions of a run the governors of s would have made as
// well. It is -1 if they begin with another C.
func agreed(v *course, s *scenarios.Scenario) ([]int, error) {
	theirs, _, err := v.of.Governors(nil)
	if err != nil {
		return nil, err
	}
	own, _, err := s.Governors(nil)
	if err != nil {
		return nil, err
	}
	same := make([]int, len(own))
	for i, asked := range v.asked {
		if theirs[i].Available() != own[i].Available() {
			same[i] = -1
			continue
		}
		var now vt.Time
		for _, a := range asked {
			if decide(own[i], s, &now, a.sample).Available != a.available {
				break
			}
			same[i]++
		}
	}
	return same, nil
}

// decide asks a governor of s about the sample of an interval that began at now, which becomes the
// end of the interval.
func decide(g governor.Governor, s *scenarios.Scenario, now *vt.Time, sample governor.Sample) governor.Decision {
	*now = now.Add(sample.Span)
	sample.TargetRate = s.Governor.TargetAt(*now)
	return g.Decide(sample)
}

// goOn restores the state at of a run into w, whose governors repeat the decisions before it.
func (w *World) goOn(from *course, at passage) error {
	c := w.course
	theirs, _, err := from.of.Governors(nil)
	if err != nil {
		return err
	}
	decided := make([][]governor.Decision, len(w.servers))
	for i, g := range w.witnesses {
		var now vt.Time
		for _, a := range from.asked[i][:at.asked[i]] {
			decided[i] = append(decided[i], decide(g, c.of, &now, a.sample))
		}
		g.other = theirs[i].(governor.Keeper)
	}
	in := snap.Reader(unpack(at.data))
	w.state(in)
	if err := in.Err(); err != nil {
		panic(fmt.Sprintf("sim: a state of this process: %v", err))
	}
	c.kept, c.branched = at.events, true
	for i, v := range w.servers {
		v.machine.Retarget()
		began := vt.Time(0)
		for k := range v.rec.Intervals {
			row := &v.rec.Intervals[k]
			row.TargetRate = c.of.Governor.TargetAt(began)
			began = row.End
			if k < len(decided[i]) {
				row.Decision = decided[i][k]
				row.Sample.TargetRate = c.of.Governor.TargetAt(began)
			}
		}
	}
	return nil
}
