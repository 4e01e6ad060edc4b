package trials

import (
	"errors"
	"strings"
	"testing"

	"flyball/cmd/flyball/internal/task"
	"flyball/scenarios"
)

// Whatever is wrong with a question is reported at once, and by its flag.
func TestValidateReportsEverything(t *testing.T) {
	judged := scenarios.Default()
	judged.Analysis.Kind = scenarios.SteadyState
	compared := Compare{Margins: []string{"iae=5%", "speed=5%", "tv=much"}}
	_, gate := compared.validate(candidate{folder: true}, candidate{folder: true})
	replicated := DefaultReplicate()
	replicated.Replications = 2
	for name, c := range map[string]struct {
		err  error
		want string // what the lines begin with
		kind task.Kind
	}{
		"compare": {compared.Validate(), "--replications --jobs --margin --margin", task.Usage},
		"gate":    {gate, "--margin, --scenario, --replications --jobs --margin --margin", task.Usage},
		"study":   {(&Study{}).Validate(), "--jobs", task.Usage},
		"laws": {(&Laws{Half: "training", Noise: []string{"1%", "5%", "much"},
			Laws:      []string{"hold", "hold", "pi,x", "nosuch"},
			Scenarios: []string{"nosuch"}, Seed: "-1"}).Validate(),
			"--replications --jobs --seed --noise --noise --law --law --law --scenario", task.Usage},
		"half": {(&Laws{Half: "none", Replications: 2, Workers: 1}).Validate(), "--half --noise", task.Usage},
		"replicate": {(&Replicate{Replications: -1, Precision: 2, Of: "speed"}).Validate(&judged),
			"--replications --precision --jobs --of", task.Usage},
		"few": {(&Replicate{Replications: 2, Precision: 0.1, Workers: 1}).Validate(&judged), "--replications",
			task.Usage},
		"nothing": {replicated.Validate(&judged), "", 0},
	} {
		var got []string
		var e task.Error
		if c.err != nil {
			for line := range strings.Lines(c.err.Error()) {
				flag, _, _ := strings.Cut(line, " ")
				got = append(got, strings.TrimSuffix(flag, ":"))
			}
			errors.As(c.err, &e)
		}
		if strings.Join(got, " ") != c.want || e.Kind != c.kind {
			t.Errorf("%s: got kind %d of %v, want kind %d, problems of %q", name, e.Kind, c.err, c.kind, c.want)
		}
	}
}
