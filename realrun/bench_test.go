package realrun_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"flyball/governor"
	"flyball/internal/durable"
	"flyball/internal/hist"
	"flyball/internal/mail"
	"flyball/internal/peers"
	"flyball/internal/rng"
	"flyball/realrun"
	"flyball/realrun/journal"
	"flyball/scenarios"
)

// form is the message of a benchmark, the same for each recipient.
type form []byte

func (f form) Letter(_ mail.Recipient, body []byte) (string, []byte) {
	return "recipient@provider.example", append(body, f...)
}

// load is what a benchmark sends.
type load struct {
	addr               string
	message            []byte
	sessions, messages int
	reused             bool
	size               int // of each message in bytes
	ahead              int // see realrun.Keeping
	want               wanted
	syncs              *atomic.Int64 // of journals
	latency            hist.Hist     // of the attempts of runs
}

// wanted is the least that a load is to reach.
type wanted struct {
	what  string
	least float64
	of    func(found) float64
}

// found is what a run with a journal reached: medians of all rounds.
type found struct {
	rate  float64 // messages a second
	ratio float64 // to smtp-source
	share float64 // of sessions x fdatasyncs a second
}

var (
	asFast  = wanted{"of smtp-source (goal 1.30)", 1, func(f found) float64 { return f.ratio }}
	further = wanted{"of smtp-source", 1, func(f found) float64 { return f.ratio }}
	disk    = wanted{"of sessions x fdatasyncs a second", 0.9, func(f found) float64 { return f.share }}
)

func aSecond(n float64) wanted {
	return wanted{"messages a second", n, func(f found) float64 { return f.rate }}
}

// TestBenchLive compares a run, which keeps a journal on the disk, and the client alone with Postfix's smtp-source,
// which sends nothing but what it has prepared and keeps nothing. All send to one smtp-sink in turn, with as many
// sessions and messages as long. It prints the median ratios of each load with what is wanted, and then the least ratio
// of runs with 100 sessions and 4 KiB. With 10 sessions and one message ahead each session waits for the disk before
// each final dot; what the client alone does of the same measure tells whether disk or processor is the limit.
func TestBenchLive(t *testing.T) {
	if os.Getenv("FLYBALL_BENCH_LIVE") == "" {
		t.Skip("set FLYBALL_BENCH_LIVE=1, or make bench-live: it takes minutes and wants a free machine")
	}
	const rounds = 5
	source := peers.Find(t, "/usr/sbin/smtp-source", "Debian's postfix")
	addr := startSink(t, peers.Find(t, "/usr/sbin/smtp-sink", "Debian's postfix"), nil)
	line := append(bytes.Repeat([]byte("x"), 78), "\r\n"...)
	least := math.Inf(1)
	var verdicts []string
	for _, l := range []load{
		{sessions: 100, messages: 20_000, size: 4 << 10, reused: true, ahead: 1, want: asFast},
		{sessions: 100, messages: 10_000, size: 4 << 10, ahead: 1, want: asFast},
		{sessions: 10, messages: 20_000, size: 4 << 10, reused: true, ahead: 1, want: disk},
		{sessions: 10, messages: 10_000, size: 4 << 10, ahead: 1, want: disk},
		{sessions: 10, messages: 20_000, size: 4 << 10, reused: true, ahead: 16, want: further},
		{sessions: 10, messages: 10_000, size: 4 << 10, ahead: 16, want: further},
		{sessions: 100, messages: 20_000, size: 1 << 10, reused: true, ahead: 1, want: aSecond(3313)},
		{sessions: 100, messages: 2_000, size: 100_000, reused: true, ahead: 1, want: aSecond(750)},
	} {
		l.addr, l.syncs, l.latency = addr, new(atomic.Int64), hist.New()
		l.message = append([]byte("Subject: a benchmark\r\n\r\n"), bytes.Repeat(line, l.size/80)...)
		l.message = append(l.message[:l.size-2], "\r\n"...)
		ways := []struct {
			name string
			send func() (took, used time.Duration)
		}{
			{"smtp-source", func() (took, used time.Duration) { return l.bySource(t, source) }},
			{"run with a journal", func() (took, used time.Duration) { return l.byRun(t) }},
			{"client alone", func() (took, used time.Duration) { return l.byClient(t) }},
		}
		rates, used := make([][]float64, len(ways)), make([]time.Duration, len(ways))
		shares := make([][]float64, len(ways)) // of sessions x fdatasyncs a second
		for range rounds {
			syncs := fdatasyncs(t)
			for i, w := range ways {
				took, time := w.send()
				rate := float64(l.messages) / took.Seconds()
				rates[i], used[i] = append(rates[i], rate), used[i]+time
				shares[i] = append(shares[i], rate/(float64(l.sessions)*syncs))
			}
		}
		fmt.Println(l.name())
		var run found
		for i, w := range ways {
			ratios := make([]float64, rounds)
			for k := range ratios {
				ratios[k] = rates[i][k] / rates[0][k]
			}
			each := (used[i] / time.Duration(rounds*l.messages)).Round(100 * time.Nanosecond)
			f := found{median(rates[i]), median(ratios), median(shares[i])}
			fmt.Printf("  %-20s %6.0f messages/s, %8v of a processor a message, ratio %.2f (%.2f to %.2f), %.2f of "+
				"sessions x fdatasyncs a second\n", w.name, f.rate, each, f.ratio, slices.Min(ratios),
				slices.Max(ratios), f.share)
			if i == 1 {
				run = f
			}
		}
		if l.sessions == 100 && l.size == 4<<10 {
			least = min(least, run.ratio)
		}
		fmt.Printf("  run with a journal: %.3f fsyncs a message, attempts took %v at p50, %v at p99, %v at most\n",
			float64(l.syncs.Load())/float64(rounds*l.messages), l.latency.Quantile(0.5), l.latency.Quantile(0.99),
			l.latency.Quantile(1))
		verdict := "met"
		if l.want.of(run) < l.want.least {
			verdict = "MISSED"
		}
		verdicts = append(verdicts, fmt.Sprintf("%-6s %s: got %.4g, want at least %.4g %s", verdict, l.name(),
			l.want.of(run), l.want.least, l.want.what))
	}
	for _, v := range verdicts {
		fmt.Println(v)
	}
	fmt.Printf("ratio %.2f\n", least)
}

