package main

import (
	"errors"
	"testing"

	"flyball/sim/verify"
)

func TestRowsOutsideAreMissed(t *testing.T) {
	rows := []verify.Row{{Model: "mm1", Quantity: "wait", Inside: true}, {Model: "lag", Quantity: "period"}}
	if err := disproved(rows[:1]); err != nil {
		t.Error(err)
	}
	var e exit
	if err := disproved(rows); !errors.As(err, &e) || e.code != exitMissed ||
		err.Error() != "1 of 2 rows outside: lag: period" {
		t.Errorf("%v", err)
	}
}
