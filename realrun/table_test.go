package realrun_test

import (
	"bytes"
	"slices"
	"testing"

	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/replies"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/limits"
	"flyball/realrun"
	"flyball/realrun/sink"
	"flyball/reports/runlog"
	"flyball/scenarios/work"
)

// reading is a row of a table by its destination and number.
type reading struct {
	dest mail.Destination
	row  uint16
}

// readings returns how often replies matched each row.
func readings(counts map[reading]int) runlog.Watch {
	return func(_ vt.Time, a mail.Attempt, r mail.Reply, _ mail.Status) {
		if r.Row > 0 {
			counts[reading{a.Dest, r.Row}]++
		}
	}
}

// A whole table is read alike on sockets and in the simulation: rows of seven reactions and
// four scopes, for replies at four stages, some of which contradict their codes. Every
// recipient ends alike after as many tries, each row matches as many replies, and the
// receivers have refused what the sender has read.
func TestTableInBothWorlds(t *testing.T) {
	t.Parallel()
	s := rehearsal(1500)
	s.Retry.Limit = 6
	big := &s.Destinations[0]
	big.Fail = []config.Fail{
		{At: "mail", Reply: 421, P: 0.02, Text: "[TSS04] Messages deferred"},
		{At: "mail", Reply: 451, P: 0.02, Enhanced: 4_007_500, Text: "Server busy. (AS761)"},
		{At: "rcpt", Reply: 450, P: 0.06, Enhanced: 4_002_001, Text: "at a rate"},
		{At: "rcpt", Reply: 554, P: 0.03, Text: "too many messages on one connection: IB510"},
		{At: "data", Reply: 452, P: 0.02}, {At: "data", Reply: 554, P: 0.01, Text: "maximum daily quota"},
		{At: "dot", Reply: 451, P: 0.02, Enhanced: 4_007_001, Text: "[TS03] retrying will not succeed"},
		{At: "dot", Reply: 552, P: 0.01, Enhanced: 5_007_000, Text: "UnsolicitedMessage"},
		{At: "dot", Fault: "drop", P: 0.005},
	}
	big.Replies = []replies.Row{
		{Text: "TSS04", Class: "reputation-soft", Reaction: "suspend", Scope: "source", For: 2 * vt.Second, Return: 1},
		{Enhanced: 4_007_500, Text: "as761", Class: "new-source", Reaction: "slow", Scope: "domain",
			For: 10 * vt.Second, Share: 0.5, After: 2, Within: vt.Minute},
		{Enhanced: 4_002_001, Class: "mailbox-rate", Reaction: "hold", For: 7 * vt.Second},
		{Text: "IB510", Class: "messages-per-connection", Reaction: "reconnect"},
		{Code: 452, At: "data", Class: "window", Reaction: "defer"},
		{Text: "daily quota", At: "data", Class: "own-quota", Reaction: "suspend", Scope: "account", For: vt.Second},
		{Text: "TS03", Class: "reputation-hard", Reaction: "bounce", Alarm: true},
		{Enhanced: 5_007_000, Text: "unsolicitedmessage", Class: "content", Reaction: "suspend", Scope: "campaign",
			For: vt.Second},
	}
	s.Replies = []replies.Row{{Code: 550, Class: "unknown-user", Reaction: "none"},
		{Code: 451, At: "rcpt", Class: "greylist", Reaction: "defer"}}

	simulated, found := map[reading]int{}, map[reading]int{}
	want, world := simulate(t, s, readings(simulated))
	var journal bytes.Buffer
	j := realrun.NewJournal(&journal)
	got, receivers, r := live(t, s, 50, j, readings(found))
	differ := 0
	for i := range want.status {
		if want.status[i] != got.status[i] || want.tries[i] != got.tries[i] {
			if differ++; differ <= 5 {
				t.Errorf("recipient %d: live %v after %d tries, simulated %v after %d", i, got.status[i], got.tries[i],
					want.status[i], want.tries[i])
			}
		}
	}
	for d, table := range s.ReplyTables() {
		for i, row := range table {
			at := reading{mail.Destination(d), uint16(i + 1)}
			if simulated[at] != found[at] || d == 0 && found[at] == 0 && i < len(big.Replies)+1 {
				t.Errorf("row %d of %s (%s) matches %d replies live, %d in the simulation, want as many, and some",
					i+1, s.Destinations[d].Name, row, found[at], simulated[at])
			}
		}
	}
	if a := receivers.Ledger.Account(got.status, got.ambiguous); !a.Clean() {
		t.Errorf("the receivers' ledger disagrees: %+v", a)
	}
	for _, c := range r.Record().Replies() {
		if c.Code < 400 || c.Code == 421 { // 421 over a kept connection is asked for again over a new one
			continue
		}
		refused := 0
		for server := range s.Servers {
			refused += receivers.Ledger.Refused(sink.Refusal{Server: mail.Server(server),
				Dest: mail.Destination(c.Destination), Stage: c.Stage, Code: uint16(c.Code)})
		}
		if refused != int(c.Count) {
			t.Errorf("%s refused %d at %s %d times, the sender read it %d times", s.Destinations[c.Destination].Name,
				c.Code, c.Stage, refused, c.Count)
		}
	}
	if len(world.Record().Replies()) != len(r.Record().Replies()) {
		t.Errorf("live attempts end as %+v, simulated as %+v", r.Record().Replies(), world.Record().Replies())
	}
	for i := range got.status { // a 5yz that passes, a 4yz that never does
		if got.status[i] == mail.Failed && receivers.Ledger.Accepted(mail.Recipient(i)) {
			t.Errorf("recipient %d has failed, and has a message", i)
		}
	}
	replays(t, s, j, &journal, r)
}

