package deadlines

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/longtest"
	"flyball/internal/vt"
	"flyball/scenarios"
	"flyball/sim"
)

// night returns a random night: up to three servers, three large providers with caps and small
// ones, a newsletter and passwords. Some resends decide whether all mail is out early or late.
func night(d *rand.Rand, seed uint64) string {
	var b strings.Builder
	between := func(from, to int) int { return from + d.IntN(to-from+1) }
	fmt.Fprintf(&b, "schema_version = 1\nname = \"night\"\nhorizon = \"12h\"\nseed = %d\n", seed)
	if d.IntN(2) == 0 {
		fmt.Fprintf(&b, "[governor]\nlaw = \"hold\"\nstart = %d\n", between(4, 20))
	} else {
		fmt.Fprintf(&b, "[governor]\nlaw = \"patent-dynamic\"\ntarget = \"%d/h\"\nstart = %d\ninterval = \"%dm\"\n"+
			"step = \"explicit\"\nd = %d.0\n", between(4, 20)*1000, between(2, 8), between(2, 15), between(1, 6))
	}
	fmt.Fprintf(&b, "[retry]\nlimit = 20\ndelays = [\"%dm\", \"%dm\", \"1h\"]\n", between(3, 12), between(15, 40))
	for i := range between(1, 3) {
		fmt.Fprintf(&b, "[[server]]\nname = \"b%d\"\n", i+1)
	}
	for i, name := range []string{"gmail", "outlook", "yahoo", "small"} {
		fmt.Fprintf(&b, "[[destination]]\nname = %q\ndomain = \"%s.example\"\nshare = 0.%d\n", name, name,
			[]int{5, 15, 15, 2}[i])
		fmt.Fprintf(&b, "rcpt = \"%dms\"\ndot = \"%dms\"\n", between(20, 900), between(300, 3000))
		if i < 3 {
			fmt.Fprintf(&b, "cap = %d\n", between(4, 15))
		}
		fmt.Fprintf(&b, "fail = [{at = \"rcpt\", reply = 451, p = %.4f}]\n", 0.02*d.Float64())
	}
	fmt.Fprintf(&b, "[[campaign]]\nname = \"newsletter\"\nrecipients = %d\nprocesses = 40\n", between(500, 3000))
	fmt.Fprintf(&b, "[[campaign]]\nname = \"passwords\"\nrecipients = %d\npriority = 9\n", between(10, 100))
	return b.String()
}

// share returns how often s keeps its deadlines and a limit of refusals with draws that nothing has
// used, counted in the records and not in the metrics.
func share(t *testing.T, s *scenarios.Scenario, refused float64, runs int) float64 {
	t.Helper()
	kept := 0
	_, err := sim.Replicate(s, nil, 1<<30, uint64(runs), 2, func(_ uint64, w *sim.World, _ vt.Time) bool {
		r := w.Record()
		inTime := uint64(0)
		for c := range s.Campaigns {
			inTime += r.OnTime(c)
		}
		return inTime == uint64(w.List().Len()) && float64(r.Refusals()) <= refused*float64(r.Attempts())
	}, func(ok bool) {
		if ok {
			kept++
		}
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return float64(kept) / float64(runs)
}

// The interval of a chance covers the share of 200 other runs in 95 % of the answers, and the share
// of the judgement is no better and no worse on average: the search has not chosen the setting for
// the luck of the runs that judge it. Deadlines lie where chances are neither 0 nor 1.
func TestTheChanceThatASettingHolds(t *testing.T) {
	const others = 200
	asks := longtest.Or(4, 120)
	var missed, open int
	var sum, variance float64
	for i := range asks {
		d := rand.New(rand.NewPCG(11, uint64(i)))
		file := filepath.Join(t.TempDir(), "night.toml")
		if err := os.WriteFile(file, []byte(night(d, d.Uint64N(1e6))), 0o600); err != nil {
			t.Fatal(err)
		}
		q := DefaultAsk()
		q.From, q.Workers = task.Source{Arg: file}, 2
		first, err := q.Do(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Deadline = fmt.Sprintf("%dm", int(60*float64(first.Best.End)*(0.85+0.3*d.Float64())))
		got, err := q.Do(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		from, _, err := due(q.From, q.Deadline)
		if err != nil {
			t.Fatal(err)
		}
		from.Set = append(from.Set, got.Best.Set...)
		s, _, err := from.Load()
		if err != nil {
			t.Fatal(err)
		}
		p := share(t, s, q.Refused, others)
		low, high := float64(got.Held.Share.Low), float64(got.Held.Share.High)
		judged := float64(got.Held.Kept) / float64(got.Held.Runs)
		t.Logf("night %d: %s, %v: %.2f of 20 runs, interval %.2f to %.2f, %.3f of %d others", i, q.Deadline,
			got.Best.Set, judged, low, high, p, others)
		if p < low || p > high {
			missed++
		}
		if p > 0.05 && p < 0.95 {
			open++
		}
		sum += judged - p
		variance += p * (1 - p) * (1/float64(got.Held.Runs) + 1.0/others)
	}
	t.Logf("%d of %d intervals miss; %d chances from 5 to 95 %%; on average judged %+.4f too high, standard error %.4f",
		missed, asks, open, sum/float64(asks), math.Sqrt(variance)/float64(asks))
	if most := quantile(asks, 0.05, 0.999); missed > most {
		t.Errorf("%d of %d intervals miss the share of %d other runs, want at most %d", missed, asks, others, most)
	}
	if math.Abs(sum) > 4*math.Sqrt(variance) {
		t.Errorf("the judgement is %+.3f too high on average, standard error %.3f", sum/float64(asks),
			math.Sqrt(variance)/float64(asks))
	}
	if open < asks/4 {
		t.Errorf("%d of %d chances are from 5 to 95 %%, want more", open, asks)
	}
}

// quantile returns the least k such that a binomial number of n with probability p is at most k
// with at least a probability of level.
func quantile(n int, p, level float64) int {
	one := math.Pow(1-p, float64(n))
	sum := one
	for k := 0; ; k++ {
		if sum >= level {
			return k
		}
		one *= float64(n-k) / float64(k+1) * p / (1 - p)
		sum += one
	}
}
