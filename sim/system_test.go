package sim_test

import (
	"testing"
	"time"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/runlog"
	"flyball/scenarios"
	"flyball/sim"
)

// faults stops servers, loses messages and lets disks take their time. What does not stop for good comes back
// within an hour, and one delivering server stays.
func (d *dice) faults(s *scenarios.Scenario) {
	s.Dispatch.Window = pick(d, 1, 5, 1000)
	v := &s.Dispatch
	v.Check = pick(d, 10*vt.Second, vt.Minute) // some receivers defer for days
	v.Lease, v.Patience = 6*v.Check, 60*v.Check
	s.Bus.Delay = pick(d, 1, 10*vt.Millisecond, v.Check/2)
	if d.coin() {
		v.Partition, v.Chunk = "pull", d.between(30, 200)
	}
	s.Bus.Loss, s.Bus.Repeat = pick(d, 0, 0, 0.05), pick(d, 0, 0, 0.05)
	s.Disk.Commit = pick(d, 0, 1, s.Dispatch.Check/8)
	names := []string{scenarios.SenderName}
	for _, v := range s.Servers {
		names = append(names, v.Name)
	}
	for range d.between(1, 5) {
		f := scenarios.Fault{Server: pick(d, names...), Kind: pick(d, scenarios.Kill, scenarios.PowerMin,
			scenarios.PowerAny, scenarios.Pause, scenarios.Cut), At: 1 + d.span(60_000), Within: d.span(60_000),
			For: pick(d, vt.Millisecond, vt.Second, vt.Minute, vt.Hour, 2*vt.Hour)}
		if f.Server == names[len(names)-1] && len(s.Servers) > 1 && d.coin() {
			f.For = 0
		}
		s.Faults = append(s.Faults, f)
	}
}

