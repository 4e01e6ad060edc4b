package scenarios

import (
	"reflect"
	"slices"
	"strings"

	"flyball/engine"
	"flyball/engine/inbox"
	"flyball/engine/sender"
	"flyball/internal/conf"
	"flyball/internal/mail"
	"flyball/internal/tomlfile"
	"flyball/internal/vt"
	"flyball/netmodel/config"
)

// Bus is how messages between the sender's own servers travel.
type Bus struct {
	// least time of a message; the longest is twice as long
	// Source: assumed: servers in several places of a continent
	Delay vt.Span `toml:"delay,omitdefault" range:">0s..1m" default:"10ms"`
	// share of messages that are lost
	// Source: assumed: none is lost
	Loss float64 `toml:"loss,omitdefault" range:"0..0.5"`
	// share of messages that come a second time
	// Source: assumed: none comes twice
	Repeat float64 `toml:"repeat,omitdefault" range:"0..0.5"`
}

// Disk is the disk of each of the sender's own servers.
type Disk struct {
	// time after which what a server writes is durable; whatever rests on it, such as a final dot or a message, waits
	// Source: assumed: no time
	Commit vt.Span `toml:"commit,omitdefault" range:"0s..1m" default:"0s"`
}

// Account limits the campaigns of one account.
type Account struct {
	// as in campaign.account
	Name string `toml:"name" pattern:"^[a-z0-9][a-z0-9-]{0,63}$" required:"true"`
	// most MTA processes of its campaigns under way, on all servers; 0: no limit
	// Source: scenario
	Processes int `toml:"processes" range:"0..1000000"`
	// most recipients of its campaigns who are given to servers in a day, while all others wait for the next day; days
	// have 24 h, and the first begins with the run; 0: no limit
	// Source: scenario
	PerDay int `toml:"messages_per_day" range:"0..1000000000"`
}

// Returns is the server that takes returned mail.
type Returns struct {
	// returned mail is not read
	Ignored bool `toml:"ignored,omitdefault"`

	// number of hard returns (the mailbox does not exist) after which a person gets nothing any more ([0079])
	// Source: derived: [0079]: more than one
	Hard int `toml:"hard,omitdefault" range:"1..1000" default:"2"`
	// number of soft returns (any other reason) after which a person gets nothing any more; 0: never
	// Source: assumed: the reason passes
	Soft int `toml:"soft,omitdefault" range:"0..1000"`
}

// Requests is the server that takes requests.
type Requests struct {
	// requests are not read
	Ignored bool `toml:"ignored,omitdefault"`
	// words that make a letter from a recipient a request to get nothing any more ([0044]); a letter without them has
	// no effect
	Words []string `toml:"words,omitdefault" default:"delete, unsubscribe"`
	// a request counts only when the recipient has confirmed it ([0047])
	Confirm bool `toml:"confirm,omitdefault"`
	// time after which a change of the list is sent again if the sending server has not acknowledged it; the server for
	// returned mail does the same
	// Source: assumed: a hundred times the delay of a message
	Push vt.Span `toml:"push,omitdefault" range:">0s..1d" default:"1s"`
}

// Asks describes recipients who ask to get nothing any more.
type Asks struct {
	// share of the recipients who ask, of all who get the message
	// Source: scenario
	Share float64 `toml:"share" range:"0..1"`
	// least time from the message to the request; the longest is twice as long
	// Source: assumed: many read at once
	After vt.Span `toml:"after" range:"0s..30d" default:"10m"`
	// text of the request
	Letter string `toml:"letter" default:"unsubscribe" pattern:"^[ -~]{1,400}$"`
}

// Off reports whether no recipient asks.
func (a Asks) Off() bool { return a.Share == 0 }

// Fault is something that happens to one of the sender's own servers.
type Fault struct {
	// name of a delivering server, or sender, returns or requests
	Server string `toml:"server" required:"true"`
	// what happens
	Kind string `toml:"kind" default:"power-min" required:"true"`
	// when it happens; if within is given, at the earliest
	// Source: scenario
	At vt.Span `toml:"at" unit:"moment" range:">0s..3650d" required:"true"`
	// the moment is drawn between at and this much later; 0s: it happens exactly at at
	// Source: scenario
	Within vt.Span `toml:"within,omitdefault" range:"0s..3650d"`
	// how long it lasts; not given: for good
	// Source: scenario
	For vt.Span `toml:"for,omitdefault" range:">0s..3650d"`
}

// Kinds of Fault.
const (
	Kill     = "kill"
	PowerMin = "power-min"
	PowerAny = "power-any"
	Pause    = "pause"
	Cut      = "cut"
)

