package realrun

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"flyball/engine"
	"flyball/governor"
	"flyball/internal/durable"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/realrun/journal"
	"flyball/scenarios"
)

// mailing is a run of a scenario whose facts are in a folder.
type mailing struct {
	t        *testing.T
	scenario *scenarios.Scenario
	folder   string
	addr     string
	scale    float64
}

func (m *mailing) open() (*Runner, *journal.Journal, context.Context) {
	m.t.Helper()
	disk := durable.Files(m.folder)
	j, before, err := journal.Open(disk, journal.ID{})
	if errors.Is(err, journal.ErrMissing) {
		j, err = journal.Create(disk, journal.ID{})
	}
	if err != nil {
		m.t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(m.t.Context())
	list := m.scenario.List(rng.New(1, 0))
	transport := &SMTP{Resolver: at(m.addr), Letters: hex{}, Dialogue: m.scenario.Dialogue, Scale: m.scale,
		Replies: m.scenario.ReplyTables(), Domain: "sender.example", Broken: cancel}
	r, err := New(m.scenario, &list, m.scale, transport, nil, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	if err := r.Keep(Keeping{Journal: j, Before: before.Entries, Boot: 1, Broken: cancel}); err != nil {
		m.t.Fatal(err)
	}
	transport.Gate = r.Gate
	return r, j, ctx
}

// until runs the mailing until it ends, or see returns true, which is called every few milliseconds. If killed, what
// the journal has at that time is what the next run finds.
func (m *mailing) until(killed bool, see func(*Runner) bool) *Runner {
	m.t.Helper()
	r, j, ctx := m.open()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	killedIn := ""
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for seen := false; !seen; time.Sleep(10 * time.Millisecond) {
			kill := func(vt.Time) { // the run stands still meanwhile
				if seen = see(r); seen && killed {
					killedIn = m.t.TempDir()
					if err := os.CopyFS(killedIn, os.DirFS(m.folder)); err != nil {
						m.t.Error(err)
					}
				}
			}
			if r.Do(kill) != nil {
				return
			}
		}
		cancel()
	}()
	r.Run(ctx, nil)
	<-watched
	if err := j.Close(); err != nil {
		m.t.Error(err)
	}
	if killed {
		m.folder = killedIn
	}
	return r
}

func loaded(t *testing.T, text string) *scenarios.Scenario {
	t.Helper()
	s, err := scenarios.Load("kept.toml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const goesOn = `schema_version = 1
name = "kept"
horizon = "10h"
[governor]
%s
interval = "10s"
[retry]
ambiguous = "resend"
delays = ["5s"]
%s
[[destination]]
name = "d"
domain = "d.example"
%s
[[campaign]]
name = "c"
recipients = 100000
processes = 40
subset = 5
`

// A mailing that was stopped by a signal and by kill -9 goes on with the law where it was: the intervals of all its
// runs together, replayed through a new law, give its decisions. They have all attempts, and so has the
// record: as many as the journal, each once.
func TestGoesOnWithTheLaw(t *testing.T) {
	t.Parallel()
	steps := "law = \"patent-dynamic\"\nstep = \"explicit\"\nd = 4\n"
	for _, v := range []struct{ name, law string }{
		{"patent", steps},
		{"one for all", "law = \"pi\"\nscope = \"cluster\"\n"},
		{"limits", steps + "destination = {law = \"aimd\"}\n"},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			b := newInbox(t, time.Millisecond)
			s := loaded(t, fmt.Sprintf(goesOn, v.law+"target = \"100000/h\"\nstart = 3\nmax = 30", "", ""))
			m := &mailing{t, s, t.TempDir(), b.Addr().String(), 100}
			c := func(r *Runner) int { return r.Status(0).Servers[0].Available }
			intervals, last := 0, 0
			for _, killed := range []bool{true, false, true} {
				intervals += 3
				m.until(killed, func(r *Runner) bool {
					last = c(r)
					return len(r.Record().Intervals) >= intervals
				})
			}
			r, j, _ := m.open()
			if got := c(r); got == 3 || got != last {
				t.Errorf("goes on with C %d, want the %d of the run that was killed", got, last)
			}
			j.Close()
			r = m.until(false, func(*Runner) bool { return true })
			if len(r.Runs()) != 4 {
				t.Errorf("got runs %v, want 4", r.Runs())
			}
			cfg := s.Governor
			law, err := governor.New(cfg)
			if s.OneGovernor() {
				law, err = governor.NewCluster(cfg, 1)
			}
			if err != nil {
				t.Fatal(err)
			}
			law = (&roles{}).nearly(law)
			attempts, decided := uint64(0), 0
			for _, row := range r.Record().Intervals {
				if row.Partial {
					continue
				}
				if row.Server == 0 {
					attempts += row.Sample.Attempts
				}
				if int(row.Server) == len(s.Servers)-1 && !s.OneGovernor() || int(row.Server) == len(s.Servers) {
					decided++
					if want := law.Decide(row.Sample); fmt.Sprint(row.Decision) != fmt.Sprint(want) {
						t.Errorf("interval %d: got %v, want %v", row.Number, row.Decision, want)
					}
					if row.Number != decided-1 {
						t.Errorf("interval %d is number %d", decided-1, row.Number)
					}
				}
			}
			if decided < intervals/(1+len(s.Servers)) {
				t.Errorf("got %d intervals, want those of all runs", decided)
			}
			kept, open := uint64(0), []vt.Time(nil)
			c2, err := journal.Read(durable.Files(m.folder), journal.ID{})
			if err != nil {
				t.Fatal(err)
			}
			outcomes := map[[2]uint64]int{}
			for _, e := range c2.Entries {
				switch f := e.Fact.(type) {
				case engine.Attempted:
					kept, open = kept+1, append(open, e.At)
					if !f.Charged { // the gate refused, or the attempt was given up
						outcomes[[2]uint64{math.MaxUint64, kept}]++
					}
				case engine.Outcome:
					outcomes[[2]uint64{uint64(f.Rcpt), uint64(f.Try)}]++
				case engine.Measured:
					if e.Role.Role == engine.Remote {
						open = slices.DeleteFunc(open, func(at vt.Time) bool { return at <= f.Ended })
					}
				}
			}
			if attempts+uint64(len(open)) != kept {
				t.Errorf("got %d attempts in whole intervals and %d later, want the %d of the journal", attempts,
					len(open), kept)
			}
			if got := r.Record().Attempts(); got != uint64(len(outcomes)) || got < kept {
				t.Errorf("got %d attempts, want %d, of them %d by their replies", got, len(outcomes), kept)
			}
			if got := r.Record().Latency.Count(); uint64(got) != r.Record().Attempts() {
				t.Errorf("got %d times for %d attempts", got, r.Record().Attempts())
			}
		})
	}
}

// suspends returns a reply table that heeds a wish to wait.
func suspends(scope string) string {
	return fmt.Sprintf("reply = [{class = \"source-rate\", text = \"wait an hour\", reaction = \"suspend\", "+
		"scope = %q, for = \"1h\"}]", scope)
}

// A receiver that asked the sender to wait is not tried before its time, whatever stopped the run that heard it.
func TestGoesOnSuspended(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		name, reply, row string
	}{
		{"by a row", "450 4.7.1 wait an hour\r\n",
			suspends("source")},
		{"of the mailing", "450 4.7.1 wait an hour\r\n",
			suspends("campaign")},
		{"of the account", "450 4.7.1 wait an hour\r\n",
			suspends("account")},
		{"of the sender", "530 login first\r\n", ""},
	} {
		for _, killed := range []bool{false, true} {
			t.Run(fmt.Sprint(v.name, killed), func(t *testing.T) {
				t.Parallel()
				b := newInbox(t, 0)
				b.refuse.Store(v.reply)
				law := "law = \"hold\"\nstart = 10"
				delays := ""
				if v.row == "" {
					delays = "greylist_delay = \"1h\""
				}
				s := loaded(t, fmt.Sprintf(goesOn, law, delays, v.row))
				s.Retry.Delays = []vt.Span{vt.Hour}
				m := &mailing{t, s, t.TempDir(), b.Addr().String(), 1}
				calm, last := 0, uint64(0)
				r := m.until(killed, func(r *Runner) bool { // it has heard all that are under way
					if n := r.Record().Attempts(); n == 0 || n > last {
						calm, last = 0, n
					}
					calm++
					return calm > 20
				})
				before, mails := r.Record().Attempts(), b.mails.Load()
				for range 2 {
					runs := 0
					m.until(killed, func(*Runner) bool { runs++; return runs > 20 })
					if got := b.mails.Load() - mails; got > 0 {
						t.Errorf("got %d more attempts after %d, want none for an hour", got, before)
					}
				}
			})
		}
	}
}

// The folder of a run with another form of what was learned is read all the same: the run says so, and begins with the
// first C.
func TestGoesOnFromAnotherForm(t *testing.T) {
	b := newInbox(t, 0)
	m := &mailing{t, loaded(t, fmt.Sprintf(goesOn, "law = \"hold\"\nstart = 10", "", "")), t.TempDir(),
		b.Addr().String(), 1}
	m.until(false, func(r *Runner) bool { return r.Record().Attempts() > 0 })
	disk := durable.Files(m.folder)
	j, before, err := journal.Open(disk, journal.ID{})
	if err != nil {
		t.Fatal(err)
	}
	last := before.Entries[len(before.Entries)-1]
	other := engine.Learned{Form: -1, State: "?"}
	entry := journal.Entry{At: last.At, Role: engine.Address{Role: engine.Remote}, Fact: other}
	if _, err := j.Write([]journal.Entry{entry}); err != nil {
		t.Fatal(err)
	}
	j.Close()
	r, j, _ := m.open()
	j.Close()
	if !r.Forgot() || r.Status(0).Servers[0].Available != 10 {
		t.Errorf("got forgot %v, C %d, want true and 10", r.Forgot(), r.Status(0).Servers[0].Available)
	}
}
