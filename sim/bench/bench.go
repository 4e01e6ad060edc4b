// Package bench holds the workloads that measure the speed of the simulator: the
// standard benchmarks of discrete-event simulation on the queue of the
// simulator, and scenarios with one feature left out. It reads no clock; the
// caller times Run. Every run has a digest, so that a change cannot make it
// faster by doing different work. Not safe for concurrent use.
package bench

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"

	"flyball/internal/evq"
	"flyball/internal/vt"
)

// unit is the unit of drawn delays; their means are of this order.
const unit = float64(vt.Second)

// Yardstick is a population of events of constant size: each executed event
// schedules one.
type Yardstick interface {
	// Run executes n events. The caller times it.
	Run(n int)
	// Digest returns a hash of all executed events. The yardstick cannot be used
	// afterwards.
	Digest() uint64
}

// Hold is the hold model: it takes the earliest event from the queue and puts it
// back at a later time.
type Hold struct {
	queue       evq.Queue
	draws       *rand.Rand
	least, mean float64 // an increment is (least + Exp(1)) x mean, in whole ns
}

// NewHold returns a Hold with increments of 0.1 + Exp(1) seconds. Each event of
// the population starts one increment after 0.
func NewHold(population int, seed uint64) *Hold { return newHold(population, seed, 0.1, unit) }

// NewHoldNS3 returns a Hold with the increments of ns-3's own benchmark, Exp(1)
// of 100 ns, so that ties are frequent.
func NewHoldNS3(population int, seed uint64) *Hold { return newHold(population, seed, 0, 100) }

func newHold(population int, seed uint64, least, mean float64) *Hold {
	h := &Hold{draws: rand.New(rand.NewPCG(seed, 0)), least: least, mean: mean}
	for lane := range population {
		h.queue.Push(h.later(0), lane)
	}
	return h
}

func (h *Hold) later(now vt.Time) vt.Time {
	return now + vt.Time((h.draws.ExpFloat64()+h.least)*h.mean)
}

func (h *Hold) Run(events int) {
	for range events {
		now, lane := h.queue.Pop()
		h.queue.Push(h.later(now), lane)
	}
}

func (h *Hold) Digest() uint64 { return drain(&h.queue, func(lane int) int { return lane }) }

// PHOLD is Fujimoto's model as implemented in the simulator ROSS, with remote =
// 1.0, lookahead 0.1, mean 1.0 and initially one event per process. An event at
// one process schedules an event at any process, itself included, 0.1 + Exp(0.9)
// later. Each event takes three draws; one of them decides between remote and
// local, and always gives remote.
type PHOLD struct {
	queue evq.Queue
	at    []int32 // process of each event, by lane
	draws *rand.Rand
}

// NewPHOLD returns a PHOLD with population processes and as many events.
func NewPHOLD(population int, seed uint64) *PHOLD {
	p := &PHOLD{draws: rand.New(rand.NewPCG(seed, 1)), at: make([]int32, population)}
	for lane := range population {
		p.at[lane] = int32(lane)
		p.queue.Push(p.later(0), lane)
	}
	return p
}

func (p *PHOLD) later(now vt.Time) vt.Time {
	return now + vt.Time((0.9*p.draws.ExpFloat64()+0.1)*unit)
}

func (p *PHOLD) Run(events int) {
	const remote = 1.0
	for range events {
		now, lane := p.queue.Pop()
		if p.draws.Float64() <= remote {
			p.at[lane] = int32(p.draws.IntN(len(p.at)))
		}
		p.queue.Push(p.later(now), lane)
	}
}

func (p *PHOLD) Digest() uint64 {
	return drain(&p.queue, func(lane int) int { return int(p.at[lane]) })
}

// drain returns a hash of the remaining events. Their times depend on the order
// in which all earlier events were executed.
func drain(q *evq.Queue, process func(lane int) int) uint64 {
	var left []uint64
	for q.Len() > 0 {
		at, lane := q.Pop()
		left = append(left, uint64(at), uint64(process(lane)))
	}
	return fnv1a(left)
}

// Replay is a yardstick without random draws. Its destinations and delays come
// from a file that other simulators read too, so equal digests prove that they
// did the same work.
type Replay struct {
	queue    evq.Queue
	at       []uint32 // process of each event, by lane
	pairs    []uint64 // destination and delay in ns of each event
	executed []uint64 // time and process
}

// NewReplay reads pairs of little-endian 64-bit words: a process and a delay in
// ns. The first population pairs give the delays from 0 of the first events, one
// at each process. The following pairs are for the events that executed events
// schedule.
func NewReplay(r io.Reader, population, events int) (*Replay, error) {
	p := &Replay{}
	in := bufio.NewReader(r)
	var sum uint64 // of all delays, which no time exceeds
	for i := 0; ; i++ {
		var pair [16]byte
		_, err := io.ReadFull(in, pair[:])
		if err == io.EOF && i == population+events {
			break
		}
		process, delay := binary.LittleEndian.Uint64(pair[:]), binary.LittleEndian.Uint64(pair[8:])
		switch {
		case i == population+events:
			return nil, fmt.Errorf("got more than %d pairs of 16 bytes, want one for each of %d processes and %d "+
				"events", i, population, events)
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil, fmt.Errorf("got fewer than %d pairs of 16 bytes, want one for each of %d processes and %d "+
				"events", population+events, population, events)
		case err != nil:
			return nil, err
		case process >= uint64(population) || delay > uint64(vt.Day):
			return nil, fmt.Errorf("pair %d: got process %d after %d ns, want a process below %d after at most a day",
				i, process, delay, population)
		}
		if sum += delay; sum > 1<<62 {
			return nil, fmt.Errorf("pair %d: the delays so far add up to more than 2^62 ns, 146 years, want less", i)
		}
		p.pairs = append(p.pairs, process, delay)
	}
	p.at, p.executed = make([]uint32, population), make([]uint64, 0, 2*events)
	for lane := range population {
		p.at[lane] = uint32(lane)
		p.queue.Push(vt.Time(p.pairs[2*lane+1]), lane)
	}
	p.pairs = p.pairs[2*population:]
	return p, nil
}

func (p *Replay) Run(events int) {
	for range events {
		now, lane := p.queue.Pop()
		p.executed = append(p.executed, uint64(now), uint64(p.at[lane]))
		p.at[lane] = uint32(p.pairs[0])
		p.queue.Push(now+vt.Time(p.pairs[1]), lane)
		p.pairs = p.pairs[2:]
	}
}

// Digest returns the FNV-1a hash of time and process of every event, in order,
// as little-endian 64-bit words.
func (p *Replay) Digest() uint64 { return fnv1a(p.executed) }

func fnv1a(words []uint64) uint64 {
	h := fnv.New64a()
	var b [8]byte
	for _, w := range words {
		binary.LittleEndian.PutUint64(b[:], w)
		h.Write(b[:])
	}
	return h.Sum64()
}
