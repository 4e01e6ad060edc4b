// Package replies is a sender's reading of replies: a table that gives each reply a
// class and a reaction by its text, its enhanced status and its code, and the brake that
// reactions put on the attempts to a destination.
//
// One status has several meanings, some 5yz pass and some 4yz never do, so a row decides
// and not the code. The network model matches rows when it is built, since it has the
// text of each of its replies then; a live run matches what it reads.
package replies

import (
	"strconv"
	"strings"

	"flyball/internal/conf"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Row is a row of a reply table: which replies it matches, what these mean, and what the
// sender does then.
type Row struct {
	// word or words in the text of the reply, such as "TSS04", in upper or lower case; not given: any text
	Text string `toml:"text,omitdefault" pattern:"^[ -~]{0,200}$"`
	// enhanced status of the reply (RFC 3463); not given: any, or none
	Enhanced mail.Enhanced `toml:"enhanced,omitdefault"`
	// reply code; not given: any
	Code int `toml:"code,omitdefault" range:"400..599"`
	// stage at which the reply comes; not given: any
	At string `toml:"at,omitdefault" oneof:"banner ehlo mail rcpt data dot"`
	// what the reply is about, for the report
	Class string `toml:"class" required:"true"`
	// what the sender does
	Reaction string `toml:"reaction" default:"none"`
	// what slow and suspend apply to
	Scope string `toml:"scope" default:"source"`
	// how long attempts are suspended, the recipient is held, or a slowed rate takes to recover
	// Source: scenario
	For vt.Span `toml:"for" range:"1s..30d"`
	// share of its rate to which slow reduces the rate at once
	// Source: assumed: half; no provider publishes one
	Share float64 `toml:"share" range:"0.01..0.99" default:"0.5"`
	// attempts that may be under way at once after a suspension, one more whenever as many as may be have gone well; 0:
	// any number
	// Source: scenario
	Return int `toml:"return,omitdefault" range:"0..1000000"`
	// such replies within the time within, from which on each slows or suspends
	// Source: assumed: one is enough; KumoMTA's community file counts two to five in an hour
	After int `toml:"after,omitdefault" range:"1..100" default:"1"`
	// time in which after counts
	// Source: derived: KumoMTA's community file counts in hours
	Within vt.Span `toml:"within,omitdefault" range:"1s..30d" default:"1h"`
	// the report names the reply as one that somebody must attend to: resending does not cure it
	Alarm bool `toml:"alarm,omitdefault"`
}

// classes are the choices of the key class, in the order of help and schema.
var classes = []conf.Choice{
	{Name: "connections"}, {Name: "messages-per-connection"}, {Name: "source-rate"}, {Name: "domain-rate"},
	{Name: "window"}, {Name: "new-source"}, {Name: "reputation-soft"}, {Name: "reputation-hard"}, {Name: "content"},
	{Name: "authentication"}, {Name: "greylist"}, {Name: "mailbox-rate"}, {Name: "mailbox-full"},
	{Name: "unknown-user"}, {Name: "recipients-per-message"}, {Name: "busy"}, {Name: "own-quota"},
}

// reactions are the choices of the key reaction, in the order of help and schema.
var reactions = []conf.Choice{
	{Name: "none", Doc: "goes by the code: 4yz is resent, 5yz has failed"},
	{Name: "defer", Doc: "resends by the schedule, after a 5yz too"},
	{Name: "reconnect", Doc: "resends at once over a new connection, and by the schedule if the connection was new"},
	{Name: "slow", Doc: "resends by the schedule, and reduces the rate, which recovers linearly"},
	{Name: "suspend", Doc: "resends by the schedule, and begins no attempt for a time"},
	{Name: "hold", Doc: "resends this recipient after a time"},
	{Name: "bounce", Doc: "gives the recipient up, after a 4yz too"},
}

// scopes are the choices of the key scope.
var scopes = []conf.Choice{
	{Name: "source", Doc: "is this server at this destination"},
	{Name: "domain", Doc: "is this destination, for all servers"},
	{Name: "campaign", Doc: "is the campaign, on this server"},
	{Name: "account", Doc: "is all destinations, for this server"},
}

// Choices returns the classes, reactions or scopes that a key may name.
func (Row) Choices(key string) []conf.Choice {
	switch key {
	case "class":
		return classes
	case "reaction":
		return reactions
	case "scope":
		return scopes
	}
	return nil
}

// String returns what the row matches in a few words: 421 4.7.0 "low reputation" at mail.
func (r Row) String() string {
	var words []string
	if r.Code != 0 {
		words = append(words, strconv.Itoa(r.Code))
	}
	if r.Enhanced != 0 {
		words = append(words, r.Enhanced.String())
	}
	if r.Text != "" {
		words = append(words, strconv.Quote(r.Text))
	}
	if r.At != "" {
		words = append(words, "at "+r.At)
	}
	return strings.Join(words, " ")
}

// Gates reports whether the reaction limits when later attempts may begin.
func (r Row) Gates() bool { return r.Reaction == "slow" || r.Reaction == "suspend" }

// Idle reports whether a key has no meaning beside the other values of r.
func (r Row) Idle(key string) bool {
	switch key {
	case "scope":
		return !r.Gates()
	case "for":
		return !r.Gates() && r.Reaction != "hold"
	case "share":
		return r.Reaction != "slow"
	case "return":
		return r.Reaction != "suspend" || r.Scope == "campaign"
	case "after":
		return !r.Gates()
	case "within":
		return !r.Gates() || r.After <= 1
	}
	return false
}

// Problems reports every problem beside the ranges of the keys.
func (r Row) Problems() []error {
	var l conf.List
	l.Check(r.Text != "" || r.Enhanced != 0 || r.Code != 0, "code",
		"got none, and no text or enhanced, want one of them")
	if r.Code != 0 {
		mail.CheckStatus(&l, "enhanced", r.Code, r.Enhanced)
	}
	l.Check(r.Idle("for") || r.For > 0, "for", "got none, want how long %s lasts", r.Reaction)
	l.Check(!r.Idle("for") || r.For == 0, "for", "got %s, want none: reaction = %q has no use for it", r.For,
		r.Reaction)
	l.Check(r.Reaction != "slow" || r.Scope != "campaign", "scope",
		"got \"campaign\", want source, domain or account: a campaign is suspended, not slowed")
	l.Check(r.Return == 0 || !r.Idle("return"), "return",
		"got %d, want 0: a source, domain or account returns from reaction = \"suspend\"", r.Return)
	l.Check(r.After <= 1 || !r.Idle("after"), "after", "got %d, want 1: reaction = %q takes effect at once", r.After,
		r.Reaction)
	return l
}

// Check adds the problems of the rows of a list with a key to l, beside those of their
// ranges.
func Check(l *conf.List, key string, rows []Row) {
	l.Check(len(rows) <= MostRows, key, "got %d rows, want at most %d", len(rows), MostRows)
	for i, r := range rows {
		l.Within(conf.Index(key, i), r.Problems())
	}
}

// ClassOf returns what a reply means for its recipient.
func (r *Row) ClassOf(reply *mail.Reply) mail.Class {
	switch r.Reaction {
	case "none":
		return reply.Class()
	case "bounce":
		return mail.Bounce
	}
	return mail.Deferral
}
