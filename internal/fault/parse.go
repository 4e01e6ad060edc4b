package fault

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"flyball/internal/conf"
	"flyball/internal/unit"
	"flyball/internal/vt"
)

// The bounds of a script.
const (
	mostBytes  = 1 << 20  // of the file
	mostText   = 16 << 20 // sent by one action
	mostNumber = 1_000_000
	mostErrors = 20
)

// attribute is a key of a line, with what its value must be and where the value goes.
type attribute[T any] struct {
	key, want string
	set       func(t *T, value string) bool
}

var ofJob = []attribute[Script]{
	{"recipients", "1 to 1000000", func(s *Script, v string) bool { return number(&s.Job.Recipients, v) }},
	{"tries", "1 to 1000000", func(s *Script, v string) bool { return number(&s.Job.Tries, v) }},
	{"messages", "1 to 1000000", func(s *Script, v string) bool { return number(&s.Job.Messages, v) }},
	{"login", "yes", func(s *Script, v string) bool { s.Job.Login = v == "yes"; return s.Job.Login }},
	{"pipelining", "yes", func(s *Script, v string) bool { s.Job.Pipelining = v == "yes"; return s.Job.Pipelining }},
	{"processes", "1 to 1000", func(s *Script, v string) bool {
		return number(&s.Job.Processes, v) && s.Job.Processes <= 1000
	}},
	{"body", `a text such as "\r\n.hidden"`, func(s *Script, v string) bool {
		text, err := strconv.Unquote(v)
		s.Job.Body = text
		return err == nil && v[0] == '"'
	}},
	{"until", wantSpan, func(s *Script, v string) bool { return span(&s.Job.Until, v) && s.Job.Until > 0 }},
	{"domains", "1 to 1000000", func(s *Script, v string) bool { return number(&s.Job.Domains, v) }},
	{"hosts", "1 to 200", func(s *Script, v string) bool { return number(&s.Hosts, v) && s.Hosts <= 200 }},
	{"size", `a size such as "10MB", at most 64MB`, func(s *Script, v string) bool {
		return bytes(&s.Job.Size, v) && s.Job.Size <= 64e6
	}},
	{"tls", "one of none, opportunistic, required, verified", func(s *Script, v string) bool {
		return word(&s.Job.TLS, v, "none", "opportunistic", "required", "verified")
	}},
	{"utf8", "one of local, domain, body", func(s *Script, v string) bool {
		return word(&s.Job.UTF8, v, "local", "domain", "body")
	}},
	{"ambiguous", "one of hold, resend", func(s *Script, v string) bool {
		s.Job.Resend = v == "resend"
		return s.Job.Resend || v == "hold"
	}},
}

var ofRule = []attribute[Rule]{
	{"host", wantRange, func(r *Rule, v string) bool { return numbers(&r.Host, v) }},
	{"session", wantRange, func(r *Rule, v string) bool { return numbers(&r.Session, v) }},
	{"message", wantRange, func(r *Rule, v string) bool { return numbers(&r.Message, v) }},
	{"recipient", wantRange, func(r *Rule, v string) bool { return numbers(&r.Recipient, v) }},
	{"try", wantRange, func(r *Rule, v string) bool { return numbers(&r.Try, v) }},
	{"encrypted", "one of yes, no", func(r *Rule, v string) bool { return word(&r.Encrypted, v, "yes", "no") }},
	{"after", `a size such as "10kB"`, func(r *Rule, v string) bool { return bytes(&r.After, v) }},
}

