package governing

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"flyball/engine"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// steady is a governor whose C never changes.
type steady float64

func (g steady) Available() float64 { return float64(g) }
func (g steady) Decide(s governor.Sample) governor.Decision {
	return governor.Decision{Previous: float64(g), Available: float64(g)}
}

type quiet struct{}

func (quiet) Ended(vt.Time, *mail.Attempt, *mail.Reply, mail.Status) {}
func (quiet) Interval(vt.Time, mail.Server, engine.Interval)         {}

func noTarget(vt.Time) float64 { return 0 }

func newCluster(servers int, c float64) *Cluster {
	return New(Config{Servers: servers, Interval: vt.Hour, Governor: steady(c), Target: noTarget, Observer: quiet{}})
}

// report passes the reports of all servers to the cluster when they end, and
// returns the verdicts.
func report(k *Cluster, number uint64, reports ...engine.Report) (verdicts []engine.Message) {
	var out engine.Outbox
	for i, r := range reports {
		k.Receive(r.Ended, engine.Message{From: engine.Address{Role: engine.Delivery, Server: mail.Server(i)},
			Number: number, Body: r}, &out)
	}
	return out.Send
}

// Parts computed by hand: one process each, then up to the demand by weight, then
// the remainder.
func TestDivision(t *testing.T) {
	unknown := math.NaN()
	const many = 1 << 30
	for _, c := range []struct {
		c       float64
		weights []float64
		needs   []int
		want    []int
	}{
		{10, []float64{unknown, unknown}, []int{many, many}, []int{5, 5}},
		{11.9, []float64{unknown, unknown}, []int{many, many}, []int{6, 5}}, // of equal remainders, the first
		{10, []float64{2, 1}, []int{many, many}, []int{6, 4}},               // 1 + 5.33, 1 + 2.67
		// the unknown weight counts as 3: 1 + 3.11, 2.33, 1.56
		{10, []float64{4, unknown, 2}, []int{many, many, many}, []int{4, 3, 3}},
		// the second gets what the first does not need
		{20, []float64{1, 1}, []int{3, many}, []int{3, 17}},
		// 15 are beyond any demand: 11.25, 3.75
		{20, []float64{3, 1}, []int{2, 3}, []int{13, 7}},
		{20, []float64{100, 100, 1}, []int{5, 1, many}, []int{5, 1, 14}},   // filled one after the other
		{1.5, []float64{1, 1, 5}, []int{many, many, many}, []int{1, 1, 1}}, // at least one each
		{9, []float64{0, 0, 0}, []int{many, many, many}, []int{3, 3, 3}},   // all weights are 0
		{9, []float64{0, 1, 0}, []int{many, 2, many}, []int{4, 2, 3}},      // the others share what is left
		{math.MaxInt32, []float64{1, 3}, []int{0, 0}, []int{536870912, 1610612735}},
	} {
		n := len(c.weights)
		k := newCluster(n, c.c)
		for i, w := range c.weights {
			if !math.IsNaN(w) {
				k.weights[i] = weight{w, true}
			}
		}
		if k.divide(c.needs); !slices.Equal(k.parts, c.want) {
			t.Errorf("C = %v, weights %v, needs %v: got %v, want %v", c.c, c.weights, c.needs, k.parts, c.want)
		}
	}
}

// For any weights, the parts add up to C, every server has a process, no server has
// more than it needs while another has less, and the servers with less have parts
// in proportion to their weights.
func TestDivisionIsFair(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 5000 {
		n := 1 + r.IntN(6)
		c := math.Exp(8 * r.Float64())
		k := newCluster(n, c)
		needs := make([]int, n)
		for i := range n {
			k.weights[i] = weight{math.Exp(4*r.Float64()) * float64(r.IntN(5)), true}
			needs[i] = r.IntN(1 + int(2*c/float64(n)))
		}
		k.divide(needs)
		sum, short, over := 0, -1, -1
		for i, p := range k.parts {
			if sum += p; p < 1 {
				t.Fatalf("server %d has %d processes", i, p)
			}
			if p < needs[i] {
				short = i
			}
			if p > max(needs[i], 1) {
				over = i
			}
		}
		if want := max(n, int(c)); sum != want || short >= 0 && over >= 0 {
			t.Fatalf("C = %v, weights %v, needs %v: got %v", c, k.weights, needs, k.parts)
		}
		for i := range n {
			for j := range n {
				if short < 0 || k.parts[i] >= needs[i] || k.parts[j] >= needs[j] || k.weights[i].efficiency == 0 ||
					k.weights[j].efficiency == 0 {
					continue
				}
				x, y := float64(k.parts[i]-1)/k.weights[i].efficiency, float64(k.parts[j]-1)/k.weights[j].efficiency
				if x-y > 1/k.weights[i].efficiency+1/k.weights[j].efficiency {
					t.Fatalf("C = %v, weights %v, needs %v: got %v", c, k.weights, needs, k.parts)
				}
			}
		}
	}
}

// Two servers that slow down by the square of their processes, as by the universal
// scalability law far beyond its peak, settle where parts and efficiencies agree:
// c1 / c2 = (a1 / a2)^(1/3).
func TestDivisionComesToRest(t *testing.T) {
	k := newCluster(2, 10000)
	for interval := range 60 {
		var reports []engine.Report
		for i, a := range []float64{8e9, 1e9} {
			c := float64(k.parts[i])
			reports = append(reports, engine.Report{Sample: governor.Sample{Span: vt.Hour, Delivered: uint64(a / c),
				Allocated: c, Demand: 1e6}, Wanted: 1e6,
				Ended: vt.Time(interval+1) * vt.Time(vt.Hour)})
		}
		report(k, uint64(interval), reports...)
	}
	if got := k.parts; math.Abs(float64(got[0])-6667) > 3 || got[0]+got[1] != 10000 {
		t.Errorf("got %v, want 6667 and 3333", got)
	}
}

