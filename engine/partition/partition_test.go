package partition

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize/convex/lp"

	"flyball/internal/longtest"
	"flyball/internal/rng"
)

// random returns a problem with drawn times and recipients. The seed names it.
func random(seed uint64, sites, servers int, imbalance float64, quotas bool) *Problem {
	key := rng.New(seed, 0)
	n := uint64(0)
	draw := func(of int) int64 {
		n++
		return int64(key.At(n, 0, 9)[0] % uint32(of))
	}
	p := &Problem{Imbalance: imbalance}
	for i := range servers {
		p.Servers = append(p.Servers, Server{Name: fmt.Sprint("b", i), Resources: float64(1 + draw(4)), Processes: 10})
	}
	for i := range sites {
		p.Sites = append(p.Sites, Site{Name: fmt.Sprint("d", i), Recipients: 1 + draw(1000)})
		for range servers {
			p.Cost = append(p.Cost, 5+draw(200))
		}
	}
	if quotas {
		for i := range p.Cost {
			p.Quota = append(p.Quota, p.Sites[i/servers].Recipients/2+draw(1000))
		}
		for i, fair := range p.Fair() {
			p.Servers[i].Quota = int64(fair * (1 + float64(draw(100))/100))
		}
	}
	return p
}

// simplex returns the least total time by gonum's simplex method: a variable for each site and server, one for
// the room that is left on each server, and one for what is left of each quota.
func simplex(t *testing.T, p *Problem) (least float64, feasible bool) {
	t.Helper()
	n, m := len(p.Sites), len(p.Servers)
	cells, rows := n*m, n+m
	if p.Quota != nil {
		rows += n * m
	}
	columns := cells + m + rows - n - m
	a, b, c := mat.NewDense(rows, columns, nil), make([]float64, rows), make([]float64, columns)
	for d, s := range p.Sites {
		b[d] = float64(s.Recipients)
		for i := range m {
			at := p.At(d, i)
			c[at] = float64(p.Cost[at])
			a.Set(d, at, 1)
			a.Set(n+i, at, 1)
			if p.Quota != nil {
				a.Set(n+m+at, at, 1)
				a.Set(n+m+at, cells+m+at, 1)
				b[n+m+at] = float64(p.Quota[at])
			}
		}
	}
	for i, room := range p.Rooms() {
		b[n+i] = float64(room)
		a.Set(n+i, cells+i, 1)
	}
	least, _, err := lp.Simplex(c, a, b, 1e-10, nil)
	if err != nil && err != lp.ErrInfeasible {
		t.Fatal(err)
	}
	return least, err == nil
}

// The optimum equals what the simplex method finds, its bound is the optimum itself, and prices with repair never
// bound more than the truth.
func TestOptimalIsTheBest(t *testing.T) {
	trials := longtest.Or(150, 1000)
	var worst, sum float64
	met := 0
	for seed := range trials {
		p := random(uint64(seed), 2+seed%9, 2+seed%4, 1+float64(seed%5)/40, seed%3 == 0)
		want, feasible := simplex(t, p)
		plan, ok := Optimal(p)
		if ok != feasible {
			t.Fatalf("seed %d: solved %v, want %v", seed, ok, feasible)
		}
		if !ok {
			continue
		}
		met++
		if math.Abs(float64(plan.Cost)-want) > 1e-6*want || plan.Bound != plan.Cost {
			t.Fatalf("seed %d: cost %d, bound %d, want %g", seed, plan.Cost, plan.Bound, want)
		}
		if errs := plan.Verify(p); errs != nil {
			t.Fatalf("seed %d: %v", seed, errs)
		}
		rough, ok := solve(p, false)
		if !ok || rough.Verify(p) != nil {
			t.Fatalf("seed %d: prices with repair: %v %v", seed, ok, rough.Verify(p))
		}
		if rough.Bound > plan.Cost || rough.Cost < plan.Cost {
			t.Fatalf("seed %d: prices with repair cost %d, bound %d; the optimum is %d", seed, rough.Cost, rough.Bound,
				plan.Cost)
		}
		gap := float64(rough.Cost-plan.Cost) / float64(plan.Cost)
		if rough.Gap() < gap-1e-12 {
			t.Fatalf("seed %d: printed gap %g, true gap %g", seed, rough.Gap(), gap)
		}
		worst, sum = max(worst, gap), sum+gap
	}
	if met < trials/2 {
		t.Errorf("%d of %d problems have a solution, want half", met, trials)
	}
	t.Logf("%d problems: true gap of prices with repair %.2f %% on average, at most %.2f %%", met,
		100*sum/float64(met), 100*worst)
}

