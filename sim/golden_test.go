package sim

import (
	"bytes"
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/scenarios"
)

var update = flag.Bool("update", false, "rewrite the golden traces; review the diff as code")

// A golden trace has a hash for each ingredient of a run, so that a change can be
// explained: new times with old outcomes are a change of the service model, a new
// order alone is a change of the event queue, and so on (after OMNeT++'s
// fingerprints). It must be the same on every processor family.
type trace struct {
	outcomes []uint64 // by recipient: status and tries
	times    uint64   // sum over all attempts of a hash of who, which try, when: free of order
	order    uint64   // chained hash of who and which try, in order: free of times
	seen     int
}

func (t *trace) watch(now vt.Time, a mail.Attempt, r mail.Reply, s mail.Status) {
	t.outcomes[a.Rcpt] = uint64(s)<<32 | uint64(a.Try) + 1
	t.times += hash(uint64(a.Rcpt), uint64(a.Try), uint64(now), uint64(r.Took))
	t.order = hash(t.order, uint64(a.Server), uint64(a.Rcpt), uint64(a.Try))
	t.seen++
}

func hash(words ...uint64) uint64 {
	h := fnv.New64a()
	for _, w := range words {
		fmt.Fprintf(h, "%x,", w)
	}
	return h.Sum64()
}

// describe runs a scenario and prints its trace.
func describe(t *testing.T, s *scenarios.Scenario) string {
	got := trace{outcomes: make([]uint64, s.Recipients())}
	w, err := New(s, 0, nil, got.watch)
	if err != nil {
		t.Fatal(err)
	}
	end, _ := w.Run(nil)
	var b bytes.Buffer
	line := func(ingredient string, value any, what string) {
		fmt.Fprintf(&b, "%-10s %-18v %s\n", ingredient, value, what)
	}
	line("scenario", scenarios.ID(s)[:16], s.Name)
	line("recipients", s.Recipients(), "")
	line("attempts", got.seen, "")
	line("delivered", w.Record().Count(mail.Done), "")
	line("failed", w.Record().Count(mail.Failed), "")
	line("held", w.Record().Count(mail.Held), "")
	line("end", end, "")
	line("outcomes", fmt.Sprintf("%016x", hash(got.outcomes...)), "status and tries of every recipient")
	var replies, rows []uint64
	for _, c := range w.Record().Replies() {
		replies = append(replies, uint64(c.Destination), uint64(c.Stage), uint64(c.Code), uint64(c.Fault), c.Count)
	}
	line("replies", fmt.Sprintf("%016x", hash(replies...)), "how attempts ended, by destination")
	line("times", fmt.Sprintf("%016x", got.times), "when every attempt ended and how long it took")
	line("order", fmt.Sprintf("%016x", got.order), "in which order they ended")
	for _, i := range w.Record().Intervals {
		rows = append(rows, uint64(i.Server), uint64(i.End), i.Sample.Delivered, i.Sample.Attempts,
			uint64(int64(i.Sample.Allocated*(1<<20))), uint64(int64(i.Decision.Available*(1<<20))),
			uint64(i.Decision.Flags))
	}
	line("intervals", fmt.Sprintf("%016x", hash(rows...)), "what the governor saw and decided")
	line("digest", fmt.Sprintf("%016x", w.Record().Digest()), "all of it, as reports print it")
	return b.String()
}

// habits is a scenario of receivers with all kinds of behaviour.
func habits(t *testing.T, set ...string) *scenarios.Scenario {
	t.Helper()
	text, err := os.ReadFile("testdata/habits.toml")
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenarios.Load("habits", text, set)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestGoldenTraces(t *testing.T) {
	traced := map[string]*scenarios.Scenario{"habits": habits(t)}
	for _, name := range scenarios.Names() {
		traced[name] = small(t, name)
	}
	for name, s := range traced {
		got := describe(t, s)
		file := filepath.Join("testdata", "golden", name+".txt")
		if *update {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s:\n got\n%s\nwant\n%s", name, got, want)
		}
	}
}
