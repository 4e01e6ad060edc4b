package search

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"flyball/internal/tabular"
	"flyball/reports/format"
	"flyball/sim/crash"
	"flyball/sim/crash/scope"
)

// Results is what flyball crash --json prints.
type Results struct {
	Schema        string  `json:"schema"`
	SchemaVersion int     `json:"schema_version"`
	Scenario      string  `json:"scenario"`           // as it was named
	Scheme        string  `json:"scheme"`             // how delivering servers keep what they have done
	Seed          uint64  `json:"seed"`               // of the mailing and of random cases
	Recipients    int     `json:"recipients"`         // of all mailings
	Mailings      int     `json:"mailings"`           // that overlap
	RecoveryS     float64 `json:"longest_recovery_s"` // from when the last server went on to the report
	Account
}

func (a *Account) results(s *Search) Results {
	return Results{"flyball/crash", format.SchemaVersion, s.Scenario, s.Config.Scheme.String(), s.Seed,
		s.Config.Recipients, s.Config.Mailings, a.Recovery.Seconds(), *a}
}

// JSON writes the account of a search as one object.
func (a *Account) JSON(w io.Writer, s *Search) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(a.results(s))
}

// Text writes the account of a search for a terminal.
func (a *Account) Text(w io.Writer, s *Search) error {
	var b strings.Builder
	count := func(n int) string { return format.Grouped(float64(n), 0) }
	what := "a mailing"
	if n := s.Config.Mailings; n > 1 {
		what = fmt.Sprintf("%d mailings", n)
	}
	fmt.Fprintf(&b, "%s runs of %s to %d recipients, %d effects without faults; %s stops of servers (%s)\n\n",
		count(a.Runs), what, s.Config.Recipients, a.Effects, count(a.Points), s.Config.Scheme)
	for _, v := range []struct {
		name, about string
		n           int
	}{
		{"missed", "recipients who got nothing, and should have", a.Missed},
		{"duplicates", "messages beyond the first to a recipient", a.Duplicates},
		{"unexplained", "duplicates of recipients who are in neither of the next two counts", a.Unexplained},
		{"ambiguous", "attempts whose final dot was sent, and whose end is not recorded", a.Ambiguous},
		{"planned anew", "recipients of lost servers; at most a window of them have the message", a.Replanned},
		{"broken", "runs that broke a promise", a.Failed},
	} {
		fmt.Fprintf(&b, "%-12s %12s  %s\n", v.name, count(v.n), v.about)
	}
	fmt.Fprintf(&b, "\nLongest recovery, from when the last server went on to the report: %.1f s\n\n",
		a.Recovery.Seconds())
	if a.Every > 1 {
		fmt.Fprintf(&b, "One stop: at one effect of %s\n", count(a.Every))
	}
	if a.Pairs > 0 {
		fmt.Fprintf(&b, "Two stops: %s runs stand for %s pairs, of which the others differ in time alone\n",
			count(a.Pairs), count(a.OfPairs))
		if a.Firsts > 1 {
			fmt.Fprintf(&b, "Of these, one first stop of %s\n", count(a.Firsts))
		}
	}
	if a.Pairs > 0 || a.Every > 1 {
		b.WriteByte('\n')
	}
	var rows [][]string
	for i := 0; i+1 < len(a.Classes); i += 2 {
		rows = append(rows, []string{crash.Kind(i / 2).String(), count(a.Classes[i].Hits), count(a.Classes[i+1].Hits)})
	}
	if err := tabular.Write(&b, []string{"its own server stopped", "before", "after"}, rows, func(i int) bool {
		return i == 0
	}); err != nil {
		return err
	}
	for _, f := range a.Failures {
		fmt.Fprintf(&b, "\nBroken: %s\nSee it: flyball crash %s --case %q --seed %d%s\n", f.Violation, s.Scenario,
			f.Case, s.Seed, s.flags())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// flags returns the flags of flyball crash that make the configuration, beside the seed.
func (s *Search) flags() (text string) {
	c, own := &s.Config, s.Scenario != scope.SmallName
	if c.Scheme != scope.Ours {
		text += " --scheme " + c.Scheme.String()
	}
	if c.Mailings > 1 || own {
		text += fmt.Sprintf(" --mailings %d", c.Mailings)
	}
	if c.Chunk > 0 || own {
		text += fmt.Sprintf(" --chunk %d", c.Chunk)
	}
	return text
}

// Script returns the first run that broke a promise as a script.
func (a *Account) Script(s *Search) string { return crash.Script(s.Config, a.Failures[0].least) }
