// Package inbox turns what recipients and their servers send back into changes of the list: the
// role of the servers for returned mail ("C server", [0042]-[0045]) and for requests ("D
// server", [0047]-[0048]). Changes are numbered and pushed to the sending server until it has them
// durably ([0051], [0079]).
package inbox

import (
	"fmt"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Config configures the server.
type Config struct {
	Address engine.Address // of the role: Bounces or Requests
	Sender  engine.Address // the sending server
	Hard    int            // hard bounces after which a recipient is deleted
	Push    vt.Span        // time after which changes that are not acknowledged are pushed again
	Batch   int            // most changes in a message
}

// Default returns the configuration of the role with an address. A recipient is deleted at the second
// hard bounce ([0079]).
func Default(a engine.Address) Config {
	return Config{Address: a, Sender: engine.Address{Role: engine.Sender}, Hard: 2, Push: vt.Second, Batch: 1000}
}

// Validate returns all problems of the configuration.
func (c *Config) Validate() (errs []error) {
	if c.Hard < 1 {
		errs = append(errs, fmt.Errorf("hard: got %d, want at least 1", c.Hard))
	}
	if c.Push <= 0 {
		errs = append(errs, fmt.Errorf("push: got %v, want more than 0", c.Push))
	}
	if c.Batch < 1 {
		errs = append(errs, fmt.Errorf("batch: got %d, want at least 1", c.Batch))
	}
	return errs
}

// Server is the role of one server.
type Server struct {
	cfg      Config
	returned map[uint64]bool        // tokens of returned mail
	hard     map[mail.Recipient]int // hard bounces by recipient
	asked    map[mail.Recipient]bool
	changes  []mail.Recipient // to be deleted, by number from 1 on
	got      uint64           // number of the last change that the sending server has
	next     vt.Time
}

// New returns a server at time 0 without any facts.
func New(cfg Config) *Server {
	return &Server{cfg: cfg, returned: map[uint64]bool{}, hard: map[mail.Recipient]int{},
		asked: map[mail.Recipient]bool{}, next: vt.Never}
}

// Receive processes Returned, Request, Got and Stop.
func (s *Server) Receive(now vt.Time, m engine.Message, out *engine.Outbox) {
	switch b := m.Body.(type) {
	case engine.Returned:
		if !s.returned[b.Token] {
			s.record(engine.Bounced(b), out)
		}
	case engine.Request:
		if !s.asked[b.Rcpt] {
			s.record(engine.Asked(b), out)
		}
	case engine.Got:
		if b.UpTo > uint64(len(s.changes)) {
			panic(fmt.Sprintf("inbox: got %v, want at most %d changes", m, len(s.changes)))
		}
		s.got = max(s.got, b.UpTo)
	case engine.Stop:
		s.next = vt.Never
		return
	default:
		panic(fmt.Sprintf("inbox: got %v, want Returned, Request, Got or Stop", m))
	}
	s.push(now, out)
}

func (s *Server) record(f engine.Fact, out *engine.Outbox) {
	out.Write = append(out.Write, f)
	s.apply(f)
}

// apply counts a fact, and adds the change that it makes due.
func (s *Server) apply(f engine.Fact) {
	switch f := f.(type) {
	case engine.Bounced:
		s.returned[f.Token] = true
		if !f.Hard {
			return
		}
		if s.hard[f.Rcpt]++; s.hard[f.Rcpt] == s.cfg.Hard {
			s.changes = append(s.changes, f.Rcpt)
		}
	case engine.Asked:
		s.asked[f.Rcpt] = true
		s.changes = append(s.changes, f.Rcpt)
	default:
		panic(fmt.Sprintf("inbox: got fact %T, want Bounced or Asked", f))
	}
}

// push sends the changes that the sending server does not have.
func (s *Server) push(now vt.Time, out *engine.Outbox) {
	rest := s.changes[s.got:]
	if s.next = vt.Never; len(rest) == 0 {
		return
	}
	s.next = now.Add(s.cfg.Push)
	out.Send = append(out.Send, engine.Message{From: s.cfg.Address, To: s.cfg.Sender, Body: engine.Changes{
		First: s.got + 1, Entries: engine.PackRecipients(rest[:min(len(rest), s.cfg.Batch)])}})
}

// Complete panics: the role asks for no attempts.
func (s *Server) Complete(vt.Time, *mail.Completion, *engine.Outbox) {
	panic("inbox: an attempt ended, want none")
}

// Wake pushes again what is not acknowledged.
func (s *Server) Wake(now vt.Time, _ engine.Load, out *engine.Outbox) {
	if now >= s.next {
		s.push(now, out)
	}
}

// NextWake returns the time at which changes are pushed again.
func (s *Server) NextWake() vt.Time { return s.next }

// Done reports whether the sending server has all changes.
func (s *Server) Done() bool { return s.got == uint64(len(s.changes)) }

// Recover takes the facts of the server before its stop, and pushes all changes again: the sending
// server drops those that it has.
func (s *Server) Recover(now vt.Time, _ uint64, facts []engine.Fact, out *engine.Outbox) {
	for _, f := range facts {
		s.apply(f)
	}
	s.push(now, out)
}

// State is not saved: facts are.
func (s *Server) State(*snap.Codec) { panic("inbox: State: the state of the role is its facts") }
