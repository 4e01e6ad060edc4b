// Package speed times the simulator on this machine: the work of flyball bench. It is a task,
// under the contract of package task; package bench has what is timed.
package speed

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/conf"
	"flyball/internal/input"
	"flyball/internal/tabular"
	"flyball/reports/format"
	"flyball/scenarios"
	"flyball/sim"
	"flyball/sim/bench"
)

// Names of what can be timed: the event queue by the field's yardsticks, and whole delivery
// attempts of scenarios.
const (
	Hold     = "hold"
	HoldNS3  = "hold-ns3"
	PHOLD    = "phold"
	Replay   = "replay"
	Attempts = "attempts"
)

// Yardsticks returns the names of what can be timed.
func Yardsticks() []string { return []string{Hold, HoldNS3, PHOLD, Replay, Attempts} }

// Bench asks how fast the simulator is.
type Bench struct {
	What       string      // one of Yardsticks
	Population int         // pending events; of Attempts the scenario decides
	Events     int         // of a run; of Attempts the number of recipients at which lists are cut off
	Runs       int         // timed runs
	Seed       uint64      // of the event queue; a scenario has its own
	File       string      // of Replay
	From       task.Source // of Attempts, with each feature left out in turn; without Arg every built-in scenario
}

// DefaultBench returns a question without a yardstick.
func DefaultBench() Bench { return Bench{Population: 200, Events: 2_000_000, Runs: 5, Seed: 1} }

// Validate returns an error with everything in the question that makes no sense.
func (q *Bench) Validate() error {
	between := func(flag string, n, most int) error {
		if n < 1 || n > most {
			return task.Fail(task.Usage, "%s: got %d, want 1 to %d", flag, n, most)
		}
		return nil
	}
	var what error
	switch all := Yardsticks(); {
	case q.What == "":
		what = task.Fail(task.Usage, "bench: want one of %s", strings.Join(all, ", "))
	case !slices.Contains(all, q.What):
		what = task.Fail(task.Usage, "bench: got %q, want one of %s%s", q.What, strings.Join(all, ", "),
			conf.DidYouMean(q.What, all))
	}
	return errors.Join(what, between("--population", q.Population, 1<<24), between("--events", q.Events, 1e9),
		between("--runs", q.Runs, 1000))
}

// Spell is one timed run, and a line of what bench --json prints.
type Spell struct {
	Schema        string  `json:"schema"`
	SchemaVersion int     `json:"schema_version"`
	Engine        string  `json:"engine"`               // flyball; other programs print the same lines
	Bench         string  `json:"bench"`                // hold, hold-ns3, phold, replay or attempts
	Population    int     `json:"population,omitempty"` // pending events; of attempts the scenario decides
	Scenario      string  `json:"scenario,omitempty"`   // of attempts
	Without       string  `json:"without,omitempty"`    // feature of the scenario that is left out
	Events        uint64  `json:"events"`               // number of events, or of delivery attempts
	Seconds       float64 `json:"seconds"`              // without the set-up
	Rate          float64 `json:"rate"`                 // events / second
	Digest        string  `json:"hash"`                 // of the work: two runs with the same hash did the same
}

// Measured are the timed runs of each subject.
type Measured [][]Spell

// subject is something to be timed. Only the function run that prepare returns is
// timed.
type subject struct {
	Spell
	prepare func() (run func() uint64, digest func() uint64, err error)
}

// Do times all subjects in turn, Runs times, after one run of each that does not count.
// They take turns so that a slow spell of the machine affects all of them.
func (q *Bench) Do(watch task.Watch) (Measured, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	all, err := q.subjects()
	if err != nil {
		return nil, err
	}
	spells := make(Measured, len(all))
	for round := range q.Runs + 1 {
		for i, s := range all {
			watch.At("bench", uint64(round*len(all)+i), uint64((q.Runs+1)*len(all)))
			run, digest, err := s.prepare()
			if err != nil {
				return nil, err
			}
			began := time.Now()
			s.Events = run()
			s.Seconds = time.Since(began).Seconds()
			s.Schema, s.SchemaVersion, s.Engine = "flyball/bench", format.SchemaVersion, "flyball"
			s.Bench, s.Rate = q.What, math.Round(float64(s.Events)/s.Seconds)
			s.Digest = fmt.Sprintf("%016x", digest())
			if round > 0 {
				spells[i] = append(spells[i], s.Spell)
			}
			if first := spells[i]; len(first) > 0 && first[0].Digest != s.Digest {
				panic(fmt.Sprintf("two runs of %+v have digests %s and %s", s.Spell, first[0].Digest, s.Digest))
			}
		}
	}
	return spells, nil
}

