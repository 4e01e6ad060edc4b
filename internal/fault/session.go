package fault

import (
	"slices"
	"strings"
	"sync"
)

// Receiver is the state of a script's receiver over all sessions with all hosts. Both players ask it what happens.
// Safe for concurrent use.
type Receiver struct {
	*Script
	lock     sync.Mutex
	sessions int
	names    map[string]int // recipients, by address, from 1 on
	tries    map[string]int
	kept     map[string]int // messages
	messages map[string][]Message
	hosts    []int // of the sessions
	asked    asked
}

// NewReceiver returns the receiver of a script before its first session.
func NewReceiver(s *Script) *Receiver {
	return &Receiver{Script: s, names: map[string]int{}, tries: map[string]int{}, kept: map[string]int{},
		messages: map[string][]Message{}, asked: asked{times: map[string]int{}, known: map[string]*one{}}}
}

// Kept returns how many messages the receiver has kept for an address.
func (r *Receiver) Kept(address string) int {
	r.lock.Lock()
	defer r.lock.Unlock()
	return r.kept[address]
}

// Message is what came between DATA and the final dot.
type Message struct {
	Digest [32]byte // SHA-256 of its lines, without the dots that the client added
	Bare   int      // carriage returns and line feeds that stand alone: a careless receiver may end the message there
}

// Take notes a message that a player has received for the recipient of a session.
func (s *Session) Take(m Message) {
	s.of.lock.Lock()
	defer s.of.lock.Unlock()
	s.of.messages[s.address] = append(s.of.messages[s.address], m)
}

// Messages returns what came for an address up to the final dot, however it was answered.
func (r *Receiver) Messages(address string) []Message {
	r.lock.Lock()
	defer r.lock.Unlock()
	return r.messages[address]
}

// Sessions returns the number of sessions so far.
func (r *Receiver) Sessions() int {
	r.lock.Lock()
	defer r.lock.Unlock()
	return r.sessions
}

// Visited returns the hosts of the sessions so far, in their order.
func (r *Receiver) Visited() []int {
	r.lock.Lock()
	defer r.lock.Unlock()
	return slices.Clone(r.hosts)
}

// Session is one connection.
type Session struct {
	of        *Receiver
	host      int
	number    int
	message   int
	address   string // of the recipient
	encrypted bool
	ready     bool // the recipient was accepted
}

// Open begins the next session with a host, numbered from 1 on.
func (r *Receiver) Open(host int) *Session {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.sessions++
	r.hosts = append(r.hosts, host)
	return &Session{of: r, host: host, number: r.sessions}
}

// Number returns the number of the session.
func (s *Session) Number() int { return s.number }

// Encrypt notes that a handshake has succeeded.
func (s *Session) Encrypt() { s.encrypted = true }

// Address returns the recipient of the message at hand.
func (s *Session) Address() string { return s.address }

// StageOf returns the stage of a command line.
func StageOf(line string) Stage {
	verb, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(line)), " ")
	for _, at := range []Stage{EHLO, HELO, STARTTLS, Auth, MAIL, RCPT, DATA, RSET, QUIT} {
		if verb == at.String() {
			return at
		}
	}
	return Other
}

// Next returns what the receiver does at a stage, where argument is what follows the command. The action OK has become
// the reply of a sound receiver.
func (s *Session) Next(at Stage, argument string) []Action {
	r := s.of
	r.lock.Lock()
	defer r.lock.Unlock()
	switch at {
	case MAIL:
		s.message++
		s.address, s.ready = "", false
	case EHLO, HELO, RSET:
		s.address, s.ready = "", false
	case RCPT:
		s.address = addressIn(argument)
		r.tries[s.address]++
		if r.names[s.address] == 0 {
			r.names[s.address] = len(r.names) + 1
		}
	}
	actions := []Action{{Verb: OK}}
	if rule := s.rule(at); rule != nil {
		actions = rule.Actions
	}
	var all []Action
	for _, a := range actions {
		if a.Verb == OK {
			all = append(all, s.sound(at)...)
		} else {
			all = append(all, a)
		}
	}
	s.account(at, all)
	return all
}

