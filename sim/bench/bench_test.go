package bench

import (
	"bytes"
	"container/heap"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"flyball/scenarios"
	"flyball/sim"
)

// agenda is a slow second implementation of the queue: a heap of the standard
// library, with ties in the order of scheduling.
type agenda []entry

type entry struct {
	at, sequence int64
	process      int
}

func (a agenda) Len() int      { return len(a) }
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].sequence < a[j].sequence
}
func (a *agenda) Push(e any) { *a = append(*a, e.(entry)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// twin runs a yardstick by its definition: it schedules the event that next
// returns, first for each process and then for each executed event.
func twin(population, events int, next func(process int) (to int, delay int64)) (executed []entry, left agenda) {
	var sequence int64
	for i := range population {
		_, delay := next(i)
		sequence++
		heap.Push(&left, entry{delay, sequence, i})
	}
	for range events {
		e := heap.Pop(&left).(entry)
		executed = append(executed, e)
		to, delay := next(e.process)
		sequence++
		heap.Push(&left, entry{e.at + delay, sequence, to})
	}
	return executed, left
}

// hash is FNV-1a of the library over times and processes.
func hash(all []entry) uint64 {
	h := fnv.New64a()
	for _, e := range all {
		binary.Write(h, binary.LittleEndian, []uint64{uint64(e.at), uint64(e.process)})
	}
	return h.Sum64()
}

func (a *agenda) inOrder() (all []entry) {
	for a.Len() > 0 {
		all = append(all, heap.Pop(a).(entry))
	}
	return all
}

func TestHoldAgainstTwin(t *testing.T) {
	const population, events = 300, 20000
	for _, v := range []struct {
		make        func(population int, seed uint64) *Hold
		least, unit float64 // ns
		mean        float64
	}{{NewHold, 0.1, 1e9, 1.1e9}, {NewHoldNS3, 0, 100, 99.5}} {
		luck := rand.New(rand.NewPCG(7, 0))
		executed, left := twin(population, events, func(process int) (int, int64) {
			return process, int64((luck.ExpFloat64() + v.least) * v.unit)
		})
		h := v.make(population, 7)
		h.Run(events)
		if got, want := h.Digest(), hash(left.inOrder()); got != want {
			t.Errorf("digest %x, the twin's is %x", got, want)
		}
		// The number of renewals gives the mean increment.
		per := float64(executed[events-1].at) * population / events
		if math.Abs(per/v.mean-1) > 0.04 {
			t.Errorf("the mean increment is %.3g ns, want %.3g", per, v.mean)
		}
	}
}

func TestPHOLDAgainstTwin(t *testing.T) {
	const population, events = 300, 20000
	luck := rand.New(rand.NewPCG(7, 1))
	first := population
	executed, left := twin(population, events, func(process int) (int, int64) {
		if first--; first < 0 {
			luck.Float64()
			process = luck.IntN(population)
		}
		return process, int64((0.9*luck.ExpFloat64() + 0.1) * 1e9)
	})
	p := NewPHOLD(population, 7)
	p.Run(events)
	if got, want := p.Digest(), hash(left.inOrder()); got != want {
		t.Errorf("digest %x, the twin's is %x", got, want)
	}
	if per := float64(executed[events-1].at) / 1e9 * population / events; math.Abs(per-1) > 0.04 {
		t.Errorf("the mean increment is %.3f, want 1", per)
	}
}

// pairs is a file for a replay, with ties everywhere.
func pairs(population, events int) []byte {
	luck := rand.New(rand.NewPCG(3, 3))
	var b bytes.Buffer
	for range population + events {
		binary.Write(&b, binary.LittleEndian, []uint64{luck.Uint64N(uint64(population)), luck.Uint64N(8) * 1e6})
	}
	return b.Bytes()
}

func TestReplayAgainstTwin(t *testing.T) {
	const population, events = 50, 5000
	file := pairs(population, events)
	rest := file
	executed, _ := twin(population, events, func(process int) (int, int64) {
		to, delay := binary.LittleEndian.Uint64(rest), binary.LittleEndian.Uint64(rest[8:])
		rest = rest[16:]
		return int(to), int64(delay)
	})
	r, err := NewReplay(bytes.NewReader(file), population, events)
	if err != nil {
		t.Fatal(err)
	}
	r.Run(events)
	if got, want := r.Digest(), hash(executed); got != want {
		t.Errorf("digest %x, the twin's is %x", got, want)
	}
}

func TestReplayRefuses(t *testing.T) {
	file := pairs(10, 20)
	outside, late := bytes.Clone(file), bytes.Clone(file)
	outside[16*7] = 10
	late[16*9+8+7] = 1
	long := bytes.Repeat([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x7e, 0x0a, 0x8a, 0x4e, 0, 0}, 60000) // 24 h each
	if _, err := NewReplay(bytes.NewReader(long), 1, 59999); err == nil ||
		!strings.Contains(err.Error(), "add up to more than 2^62") {
		t.Errorf("164 years: %v", err)
	}
	for want, file := range map[string][]byte{"got more than 30 pairs": append(bytes.Clone(file), 0),
		"got fewer than 30 pairs": file[:len(file)-1], "pair 7: got process 10": outside, "pair 9": late} {
		if _, err := NewReplay(bytes.NewReader(file), 10, 20); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
}

// Every feature is one of some built-in scenario, a scenario without it is
// valid and does not have it, and the scenario itself stays as it was.
func TestFeatures(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range scenarios.Names() {
		text, _ := scenarios.Builtin(name)
		s, err := scenarios.Load(name, text, nil)
		if err != nil {
			t.Fatal(err)
		}
		before := scenarios.ID(s)
		for _, f := range Features(s) {
			seen[f.Name] = true
			less := Shortened(f.Without(s), 500)
			if f.has(less) {
				t.Errorf("%s without %s still has it", name, f.Name)
			}
			if n := less.Recipients(); n > 500 || n < 490 {
				t.Errorf("%s: %d recipients, want 500", name, n)
			}
			w, err := sim.New(less, 0, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if w.Run(nil); w.Record().Attempts() == 0 {
				t.Errorf("%s without %s: no attempts", name, f.Name)
			}
		}
		if after := scenarios.ID(s); after != before {
			t.Errorf("%s was changed", name)
		}
	}
	for _, f := range all {
		if !seen[f.Name] {
			t.Errorf("no built-in scenario has %s", f.Name)
		}
	}
}

func BenchmarkYardsticks(b *testing.B) {
	for _, n := range []int{200, 10000} {
		for name, y := range map[string]Yardstick{"hold": NewHold(n, 1), "phold": NewPHOLD(n, 1)} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				y.Run(n)
				b.ResetTimer()
				y.Run(b.N)
			})
		}
	}
}
