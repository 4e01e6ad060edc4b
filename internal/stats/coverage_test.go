package stats

import (
	"bufio"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"flyball/internal/longtest"
)

// A spread of values that the runs of a scenario may have: shares of a list
// between 0 and 1, or counts beside most.
type spreadOfRuns struct {
	name string
	most float64
	draw func(r *rand.Rand) float64
	// The least part of intervals of 5, 10, 20 and 50 values that must hold the true
	// mean, of those that expect no rare events; 0 where no method that goes by what
	// was seen can.
	floor [4]float64
}

var sizes = [4]int{5, 10, 20, 50}

func outage(p float64, loss func(r *rand.Rand) float64) func(r *rand.Rand) float64 {
	return func(r *rand.Rand) float64 {
		if r.Float64() < p {
			return min(loss(r), 1)
		}
		return 0
	}
}

func exponential(mean float64) func(r *rand.Rand) float64 {
	return func(r *rand.Rand) float64 { return mean * r.ExpFloat64() }
}

// several is a Poisson number of outages, each of which costs 5 % in the mean.
func several(mean float64) func(r *rand.Rand) float64 {
	return func(r *rand.Rand) float64 {
		sum := 0.0
		for left := mean - r.ExpFloat64(); left > 0; left -= r.ExpFloat64() {
			sum += 0.05 * r.ExpFloat64()
		}
		return min(sum, 1)
	}
}

// above adds what a list always loses: 3 %, of 10,000 recipients.
func always(outage func(r *rand.Rand) float64) func(r *rand.Rand) float64 {
	return func(r *rand.Rand) float64 { return min(outage(r)+0.03+0.0017*r.NormFloat64(), 1) }
}

func fixed(loss float64) func(r *rand.Rand) float64 { return func(*rand.Rand) float64 { return loss } }

var spreads = []spreadOfRuns{
	{"1 run in 20 loses a fifth", 1, outage(0.05, fixed(0.2)), [4]float64{0.96, 0.96, 0.96, 0.96}},
	{"1 run in 10 loses a fifth", 1, outage(0.1, fixed(0.2)), [4]float64{0.96, 0.96, 0.96, 0.95}},
	{"1 run in 10 loses all", 1, outage(0.1, fixed(1)), [4]float64{0.96, 0.96, 0.96, 0.94}},
	{"3 in 10 lose up to 40 %", 1, outage(0.3, func(r *rand.Rand) float64 { return 0.4 * r.Float64() }),
		[4]float64{0.92, 0.94, 0.95, 0.95}},
	{"3 in 10, exponential, 10 %", 1, outage(0.3, exponential(0.1)), [4]float64{0.88, 0.91, 0.94, 0.95}},
	{"1 in 10, exponential, 10 %", 1, outage(0.1, exponential(0.1)), [4]float64{0.94, 0.92, 0.90, 0.92}},
	{"1 outage in the mean", 1, several(1), [4]float64{0.91, 0.95, 0.95, 0.95}},
	{"3 outages in the mean", 1, several(3), [4]float64{0.94, 0.94, 0.95, 0.95}},
	{"lognormal, sigma 1", 1, func(r *rand.Rand) float64 { return min(0.01*math.Exp(r.NormFloat64()), 1) },
		[4]float64{0.86, 0.90, 0.95, 0.95}},
	{"exponential", 1, func(r *rand.Rand) float64 { return min(0.02*r.ExpFloat64(), 1) },
		[4]float64{0.90, 0.92, 0.95, 0.95}},
	{"normal, 3 %", 1, always(fixed(0)), [4]float64{0.93, 0.94, 0.93, 0.93}},
	{"Poisson, 2 recipients", 10_000, func(r *rand.Rand) float64 { return distuv.Poisson{Lambda: 2, Src: r}.Rand() },
		[4]float64{0.90, 0.93, 0.94, 0.95}},
	{"Poisson, 0.2 recipients", 10_000, func(r *rand.Rand) float64 {
		return distuv.Poisson{Lambda: 0.2,
			Src: r}.Rand()
	}, [4]float64{0.96, 0.96, 0.96, 0.95}},
	{"3 % always, 3 in 10 as above", 1, always(outage(0.3, exponential(0.1))), [4]float64{0, 0, 0.93, 0.95}},
	{"3 % always, 1 in 10 a fifth", 1, always(outage(0.1, fixed(0.2))), [4]float64{0, 0, 0, 0.94}},
}

