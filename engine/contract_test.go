package engine_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"flyball/engine"
	"flyball/engine/codec"
	"flyball/engine/delivery"
	"flyball/engine/delivery/retry"
	"flyball/engine/governing"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/replies"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

const (
	interval  = 10 * vt.Minute
	intervals = 12
	servers   = 3
)

// subjects lists all roles. A new role needs a row here: its constructor, the
// messages that it receives unasked, and its peers' answers to its actions.
var subjects = []struct {
	name   string
	build  func(*testing.T, engine.Observer) engine.Saver
	inputs []input
	answer func(now vt.Time, out *engine.Outbox) []input
}{
	{"delivery", ownGovernor, reservations, world},
	{"delivery of a cluster", share, reservations, world},
	{"delivery that reads replies", reader, reactions, readable},
	{"governing", cluster, reports(), func(vt.Time, *engine.Outbox) []input { return nil }},
}

// input is a message or, without a body, a completion.
type input struct {
	at      vt.Time
	message engine.Message
	end     mail.Completion
}

var reservations = []input{
	{at: 0, message: engine.Message{Number: 1, Body: engine.Reserve{From: 0, To: 300, Processes: 12, Subset: 7}}},
	{at: vt.Time(25 * vt.Minute), message: engine.Message{Number: 3, Body: engine.Reserve{From: 300, To: 500,
		Processes: 30, Subset: 50, Priority: 2}}},
	{at: vt.Time(26 * vt.Minute), message: engine.Message{Number: 2, Body: engine.Reserve{From: 500, To: 550,
		Processes: 9, Subset: 1, Rate: 900, Mailing: 1}}},
	{at: vt.Time(26*vt.Minute + 1), message: engine.Message{Number: 4, Body: engine.Reserve{From: 550, To: 600,
		Processes: 9, Subset: 1, Rate: 900, Mailing: 1}}},
	{at: vt.Time(intervals*interval - 3*vt.Minute), message: engine.Message{Body: engine.Stop{}}},
}

func ownGovernor(t *testing.T, obs engine.Observer) engine.Saver {
	cfg := governor.Default()
	cfg.Start, cfg.Target, cfg.StepMode, cfg.D, cfg.Interval = 20, 400, "explicit", 5, interval
	if errs := cfg.Validate(); len(errs) > 0 {
		t.Fatal(errs)
	}
	gov, err := governor.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	resends := retry.Default()
	resends.Policy, resends.Scope, resends.MinAttempts, resends.DFRAbove, resends.DFRBelow = "dfr", "mta", 1, 1.3, 1.1
	return machine(delivery.Config{Retry: resends, Freeing: delivery.Freeing{Policy: "at-interval", Victim: "newest",
		Shorten: 2}}, gov, obs)
}

func share(_ *testing.T, obs engine.Observer) engine.Saver {
	resends := retry.Default()
	resends.Policy, resends.Scope, resends.MinAttempts, resends.MaxAge = "dfr", "cluster", 1, 80*vt.Minute
	resends.GreylistDelay = vt.Minute
	each := governor.DefaultDestination()
	each.Law, each.Initial, each.Max, each.Revive = "postfix-feedback", 2, 12, 10*vt.Minute
	send := []mail.Send{{Connections: 4}, {Rate: 900, ConnectionRate: 300, Burst: 3}}
	pauses := []vt.Window{{From: vt.Time(33 * vt.Minute), To: vt.Time(41 * vt.Minute)}}
	return machine(delivery.Config{Retry: resends, Destination: each, Destinations: 3, Send: send, Pauses: pauses,
		Together: true}, delivery.NewShare(10), obs)
}

