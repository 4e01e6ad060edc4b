package faulty

import (
	"slices"
	"strconv"
	"strings"

	"flyball/internal/fault"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/realrun/names"
)

// client is the sending side of a play.
type client struct {
	script   *fault.Script
	dialogue mail.Dialogue
	receiver *fault.Receiver
	lines    map[mail.Slot]*line // kept connections
	habits   map[int]habit       // of hosts
	habit    habit               // of the host at hand, as far as it is known
	now      vt.Time             // of the attempt at hand
	to       string              // its recipient
	domain   string
	resolver resolver
	status   map[mail.Recipient]string // of look-ups that led nowhere
}

// habit is what a host has shown that it cannot do.
type habit struct {
	plain bool // EHLO
	alone bool // several commands at once
	clear bool // TLS: in the attempt at hand
}

func newClient(s *fault.Script, d mail.Dialogue) *client {
	c := &client{script: s, dialogue: d, receiver: fault.NewReceiver(s), lines: map[mail.Slot]*line{},
		habits: map[int]habit{}, status: map[mail.Recipient]string{}}
	c.resolver = resolver{receiver: c.receiver, patience: d.Timeouts.DNS, kept: map[question]*answered{}}
	return c
}

// hangUp ends the connection that a slot keeps.
func (c *client) hangUp(now vt.Time, slot mail.Slot) {
	if l := c.lines[slot]; l != nil && !l.ended {
		l.hand(now, fault.QUIT, "")
	}
	delete(c.lines, slot)
}

// deliver makes an attempt. A kept connection that has come to its end is followed by a new one, and a host that
// cannot be reached by the next one.
func (c *client) deliver(now vt.Time, a *mail.Attempt) (end mail.Reply) {
	c.now, c.to, c.domain = now, Address(c.script, a.Rcpt), DomainOf(c.script, a.Rcpt)
	defer func() { end.Took = c.now.Sub(now) }()
	if l := c.lines[a.Slot]; a.Conn != mail.Fresh && l.takes() && l.domain == c.domain {
		c.habit = c.habits[l.host]
		end = c.walk(l, a.Conn, a.Slot)
		c.habits[l.host] = habit{alone: c.habit.alone}
		if !a.Conn.EndedBy(&end) {
			return end
		}
	}
	c.hangUp(c.now, a.Slot)
	hosts, end := c.resolve(a)
	var trial names.Trial
	for _, host := range hosts {
		end := mail.Reply{Stage: mail.StageConnect, Fault: mail.Drop}
		if host > 0 {
			end = c.reach(host, a.Slot)
		}
		if trial.Ends(end) {
			break
		}
	}
	if len(hosts) > 0 {
		end = trial.Reply()
	}
	return end
}

// resolve returns the hosts of an attempt, 0 for an address without one, or how its look-up ends the attempt.
func (c *client) resolve(a *mail.Attempt) (hosts []int, end mail.Reply) {
	if !c.script.Resolves() {
		for host := 1; host <= c.script.Hosts; host++ {
			hosts = append(hosts, host)
		}
		return hosts, end
	}
	r := c.resolver.route(c.now, c.domain, a)
	c.now, c.status[a.Rcpt] = r.at, r.status
	for _, at := range r.to {
		hosts = append(hosts, hostAt(c.script, at))
	}
	return hosts, mail.Reply{Stage: mail.StageDNS, Fault: r.fault}
}

// reach makes an attempt over a new connection to a host, and over another one if the host has shown what it cannot do
// before anything was lost.
func (c *client) reach(host int, slot mail.Slot) mail.Reply {
	for c.habit = c.habits[host]; ; {
		before := c.habit
		l := &line{host: host, domain: c.domain}
		end := c.walk(l, mail.Fresh, slot)
		switch {
		case end.Stage == mail.StageEHLO && c.habit.clear && !before.clear:
			continue
		case end.WantsHELO() && !before.plain && !l.known && !c.script.Job.Login: // HELO offers no AUTH
			c.habit.plain = true
			continue
		}
		c.habits[host] = habit{alone: c.habit.alone}
		return end
	}
}

