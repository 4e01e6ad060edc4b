package task

import (
	"runtime/debug"

	"flyball/internal/input"
	"flyball/internal/mail"
	"flyball/realrun/mailing"
	"flyball/reports/folder"
	"flyball/reports/run"
	"flyball/reports/runlog"
	"flyball/scenarios"
	"flyball/scenarios/stated"
	"flyball/sim"
)

// Recipients names the recipient list of a simulation. The zero value stands for the
// scenario's synthetic list.
type Recipients struct {
	File     string // CSV with a column email, or a place of package storage
	Suppress string // addresses and whole domains (*@domain) that would not be mailed
	FoldCase bool   // addresses that differ in upper and lower case only are duplicates

	census  *mailing.Census // nil without a list
	rejects *Spool          // nil without a list
	digest  string          // of the list; empty without a list
}

// Read reads the files that are named and checks their rows against a scenario.
func (r *Recipients) Read(s *scenarios.Scenario) error {
	if r.File == "" {
		return WithoutList(r.File, r.Suppress, r.FoldCase)
	}
	if s.Dispatch.SameList && len(s.Campaigns) > 1 {
		return Fail(Usage, "--list: got %s for %d campaigns with sender.same_list = true, want one campaign, or "+
			"false: each campaign gets other rows of the list", Quote(r.File), len(s.Campaigns))
	}
	src, closed, err := r.source()
	if err != nil {
		return err
	}
	defer closed()
	if r.rejects, err = NewSpool(); err != nil {
		return err
	}
	src.Rejects = r.rejects
	if r.census, err = mailing.NewCensus(s, src); err != nil {
		return Error{Invalid, err}
	}
	r.digest = r.census.List.Digest()
	debug.FreeOSMemory() // reading takes several times the memory of the result
	return nil
}

// source opens the files that are named. The caller must call closed.
func (r *Recipients) source() (src mailing.Source, closed func(), err error) {
	file, err := OpenList("--list", r.File)
	if err != nil {
		return src, nil, err
	}
	src = mailing.Source{List: file, ListName: r.File, SuppressionName: r.Suppress, FoldCase: r.FoldCase,
		Suppressed: file.Suppressed}
	if r.Suppress == "" {
		return src, func() { file.Close() }, nil
	}
	suppression, err := Open("--suppress", r.Suppress, input.Suppression)
	if err != nil {
		file.Close()
		return src, nil, err
	}
	src.Suppression = suppression
	return src, func() { file.Close(); suppression.Close() }, nil
}

// name sets the list of f and, for a list that was read, a function that reads its
// addresses again, because a simulation does not keep them.
func (r *Recipients) name(f *run.RecipientsFile, s *scenarios.Scenario, synthetic *mail.List) {
	if f == nil {
		return
	}
	f.List = synthetic
	if r.census == nil {
		return
	}
	f.List = &r.census.List
	f.Addresses = func(each func(string, bool) error) error {
		src, closed, err := r.source()
		if err != nil {
			return err
		}
		defer closed()
		return mailing.Addresses(s, src, each)
	}
}

// List returns the list; nil for the scenario's own.
func (r *Recipients) List() *mail.List {
	if r.census == nil {
		return nil
	}
	return &r.census.List
}

// Digest returns the digest of the list; empty for the scenario's own.
func (r *Recipients) Digest() string { return r.digest }

// recipients returns the number of all recipients and of the suppressed ones.
func (r *Recipients) recipients(s *scenarios.Scenario) (all, suppressed uint64) {
	if r.census == nil {
		return uint64(s.Recipients()), 0
	}
	return uint64(r.census.List.Len()) + r.census.Suppressed, r.census.Suppressed
}

// Fold fills in to from its network, which has ended.
func (r *Recipients) Fold(w *sim.World, s *scenarios.Scenario, to *runlog.Run) {
	all, suppressed := r.recipients(s)
	to.List = r.digest
	to.Campaigns = stated.Campaigns(s, int(all-suppressed))
	if to.Control = w.Control(); to.Control != nil {
		suppressed += to.Control.Suppressed
		for i, m := range to.Control.Mailings {
			to.Campaigns[i].Recipients -= m.Suppressed
		}
	}
	w.Record().Fold(to, all, suppressed)
}

// Flags returns the flags of the replay command.
func (r *Recipients) Flags() []string {
	var words []string
	for _, f := range []struct{ name, value string }{{"--list", r.File}, {"--suppress", r.Suppress}} {
		if f.value != "" {
			words = append(words, f.name, Quote(f.value))
		}
	}
	if r.FoldCase {
		words = append(words, "--fold-case")
	}
	return words
}

// Words returns lines that account for the rows of the list, if there is one.
func (r *Recipients) Words() []string {
	if r.census == nil {
		return nil
	}
	return mailing.Words(r.census.Count, r.census.Suppressed)
}

// Content returns what identifies the list, whatever its file is called.
func (r *Recipients) Content() []string {
	if r.digest == "" {
		return nil
	}
	return []string{"list " + r.digest}
}

// Files returns the reject file, for the run folder.
func (r *Recipients) Files() []folder.File { return r.rejects.As(RejectsFile) }

// WithoutList returns an error if there is no list and a flag that needs one.
func WithoutList(list, suppress string, foldCase bool) error {
	flag := "--suppress"
	switch {
	case list != "", suppress == "" && !foldCase:
		return nil
	case suppress == "":
		flag = "--fold-case"
	}
	return Fail(Usage, "%s: got no list, want --list too: a synthetic list has no addresses", flag)
}