// name describes the load.
func (l load) name() string {
	how := "one connection per message"
	if l.reused {
		how = "connections reused"
	}
	return fmt.Sprintf("%d sessions, %d bytes, %s, %d ahead", l.sessions, l.size, how, l.ahead)
}

// fdatasyncs returns how often a second this computer makes 4 KiB durable, one after the other.
func fdatasyncs(t *testing.T) float64 {
	f, err := os.Create(filepath.Join(t.TempDir(), "synced"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const n = 200
	block := make([]byte, 4<<10)
	began := time.Now()
	for range n {
		f.Write(block)
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			t.Fatal(err)
		}
	}
	return n / time.Since(began).Seconds()
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// bySource sends by smtp-source.
func (l load) bySource(t *testing.T, program string) (took, used time.Duration) {
	args := []string{"-s", strconv.Itoa(l.sessions), "-m", strconv.Itoa(l.messages), "-l", strconv.Itoa(len(l.message))}
	if l.reused {
		args = append(args, "-d")
	}
	began := time.Now()
	run := exec.Command(program, append(args, l.addr)...)
	if text, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return time.Since(began), run.ProcessState.UserTime() + run.ProcessState.SystemTime()
}

// byRun sends by a run with a journal in a folder, from its first attempt to its last fact.
func (l load) byRun(t *testing.T) (took, used time.Duration) {
	s := rehearsal(l.messages)
	s.Servers, s.Destinations = s.Servers[:1], s.Destinations[:1]
	s.Governor = governor.Default()
	s.Governor.Law, s.Governor.Start = "hold", float64(l.sessions)
	s.Campaigns = []scenarios.Campaign{{Name: "c", Recipients: l.messages, Processes: l.sessions,
		Subset: l.messages / l.sessions}}
	s.Dialogue.Pipelining, s.Dialogue.Messages = true, 1
	s.Destinations[0].Messages = 0
	if l.reused {
		s.Dialogue.Messages = l.messages
	}
	disk := durable.Files(filepath.Join(t.TempDir(), "kept"))
	if err := disk.Make(); err != nil {
		t.Fatal(err)
	}
	j, err := journal.Create(realrun.Counting{Files: disk, Syncs: l.syncs}, journal.ID{})
	if err != nil {
		t.Fatal(err)
	}
	list := s.List(rng.New(s.Seed, 0))
	broken := func(err error) { t.Error(err) }
	transport := &realrun.SMTP{Resolver: sinkAt(l.addr), Letters: form(l.message), Dialogue: s.Dialogue, Scale: 1,
		Domain: "sender.example", Broken: broken}
	r, err := realrun.New(s, &list, 1, transport, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Keep(realrun.Keeping{Journal: j, Boot: 1, Ahead: l.ahead, Broken: broken}); err != nil {
		t.Fatal(err)
	}
	transport.Gate = r.Gate
	before, began := processorTime(), time.Now()
	r.Run(context.Background(), nil)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	took, used = time.Since(began), processorTime()-before
	l.latency.Merge(r.Record().Latency)
	if n := r.Record().Count(mail.Done); n != uint64(l.messages) {
		t.Errorf("%d of %d messages were delivered", n, l.messages)
	}
	return took, used
}

// byClient sends by the client alone.
func (l load) byClient(t *testing.T) (took, used time.Duration) {
	before := processorTime()
	took = sendTo(t, l.addr, l.message, l.sessions, l.messages, l.reused)
	return took, processorTime() - before
}

// processorTime returns what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// sendTo sends messages over sessions and returns how long that takes.
func sendTo(t *testing.T, addr string, message []byte, sessions, messages int, reused bool) time.Duration {
	t.Helper()
	dialogue := mail.DefaultDialogue()
	dialogue.Pipelining = true
	transport := &realrun.SMTP{Resolver: sinkAt(addr), Letters: form(message), Dialogue: dialogue, Scale: 1,
		Domain: "sender.example", Broken: func(err error) { t.Error(err) }}
	var next, failed atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for slot := range sessions {
		all.Go(func() {
			p := transport.Process(0, mail.Slot(slot))
			for conn := mail.Fresh; ; {
				n := next.Add(1)
				if n > int64(messages) {
					break
				}
				r := p.Deliver(context.Background(), mail.Attempt{Rcpt: mail.Recipient(n), Conn: conn})
				if r.Class() != mail.Delivered {
					failed.Add(1)
				}
				if conn = mail.Fresh; reused {
					conn = mail.Reused
				}
			}
			p.HangUp()
		})
	}
	all.Wait()
	took := time.Since(began)
	if failed.Load() > 0 {
		t.Errorf("%d of %d messages were not delivered", failed.Load(), messages)
	}
	return took
}
