package realrun

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/runlog"
	"flyball/scenarios"
	"flyball/scenarios/work"
)

// Journal records every input of the machines, one per line, so that a live run
// can be replayed in virtual time bit for bit. A nil Journal records nothing.
//
//	c NOW SERVER SLOT GEN CODE STAGE FAULT TOOK ROW WAY  an attempt ended
//	r NOW SERVER FROM TO PROCESSES SUBSET PRIORITY RATE  a part of a list was assigned
//	l NOW SERVER LOAD                                    load in the interval that ends now
//	w NOW SERVER                                         the role was woken
//	g NOW 0                                              a guard failed
//	f NOW SERVER                                         the run ended
//
// In w, the number after the last server's stands for the cluster. Each line ends with
// a checksum of its number and content, and the last line of each server is its end:
// no line can be changed, left out, doubled, moved or cut off.
type Journal struct {
	w    *bufio.Writer
	last int // number of the last line
	err  error
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
		j.last++
		_, j.err = j.w.WriteString(sealed(j.last, fmt.Sprintf(format, args...)) + "\n")
	}
}

// sealed returns a line with the checksum of its number and content: CRC32C.
func sealed(number int, content string) string {
	sum := crc32.Checksum(fmt.Appendf(nil, "%d %s", number, content), crc32.MakeTable(crc32.Castagnoli))
	return fmt.Sprintf("%s *%08x", content, sum)
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
func (j *Journal) fail(now vt.Time)                  { j.line("g %d 0", now) }
func (j *Journal) finish(now vt.Time, s mail.Server) { j.line("f %d %d", now, s) }

// Replay drives new machines with a journal and returns their record, whose
// digest equals the digest of the live run. Common decisions of the servers are
// not in the journal, because the cluster makes them again. A journal that the run
// cannot have written is refused with its line.
func Replay(s *scenarios.Scenario, list *mail.List, journal io.Reader) (*runlog.Recorder, error) {
	r, _, parts, err := newRoles(s, list, nil)
	if err != nil {
		return nil, err
	}
	p := &replay{roles: r, parts: parts, horizon: vt.Time(s.Horizon), received: make([]uint64, len(r.machines)),
		under: map[slot]uint32{}}
	r.perform = func(server mail.Server, out *engine.Outbox) {
		for _, a := range out.Start {
			p.under[slot{server, a.Slot}] = a.Gen
		}
	}
	lines := bufio.NewScanner(journal)
	for lines.Scan() {
		p.line++
		content, _, _ := strings.Cut(lines.Text(), " *")
		err := errors.New("want its checksum: lines were changed, left out, doubled or moved")
		if sealed(p.line, content) == lines.Text() {
			err = p.input(content)
		}
		if err != nil {
			return nil, fmt.Errorf("journal line %d: got %q: %w", p.line, lines.Text(), err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("journal line %d: %w", p.line+1, err)
	}
	if p.ended < len(r.machines) {
		return nil, fmt.Errorf("journal line %d: got the end of %d servers, want all %d: the journal was cut off",
			p.line+1, p.ended, len(r.machines))
	}
	return r.record(), nil
}

// replay is a run that a journal drives.
type replay struct {
	*roles
	parts    []work.Arrival  // to come
	received []uint64        // messages, by server
	under    map[slot]uint32 // generation of the attempt under way
	horizon  vt.Time
	now      vt.Time
	load     float64 // of the next wake or end
	ended    int     // servers whose run has ended
	line     int
}

// input takes the input of a line, or returns why the run cannot have had it.
func (p *replay) input(content string) error {
	var op string
	var now vt.Time
	var server mail.Server
	if _, err := fmt.Sscan(content, &op, &now, &server); err != nil {
		return err
	}
	switch {
	case now < p.now || now > p.horizon:
		return fmt.Errorf("want a time from %v to %v", p.now, p.horizon)
	case int(server) >= p.number() || op != "w" && int(server) >= len(p.machines):
		return fmt.Errorf("want a server before %d", len(p.machines))
	case p.ended > 0 && op != "l" && op != "f" || p.ended == len(p.machines):
		return errors.New("want nothing after the end")
	}
	p.now = now
	given := func(float64) float64 { return p.load }
	switch op {
	case "c":
		return p.attempt(content, now, server)
	case "r":
		return p.part(content, now, server)
	case "l":
		var load float64
		if _, err := fmt.Sscan(content, &op, &now, &server, &load); err != nil || !(load >= 0 && load <= 1) {
			return errors.New("want a load from 0 to 1")
		}
		p.load = load
	case "w":
		if p.role(server).NextWake() > now {
			return fmt.Errorf("want a wake-up at %v", p.role(server).NextWake())
		}
		p.wake(now, server, given)
	case "g":
		p.fail()
	case "f":
		if int(server) != p.ended {
			return fmt.Errorf("want the end of server %d", p.ended)
		}
		p.ended++
		p.stop(now, server, given)
	default:
		return errors.New("want c, r, l, w, g or f")
	}
	return nil
}

// attempt takes the end of an attempt, which must be under way.
func (p *replay) attempt(content string, now vt.Time, server mail.Server) error {
	var c mail.Completion
	var op string
	v := &c.Reply
	if _, err := fmt.Sscan(content, &op, &now, &server, &c.Slot, &c.Gen, &v.Code, &v.Stage, &v.Fault, &v.Took,
		&v.Row, &c.Way); err != nil {
		return err
	}
	id := slot{server, c.Slot}
	switch gen, ok := p.under[id]; {
	case !ok || gen != c.Gen:
		return errors.New("want an attempt that is under way")
	case v.Stage >= mail.Stages || v.Fault == mail.Aborted || v.Fault >= mail.Faults ||
		(v.Fault == mail.NoFault) != (v.Code >= 200) || v.Code > 599 || v.Took < 0,
		v.Fault == mail.NoFault && v.Code < 400 && v.Stage != mail.StageDot:
		return errors.New("want the end of an attempt")
	}
	delete(p.under, id)
	p.complete(now, server, c)
	return nil
}

// part takes a part of a list, which must be the next one.
func (p *replay) part(content string, now vt.Time, server mail.Server) error {
	p.parts = append(p.parts, p.plan(now)...) // as the run did at this time
	if len(p.parts) == 0 || p.parts[0].At > now || p.parts[0].Server != server {
		return errors.New("want a part that is due")
	}
	a := p.parts[0]
	var op string
	var v engine.Reserve
	if _, err := fmt.Sscan(content, &op, &now, &server, &v.From, &v.To, &v.Processes, &v.Subset, &v.Priority,
		&v.Rate); err != nil || v != a.Reserve {
		return fmt.Errorf("want %+v", a.Reserve)
	}
	p.parts = p.parts[1:]
	p.received[server]++
	a.Number = p.received[server]
	p.assign(now, a)
	return nil
}