// walk goes through the steps of the dialogue over a connection, and keeps it if another message can follow.
func (c *client) walk(l *line, conn mail.Conn, slot mail.Slot) mail.Reply {
	delete(c.lines, slot)
	end := mail.Reply{Stage: mail.StageDot, Code: 250}
	for _, step := range c.dialogue.Steps(conn, c.size()) {
		if r := c.step(l, step, conn); r != nil {
			end = *r
			break
		}
	}
	if end.Open() && !l.ended {
		c.lines[slot] = l
	}
	return end
}

// step makes one exchange. It returns nil, or the reply that ends the attempt.
func (c *client) step(l *line, step mail.Step, conn mail.Conn) *mail.Reply {
	switch step.Stage {
	case mail.StageConnect:
		return c.connect(l)
	case mail.StageBanner:
		return c.await(l, step.Stage, 2)
	case mail.StageEHLO:
		if conn == mail.Reset {
			if r := c.command(l, step.Stage, fault.RSET, "", 2); r != nil {
				return r
			}
		}
		if r := c.hello(l); r != nil || conn == mail.Reset {
			return r
		}
		l.known = true
		if r := c.encrypt(l); r != nil {
			return r
		}
		return c.login(l)
	case mail.StageMAIL:
		if r := c.unfit(l); r != nil {
			return r
		}
		if step.RoundTrips > 0 && c.together(l) {
			return c.group(l)
		}
		l.sent++
		return c.command(l, step.Stage, fault.MAIL, "FROM:<>", 2)
	case mail.StageRCPT:
		if !c.together(l) {
			return c.command(l, step.Stage, fault.RCPT, "TO:<"+c.to+">", 2)
		}
	case mail.StageDATA:
		if !c.together(l) {
			return c.command(l, step.Stage, fault.DATA, "", 3)
		}
	case mail.StageDot:
		if r := c.transfer(l); r != nil {
			return r
		}
		return c.await(l, step.Stage, 2)
	}
	return nil
}

// connect opens a connection.
func (c *client) connect(l *line) *mail.Reply {
	switch c.script.AtConnect(l.host) {
	case fault.Refuse, fault.Unreachable:
		return &mail.Reply{Stage: mail.StageConnect, Fault: mail.Drop}
	case fault.BlackHole:
		c.now = c.now.Add(c.dialogue.Timeouts.Connect)
		return &mail.Reply{Stage: mail.StageConnect, Fault: mail.Timeout}
	}
	l.session = c.receiver.Open(l.host)
	l.hand(c.now, fault.Connect, "")
	l.hand(c.now, fault.Banner, "")
	return nil
}

// hello introduces the client, with HELO where EHLO is not known (RFC 5321 3.2).
func (c *client) hello(l *line) *mail.Reply {
	l.offers = offers{}
	if c.habit.plain {
		return c.command(l, mail.StageEHLO, fault.HELO, "sender.example", 2)
	}
	r := c.command(l, mail.StageEHLO, fault.EHLO, "sender.example", 2)
	if r != nil && (r.Code == 500 || r.Code == 502) {
		return c.command(l, mail.StageEHLO, fault.HELO, "sender.example", 2)
	}
	return r
}

