package promote

import (
	"errors"
	"fmt"
	"time"

	"flyball/cmd/flyball/internal/kinds"
	"flyball/cmd/flyball/internal/task"
	"flyball/realrun/promotion"
	"flyball/scenarios"
)

// Records is a file of promotion records.
type Records struct {
	File string
	Head promotion.Head // the last record must have it; empty: the one in the file FILE.head
}

// Read returns all records, and the record in force at now with its parameters. If
// the chain is whole and no record is in force, it returns an error and the records,
// which are then not nil.
func (p Records) Read(now time.Time) (all []promotion.Record, current promotion.Record, with scenarios.Parameters,
	err error) {
	all, headless := promotion.Open(p.File, p.Head)
	if headless != nil {
		if !errors.Is(headless, promotion.ErrNoHead) {
			all = nil
		}
		return all, current, with, unpromoted("--record", headless)
	}
	if all == nil {
		all = []promotion.Record{}
	}
	if current, with, err = inForce(all, p.File, now); err != nil {
		err = unpromoted("--record", err)
	}
	return all, current, with, err
}

// InForce is what a live run takes from the records: the parameters of the last one, which may be used now.
type InForce struct {
	From       Records
	All        []promotion.Record // the first one first; not empty
	Parameters scenarios.Parameters
}

// InForce reads the records for the flag --promotion. It returns an error unless one is in force at now.
func (p Records) InForce(now time.Time) (*InForce, error) {
	if err := task.WrongFolder(p.File, kinds.Promotions); err != nil {
		return nil, err
	}
	all, err := promotion.Open(p.File, p.Head)
	if err != nil {
		if other := task.Mistaken(err, p.File, kinds.Promotions, kinds.JSON); other != err {
			return nil, other
		}
		return nil, unpromoted("--promotion", err)
	}
	_, with, err := inForce(all, p.File, now)
	if err != nil {
		return nil, unpromoted("--promotion "+p.File, err)
	}
	return &InForce{p, all, with}, nil
}

// Last returns the record in force.
func (f *InForce) Last() promotion.Record { return f.All[len(f.All)-1] }

// Back returns what a live run takes from the records without the last one; there must be one before it.
func (f *InForce) Back() (*InForce, error) {
	p, err := f.Before()
	return &InForce{f.From, f.All[:len(f.All)-1], p}, err
}

// Before returns the parameters of the record before the one in force; there must be one.
func (f *InForce) Before() (p scenarios.Parameters, err error) {
	if p, err = f.All[len(f.All)-2].Load(f.From.File); err != nil {
		err = unpromoted("--promotion "+f.From.File, err)
	}
	return p, err
}

// Apply returns the scenario with the parameters in force, and a line that describes them.
func (f *InForce) Apply(s *scenarios.Scenario) (*scenarios.Scenario, string, error) {
	p, r := f.Parameters, f.Last()
	with, err := s.Changed(func(s *scenarios.Scenario) { s.Governor, s.Retry = p.Governor, p.Retry })
	if err != nil {
		return nil, "", task.Fail(task.Invalid, "--promotion %s: in scenario %s: %w", f.From.File, s.Name, err)
	}
	words := fmt.Sprintf("Parameters: law %s and the resend policy of promotion %d in %s, by %s, shown on %s; until %s",
		p.Governor.Law, r.Number, f.From.File, r.By, r.Shown.Scenario, r.Expires.Format(time.RFC3339))
	return with, words, nil
}

// inForce returns the record that is in force at now, with its parameters.
func inForce(all []promotion.Record, file string, now time.Time) (promotion.Record, scenarios.Parameters, error) {
	r, err := promotion.InForce(all, now)
	if err != nil {
		return r, scenarios.Parameters{}, err
	}
	p, err := r.Load(file)
	return r, p, err
}

// unpromoted gives an error of the promotion records that flag names its kind.
func unpromoted(flag string, err error) error {
	var invalid *promotion.Invalid
	switch {
	case errors.As(err, &invalid):
		return task.Error{Kind: task.Invalid, Err: err}
	case errors.Is(err, promotion.ErrRefused):
		return task.Fail(task.Refused, "%s: %w", flag, err)
	}
	return task.Unreadable(flag, err)
}
