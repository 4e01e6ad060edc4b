package task_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"flyball/cmd/flyball/internal/live"
	"flyball/cmd/flyball/internal/promote"
	"flyball/cmd/flyball/internal/task"
	"flyball/realrun/promotion"
	"flyball/scenarios"
)

// Whatever is wrong with a question is reported at once, and by its flag.
func TestValidateReportsEverything(t *testing.T) {
	s := scenarios.Default()
	for name, c := range map[string]struct {
		err  error
		want string // what the lines begin with
	}{
		"run": {(&task.Run{Keep: "maybe", Sensitivity: true, Of: "speed"}).Validate(&s), "--jobs --recipients --of"},
		"live": {(&live.Run{Scale: -1, Ahead: 1, Keep: "maybe",
			Promotion: promote.Records{Head: promotion.Head("0")}}).Validate(), "--time-scale --recipients --head"},
		"promoted": {(&live.Run{Ahead: 1, Keep: task.KeepAuto,
			From:      task.Source{Set: []string{"governor.d=1", "horizon=1h", "retry.limit=2"}},
			Promotion: promote.Records{File: "p.jsonl"}}).Validate(), "--set --set"},
		"promote": {(&promote.Add{By: "\a", Note: "\n", Lasts: time.Second}).Validate(), "--by --note --for"},
		"nothing": {errors.Join((&task.Run{Workers: 1, Keep: task.KeepNo}).Validate(&s),
			(&live.Run{Ahead: 1, Keep: task.KeepYes}).Validate(),
			(&promote.Add{By: "ann", Lasts: time.Hour}).Validate()), ""},
	} {
		var got []string
		var e task.Error
		if c.err != nil {
			for line := range strings.Lines(c.err.Error()) {
				flag, _, _ := strings.Cut(line, " ")
				got = append(got, strings.TrimSuffix(flag, ":"))
			}
			if !errors.As(c.err, &e) || e.Kind != task.Usage {
				t.Errorf("%s: got kind %d, want a wrong use", name, e.Kind)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %v, want problems of %q", name, c.err, c.want)
		}
	}
}
