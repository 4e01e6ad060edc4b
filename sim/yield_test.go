package sim_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"flyball/internal/longtest"
	"flyball/internal/mail"
	"flyball/internal/stats"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/scenarios"
	"flyball/scenarios/study"
	"flyball/sim"
)

// What the retry policies make of the lists of docs/studies/retries.toml.

var retryStudy = sync.OnceValue(func() *study.Study {
	read := func(name string) (study.Text, error) {
		text, err := os.ReadFile(filepath.Join("../docs/studies", name))
		return study.Text{Name: name, TOML: text}, err
	}
	file, err := read("retries.toml")
	if err != nil {
		panic(err)
	}
	s, err := study.Load("retries.toml", file.TOML, nil, nil, read)
	if err != nil {
		panic(err)
	}
	return s
})

// withLists is a scenario with lists of other lengths.
func withLists(s scenarios.Scenario, recipients int) *scenarios.Scenario {
	s.Campaigns = slices.Clone(s.Campaigns)
	for i := range s.Campaigns {
		s.Campaigns[i].Recipients = recipients
	}
	return &s
}

// outcome of a run, or of an expectation.
type outcome struct{ attempts, delivered float64 }

func (o outcome) dfr() float64 { return o.attempts / o.delivered }

// saves is by how much the attempts per success are fewer than with another
// policy, and loses is the missing share of its deliveries.
func (o outcome) saves(than outcome) float64 { return 1 - o.dfr()/than.dfr() }
func (o outcome) loses(than outcome) float64 { return 1 - o.delivered/than.delivered }

