// Package evq is the queue of coming events: typed values ordered by (time,
// sequence), no closures and no pointers, so nothing is allocated per event
// and the collector has nothing to scan. Not safe for concurrent use.
package evq

import "flyball/internal/vt"

// Event is something that will happen. What A and B mean belongs to the owner
// of the queue.
type Event struct {
	At   vt.Time
	seq  uint64
	A, B uint32
}

// Queue is an implicit 4-ary heap. The zero Queue is empty and ready.
type Queue struct {
	heap []Event
	seq  uint64
}

// Push adds an event behind all events of the same time.
func (q *Queue) Push(e Event) {
	q.seq++
	e.seq = q.seq
	q.insert(e)
}

// PushAgain adds an event that was popped before, perhaps changed. It keeps
// its sequence: an attempt that passes through many stages has the same turn
// among equals as one that is a single event.
func (q *Queue) PushAgain(e Event) { q.insert(e) }

// Len is the number of events.
func (q *Queue) Len() int { return len(q.heap) }

// PeekTime is the time of the first event, vt.Never if there is none.
func (q *Queue) PeekTime() vt.Time {
	if len(q.heap) == 0 {
		return vt.Never
	}
	return q.heap[0].At
}

// Pop takes the first event. It panics on an empty queue.
func (q *Queue) Pop() Event {
	first := q.heap[0]
	last := len(q.heap) - 1
	e := q.heap[last]
	q.heap = q.heap[:last]
	if last > 0 {
		q.sink(e)
	}
	return first
}

func less(a, b *Event) bool { return a.At < b.At || (a.At == b.At && a.seq < b.seq) }

// insert moves the hole at the end up to where e belongs.
func (q *Queue) insert(e Event) {
	q.heap = append(q.heap, e)
	h, i := q.heap, len(q.heap)-1
	for i > 0 {
		parent := (i - 1) / 4
		if !less(&e, &h[parent]) {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = e
}

// sink moves the hole at the root down to where e belongs.
func (q *Queue) sink(e Event) {
	h, i := q.heap, 0
	for {
		first := 4*i + 1
		if first >= len(h) {
			break
		}
		child := first
		for c := first + 1; c < min(first+4, len(h)); c++ {
			if less(&h[c], &h[child]) {
				child = c
			}
		}
		if !less(&h[child], &e) {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = e
}
