// Package verify compares the simulator with exact mathematics. Queues, renewal
// processes, retry chains and control loops with known answers run on the same
// engine, network model and event queue as every scenario. The results must
// agree with the formulas.
//
// This shows that the simulator computes its model correctly. It does not show
// that the numbers of a scenario are right for the Internet.
//
// Results depend only on revision and seed, not on the number of workers. The
// command line calls the package; nothing else needs it.
package verify

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"flyball/internal/conf"
	"flyball/internal/stats"
)

// Level is the confidence level of every interval. A correct simulator is outside
// of an interval with probability 1 in 10,000, so that with more than fifty
// intervals only one seed in some two hundred gives a false alarm. With the usual
// 95 %, two or three rows would always be outside.
const Level = 0.9999

// Options of one verification.
type Options struct {
	Seed     uint64
	Only     []string                 // names of models; none: all, but models with Full only if Full is set
	Full     bool                     // also the models that take minutes
	Workers  int                      // replications at a time; 1 or more
	Progress func(done, total uint64) // of replications; may be nil; called by one goroutine at a time

	// For tests; 0 stands for the published value.
	effort float64 // length of each replication
	runs   int     // most replications of a model
}

// Row is one quantity of one model.
type Row struct {
	Model    string `json:"model"`
	Quantity string `json:"quantity"`
	Exact    Number `json:"exact"` // by the formulas
	// Simulated is the mean of the replications; for Judge Always, the value of the
	// replication farthest from Exact.
	Simulated    Number `json:"simulated"`
	HalfWidth    Number `json:"half_width"` // of the interval or the margin around Simulated
	Replications int    `json:"replications"`
	Judge        Judge  `json:"judge"`  // interval, margin or always
	Inside       bool   `json:"inside"` // Exact lies within HalfWidth of Simulated
}

// Off returns the distance of Simulated from Exact in half widths: at most 1 if
// the row is inside.
func (r Row) Off() float64 {
	if r.Exact == r.Simulated {
		return 0
	}
	return math.Abs(float64(r.Simulated-r.Exact)) / float64(r.HalfWidth)
}

// Judge is the criterion for a row.
type Judge string

const (
	Interval Judge = "interval" // Student's interval of the mean at Level contains the exact value
	Margin   Judge = "margin"   // the mean lies within a margin that was set in advance
	Always   Judge = "always"   // every replication lies within the margin: an identity, up to rounding
)

// Number is a float64 that JSON can hold: null if it is not finite.
type Number float64

// MarshalJSON returns the number with all its digits, or null.
func (n Number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return fmt.Appendf(nil, "%v", float64(n)), nil
}

// Model describes a model that can be verified.
type Model struct {
	Name  string `json:"name"`
	About string `json:"about"`
	Rows  int    `json:"rows"` // number of its quantities
	Full  bool   `json:"full"` // takes minutes: it runs only with Options.Full, or by name
}

// Models lists all models in the order of their rows.
func Models() []Model {
	var all []Model
	for _, m := range models() {
		all = append(all, Model{m.name, m.about, len(m.quantities), m.full})
	}
	return all
}

func models() []model {
	return []model{
		mm1(), mmc(), erlangB(), mginf(), md1(), mg1(), mg1PS(), jackson(), repair(), little(), ties(), world(),
		renewal(), resends(), retry(), deadShare(), reuse(),
		law(), lag(), tableOne(), contraction(), runaway(),
		coverQueue(), coverGovernor(),
	}
}

// model is a simulation with a known answer.
type model struct {
	name, about string
	full        bool
	runs        int // independent replications
	quantities  []quantity
	once        func(r run) []float64 // one replication: a value for each quantity
}

// replications is the default number of replications of a model.
const replications = 40

// quantity is one result of a replication and its exact value.
type quantity struct {
	name   string
	exact  float64
	judge  Judge
	margin float64
}

// estimate returns a quantity whose expected value is exact.
func estimate(name string, exact float64) quantity {
	return quantity{name: name, exact: exact, judge: Interval}
}

// around returns a quantity whose expected value is exact up to a margin.
func around(name string, exact, margin float64) quantity {
	return quantity{name, exact, Margin, margin}
}

