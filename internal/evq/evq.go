// Package evq is the queue of coming events of things that have at most one
// event each: slots with an attempt under way, entities of a benchmark. A
// thing's number is its lane. Events come out by (time, sequence), so the order
// of events at the same time is the order in which they were pushed.
//
// Nothing is allocated per event and the collector has nothing to scan. Not
// safe for concurrent use.
package evq

import (
	"fmt"
	"math/bits"

	"flyball/internal/vt"
)

// Queue is a tournament of all lanes, in which the earliest event wins: a
// complete binary tree with a leaf per lane, each node above them a copy of
// the earlier of its two children. The path from a leaf to the root is known
// before anything is compared, and comparing takes no branch, so a change
// costs log2(lanes) steps that no processor mispredicts. The zero Queue is
// empty and ready.
type Queue struct {
	nodes  []node // nodes[1] is the root, nodes[len/2 + lane] are the leaves
	seq    uint64
	count  int
	vacant int // 1 + the lane of the last Pop: its leaf still says what it was
}

// node orders by time, then sequence; the lane is what it leads to.
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

// Push gives a lane that has no event one, behind all events of the same time.
func (q *Queue) Push(at vt.Time, lane int) {
	if q.seq++; q.seq > maxSeq {
		panic("evq: out of sequence numbers")
	}
	q.put(node{uint64(at), q.seq<<laneBits | uint64(lane)}, lane)
}

// PushAgain gives the lane whose event was popped last its next one, in the
// turn that the popped one had among events of the same time: an attempt that
// passes through many stages is ordered as one that is a single event.
func (q *Queue) PushAgain(at vt.Time, lane int) {
	if q.vacant != lane+1 {
		panic(fmt.Sprintf("evq: lane %d was not popped last", lane))
	}
	q.put(node{uint64(at), q.nodes[len(q.nodes)/2+lane].key}, lane)
}

// Len is the number of events.
func (q *Queue) Len() int { return q.count }

// PeekTime is the time of the first event, vt.Never if there is none.
func (q *Queue) PeekTime() vt.Time {
	if q.vacant != 0 {
		q.settle()
	}
	if q.count == 0 {
		return vt.Never
	}
	return vt.Time(q.nodes[1].at)
}

// Pop takes the first event. It panics on an empty queue.
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
	q.vacant = lane + 1 // most often the lane gets its next event at once: one walk for both
	return vt.Time(first.at), lane
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

// replay puts a node on a leaf and decides its games anew, up to the root.
func (q *Queue) replay(n node, leaf int) {
	nodes := q.nodes
	nodes[leaf] = n
	for i := leaf; i > 1; i >>= 1 {
		other := nodes[i^1]
		_, borrow := bits.Sub64(other.key, n.key, 0)
		_, borrow = bits.Sub64(other.at, n.at, borrow)
		earlier := -borrow // all ones where the other one is
		n.at ^= (n.at ^ other.at) & earlier
		n.key ^= (n.key ^ other.key) & earlier
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