// rule returns the first rule that applies at a stage; nil if none does.
func (s *Session) rule(at Stage) *Rule {
	for i := range s.of.Rules {
		v := &s.of.Rules[i]
		if v.Stage == at && v.Host.Contains(s.host) && v.Session.Contains(s.number) && v.Message.Contains(s.message) &&
			v.Recipient.Contains(s.of.names[s.address]) && v.Try.Contains(s.of.tries[s.address]) &&
			(v.Encrypted == "" || s.encrypted == (v.Encrypted == "yes")) {
			return v
		}
	}
	return nil
}

// Body returns the rule for the message at hand, and after how much of it; nil if there is none.
func (s *Session) Body() *Rule {
	s.of.lock.Lock()
	defer s.of.lock.Unlock()
	return s.rule(Body)
}

// account notes what follows from the receiver's actions at a stage.
func (s *Session) account(at Stage, all []Action) {
	kept, positive := 0, false
	for i, a := range all {
		if a.Verb == Send && i == slices.IndexFunc(all, func(a Action) bool { return a.Verb == Send }) {
			positive = strings.HasPrefix(a.Text, "2")
		}
		if a.Verb == Keep {
			kept++
		}
	}
	switch lost := slices.ContainsFunc(all, func(a Action) bool { return a.Verb == Lose }); {
	case at == RCPT:
		s.ready = positive
	case at == Dot && !lost:
		if kept == 0 && positive {
			kept = 1
		}
		s.of.kept[s.address] += kept
	}
}

// sound returns the actions of a sound receiver at a stage.
func (s *Session) sound(at Stage) []Action {
	reply := func(text string) []Action { return []Action{{Verb: Send, Text: text + "\r\n", Times: 1}} }
	switch at {
	case DNS, Connect, Body:
		return nil
	case Banner:
		return reply("220 mx.fault.example ESMTP")
	case EHLO:
		lines := []string{"mx.fault.example"}
		for _, v := range s.of.Offers {
			if !s.encrypted || v != "STARTTLS" {
				lines = append(lines, v)
			}
		}
		text := ""
		for i, v := range lines {
			if i < len(lines)-1 {
				text += "250-" + v + "\r\n"
			} else {
				text += "250 " + v
			}
		}
		return reply(text)
	case STARTTLS:
		return append(reply("220 2.0.0 go ahead"), Action{Verb: TLS, How: "sound"})
	case Auth:
		return reply("235 2.7.0 accepted")
	case DATA:
		if !s.ready {
			return reply("503 5.5.1 no recipient")
		}
		return reply("354 go on")
	case QUIT:
		return append(reply("221 2.0.0 bye"), Action{Verb: Close})
	case Other:
		return reply("500 5.5.2 unknown command")
	}
	return reply("250 2.0.0 ok")
}

// addressIn returns the address between the angle brackets of RCPT.
func addressIn(argument string) string {
	_, rest, _ := strings.Cut(argument, "<")
	address, _, _ := strings.Cut(rest, ">")
	return address
}

// AtConnect returns how the host refuses every connection: Refuse, BlackHole or Unreachable; OK if it does not.
func (s *Script) AtConnect(host int) Verb {
	for _, v := range s.Rules {
		if v.Stage == Connect && v.Host.Contains(host) && v.Actions[0].Verb.ofConnect() {
			return v.Actions[0].Verb
		}
	}
	return OK
}

// Hinders reports whether the receiver may stop reading or read slowly, so that its buffers have to be small.
func (s *Script) Hinders() bool {
	for _, v := range s.Rules {
		for _, a := range v.Actions {
			if a.Verb == Deaf || a.Verb == Slow {
				return true
			}
		}
	}
	return false
}
