package fault

import (
	"fmt"

	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Want is how a correct client's attempts for the recipients end.
type Want struct {
	Recipients Range
	Class      Class   // of the last attempt
	Attempts   Range   // number of those that count
	Sessions   int     // opened in the whole run; -1: any number
	From, To   vt.Span // time of the first attempt; both 0: any
	Blame      Blame
	Kept       int    // messages that the receiver kept for each; -1: 1 for class OK, and 0 for T and P
	Questions  Range  // to the name server in the whole run
	Status     string // of a look-up that ended the last attempt; empty: any
	line       int
}

// String returns the expectation as a line of a script has it, but for its first word.
func (w Want) String() string {
	s := fmt.Sprintf("%s attempts=%s blame=%s", w.Class, w.Attempts, w.Blame)
	if w.Recipients != (Range{}) {
		s = fmt.Sprintf("recipient=%s %s", w.Recipients, s)
	}
	if w.To > 0 {
		s += fmt.Sprintf(" took=%s", w.From)
		switch {
		case w.To == noEnd:
			s += ".."
		case w.To > w.From:
			s += fmt.Sprintf("..%s", w.To)
		}
	}
	return s
}

// Outcome is how the attempts for a recipient ended.
type Outcome struct {
	Class    Class
	Attempts int
	Took     vt.Span // of the first attempt
	Blame    Blame
	Kept     int
	Last     mail.Reply // of the last attempt, without its time
	Status   string     // of the last attempt's look-up, if that ended the attempt (RFC 3463)
}

// Result is how a play ended.
type Result struct {
	Sessions  int
	Questions int       // to the name server
	Of        []Outcome // by recipient
	Visited   []int     // hosts of the sessions, in their order
}

// Of returns the expectation of a recipient, numbered from 1 on.
func (s *Script) Of(recipient int) Want {
	for _, w := range s.Wants[1:] {
		if w.Recipients.Contains(recipient) {
			return w
		}
	}
	return s.Wants[0]
}

// Differences returns in which way a result is not what the script wants, with late as the time by which attempts may
// have been longer than wanted.
func (s *Script) Differences(r Result, late vt.Span) (all []string) {
	differs := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if want := s.Wants[0].Sessions; want >= 0 && r.Sessions != want {
		differs("got %d sessions, want %d", r.Sessions, want)
	}
	if want := s.Wants[0].Questions; !want.Contains(r.Questions) {
		differs("got %d questions, want %s", r.Questions, want)
	}
	for i, got := range r.Of {
		w := s.Of(i + 1)
		if w.Status != "" && got.Status != w.Status {
			differs("recipient %d: got status %q, want %s", i+1, got.Status, w.Status)
		}
		if got.Class != w.Class || !w.Attempts.Contains(got.Attempts) || got.Blame != w.Blame {
			differs("recipient %d: got %s attempts=%d blame=%s, want %s attempts=%s blame=%s", i+1, got.Class,
				got.Attempts, got.Blame, w.Class, w.Attempts, w.Blame)
		}
		if w.To > 0 && (got.Took < w.From || got.Took > w.To+late) {
			differs("recipient %d: the first attempt took %s, want %s to %s", i+1, got.Took, w.From, w.To)
		}
		kept := w.Kept
		switch {
		case kept < 0 && w.Class == Ambiguous:
			continue
		case kept < 0 && w.Class == Delivered:
			kept = 1
		case kept < 0:
			kept = 0
		}
		if got.Kept != kept {
			differs("recipient %d: the receiver kept %d messages, want %d", i+1, got.Kept, kept)
		}
	}
	return all
}