// encrypt makes a handshake if the job asks for TLS, and a second EHLO within it (RFC 3207).
func (c *client) encrypt(l *line) *mail.Reply {
	wanted := c.script.Job.TLS
	if wanted == "none" || c.habit.clear {
		return nil
	}
	var clear *mail.Reply // what follows if the connection cannot be encrypted
	if wanted != "opportunistic" {
		clear = &mail.Reply{Stage: mail.StageEHLO, Code: 454}
	}
	if !l.offers.startTLS {
		return clear
	}
	r := c.command(l, mail.StageEHLO, fault.STARTTLS, "", 2)
	if r != nil && r.Fault == mail.NoFault && r.Code != 421 {
		return clear
	}
	if r == nil && (len(l.come) > 0 || l.shakes == "" || l.shakes == "garbage") { // words where a handshake should be
		r = &mail.Reply{Stage: mail.StageEHLO, Fault: mail.Garbled}
		if len(l.come) == 0 && l.shakes == "" { // nothing comes
			_, c.now, r.Fault = l.await(c.now, c.dialogue.Timeouts.Command)
		}
	}
	if r == nil && wanted == "verified" && l.shakes != "sound" && l.shakes != "abrupt" {
		r = &mail.Reply{Stage: mail.StageEHLO, Fault: mail.Garbled}
	}
	if r != nil {
		l.ended = true
		if clear != nil {
			return clear
		}
		c.habit.clear = true
		return r
	}
	l.session.Encrypt()
	return c.hello(l)
}

// login logs in if the job asks for it (RFC 4954).
func (c *client) login(l *line) *mail.Reply {
	switch {
	case !c.script.Job.Login:
		return nil
	case !l.offers.plain:
		return &mail.Reply{Stage: mail.StageEHLO, Code: 534}
	}
	offered := l.offers
	r := c.command(l, mail.StageEHLO, fault.Auth, "PLAIN", 2)
	l.offers = offered
	return r
}

// unfit returns the refusal of a message that the receiver does not take by what it offers; nil if it is fit.
func (c *client) unfit(l *line) *mail.Reply {
	switch {
	case l.offers.size > 0 && c.size() > l.offers.size: // RFC 1870 6
		return &mail.Reply{Stage: mail.StageMAIL, Code: 552}
	case !l.offers.eightBit && (strings.ContainsFunc(c.script.Job.Body, beyondASCII) ||
		c.script.Job.UTF8 == "local"): // RFC 6152 3, and the header has the address
		return &mail.Reply{Stage: mail.StageDATA, Code: 554}
	case c.script.Job.UTF8 == "local" && !l.offers.utf8: // RFC 6531 3.5
		return &mail.Reply{Stage: mail.StageRCPT, Code: 553}
	}
	return nil
}

func beyondASCII(r rune) bool { return r > 0x7f }

// together reports whether MAIL, RCPT and DATA go out at once.
func (c *client) together(l *line) bool {
	return c.dialogue.Pipelining && l.offers.pipelining && !c.habit.alone
}

// group sends MAIL, RCPT and DATA at once. Each reply belongs to its own command (RFC 2920 3.1).
func (c *client) group(l *line) (first *mail.Reply) {
	if r := l.waits(c.now, mail.StageMAIL); r != nil {
		return inStep(r)
	}
	l.sent++
	l.hand(c.now, fault.MAIL, "FROM:<>")
	l.hand(c.now, fault.RCPT, "TO:<"+c.to+">")
	l.hand(c.now, fault.DATA, "")
	for i, want := range []uint16{2, 2, 3} {
		at := mail.StageMAIL + mail.Stage(i)
		r := c.await(l, at, want)
		switch {
		case r == nil && at == mail.StageDATA && first != nil: // an empty message for no recipient
			l.hand(c.now, fault.Dot, "")
			c.await(l, at, 2)
		case r == nil:
		case r.Fault == mail.NoFault && r.Code != 421:
			if first == nil {
				first = r
			}
		case first != nil && (r.Fault == mail.Drop || r.Code == 421): // a server that refuses may close
			l.ended = true
			return first
		default: // a reply is missing or is none: any before may be another command's
			c.habit.alone = c.habit.alone || r.Fault != mail.NoFault && i > 0
			l.ended = true
			return r
		}
	}
	return first
}

// block is what goes out in one piece of a message, and onTheWay how much of one the two kernels hold.
const block, onTheWay = 32 << 10, 4 << 20

