package crash

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"flyball/internal/script"
	"flyball/internal/vt"
	"flyball/sim/crash/scope"
)

// TestStory plays testdata/*.txt (package script). Each world is played from its beginning.
//
//	world recipients=6 servers=2   the keys of Config.Set that differ from Quiet
//	case 12- B1 power-min 3s       what goes wrong, as in flyball crash --case
//	stop B1 kill 3s after B1 begun the same, at the first line of the story that has the words: a host and a part
//	stop A kill 3s before A closed of its line
//	show A B1                      the hosts that are shown; "A:facts" shows what A writes and that it stops
//	play                           to the end; "play 2s 5s": what happens between these times
func TestStory(t *testing.T) {
	script.Test(t, func(at *script.Stage) func(string) { return (&teller{Stage: at}).command })
}

// teller is a world and what is shown of it.
type teller struct {
	*script.Stage
	cfg  scope.Config
	x    scope.Case
	show []string
}

func (s *teller) command(line string) {
	words := strings.Fields(line)
	switch rest := words[1:]; words[0] {
	case "world":
		s.cfg, s.x, s.show = scope.Quiet(), scope.Case{}, nil
		for _, w := range rest {
			key, value, _ := strings.Cut(w, "=")
			s.Must(s.cfg.Set(key, value))
		}
		if errs := s.cfg.Validate(); errs != nil {
			s.T.Fatalf("line %d: %v", s.Line, errs)
		}
	case "case":
		x, err := s.cfg.Parse(strings.Join(rest, " "))
		s.Must(err)
		s.x = x
	case "stop":
		s.stop(rest)
	case "show":
		s.show = rest
	case "play":
		from, to := vt.Span(0), s.cfg.Horizon
		if len(rest) == 2 {
			from, to = s.span(rest[0]), s.span(rest[1])
		}
		s.run(func(w *World, host, text string) {
			if now := vt.Span(w.now); from <= now && now <= to && s.shows(host, text) {
				s.Told.WriteString(w.line(host, text))
			}
		})
	default:
		s.T.Fatalf("line %d: got %q, want world, case, stop, show or play", s.Line, words[0])
	}
}

func (s *teller) span(text string) (v vt.Span) {
	s.Must(v.UnmarshalText([]byte(text)))
	return v
}

// stop adds a crash at the effect whose line has the words.
func (s *teller) stop(words []string) {
	at := slices.IndexFunc(words, func(w string) bool { return w == "after" || w == "before" })
	if at != 3 || len(words) < 6 {
		s.T.Fatalf("line %d: got %q, want stop B1 kill 3s after B1 and a part of its line", s.Line, words)
	}
	host, part, effect := words[4], strings.Join(words[5:], " "), 0
	s.run(func(w *World, h, text string) {
		if effect == 0 && h == host && strings.Contains(text, part) {
			effect = w.effects
		}
	})
	if effect == 0 {
		s.T.Fatalf("line %d: %s does nothing like %q", s.Line, host, part)
	}
	sign := map[string]string{"before": "-", "after": "+"}[words[3]]
	x, err := s.cfg.Parse(fmt.Sprintf("%d%s %s", effect, sign, strings.Join(words[:3], " ")))
	s.Must(err)
	s.x.Crashes = append(s.x.Crashes, x.Crashes...)
	scope.Sort(s.x.Crashes)
}

// run plays the world and tells each line of its story, with the name of its host.
func (s *teller) run(tell func(w *World, host, text string)) {
	w := New(s.cfg, s.x)
	if r := w.Tell(func(host, text string) { tell(w, host, text) }); r.Violation != "" {
		s.T.Errorf("line %d: %s", s.Line, r.Violation)
	}
}

func (s *teller) shows(host, text string) bool {
	return host == "" || len(s.show) == 0 || slices.Contains(s.show, host) || slices.Contains(s.show, host+":facts") &&
		!strings.HasPrefix(text, "->")
}

// A run that is written as a script is played from it as it was.
func TestScript(t *testing.T) {
	cfg := scope.Small()
	cfg.Seed, cfg.Scheme, cfg.Commit, cfg.Mailings = 7, scope.Journal, 20*vt.Millisecond, 2
	x, err := cfg.Parse("loss=0.1; 90+ B1 power-min 3s")
	if err != nil {
		t.Fatal(err)
	}
	text := Script(cfg, x)
	head, story, _ := strings.Cut(text, "----\n")
	s := &teller{Stage: &script.Stage{T: t}}
	for line := range strings.Lines(head) {
		if s.Line++; line[0] != '#' {
			s.command(strings.TrimSpace(line))
		}
	}
	if s.Told.String() != story || !reflect.DeepEqual(s.cfg, cfg) || !strings.Contains(story, "B1 stops: power-min") {
		t.Errorf("got the world %+v, want %+v, and the story\n%s\nwant\n%s", s.cfg, cfg, s.Told.String(), story)
	}
	for _, v := range []struct{ key, value, want string }{{"recipient", "1", `key "recipient"`},
		{"servers", "two", `servers: got "two"`}, {"scheme", "our", "want one of ours"}, {"due", "2", `due: got "2"`}} {
		if err := cfg.Set(v.key, v.value); err == nil || !strings.Contains(err.Error(), v.want) {
			t.Errorf("%s=%s: got %v, want an error with %q", v.key, v.value, err, v.want)
		}
	}
}
