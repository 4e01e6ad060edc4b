package tools

import (
	"errors"
	"testing"

	"flyball/cmd/flyball/internal/console"
	"flyball/sim/verify"
)

func TestRowsOutsideAreMissed(t *testing.T) {
	rows := []verify.Row{{Model: "mm1", Quantity: "wait", Inside: true}, {Model: "lag", Quantity: "period"}}
	if err := disproved(rows[:1]); err != nil {
		t.Error(err)
	}
	var e console.Exit
	if err := disproved(rows); !errors.As(err, &e) || e.Code != console.Missed ||
		err.Error() != "1 of 2 rows outside: lag: period" {
		t.Errorf("%v", err)
	}
}
