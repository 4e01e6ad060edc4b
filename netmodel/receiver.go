package netmodel

import (
	"cmp"
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"flyball/internal/mail"
	"flyball/internal/portable"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/netmodel/limits"
)

// Receiver is one destination as one server meets it. The simulator's Model and
// the live sink call the same methods, in the order of time:
//
//	a name is looked up             Lookup     the resolver's answer
//	a connection opens              Connect    outage, cap, events, slowness, path
//	a kept connection is reused     Reuse      outage, end of the connection, slowness, path,
//	                                            the reply to RSET if that comes first
//	a message is offered over it    Offer      events, rate, penalty, throttle, tarpit,
//	                                            allowances, bucket, reputation, whitelist
//	a command gets its reply        Exchange   greylist, drawn failures, losses, time-outs
//	the attempt has ended           End        passes of the greylist, complaints
//	the connection ends             Close      cap, knee
//
// Connect and Reuse begin an attempt, which has one Offer, unless the connection
// fails first, and at most one End. docs/model.md states each rule exactly. Not
// safe for concurrent use.
type Receiver struct {
	net                  *Network
	facts                *destination
	states               []*ReceiverState   // by source address of the server
	windows              [][]*limits.Window // by allowance, then by source address, sending domain or account
	grey                 *acquaintance
	server               mail.Server
	dest                 mail.Destination
	lookups, connections uint32   // ordinals
	turns                []uint32 // ordinals of connections, by pool; nil without pools
}

// ReceiverState is what a receiver remembers about one of those that it counts apart,
// see counting.
type ReceiverState struct {
	open             int // connections that count towards the cap, in use or kept
	bucket           mail.Pace
	penance          limits.Penance
	recent           limits.Fading // messages offered
	points           limits.Fading // points of bad reputation
	cycles           uint32        // number of cycles of up and down drawn so far
	downFrom, upFrom vt.Time       // outage of the last cycle
	periods          uint32        // number of periods of weather drawn so far
	weather, factor  float64       // last period: standard score, and factor on delays
}

// acquaintance is what a greylist remembers about a netblock.
type acquaintance struct {
	clocks limits.Clocks
	passes int     // greylisted recipients let in since the last whitelisting
	white  vt.Time // whitelisted until this time
}

// Open returns the number of connections that the receiver counts as open, from all
// addresses of the server; where it counts servers together, from all of these.
func (r *Receiver) Open() (n int) {
	for i, s := range r.states {
		if i == 0 || s != r.states[i-1] {
			n += s.open
		}
	}
	return n
}

// Lookup returns the result of the server's next look-up of the destination, see
// Network.Lookup.
func (r *Receiver) Lookup(now vt.Time) (vt.Span, mail.Fault) {
	r.lookups++
	return r.net.Lookup(r.server, r.dest, r.lookups-1, now)
}

// Connect makes the server's next connection in c, from its own addresses; see ConnectFrom.
func (r *Receiver) Connect(now vt.Time, c *Connection) { r.ConnectFrom(now, 0, c) }

// ConnectFrom makes the server's next connection in c, from the next address of a pool, see
// Network.PoolOf. It is lost if the destination is down, and refused at the banner beyond the
// cap; in both cases it does not count as open.
func (r *Receiver) ConnectFrom(now vt.Time, pool int, c *Connection) {
	c.from = 0
	if len(r.states) > 1 {
		n := r.connections
		if r.turns != nil {
			n = r.turns[pool]
			r.turns[pool]++
		}
		t := r.net.servers[r.server].turns[pool]
		c.from = t.first + uint16(n%uint32(t.addresses))
	}
	s := r.states[c.from]
	r.net.connect(c, r.server, r.dest, r.connections)
	r.connections++
	down := r.outage(now)
	c.refused = down == mail.NoFault && r.facts.cap > 0 && s.open >= r.facts.cap
	c.counted = down == mail.NoFault && !c.refused
	if c.counted {
		s.open++
	}
	if down != mail.NoFault {
		c.fail = silence(mail.StageConnect, down)
	}
	if b := r.facts.behaviour; b != nil {
		c.offered = 0
		if len(b.onConnection) > 0 {
			c.fail = refuses(b.onConnection, now, func() uint32 {
				word, _, _, _ := r.net.key.Words(lane(r.server, r.dest, r.connections-1), 0, purposeRefusedConnection)
				return word
			}).before(c.fail)
		}
		c.slow = r.slowness(now, s)
		c.Banner = stretched(c.Banner, c.slow)
	}
	r.net.reroute(c, now)
}