// reader has a reply table. Its rows stand for the replies of readable, in their order.
func reader(_ *testing.T, obs engine.Observer) engine.Saver {
	table := replies.Table{
		{Reaction: "slow", Share: 0.2, For: 10 * vt.Minute, Scope: "domain"}, {Reaction: "hold", For: 7 * vt.Minute},
		{Reaction: "suspend", For: 90 * vt.Second, Scope: "account", After: 3, Within: 10 * vt.Minute},
		{Reaction: "suspend", For: vt.Minute, Scope: "campaign"},
		{Reaction: "reconnect"}, {Reaction: "suspend", For: 2 * vt.Minute, Scope: "domain", Return: 1},
	}
	return machine(delivery.Config{Retry: retry.Default(), Replies: []replies.Table{table, table, table},
		Servers: 3, Destinations: 3, Destination: governor.DefaultDestination()}, delivery.NewShare(10), obs)
}

// reactions are reservations and, in between, what replies to two other servers ask for.
var reactions = slices.SortedStableFunc(slices.Values(append([]input{reaction(3, 1, 1, 0), reaction(9, 1, 2, 5),
	reaction(14, 2, 1, 0), reaction(27, 1, 3, 0)}, reservations...)),
	func(a, b input) int { return cmp.Compare(a.at, b.at) })

func reaction(minute vt.Span, server mail.Server, number uint64, row uint16) input {
	at := vt.Time(minute * vt.Minute)
	return input{at: at, message: engine.Message{Number: number,
		From: engine.Address{Role: engine.Delivery, Server: server},
		Body: engine.React{Dest: mail.Destination(number % 3), Row: row + 1, Began: at.Add(-vt.Second)}}}
}

// readable is world with replies that match rows.
func readable(now vt.Time, out *engine.Outbox) []input {
	reports := slices.DeleteFunc(slices.Clone(out.Send), func(m engine.Message) bool {
		_, react := m.Body.(engine.React)
		return react
	})
	all := world(now, &engine.Outbox{Start: out.Start, Send: reports})
	for i := range all {
		if r := &all[i].end.Reply; r.Code >= 400 {
			r.Row = 1 + uint16(int64(r.Took)/int64(vt.Second)%6)
		}
	}
	return all
}

func machine(cfg delivery.Config, gov governor.Governor, obs engine.Observer) engine.Saver {
	dest := make([]mail.Destination, 600)
	for i := range dest {
		dest[i] = mail.Destination(i % 3)
	}
	list := mail.ReadList(dest)
	cfg.Messages, cfg.Interval = 4, interval
	cfg.Retry.Delays = []vt.Span{5 * vt.Minute, 10 * vt.Minute, 20 * vt.Minute}
	return delivery.New(cfg, &list, gov, obs)
}

// world ends every attempt after some seconds, and answers reports, some at once
// and some late.
func world(now vt.Time, out *engine.Outbox) (all []input) {
	for _, a := range out.Start {
		r := rand.New(rand.NewPCG(uint64(a.Rcpt), uint64(a.Try)))
		reply := []mail.Reply{{Code: 250, Stage: mail.StageDot}, {Code: 451, Stage: mail.StageRCPT}, {Code: 421,
			Stage: mail.StageMAIL},
			{Code: 550, Stage: mail.StageRCPT}, {Fault: mail.Timeout, Stage: mail.StageConnect}}[max(0, r.IntN(12)-7)]
		reply.Took = vt.Span(1+r.IntN(150)) * vt.Second
		all = append(all, input{at: now.Add(reply.Took), end: mail.Completion{Reply: reply, Slot: a.Slot, Gen: a.Gen,
			Way: mail.NewWay(vt.Second, 9)}})
	}
	for _, m := range out.Send {
		r := m.Body.(engine.Report)
		all = append(all, input{at: now.Add(vt.Span(m.Number%3) * vt.Second), message: engine.Message{From: m.To,
			To: m.From, Number: m.Number,
			Body: engine.Verdict{Attempts: 9 * r.Sample.Attempts, Delivered: 2 * r.Sample.Attempts,
				Available: 4 + int(m.Number)%3*8}}})
	}
	return all
}