// What a reaction holds up is held up on sockets, as the receivers saw it: one process of a
// server takes its list in order, so that each refusal and each message is as in the
// simulation. The receiver takes ten messages from a server and refuses the eleventh.
func TestReactionsHoldInBothWorlds(t *testing.T) {
	const n, asks, other = 60, 0, 1
	for _, v := range []struct {
		name      string
		row       replies.Row
		campaigns int
		refused   int // attempts that the receiver refuses the first server
	}{
		{"source", replies.Row{Reaction: "suspend", Scope: "source"}, 1, 1},
		{"domain", replies.Row{Reaction: "suspend", Scope: "domain"}, 1, 1},
		{"campaign", replies.Row{Reaction: "suspend", Scope: "campaign"}, 2, 2},
		{"account", replies.Row{Reaction: "suspend", Scope: "account"}, 1, 1},
		{"third reply", replies.Row{Reaction: "suspend", Scope: "source", After: 3, Within: vt.Hour}, 1, 3},
		{"slow", replies.Row{Reaction: "slow", Scope: "source", Share: 0.0001}, 1, 1},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			s := rehearsal(n)
			s.Horizon = 3 * vt.Minute
			s.Servers, s.Destinations = s.Servers[:1], s.Destinations[:2]
			for i := range s.Destinations {
				d := &s.Destinations[i]
				d.Fail, d.Dead, d.Receiver, d.Share = nil, nil, "go-smtp", 1
			}
			v.row.Code, v.row.Class, v.row.For = 554, "window", 30*vt.Day
			s.Destinations[asks].Allowances = []limits.Allowance{{Limit: 10, Window: 30 * vt.Day, Kind: "fixed",
				Scope: "server", Growth: 1, Reply: 554}}
			s.Destinations[asks].Replies = []replies.Row{v.row}
			s.Governor = governor.Default()
			s.Governor.Law, s.Governor.Start, s.Governor.Interval = "hold", 1, 20*vt.Second
			s.Campaigns[0].Subset = 1
			for range v.campaigns - 1 {
				s.Campaigns = append(s.Campaigns, s.Campaigns[0])
			}
			if v.name == "domain" { // another server, far away, that is never refused itself
				far := s.Servers[0]
				far.Name, far.Share, far.ExtraRTT = "far", 0.3, vt.Second
				s.Servers = append(s.Servers, far)
			}
			want, world := simulate(t, s)
			got, receivers, r := live(t, s, 50, nil)
			list := s.List(rng.New(s.Seed, 0))
			all := work.Arrivals(s, list.Len())
			waits := 0 // recipients of asks on the far server that have no message
			for i := range got.status {
				onFar := slices.ContainsFunc(all, func(a work.Arrival) bool {
					return a.Server == 1 && a.Reserve.From <= mail.Recipient(i) && mail.Recipient(i) < a.Reserve.To
				})
				to := list.Destination(mail.Recipient(i))
				if onFar && to == asks {
					if !receivers.Ledger.Accepted(mail.Recipient(i)) {
						waits++
					}
					continue
				}
				if got.status[i] != want.status[i] ||
					receivers.Ledger.Accepted(mail.Recipient(i)) != (want.status[i] == mail.Done) {
					t.Errorf("recipient %d of %s: %v live, received %v, %v in the simulation", i,
						s.Destinations[to].Name, got.status[i],
						receivers.Ledger.Accepted(mail.Recipient(i)), want.status[i])
				}
			}
			if len(s.Servers) > 1 && waits == 0 {
				t.Error("the far server was not told of the refusal")
			}
			for server := range s.Servers {
				refused := receivers.Ledger.Refused(sink.Refusal{Server: mail.Server(server), Dest: asks,
					Stage: mail.StageMAIL, Code: 554})
				if server == 0 && refused != v.refused || server > 0 && refused > 0 {
					t.Errorf("server %d was refused %d times, want the first one %d times, and no other", server,
						refused, v.refused)
				}
			}
			if r.Record().Count(mail.Done) == n || world.Record().Count(mail.Done) < 10 {
				t.Errorf("%d delivered live, %d in the simulation: nothing is held up", r.Record().Count(mail.Done),
					world.Record().Count(mail.Done))
			}
			if a := receivers.Ledger.Account(got.status, got.ambiguous); !a.Clean() {
				t.Errorf("the receivers' ledger disagrees: %+v", a)
			}
		})
	}
}