// Reuse begins another attempt over the open connection c, which is Reused, or Reset if
// RSET comes before the message. If the destination is down, or has hung up, the
// connection is lost at its next command; else it may refuse RSET.
func (r *Receiver) Reuse(now vt.Time, kind mail.Conn, c *Connection) {
	if b := r.facts.behaviour; b != nil {
		if down := r.outage(now); down != mail.NoFault {
			c.fail = silence(mail.StageEHLO, down)
		} else if b.hangsUp > 0 && c.offered >= b.hangsUp && b.hangsUpReply == noEnding {
			c.fail = silence(mail.StageEHLO, mail.Drop)
		} else if kind == mail.Reset && c.fail == noEnding {
			c.fail = b.resetReply
		}
		c.slow = r.slowness(now, r.states[c.from])
	}
	r.net.reroute(c, now)
}

// Offer makes m the message of a try for the recipient to, over the connection c
// on which an attempt has begun. The receiver decides whether it refuses the
// message at MAIL and how long its replies take, and remembers the message.
func (r *Receiver) Offer(now vt.Time, c *Connection, m *Message, to mail.Recipient, try mail.Try) {
	r.net.message(m, r.dest, to, try)
	if len(r.facts.holds) > 0 && !m.dead {
		m.fail = r.held(now, to).before(m.fail)
	}
	if r.facts.behaviour == nil {
		return
	}
	b := r.facts.behaviour
	spent := b.hangsUpReply != noEnding && c.offered >= b.hangsUp
	c.offered++
	m.RCPT, m.Dot = stretched(m.RCPT, c.slow), stretched(m.Dot, c.slow)
	switch {
	case c.fail.fault() != mail.NoFault: // in case the server gets as far as MAIL
		m.fail = silence(mail.StageMAIL, c.fail.fault())
	case spent && c.fail == noEnding:
		m.fail, m.Grey = b.hangsUpReply, 0
	case !c.refused && c.fail == noEnding:
		r.judge(now, c, m, try)
	}
}

// judge decides on refusal, tarpit and whitelist for the message m over the connection
// c, and updates the receiver's state.
func (r *Receiver) judge(now vt.Time, c *Connection, m *Message, try mail.Try) {
	b, s := r.facts.behaviour, r.states[c.from]
	rate, points := 0.0, 0.0
	if b.healTick > 0 {
		points = s.points.At(now, b.healTick)
	}
	if b.tick > 0 {
		// a bad reputation multiplies the rate
		rate = s.recent.At(now, b.tick) * b.perHour * (1 + points)
		s.recent.Sum++
		if b.most > 0 {
			slow := float64(b.perPoint) * points
			if !b.tarpit.Off() {
				slow = float64(float64(b.delay)*b.tarpit.At(rate)) + slow
			}
			m.Tarpit = vt.Span(min(slow, float64(b.most)))
		}
	}
	switch refused := r.refuse(now, c, m, try, rate); {
	case refused != noEnding:
		m.fail = refused
		if refused.stage() <= r.facts.greyAt {
			m.Grey = 0
		}
		s.points.Sum += b.perRefusal
	case m.dead:
		s.points.Sum += b.perDead
	}
	m.welcome = now < r.grey.white
	m.complains = b.complaints > 0 && r.draw(m.to, 0, purposeComplaint) < b.complaints
}