// A server without resources changes no plan, also where several plans take the same time: times are drawn of three.
func TestServerWithoutRoomChangesNoPlan(t *testing.T) {
	for seed := range uint64(300) {
		p := random(seed, 5, 3, 1.2, false)
		for i := range p.Cost {
			p.Cost[i] = 100 + 10*(p.Cost[i]%3)
		}
		more := *p
		more.Servers = append(slices.Clone(p.Servers), Server{Name: "idle", Processes: 10})
		more.Cost = nil
		for d := range p.Sites {
			more.Cost = append(more.Cost, p.Cost[p.At(d, 0):p.At(d+1, 0)]...)
			more.Cost = append(more.Cost, 5) // and it would be the fastest
		}
		a, okA := Optimal(p)
		b, okB := Optimal(&more)
		if x, y := FinishBound(p), FinishBound(&more); x != y {
			t.Fatalf("seed %d: done after %g ms, and with the idle server after %g ms", seed, x, y)
		}
		if !okA || !okB || a.Cost != b.Cost {
			t.Fatalf("seed %d: %d ms, %v, and with the idle server %d ms, %v", seed, a.Cost, okA, b.Cost, okB)
		}
		for d := range p.Sites {
			x, y := a.Counts[p.At(d, 0):p.At(d+1, 0)], b.Counts[more.At(d, 0):more.At(d+1, 0)]
			if !slices.Equal(x, y[:3]) || y[3] != 0 {
				t.Fatalf("seed %d: site %d: %v, and with the idle server %v", seed, d, x, y)
			}
		}
	}
}

// Whatever is changed in a plan, Verify or the digest differs.
func TestVerifyFindsEveryChange(t *testing.T) {
	for seed := range uint64(10) {
		p := random(seed, 8, 4, 1.05, seed%2 == 0)
		plan, ok := Optimal(p)
		if !ok {
			continue
		}
		digest := plan.Digest()
		found := 0
		for i := range len(plan.Counts) + len(plan.Prices) + 2 {
			for _, by := range []int64{1, -1, 50} {
				c := plan
				c.Counts, c.Prices = slices.Clone(plan.Counts), slices.Clone(plan.Prices)
				switch j := i - len(c.Counts); {
				case j < 0:
					c.Counts[i] += by
				case j < len(c.Prices):
					c.Prices[j] += by
				case j == len(c.Prices):
					c.Cost += by
				default:
					c.Bound += by
				}
				wrong := c.Verify(p) != nil
				if wrong {
					found++
				}
				if i < len(c.Counts) && !wrong {
					t.Errorf("seed %d: count %d changed by %d is not found", seed, i, by)
				}
				if c.Digest() == digest {
					t.Errorf("seed %d: change %d by %d has the same digest", seed, i, by)
				}
			}
		}
		// A move of a recipient that keeps all sums changes the cost.
		for d := range p.Sites {
			for i := range p.Servers[1:] {
				a, b := p.At(d, i), p.At(d, i+1)
				if plan.Counts[a] == 0 || p.Cost[a] == p.Cost[b] {
					continue
				}
				c := plan
				c.Counts = slices.Clone(plan.Counts)
				c.Counts[a]--
				c.Counts[b]++
				if c.Verify(p) == nil {
					t.Errorf("seed %d: a recipient of site %d moved from %d to %d is not found", seed, d, i, i+1)
				}
			}
		}
		if found == 0 {
			t.Errorf("seed %d: no change was found", seed)
		}
	}
}

