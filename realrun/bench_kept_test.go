package realrun_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"flyball/internal/durable"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/realrun"
	"flyball/realrun/journal"
	"flyball/scenarios"
)

// syncing is a disk that counts calls of Sync.
type syncing struct {
	durable.Files
	calls *atomic.Int64
}

func (d syncing) Create(name string) (durable.Growing, error) {
	f, err := d.Files.Create(name)
	return syncingFile{f, d.calls}, err
}

type syncingFile struct {
	durable.Growing
	calls *atomic.Int64
}

func (f syncingFile) Sync() error {
	f.calls.Add(1)
	return f.Growing.Sync()
}

// TestBenchKept compares whole runs, with a mailing that is kept and without one, with Postfix's smtp-source, which
// keeps nothing. All send to one smtp-sink, one after the other.
func TestBenchKept(t *testing.T) {
	if os.Getenv("FLYBALL_BENCH_LIVE") == "" {
		t.Skip("set FLYBALL_BENCH_LIVE=1, or make bench-live: it takes a minute and wants a free machine")
	}
	const size, rounds, messages = 4 << 10, 3, 20_000
	source := peer(t, "/usr/sbin/smtp-source", "Debian's postfix")
	addr := startSink(t, peer(t, "/usr/sbin/smtp-sink", "Debian's postfix"), nil)
	message := append([]byte("Subject: a benchmark\r\n\r\n"), bytes.Repeat([]byte(string(bytes.Repeat([]byte("x"), 78))+
		"\r\n"), size/80)...)[:size-2]
	message = append(message, "\r\n"...)
	for _, sessions := range []int{100, 10} {
		var plain, kept, other []float64
		var syncs atomic.Int64
		for range rounds {
			plain = append(plain, messages/runTo(t, addr, message, sessions, messages, nil).Seconds())
			kept = append(kept, messages/runTo(t, addr, message, sessions, messages, &syncs).Seconds())
			began := time.Now()
			if text, err := exec.Command(source, "-d", "-s", strconv.Itoa(sessions), "-m", strconv.Itoa(messages), "-l",
				strconv.Itoa(size), addr).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			other = append(other, messages/time.Since(began).Seconds())
		}
		fmt.Printf("%3d sessions, 4 KiB, connections reused: %6.0f messages/s, kept %6.0f with %.3f fsyncs a message, "+
			"smtp-source %6.0f: %.2f and %.2f\n", sessions, median(plain), median(kept),
			float64(syncs.Load())/rounds/messages, median(other), median(plain)/median(other),
			median(kept)/median(other))
	}
}

// runTo makes a run of a mailing, which is kept if syncs is not nil, and returns how long it takes.
func runTo(t *testing.T, addr string, message []byte, sessions, messages int, syncs *atomic.Int64) time.Duration {
	t.Helper()
	s, err := scenarios.Load("bench.toml", fmt.Appendf(nil, `schema_version = 1
name = "bench"
horizon = "1h"
[governor]
law = "hold"
start = %d
interval = "10m"
[dialogue]
pipelining = true
messages_per_connection = 1000000
[[destination]]
name = "d"
domain = "d.example"
[[campaign]]
name = "c"
recipients = %d
processes = %d
subset = 50
`, sessions, messages, sessions), nil)
	if err != nil {
		t.Fatal(err)
	}
	list := s.List(rng.New(1, 0))
	transport := &realrun.SMTP{Resolver: sinkAt(addr), Letters: form(message), Dialogue: s.Dialogue, Scale: 1,
		Domain: "sender.example", Broken: func(err error) { t.Error(err) }}
	r, err := realrun.New(s, &list, 1, transport, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if syncs != nil {
		j, err := journal.Create(syncing{durable.Files(t.TempDir()), syncs}, journal.ID{})
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		if err := r.Keep(realrun.Keeping{Journal: j, Boot: 1, Broken: func(err error) { t.Error(err) }}); err != nil {
			t.Fatal(err)
		}
		transport.Gate = r.Gate
	}
	began := time.Now()
	r.Run(t.Context(), nil)
	took := time.Since(began)
	if n := r.Record().Count(mail.Done); n != uint64(messages) {
		t.Errorf("%d of %d messages were delivered", n, messages)
	}
	return took
}