// refuse returns the reply with which the receiver refuses the message m by its own
// rules, or noEnding. The first rule that refuses it ends the questions. rate is the
// server's recent rate. A message that no rule refuses at MAIL counts as taken.
func (r *Receiver) refuse(now vt.Time, c *Connection, m *Message, try mail.Try, rate float64) ending {
	b, s := r.facts.behaviour, r.states[c.from]
	event := r.event(now, m.to, try)
	if event.stage() == mail.StageMAIL {
		return event
	}
	if b.penalty != nil && s.penance.Refuses(b.penalty, now, rate, s.open) {
		return b.penaltyReply
	}
	if !b.throttle.Off() {
		if p := b.throttle.At(rate); p > 0 && r.draw(m.to, try, purposeThrottle) < rng.Threshold(p) {
			return b.throttleReply
		}
	}
	if reply := r.exceeded(now, c, m); reply != noEnding {
		return reply
	}
	if s.bucket.Opens() > now {
		return b.bucketReply
	}
	s.bucket.Pass(now)
	for i := range r.windows {
		r.window(i, c, m).Take()
	}
	if event != noEnding && event.before(m.fail) == event {
		return event
	}
	return noEnding
}

// exceeded returns the reply of the first allowance that has no room for a message
// at the time now, or noEnding.
func (r *Receiver) exceeded(now vt.Time, c *Connection, m *Message) (reply ending) {
	for i := range r.windows {
		if a := &r.facts.behaviour.allowances[i]; r.window(i, c, m).Full(&a.Quota, now) && reply == noEnding {
			reply = a.reply
		}
	}
	return reply
}

// window returns the window of an allowance in which the message m over the connection c
// counts.
func (r *Receiver) window(rule int, c *Connection, m *Message) *limits.Window {
	switch r.facts.behaviour.allowances[rule].by {
	case byDomain:
		return r.windows[rule][r.net.campaignOf(m.to).domain]
	case byCustomer:
		return r.windows[rule][r.net.campaignOf(m.to).account]
	}
	return r.windows[rule][c.from]
}

// event returns the reply of the event that refuses the message of a try.
func (r *Receiver) event(now vt.Time, to mail.Recipient, try mail.Try) ending {
	if len(r.facts.behaviour.onMessage) == 0 {
		return noEnding
	}
	return refuses(r.facts.behaviour.onMessage, now, func() uint32 {
		return uint32(r.draw(to, try, purposeRefusedMessage))
	})
}

// draw returns the first word of a recipient's try for a purpose.
func (r *Receiver) draw(to mail.Recipient, try mail.Try, purpose rng.Purpose) uint64 {
	word, _, _, _ := r.net.key.Words(uint64(to), uint32(try), purpose)
	return uint64(word)
}

// Exchange returns the result of one step of an attempt that begins now, see
// Network.Exchange, and decides whether the greylist defers the message at this
// step. The recipient's clock starts at the end of the first deferred exchange.
func (r *Receiver) Exchange(now vt.Time, step mail.Step, c *Connection, m *Message, stretch float64) Exchange {
	if m.Grey == 0 || m.welcome || step.Stage != r.facts.greyAt {
		e := r.net.Exchange(step, c, m, false, stretch)
		if e.Code != 0 && c.refused && step.Stage == mail.StageBanner {
			e.answer = r.facts.capReply.answer()
		}
		return e
	}
	first, known := r.grey.clocks.First(m.to, now)
	m.letIn = known && now.Sub(first) >= m.Grey
	e := r.net.Exchange(step, c, m, !m.letIn, stretch)
	if e.Code != 0 && !m.letIn {
		e.answer = r.facts.greyReply.answer()
	}
	r.grey.clocks.See(m.to, now.Add(e.Took), known)
	return e
}

// Row returns the row of the sender's reply table that the refusal e matches; see
// mail.Reply.
func (r *Receiver) Row(e Exchange) uint16 { return r.facts.answers[e.answer].row }

// Words returns the status, if any, and the text of the refusal e, which a live run has
// on the wire. A simulated sender does not read them.
func (r *Receiver) Words(e Exchange) (mail.Enhanced, string) {
	a := &r.facts.answers[e.answer]
	return a.status, cmp.Or(a.text, mail.DefaultText)
}

