package realrun

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"flyball/internal/longtest"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/scenarios"
)

// A load is read back from the journal to the last bit.
func TestJournalKeepsEveryDigit(t *testing.T) {
	var b bytes.Buffer
	j := NewJournal(&b)
	j.loaded(vt.Time(7), 1, 0.1234567890123456)
	if err := j.Close(); err != nil || !strings.HasPrefix(b.String(), "l 7 1 0.1234567890123456 *") {
		t.Errorf("%v, %q", err, b.String())
	}
}

// journaled is a small run with its journal, by two servers whose receiver accepts, defers or refuses.
func journaled(t testing.TB) (s *scenarios.Scenario, list mail.List, journal []byte, digest uint64) {
	s, err := scenarios.Load("small.toml", []byte(`schema_version = 1
name = "small"
horizon = "4h"
[governor]
law = "patent-dynamic"
start = 3
interval = "20s"
[[server]]
name = "b1"
[[server]]
name = "b2"
[[destination]]
name = "d"
domain = "d.example"
[[campaign]]
name = "c"
recipients = 60
processes = 3
subset = 5
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	list = s.List(rng.New(1, 0))
	var b bytes.Buffer
	j := NewJournal(&b)
	r, err := New(s, &list, 1000, byNumber{new(atomic.Bool)}, nil, j)
	if err != nil {
		t.Fatal(err)
	}
	if _, stopped := r.Run(t.Context(), nil); stopped || j.Close() != nil || r.Record().Final() != 55 ||
		r.Record().Unreached() != 5 {
		t.Fatal(stopped, r.Record().Final())
	}
	return s, list, b.Bytes(), r.Record().Digest()
}

// byNumber accepts, defers or refuses by the number of the recipient, or no allowed way leads to it. One look-up fails
// by the fault of the sender.
type byNumber struct{ failed *atomic.Bool }

func (n byNumber) Process(mail.Server, mail.Slot) Process { return n }
func (byNumber) HangUp()                                  {}
func (byNumber) Trace() *mail.Trace                       { return &mail.Trace{} }
func (n byNumber) Deliver(_ context.Context, a mail.Attempt) mail.Reply {
	time.Sleep(time.Millisecond)
	switch {
	case a.Rcpt == 8 && n.failed.CompareAndSwap(false, true):
		return mail.Reply{Stage: mail.StageDNS, Fault: mail.NoResolver}
	case a.Rcpt%13 == 5:
		return mail.Reply{Stage: mail.StageDNS, Fault: mail.NotAllowed}
	case a.Rcpt%7 == 0 && a.Try == 0:
		return mail.Reply{Code: 451, Stage: mail.StageRCPT}
	case a.Rcpt%11 == 0:
		return mail.Reply{Code: 550, Stage: mail.StageRCPT}
	}
	return mail.Reply{Code: 250, Stage: mail.StageDot}
}

// A journal that was damaged in any way is refused with its line: bits, bytes, lines that are left out, doubled or
// moved, and an end that is cut off.
func TestReplayRefusesDamage(t *testing.T) {
	s, list, journal, digest := journaled(t)
	if rec, err := Replay(s, &list, bytes.NewReader(journal)); err != nil || rec.Digest() != digest {
		t.Fatalf("as written: %v", err)
	}
	lines := bytes.SplitAfter(bytes.TrimSuffix(journal, []byte("\n")), []byte("\n"))
	draw := rand.New(rand.NewPCG(3, 4))
	for i := range longtest.Or(300, 10_000) {
		damaged, what := bytes.Clone(journal), ""
		k, l := draw.IntN(len(lines)), draw.IntN(len(lines))
		order := slices.Clone(lines)
		switch i % 6 {
		case 0:
			what = "bit"
			damaged[draw.IntN(len(damaged))] ^= 1 << draw.IntN(8)
		case 1:
			what = "cut"
			damaged = damaged[:draw.IntN(len(damaged)-1)]
		case 2:
			what = "doubled"
			damaged = bytes.Join(slices.Insert(order, k, order[k]), nil)
		case 3:
			what = "left out"
			damaged = bytes.Join(slices.Delete(order, k, k+1), nil)
		case 4:
			what = "moved"
			order[k], order[l] = order[l], order[k]
			damaged = bytes.Join(order, nil)
		default:
			what = "byte"
			at := draw.IntN(len(damaged) - 1)
			damaged = slices.Delete(damaged, at, at+1)
		}
		if same := func(b []byte) string { return strings.TrimSpace(string(b)) }; same(damaged) == same(journal) {
			continue
		}
		if _, err := Replay(s, &list, bytes.NewReader(damaged)); err == nil || !strings.HasPrefix(err.Error(),
			"journal line ") {
			t.Errorf("%s: got %v, want the line", what, err)
		}
	}
}

// A line that no run writes there is refused although its checksum is right, and never ends in a panic.
func FuzzReplay(f *testing.F) {
	s, list, journal, _ := journaled(f)
	lines := strings.Split(strings.TrimSpace(string(journal)), "\n")
	for _, line := range []string{"c 0 0 0 1 250 7 0 5 0", "w 0 0", "f 0 0", "l 0 0 NaN", "r 0 0 0 9 1 1 0 0",
		"c 99999999999 1 0 1 999 7 9 -5 3", "w 3600000000000 1", "x 0 0", "c 0 7 0 1 250 7 0 5 0", "w -1 0"} {
		f.Add(uint16(3), line)
	}
	f.Fuzz(func(t *testing.T, at uint16, line string) {
		if strings.ContainsAny(line, "\n\r") {
			return
		}
		var b strings.Builder
		for i, v := range append(slices.Clone(lines[:int(at)%len(lines)]), line) {
			content, _, _ := strings.Cut(v, " *")
			b.WriteString(sealed(i+1, content) + "\n")
		}
		Replay(s, &list, strings.NewReader(b.String()))
	})
}