// A sender that returns from a penalty with one connection, and takes one more at a time, is
// forgiven: the receiver refuses what was under way when it began, and little beyond.
func TestReturnInBothWorlds(t *testing.T) {
	t.Parallel()
	const n, processes = 400, 60
	s := rehearsal(n)
	s.Servers, s.Destinations = s.Servers[:1], s.Destinations[:1]
	d := &s.Destinations[0]
	d.Fail, d.Dead = nil, nil
	d.Penalty = limits.Penalty{Rate: 1, Pause: 10 * vt.Second, Connections: 20, Escalate: 1, Most: vt.Day,
		Memory: vt.Day, Reply: 421, Enhanced: 4_007_028}
	d.Recent = vt.Minute
	d.Replies = []replies.Row{{Enhanced: 4_007_028, Class: "source-rate", Reaction: "suspend", Scope: "source",
		For: 15 * vt.Second, Return: 1}}
	s.Governor = governor.Default()
	s.Governor.Law, s.Governor.Start, s.Governor.Interval = "hold", processes, 20*vt.Second
	s.Retry.Limit = 50
	_, world := simulate(t, s)
	got, receivers, r := live(t, s, 50, nil)
	refused := receivers.Ledger.Refused(sink.Refusal{Stage: mail.StageMAIL, Code: 421})
	t.Logf("%d refused live, %d in the simulation", refused, world.Record().Refusals())
	if refused < 1 || refused > 3*processes || world.Record().Refusals() > 3*processes {
		t.Errorf("%d refused live, %d in the simulation, want 1 to %d", refused, world.Record().Refusals(),
			3*processes)
	}
	if r.Record().Count(mail.Done) != n || world.Record().Count(mail.Done) != n {
		t.Errorf("%d delivered live, %d in the simulation, want %d", r.Record().Count(mail.Done),
			world.Record().Count(mail.Done), n)
	}
	if a := receivers.Ledger.Account(got.status, got.ambiguous); !a.Clean() {
		t.Errorf("the receivers' ledger disagrees: %+v", a)
	}
}
