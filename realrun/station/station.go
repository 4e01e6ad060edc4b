// Package station runs a role that begins no attempts in wall time: a sending server ("A"), a server for returned mail
// or requests ("C" and "D"), or a governor of several servers. One goroutine owns the role and gives it one input after
// the other: messages of other stations, functions of this process, and times that it waits for. Its facts go to
// a journal of its own, and whatever rests on a fact waits until the fact is durable: messages, and the answer to who
// gave the input. All facts that wait become durable together.
//
// A station that stops in any way goes on from its journal. One whose disk fails ends, since the disk may have dropped
// what it did not keep. One whose disk is full takes no input until there is room again.
package station

import (
	"context"
	"errors"
	"fmt"
	"time"

	"flyball/engine"
	"flyball/internal/points"
	"flyball/internal/vt"
	"flyball/realrun/journal"
)

// Carrier takes messages to roles that are elsewhere. It may lose, repeat, delay and reorder them. It does not block,
// and any goroutine may call it.
type Carrier interface{ Send(m engine.Message) }

// Config is what a station is made of.
type Config struct {
	Address engine.Address // of the role
	Role    engine.Durable // new, without any facts
	Journal *journal.Journal
	Before  []journal.Entry // what the journal had when it was opened
	Boot    uint64          // names the time from the last start of the operating system to the next
	Carrier Carrier
	Zero    time.Time // time zero, of a new journal; the zero value: now
}

// Station is the shell of one role.
type Station struct {
	cfg   Config
	clock Clock
	group *journal.Group
	out   engine.Outbox
	held  []held
	calls chan call
	inbox *Inbox
	over  chan struct{} // closed at the end of Run
}

// call is an input from outside.
type call struct {
	f    func(vt.Time, *engine.Outbox)
	done chan error
}

// held is what waits until a record is durable.
type held struct {
	record uint64
	send   []engine.Message
	done   chan error // of a call; else nil
}

// ErrOver reports that a station has ended.
var ErrOver = errors.New("the station has ended")

// New returns a station whose role has recovered what the journal had, or a journal.ErrDamaged if that is not what such
// a role wrote.
func New(cfg Config) (s *Station, err error) {
	s = &Station{cfg: cfg, calls: make(chan call), inbox: NewInbox(), over: make(chan struct{})}
	var opened engine.Fact
	if s.clock, opened, err = ClockOf(cfg.Address, cfg.Before, cfg.Zero); err != nil {
		return nil, err
	}
	now := s.clock.Now()
	s.group = journal.NewGroup(cfg.Journal, now)
	var facts []engine.Fact
	if opened != nil {
		s.group.Note(now, cfg.Address, opened)
	} else {
		for _, e := range cfg.Before[1:] {
			facts = append(facts, e.Fact)
		}
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: the facts of %v do not follow from each other: %v", journal.ErrDamaged,
				cfg.Address, p)
		}
	}()
	cfg.Role.Recover(now, cfg.Boot, facts, &s.out)
	s.perform(now, nil)
	return s, nil
}

// Receive gives the role a message. Any goroutine may call it, and it does not block: a message for which there is no
// room is lost.
func (s *Station) Receive(m engine.Message) { s.inbox.Put(m) }

// Do has the goroutine that owns the role call f, which may give it an input, and returns when all facts that the role
// has written by then are durable: also facts of an earlier call, on which f may have decided. An error says that they
// may not be; unless it is that of ctx, f was not called, or the station has ended. Any goroutine may call it.
func (s *Station) Do(ctx context.Context, f func(now vt.Time, out *engine.Outbox)) error {
	c := call{f, make(chan error, 1)}
	select {
	case s.calls <- c:
	case <-s.over:
		return ErrOver
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// room is the number of bytes for which the disk must have room before an input: more than the facts that follow from
// it take, of which a batch of outcomes or of changes is the greatest.
const room = 64 << 10

// again is the time after which a disk without room is asked again.
const again = time.Second

// Run runs the station until ctx ends, or its disk fails: then it returns why. It may be called once.
func (s *Station) Run(ctx context.Context) error {
	defer s.end()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		var calls []call
		select {
		case <-ctx.Done():
		case c := <-s.calls:
			calls = append(calls, c)
		case <-s.inbox.Came():
		case d := <-s.group.Ended():
			if err := s.release(d); err != nil {
				return err
			}
		case <-timer.C:
		}
		calls = s.more(calls)
		messages := s.inbox.Take()
		full := s.cfg.Journal.Reserve(int64(1+len(calls)+len(messages)) * room)
		if full == nil {
			s.inputs(messages, calls)
		} else {
			refuse(calls, full) // and messages are lost
		}
		if err := s.keep(); err != nil {
			return err
		}
		idle := time.Duration(s.cfg.Role.NextWake() - s.clock.Now())
		if full != nil {
			idle = max(idle, again)
		}
		timer.Reset(min(idle, s.group.Due()))
	}
	return s.close()
}

// more returns calls with all others that wait.
func (s *Station) more(calls []call) []call {
	for {
		select {
		case c := <-s.calls:
			calls = append(calls, c)
		default:
			return calls
		}
	}
}

// inputs gives the role everything that has come, and wakes it if it is time.
func (s *Station) inputs(messages []engine.Message, calls []call) {
	now := s.clock.Now() // one reading of the clock for all
	for _, m := range messages {
		s.cfg.Role.Receive(now, m, &s.out)
		s.perform(now, nil)
	}
	for _, c := range calls {
		c.f(now, &s.out)
		s.perform(now, c.done)
	}
	if s.cfg.Role.NextWake() <= now {
		s.cfg.Role.Wake(now, nil, &s.out)
		s.perform(now, nil)
	}
}

func refuse(calls []call, err error) {
	for _, c := range calls {
		c.done <- err
	}
}

// perform takes the facts of an input, and does what rests on them once they are durable.
func (s *Station) perform(now vt.Time, done chan error) {
	for _, f := range s.out.Write {
		s.group.Note(now, s.cfg.Address, f)
	}
	h := held{record: s.group.Record(), send: s.out.Send, done: done}
	if len(h.send) > 0 || done != nil {
		s.held = append(s.held, h)
		s.out.Send = nil
	}
	s.out.Clear()
}

// keep writes all facts to the journal, does what rests on none of them, and begins to make them durable for the rest.
func (s *Station) keep() error {
	if _, err := s.group.Write(); err != nil {
		return err
	}
	s.let()
	s.group.Sync(len(s.held) > 0)
	return s.cfg.Journal.Err()
}

// let does what no record keeps waiting.
func (s *Station) let() {
	for len(s.held) > 0 && s.held[0].record <= s.group.Durable() {
		h := s.held[0]
		s.held = s.held[1:]
		for _, m := range h.send {
			s.cfg.Carrier.Send(m)
			points.Reached("sent")
		}
		if h.done != nil {
			h.done <- nil
		}
	}
}

// release takes the end of a Sync.
func (s *Station) release(d journal.Synced) error {
	err := s.group.Take(d)
	if err == nil {
		s.let()
	}
	return err
}

// close makes everything durable that the role has written, for those who wait for it.
func (s *Station) close() error {
	if err := s.keep(); err != nil {
		return err
	}
	for d, more := s.group.Last(); more; d, more = s.group.Last() {
		if err := s.release(d); err != nil {
			return err
		}
	}
	return s.cfg.Journal.Err()
}

// end tells the callers who wait that the station has ended.
func (s *Station) end() {
	close(s.over)
	for _, h := range s.held {
		if h.done != nil {
			h.done <- ErrOver
		}
	}
}