func cluster(t *testing.T, obs engine.Observer) engine.Saver {
	cfg := governor.Default()
	cfg.Start, cfg.Target, cfg.StepMode, cfg.D, cfg.Interval = 20, 4000, "explicit", 5, interval
	gov, err := governor.NewCluster(cfg, servers)
	if err != nil {
		t.Fatal(err)
	}
	return governing.New(governing.Config{Servers: servers, Interval: interval, Governor: gov,
		Target: cfg.Times(servers).TargetAt, Observer: obs})
}

// reports plays three servers whose reports arrive one after the other.
func reports() (all []input) {
	for number := range intervals {
		ended := vt.Time(number+1) * vt.Time(interval)
		for server := range servers {
			r := rand.New(rand.NewPCG(uint64(number), uint64(server)))
			sample := governor.Sample{Span: interval, Delivered: uint64(100 + r.IntN(900)), Attempts: 2000,
				Allocated: 10 + 10*r.Float64(), Demand: 30 * r.Float64()}
			all = append(all, input{at: ended.Add(vt.Span(server) * vt.Second), message: engine.Message{
				From: engine.Address{Role: engine.Delivery, Server: mail.Server(server)},
				To:   engine.Address{Role: engine.Governing}, Number: uint64(number),
				Body: engine.Report{Sample: sample, Ended: ended, RetryLimit: 10, Wanted: r.IntN(40),
					Partial: number == intervals-1}}})
		}
	}
	return all
}

// transcript records all visible behaviour of a role. It is the role's observer.
type transcript struct {
	lines []string
	sent  map[engine.Message]bool
	rows  int
	moved bool // the last input had a rare effect
}

func (v *transcript) add(now vt.Time, format string, args ...any) {
	v.lines = append(v.lines, fmt.Sprintf("%s "+format, append([]any{now}, args...)...))
}

func (v *transcript) Ended(now vt.Time, a *mail.Attempt, r *mail.Reply, s mail.Status) {
	v.add(now, "%+v %+v %s", *a, *r, s)
}

func (v *transcript) Interval(now vt.Time, s mail.Server, i engine.Interval) {
	v.rows++
	v.moved = true
	v.add(now, "server %d %+v", s, i)
}