var ofWant = []attribute[Want]{
	{"recipient", wantRange, func(w *Want, v string) bool { return numbers(&w.Recipients, v) }},
	{"attempts", wantRange, func(w *Want, v string) bool { return numbers(&w.Attempts, v) }},
	{"sessions", "0 to 1000000", func(w *Want, v string) bool {
		n, err := strconv.ParseUint(v, 10, 32)
		w.Sessions = int(n)
		return err == nil && n <= mostNumber
	}},
	{"took", `a time or a range of times such as "10m", "5s..6s" or "1m.."`, func(w *Want, v string) bool {
		return spans(&w.From, &w.To, v)
	}},
	{"blame", "one of " + strings.Join(blameNames[1:], ", "), func(w *Want, v string) bool {
		i := slices.Index(blameNames[1:], v)
		w.Blame = Blame(i + 1)
		return i >= 0
	}},
	{"questions", wantRange, func(w *Want, v string) bool { return numbers(&w.Questions, v) }},
	{"status", `an enhanced status code such as "5.1.10"`, func(w *Want, v string) bool {
		w.Status = v
		return strings.Count(v, ".") == 2
	}},
	{"kept", "0 to 1000000", func(w *Want, v string) bool {
		n, err := strconv.ParseUint(v, 10, 32)
		w.Kept = int(n)
		return err == nil && n <= mostNumber
	}},
}

const wantSpan = `a time such as "90s", "3h" or "30d", at most 30d`

// noEnd is the end of a range of times without one.
const noEnd = 36500 * vt.Day

const wantRange = `a number or a range such as "2", "2.." or "2..5"`

func number(n *int, v string) bool {
	i, err := strconv.ParseUint(v, 10, 32)
	*n = int(i)
	return err == nil && 1 <= i && i <= mostNumber
}

func bytes(n *unit.Bytes, v string) bool {
	b, err := unit.ParseBytes(v)
	*n = b
	return err == nil
}

func span(to *vt.Span, v string) bool {
	d, err := vt.ParseSpan(v)
	*to = d
	return err == nil && d <= 30*vt.Day
}

func word(to *string, v string, all ...string) bool {
	*to = v
	return slices.Contains(all, v)
}

func numbers(r *Range, v string) bool {
	from, to, ranges := strings.Cut(v, "..")
	switch {
	case !number(&r.From, from):
		return false
	case !ranges:
		r.To = r.From
		return true
	}
	return to == "" || number(&r.To, to) && r.To >= r.From
}

func spans(from, to *vt.Span, v string) bool {
	first, last, ranges := strings.Cut(v, "..")
	a, err := vt.ParseSpan(first)
	*from, *to = a, a
	if err == nil && ranges {
		*to = noEnd
		if last != "" {
			*to, err = vt.ParseSpan(last)
		}
	}
	return err == nil && *from <= *to
}

// keys returns the keys of attributes.
func keys[T any](all []attribute[T]) (names []string) {
	for _, a := range all {
		names = append(names, a.key)
	}
	return names
}

// Parse reads the script of the file called name. The error has all problems, each as file:line:column: what, got
// and want.
func Parse(name string, text []byte) (*Script, error) {
	s := &Script{Name: base(name), Hosts: 1, Offers: []string{"PIPELINING", "8BITMIME"},
		Job: Job{Recipients: 1, Tries: 1, Processes: 1, Messages: 100, Until: 30 * vt.Day, TLS: "none"}}
	if len(text) > mostBytes {
		return nil, fmt.Errorf("%s: got %d bytes, want at most %d", name, len(text), mostBytes)
	}
	p := &parser{file: name, script: s, seen: map[string]int{}}
	for line := range strings.Lines(string(text)) {
		p.line++
		p.whole = strings.TrimRight(line, "\r\n")
		p.rest = p.whole
		p.statement()
	}
	if len(p.errs) > 0 {
		return nil, errors.Join(p.errs...)
	}
	if len(s.Wants) == 0 {
		p.line, p.whole, p.rest = max(p.line, 1), "", ""
		p.wrong("script", "no expect line", "at least one")
	} else if w := s.Wants[0]; w.Recipients != (Range{}) {
		p.line, p.whole, p.rest = w.line, "", ""
		p.wrong("expect", "recipient in the first expectation", "the first for all recipients")
	}
	if s.Source == "" {
		p.wrong("script", "no source line", `one such as "source RFC 5321 3.8"`)
	}
	if len(p.errs) > 0 {
		return nil, errors.Join(p.errs...)
	}
	return s, nil
}

// base returns the name of a file without its folder and extension.
func base(name string) string {
	name = name[strings.LastIndexByte(name, '/')+1:]
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		name = name[:i]
	}
	return name
}