func five(recipients ...int64) *Problem {
	p := &Problem{Imbalance: 1.05}
	for i, region := range []string{"east", "southeast", "midwest", "south-california", "north-california"} {
		p.Servers = append(p.Servers, Server{Name: fmt.Sprint("b", i+1), Region: region, Resources: 1, Processes: 100})
	}
	for i, n := range recipients {
		p.Sites = append(p.Sites, Site{Name: fmt.Sprint("d", i+1), Recipients: n})
		p.Cost = append(p.Cost, 100, 100, 100, 100, 100)
	}
	return p
}

// [0062]: 200,000 recipients over five servers of equal resources are 40,000 each, and of each site a fifth.
func TestEqualIsFortyThousandEach(t *testing.T) {
	p := five(123_457, 70_000, 6_543)
	plan := Equal(p)
	if got := plan.Loads(p); !slices.Equal(got, []int64{40_000, 40_000, 40_000, 40_000, 40_000}) {
		t.Errorf("loads %v", got)
	}
	for at, n := range plan.Counts {
		if fair := float64(p.Sites[at/5].Recipients) / 5; math.Abs(float64(n)-fair) > 1 {
			t.Errorf("server %d has %d of site %d, want %g", at%5, n, at/5, fair)
		}
	}
	p.Servers[0].Resources = 6 // 6 of 10 shares
	plan = Equal(p)
	if got := plan.Loads(p); !slices.Equal(got, []int64{120_000, 20_000, 20_000, 20_000, 20_000}) {
		t.Errorf("loads %v by resources of 6, 1, 1, 1, 1", got)
	}
}

// [0054]: recipients inside a network go to the server inside it; the others make up for it.
func TestNetworkKeepsItsRecipients(t *testing.T) {
	p := five(30_000, 170_000)
	p.Sites[0].Network, p.Servers[2].Network = "aol", "aol"
	plan := Network(p)
	if got := plan.Counts[:5]; !slices.Equal(got, []int64{0, 0, 30_000, 0, 0}) {
		t.Errorf("of the network %v", got)
	}
	if got := plan.Loads(p); !slices.Equal(got, []int64{40_000, 40_000, 40_000, 40_000, 40_000}) {
		t.Errorf("loads %v", got)
	}
	p.Sites[0].Recipients, p.Sites[1].Recipients = 90_000, 110_000 // more than its fair share
	plan = Network(p)
	if got := plan.Loads(p); !slices.Equal(got, []int64{27_500, 27_500, 90_000, 27_500, 27_500}) {
		t.Errorf("loads %v with a network of 90,000", got)
	}
}

// [0055]: each region has its servers; two in one region share it by resources.
func TestRegionKeepsItsRecipients(t *testing.T) {
	p := five(10_000, 20_000, 30_000)
	p.Sites[0].Region, p.Sites[1].Region = "east", "midwest"
	p.Servers[1].Region, p.Servers[1].Resources = "east", 3
	plan := Region(p)
	if got := plan.Counts[:10]; !slices.Equal(got, []int64{2500, 7500, 0, 0, 0, 0, 0, 20_000, 0, 0}) {
		t.Errorf("of the regions %v", got)
	}
	if errs := plan.Verify(p); errs != nil {
		t.Error(errs)
	}
}

// [0036]: recipients of the same content are together, so that a server has few contents.
func TestSegmentKeepsContentsTogether(t *testing.T) {
	p := five(40_000, 60_000, 40_000, 60_000)
	for i, s := range []string{"sports", "news", "sports", "weather"} {
		p.Sites[i].Segment = s
	}
	plan := Segment(p)
	want := []int64{40_000, 0, 0, 0, 0, 0, 0, 40_000, 20_000, 0, 0, 40_000, 0, 0, 0, 0, 0, 0, 20_000, 40_000}
	if !slices.Equal(plan.Counts, want) {
		t.Errorf("counts %v", plan.Counts)
	}
	if errs := plan.Verify(p); errs != nil {
		t.Error(errs)
	}
}

