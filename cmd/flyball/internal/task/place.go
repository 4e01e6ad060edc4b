package task

import (
	"errors"
	"path/filepath"

	"flyball/reports/folder"
	"flyball/scenarios"
)

// Place chooses the folder that a task writes.
type Place struct {
	Dir   string // path; empty: a folder in runs, named by its content
	Force bool   // replace Dir even if it is the folder of another run
}

// At returns Dir as a place where, without Force, only the same run may be replaced. If
// Dir is empty, it returns byContent, a path with a key of the content. Settings are
// all that decides the content besides scenario and seed.
func (p Place) At(byContent string, settings []string) folder.Place {
	if p.Dir == "" {
		return folder.Place{Dir: byContent, Settings: settings, Replace: true}
	}
	return folder.Place{Dir: p.Dir, Settings: settings, Replace: p.Force}
}

// Check returns an error if the folder of the run that a describes cannot be written.
// It is called before the run.
func (p Place) Check(a folder.Attributes, settings []string) error {
	return Unwritten("--out", folder.Check(p.At(filepath.Join("runs", ".any"), settings), a))
}

// Unwritten gives err, the error of writing a folder, its kind. What begins the
// message.
func Unwritten(what string, err error) error {
	var other *folder.Other
	switch {
	case err == nil:
		return nil
	case errors.As(err, &other):
		return Fail(Usage, "%s: %w", what, err)
	}
	return Fail(Environment, "%s: %w", what, err)
}

// Attributes returns what distinguishes a run of a scenario from other runs.
func Attributes(s *scenarios.Scenario, mode string, replication uint64) folder.Attributes {
	return folder.Attributes{Name: s.Name, ScenarioID: scenarios.ID(s), Seed: s.Seed, Replication: replication,
		Mode: mode}
}
