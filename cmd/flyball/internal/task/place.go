package task

import (
	"errors"
	"path/filepath"

	"flyball/reports/folder"
	"flyball/scenarios"
)

// Place is where the folder of a task goes.
type Place struct {
	Dir   string // empty: a folder in runs that is named by its content
	Force bool   // let Dir be the folder of another run, which is replaced
}

// at returns the folder that Dir names, where the same run alone may be replaced,
// or else the one that has its name from its content. Settings are what decides
// the content beside scenario and seed.
func (p Place) at(byContent string, settings []string) folder.Place {
	if p.Dir == "" {
		return folder.Place{Dir: byContent, Settings: settings, Replace: true}
	}
	return folder.Place{Dir: p.Dir, Settings: settings, Replace: p.Force}
}

// check looks before a run whether its folder, of what a describes, can be
// written.
func (p Place) check(a folder.Attributes, settings []string) error {
	return unwritten("--out", folder.Check(p.at(filepath.Join("runs", ".any"), settings), a))
}

// unwritten gives the error of a folder that could not be written its kind.
func unwritten(what string, err error) error {
	var other *folder.Other
	switch {
	case err == nil:
		return nil
	case errors.As(err, &other):
		return fail(Usage, "%s: %w", what, err)
	}
	return fail(Environment, "%s: %w", what, err)
}

// asks returns what tells a run of a scenario from others.
func asks(s *scenarios.Scenario, mode string, replication uint64) folder.Attributes {
	return folder.Attributes{Name: s.Name, ScenarioID: scenarios.ID(s), Seed: s.Seed, Replication: replication, Mode: mode}
}