// The sample of all servers has sums, means over all attempts and the greatest
// load, and includes a server that delivers nothing.
func TestTogether(t *testing.T) {
	var told engine.Interval
	k := New(Config{Servers: 2, Interval: vt.Hour, Governor: steady(7.5),
		Target: func(now vt.Time) float64 { return 100 + float64(now/vt.Time(vt.Hour)) },
		Observer: tell(func(now vt.Time, s mail.Server, i engine.Interval) {
			if s != 2 || now != vt.Time(5*vt.Hour) {
				t.Errorf("told of server %d at %s", s, now)
			}
			told = i
		})})
	a := engine.Report{Sample: governor.Sample{Span: vt.Hour, Delivered: 10, Attempts: 30, Allocated: 2, Demand: 5,
		Load: 0.25}, RetryLimit: 7, Freed: 1, Ended: vt.Time(5 * vt.Hour),
		Conditions: engine.Conditions{Retries: 3, Took: 60 * vt.Second, Lookup: 10 * vt.Second, Lookups: 10, Hops: 40,
			Known: 4}}
	b := engine.Report{Sample: governor.Sample{Span: vt.Hour, Attempts: 10, Allocated: 1.5, Demand: 1, Load: 0.75},
		RetryLimit: 5, Draining: true, Ended: vt.Time(5 * vt.Hour),
		Conditions: engine.Conditions{Retries: 4, Took: 20 * vt.Second, Lookup: 8 * vt.Second, Lookups: 2, Hops: 8,
			Known: 2}}
	verdicts := report(k, 4, a, b)
	want := governor.Sample{Span: vt.Hour, TargetRate: 105, Delivered: 10, Attempts: 40, Allocated: 3.5, Demand: 6,
		Load: 0.75, Retries: 7,
		AttemptTime: 2 * vt.Second, LookupTime: 1500 * vt.Millisecond, Hops: 8}
	if told.Sample != want || told.Number != 4 || told.RetryLimit != 5 || told.Freed != 1 || !told.Draining ||
		told.TargetRate != 100 {
		t.Errorf("got  %+v\nwant %+v", told, want)
	}
	// The second one has shown that it delivers nothing: all but its one process goes to the first.
	for i, want := range []engine.Verdict{{Attempts: 40, Delivered: 10, Available: 6},
		{Attempts: 40, Delivered: 10, Available: 1}} {
		if want := (engine.Message{From: engine.Address{Role: engine.Governing},
			To: engine.Address{Role: engine.Delivery, Server: mail.Server(i)}, Number: 4,
			Body: want}); verdicts[i] != want {
			t.Errorf("got %v, want %v", verdicts[i], want)
		}
	}
}

// The cluster handles reports that are lost, late, repeated or ahead of others.
func TestReportsGoAstray(t *testing.T) {
	var told []uint64 // deliveries of the intervals
	k := New(Config{Servers: 2, Interval: vt.Hour, Governor: steady(8), Target: noTarget,
		Observer: tell(func(_ vt.Time, _ mail.Server, i engine.Interval) {
			told = append(told, i.Sample.Delivered)
		})})
	minutes := func(n int) vt.Time { return vt.Time(n) * vt.Time(vt.Minute) }
	give := func(at int, server mail.Server, number, delivered uint64) (verdicts []engine.Message) {
		t.Helper()
		var out engine.Outbox
		r := engine.Report{Ended: minutes(60 * (int(number) + 1)),
			Sample: governor.Sample{Span: vt.Hour, Delivered: delivered, Attempts: 1000, Allocated: 4}}
		k.Receive(minutes(at), engine.Message{From: engine.Address{Role: engine.Delivery, Server: server},
			Number: number, Body: r}, &out)
		return out.Send
	}
	wake := func(at int) (verdicts []engine.Message) {
		t.Helper()
		if k.NextWake() != minutes(at) {
			t.Fatalf("next wake at %s, want %d minutes", k.NextWake(), at)
		}
		var out engine.Outbox
		k.Wake(minutes(at), nil, &out)
		return out.Send
	}
	expect := func(got []engine.Message, deliveries ...uint64) {
		t.Helper()
		var all []uint64
		for _, m := range got {
			all = append(all, m.Body.(engine.Verdict).Delivered)
		}
		if !slices.Equal(all, deliveries) {
			t.Fatalf("verdicts on %v deliveries, want %v", all, deliveries)
		}
	}
	expect(wake(60)) // at the end of an interval, without reports, there is nothing to decide
	expect(give(61, 0, 0, 10))
	expect(give(61, 0, 0, 10)) // again
	expect(give(62, 1, 0, 20), 30, 30)
	expect(give(63, 1, 0, 20), 30) // again: the verdict may have been lost
	expect(give(120, 0, 1, 1))
	expect(wake(126), 1, 1)          // without server 1
	expect(give(127, 1, 1, 2), 1)    // arrives too late to count
	expect(give(180, 0, 2, 3))       // server 1 is silent
	expect(give(300, 1, 4, 4), 3, 3) // until a report on a later interval closes interval 2
	expect(give(300, 0, 4, 5), 9, 9)
	expect(give(301, 0, 2, 3))
	if want := []uint64{30, 1, 3, 9}; !slices.Equal(told, want) {
		t.Errorf("intervals with %v deliveries, want %v", told, want)
	}
}

type tell func(vt.Time, mail.Server, engine.Interval)

func (tell) Ended(vt.Time, *mail.Attempt, *mail.Reply, mail.Status)   {}
func (f tell) Interval(now vt.Time, s mail.Server, i engine.Interval) { f(now, s, i) }