// simulated adds what the simulator made of 2,000 replications, as the comment
// in the file says. Samples are drawn from them, their
// true mean is the mean of all.
func simulated(t *testing.T) (all []spreadOfRuns) {
	file, err := os.Open("testdata/outages.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var names []string
	var columns [][]float64
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		cells := strings.Split(lines.Text(), ",")
		if names == nil {
			names, columns = cells, make([][]float64, len(cells))
			continue
		}
		for k, c := range cells {
			v, err := strconv.ParseFloat(c, 64)
			if err != nil {
				t.Fatal(err)
			}
			columns[k] = append(columns[k], v)
		}
	}
	for k, name := range names {
		of := columns[k]
		all = append(all, spreadOfRuns{"simulated: " + name, 120_000,
			func(r *rand.Rand) float64 { return of[r.IntN(len(of))] }, [4]float64{}})
	}
	return all
}

type method struct {
	name string
	slow bool // by resampling: a fifth of the samples
	of   func(x []float64, most float64, r *rand.Rand) Interval
}

// methods are what could have been chosen. The last two were: where the scenario
// has outages by chance, and where it has none.
var methods = []method{
	{"Student", false, func(x []float64, _ float64, _ *rand.Rand) Interval { return Mean(x, 0.95) }},
	{"Johnson", false, johnson},
	{"logit", false, logit},
	{"BCa", true, bca},
	{"bootstrap-t", true, bootstrapT},
	{"rare", false, func(x []float64, most float64, _ *rand.Rand) Interval {
		return BoundedMean(x, Range{Most: most, Rare: true}, 0.95)
	}},
	{"not rare", false, func(x []float64, most float64, _ *rand.Rand) Interval {
		return BoundedMean(x,
			Range{Most: most}, 0.95)
	}},
}

// johnson is Student's interval about the mean plus third moment / (6 variance
// n) (Journal of the American Statistical Association 73, 1978).
func johnson(x []float64, _ float64, _ *rand.Rand) Interval {
	i := Mean(x, 0.95)
	if v := stat.Variance(x, nil); v > 0 {
		n := float64(len(x))
		shift := stat.MomentAbout(3, x, i.Value, nil) / (6 * v * n)
		i.Low, i.High = i.Low+shift, i.High+shift
	}
	return i
}

// logit is Student's interval of the logarithm of mean / (most - mean), by the
// delta method.
func logit(x []float64, most float64, _ *rand.Rand) Interval {
	i := Mean(x, 0.95)
	if h := i.Half(); h > 0 {
		p := i.Value / most
		g, h := math.Log(p/(1-p)), h/most/(p*(1-p))
		i.Low, i.High = most/(1+math.Exp(h-g)), most/(1+math.Exp(-h-g))
	}
	return i
}

const resamples = 400

func resample(x []float64, r *rand.Rand, of func(y []float64)) {
	y := make([]float64, len(x))
	for range resamples {
		for k := range y {
			y[k] = x[r.IntN(len(x))]
		}
		of(y)
	}
}

// bca is the bias-corrected and accelerated bootstrap (Efron, Journal of the
// American Statistical Association 82, 1987).
func bca(x []float64, _ float64, r *rand.Rand) Interval {
	i := Mean(x, 0.95)
	if equal(x) {
		return i
	}
	var means []float64
	below := 0.0
	resample(x, r, func(y []float64) {
		m := stat.Mean(y, nil)
		means = append(means, m)
		if m < i.Value {
			below++
		} else if m == i.Value {
			below += 0.5
		}
	})
	slices.Sort(means)
	normal := distuv.UnitNormal
	z := normal.Quantile(min(max(below, 1), resamples-1) / resamples)
	n := float64(len(x))
	a := stat.MomentAbout(3, x, i.Value, nil) / math.Pow(stat.PopVariance(x, nil), 1.5) / (6 * math.Sqrt(n))
	bound := func(q float64) float64 {
		p := normal.CDF(z + (z+q)/(1-a*(z+q)))
		return means[min(int(p*resamples), resamples-1)]
	}
	i.Low, i.High = bound(normal.Quantile(0.025)), bound(normal.Quantile(0.975))
	return i
}

