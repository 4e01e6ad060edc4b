package main

import (
	"slices"
	"strings"
	"testing"

	"flyball/cmd/flyball/internal/console"
	"flyball/governor"
	"flyball/reports/measure"
	"flyball/scenarios"
)

// proposed asks the command line to complete the last of words, as a shell does. The directive is that of cobra.
func proposed(t *testing.T, words ...string) (all []string, directive string) {
	t.Helper()
	code, out, errout := invoke(t, append([]string{"__complete"}, words...)...)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != 0 || strings.Contains(errout, "Error") {
		t.Fatalf("%q: exit code %d: %s", words, code, errout)
	}
	for _, line := range lines[:len(lines)-1] {
		word, _, _ := strings.Cut(line, "\t")
		all = append(all, word)
	}
	return all, lines[len(lines)-1]
}

// What a word can be is proposed, and files only where a file is wanted.
func TestCompletion(t *testing.T) {
	const space, noSpace, extension, folder, anyFile = ":4", ":6", ":8", ":16", ":0"
	var laws []string
	for _, l := range governor.Laws() {
		laws = append(laws, "governor.law="+l.Name)
	}
	for _, c := range []struct {
		words     string // the last one, which may be empty, is completed
		want      string // all that is proposed
		directive string
	}{
		{"--color ", "auto always never", space},
		{"run --color n", "never", space},
		{"ru", "run", space},
		{"run qui", "quickstart", space},
		{"run " + scenarios.Names()[0] + " ", "", space},
		{"run disturbances/outage-t", "disturbances/outage-twice", space},
		{"run mine", "toml", extension},
		{"run ./", "toml", extension},
		{"realrun thr", "throttling-provider", space},
		{"validate quickstart qui", "toml", extension},
		{"validate quickstart grey", "greylist", space},
		{"scenario show run", "runaway", space},
		{"govern thr", "throttling-provider", space},
		{"bench att", "attempts", space},
		{"bench attempts qui", "quickstart", space},
		{"bench hold ", "", space},
		{"sweep ", "toml", extension},
		{"tune ", "toml", extension},
		{"report ", "", folder},
		{"promote ", "", folder},
		{"compare law:patent-d", "law:patent-damped law:patent-dynamic", noSpace},
		{"compare law:hold s", "set:", noSpace},
		{"compare set:governor.law=h", "set:governor.law=hold", space},
		{"compare runs/", "", folder},
		{"compare law:hold set: --scenario qui", "quickstart", space},
		{"compare law:hold set: --margin peak", "peak_available=", noSpace},
		{"compare law:hold set: --margin ia", "iae=", noSpace},
		{"compare law:hold set: --of undel", "undelivered", space},
		{"compare --record runs/", "", folder},
		{"laws --law patent-2", "patent-24", space},
		{"laws --scenario outage-t", "outage-twice", space},
		{"laws --half t", "training", space},
		{"run quickstart --of first", "first_try_share", space},
		{"run quickstart --of steady_r", "steady_rate_per_h", space},
		{"run quickstart --list ", "csv", extension},
		{"run quickstart --out ", "", folder},
		{"run quickstart --seed ", "", space},
		{"realrun quickstart --template ", "", anyFile},
		{"realrun quickstart --promotion ", "jsonl", extension},
		{"govern quickstart --samples ", "csv", extension},
		{"run quickstart --set go", "governor.", noSpace},
		{"run quickstart --set governor.ta", "governor.target=", noSpace},
		{"run quickstart --set governor.law=", strings.Join(laws, " "), space},
		{"run quickstart --set governor.law=patent-da", "governor.law=patent-damped", space},
		{"run quickstart --set governor.target=1", "", space},
		{"run quickstart --set no.such=", "", space},
		{"run quickstart --set freeing.policy=c", "freeing.policy=continuous", space},
		{"run quickstart --set retry.policy=both-f", "retry.policy=both-fn", space},
		{"run quickstart --set dest", "destination[0].", noSpace},
		{"run quickstart --set destination[big].hangs_up_a", "destination[big].hangs_up_after=", noSpace},
		{"run quickstart --set destination[7].greylist.at=",
			"destination[7].greylist.at=rcpt destination[7].greylist.at=dot", space},
		{"run quickstart --set destination[big].fail[3].p", "destination[big].fail[3].p=", noSpace},
		{"run quickstart --set expect[0].metric=settling_intervals_5", "expect[0].metric=settling_intervals_5pct",
			space},
		{"govern quickstart --set ", "governor.", noSpace},
		{"verify --only mm1,erlang-b", "mm1,erlang-b", space},
		{"schema valid", "validation", space},
		{"help scen", "scenario", space},
		{"help scenario sho", "show", space},
	} {
		got, directive := proposed(t, strings.Split(c.words, " ")...)
		if strings.Join(got, " ") != c.want || directive != c.directive {
			t.Errorf("%q: got %q %s, want %q %s", c.words, got, directive, c.want, c.directive)
		}
	}
}

// The suite stays out of the way until it is asked for, and all metrics can be named.
func TestCompletionIsWhole(t *testing.T) {
	if got, _ := proposed(t, "run", ""); !slices.Equal(got, scenarios.Names()) {
		t.Errorf("got %v, want the built-in scenarios", got)
	}
	of, _ := proposed(t, "run", "--of", "")
	for _, name := range measure.MetricNames() {
		if !slices.Contains(of, name) {
			t.Errorf("--of does not propose %s", name)
		}
	}
}

// Every key that the schema of scenarios has can be reached table by table, and --set takes it: the error of a value
// that is none of it speaks of the value, not of the key.
func TestCompletionReachesEveryKey(t *testing.T) {
	var keys []string
	var visit func(prefix string)
	visit = func(prefix string) {
		found, _ := proposed(t, "run", "--set", prefix)
		for _, f := range found {
			if strings.HasSuffix(f, ".") {
				visit(f)
			} else {
				keys = append(keys, f)
			}
		}
	}
	visit("governor.")
	visit("retry.")
	visit("destination[0].")
	if len(keys) < 50 {
		t.Errorf("%d keys, want those of three tables", len(keys))
	}
	for _, key := range keys {
		if _, _, err := (&console.App{}).Load("quickstart", key+"{}"); err == nil ||
			strings.Contains(err.Error(), "unknown key") {
			t.Errorf("--set %s{}: %v", key, err)
		}
	}
}