// Choices returns the kinds of faults with what each does.
func (Fault) Choices(key string) []conf.Choice {
	if key != "kind" {
		return nil
	}
	return []conf.Choice{
		{Name: Kill, Doc: "ends the server's process, and its disk keeps everything"},
		{Name: PowerMin, Doc: "takes its power, and its disk keeps what was made durable"},
		{Name: PowerAny, Doc: "takes its power, and its disk keeps some of what was written after that too"},
		{Name: Pause, Doc: "lets it do nothing for a time; its memory and its connections stay"},
		{Name: Cut, Doc: "loses all messages between it and the sender's other servers; it still delivers mail"},
	}
}

// Names of the sender's own servers beside delivering ones.
const (
	SenderName   = "sender"
	ReturnsName  = "returns"
	RequestsName = "requests"
)

// mostWithFaults is the most recipients in a run with faults, which keeps what every server has written.
const mostWithFaults = 5_000_000

// Guarded reports whether something can come before a final dot: one of the sender's own servers can stop, be out of
// reach or have to wait for its disk, or a recipient is to get nothing any more.
func (s *Scenario) Guarded() bool {
	return len(s.Faults) > 0 || s.Bus.Loss > 0 || s.Disk.Commit > 0 || s.returns() || s.AskForLess()
}

// returns reports whether messages come back.
func (s *Scenario) returns() bool {
	return slices.ContainsFunc(s.Destinations, func(d config.Destination) bool { return !d.Returned.Off() })
}

// AskForLess reports whether recipients ask to get nothing any more.
func (s *Scenario) AskForLess() bool {
	return slices.ContainsFunc(s.Campaigns, func(c Campaign) bool { return !c.Asks.Off() })
}

// checkSystem checks what needs a sending server.
func (s *Scenario) checkSystem(l *conf.List) {
	d := s.Dispatch
	if !d.Sends() {
		const want = "want a sending server: sender.check, such as \"10s\""
		l.Check(d.Partition != "pull", "sender.partition", "got \"pull\" without sender.check, %s", want)
		l.Check(len(s.Faults) == 0, "fault", "got some without sender.check, %s", want)
		l.Check(len(s.AccountLimits) == 0, "account", "got some without sender.check, %s", want)
		l.Check(s.Returns == Default().Returns, "returns", "got settings without sender.check, %s", want)
		l.Check(reflect.DeepEqual(s.Requests, Default().Requests), "requests", "got settings without sender.check, %s",
			want)
		for i, v := range s.Destinations {
			l.Check(v.Returned.Off(), conf.Index("destination", i)+".returned", "got settings without sender.check, %s",
				want)
		}
		for i, c := range s.Campaigns {
			l.Check(c.Asks.Off(), conf.Index("campaign", i)+".asks", "got settings without sender.check, %s", want)
		}
		l.Check(s.Bus == Default().Bus, "bus", "got settings without sender.check, %s", want)
		l.Check(s.Disk == Disk{}, "disk", "got settings without sender.check, %s", want)
		return
	}
	control := s.SendingServer()
	for _, err := range control.Validate() {
		key, text, _ := strings.Cut(err.Error(), ": ")
		if key == "patience" { // the others are checked here
			l.Check(false, "sender."+key, "%s", text)
		}
	}
	l.Check(d.Plain(), "sender.partition", "got %s with sender.check, want shares or pull", tomlfile.Quote(d.Partition))
	needs := d.Check + 4*s.Bus.Delay + 4*s.Disk.Commit
	l.Check(needs < d.Lease, "sender.lease", "got %s, want more than %s: sender.check + 4 x bus.delay + "+
		"4 x disk.commit; a shorter lease ends before it is renewed", d.Lease, needs)
	s.checkAccounts(l)
	for i, w := range s.Requests.Words {
		l.Check(inbox.Word(w), conf.Index("requests.words", i), "got %s, want letters or digits", tomlfile.Quote(w))
	}
	l.Check(len(s.Requests.Words) > 0, "requests.words", "got none, want at least one: without one no letter is a "+
		"request")
	if !s.Guarded() {
		return
	}
	l.Check(!s.Together(), "governor", "got servers that decide together, want "+
		"each by itself: a server that stops or waits would stop the others")
	n := s.Recipients()
	l.Check(n <= mostWithFaults, "campaign", "got %d recipients in all campaigns, want at most %d with faults, "+
		"loss, returned mail or requests: what every server has written is kept", n, mostWithFaults)
	names := []string{SenderName}
	if s.returns() && !s.Returns.Ignored {
		names = append(names, ReturnsName)
	}
	if s.AskForLess() && !s.Requests.Ignored {
		names = append(names, RequestsName)
	}
	others := len(names)
	for i, v := range s.Servers {
		l.Check(!slices.Contains(names[:others], v.Name), conf.Index("server", i)+".name",
			"got %q, want another name: with sender.check it is the name of another of the sender's servers", v.Name)
		names = append(names, v.Name)
	}
	for i, f := range s.Faults {
		key := conf.Index("fault", i)
		l.Check(slices.Contains(names, f.Server), key+".server", "got %s, want one of %s%s", tomlfile.Quote(f.Server),
			strings.Join(names, ", "), conf.DidYouMean(f.Server, names))
		l.Check(s.Horizon <= 0 || f.At+f.Within < s.Horizon, key+".at", "got %s, want at + within before "+
			"horizon = %s", f.At, s.Horizon)
		l.Check(f.Server != SenderName || f.For > 0, key+".for", "got none, want how long the sending server is away: "+
			"without it no mailing ends")
	}
}

