package faulty_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/internal/fault"
	"flyball/internal/longtest"
	"flyball/internal/vt"
	virtual "flyball/sim/faulty"
)

// Model and TCP end alike in scripts that no author has chosen: two to five rules of all kinds at once.
func TestRandomScripts(t *testing.T) {
	n := longtest.Or(200, 3000)
	differ := make([]string, n)
	room := make(chan struct{}, 48)
	var plays sync.WaitGroup
	ends := map[string]int{}
	overslept.begin()
	var lock sync.Mutex
	for i := range n {
		plays.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			draws := rand.New(rand.NewPCG(uint64(i), 15))
			text := randomScript(draws)
			if i%2 > 0 {
				text += randomZone(draws)
			}
			s, err := fault.Parse("random", []byte(text))
			if err != nil {
				differ[i] = fmt.Sprintf("%v\n%s", err, text)
				return
			}
			model, err := virtual.Play(s)
			if err != nil {
				differ[i] = err.Error()
				return
			}
			lock.Lock()
			for _, o := range model.Of {
				ends[fmt.Sprintf("%s, %s", o.Class, o.Blame)]++
				ends["status "+o.Status]++
			}
			lock.Unlock()
			for scale := 300.0; scale > 10; scale /= 5 { // a machine that is late makes a difference
				began := time.Now()
				live, err := once(s, scale)
				if differ[i] = difference(live, model, err); differ[i] == "" {
					return
				}
				differ[i] += "\n" + text + live.log
				if late := vt.Span(float64(overslept.since(began)) * scale); scale < 60 && late > vt.Second/2 {
					t.Logf("the machine was late by %s of the script's time: %s", late, differ[i])
					differ[i] = ""
				}
			}
		})
	}
	plays.Wait()
	overslept.end()
	for i, d := range differ {
		if d != "" {
			t.Errorf("script %d: %s", i, d)
		}
	}
	if !longtest.Asked() {
		return
	}
	for _, want := range []string{"OK, none", "T, route", "T, session", "T, recipient", "P, route", "P, us",
		"P, recipient", "A, session", "T, us", "status 5.1.2", "status 5.1.10", "status 5.4.4", "status 5.4.6",
		"status 4.4.3"} {
		if ends[want] == 0 {
			t.Errorf("no recipient ended with %s: the test tests too little: %v", want, ends)
		}
	}
}

// difference returns how a play on TCP and one in the model differ; empty if they do not.
func difference(live play, model fault.Result, err error) string {
	if err != nil {
		return err.Error()
	}
	us := func(o fault.Outcome) bool { return o.Blame == fault.BlameUs && o.Class == fault.Transient }
	if live.Sessions != model.Sessions && !slices.ContainsFunc(model.Of, us) { // until the end of the run
		return fmt.Sprintf("TCP has %d sessions, the model %d", live.Sessions, model.Sessions)
	}
	if !slices.ContainsFunc(model.Of, us) && (live.Questions != model.Questions ||
		!slices.Equal(live.Visited, model.Visited)) {
		return fmt.Sprintf("TCP has %d questions and the hosts %d, the model %d and %d", live.Questions, live.Visited,
			model.Questions, model.Visited)
	}
	for r, a := range live.Of {
		b := model.Of[r]
		a.Took, b.Took, a.Last, b.Last = 0, 0, met(a.Last), met(b.Last)
		switch {
		case us(b) && a.Attempts == 0: // not by the end of the run
			continue
		case us(b):
			a.Kept, b.Kept = 0, 0
		}
		if a != b {
			return fmt.Sprintf("recipient %d: TCP ends with %+v, the model with %+v", r+1, a, b)
		}
	}
	if len(live.content) > 0 {
		return strings.Join(live.content, "; ")
	}
	return ""
}

