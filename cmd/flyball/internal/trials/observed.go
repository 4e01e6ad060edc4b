package trials

import (
	"context"
	"errors"

	"flyball/cmd/flyball/internal/task"
	"flyball/farm"
	"flyball/reports/ensemble"
	"flyball/scenarios"
)

// observed has the observations of runs that workers on a bus make, numbered from 0 on.
type observed struct {
	co      *farm.Coordinator
	records [][]byte // of the first runs
	asked   int      // number of runs that the workers were asked for
}

// observe begins to give out runs of which an ensemble keeps all that it needs. runs returns each by its number.
func (b *Bus) observe(ctx context.Context, what string, own int, watch task.Watch,
	runs func(run int) point) (o *observed, end func(), err error) {
	o = new(observed)
	o.co, end, err = b.coordinate(ctx, crew{what: what, own: own, kept: kept{whole: true}, point: runs,
		text: func(p point) (string, []string) { return string(scenarios.Resolved(p.loaded)), nil },
		check: func(record []byte) error {
			_, err := ensemble.ReadObservation(record)
			return err
		}}, watch)
	return o, end, err
}

// until has the first total runs made, or as many as there are when ctx ends, and calls at with the number that is
// there. It returns errAgain if runs of an earlier call do not hold any more: what was decided on them is to be decided
// anew.
func (o *observed) until(ctx context.Context, total int, at func(done int)) error {
	before := o.asked
	o.asked = total
	kept := o.records[min(before, len(o.records)):min(len(o.records), total)]
	err := o.co.Do(ctx, total-before, kept, func(record []byte) error {
		o.records = append(o.records, record)
		at(len(o.records))
		return nil
	}, func(from int) error {
		if o.records = o.records[:min(from, len(o.records))]; from < before {
			return errAgain
		}
		return nil
	})
	switch {
	case errors.Is(err, errAgain):
		o.co.Restart()
		o.asked = 0
		return err
	case ctx.Err() != nil:
		return nil
	}
	return busKind(err)
}

// from returns the observations from a number on.
func (o *observed) from(first int) (runs []ensemble.Observation) {
	for _, r := range o.records[min(first, len(o.records)):] {
		run, err := ensemble.ReadObservation(r)
		if err != nil {
			panic(err) // the coordinator has checked it
		}
		runs = append(runs, run)
	}
	return runs
}
