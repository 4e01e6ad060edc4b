package main

import (
	"runtime/debug"

	"github.com/spf13/cobra"

	"flyball/internal/input"
	"flyball/internal/mail"
	"flyball/realrun"
	"flyball/reports/folder"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

// rehearsed is the list of one's own that a simulation is asked about. Without
// one it is the scenario's synthetic list.
type rehearsed struct {
	file, suppress string
	foldCase       bool

	census  *realrun.Census // nil without a list
	rejects *spool          // nil without a list
	digest  string          // of the list; empty without one
}

func (r *rehearsed) flags(c *cobra.Command) {
	c.Flags().StringVar(&r.file, "list", "", "CSV file of recipients; the scenario's synthetic list if not given")
	c.Flags().StringVar(&r.suppress, "suppress", "", "file of addresses and whole domains (*@domain) that would not be mailed")
	c.Flags().BoolVar(&r.foldCase, "fold-case", false, foldCase)
}

// read reads the files that were named.
func (r *rehearsed) read(s *scenarios.Scenario) error {
	if r.suppress != "" && r.file == "" {
		return errNoList("--suppress")
	}
	if r.foldCase && r.file == "" {
		return errNoList("--fold-case")
	}
	if r.file == "" {
		return nil
	}
	file, err := open("--list", r.file, input.List)
	if err != nil {
		return err
	}
	defer file.Close()
	src := realrun.Source{List: file, ListName: r.file, SuppressionName: r.suppress, FoldCase: r.foldCase}
	if r.suppress != "" {
		f, err := open("--suppress", r.suppress, input.Suppression)
		if err != nil {
			return err
		}
		defer f.Close()
		src.Suppression = f
	}
	if r.rejects, err = newSpool(); err != nil {
		return err
	}
	src.Rejects = r.rejects
	if r.census, err = realrun.NewCensus(s, src); err != nil {
		return exit{exitInvalid, err}
	}
	r.digest = r.census.List.Digest()
	debug.FreeOSMemory() // what the reading took is several times what it left
	return nil
}

// list is nil for the scenario's own.
func (r *rehearsed) list() *mail.List {
	if r.census == nil {
		return nil
	}
	return &r.census.List
}

// recipients counts those of the list, and of them the suppressed ones.
func (r *rehearsed) recipients(s *scenarios.Scenario) (all, suppressed uint64) {
	if r.census == nil {
		return uint64(s.Recipients()), 0
	}
	return uint64(r.census.List.Len()) + r.census.Suppressed, r.census.Suppressed
}

// fold fills in what was recorded of a run.
func (r *rehearsed) fold(rec *runlog.Recorder, s *scenarios.Scenario, run *runlog.Run) {
	all, suppressed := r.recipients(s)
	run.List = r.digest
	rec.Fold(run, all, suppressed)
}

// flagged are the flags that make the same run again.
func (r *rehearsed) flagged() []string {
	var words []string
	for _, f := range []struct{ name, value string }{{"--list", r.file}, {"--suppress", r.suppress}} {
		if f.value != "" {
			words = append(words, f.name, quote(f.value))
		}
	}
	if r.foldCase {
		words = append(words, "--fold-case")
	}
	return words
}

// words account for the rows of the list.
func (r *rehearsed) words() []string {
	if r.census == nil {
		return nil
	}
	return realrun.Words(r.census.Count, r.census.Suppressed)
}

// content is the list itself, whatever its file is called.
func (r *rehearsed) content() []string {
	if r.digest == "" {
		return nil
	}
	return []string{"list " + r.digest}
}

func (r *rehearsed) files() []folder.File { return r.rejects.as(rejectsFile) }
