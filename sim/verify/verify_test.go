package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"flyball/internal/longtest"
	"flyball/scenarios"
)

// A short version of the published table: every row is inside.
func TestAllInside(t *testing.T) {
	rows, err := Run(Options{Seed: 1, Workers: 2, effort: 0.1, runs: 10})
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) < 30 {
		t.Errorf("only %d rows", len(rows))
	}
	for _, r := range rows {
		if !r.Inside {
			t.Errorf("%s: %s is %g +- %g, want %g", r.Model, r.Quantity, r.Simulated, r.HalfWidth, r.Exact)
		}
	}
}

// The result does not depend on the number of workers, and no model has the
// luck of another.
func TestSameForAnyWorkers(t *testing.T) {
	o := Options{Seed: 7, Only: []string{"mm1", "retry", "lag"}, effort: 0.01, runs: 8}
	var first []Row
	for _, workers := range []int{1, 2, 5} {
		o.Workers = workers
		rows, err := Run(o)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = rows
		}
		if !slices.Equal(rows, first) {
			t.Errorf("%d workers: other rows", workers)
		}
	}
	o.Seed++
	if other, _ := Run(o); slices.Equal(other, first) {
		t.Error("another seed gives the same rows")
	}
	seen := map[uint64]string{}
	for _, m := range models() {
		for i := range m.runs {
			n := stream(m.name, i)
			if seen[n] != "" {
				t.Fatalf("%s and %s share a replication", m.name, seen[n])
			}
			seen[n] = m.name
		}
	}
}

func TestModels(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range models() {
		if seen[m.name] || len(m.name) > 12 || m.about == "" || m.runs < 1 {
			t.Errorf("%+v", m)
		}
		seen[m.name] = true
		if m.runs != replications && slices.ContainsFunc(m.quantities,
			func(q quantity) bool { return q.judge == Interval }) {
			t.Errorf("%s: %d replications, the table says %d for all", m.name, m.runs, replications)
		}
		quantities := map[string]bool{}
		for _, q := range m.quantities {
			if quantities[q.name] || len(q.name) > 40 || math.IsNaN(q.exact) || math.IsInf(q.exact, 0) {
				t.Errorf("%s: %+v", m.name, q)
			}
			quantities[q.name] = true
		}
	}
	all, err := Run(Options{Only: []string{"mm2"}})
	if all != nil || err == nil || !strings.Contains(err.Error(), `(did you mean "mm1"?)`) {
		t.Errorf("an unknown model: %v", err)
	}
}

// What the models run are scenarios that anyone could have written.
func TestScenariosAreValid(t *testing.T) {
	r := run{seed: 1}
	for _, s := range []*scenarios.Scenario{plain(r), dialogue(r), governed(r, bent, 40, 100, exponential)} {
		if err := errors.Join(s.Validate()...); err != nil {
			t.Error(err)
		}
	}
}

// A broken replication breaks the caller, and says where.
func TestPanicsArePassedOn(t *testing.T) {
	defer func() {
		if v := fmt.Sprint(recover()); v != "odd, replication 3: no" {
			t.Errorf("panic %q", v)
		}
	}()
	m := model{name: "odd", runs: 9, once: func(r run) []float64 {
		if uint32(r.replication) == 3 {
			panic("no")
		}
		return nil
	}}
	replicate([]model{m}, Options{Workers: 1})
}