// parser reads a script line by line. After a problem it goes on with the next line.
type parser struct {
	file   string
	line   int
	whole  string // the line
	rest   string // of the line
	script *Script
	seen   map[string]int // lines of statements that may stand once
	errs   []error
}

// wrong notes a problem at the rest of the line, and drops the rest.
func (p *parser) wrong(what, got, want string) {
	column := len(p.whole) - len(p.rest) + 1
	p.rest = ""
	switch {
	case len(p.errs) < mostErrors:
		p.errs = append(p.errs, fmt.Errorf("%s:%d:%d: %s: got %s, want %s", p.file, p.line, column, what, got, want))
	case len(p.errs) == mostErrors:
		p.errs = append(p.errs, fmt.Errorf("%s: more problems than %d", p.file, mostErrors))
	}
}

// space skips blanks.
func (p *parser) space() { p.rest = strings.TrimLeft(p.rest, " \t") }

// next returns the next word of the line, up to a blank, comma or colon, without taking it.
func (p *parser) next() string {
	p.space()
	if i := strings.IndexAny(p.rest, " \t,:"); i >= 0 {
		return p.rest[:i]
	}
	return p.rest
}

// pair returns the next word of the line, whose value may be a quoted text.
func (p *parser) pair() string {
	word := p.next()
	i := strings.IndexByte(word, '=')
	if i < 0 {
		return word
	}
	if q, err := strconv.QuotedPrefix(p.rest[i+1:]); err == nil && q[0] == '"' {
		return word[:i+1] + q
	}
	return word
}

func (p *parser) take(n int) { p.rest = p.rest[n:] }

var statements = []string{"source", "job", "offer", "at", "expect"}

func (p *parser) statement() {
	p.space()
	if p.rest == "" || p.rest[0] == '#' {
		return
	}
	first := p.next()
	switch first {
	case "source", "job", "offer":
		if p.seen[first] > 0 {
			p.wrong(first, "a second one", fmt.Sprintf("one: line %d has it", p.seen[first]))
			return
		}
		p.seen[first] = p.line
	case "at", "expect":
	default:
		p.wrong("statement", quoted(first), "one of "+strings.Join(statements, ", ")+
			conf.DidYouMean(first, statements))
		return
	}
	p.take(len(first))
	p.space()
	switch first {
	case "source":
		if p.script.Source = strings.TrimSpace(p.rest); p.script.Source == "" {
			p.wrong("source", "nothing", "a text")
		}
	case "offer":
		p.offer()
	case "job":
		attributes(p, "job", ofJob, p.script)
		p.end("job")
	case "at":
		p.at()
	case "expect":
		p.expect()
	}
}

// offer reads keywords of EHLO, between commas. Without one nothing is offered.
func (p *parser) offer() {
	p.script.Offers = nil
	for p.space(); p.rest != ""; p.space() {
		keyword, more, ok := strings.Cut(p.rest, ",")
		if keyword = strings.TrimSpace(keyword); keyword == "" || ok && strings.TrimSpace(more) == "" {
			p.wrong("offer", quoted(p.rest), `keywords between commas, such as "STARTTLS, SIZE 1000"`)
			return
		}
		p.script.Offers = append(p.script.Offers, keyword)
		p.rest = more
	}
}

// end notes what is left on the line.
func (p *parser) end(what string) {
	if p.space(); p.rest != "" {
		p.wrong(what, quoted(p.rest), "the end of the line")
	}
}

// attributes reads key=value pairs as long as there are any.
func attributes[T any](p *parser, what string, all []attribute[T], to *T) {
	for {
		pair := p.pair()
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return
		}
		i := slices.Index(keys(all), key)
		switch {
		case i < 0:
			p.wrong(what, quoted(key), "one of "+strings.Join(keys(all), ", ")+conf.DidYouMean(key, keys(all)))
			return
		case !all[i].set(to, value):
			p.wrong(what+" "+key, quoted(value), all[i].want)
			return
		}
		p.take(len(pair))
	}
}