// subjects returns what is timed.
func (q *Bench) subjects() (all []subject, err error) {
	switch {
	case q.What != Attempts:
		return []subject{q.queue()}, nil
	case q.From.Arg != "":
		s, _, err := q.From.Load()
		if err != nil {
			return nil, err
		}
		s = bench.Shortened(s, q.Events)
		all = []subject{deliveries(s, "")}
		for _, f := range bench.Features(s) {
			all = append(all, deliveries(f.Without(s), f.Name))
		}
		return all, nil
	}
	for _, name := range scenarios.Names() {
		s, _, err := (&task.Source{Arg: name}).Load()
		if err != nil {
			return nil, err
		}
		all = append(all, deliveries(bench.Shortened(s, q.Events), ""))
	}
	return all, nil
}

// queue returns a yardstick of the event queue as a subject.
func (q *Bench) queue() subject {
	return subject{Spell{Population: q.Population}, func() (func() uint64, func() uint64, error) {
		y, err := q.yardstick()
		if err != nil {
			return nil, nil, err
		}
		return func() uint64 { y.Run(q.Events); return uint64(q.Events) }, y.Digest, nil
	}}
}

func (q *Bench) yardstick() (bench.Yardstick, error) {
	switch q.What {
	case Hold:
		return bench.NewHold(q.Population, q.Seed), nil
	case HoldNS3:
		return bench.NewHoldNS3(q.Population, q.Seed), nil
	case PHOLD:
		return bench.NewPHOLD(q.Population, q.Seed), nil
	}
	f, err := task.Open("--file", q.File, input.Events)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := bench.NewReplay(f, q.Population, q.Events)
	if err != nil {
		return nil, task.Fail(task.Invalid, "--file %s: %w", q.File, err)
	}
	return r, nil
}

// deliveries returns the run of a scenario as a subject.
func deliveries(s *scenarios.Scenario, without string) subject {
	return subject{Spell{Scenario: s.Name, Without: without}, func() (func() uint64, func() uint64, error) {
		w, err := sim.New(s, 0, nil, nil)
		if err != nil {
			return nil, nil, task.Error{Kind: task.Invalid, Err: err}
		}
		run := func() uint64 { w.Run(nil); return w.Record().Attempts() }
		return run, func() uint64 { return w.Record().Digest() }, nil
	}}
}

// JSON writes a line for each timed run.
func (m Measured) JSON(w io.Writer) error {
	out := json.NewEncoder(w)
	for _, s := range slices.Concat(m...) {
		if err := out.Encode(s); err != nil {
			return err
		}
	}
	return nil
}

// Text writes a line for each subject. A subject without a feature also has the
// nanoseconds per attempt that it saves.
func (m Measured) Text(w io.Writer) error {
	millions := func(rate float64) string { return fmt.Sprintf("%.2f", rate/1e6) }
	var rows [][]string
	var whole float64 // ns of the scenario with all its features
	unit := "events"
	for _, of := range m {
		of = slices.SortedFunc(slices.Values(of), func(x, y Spell) int { return cmp.Compare(x.Rate, y.Rate) })
		s := of[len(of)/2]
		if s.Bench == Attempts {
			unit = Attempts
		}
		each, less := 1e9/s.Rate, ""
		if s.Without == "" {
			whole = each
		} else {
			less = fmt.Sprintf("%.1f", whole-each)
		}
		rows = append(rows, []string{s.name(), fmt.Sprint(s.Events), millions(s.Rate), millions(of[0].Rate),
			millions(of[len(of)-1].Rate), fmt.Sprintf("%.1f", each), less, s.Digest})
	}
	head := []string{"", unit, "million/s", "least", "greatest", "ns each", "less", "digest"}
	return tabular.Write(w, head, rows, func(column int) bool { return column == 0 })
}

// name returns what was timed.
func (s Spell) name() string {
	switch {
	case s.Bench != Attempts:
		return fmt.Sprintf("%s, population %d", s.Bench, s.Population)
	case s.Without == "":
		return s.Scenario
	}
	return "without " + s.Without
}
