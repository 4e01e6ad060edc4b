package crash

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Quiet returns the small scope without chances: no refusals, nothing that comes back, no requests.
func Quiet() Config {
	c := Small()
	c.Deferred, c.Refused, c.Returned, c.Requests, c.Joins, c.Couples = 0, 0, 0, 0, 0, false
	return c
}

// key is a key of the line "world" of a script.
type key struct {
	name  string
	value any // a pointer to a field of Config
}

func (c *Config) keys() []key {
	return []key{{"recipients", &c.Recipients}, {"mailings", &c.Mailings}, {"servers", &c.Servers},
		{"processes", &c.Processes}, {"licence", &c.Licence}, {"daily", &c.Daily}, {"chunk", &c.Chunk},
		{"window", &c.Window}, {"seed", &c.Seed}, {"due", &c.Due}, {"deadline", &c.Deadline},
		{"deferred", &c.Deferred}, {"refused", &c.Refused},
		{"returned", &c.Returned}, {"requests", &c.Requests}, {"asks", &c.Asks}, {"joins", &c.Joins},
		{"confirm", &c.Confirm}, {"couples", &c.Couples}, {"pull", &c.Pull}, {"message", &c.Message}, {"open", &c.Open},
		{"accept", &c.Accept}, {"answer", &c.Answer}, {"commit", &c.Commit}, {"hang", &c.Hang},
		{"stall", &c.Stall}, {"batch", &c.Batch}, {"check", &c.Check},
		{"lease", &c.Lease}, {"patience", &c.Patience}, {"horizon", &c.Horizon}, {"scheme", &c.Scheme}}
}

// Set sets the value of a key, such as "recipients" or "due".
func (c *Config) Set(name, text string) (err error) {
	all := c.keys()
	i := slices.IndexFunc(all, func(k key) bool { return k.name == name })
	if i < 0 {
		return fmt.Errorf("got key %q", name)
	}
	switch v := all[i].value.(type) {
	case *int:
		*v, err = strconv.Atoi(text)
	case *uint64:
		*v, err = strconv.ParseUint(text, 10, 64)
	case *float64:
		*v, err = strconv.ParseFloat(text, 64)
	case *bool:
		*v, err = strconv.ParseBool(text)
	case *vt.Span:
		err = v.UnmarshalText([]byte(text))
	case *Scheme:
		var ok bool
		if *v, ok = SchemeNamed(text); !ok {
			err = fmt.Errorf("want one of %s", strings.Join(SchemeNames(), ", "))
		}
	}
	if err != nil {
		return fmt.Errorf("%s: got %q: %w", name, text, err)
	}
	return nil
}

// words returns the keys that differ from Quiet, as the line "world" has them.
func (c *Config) words() (text string) {
	quiet := Quiet()
	plain := quiet.keys()
	for i, k := range c.keys() {
		if now := valueOf(k.value); now != valueOf(plain[i].value) {
			text += " " + k.name + "=" + now
		}
	}
	return text
}

func valueOf(v any) string {
	switch v := v.(type) {
	case *int:
		return strconv.Itoa(*v)
	case *uint64:
		return strconv.FormatUint(*v, 10)
	case *float64:
		return strconv.FormatFloat(*v, 'g', -1, 64)
	case *bool:
		return strconv.FormatBool(*v)
	case *vt.Span:
		return v.String()
	}
	return v.(*Scheme).String()
}

// Script returns the first run that broke a promise as a script.
func (a *Account) Script(s *Search) string { return Script(s.Config, a.Failures[0].least) }

// Script returns a run as a script for testdata, with its story.
func Script(cfg Config, x Case) string {
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
	return head + "world" + cfg.words() + "\n" + what + "play\n----\n" + story.String()
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