// at reads a rule.
func (p *parser) at() {
	r := Rule{Line: p.line}
	name := p.next()
	i := slices.Index(stageNames[:], name)
	if i < 0 {
		p.wrong("at", quoted(name), "one of "+strings.Join(stageNames[:], ", ")+conf.DidYouMean(name, stageNames[:]))
		return
	}
	r.Stage = Stage(i)
	p.take(len(name))
	if r.Stage == DNS {
		attributes(p, "at "+name, ofQuestion, &r)
	} else {
		attributes(p, "at "+name, ofRule, &r)
	}
	if p.rest == "" && p.dropped() {
		return
	}
	if p.space(); !strings.HasPrefix(p.rest, ":") {
		p.wrong("at "+name, quoted(p.rest), "conditions such as session=2, and a colon")
		return
	}
	p.take(1)
	for {
		a, ok := p.action(r.Stage)
		if !ok {
			return
		}
		r.Actions = append(r.Actions, a)
		if p.space(); p.rest == "" {
			break
		}
		switch {
		case p.rest[0] != ',':
			p.wrong("at "+name, quoted(p.rest), "a comma and an action, or the end of the line")
			return
		case a.Verb.ends():
			p.wrong("at "+name, "an action after "+a.Verb.String(), "none")
			return
		}
		p.take(1)
	}
	if !slices.ContainsFunc(r.Actions, func(a Action) bool { return a.Verb.answers() }) {
		p.wrong("at "+name, "no answer", "one of ok, reply, send, drip, skip, silence, close, reset")
		return
	}
	if r.Actions[0].Verb.ofConnect() && (r.Session != Range{} || r.Message != Range{} || r.Recipient != Range{} ||
		r.Try != Range{} || r.Encrypted != "" || r.Question != Question{}) {
		p.wrong("at "+name, "a condition with "+r.Actions[0].Verb.String(), "none but host: there is no session")
		return
	}
	p.script.Rules = append(p.script.Rules, r)
}

// dropped reports whether the line at hand has a problem.
func (p *parser) dropped() bool {
	return len(p.errs) > 0 && strings.HasPrefix(p.errs[len(p.errs)-1].Error(), fmt.Sprintf("%s:%d:", p.file, p.line))
}

// words of actions: the verbs, three ways to send, and four answers of a name server.
var actionNames = append([]string{"reply", "drip", "nodata", "nxdomain", "servfail", "refused"}, verbNames[:]...)

// places are the stages of the actions that are not for all.
var places = map[Verb][]Stage{Respond: {DNS}, Refuse: {Connect, DNS}, BlackHole: {Connect}, Unreachable: {Connect},
	TLS: {STARTTLS}, Slow: {Body}, Keep: {Dot}, Lose: {Dot}}

// action reads an action of a rule at a stage.
func (p *parser) action(at Stage) (a Action, ok bool) {
	name := p.next()
	if !slices.Contains(actionNames, name) {
		p.wrong("action", quoted(name), "one of "+strings.Join(actionNames, ", ")+conf.DidYouMean(name, actionNames))
		return a, false
	}
	a.Verb = Verb(max(0, slices.Index(verbNames[:], name)))
	code, responds := codes[name]
	switch {
	case responds:
		a.Verb, a.Code = Respond, code
	case name == "reply" || name == "drip":
		a.Verb = Send
	}
	switch places := places[a.Verb]; {
	case places != nil && !slices.Contains(places, at):
		p.wrong("action", name+" at "+at.String(), "it at "+places[0].String())
		return a, false
	case at == DNS && !a.Verb.ofNames():
		p.wrong("action", name+" at "+at.String(), "one of answer, nodata, nxdomain, servfail, refused, ok, wait, "+
			"silence, close, reset, refuse")
		return a, false
	case at == Connect && !a.Verb.ofConnect() && a.Verb != Close && a.Verb != Reset && a.Verb != Wait && a.Verb != OK,
		at == Body && (a.Verb == OK || a.Verb == Skip):
		p.wrong("action", name+" at "+at.String(), "it at a command")
		return a, false
	}
	p.take(len(name))
	switch {
	case a.Verb == Wait:
		return a, p.span("wait", &a.For)
	case a.Verb == Slow:
		rate := p.next()
		if !bytes(&a.Rate, rate) || a.Rate < 1 {
			p.wrong("slow", quoted(rate), `bytes in a second such as "8kB"`)
			return a, false
		}
		p.take(len(rate))
	case a.Verb == TLS:
		a.How = p.next()
		if all := []string{"sound", "self-signed", "expired", "wrong-name", "garbage", "abrupt"}; !slices.Contains(all,
			a.How) {
			p.wrong("tls", quoted(a.How), "one of "+strings.Join(all, ", "))
			return a, false
		}
		p.take(len(a.How))
	case a.Verb == Respond:
		return a, p.answer(name, &a)
	case a.Verb == Send:
		if name == "drip" && !p.span("drip", &a.Pace) {
			return a, false
		}
		return a, p.text(name, &a)
	}
	return a, true
}

