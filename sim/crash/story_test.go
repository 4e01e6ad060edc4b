package crash

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/script"
	"flyball/internal/vt"
)

// TestStory plays testdata/*.txt (package script). Each world is played from its beginning.
//
//	world recipients=6 servers=2 processes=1 deferred=0.2 refused=0.1 returned=1 requests=1 due=2s
//	      chunk=2 seed=1 licence=3 deadline=1m hang=0.1
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
	cfg  Config
	x    Case
	show []string
}

func (s *teller) command(line string) {
	words := strings.Fields(line)
	switch rest := words[1:]; words[0] {
	case "world":
		s.cfg, s.x, s.show = Small(), Case{}, nil
		s.cfg.Deferred, s.cfg.Refused, s.cfg.Returned, s.cfg.Requests = 0, 0, 0, 0
		s.cfg.Joins, s.cfg.Couples = 0, false
		for _, w := range rest {
			key, value, _ := strings.Cut(w, "=")
			s.set(key, value)
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
				fmt.Fprintf(&s.Told, "%-7v %-2s %s\n", now-now%vt.Millisecond, host, text)
			}
		})
	default:
		s.T.Fatalf("line %d: got %q, want world, case, stop, show or play", s.Line, words[0])
	}
}

func (s *teller) set(key, value string) {
	number := func() int {
		n, err := strconv.Atoi(value)
		if err != nil {
			s.T.Fatalf("line %d: %s: got %q, want a number", s.Line, key, value)
		}
		return n
	}
	switch key {
	case "recipients":
		s.cfg.Recipients = number()
	case "servers":
		s.cfg.Servers = number()
	case "processes":
		s.cfg.Processes = number()
	case "chunk":
		s.cfg.Chunk = number()
	case "licence":
		s.cfg.Licence = number()
	case "returned":
		s.cfg.Returned = number()
	case "requests":
		s.cfg.Requests = number()
	case "joins":
		s.cfg.Joins = number()
	case "couples":
		s.cfg.Couples = number() > 0
	case "confirm":
		s.cfg.Confirm = number() > 0
	case "pull":
		s.cfg.Pull = s.span(value)
	case "seed":
		s.cfg.Seed = uint64(number())
	case "due":
		s.cfg.Due = s.span(value)
	case "deadline":
		s.cfg.Deadline = s.span(value)
	case "deferred", "refused", "hang":
		p, err := strconv.ParseFloat(value, 64)
		if err != nil {
			s.T.Fatalf("line %d: %s: got %q, want a share", s.Line, key, value)
		}
		*map[string]*float64{"deferred": &s.cfg.Deferred, "refused": &s.cfg.Refused, "hang": &s.cfg.Hang}[key] = p
	default:
		s.T.Fatalf("line %d: got key %q", s.Line, key)
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
	sortCrashes(s.x.Crashes)
}

// run plays the world and tells each line of its story, with the name of its host.
func (s *teller) run(tell func(w *World, host, text string)) {
	w := New(s.cfg, s.x)
	w.note = func(h int, what string, of any) {
		host := s.cfg.HostName(h)
		switch v := of.(type) {
		case nil:
		case engine.Message:
			to := "the requestor"
			switch v.To.Role {
			case engine.Operator:
			case engine.Recipients:
				to = "the recipient"
			default:
				to = s.cfg.HostName(w.hostOf(v.To))
			}
			if v.From == (engine.Address{}) {
				return // Got of the requestor
			}
			what = fmt.Sprintf("%s %s: %s", map[string]string{"sends": "->", "loses": "-> (lost)"}[what], to,
				engine.Words(v.Body))
		case *mail.Attempt:
			what = fmt.Sprintf("begins r%d, try %d", v.Rcpt, v.Try)
		case *event:
			switch r := v.completion.Reply; {
			case what == "accepted":
				what = fmt.Sprintf("r%d has the message", v.rcpt)
			case r.Fault != mail.NoFault:
				what = fmt.Sprintf("r%d: %v", v.rcpt, r.Fault)
			default:
				what = fmt.Sprintf("r%d: %d", v.rcpt, r.Code)
			}
		case engine.Dotted:
			what = fmt.Sprintf("sends the final dot of r%d", v.Rcpt)
		default:
			what += " " + engine.Words(v)
		}
		tell(w, host, what)
	}
	if r := w.Run(); r.Violation != "" {
		s.T.Errorf("line %d: %s", s.Line, r.Violation)
	}
	for r, of := range w.oracle.rcpts {
		if n := of.accepts; n > 1 {
			tell(w, "", fmt.Sprintf("r%d got the message %d times", r, n))
		}
	}
}

func (s *teller) shows(host, text string) bool {
	return host == "" || len(s.show) == 0 || slices.Contains(s.show, host) || slices.Contains(s.show, host+":facts") &&
		!strings.HasPrefix(text, "->")
}