// Each recipient of the random plan is drawn: a server's part differs from its fair share by chance, as often as
// binomial numbers do, and no site or draw moves another.
func TestRandomIsBinomial(t *testing.T) {
	p := five(400, 5_000)
	p.Servers[0].Resources = 4
	var chi [2]float64
	const runs = 2000
	for seed := range uint64(runs) {
		plan := Random(p, rng.New(seed, 0))
		if errs := plan.Verify(p); errs != nil {
			t.Fatal(errs)
		}
		for d, s := range p.Sites {
			n := float64(s.Recipients)
			off := float64(plan.Counts[p.At(d, 0)]) - n/2
			chi[d] += off * off / (n / 4)
		}
	}
	for d, v := range chi { // mean runs, standard deviation sqrt(2 runs)
		if math.Abs(v-runs) > 4*math.Sqrt(2*runs) {
			t.Errorf("site %d: squared deviations add up to %.0f of their variance, want %d", d, v, runs)
		}
	}
}

func TestProblemsAreNamed(t *testing.T) {
	p := five(10, 20)
	p.Servers[1].Resources, p.Servers[2].Processes = -1, 0
	p.Sites[1].Recipients = -1
	p.Cost[3], p.Imbalance = MostCost+1, 0.9
	if errs := p.Validate(); len(errs) != 5 {
		t.Errorf("%v", errs)
	}
	p = five(10, 20)
	for i := range p.Servers {
		p.Servers[i].Quota = 5
	}
	errs := p.Validate()
	if len(errs) != 1 || errs[0].Error() != "quota: got room for 25 recipients on all servers, want at least 30" {
		t.Errorf("%v", errs)
	}
}

// 5,000 sites by 50 servers are exact.
func BenchmarkExact(b *testing.B) {
	p := random(3, 5000, 50, 1.05, false)
	for range b.N {
		if plan, ok := Optimal(p); !ok || plan.Cost != plan.Bound {
			b.Fatal(plan.Cost, plan.Bound)
		}
	}
}

func BenchmarkPrices(b *testing.B) {
	p := random(4, 50_000, 50, 1.05, false)
	var plan Plan
	for range b.N {
		plan, _ = Optimal(p)
	}
	b.ReportMetric(100*plan.Gap(), "%gap")
}

// No plan is done before the bound; with times that are alike everywhere the bound is the least possible time.
func TestNothingIsDoneBeforeTheBound(t *testing.T) {
	for seed := range uint64(30) {
		p := random(seed, 30, 4, 1.05, false)
		bound := FinishBound(p)
		best := math.Inf(1)
		plans := []Plan{Equal(p), Segment(p), Random(p, rng.New(seed, 1))}
		for _, imbalance := range []float64{1, 1.1, 1.3, 2, 10} {
			q := *p
			q.Imbalance = imbalance
			if plan, ok := Optimal(&q); ok {
				plans = append(plans, plan)
			}
		}
		for _, plan := range plans {
			last := slices.Max(plan.Finish(p))
			best = min(best, last)
			if last < bound {
				t.Errorf("seed %d: %s is done after %g, before the bound of %g", seed, plan.Strategy, last, bound)
			}
		}
		if bound < 0.3*best {
			t.Errorf("seed %d: the bound is %g, the best plan takes %g", seed, bound, best)
		}
	}
	p := five(10_000, 20_000)
	if got, want := FinishBound(p), 30_000*100.0/500; math.Abs(got-want) > 1e-6*want {
		t.Errorf("bound %g of five equal servers, want %g", got, want)
	}
}

// Quotas of a site that have no room for its recipients leave no plan.
func TestQuotasThatLeaveRecipientsOut(t *testing.T) {
	p := &Problem{Imbalance: 2, Servers: []Server{{Name: "x", Resources: 1, Processes: 1},
		{Name: "y", Resources: 1, Processes: 1}}, Sites: []Site{{Recipients: 10}, {Recipients: 5}},
		Cost: []int64{1, 2, 3, 4}, Quota: []int64{6, 3, 5, 5}}
	if plan, ok := Optimal(p); ok {
		t.Errorf("the plan %v has places for all", plan.Counts)
	}
	p.Quota[1] = 4
	if plan, ok := Optimal(p); !ok || plan.Counts[0] != 6 || plan.Counts[1] != 4 {
		t.Errorf("got %v, %v, want 6 and 4 of the first site", plan.Counts, ok)
	}
}