// outcomes of all points and replications, in the study's order.
func outcomes(t *testing.T, all []*scenarios.Scenario, replications int) []outcome {
	t.Helper()
	var ends []outcome
	_, err := sim.Sweep(all, uint64(replications), 0, runtime.GOMAXPROCS(0),
		func(_ uint64, w *sim.World, _ vt.Time) outcome {
			r := w.Record()
			return outcome{float64(r.Attempts()), float64(r.Count(mail.Done))}
		}, func(o outcome) { ends = append(ends, o) }, func() bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	return ends
}

// expected returns the expected outcome of a recipient with a fixed limit. A
// recipient is dead, refused for good, or alive. A living recipient is greylisted
// once or not, and every other try delivers with a fixed probability.
func expected(s *scenarios.Scenario, limit int) (o outcome) {
	d := s.Destinations[0]
	alive := 1.0
	for _, dead := range d.Dead {
		alive -= dead.Share
		if dead.Reply < 500 {
			o.attempts += dead.Share * float64(limit+1)
		} else {
			o.attempts += dead.Share
		}
	}
	p := 1.0
	for _, f := range d.Fail {
		p -= f.P
	}
	for lost, share := range []float64{1 - d.Greylist.Share, d.Greylist.Share} {
		reached := 1 - math.Pow(1-p, float64(limit+1-lost))
		o.delivered += alive * share * reached
		o.attempts += alive * share * (float64(lost) + reached/p)
	}
	return o
}

// bound is the least that a policy can come to that sees only that tries have
// failed, and loses a share of what the limit delivers at most. All that it can
// decide is after how many failures to give up; to lose less, and to try less,
// are both convex in that number, so the best is one limit, or a lottery of two
// that follow each other.
func bound(s *scenarios.Scenario, limit int, loss float64) outcome {
	full := expected(s, limit)
	enough := full.delivered * (1 - loss)
	for r := 0; ; r++ {
		o := expected(s, r)
		if o.delivered < enough && r < limit {
			continue
		}
		if r == 0 {
			return o
		}
		less := expected(s, r-1)
		x := (enough - less.delivered) / (o.delivered - less.delivered) // how many get r
		return outcome{less.attempts + x*(o.attempts-less.attempts), enough}
	}
}

// TestYieldPays holds policy yield to its goal: at most half a point of what can
// be delivered is lost, and DFR is 30 % lower than with a fixed limit of ten
// wherever a policy that sees nothing but failures could come to that. Where
// failures are independent not one attempt is another. The quick tests run every third list.
func TestYieldPays(t *testing.T) {
	const goal, loss = 0.30, 0.005
	s := retryStudy()
	fixed, yield := slices.Index(s.Axes[1].Values, "fixed 10"), slices.Index(s.Axes[1].Values, "yield")
	var lists []string
	var all []*scenarios.Scenario
	reachable, every := 0, longtest.Or(3, 1)
	for _, p := range s.Points {
		if p.At[1] == fixed && bound(p.Loaded, 10, loss).saves(expected(p.Loaded, 10)) >= goal {
			reachable++
		}
		if p.At[1] != fixed && p.At[1] != yield || p.At[0]%every != 0 {
			continue
		}
		lists, all = append(lists, s.Value(p, 0)), append(all, withLists(*p.Loaded, 2000))
	}
	if reachable != 16 {
		t.Errorf("the goal can be reached on %d lists, want 16", reachable)
	}
	ends := outcomes(t, all, 1)
	for i := 0; i < len(all); i += 2 {
		ten, ours := ends[i], ends[i+1]
		full, best := expected(all[i], 10), bound(all[i], 10, loss)
		saved, lost, possible := ours.saves(ten), ours.loses(ten), best.saves(full)
		if math.Abs(ten.dfr()/full.dfr()-1) > 0.03 {
			t.Errorf("%s: DFR %.3f with ten resends, want about %.3f", lists[i], ten.dfr(), full.dfr())
		}
		independent := strings.HasPrefix(lists[i], "independent")
		if independent && ours != ten {
			t.Errorf("%s: %v, want %v as with ten resends", lists[i], ours, ten)
		}
		if lost > loss {
			t.Errorf("%s: %.2f points are lost, want 0.5 at most", lists[i], 100*lost)
		}
		if possible >= goal {
			if saved < goal {
				t.Errorf("%s: DFR is %.1f %% lower, want 30, of the %.1f that are possible", lists[i], 100*saved,
					100*possible)
			}
		} else if !independent && saved < 0.4*possible {
			t.Errorf("%s: DFR is %.1f %% lower, want 0.4 of the %.1f that are possible", lists[i], 100*saved,
				100*possible)
		}
	}
}

// The bound against what it bounds: no fixed limit is below it that loses as
// little, and where all who live are reached at once it is one attempt each.
func TestBoundOfLimits(t *testing.T) {
	s := retryStudy()
	for _, p := range s.Points {
		if s.Value(p, 1) != "fixed 10" {
			continue
		}
		best, full := bound(p.Loaded, 10, 0.005), expected(p.Loaded, 10)
		for limit := range 11 {
			if o := expected(p.Loaded, limit); o.loses(full) <= 0.005 && o.dfr() < best.dfr()-1e-12 {
				t.Errorf("%s: a limit of %d comes to %.4f, the bound is %.4f", s.Value(p, 0), limit, o.dfr(),
					best.dfr())
			}
		}
		if s.Value(p, 0) == "dead 0.3, live 1" && math.Abs(best.dfr()-1/0.7) > 1e-12 {
			t.Errorf("the bound is %.4f, want 1 / 0.7", best.dfr())
		}
	}
}

// The policy does not react to independent failures, for any rate of them, any
// number of recipients and any other destination with dead addresses.
func TestYieldLeavesIndependentFailuresAlone(t *testing.T) {
	cut := 0
	for seed := range uint64(40) {
		s := withLists(*retryStudy().Points[0].Loaded, 50+100*int(seed%5))
		s.Seed = seed
		s.Retry.Policy, s.Retry.Low, s.Governor.Interval = "yield", 0, vt.Hour
		alone := s.Destinations[0]
		alone.Share, alone.Dead = 0.05+0.1*float64(seed%10), nil
		alone.Fail = []config.Fail{{At: "rcpt", Reply: 450, P: 0.1 + 0.02*float64(seed)}}
		old := s.Destinations[0]
		old.Name, old.Domain, old.Share = "old", "old.example", 1
		old.Dead = []config.Dead{{Share: 0.3, At: "rcpt", Reply: 450}}
		s.Destinations = []config.Destination{alone, old}
		var early [2]int
		w, err := sim.New(s, 0, nil, func(_ vt.Time, a mail.Attempt, _ mail.Reply, status mail.Status) {
			if status == mail.Failed && a.Try < 10 {
				early[a.Dest]++
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		w.Run(nil)
		if early[0] > 0 {
			t.Errorf("seed %d: %d recipients are given up early at p = %.2f", seed, early[0], 1-alone.Fail[0].P)
		}
		if early[1] > 0 {
			cut++
		}
	}
	if cut < 20 {
		t.Errorf("dead addresses are given up early in %d of 40 runs: the test tests too little", cut)
	}
}

// retryTable is where the measured table stands, all of it and in short.
const retryTable, retryPage = "../docs/studies/retries.csv", "../docs/retries.md"

// TestRetryTable measures the table of docs/retries.md, in minutes, when
// FLYBALL_RETRIES is set. It always checks that the page says what the table has.
func TestRetryTable(t *testing.T) {
	if os.Getenv("FLYBALL_RETRIES") != "" {
		if err := os.WriteFile(retryTable, measureRetries(t), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(retryTable)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(retryPage)
	if err != nil {
		t.Fatal(err)
	}
	if want := inShort(rows[1:]); !bytes.Contains(page, []byte(want)) {
		t.Errorf("%s does not have this table of %s:\n%s", retryPage, retryTable, want)
	}
}

// measureRetries runs the whole study. Differences are those of pairs of runs
// under the same luck, with 95 % intervals.
func measureRetries(t *testing.T) []byte {
	s := retryStudy()
	ends := outcomes(t, s.Loaded(), s.Replications)
	out := []byte("list,policy,dfr,delivered_share,dfr_lower_pct,dfr_lower_half,points_lost,points_lost_half," +
		"possible_pct\n")
	policies := len(s.Axes[1].Values)
	for i, p := range s.Points {
		n := s.Replications
		ten, ours := ends[i/policies*policies*n:][:n], ends[i*n:][:n]
		var dfr, share, lower, lost []float64
		for k := range ours {
			dfr = append(dfr, ours[k].dfr())
			share = append(share, ours[k].delivered/float64(p.Loaded.Recipients()))
			lower = append(lower, 100*ours[k].saves(ten[k]))
			lost = append(lost, 100*ours[k].loses(ten[k]))
		}
		mean := func(x []float64) stats.Interval { return stats.Mean(x, 0.95) }
		out = fmt.Appendf(out, "%q,%s,%.3f,%.4f,%.2f,%.2f,%.3f,%.3f,%.1f\n", s.Value(p, 0), s.Value(p, 1),
			mean(dfr).Value, mean(share).Value,
			mean(lower).Value, mean(lower).Half(), mean(lost).Value, mean(lost).Half(),
			100*bound(p.Loaded, 10, 0.005).saves(expected(p.Loaded, 10)))
	}
	return out
}

// inShort is the table of the page: DFR and points lost of each policy, and what
// ours saves.
func inShort(rows [][]string) string {
	num := func(text string) float64 {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			panic(err)
		}
		return v
	}
	var out strings.Builder
	shown := []string{"fixed 10", "fixed 5", "dfr", "dfr-fn", "both-a", "stage", "alloc", "util", "yield"}
	out.WriteString("| List | " + strings.Join(shown, " | ") + " | yield: DFR lower by | possible |\n|---|" +
		strings.Repeat("---|", len(shown)+2) + "\n")
	for i := 0; i < len(rows); i += len(shown) {
		cells := map[string]string{}
		for _, r := range rows[i : i+len(shown)] {
			cells[r[1]] = fmt.Sprintf("%.2f", num(r[2]))
			if lost := num(r[6]); r[1] != "fixed 10" && lost >= 0.005 {
				cells[r[1]] += fmt.Sprintf(" (-%.2f)", lost)
			}
			if r[1] == "yield" {
				cells["saved"] = fmt.Sprintf("%.1f %% +- %.1f", num(r[4]), num(r[5]))
				cells["possible"] = fmt.Sprintf("%.1f %%", num(r[8]))
			}
		}
		out.WriteString("| " + rows[i][0])
		for _, p := range append(shown, "saved", "possible") {
			out.WriteString(" | " + cells[p])
		}
		out.WriteString(" |\n")
	}
	return out.String()
}