// trace adds one step of an attempt to its trace.
func (r *Receiver) trace(t *mail.Trace, stage mail.Stage, e Exchange) {
	t.Stages[stage] += e.Took
	t.Text = t.Text[:0]
	if e.Code != 0 {
		status, text := r.Words(e)
		if status != 0 {
			t.Text = append(append(t.Text, status.String()...), ' ')
		}
		t.Text = append(t.Text, text...)
	}
}

// End ends an attempt whose message was offered over the connection c. accepted means
// that the reply to the final dot was positive; the recipient's greylist clock is then
// dropped, and a complaint counts. The whitelist counts the recipients that were let in.
func (r *Receiver) End(now vt.Time, c *Connection, m *Message, accepted bool) {
	if accepted && m.complains {
		s := r.states[c.from]
		s.points.At(now, r.facts.behaviour.healTick)
		s.points.Sum += r.facts.behaviour.perComplaint
	}
	if m.Grey == 0 {
		return
	}
	if accepted {
		r.grey.clocks.Drop(m.to)
	}
	if b := r.facts.behaviour; m.letIn && b != nil && b.whiteAfter > 0 {
		if r.grey.passes++; r.grey.passes >= b.whiteAfter {
			r.grey.passes, r.grey.white = 0, now.Add(b.whiteFor)
		}
	}
	m.letIn = false
}

// Close ends a connection; closing it again does nothing.
func (r *Receiver) Close(c *Connection) {
	if c.counted {
		c.counted = false
		r.states[c.from].open--
	}
}

// outage returns the fault with which connections end at the time now, or NoFault
// if the destination can be reached.
func (r *Receiver) outage(now vt.Time) mail.Fault {
	b, s := r.facts.behaviour, r.states[0]
	if b == nil {
		return mail.NoFault
	}
	for _, list := range [...][]downtime{r.net.servers[r.server].down, b.scheduled} {
		for _, v := range list {
			if now >= v.from && now < v.to {
				return v.fault
			}
		}
	}
	if b.up != nil {
		for now >= s.upFrom {
			up, down, _, _ := r.net.key.Words(lane(0, r.facts.of, s.cycles), 0, purposeOutage)
			s.cycles++
			s.downFrom = s.upFrom.Add(b.up.At(up))
			s.upFrom = s.downFrom.Add(b.down.At(down))
		}
		if now >= s.downFrom {
			return b.outage
		}
	}
	return mail.NoFault
}

// slowness returns the factor on the receiver's delays at the time now for one of those
// that it counts apart.
func (r *Receiver) slowness(now vt.Time, s *ReceiverState) float64 {
	b := r.facts.behaviour
	f := 1.0
	if b.knee > 0 && s.open > b.knee {
		f = 1 + float64(b.slope*float64(s.open-b.knee))/float64(b.knee)
	}
	if b.daily != nil {
		f *= b.daily.FactorAt(now)
	}
	for i := range b.drift {
		f *= b.drift[i].FactorAt(now)
	}
	if b.period > 0 {
		f *= r.weather(now)
	}
	return f
}

// weather returns the factor of the period of the time now. The factor is
// lognormal; its score is a first-order autoregression over periods.
func (r *Receiver) weather(now vt.Time) float64 {
	b, s := r.facts.behaviour, r.states[0]
	before := s.periods
	for int64(s.periods) <= int64(now)/int64(b.period) {
		word, _, _, _ := r.net.key.Words(lane(0, r.facts.of, s.periods), 0, purposeWeather)
		score := portable.Rounded(distuv.UnitNormal.Quantile((float64(word) + 0.5) / (1 << 32)))
		if s.periods == 0 {
			s.weather = score
		} else {
			s.weather = float64(b.carried*s.weather) + float64(b.fresh*score)
		}
		s.periods++
	}
	if s.periods != before {
		s.factor = portable.Rounded(math.Exp(b.sigma * s.weather))
	}
	return s.factor
}
