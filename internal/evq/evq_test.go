package evq

import (
	"math/rand/v2"
	"slices"
	"testing"

	"flyball/internal/vt"
)

// The slow twin: a slice kept in order by a stable sort.
func TestAgainstStableSort(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	var q Queue
	var slow []Event
	var pushed uint32
	for range 20000 {
		if q.Len() == 0 || r.IntN(100) < 52 {
			e := Event{At: vt.Time(r.IntN(50)), A: pushed} // few times, so many ties
			pushed++
			q.Push(e)
			slow = append(slow, e)
			slices.SortStableFunc(slow, func(a, b Event) int { return int(a.At - b.At) })
			continue
		}
		if got := q.PeekTime(); got != slow[0].At {
			t.Fatalf("PeekTime = %d, want %d", got, slow[0].At)
		}
		if got := q.Pop(); got.A != slow[0].A {
			t.Fatalf("Pop = event %d, want %d", got.A, slow[0].A)
		}
		slow = slow[1:]
	}
}

func TestPushAgainKeepsItsTurn(t *testing.T) {
	var q Queue
	q.Push(Event{At: 1, A: 1})
	q.Push(Event{At: 5, A: 2})
	e := q.Pop()
	e.At = 5
	q.PushAgain(e)
	if got := q.Pop().A; got != 1 {
		t.Errorf("first of the tie is %d, want 1, which was pushed first", got)
	}
}

func TestEmpty(t *testing.T) {
	var q Queue
	if got := q.PeekTime(); got != vt.Never {
		t.Errorf("PeekTime of an empty queue = %v", got)
	}
}

func TestNoAllocationOnceGrown(t *testing.T) {
	var q Queue
	for i := range 1000 {
		q.Push(Event{At: vt.Time(i)})
	}
	if n := testing.AllocsPerRun(1000, func() { e := q.Pop(); e.At += 1000; q.Push(e) }); n != 0 {
		t.Errorf("%v allocations per hold", n)
	}
}

// The hold model: pop the first, push it again later.
func BenchmarkHold(b *testing.B) {
	for _, n := range []int{200, 10000} {
		b.Run(map[int]string{200: "200", 10000: "10000"}[n], func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			var q Queue
			for range n {
				q.Push(Event{At: vt.Time(r.ExpFloat64() * 1e9)})
			}
			for b.Loop() {
				e := q.Pop()
				e.At += vt.Time(r.ExpFloat64()*1e9 + 1e8)
				q.Push(e)
			}
		})
	}
}
