package evq

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"flyball/internal/snap"
	"flyball/internal/vt"
)

// coming is an event of the slow twin: a slice kept in order by a stable sort.
type coming struct {
	at   vt.Time
	lane int
}

func TestAgainstStableSort(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	var q Queue
	var slow []coming
	for range 50000 {
		if lane := r.IntN(300); len(slow) == 0 || r.IntN(100) < 52 {
			if slices.ContainsFunc(slow, func(c coming) bool { return c.lane == lane }) {
				continue
			}
			c := coming{vt.Time(r.IntN(50)), lane} // few different times, for frequent ties
			q.Push(c.at, lane)
			slow = append(slow, c)
			slices.SortStableFunc(slow, func(a, b coming) int { return int(a.at - b.at) })
			continue
		}
		if r.IntN(2) == 0 && q.PeekTime() != slow[0].at {
			t.Fatalf("PeekTime = %d, want %d", q.PeekTime(), slow[0].at)
		}
		if q.Len() != len(slow) {
			t.Fatalf("%d events, want %d", q.Len(), len(slow))
		}
		at, lane := q.Pop()
		if (coming{at, lane}) != slow[0] {
			t.Fatalf("Pop = lane %d at %d, want %+v", lane, at, slow[0])
		}
		slow = slow[1:]
		if r.IntN(3) == 0 { // the same lane again, at once
			c := coming{at + vt.Time(r.IntN(3)), lane}
			q.Push(c.at, lane)
			slow = append(slow, c)
			slices.SortStableFunc(slow, func(a, b coming) int { return int(a.at - b.at) })
		}
	}
	if len(q.nodes) != 1024 {
		t.Errorf("%d nodes for 300 lanes, want 1024", len(q.nodes))
	}
}

// An event that is put off keeps its turn among those of its new time.
func TestPushAgainKeepsItsTurn(t *testing.T) {
	var q Queue
	q.Push(1, 7)
	q.Push(5, 2)
	_, lane := q.Pop()
	q.PushAgain(5, lane)
	if _, got := q.Pop(); got != 7 {
		t.Errorf("first of the tie is lane %d, want 7, which was pushed first", got)
	}
}

func TestEmpty(t *testing.T) {
	var q Queue
	if got := q.PeekTime(); got != vt.Never {
		t.Errorf("PeekTime of an empty queue = %v", got)
	}
	q.Push(3, 0)
	q.Pop()
	if got := q.PeekTime(); got != vt.Never || q.Len() != 0 {
		t.Errorf("PeekTime of an emptied queue = %v, Len %d", got, q.Len())
	}
}

// What the owner must never do, the queue does not let pass.
func TestMisuse(t *testing.T) {
	for what, misuse := range map[string]func(q *Queue){
		"pop from an empty queue":      func(q *Queue) { q.Pop() },
		"lane 4 has an event already":  func(q *Queue) { q.Push(1, 4); q.Push(2, 4) },
		"lane 4 was not popped last":   func(q *Queue) { q.Push(1, 4); q.Pop(); q.Push(1, 5); q.PushAgain(2, 4) },
		"more than 16777216 lanes":     func(q *Queue) { q.Push(1, maxLanes) },
		"evq: out of sequence numbers": func(q *Queue) { q.seq = maxSeq; q.Push(1, 0) },
		"lane 0 has an event already": func(q *Queue) {
			q.Push(1, 0)
			q.Push(1, 1)
			q.Pop()
			q.Push(1,
				0)
			q.Push(1, 0)
		},
		"evq: pop from an empty queue":     func(q *Queue) { q.Push(1, 0); q.Pop(); q.Pop() },
		"lane 1 was not popped last":       func(q *Queue) { q.Push(1, 0); q.Push(2, 1); q.Pop(); q.PushAgain(2, 1) },
		"evq: lane 0 was not popped last":  func(q *Queue) { q.PushAgain(2, 0) },
		"evq: lane 3 has an event already": func(q *Queue) { q.Push(1, 3); q.Push(0, 1); q.Pop(); q.Push(7, 3) },
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, what) {
					t.Errorf("panics with %q, want %q", got, what)
				}
			}()
			misuse(new(Queue))
		}()
	}
}

// A queue that is restored goes on as the one that was saved, also between a
// Pop and the Push that follows it.
func TestState(t *testing.T) {
	var q Queue
	for lane := range 9 {
		q.Push(vt.Time(lane%3), lane)
	}
	q.Pop()
	c := snap.Writer()
	q.State(c)
	var other Queue
	r := snap.Reader(c.Data())
	if other.State(r); r.Err() != nil {
		t.Fatal(r.Err())
	}
	for _, q := range []*Queue{&q, &other} {
		q.PushAgain(2, 0)
		q.Push(2, 30)
	}
	for q.Len() > 0 {
		at, lane := q.Pop()
		if otherAt, otherLane := other.Pop(); at != otherAt || lane != otherLane {
			t.Fatalf("lane %d at %d, restored lane %d at %d", lane, at, otherLane, otherAt)
		}
	}
}

func TestNoAllocationOnceGrown(t *testing.T) {
	var q Queue
	for i := range 1000 {
		q.Push(vt.Time(i), i)
	}
	if n := testing.AllocsPerRun(1000, func() { at, lane := q.Pop(); q.Push(at+1000, lane) }); n != 0 {
		t.Errorf("%v allocations per hold", n)
	}
}

// The hold model: pop the first, push it again later.
func BenchmarkHold(b *testing.B) {
	for _, n := range []int{200, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			var q Queue
			for lane := range n {
				q.Push(vt.Time(r.ExpFloat64()*1e9), lane)
			}
			for b.Loop() {
				at, lane := q.Pop()
				q.Push(at+vt.Time(r.ExpFloat64()*1e9+1e8), lane)
			}
		})
	}
}