// always returns a quantity that is exact in every replication, up to a margin.
func always(name string, exact, margin float64) quantity {
	return quantity{name, exact, Always, margin}
}

// run is one replication of a model.
type run struct {
	seed, replication uint64 // as in sim.New; no two models share a replication
	effort            float64
}

// many returns n customers or recipients, scaled down in tests.
func (r run) many(n int) int { return max(1, int(r.effort*float64(n))) }

// Run runs the chosen models and returns their rows. An unknown name in Only is an
// error.
func Run(o Options) ([]Row, error) {
	chosen, err := choose(models(), o)
	if err != nil {
		return nil, err
	}
	if o.effort == 0 {
		o.effort = 1
	}
	for i := range chosen {
		if o.runs > 0 {
			chosen[i].runs = min(chosen[i].runs, o.runs)
		}
	}
	values := replicate(chosen, o)
	var rows []Row
	for i, m := range chosen {
		for k, q := range m.quantities {
			column := make([]float64, m.runs)
			for n := range column {
				column[n] = values[i][n][k]
			}
			rows = append(rows, q.judged(m.name, column))
		}
	}
	return rows, nil
}

func choose(all []model, o Options) ([]model, error) {
	if len(o.Only) == 0 {
		return slices.DeleteFunc(all, func(m model) bool { return m.full && !o.Full }), nil
	}
	var names []string
	for _, m := range all {
		names = append(names, m.name)
	}
	for _, name := range o.Only {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("got model %q, want one of %s%s", name, strings.Join(names, ", "),
				conf.DidYouMean(name, names))
		}
	}
	return slices.DeleteFunc(all, func(m model) bool { return !slices.Contains(o.Only, m.name) }), nil
}

// replicate runs all replications of the models, o.Workers at a time. It passes a
// panic of a replication on to the caller.
func replicate(chosen []model, o Options) [][][]float64 {
	type job struct{ model, replication int }
	var jobs []job
	values := make([][][]float64, len(chosen))
	for i, m := range chosen {
		values[i] = make([][]float64, m.runs)
		for n := range m.runs {
			jobs = append(jobs, job{i, n})
		}
	}
	var next atomic.Int64
	var mu sync.Mutex // guards done, broken and the calls of Progress
	var done uint64
	var broken any
	work := func(j job) {
		m := chosen[j.model]
		defer func() {
			v := recover()
			mu.Lock()
			defer mu.Unlock()
			if v != nil && broken == nil {
				broken = fmt.Sprintf("%s, replication %d: %v", m.name, j.replication, v)
				next.Store(int64(len(jobs)))
			}
			done++
			if o.Progress != nil {
				o.Progress(done, uint64(len(jobs)))
			}
		}()
		values[j.model][j.replication] = m.once(run{o.Seed, stream(m.name, j.replication), o.effort})
	}
	var workers sync.WaitGroup
	for range max(1, o.Workers) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(jobs)); i = next.Add(1) - 1 {
				work(jobs[i])
			}
		})
	}
	workers.Wait()
	if broken != nil {
		panic(broken)
	}
	return values
}

// stream returns a number for a replication of a model. Its draws are then its
// own, and stay the same when models are added or moved.
func stream(model string, replication int) uint64 {
	h := fnv.New32a()
	h.Write([]byte(model))
	return uint64(h.Sum32())<<32 | uint64(replication)
}

// judged returns the row of a quantity by its values. If a value is not a finite
// number, the row is outside.
func (q quantity) judged(model string, values []float64) Row {
	row := Row{Model: model, Quantity: q.name, Exact: Number(q.exact), Replications: len(values), Judge: q.judge,
		Simulated: Number(math.NaN()), HalfWidth: Number(q.margin)}
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return row
		}
	}
	mean := stats.Mean(values, Level)
	row.Simulated = Number(mean.Value)
	switch q.judge {
	case Interval:
		row.HalfWidth = Number(mean.Half())
	case Always:
		row.Simulated = Number(slices.MaxFunc(values, func(a, b float64) int {
			return cmp.Compare(math.Abs(a-q.exact), math.Abs(b-q.exact))
		}))
	}
	row.Inside = math.Abs(float64(row.Simulated-row.Exact)) <= float64(row.HalfWidth)
	return row
}