// randomScript returns a script without an expectation that means anything.
func randomScript(d *rand.Rand) string {
	pick := func(from ...string) string { return from[d.IntN(len(from))] }
	some := func(n int, text string) string {
		if d.IntN(n) > 0 {
			return ""
		}
		return text
	}
	var b strings.Builder
	recipients, tries := 1+d.IntN(4), 1
	if d.IntN(2) == 0 { // several resends may be due at once in the model alone, and go over one connection
		recipients, tries = 1, 1+d.IntN(3)
	}
	fmt.Fprintf(&b, "source random\njob until=45s recipients=%d tries=%d hosts=%d%s%s%s%s\n", recipients, tries,
		1+d.IntN(2), some(3, " pipelining=yes"), some(4, " messages=2"), some(3, " ambiguous=resend"),
		some(4, " size=100kB")+some(4, " tls="+pick("opportunistic", "required", "verified")))
	if d.IntN(5) == 0 {
		fmt.Fprintf(&b, "offer PIPELINING%s\nat starttls%s: %s\n", pick(", STARTTLS", ", STARTTLS", ""),
			some(2, " session=1"), pick("ok", `reply "454 later"`, `reply "220 go", tls `+pick("sound", "self-signed",
				"expired", "wrong-name", "abrupt", "garbage, close"), "close",
				`reply "220 go", close`, `reply "501 no", close`))
	} else {
		fmt.Fprintln(&b, "offer "+pick("PIPELINING", "PIPELINING, 8BITMIME", "8BITMIME, SIZE 1000000",
			"PIPELINING, SIZE 50000", "LIMITS MAILMAX=2, PIPELINING"))
	}
	for range 2 + d.IntN(4) {
		at := pick("connect", "banner", "ehlo", "helo", "mail", "mail", "rcpt", "rcpt", "rcpt", "data", "dot",
			"dot", "dot", "rset", "quit")
		where := some(4, " host=1") + some(3, fmt.Sprintf(" session=%d", 1+d.IntN(3))) +
			some(3, fmt.Sprintf(" message=%d..", 1+d.IntN(3)))
		if at == "rcpt" || at == "data" || at == "dot" {
			where += some(3, fmt.Sprintf(" recipient=%d", 1+d.IntN(4))) + some(4, " try=1")
		}
		fmt.Fprintf(&b, "at %s%s: %s\n", at, where, randomActions(d, at, pick, some))
	}
	fmt.Fprintln(&b, "expect OK attempts=1.. blame=none")
	return b.String()
}

// randomActions returns what a receiver does at a stage.
func randomActions(d *rand.Rand, at string, pick func(...string) string, some func(int, string) string) string {
	if at == "connect" {
		return pick("close", "reset")
	}
	end := "reset"
	if at == "banner" { // what is reset at once may never have been connected
		end = "close"
	}
	code := pick("421", "450", "451", "452", "450", "451", "452", "500", "501", "503", "530", "550", "552", "553",
		"554", "250", "251", "220", "354", "199", "600")
	reply := pick("ok", "ok", `reply "`+code+` what"`, `reply "`+code+`"`, `reply "`+code+`-what\r\n`+code+` then"`,
		`reply "`+code+`-what\r\n250 then"`, `reply "`+pick("", "what", "25", "250_ok", "+OK")+`"`,
		`send "`+code+` wh", close`, `send "`+code+`-what\r\n", close`, "close", end)
	if strings.HasSuffix(reply, "close") || strings.HasSuffix(reply, "reset") {
		return some(3, "wait 1s, ") + reply
	}
	return some(4, "wait 1s, ") + reply + some(8, `, reply "`+code+` more"`) + some(4, ", "+pick("close", end))
}