// transfer sends the message and the final dot. It returns nil once the dot is sent.
func (c *client) transfer(l *line) *mail.Reply {
	size := c.size()
	lost := func(f mail.Fault) *mail.Reply {
		l.ended = true
		return &mail.Reply{Stage: mail.StageDATA, Fault: f}
	}
	if rule := l.session.Body(); rule != nil && size > int64(rule.After) && !l.over {
		l.busy = max(l.busy, c.now)
		for _, a := range rule.Actions {
			if a.Verb != fault.Slow {
				l.act([]fault.Action{a})
				continue
			}
			if vt.Span(block*float64(vt.Second)/float64(a.Rate)) > mail.BlockPatience {
				c.now = c.now.Add(mail.BlockPatience)
				return lost(mail.Timeout)
			}
			l.busy = l.busy.Add(vt.Span(float64(size-int64(rule.After)) / float64(a.Rate) * float64(vt.Second)))
		}
		stuck := size-int64(rule.After) > onTheWay
		switch {
		case l.deaf && stuck:
			c.now = c.now.Add(mail.BlockPatience)
			return lost(mail.Timeout)
		case l.over && stuck:
			c.now = max(c.now, l.busy)
		case !l.over:
			c.now = max(c.now, l.busy)
		}
	}
	if r := l.waits(c.now, mail.StageDATA); r != nil {
		return r
	}
	l.hand(c.now, fault.Dot, "")
	return nil
}

// command sends a command and waits for its reply, of which the first digit is to be want. It returns nil, or the
// reply that ends the attempt. What waits before a command is out of step and ends the session.
func (c *client) command(l *line, at mail.Stage, command fault.Stage, argument string, want uint16) *mail.Reply {
	if r := l.waits(c.now, at); r != nil {
		return inStep(r)
	}
	l.hand(c.now, command, argument)
	return c.await(l, at, want)
}

// inStep returns what waited before a command: 421 may come at any time (RFC 5321 3.8), nothing else may.
func inStep(r *mail.Reply) *mail.Reply {
	if r.Fault == mail.NoFault && r.Code != 421 {
		return &mail.Reply{Stage: r.Stage, Fault: mail.Garbled}
	}
	return r
}

// await waits for a reply; see command.
func (c *client) await(l *line, at mail.Stage, want uint16) *mail.Reply {
	r, when, failed := l.await(c.now, c.dialogue.Timeouts.Patience(at))
	c.now = when
	switch {
	case failed == mail.NoFault && r.code/100 == want:
		if at == mail.StageEHLO {
			l.offers = offersIn(r.text)
		}
		return nil
	case failed == mail.NoFault && r.code >= 400:
		l.ended = r.code == 421
		return &mail.Reply{Stage: at, Code: r.code}
	case failed == mail.NoFault:
		failed = mail.Garbled
	}
	l.ended = true
	return &mail.Reply{Stage: at, Fault: failed}
}

// size returns the size of each message.
func (c *client) size() int64 {
	return max(int64(c.script.Job.Size), int64(len(c.script.Job.Body))+100)
}

// offers is what a receiver offers in its reply to EHLO.
type offers struct {
	pipelining, eightBit, utf8, startTLS bool
	plain                                bool  // AUTH PLAIN
	size                                 int64 // 0: none
	messages                             int   // 0: any number
}

// offersIn reads the lines of a reply to EHLO. What is unknown is not offered.
func offersIn(lines []string) (o offers) {
	for _, line := range lines[1:] {
		words := strings.Fields(strings.ToUpper(line))
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "PIPELINING":
			o.pipelining = true
		case "8BITMIME":
			o.eightBit = true
		case "SMTPUTF8":
			o.utf8 = true
		case "STARTTLS":
			o.startTLS = true
		case "AUTH":
			o.plain = o.plain || slices.Contains(words, "PLAIN")
		case "SIZE":
			if len(words) > 1 {
				o.size, _ = strconv.ParseInt(words[1], 10, 64)
			}
		case "LIMITS":
			if i := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "MAILMAX=") }); i > 0 {
				o.messages, _ = strconv.Atoi(words[i][len("MAILMAX="):])
			}
		}
	}
	return o
}