// bootstrapT takes the quantiles of Student's t from resamples, and cuts the
// bounds to what is possible: resamples without a spread have an infinite t.
func bootstrapT(x []float64, most float64, r *rand.Rand) Interval {
	i := Mean(x, 0.95)
	if equal(x) {
		return i
	}
	var ts []float64
	resample(x, r, func(y []float64) {
		m, sd := stat.MeanStdDev(y, nil)
		if m != i.Value {
			ts = append(ts, (m-i.Value)/sd)
		} else {
			ts = append(ts, 0)
		}
	})
	slices.Sort(ts)
	sd := stat.StdDev(x, nil)
	i.Low, i.High = max(i.Value-ts[resamples*39/40]*sd, 0), min(i.Value-ts[resamples/40]*sd, most)
	return i
}

// TestCoverage deals samples of each spread to each method and counts how often
// the interval holds the true mean. Where rare events are expected that must be
// so in 95 %, whatever the spread; elsewhere as often as its floor says. The long test makes the tables of
// docs/statistics.md, which it writes to FLYBALL_COVERAGE_OUT if that is set.
func TestCoverage(t *testing.T) {
	full := longtest.Asked()
	samples, asked, upTo := 200, methods[len(methods)-2:], 20
	if full {
		samples, asked, upTo = 2000, methods, 50
	}
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(&out, "95 %% intervals of means: per cent that hold the true mean, and mean width as a multiple of 2 "+
		"x 1.96 sigma / sqrt(n)\n%d samples each, a fifth of them for bootstraps of %d resamples\n\n", samples,
		resamples)
	fmt.Fprint(table, "values\tn")
	for _, m := range asked {
		fmt.Fprintf(table, "\t%s", m.name)
	}
	fmt.Fprintln(table)
	for k, s := range append(slices.Clone(spreads), simulated(t)...) {
		truth, sd := moments(s, k)
		for j, n := range sizes {
			if n > upTo {
				continue
			}
			fmt.Fprintf(table, "%s\t%d", s.name, n)
			floors := map[string]float64{"rare": 0.95, "not rare": s.floor[j]}
			for _, m := range asked {
				r := rand.New(rand.NewPCG(uint64(k), uint64(n))) // the same samples for every method
				dealt := samples
				if m.slow {
					dealt /= 5
				}
				covered, width, bounded := 0, 0.0, 0
				luck := rand.New(rand.NewPCG(1, 1)) // of resamples
				for range dealt {
					x := make([]float64, n)
					for i := range x {
						x[i] = s.draw(r)
					}
					i := m.of(x, s.most, luck)
					if i.Contains(truth) {
						covered++
					}
					if w := i.High - i.Low; !math.IsInf(w, 1) {
						width, bounded = width+w, bounded+1
					}
				}
				share := float64(covered) / float64(dealt)
				fmt.Fprintf(table, "\t%.1f (%.2f)", 100*share,
					width/float64(max(bounded, 1))/(2*1.96*sd/math.Sqrt(float64(n))))
				// Three standard deviations of the count are granted to chance.
				if floor := floors[m.name]; floor > 0 && share < floor-3*math.Sqrt(floor*(1-floor)/float64(dealt)) {
					t.Errorf("%s, %s: %d of %d intervals of %d values hold the true mean, want %g", s.name, m.name,
						covered, dealt, n, floor)
				}
			}
			fmt.Fprintln(table)
		}
	}
	table.Flush()
	t.Logf("\n%s", out.String())
	if file := os.Getenv("FLYBALL_COVERAGE_OUT"); full && file != "" {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// moments returns the mean and the standard deviation of a spread, by 300,000
// draws.
func moments(s spreadOfRuns, k int) (mean, sd float64) {
	r := rand.New(rand.NewPCG(uint64(k), 0))
	x := make([]float64, 300_000)
	for i := range x {
		x[i] = s.draw(r)
	}
	return stat.PopMeanStdDev(x, nil)
}
