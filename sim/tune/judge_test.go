package tune

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"flyball/scenarios/study"
)

const judgedWorld = `
schema_version = 1
name = "NAME"
[governor]
step = "explicit"
d = 3
[[destination]]
name = "a"
domain = "a.example"
[[campaign]]
name = "c"
recipients = 1000
`

const judgedStudy = `
schema_version = 1
name = "judged"
scenario = "here.toml"
[[parameter]]
key = "governor.d"
from = 1.0
to = 64.0
scale = "log"
[tune]
objective = "iae_target_hours"
budget = 40
held_out = { scenarios = ["beyond.toml"], replications = 12 }
`

// spaces caches the loaded studies: loading checks many places, which takes longer
// than a search does here.
var spaces = map[string]*study.Tuning{}

func spaceOf(t *testing.T, text string) *study.Tuning {
	t.Helper()
	if spaces[text] == nil {
		space, err := study.LoadTuning("judged.toml", []byte(text), nil, nil, func(name string) (study.Text, error) {
			return study.Text{Name: name, TOML: []byte(strings.Replace(judgedWorld, "NAME",
				strings.TrimSuffix(name, ".toml"), 1))}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		spaces[text] = space
	}
	return spaces[text]
}

// searched runs a search over invented runs: iae returns the objective of one run,
// as a multiple of the baseline's 100 hours.
func searched(t *testing.T, iae func(j Job, d float64) float64) (*Result, []Job) {
	t.Helper()
	space := spaceOf(t, judgedStudy)
	var made []Job
	found, err := Search(space, func(jobs []Job) (all []study.Run, err error) {
		for _, j := range jobs {
			made = append(made, j)
			r := study.Run{Digest: fmt.Sprint(j.Scenario, j.Replication, j.Values), Watched: 10,
				Values: make([]float64, len(space.Metrics))}
			factor := 1.0
			if j.Values != nil {
				d, err := strconv.ParseFloat(j.Values[0], 64)
				if err != nil {
					t.Fatal(err)
				}
				factor = iae(j, d)
			}
			for k, m := range space.Metrics {
				if m == "iae_target_hours" {
					// Both sides have the same draws in a replication; the resolution of 0.001 h
					// is negligible.
					r.Values[k] = factor * 1e6 * (1 + 0.1*gauss(9, uint64(j.Scenario), j.Replication))
				}
			}
			all = append(all, r)
		}
		return all, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found, made
}

// The search uses neither the held-out draws nor the held-out scenarios, and the
// verdict on the winner rests on them: a winner with half the baseline's loss in
// the search may have a third more with held-out draws, if the runs show that.
func TestHeldOutIsNotWhatTheSearchSaw(t *testing.T) {
	found, made := searched(t, func(j Job, d float64) float64 {
		luck := 1 + 0.02*gauss(3, uint64(math.Float64bits(d)), j.Replication)
		switch {
		case j.Scenario == 1:
			return 3 * luck
		case j.Replication >= study.FirstHeldOut:
			return 1.5 * luck
		}
		return 0.5 * luck
	})
	const ways = 12 * 2 * 2 // replications, scenarios, winner and baseline
	for i, j := range made {
		if held := i >= len(made)-ways; held != (j.Replication >= study.FirstHeldOut) {
			t.Fatalf("run %d of %d has replication %d", i, len(made), j.Replication)
		} else if !held && j.Scenario != 0 {
			t.Fatalf("run %d of the search is of scenario %d, which is held out", i, j.Scenario)
		} else if held && j.Trial != 0 && j.Trial != found.Winner.Number {
			t.Fatalf("run %d under held-out luck is of trial %d, the winner is %d", i, j.Trial, found.Winner.Number)
		}
	}
	seen := map[uint64]int{}
	for _, j := range made[len(made)-ways:] {
		seen[j.Replication]++
	}
	if len(seen) != 12 || seen[study.FirstHeldOut] != 4 || seen[study.FirstHeldOut+11] != 4 {
		t.Errorf("replications under held-out luck: %v", seen)
	}
	for name, c := range map[string]struct{ got, want float64 }{
		"training": {found.Training.Value, math.Log(0.5)},
		"here":     {found.HeldOut.Here.Value, math.Log(1.5)},
		"beyond":   {found.HeldOut.Beyond.Value, math.Log(3)},
		"gap":      {found.HeldOut.Gap.Value, math.Log(3)},
	} {
		if math.Abs(c.got-c.want) > 0.05 {
			t.Errorf("%s: got %.3f, want %.3f", name, c.got, c.want)
		}
	}
	if n := found.HeldOut.Here.N; n != 12 || found.Verdict != study.ShownWorse {
		t.Errorf("%d losses, verdict %q", n, found.Verdict)
	}
	if found.Spent != len(made)-ways {
		t.Errorf("%d runs of the search were made, %d are counted", len(made)-ways, found.Spent)
	}
	for _, c := range found.HeldOut.Cells {
		want := math.Log([]float64{1.5, 3}[c.Scenario])
		if c.Metric == "iae_target_hours" && math.Abs(c.Log.Value-want) > 0.05 {
			t.Errorf("scenario %d: got %.3f, want %.3f", c.Scenario, c.Log.Value, want)
		}
	}
}

// A winner that is better only with the draws of the search is not better, and a
// winner that is better everywhere but in the held-out scenario is better here.
func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		here, beyond float64
		want         study.Verdict
	}{{0.5, 0.5, study.ShownBetter}, {0.5, 1.2, study.ShownBetterHere}, {1, 0.5, study.NotShownBetter},
		{1.2, 0.5, study.ShownWorse}} {
		found, _ := searched(t, func(j Job, d float64) float64 {
			luck := 1 + 0.02*gauss(3, uint64(math.Float64bits(d)), j.Replication)
			switch {
			case j.Scenario == 1:
				return c.beyond * luck
			case j.Replication >= study.FirstHeldOut:
				return c.here * luck
			}
			return 0.5 * luck
		})
		if found.Verdict != c.want {
			t.Errorf("%g here, %g beyond: got %q, want %q", c.here, c.beyond, found.Verdict, c.want)
		}
	}
}

// The score of a trial depends only on the scenarios of the search: the effect of
// d in the held-out scenario does not change the search.
func TestHeldOutScenarioHasNoScore(t *testing.T) {
	best := func(beyond func(d float64) float64) float64 {
		found, _ := searched(t, func(j Job, d float64) float64 {
			if j.Scenario == 1 {
				return beyond(d)
			}
			return 0.3 + math.Pow(math.Log(d/8), 2)
		})
		d, _ := strconv.ParseFloat(found.Winner.Values[0], 64)
		return d
	}
	flat := best(func(float64) float64 { return 1 })
	steep := best(func(d float64) float64 { return d * d })
	if flat != steep || math.Abs(math.Log(flat/8)) > 0.1 {
		t.Errorf("won d = %g and %g, want 8 in both", flat, steep)
	}
}

// A parameter that changes no run is listed as flat; a parameter that does is not.
func TestFlatIsNamed(t *testing.T) {
	space := spaceOf(t, judgedStudy+"\n[[parameter]]\nkey = \"campaign[0].subset\"\nfrom = 5\nto = 100\n")
	found, err := Search(space, func(jobs []Job) ([]study.Run, error) {
		var all []study.Run
		for _, j := range jobs {
			r := study.Run{Digest: fmt.Sprint(j.Scenario, j.Replication), Watched: 10,
				Values: make([]float64, len(space.Metrics))}
			r.Values[0] = 100
			if j.Values != nil {
				d, _ := strconv.ParseFloat(j.Values[0], 64)
				r.Digest += j.Values[0]
				r.Values[0] = 30 + 100*math.Pow(math.Log(d/8), 2)
			}
			all = append(all, r)
		}
		return all, nil
	})
	if err != nil || len(found.Flat) != 1 || found.Flat[0] != 1 {
		t.Errorf("flat are %v, want parameter 1 of 2; %v", found.Flat, err)
	}
}

// A time that did not come counts in its own unit: hours as the end of the run, intervals as
// the judged ones. Held-out runs that are not finished meet no limit on their end.
func TestTimesThatDidNotCome(t *testing.T) {
	space := spaceOf(t, strings.Replace(judgedStudy, "objective",
		"constraint = [{ metric = \"time_to_final_p95_h\", op = \"<=\", value = 40 }]\nobjective", 1))
	b := &bench{Tuning: space}
	r := study.Run{Watched: 10, Values: make([]float64, len(space.Metrics))}
	at := func(metric string) *float64 {
		k := slices.Index(space.Metrics, metric)
		if k < 0 {
			t.Fatalf("%s is not recorded in %q", metric, space.Metrics)
		}
		return &r.Values[k]
	}
	*at("end_h"), *at("pending"), *at("time_to_final_p95_h") = 48, 3, math.Inf(1)
	if v := b.value(r, "time_to_final_p95_h"); v != 48 {
		t.Errorf("a time in hours counts as %g, want 48, the end of the run", v)
	}
	if b.reached(r, "end_h") || b.reached(r, "time_to_final_p95_h") {
		t.Error("with recipients pending neither the end nor the time was reached")
	}
	*at("pending"), *at("time_to_final_p95_h") = 0, 30
	if !b.reached(r, "end_h") || !b.reached(r, "time_to_final_p95_h") || b.value(r, "time_to_final_p95_h") != 30 {
		t.Error("both were reached")
	}
}

// A winner whose held-out runs are not finished at the horizon misses a limit of their end that the
// horizon meets.
func TestUnfinishedRunsMissTheirLimit(t *testing.T) {
	space := spaceOf(t, judgedStudy+"\n[[tune.constraint]]\nmetric = \"end_h\"\nop = \"<=\"\nvalue = 48\n")
	for pending, want := range map[float64]study.Verdict{0: study.ShownBetter, 1: study.MissesLimit} {
		found, err := Search(space, func(jobs []Job) (all []study.Run, err error) {
			for _, j := range jobs {
				r := study.Run{Digest: fmt.Sprint(j.Scenario, j.Replication, j.Values), Watched: 10,
					Values: make([]float64, len(space.Metrics))}
				for k, m := range space.Metrics {
					switch {
					case m == "end_h":
						r.Values[k] = 48
					case m == "iae_target_hours" && j.Values == nil:
						r.Values[k] = 100 + float64(j.Replication%7)
					case m == "iae_target_hours":
						r.Values[k] = 50 + float64(j.Replication%5)
					case m == "pending" && j.Values != nil && j.Replication == study.FirstHeldOut:
						r.Values[k] = pending
					}
				}
				all = append(all, r)
			}
			return all, nil
		})
		if err != nil || found.Verdict != want {
			t.Errorf("%g pending: got %v, %v, want %v", pending, found.Verdict, err, want)
		}
	}
}