// Whatever stops, is paused or cut off, every mailing is reported, no recipient counts as delivered without a receiver
// that accepted a message, and each second message follows an attempt without a recorded end, or the loss of a
// server, for at most a window of recipients of each of its subsets.
func TestFaultsMissNoRecipient(t *testing.T) {
	struck := map[string]int{}
	eachScenario(t, howMany(t, 60, 600), func(t *testing.T, d *dice, s *scenarios.Scenario) {
		if s.OneGovernor() || s.Retry.OfCluster() {
			return // refused with faults
		}
		d.sender(s)
		d.faults(s)
		s.Horizon, s.Governor.Changes, s.Quiet = 60*vt.Day, nil, nil
		s.Governor.Interval = max(s.Governor.Interval, vt.Hour)
		w, err := sim.New(s, replication(s), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.KeepOutcomes()
		began := time.Now()
		end, stopped := w.Run(func(sim.Progress) bool { return time.Since(began) < 20*time.Second })
		if stopped {
			t.Fatalf("after 20 s at %s: %s", w.Where(), w.System())
		}
		run := &runlog.Run{End: end, Campaigns: s.CampaignsOf(s.Recipients())}
		c := w.Control()
		w.Record().Fold(run, uint64(s.Recipients()), c.Suppressed)
		if !run.Totals.Balanced() || run.Totals.Pending > 0 {
			t.Errorf("totals %+v, want all final", run.Totals)
		}
		var duplicates uint64
		for r, n := range w.Accepts() {
			if o := run.Outcomes[r]; o.Status == mail.Done && n == 0 {
				t.Errorf("recipient %d is %+v, and no receiver has the message", r, o)
			}
			duplicates += uint64(max(n, 1) - 1)
		}
		lost := 0
		for _, m := range c.Mailings {
			if m.Reported == vt.Never {
				t.Errorf("mailing %s is not reported after %s: %+v", m.Name, end, c)
			}
			lost += m.Lost
		}
		if most := c.Ambiguous + uint64(lost*s.Dispatch.Window); duplicates != c.Duplicates || duplicates > most {
			t.Errorf("%d messages came twice, counted %d, want at most %d: %+v", duplicates, c.Duplicates, most, c)
		}
		for _, f := range s.Faults {
			struck[f.Kind]++
		}
	})
	for _, kind := range []string{scenarios.Kill, scenarios.PowerMin, scenarios.PowerAny, scenarios.Pause,
		scenarios.Cut} {
		if struck[kind] < 5 {
			t.Errorf("%d faults %q, want some", struck[kind], kind)
		}
	}
}

// campaignWith returns the built-in scenario campaign with its fault changed.
func campaignWith(t *testing.T, set ...string) *scenarios.Scenario {
	t.Helper()
	src, _ := scenarios.Builtin("campaign")
	s, err := scenarios.Load("campaign", src, append([]string{"campaign[0].recipients=60000", "fault[0].at=3m"},
		set...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A server that pauses for longer than its lease, and than the sending server waits, sends nothing when it goes on,
// but for what was on its way.
func TestPausedServerSendsNothing(t *testing.T) {
	s := campaignWith(t, `fault[0].kind="pause"`, "fault[0].for=7m")
	wakes := vt.Time(s.Faults[0].At + s.Faults[0].For)
	before, after := 0, 0
	w, err := sim.New(s, 0, nil, func(now vt.Time, a mail.Attempt, r mail.Reply, _ mail.Status) {
		switch {
		case a.Server != 1 || r.Class() != mail.Delivered:
		case now <= wakes:
			before++
		default:
			after++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Run(nil)
	if m := w.Control().Mailings[0]; before < 5000 || after > 0 || m.Moved == 0 {
		t.Errorf("b2 delivered %d messages before it went on, %d after it; %d recipients went to others", before, after,
			m.Moved)
	}
}

// Requests during a mailing count at once, and returned mail before the next mailing.
func TestRequestsCountAtOnce(t *testing.T) {
	run := func(set ...string) *runlog.Control {
		src, _ := scenarios.Builtin("unsubscribe")
		s, err := scenarios.Load("unsubscribe", src, append(set, "campaign[0].recipients=20000",
			"campaign[1].recipients=20000", "campaign[1].start=9m"))
		if err != nil {
			t.Fatal(err)
		}
		w, err := sim.New(s, 0, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.Run(nil)
		return w.Control()
	}
	heeded := run(`requests.words=["stop", "UNSUBSCRIBE"]`)
	for _, c := range []struct {
		what string
		got  *runlog.Control
	}{
		{"nobody reads them", run("requests.ignored=true", "returns.ignored=true")},
		{"their words are others", run(`requests.words=["stop"]`, "returns.hard=9")},
	} {
		if c.got.Suppressed > 0 || c.got.Unwanted < 10*max(heeded.Unwanted, 1) || c.got.Returned < heeded.Returned*3/2 {
			t.Errorf("%s: %+v; else %+v", c.what, c.got, heeded)
		}
	}
	if heeded.Suppressed < 200 || heeded.Asked < 300 {
		t.Errorf("%+v, want many who asked and got nothing more", heeded)
	}
	later := run("requests.confirm=true")
	if later.Unwanted <= heeded.Unwanted || later.Suppressed >= heeded.Suppressed || later.Suppressed == 0 {
		t.Errorf("with confirmation %+v, without %+v", later, heeded)
	}
}

// A list that is fetched comes out even although one server is slow: the others take what it does not ([0060]-[0062]).
func TestFetchedListsComeOutEven(t *testing.T) {
	ends := func(partition string) vt.Time {
		s := campaignWith(t, "fault=[]", "server[1].extra_rtt=1s", `sender.partition="`+partition+`"`,
			"sender.chunk=500")
		w, err := sim.New(s, 0, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		end, _ := w.Run(nil)
		return end
	}
	if fetched, cut := ends("pull"), ends("shares"); fetched > cut/2 {
		t.Errorf("fetched the list is out after %s, cut at once after %s", fetched, cut)
	}
}
