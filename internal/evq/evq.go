// Package evq is a queue of future events for entities with at most one event each,
// such as slots with an attempt under way. The number of an entity is its lane.
// Events are popped by (time, sequence): events at the same time are in the order
// in which they were pushed.
//
// Events take no allocation, and the queue has no pointers for the garbage
// collector to scan. Not safe for concurrent use.
package evq

import (
	"fmt"
	"math/bits"

	"flyball/internal/vt"
)

// Queue is a tournament tree of all lanes, in which the earliest event wins: a
// complete binary tree with a leaf per lane, in which each inner node is a copy of
// the earlier of its two children. The path from a leaf to the root does not depend
// on comparisons, and comparisons take no branch, so a change costs log2(lanes)
// steps without mispredicted branches. The zero Queue is empty and ready to use.
type Queue struct {
	nodes  []node // nodes[1] is the root, nodes[len/2 + lane] are the leaves
	seq    uint64
	count  int
	vacant int // 1 + the lane of the last Pop, whose leaf is not cleared yet
}

// node is ordered by time, then sequence; it also holds the lane.
type node struct {
	at  uint64 // never negative, so unsigned order is the order of times
	key uint64 // sequence << laneBits | lane
}

const (
	laneBits = 24
	maxLanes = 1 << laneBits
	maxSeq   = 1<<(64-laneBits) - 1 // 10^12: more than a day of pushing without a pause
)

var never = node{at: uint64(vt.Never), key: 1<<64 - 1}

// Push adds an event for a lane without one, behind all events of the same time.
func (q *Queue) Push(at vt.Time, lane int) {
	if q.seq++; q.seq > maxSeq {
		panic("evq: out of sequence numbers")
	}
	q.put(node{uint64(at), q.seq<<laneBits | uint64(lane)}, lane)
}

// PushAgain adds the next event for the lane whose event was popped last. It keeps
// the sequence of the popped event: an attempt with many stages is ordered like an
// attempt with a single event.
func (q *Queue) PushAgain(at vt.Time, lane int) {
	if q.vacant != lane+1 {
		panic(fmt.Sprintf("evq: lane %d was not popped last", lane))
	}
	q.put(node{uint64(at), q.nodes[len(q.nodes)/2+lane].key}, lane)
}

// PushNext adds the next event of a lane: as PushAgain, if its event was the last one that was popped and nothing came
// between, and else as Push.
func (q *Queue) PushNext(at vt.Time, lane int) {
	if q.vacant == lane+1 {
		q.PushAgain(at, lane)
	} else {
		q.Push(at, lane)
	}
}

// Len returns the number of events.
func (q *Queue) Len() int { return q.count }

// PeekTime returns the time of the first event, vt.Never if the queue is empty.
func (q *Queue) PeekTime() vt.Time {
	if q.vacant != 0 {
		q.settle()
	}
	if q.count == 0 {
		return vt.Never
	}
	return vt.Time(q.nodes[1].at)
}

// Pop removes and returns the first event. It panics on an empty queue.
func (q *Queue) Pop() (at vt.Time, lane int) {
	if q.vacant != 0 {
		q.settle()
	}
	if q.count == 0 {
		panic("evq: pop from an empty queue")
	}
	first := q.nodes[1]
	lane = int(first.key & (maxLanes - 1))
	q.count--
	q.vacant = lane + 1 // the lane usually gets its next event at once: one walk for both
	return vt.Time(first.at), lane
}

// Remove removes the event of a lane, if it has one.
func (q *Queue) Remove(lane int) {
	if q.vacant != 0 {
		q.settle()
	}
	if leaf := len(q.nodes)/2 + lane; leaf < len(q.nodes) && q.nodes[leaf] != never {
		q.count--
		q.replay(never, leaf)
	}
}

// settle clears the leaf of the lane popped last.
func (q *Queue) settle() {
	lane := q.vacant - 1
	q.vacant = 0
	q.replay(never, len(q.nodes)/2+lane)
}

func (q *Queue) put(n node, lane int) {
	switch {
	case q.vacant == lane+1:
		q.vacant = 0
	default:
		if q.vacant != 0 {
			q.settle()
		}
		if lane >= maxLanes {
			panic(fmt.Sprintf("evq: more than %d lanes", maxLanes))
		}
		for lane >= len(q.nodes)/2 {
			q.grow()
		}
		if q.nodes[len(q.nodes)/2+lane] != never {
			panic(fmt.Sprintf("evq: lane %d has an event already", lane))
		}
	}
	q.count++
	q.replay(n, len(q.nodes)/2+lane)
}

// replay sets a leaf to n and updates the nodes from it up to the root.
func (q *Queue) replay(n node, leaf int) {
	nodes := q.nodes
	nodes[leaf] = n
	for i := leaf; i > 1; i >>= 1 {
		other := nodes[i^1]
		_, borrow := bits.Sub64(other.key, n.key, 0)
		_, borrow = bits.Sub64(other.at, n.at, borrow)
		if borrow != 0 { // the other node is earlier: two conditional moves
			n = other
		}
		nodes[i>>1] = n
	}
}

// grow doubles the lanes.
func (q *Queue) grow() {
	old := q.nodes
	lanes := max(1, len(old))
	q.nodes = make([]node, 2*lanes)
	for i := range q.nodes {
		q.nodes[i] = never
	}
	for lane, n := range old[len(old)/2:] {
		if n != never {
			q.replay(n, lanes+lane)
		}
	}
}