func TestJudges(t *testing.T) {
	for _, v := range []struct {
		q      quantity
		values []float64
		inside bool
		shown  float64
	}{
		{estimate("", 2.5), []float64{1, 2, 3, 4}, true, 2.5},
		{estimate("", 25), []float64{1, 2, 3, 4}, false, 2.5},
		{estimate("", 1), []float64{1, 1, 1}, true, 1},
		{estimate("", 1), []float64{1, 1, math.NaN()}, false, math.NaN()},
		{around("", 2, 0.5), []float64{1, 2, 4.5}, true, 2.5},
		{around("", 2, 0.49), []float64{1, 2, 4.5}, false, 2.5},
		{always("", 2, 0.5), []float64{1.6, 2, 2.5}, true, 2.5},
		{always("", 2, 0.5), []float64{1.4, 2, 2.5}, false, 1.4},
		{always("", 2, 0), []float64{2, 2}, true, 2},
		{always("", 2, 0.5), []float64{2, math.Inf(1)}, false, math.NaN()},
	} {
		r := v.q.judged("m", v.values)
		if r.Inside != v.inside || !(float64(r.Simulated) == v.shown || math.IsNaN(float64(r.Simulated)) &&
			math.IsNaN(v.shown)) {
			t.Errorf("%+v of %v: %+v", v.q, v.values, r)
		}
	}
	// Two values: t(1, 0.99995) = tan(pi (0.99995 - 1/2)), and s / sqrt(2) = 1/2.
	half := float64(estimate("", 0).judged("m", []float64{1, 2}).HalfWidth)
	if want := math.Tan(math.Pi*0.49995) / 2; math.Abs(half/want-1) > 1e-6 {
		t.Errorf("half width %g of two values, want %g", half, want)
	}
}

// The coverage models, with few trials: a good interval is neither too narrow
// nor too wide. Before a change lands each has 20 trials, else 6.
func TestCoverage(t *testing.T) {
	for _, m := range []model{coverQueue(), coverGovernor()} {
		n, trials, least := 0.0, longtest.Or(6, 20), longtest.Or(4.0, 15.0) // 19 of 20 expected, sd 1
		for i := range trials {
			n += m.once(run{1, stream(m.name, i), 0.02})[0]
		}
		if n < least {
			t.Errorf("%s: %g of %d intervals contain the exact value, want %g or more", m.name, n, trials, least)
		}
	}
}

var rowsToShow = []Row{
	{"mm1", "time in system W, s", 10.0 / 3, 3.31, 0.04, 40, Interval, true},
	{"mm1", "wait Wq, s", 7.0 / 3, 2.5, 0.04, 40, Interval, false},
	{"mm1", "P(0 there)", 0.3, Number(math.NaN()), 0, 40, Interval, false},
	{"law", "greatest step, d = 3", 3, 3, 1e-9, 1, Always, true},
}

func TestText(t *testing.T) {
	var b strings.Builder
	if err := Text(&b, 5, rowsToShow, false); err != nil {
		t.Fatal(err)
	}
	const want = `Means of 40 independent replications, with Student's interval at 99.99 %; off is the distance in
half widths. A correct simulator leaves such an interval once in 10000 rows: with these 3, one
seed in about 3333 gives a false alarm.

model  quantity               exact  simulated    +-   off  verdict
--------------------------------------------------------------------
mm1    time in system W, s  3.33333       3.31  0.04  0.58   inside
       wait Wq, s           2.33333        2.5  0.04  4.17  OUTSIDE
       P(0 there)               0.3       none     0   NaN  OUTSIDE

What must hold up to rounding, or in the mean up to a margin that was set in advance.

model  quantity              exact  simulated     +-  runs  verdict
--------------------------------------------------------------------
law    greatest step, d = 3      3          3  1e-09     1   inside

2 of 4 rows outside, seed 5
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s", got)
	}
	b.Reset()
	if err := Text(&b, 5, rowsToShow, true); err != nil || strings.Count(b.String(),
		"\x1b[1;31mOUTSIDE\x1b[0m\n") != 2 {
		t.Errorf("in colour: %v\n%q", err, b.String())
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := JSON(&b, 5, rowsToShow); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Schema  string
		Seed    uint64
		Outside int
		Rows    []map[string]any
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Schema != "flyball/verify" || got.Seed != 5 || got.Outside != 2 || len(got.Rows) != 4 ||
		got.Rows[2]["simulated"] != nil || got.Rows[3]["half_width"] != 1e-9 || got.Rows[1]["judge"] != "interval" {
		t.Errorf("%s", b.String())
	}
}
