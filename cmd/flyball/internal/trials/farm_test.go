package trials

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"flyball/farm"
	"flyball/scenarios"
)

// A worker makes a run from the text alone, as the sweep itself does, and refuses a scenario whose text has another
// meaning for it than for the sweep.
func TestStrangeScenario(t *testing.T) {
	text, _ := scenarios.Builtin("quickstart")
	s, err := scenarios.Load("quickstart", text, []string{"campaign[0].recipients=2000"})
	if err != nil {
		t.Fatal(err)
	}
	job := func(change func(*spec)) farm.Job {
		v := spec{scenarios.ID(s), []string{"rate_per_h", "end_h"}, string(scenarios.Resolved(s))}
		change(&v)
		raw, _ := json.Marshal(v)
		return farm.Job{Spec: string(raw), Part: 3}
	}
	there, err := new(stranger).run(context.Background(), 0, job(func(*spec) {}))
	if err != nil {
		t.Fatal(err)
	}
	here, err := (&runner{metrics: []string{"rate_per_h", "end_h"}}).run(context.Background(), s, 3)
	if err != nil || string(here) != string(there) {
		t.Errorf("got %q there and %q here, %v", there, here, err)
	}
	for want, change := range map[string]func(*spec){
		"has another meaning": func(v *spec) { v.Scenario = strings.Replace(v.Scenario, "2000", "2001", 1) },
		"is refused":          func(v *spec) { v.Scenario = "x = 1" },
	} {
		_, err := new(stranger).run(context.Background(), 0, job(change))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	ended, stop := context.WithCancel(context.Background())
	stop()
	if _, err := new(stranger).run(ended, 0, job(func(*spec) {})); err == nil {
		t.Error("a run that was stopped has a result")
	}
}