// SendingServer returns the configuration of the sending server of a scenario that has one.
func (s *Scenario) SendingServer() sender.Config {
	c := sender.Default(len(s.Servers))
	c.Check, c.Lease, c.Patience = s.Dispatch.Check, s.Dispatch.Lease, s.Dispatch.Patience
	c.Licence, c.Efficiency, c.Stall = s.Dispatch.Licence, s.Dispatch.Efficiency, s.Stall()
	if s.Dispatch.Partition == "pull" {
		c.Chunk = s.Dispatch.Chunk
	}
	for _, a := range s.AccountLimits {
		c.Accounts = append(c.Accounts, sender.Account{Processes: a.Processes, Messages: a.PerDay})
	}
	return c
}

// Stall returns the time after which an attempt that takes no step stands still ([0035]): longer than the slowest
// receiver may take for a step, and than an attempt waits for its turn on a server with a limit of its own.
func (s *Scenario) Stall() vt.Span {
	t := s.Dialogue.Timeouts
	stall := max(15*vt.Minute, 2*(t.DNS+t.Connect+t.Banner+t.Command+t.Data+t.Dot))
	if slices.ContainsFunc(s.Servers, func(v config.Server) bool { return v.Rate > 0 || v.Bandwidth > 0 }) {
		stall = max(stall, s.Horizon)
	}
	return stall
}

// checkAccounts checks that each account has campaigns.
func (s *Scenario) checkAccounts(l *conf.List) {
	var known, seen []string
	for _, c := range s.Campaigns {
		known = append(known, c.Account)
	}
	for i, a := range s.AccountLimits {
		key := conf.Index("account", i) + ".name"
		l.Check(slices.Contains(known, a.Name), key, "got %q, want the account of a campaign%s", a.Name,
			conf.DidYouMean(a.Name, known))
		l.Check(!slices.Contains(seen, a.Name), key, "got %q a second time, want a name of its own", a.Name)
		seen = append(seen, a.Name)
	}
}

// Submissions returns the campaigns of a run over a list of that many recipients, as the sending server gets them.
func (s *Scenario) Submissions(recipients int) (all []engine.Submitted) {
	first := mail.Recipient(0)
	for i, end := range s.Ends(recipients) {
		c := s.Campaigns[i]
		all = append(all, engine.Submitted{Job: engine.Job(i + 1), First: first, Recipients: end - first,
			Due: vt.Time(c.Start), Deadline: vt.Time(c.Deadline),
			Account: 1 + slices.IndexFunc(s.AccountLimits, func(a Account) bool { return a.Name == c.Account }),
			Terms:   engine.Terms{Processes: c.Processes, Size: c.Subset, Priority: c.Priority, Rate: c.Rate}})
		first = end
	}
	return all
}

// Person returns the number of the person at a place of the list of all campaigns if all have the same list: the
// number of the recipient within its campaign.
func Person(campaigns []engine.Submitted, r mail.Recipient) mail.Recipient {
	for _, m := range campaigns {
		if r < m.First+m.Recipients {
			return r - m.First
		}
	}
	return r
}

// Inboxes returns the configurations of the servers for returned mail and for requests; nil where messages do not come
// back or recipients do not ask, or are ignored. recipients is the length of the list.
func (s *Scenario) Inboxes(recipients int) (returns, requests *inbox.Config) {
	base := func(k engine.Kind) *inbox.Config {
		c := inbox.Default(engine.Address{Role: k})
		c.Push, c.Delete, c.ConfirmDelete = s.Requests.Push, s.Requests.Words, s.Requests.Confirm
		if work := s.Submissions(recipients); s.Dispatch.SameList {
			c.Same = func(r mail.Recipient) (all []mail.Recipient) {
				person := Person(work, r)
				for _, m := range work {
					if person < m.Recipients {
						all = append(all, m.First+person)
					}
				}
				return all
			}
		}
		return &c
	}
	if s.returns() && !s.Returns.Ignored {
		returns = base(engine.Bounces)
		returns.Hard, returns.Soft = s.Returns.Hard, s.Returns.Soft
	}
	if s.AskForLess() && !s.Requests.Ignored {
		requests = base(engine.Requests)
	}
	return returns, requests
}