// randomZone returns what a name server has for some names that refer to each other.
func randomZone(d *rand.Rand) string {
	names := []string{"@", "other", "mx1", "mx2", "mx3", "host"}
	pick := func() string { return names[d.IntN(len(names))] }
	var b strings.Builder
	fmt.Fprintln(&b, "at dns name=nothing: ok")
	if d.IntN(12) == 0 {
		fmt.Fprintf(&b, "at dns name=.: %s\n", []string{"servfail", "silence", "refused"}[d.IntN(3)])
	}
	for _, name := range names {
		if d.IntN(3) == 0 {
			continue
		}
		from := fmt.Sprintf("at dns name=%s", name)
		if d.IntN(6) == 0 {
			from += " time=1"
		}
		switch d.IntN(14) {
		case 0:
			fmt.Fprintf(&b, "%s: nxdomain\n", from)
		case 1:
			fmt.Fprintf(&b, "%s: servfail\n", from)
		case 2:
			fmt.Fprintf(&b, "%s: %s\n", from, []string{"silence", "refused", "answer", "answer short=7"}[d.IntN(4)])
		case 3, 4:
			target := pick()
			if target == "@" {
				target = "fault.example."
			}
			more := ""
			if d.IntN(2) == 0 {
				more = fmt.Sprintf(` "%s MX %d mx%d"`, target, d.IntN(3), 1+d.IntN(3))
			}
			fmt.Fprintf(&b, "%s: answer \"@ %d CNAME %s\"%s\n", from, d.IntN(2)*60, target, more)
		}
		if d.IntN(2) == 0 {
			fmt.Fprintf(&b, "%s type=MX: answer", from)
			for range 1 + d.IntN(4) {
				host := pick()
				switch d.IntN(10) {
				case 0:
					host = "."
				case 1:
					host = "127.0.0.1."
				case 2:
					host = "sender.example."
				}
				fmt.Fprintf(&b, " \"@ %d MX %d %s\"", 3600*d.IntN(2), d.IntN(3), host)
			}
			fmt.Fprintln(&b)
		}
		addresses := func(kind string, all ...string) {
			fmt.Fprintf(&b, "at dns name=%s type=%s: answer soa=60/60", name, kind)
			for range d.IntN(4) {
				fmt.Fprintf(&b, " \"@ %s %s\"", kind, all[d.IntN(len(all))])
			}
			fmt.Fprintln(&b)
		}
		if name != "other" {
			addresses("A", "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.9", "0.0.0.0")
			if d.IntN(3) == 0 {
				addresses("AAAA", "::1", "::1", "::")
			}
		}
	}
	return b.String()
}

// A reply that is cut at any byte is none: before the final dot the message goes out again, after it the attempt is
// ambiguous. A whole reply to the final dot counts, whatever follows. A server that closes at EHLO may know HELO.
func TestCutAnywhere(t *testing.T) {
	type cut struct {
		text string
		want fault.Class
	}
	var all []cut
	for _, reply := range []string{"banner 220", "ehlo 250", "mail 250", "rcpt 250", "data 354", "dot 250"} {
		at, code, _ := strings.Cut(reply, " ")
		whole := code + "-first\r\n" + code + " second\r\n"
		for n := 1; n <= len(whole); n += longtest.Or(4, 1) {
			for _, end := range []string{"close", "reset"} {
				c := cut{fmt.Sprintf("source RFC 5321 4.2\nat %s: send %q, %s\nexpect OK attempts=1 blame=none\n", at,
					whole[:n], end), fault.Transient}
				switch {
				case at == "dot" && n == len(whole), at == "ehlo" && n < len(whole):
					c.want = fault.Delivered
				case at == "dot":
					c.want = fault.Ambiguous
				}
				all = append(all, c)
			}
		}
	}
	room := make(chan struct{}, 48)
	var plays sync.WaitGroup
	for _, c := range all {
		plays.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			s, err := fault.Parse("cut", []byte(c.text))
			if err != nil {
				t.Error(err)
				return
			}
			model, err := virtual.Play(s)
			if err != nil || model.Of[0].Class != c.want || model.Of[0].Attempts != 1 {
				t.Errorf("the model ends with %+v, %v, want %s:\n%s", model.Of[0], err, c.want, c.text)
			}
			if live, err := once(s, 60); err != nil || live.Of[0].Class != c.want || live.Of[0].Attempts != 1 {
				t.Errorf("TCP ends with %+v, %v, want %s:\n%s", live.Of[0], err, c.want, c.text)
			}
		})
	}
	plays.Wait()
}