// Every role keeps the contract: repeated and late inputs, early wakes and State do
// not change a run, and lost messages do not stop it.
func TestContract(t *testing.T) {
	sent := map[string]bool{}
	for _, s := range subjects {
		t.Run(s.name, func(t *testing.T) {
			var now vt.Time
			// drive runs the role over its inputs, with a twist before each input, after each, and
			// in what comes at all.
			type twists struct {
				before func(engine.Saver, *transcript) engine.Saver
				after  func(engine.Saver, input)
				lost   func(engine.Message) bool
			}
			drive := func(twist twists) *transcript {
				seen := &transcript{sent: map[engine.Message]bool{}}
				role := s.build(t, seen)
				coming := slices.Clone(s.inputs)
				loads := 0
				load := func(allocated float64) float64 { loads++; return allocated / 100 }
				for now = 0; ; {
					slices.SortStableFunc(coming, func(a, b input) int {
						if order := int(min(max(a.at-b.at, -1), 1)); order != 0 {
							return order
						}
						return order1(b) - order1(a)
					})
					next := role.NextWake()
					if len(coming) > 0 {
						next = min(next, coming[0].at)
					}
					if next > vt.Time((intervals+1)*interval) {
						return seen
					}
					if next < now {
						t.Fatalf("at %s the next wake is at %s", now, next)
					}
					now, loads = next, 0
					if twist.before != nil {
						role = twist.before(role, seen)
					}
					var out engine.Outbox
					var in input
					if len(coming) > 0 && coming[0].at == now {
						in, coming = coming[0], coming[1:]
						give(role, now, in, &out)
					} else {
						role.Wake(now, load, &out)
						if at := role.NextWake(); at <= now {
							t.Fatalf("woken at %s, it wants to be woken at %s", now, at)
						}
					}
					if loads > 1 {
						t.Fatalf("at %s the load was asked for %d times", now, loads)
					}
					for _, slot := range out.Close {
						seen.add(now, "close %d", slot)
					}
					for _, a := range out.Start {
						seen.add(now, "start %+v", a)
					}
					for _, m := range out.Send {
						if !seen.sent[m] { // a repeated question gets the same answer
							seen.add(now, "%v", m)
						}
						seen.sent[m], seen.moved = true, true
					}
					for _, in := range s.answer(now, &out) {
						if in.message.Body == nil || twist.lost == nil || !twist.lost(in.message) {
							coming = append(coming, in)
						}
					}
					if twist.lost != nil {
						coming = slices.DeleteFunc(coming, func(in input) bool {
							return in.message.Body != nil &&
								twist.lost(in.message)
						})
					}
					if twist.after != nil {
						twist.after(role, in)
					}
				}
			}
			plain := drive(twists{})
			if plain.rows < intervals {
				t.Fatalf("%d intervals, want %d", plain.rows, intervals)
			}
			for m := range plain.sent {
				sent[codec.Name(m.Body)] = true
				if _, ok := codec.FlowOf(m); !ok {
					t.Errorf("it sends %v, want it in the table of flows", m)
				}
				text, err := codec.Encode(m)
				if got, _ := codec.Decode(text); got != m {
					t.Errorf("%v has no form: %v", m, err)
				}
			}
			same := func(what string, got *transcript) {
				t.Helper()
				for i, line := range got.lines {
					if i >= len(plain.lines) || line != plain.lines[i] {
						t.Fatalf("%s: line %d\ngot  %s\nwant %s", what, i, line, strings.Join(plain.lines[min(i,
							len(plain.lines)):min(i+1, len(plain.lines))], ""))
					}
				}
				if len(got.lines) != len(plain.lines) {
					t.Fatalf("%s: %d lines, want %d", what, len(got.lines), len(plain.lines))
				}
			}
			same("run again", drive(twists{}))

			quiet := func(role engine.Saver, what string, do func(out *engine.Outbox)) {
				t.Helper()
				var out engine.Outbox
				next, done := role.NextWake(), role.Done()
				do(&out)
				if len(out.Close)+len(out.Start) > 0 || role.NextWake() != next || role.Done() != done {
					t.Fatalf("at %s %s has an effect: %+v, next wake %s, was %s", now, what, out, role.NextWake(), next)
				}
				for _, m := range out.Send {
					if _, ok := m.Body.(engine.Verdict); !ok {
						t.Fatalf("at %s %s sends %v", now, what, m)
					}
				}
			}
			var last vt.Time
			same("woken early", drive(twists{before: func(role engine.Saver, _ *transcript) engine.Saver {
				if early := last + (now-last)/2; early > last && early < role.NextWake() {
					quiet(role, "an early wake", func(out *engine.Outbox) {
						role.Wake(early, func(float64) float64 { t.Fatal("an early wake asks for the load"); return 0 },
							out)
					})
				}
				last = now
				return role
			}}))

			inputs := 0
			restore := func(role engine.Saver, seen *transcript) engine.Saver {
				if inputs++; !seen.moved && inputs%29 > 0 {
					return role
				}
				seen.moved = false
				c := snap.Writer()
				role.State(c)
				fresh := s.build(t, seen)
				r := snap.Reader(c.Data())
				if fresh.State(r); r.Err() != nil {
					t.Fatal(r.Err())
				}
				if fresh.NextWake() != role.NextWake() || fresh.Done() != role.Done() {
					t.Fatalf("restored at %s: next wake %s, was %s", now, fresh.NextWake(), role.NextWake())
				}
				return fresh
			}
			same("saved and restored", drive(twists{before: restore}))

			var old []input
			same("repeated", drive(twists{before: restore, after: func(role engine.Saver, in input) {
				if _, stop := in.message.Body.(engine.Stop); stop || in.message.Body == nil && in.end.Gen == 0 {
					return
				}
				old = append(old, in)
				for _, again := range []input{in, old[len(old)/2], old[0]} { // at once, late, very late
					quiet(role, fmt.Sprintf("%+v, repeated,", again),
						func(out *engine.Outbox) { give(role, now, again, out) })
				}
			}}))

			// In every third interval one report or the verdict is lost; then all messages of a
			// server, or of all servers, from one interval on.
			for _, lost := range []func(number uint64, server mail.Server) bool{
				func(number uint64, server mail.Server) bool { return number%3 == 2 && server == servers-1 },
				func(number uint64, server mail.Server) bool {
					return number >= 2 && number < intervals-1 && server == 0
				},
			} {
				got := drive(twists{lost: func(m engine.Message) bool {
					switch m.Body.(type) {
					case engine.Report:
						return lost(m.Number, m.From.Server)
					case engine.Verdict:
						return lost(m.Number, servers-1) || lost(m.Number, 0)
					}
					return false
				}})
				if got.rows < intervals {
					t.Errorf("messages are lost: %d intervals, want %d", got.rows, intervals)
				}
				ended := func(v *transcript) (n int) {
					for _, line := range v.lines {
						n += strings.Count(line, "} delivered")
					}
					return n
				}
				if got, want := ended(got), ended(plain); got < want*8/10 {
					t.Errorf("messages are lost: %d delivered, want about %d", got, want)
				}
			}

			defer func() {
				if recover() == nil {
					t.Error("it takes a message that it cannot understand")
				}
			}()
			s.build(t, &transcript{}).Receive(0, engine.Message{Body: nil}, &engine.Outbox{})
		})
	}
	for _, f := range codec.Flows {
		if f.From != engine.Operator && (f.From == engine.Delivery || f.To == engine.Delivery) &&
			!sent[codec.Name(f.Body)] {
			t.Errorf("no role sends %s, which is in the table of flows", codec.Name(f.Body))
		}
	}
}

