package crash

import (
	"fmt"
	"io"
	"strings"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/sim/crash/scope"
)

// Script returns a run as a script for testdata, with its story.
func Script(cfg scope.Config, x scope.Case) string {
	var story strings.Builder
	w := New(cfg, x)
	r := w.Tell(func(host, text string) { story.WriteString(w.line(host, text)) })
	head := "# All promises are kept.\n"
	if r.Violation != "" {
		head = "# Broken: " + r.Violation + "\n"
	}
	what := ""
	if text := cfg.Text(&x); text != "" {
		what = "case " + text + "\n"
	}
	return head + "world" + cfg.Words() + "\n" + what + "play\n----\n" + story.String()
}

// line is a line of a story.
func (w *World) line(host, text string) string {
	now := vt.Span(w.now)
	return fmt.Sprintf("%-7v %-2s %s\n", now-now%vt.Millisecond, host, text)
}

// Tell runs the world and tells each line of its story, with the name of its host.
func (w *World) Tell(tell func(host, text string)) Result {
	w.note = func(h int, what string, of any) {
		switch v := of.(type) {
		case nil:
		case engine.Message:
			if v.From == (engine.Address{}) {
				return // Got of the requestor
			}
			what = fmt.Sprintf("%s %s: %s", map[string]string{"sends": "->", "loses": "-> (lost)"}[what],
				w.called(v.To), engine.Words(v.Body))
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
		tell(w.cfg.HostName(h), what)
	}
	r := w.Run()
	for i, of := range w.oracle.rcpts {
		if n := of.accepts; n > 1 {
			tell("", fmt.Sprintf("r%d got the message %d times", i, n))
		}
	}
	return r
}

// called returns what a story calls the receiver of a message.
func (w *World) called(a engine.Address) string {
	switch a.Role {
	case engine.Operator:
		return "the requestor"
	case engine.Recipients:
		return "the recipient"
	}
	return w.cfg.HostName(w.hostOf(a))
}

// Trace runs a case and writes its effects, a line each, and what came of it.
func Trace(w io.Writer, cfg scope.Config, x scope.Case) (Result, error) {
	var b strings.Builder
	world := New(cfg, x)
	world.trace = func(host int, k Kind) {
		fmt.Fprintf(&b, "%6d  %-14s %-3s %s\n", world.effects, vt.Span(world.now), cfg.HostName(host), k)
	}
	r := world.Run()
	fmt.Fprintf(&b, "\n%d missed, %d duplicates, %d unexplained, %d ambiguous", r.Missed, r.Duplicates, r.Unexplained,
		r.Ambiguous)
	if r.Reported != vt.Never {
		fmt.Fprintf(&b, "; reported after %s", vt.Span(r.Reported))
	}
	b.WriteString("\n")
	if r.Violation != "" {
		fmt.Fprintf(&b, "Broken: %s\n", r.Violation)
	}
	_, err := io.WriteString(w, b.String())
	return r, err
}
