package sim_test

import (
	"testing"
	"time"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/runlog"
	"flyball/scenarios"
	"flyball/scenarios/stated"
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
	n := howMany(t, 60, 600)
	eachScenario(t, n, func(t *testing.T, d *dice, s *scenarios.Scenario) {
		if s.OneGovernor() || s.Retry.OfCluster() {
			return // refused with faults
		}
		d.sender(s)
		d.faults(s)
		s.Horizon, s.Governor.Changes, s.Quiet = 60*vt.Day, nil, nil
		s.Governor.Interval = max(s.Governor.Interval, vt.Hour)
		for i := range s.Destinations {
			for j := range s.Destinations[i].Fail {
				v := &s.Destinations[i].Fail[j]
				if v.At == "ehlo" && v.Reply >= 500 { // of the sender: its mail waits for longer than the horizon
					v.Reply = 450
				}
			}
		}
		w, err := sim.New(s, replication(s), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.KeepOutcomes()
		began := time.Now()
		end, stopped := w.Run(func(sim.Progress) bool { return time.Since(began) < 20*time.Second })
		if stopped {
			t.Fatalf("after 20 s at %s", w.Where())
		}
		run := &runlog.Run{End: end, Campaigns: stated.Campaigns(s, s.Recipients())}
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
		if struck[kind] < 5 && n >= 60 && seedOfScenarios(t) == 1 {
			t.Errorf("%d faults %q, want some", struck[kind], kind)
		}
	}
}

// campaignWith returns the built-in scenario campaign with its fault changed.
func campaignWith(t *testing.T, set ...string) *scenarios.Scenario {
	t.Helper()
	return load(t, "campaign", append([]string{"campaign[0].recipients=24000", "fault[0].at=1m"}, set...)...)
}

// A server that pauses for longer than its lease, and than the sending server waits, sends nothing when it goes on,
// but for what was on its way.
func TestPausedServerSendsNothing(t *testing.T) {
	s := campaignWith(t, `fault[0].kind="pause"`, "fault[0].for=7m")
	pauses := vt.Time(s.Faults[0].At)
	wakes := pauses.Add(s.Faults[0].For)
	before, after := 0, 0
	w, err := sim.New(s, 0, nil, func(now vt.Time, a mail.Attempt, r mail.Reply, _ mail.Status) {
		switch {
		case a.Server == 1 && pauses < now && now < wakes:
			t.Fatalf("b2 handles the end of %+v at %s, in its pause", a, now)
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
	if m := w.Control().Mailings[0]; before < 1500 || after > 0 || m.Moved == 0 {
		t.Errorf("b2 delivered %d messages before it went on, %d after it; %d recipients went to others", before, after,
			m.Moved)
	}
}

// Requests during a mailing count at once, and returned mail before the next mailing.
func TestRequestsCountAtOnce(t *testing.T) {
	run := func(set ...string) *runlog.Control {
		return finished(t, load(t, "unsubscribe", append(set, "campaign[0].recipients=20000",
			"campaign[1].recipients=20000", "campaign[1].start=9m")...), 0).Control()
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
	if fetched, cut := ends("pull"), ends("shares"); fetched > cut*2/3 {
		t.Errorf("fetched the list is out after %s, cut at once after %s", fetched, cut)
	}
}

// What is written and not durable is lost with the power, and not with the process. By Little's law the attempts
// without a recorded end grow by throughput x the time of the disk.
func TestPowerLosesWhatIsNotDurable(t *testing.T) {
	ambiguous := func(kind string) (n uint64, perSecond float64) {
		s := campaignWith(t, `fault[0].kind="`+kind+`"`, "fault[0].within=50s", "fault[0].for=1s",
			"disk.commit=200ms")
		for r := range uint64(10) {
			w := finished(t, s, r)
			n += w.Control().Ambiguous
			for _, row := range w.Record().Intervals {
				if row.Server == 1 { // up to the stop
					perSecond += float64(row.Sample.Attempts) / row.Sample.Span.Seconds()
					break
				}
			}
		}
		return n, perSecond
	}
	killed, rate := ambiguous(scenarios.Kill)
	unpowered, _ := ambiguous(scenarios.PowerMin)
	some, _ := ambiguous(scenarios.PowerAny)
	if more := float64(unpowered) - float64(killed); more < 0.7*rate*0.2 || more > 2.5*rate*0.2 {
		t.Errorf("%d attempts without a recorded end, %d where the process ended: want about %.0f more", unpowered,
			killed, rate*0.2)
	}
	if some <= killed {
		t.Errorf("%d attempts without a recorded end where the disk kept some, want more than %d", some, killed)
	}
}

// Each final dot waits for the disk, and so does what follows an attempt.
func TestDiskTakesItsTime(t *testing.T) {
	took := func(commit string) vt.Span {
		s := campaignWith(t, "fault=[]", "bus.loss=0.000001", "disk.commit="+commit)
		return vt.Span(finished(t, s, 0).Record().LastFirst())
	}
	quick, slow := took("0s"), took("100ms")
	each := float64(slow-quick) / (8000 / 40) // recipients of a server / processes
	if each < 0.9*float64(200*vt.Millisecond) || each > 1.5*float64(200*vt.Millisecond) {
		t.Errorf("an attempt takes %v longer, want about twice the 100 ms of the disk", vt.Span(each))
	}
}

// A receiver accepts a message whose positive reply is on its way as the server stops, and no other one: of the
// attempts without a recorded end those that are half a round trip from it.
func TestAcceptedAsTheServerStops(t *testing.T) {
	s := campaignWith(t, `fault[0].kind="kill"`, "fault[0].within=1m", "fault[0].for=1s", "destination[0].rtt=200ms",
		"destination[0].dot=200ms", "campaign[0].subset=7")
	var duplicates, ambiguous uint64
	for r := range uint64(40) {
		c := finished(t, s, r).Control()
		duplicates += c.Duplicates
		ambiguous += c.Ambiguous
	}
	// on a kept connection a message takes a round trip and the receiver's 200 ms from the gate to the reply
	if share := float64(duplicates) / float64(ambiguous); share < 0.15 || share > 0.35 {
		t.Errorf("%d of %d attempts without a recorded end were accepted, want about a quarter", duplicates, ambiguous)
	}
}

// A server that begins again closes intervals that lie behind each other.
func TestIntervalsOfAServerThatStops(t *testing.T) {
	s := campaignWith(t, "fault[0].for=3m")
	w := finished(t, s, 0)
	var end vt.Time
	rows, away := 0, 0
	for _, row := range w.Record().Intervals {
		if row.Server != 1 {
			continue
		}
		began := row.End.Add(-row.Sample.Span)
		if began < end || row.Sample.Span > s.Governor.Interval {
			t.Errorf("an interval from %s to %s, the one before ends at %s", began, row.End, end)
		}
		if began > end {
			away++
			if end != vt.Time(vt.Minute) || began != vt.Time(4*vt.Minute) {
				t.Errorf("no interval from %s to %s, want none from 1m to 4m", end, began)
			}
		}
		rows, end = rows+1, row.End
	}
	if rows < 3 || away != 1 {
		t.Errorf("%d intervals with %d gaps", rows, away)
	}
}

// A mailing that the sending server had not written when it lost its power is submitted again.
func TestSubmittedAgain(t *testing.T) {
	s := campaignWith(t, "fault[0].server=sender", "fault[0].at=500ms", "fault[0].for=1s", "disk.commit=1s")
	m := finished(t, s, 0).Control().Mailings[0]
	if m.Planned < vt.Time(1500*vt.Millisecond) || m.Reported == vt.Never {
		t.Errorf("%+v, want it planned after 1.5 s, and reported", m)
	}
}