// answer reads what an answer of the name server has, and its records.
func (p *parser) answer(what string, a *Action) bool {
	attributes(p, what, ofAnswer, &a.Answer)
	if p.dropped() {
		return false
	}
	for p.space(); strings.HasPrefix(p.rest, `"`); p.space() {
		q, err := strconv.QuotedPrefix(p.rest)
		text, _ := strconv.Unquote(q)
		all, ok := records(text)
		if err != nil || !ok {
			p.wrong(what, quoted(p.rest), wantRecord)
			return false
		}
		a.Records = append(a.Records, all...)
		p.take(len(q))
	}
	if a.Authority == nil && (what == "nodata" || what == "nxdomain") {
		a.Authority = lasting()
	}
	if !a.fits() {
		p.wrong(what, "old="+quoted(a.Old), "bytes that the answer has, and records that have room in it")
		return false
	}
	return true
}

func (p *parser) span(what string, to *vt.Span) bool {
	v := p.next()
	if !span(to, v) {
		p.wrong(what, quoted(v), wantSpan)
		return false
	}
	p.take(len(v))
	return true
}

// text reads what is sent: a quoted text as in Go, with a number before it if it is sent several times.
func (p *parser) text(what string, a *Action) bool {
	a.Times = 1
	if n := p.next(); n != "" && '0' <= n[0] && n[0] <= '9' {
		if !number(&a.Times, n) {
			p.wrong(what, quoted(n), "1 to 1000000, how often the text is sent")
			return false
		}
		p.take(len(n))
	}
	p.space()
	q, err := strconv.QuotedPrefix(p.rest)
	if err != nil || q[0] != '"' {
		p.wrong(what, quoted(p.rest), `a text such as "250 ok", with \r, \n and \x00 as in Go`)
		return false
	}
	a.Text, _ = strconv.Unquote(q)
	if what != "send" {
		a.Text += "\r\n"
	}
	if len(a.Text) == 0 || len(a.Text)*a.Times > mostText {
		p.wrong(what, fmt.Sprintf("%d bytes", len(a.Text)*a.Times), fmt.Sprintf("1 to %d", mostText))
		return false
	}
	p.take(len(q))
	return true
}

// expect reads an expectation.
func (p *parser) expect() {
	w := Want{line: p.line, Kept: -1, Sessions: -1}
	for range 2 { // recipient stands before the class or behind it
		attributes(p, "expect", ofWant, &w)
		if p.dropped() {
			return
		}
		name := p.next()
		if i := slices.Index(classNames[1:], name); i >= 0 && w.Class == 0 {
			w.Class = Class(i + 1)
			p.take(len(name))
			attributes(p, "expect", ofWant, &w)
			if p.dropped() {
				return
			}
			break
		}
	}
	switch {
	case w.Class == 0:
		p.wrong("expect", quoted(p.next()), "a class: one of "+strings.Join(classNames[1:], ", "))
		return
	case w.Attempts == (Range{}) || w.Blame == 0:
		p.wrong("expect", "no attempts or no blame", "both, such as attempts=2 blame=route")
		return
	}
	p.end("expect")
	p.script.Wants = append(p.script.Wants, w)
}

// quoted returns a text for an error, cut where it is long.
func quoted(s string) string {
	if len(s) > 40 {
		s = s[:40] + "..."
	}
	return strconv.Quote(s)
}
