package realrun

import (
	"bufio"
	"fmt"
	"io"
	"strconv"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

// Journal records every input of the machines, one per line, so that a live run
// can be replayed in virtual time bit for bit. A nil Journal records nothing.
//
//	c NOW SERVER SLOT GEN CODE STAGE FAULT TOOK ROW WAY  an attempt ended
//	r NOW SERVER FROM TO PROCESSES SUBSET PRIORITY RATE  a part of a list was assigned
//	l NOW SERVER LOAD                                    load in the interval that ends now
//	w NOW SERVER                                         the role was woken
//	f NOW SERVER                                         the run ended
//
// In w, the number after the last server's stands for the cluster.
type Journal struct {
	w   *bufio.Writer
	err error
}

// NewJournal returns a journal that writes to w. Close reports whether all was
// written.
func NewJournal(w io.Writer) *Journal { return &Journal{w: bufio.NewWriter(w)} }

// Close flushes the journal and returns the first error of all writes.
func (j *Journal) Close() error {
	if j.err == nil {
		j.err = j.w.Flush()
	}
	return j.err
}

func (j *Journal) line(format string, args ...any) {
	if j != nil && j.err == nil {
		_, j.err = fmt.Fprintf(j.w, format+"\n", args...)
	}
}

func (j *Journal) complete(now vt.Time, s mail.Server, c mail.Completion) {
	r := &c.Reply
	j.line("c %d %d %d %d %d %d %d %d %d %d", now, s, c.Slot, c.Gen, r.Code, r.Stage, r.Fault, r.Took, r.Row, c.Way)
}

func (j *Journal) receive(now vt.Time, s mail.Server, r engine.Reserve) {
	j.line("r %d %d %d %d %d %d %d %v", now, s, r.From, r.To, r.Processes, r.Subset, r.Priority,
		float64(r.Rate))
}

func (j *Journal) loaded(now vt.Time, s mail.Server, load float64) {
	j.line("l %d %d %s", now, s, strconv.FormatFloat(load, 'g', -1, 64))
}

func (j *Journal) wake(now vt.Time, s mail.Server)   { j.line("w %d %d", now, s) }
func (j *Journal) finish(now vt.Time, s mail.Server) { j.line("f %d %d", now, s) }

// Replay drives new machines with a journal and returns their record, whose
// digest equals the digest of the live run. Common decisions of the servers are
// not in the journal, because the cluster makes them again.
func Replay(s *scenarios.Scenario, list *mail.List, journal io.Reader) (*runlog.Recorder, error) {
	r, _, _, err := newRoles(s, list, nil)
	if err != nil {
		return nil, err
	}
	var load float64 // of the next wake or end
	given := func(float64) float64 { return load }
	received := make([]uint64, len(r.machines)) // messages, by server
	lines := bufio.NewScanner(journal)
	for n := 1; lines.Scan(); n++ {
		var op string
		var now vt.Time
		var server mail.Server
		if _, err := fmt.Sscan(lines.Text(), &op, &now, &server); err != nil || int(server) >= r.number() ||
			op != "w" && int(server) >= len(r.machines) {
			return nil, fmt.Errorf("journal line %d: got %q", n, lines.Text())
		}
		var err error
		switch op {
		case "c":
			var c mail.Completion
			_, err = fmt.Sscan(lines.Text(), &op, &now, &server, &c.Slot, &c.Gen, &c.Reply.Code, &c.Reply.Stage,
				&c.Reply.Fault, &c.Reply.Took, &c.Reply.Row, &c.Way)
			if err == nil {
				r.complete(now, server, c)
			}
		case "r":
			r.plan(now) // as the run did at this time: the journal has the same parts
			received[server]++
			a := scenarios.Arrival{Server: server, Number: received[server]}
			v := &a.Reserve
			_, err = fmt.Sscan(lines.Text(), &op, &now, &server, &v.From, &v.To, &v.Processes, &v.Subset, &v.Priority,
				&v.Rate)
			if err == nil {
				r.assign(now, a)
			}
		case "l":
			_, err = fmt.Sscan(lines.Text(), &op, &now, &server, &load)
		case "w":
			r.wake(now, server, given)
		case "f":
			r.stop(now, server, given)
		default:
			err = fmt.Errorf("unknown entry")
		}
		if err != nil {
			return nil, fmt.Errorf("journal line %d: got %q: %w", n, lines.Text(), err)
		}
	}
	return r.record(), lines.Err()
}
