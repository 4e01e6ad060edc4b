// Package inbox turns what recipients and their servers send back into changes of the list: the
// role of the servers for returned mail ("C server", [0042]-[0045]) and for requests ("D
// server", [0047]-[0048]). Changes are numbered, and pushed to the sending server until it has them
// durably, or sent when it asks ([0051], [0079]).
//
//	returned mail: counted -> with enough of them, the person is deleted
//	request:       wanted -> confirmed, where that is configured -> the person is deleted or added
//
// Where several servers take returned mail, one counts, so that two returns of a person count as two wherever they
// came, and the return of one message that came twice as one. The others keep what they have taken, and hand it over,
// numbered, until the one that counts has it durably.
package inbox

import (
	"fmt"
	"slices"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Server is the role of one server.
type Server struct {
	cfg      Config
	returned map[uint64]bool            // tokens of returned mail
	counts   map[mail.Recipient]counts  // by the first place of a person, since its last deletion
	last     map[mail.Recipient]vt.Time // of counts, where they are forgotten; after a stop: of the stop
	requests map[request]state
	changes  []engine.Change // by number from 1 on
	made     []Made          // by number from 1 on: what a store of lists gets
	got      uint64          // number of the last change that the sending server has
	next     vt.Time

	taken  []engine.Returned // by number from 1 on: what is handed over
	handed uint64            // number of the last one that the server that counts has
	hands  vt.Time           // when others are handed over again
}

// counts are numbers of returned mails.
type counts struct{ hard, soft int }

func (n counts) with(hard bool) counts {
	if hard {
		n.hard++
	} else {
		n.soft++
	}
	return n
}

// request identifies a request.
type request struct {
	rcpt  mail.Recipient
	token uint64
}

// state is what became of a request.
type state struct {
	add  bool
	open bool // it waits for its confirmation
}

// New returns a server at time 0 without any facts.
func New(cfg Config) *Server {
	return &Server{cfg: cfg, returned: map[uint64]bool{}, counts: map[mail.Recipient]counts{},
		last:     map[mail.Recipient]vt.Time{},
		requests: map[request]state{}, next: vt.Never, hands: vt.Never}
}

// elsewhere reports whether another server counts returned mail.
func (s *Server) elsewhere() bool {
	return s.cfg.Counter != engine.Address{} && s.cfg.Counter != s.cfg.Address
}

// Receive processes Returned, Returns, Request, Join, Letter, Confirmed, Got, Pull and Stop.
func (s *Server) Receive(now vt.Time, m engine.Message, out *engine.Outbox) {
	had, got, pulled := len(s.changes), s.got, false
	taken, handed := len(s.taken), s.handed
	switch b := m.Body.(type) {
	case engine.Returned:
		s.count(now, b, out)
	case engine.Returns:
		s.takeOver(now, m.From, b, out)
	case engine.Request:
		s.want(engine.Wanted{Rcpt: b.Rcpt, Token: b.Token}, out)
	case engine.Join:
		s.want(engine.Wanted{Rcpt: b.Rcpt, Token: b.Token, Add: true}, out)
	case engine.Letter:
		if remove := Asks(b.Text, s.cfg.Delete); remove || Asks(b.Text, s.cfg.Add) {
			s.want(engine.Wanted{Rcpt: b.Rcpt, Token: b.Token, Add: !remove}, out)
		}
	case engine.Confirmed:
		if r := s.requests[request{b.Rcpt, b.Token}]; r.open {
			s.record(engine.Agreed{Rcpt: b.Rcpt, Token: b.Token, Changes: s.all(b.Rcpt, r.add)}, out)
		}
	case engine.Got:
		if m.From.Role != engine.Bounces {
			s.acknowledge(m, b.UpTo)
		} else if b.UpTo <= uint64(len(s.taken)) { // else it is about a folder that this one has taken the place of
			s.handed = max(s.handed, b.UpTo)
		}
	case engine.Pull:
		s.acknowledge(m, b.UpTo)
		pulled = true
	case engine.Stop:
		s.next, s.hands = vt.Never, vt.Never
		return
	default:
		panic(fmt.Sprintf("inbox: got %v, want Returned, Returns, Request, Join, Letter, Confirmed, Got, Pull or Stop",
			m))
	}
	if pulled || s.cfg.Push > 0 && (len(s.changes) > had || s.got > got) {
		s.push(now, out)
	}
	if len(s.taken) > taken || s.handed > handed {
		s.hand(now, out)
	}
}

// takeOver counts what another server has taken, which has counted before if it came before.
func (s *Server) takeOver(now vt.Time, from engine.Address, b engine.Returns, out *engine.Outbox) {
	if s.elsewhere() {
		return // the site files of two servers differ
	}
	all := engine.UnpackReturns(b.Entries)
	for _, r := range all {
		s.count(now, r, out)
	}
	out.Send = append(out.Send, engine.Message{From: s.cfg.Address, To: from,
		Body: engine.Got{UpTo: b.First + uint64(len(all)) - 1}})
}

// count counts a returned mail, unless it has come before, or takes it for the server that counts.
func (s *Server) count(now vt.Time, b engine.Returned, out *engine.Outbox) {
	if s.returned[b.Token] {
		return
	}
	if s.elsewhere() {
		s.record(engine.Counted{Token: b.Token, Rcpt: b.Rcpt, Hard: b.Hard}, out)
		return
	}
	if person := s.places(b.Rcpt)[0]; s.cfg.Forget > 0 {
		if s.counts[person] != (counts{}) && now.Sub(s.last[person]) > s.cfg.Forget {
			s.record(engine.Forgot{Rcpt: b.Rcpt}, out)
		}
		s.last[person] = now
	}
	f := engine.Counted{Token: b.Token, Rcpt: b.Rcpt, Hard: b.Hard}
	n := s.counts[s.places(b.Rcpt)[0]].with(b.Hard)
	if n.hard >= s.cfg.Hard || s.cfg.Soft > 0 && n.soft >= s.cfg.Soft {
		f.Changes = s.all(b.Rcpt, false)
	}
	s.record(f, out)
}

// want takes a request, unless it has come before. It counts, or the recipient is to confirm it.
func (s *Server) want(f engine.Wanted, out *engine.Outbox) {
	confirm := s.cfg.ConfirmDelete
	if f.Add {
		confirm = s.cfg.ConfirmAdd
	}
	r, known := s.requests[request{f.Rcpt, f.Token}]
	if !known {
		if !confirm {
			f.Changes = s.all(f.Rcpt, f.Add)
		}
		s.record(f, out)
		r = state{add: f.Add, open: confirm}
	}
	if r.open {
		out.Send = append(out.Send, engine.Message{From: s.cfg.Address, To: engine.Address{Role: engine.Recipients},
			Body: engine.Confirm{Rcpt: f.Rcpt, Token: f.Token, Add: r.add}})
	}
}

// places returns all places of the person at a place.
func (s *Server) places(r mail.Recipient) []mail.Recipient {
	if s.cfg.Same == nil {
		return []mail.Recipient{r}
	}
	return s.cfg.Same(r)
}

// all returns the change of all places of a person.
func (s *Server) all(r mail.Recipient, add bool) string {
	var all []engine.Change
	for _, p := range s.places(r) {
		all = append(all, engine.Change{Rcpt: p, Add: add})
	}
	return engine.PackChanges(all)
}

func (s *Server) record(f engine.Fact, out *engine.Outbox) {
	out.Write = append(out.Write, f)
	s.apply(f)
}

// apply applies a fact, and adds the changes that it made.
func (s *Server) apply(f engine.Fact) {
	var changes string
	switch f := f.(type) {
	case engine.Counted:
		changes = f.Changes
		s.returned[f.Token] = true
		if s.elsewhere() {
			s.taken = append(s.taken, engine.Returned{Token: f.Token, Rcpt: f.Rcpt, Hard: f.Hard})
			break // but for a change that it made when it was the one that counts
		}
		person := s.places(f.Rcpt)[0]
		if s.counts[person] = s.counts[person].with(f.Hard); changes != "" {
			delete(s.counts, person)
		}
	case engine.Forgot:
		delete(s.counts, s.places(f.Rcpt)[0])
	case engine.Wanted:
		changes = f.Changes
		s.requests[request{f.Rcpt, f.Token}] = state{add: f.Add, open: changes == ""}
	case engine.Agreed:
		changes = f.Changes
		s.requests[request{f.Rcpt, f.Token}] = state{}
	default:
		panic(fmt.Sprintf("inbox: got fact %T, want Counted, Forgot, Wanted or Agreed", f))
	}
	s.changes = append(s.changes, engine.UnpackChanges(changes)...)
	s.made = append(s.made, MadeBy(f)...)
}

// Made is what a store of lists gets: a change of the list, or a returned mail that may become one.
type Made struct {
	engine.Change
	Returned bool // mail; false: the recipient asked
	// Counts is set for a returned mail that says that the address is dead, and has changed nothing: a store that knows
	// who else is the person counts it, once for each Token.
	Counts bool
	Token  uint64
}

// MadeBy returns what a store of lists gets of a fact.
func MadeBy(f engine.Fact) (all []Made) {
	changes, returned := "", false
	switch f := f.(type) {
	case engine.Counted:
		if changes, returned = f.Changes, true; changes == "" && f.Hard {
			return []Made{{Change: engine.Change{Rcpt: f.Rcpt}, Returned: true, Counts: true, Token: f.Token}}
		}
	case engine.Wanted:
		changes = f.Changes
	case engine.Agreed:
		changes = f.Changes
	}
	for _, c := range engine.UnpackChanges(changes) {
		all = append(all, Made{Change: c, Returned: returned})
	}
	return all
}

// Changes returns all changes after a number, and returned mail that counts; the first one has number 1.
func (s *Server) Changes(after uint64) []Made {
	return slices.Clone(s.made[min(after, uint64(len(s.made))):])
}

// acknowledge takes that the sending server has changes up to a number.
func (s *Server) acknowledge(m engine.Message, upTo uint64) {
	if upTo > uint64(len(s.changes)) {
		panic(fmt.Sprintf("inbox: got %v, want at most %d changes", m, len(s.changes)))
	}
	s.got = max(s.got, upTo)
}

// push sends the changes that the sending server does not have.
func (s *Server) push(now vt.Time, out *engine.Outbox) {
	rest := s.changes[s.got:]
	if s.next = vt.Never; len(rest) == 0 {
		return
	}
	if s.cfg.Push > 0 {
		s.next = now.Add(s.cfg.Push)
	}
	out.Send = append(out.Send, engine.Message{From: s.cfg.Address, To: s.cfg.Sender, Body: engine.Changes{
		First: s.got + 1, Entries: engine.PackChanges(rest[:min(len(rest), s.cfg.Batch)])}})
}

// hand hands over what the server that counts does not have.
func (s *Server) hand(now vt.Time, out *engine.Outbox) {
	rest := s.taken[s.handed:]
	if s.hands = vt.Never; len(rest) == 0 {
		return
	}
	s.hands = now.Add(s.cfg.Push)
	out.Send = append(out.Send, engine.Message{From: s.cfg.Address, To: s.cfg.Counter, Body: engine.Returns{
		First: s.handed + 1, Entries: engine.PackReturns(rest[:min(len(rest), s.cfg.Batch)])}})
}

// Wake pushes and hands over again what is not acknowledged.
func (s *Server) Wake(now vt.Time, _ engine.Load, out *engine.Outbox) {
	if now >= s.next {
		s.push(now, out)
	}
	if now >= s.hands {
		s.hand(now, out)
	}
}

// NextWake returns the time at which something is sent again.
func (s *Server) NextWake() vt.Time { return min(s.next, s.hands) }

// Done reports whether the sending server has all changes, and the server that counts all returned mail.
func (s *Server) Done() bool {
	return s.got == uint64(len(s.changes)) && s.handed == uint64(len(s.taken))
}

// Acknowledged returns the number of changes that the sending server has, and of all.
func (s *Server) Acknowledged() (has, all uint64) { return s.got, uint64(len(s.changes)) }

// Recover takes the facts of the server before its stop. It pushes all changes again, if it pushes any: the
// sending server drops those that it has. What is handed over is handed over again too.
func (s *Server) Recover(now vt.Time, _ uint64, facts []engine.Fact, out *engine.Outbox) {
	for _, f := range facts {
		s.apply(f)
	}
	if s.cfg.Forget > 0 {
		for _, f := range facts {
			if f, is := f.(engine.Counted); is {
				s.last[s.places(f.Rcpt)[0]] = now
			}
		}
	}
	if s.cfg.Push > 0 {
		s.push(now, out)
	}
	s.hand(now, out)
}