// order1 ranks simultaneous inputs: completions first.
func order1(in input) int {
	if in.message.Body == nil {
		return 1
	}
	return 0
}

func give(role engine.Saver, now vt.Time, in input, out *engine.Outbox) {
	if in.message.Body != nil {
		role.Receive(now, in.message, out)
		return
	}
	role.(engine.Trier).Complete(now, &in.end, out)
}

// A message is a value: it may be the key of a map.
func TestMessagesAreComparable(t *testing.T) {
	for _, b := range []engine.Body{engine.Reserve{}, engine.Report{}, engine.Verdict{}, engine.React{},
		engine.Stop{}} {
		if !reflect.TypeOf(b).Comparable() {
			t.Errorf("%T is not comparable", b)
		}
	}
	m := engine.Message{From: engine.Address{Role: engine.Governing}, To: engine.Address{Role: engine.Delivery,
		Server: 2}, Number: 7, Body: engine.Verdict{Available: 3}}
	if got, want := fmt.Sprint(m), "{governing 0 delivery 2 7 {0 0 3}}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Seen agrees with a set of all numbers, for messages in any order and repeated.
func TestSeen(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 3))
		var s engine.Seen
		saved := func() []byte {
			c := snap.Writer()
			s.State(c)
			return c.Data()
		}
		came := map[engine.Message]bool{}
		for range 500 {
			m := engine.Message{From: engine.Address{Server: mail.Server(r.IntN(3))}, Number: uint64(1 + r.IntN(100))}
			if got := s.New(m); got == came[m] {
				t.Fatalf("%v is new: %v", m, got)
			}
			came[m] = true
			if r.IntN(20) == 0 {
				data := saved()
				s = engine.Seen{}
				s.State(snap.Reader(data))
			}
		}
		for n := range 300 {
			s.New(engine.Message{From: engine.Address{Server: mail.Server(n % 3)}, Number: uint64(1 + n/3)})
		}
		if got, want := len(saved()), 8*(1+3*4); got != want { // a word for their number, four for each sender
			t.Fatalf("when none is missing it takes %d bytes, want %d", got, want)
		}
	}
}
