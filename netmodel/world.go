// Package netmodel is the world that mail meets: name resolution, paths, and
// receivers with their delays, refusals and memory.
//
// World is the physics: what happens to a named look-up, connection or
// message. It is frozen and safe for concurrent use; the simulator and the
// live receivers ask it the same questions and get the same answers. Model is
// a World with the receivers' memory in virtual time, for the simulator.
//
// Nothing here reads a clock, opens a socket or keeps a random state. May be
// imported by scenarios, sim and realrun/sink; the delivering side of a live
// run never sees it.
package netmodel

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
)

// What a block of draws is for; the destination of a synthetic recipient is
// purpose 1, in mail.
const (
	purposeLookup rng.Purpose = iota + 16
	purposeConnection
	purposeConnectionLoss
	purposeMailbox
	purposeMessage
	purposeMessageLoss
	purposeOutage
	purposeWeather
	purposeThrottle
)

// World answers named questions. Entities are recipients, or (server,
// destination, ordinal) for what belongs to a connection.
type World struct {
	*physics
	key rng.Key
}

// physics is what a Config says, made ready to be asked: the same for every
// key, so worlds that differ in their luck alone share it.
type physics struct {
	full         bool // one event per stage
	dialogue     mail.Dialogue
	steps        [3][]mail.Step // by mail.Conn
	easy         [3]easy        // by mail.Conn
	servers      []path
	destinations []receiver
	servFail     uint64 // thresholds
	cacheHit     uint64
	hit, miss    *table
	lookupDrift  []Drift
	pathDrift    []PathDrift
	hops         []uint64 // hops are Hops.Min + the first i with word < hops[i]
	leastHops    int
	perHop       vt.Span
	hopLoss      float64
	through      []float64 // chance that a round trip over so many hops loses nothing
	retransmit   vt.Span
	giveUp       int
}

// easy is what a dialogue can be known by to run into no time-out: half of the
// client's patience is for round trips, half for the receiver.
type easy struct {
	roundTrips        vt.Span // in all
	rtt               vt.Span // the longest; below any where packets are lost
	banner, rcpt, dot vt.Span // the longest
}

// path is a server's distance and contention.
type path struct {
	extraRTT     vt.Span
	extraHops    int
	sigma, kappa float64
	down         []downtime
}

// receiver is a destination with its tables and thresholds.
type receiver struct {
	rtt, banner, rcpt, dot *table
	cap                    int
	shared                 bool
	onConnection           []failure
	onMessage              []failure
	dead                   []failure
	habits                 *habits // nil: none
	grey                   uint64
	greyDelay              *table
	greyCode               uint16
}

// failure is how an attempt ends that the word of a draw falls to: below upTo
// and not below that of an earlier one.
type failure struct {
	upTo uint64
	ending
}

// ending is the stage at which an attempt ends before its time, and how. Its
// zero value is none: nothing ends at the look-up but by the resolver.
type ending struct {
	code  uint16
	stage mail.Stage
	fault mail.Fault
}

// NewWorld builds the world of a valid Config.
func NewWorld(c Config, key rng.Key) *World {
	tables := tables{}
	w := &World{key: key, physics: &physics{
		full: c.Stages == "full", dialogue: c.Dialogue,
		servFail: rng.Threshold(c.Network.DNS.ServFail), cacheHit: rng.Threshold(c.Network.DNS.HitRatio),
		hit: tables.of(c.Network.DNS.Hit), miss: tables.of(c.Network.DNS.Miss),
		lookupDrift: c.Network.DNS.Drift, pathDrift: c.Network.Drift,
		leastHops: c.Network.Hops.Min, perHop: c.Network.PerHop, hopLoss: c.Network.HopLoss,
		retransmit: c.Network.Retrans, giveUp: c.Network.GiveUpAt,
	}}
	for conn := range w.steps {
		w.steps[conn] = c.Dialogue.Steps(mail.Conn(conn), int64(c.Size))
		w.easy[conn] = w.easiest(w.steps[conn])
	}
	h := c.Network.Hops
	for n := h.Min; n <= h.Max; n++ {
		p := 1.0
		if n < h.Max {
			p = 0
			if float64(n)+0.5 >= h.Mean {
				p = 1
			}
			if h.SD > 0 {
				p = distuv.Normal{Mu: h.Mean, Sigma: h.SD}.CDF(float64(n) + 0.5)
			}
		}
		w.hops = append(w.hops, rng.Threshold(p))
	}
	mostHops := h.Max
	cutOff := len(c.Network.Down) > 0
	for _, s := range c.Servers {
		w.servers = append(w.servers, path{s.ExtraRTT, s.ExtraHops, s.Contention, s.Coherency, downtimes(c.Network.Down, s.Down)})
		mostHops = max(mostHops, h.Max+s.ExtraHops)
		cutOff = cutOff || len(s.Down) > 0
	}
	for _, v := range c.Network.Drift {
		mostHops += v.Hops
	}
	for hops := range mostHops + 1 {
		w.through = append(w.through, math.Pow(1-w.hopLoss, float64(hops)))
	}
	for _, d := range c.Destinations {
		r := newReceiver(d, tables)
		r.habits = newHabits(d, cutOff, tables)
		w.destinations = append(w.destinations, r)
	}
	return w
}

func (w *World) easiest(steps []mail.Step) easy {
	half := func(s mail.Stage) vt.Span { return w.Patience(s) / 2 }
	e := easy{rtt: vt.Day, banner: half(mail.StageBanner), rcpt: half(mail.StageRCPT), dot: half(mail.StageDot)}
	for _, step := range steps {
		e.roundTrips += vt.Span(step.RoundTrips)
		e.rtt = min(e.rtt, half(step.Stage)/vt.Span(max(1, step.RoundTrips)))
	}
	if w.hopLoss > 0 {
		e.rtt = -1
	}
	return e
}

// With is the world of the same Config with the luck of another key.
func (w *World) With(key rng.Key) *World { return &World{physics: w.physics, key: key} }

func newReceiver(d Destination, tables tables) receiver {
	r := receiver{
		rtt: tables.of(d.RTT), banner: tables.of(d.Banner), rcpt: tables.of(d.RCPT), dot: tables.of(d.Dot),
		cap: d.Cap, shared: d.Shared,
		grey: rng.Threshold(d.Greylist.Share), greyDelay: tables.of(d.Greylist.Delay), greyCode: uint16(d.Greylist.Reply),
	}
	var dead, onConnection, onMessage float64
	for _, v := range d.Dead {
		dead += v.Share
		stage, _ := mail.StageNamed(v.At)
		r.dead = append(r.dead, failure{rng.Threshold(dead), ending{uint16(v.Reply), stage, mail.NoFault}})
	}
	for _, v := range d.Fail {
		stage, _ := mail.StageNamed(v.At)
		fault, _ := mail.FaultNamed(v.Fault)
		if stage <= mail.StageEHLO {
			onConnection += v.P
			r.onConnection = append(r.onConnection, failure{rng.Threshold(onConnection), ending{uint16(v.Reply), stage, fault}})
		} else {
			onMessage += v.P
			r.onMessage = append(r.onMessage, failure{rng.Threshold(onMessage), ending{uint16(v.Reply), stage, fault}})
		}
	}
	return r
}

// pick finds the ending that a word falls to.
func pick(fs []failure, word uint32) ending {
	for i := range fs {
		if uint64(word) < fs[i].upTo {
			return fs[i].ending
		}
	}
	return ending{}
}

// Steps lists the exchanges of an attempt after its look-up.
func (w *World) Steps(c mail.Conn) []mail.Step { return w.steps[c] }

// Patience is how long the client waits at a stage.
func (w *World) Patience(s mail.Stage) vt.Span { return w.dialogue.Timeouts.Patience(s) }

// Cap is the number of connections that a destination allows each server, 0
// for any.
func (w *World) Cap(d mail.Destination) int { return w.destinations[d].cap }

// lane names a connection-bound entity: server and destination above, ordinal
// below.
func lane(s mail.Server, d mail.Destination, ordinal uint32) uint64 {
	return uint64(s)<<48 | uint64(d)<<32 | uint64(ordinal)
}

// Lookup is what the resolver answers to the n-th look-up of a server for a
// destination, at that time: how long it takes, and NoFault, ServFail or
// Timeout.
func (w *World) Lookup(s mail.Server, d mail.Destination, n uint32, now vt.Time) (vt.Span, mail.Fault) {
	cached, time, fails, _ := w.key.Words(lane(s, d, n), 0, purposeLookup)
	slower := 1.0
	for i := range w.lookupDrift {
		slower *= w.lookupDrift[i].factor(now)
	}
	if uint64(cached) < w.cacheHit {
		return stretched(w.hit.at(time), slower), mail.NoFault
	}
	took := stretched(w.miss.at(time), slower)
	if took > w.dialogue.Timeouts.DNS {
		return w.dialogue.Timeouts.DNS, mail.Timeout
	}
	if uint64(fails) < w.servFail {
		return took, mail.ServFail
	}
	return took, mail.NoFault
}

// Connection is the luck of one connection.
type Connection struct {
	RTT    vt.Span
	Banner vt.Span // receiver's delay before its greeting
	Hops   int
	losses rng.Block // a word for each of its stages
	fail   ending
	drawn  route // where paths drift
}

// route is a path as it was when a connection was made.
type route struct {
	rtt  vt.Span
	hops int
}

// Reroute gives the connection the path that it has at a time. It is asked
// when an attempt begins.
func (w *World) Reroute(c *Connection, now vt.Time) {
	if len(w.pathDrift) == 0 {
		return
	}
	c.RTT, c.Hops = c.drawn.rtt, c.drawn.hops
	longer := 1.0
	for i := range w.pathDrift {
		v := &w.pathDrift[i]
		time := v.ofTime()
		longer *= time.factor(now)
		more := int(math.Floor(float64(v.Hops) * time.part(now)))
		c.Hops += more
		c.RTT += vt.Span(more) * w.perHop
	}
	c.RTT = stretched(c.RTT, longer)
}

// Lose has the connection end without a reply at a stage.
func (c *Connection) Lose(at mail.Stage, how mail.Fault) { c.fail = ending{0, at, how} }

// Slow multiplies the receiver's delay.
func (c *Connection) Slow(by float64) { c.Banner = stretched(c.Banner, by) }

// Connect draws the n-th connection of a server to a destination.
func (w *World) Connect(s mail.Server, d mail.Destination, n uint32) (c Connection) {
	w.connect(&c, s, d, n)
	return c
}

func (w *World) connect(c *Connection, s mail.Server, d mail.Destination, n uint32) {
	r, p := &w.destinations[d], &w.servers[s]
	entity := lane(s, d, n)
	fails, rtt, banner, far := w.key.Words(entity, 0, purposeConnection)
	hops := 0
	for uint64(far) >= w.hops[hops] {
		hops++
	}
	c.Hops = hops + w.leastHops + p.extraHops
	c.RTT = r.rtt.at(rtt) + p.extraRTT + vt.Span(c.Hops)*w.perHop
	c.drawn = route{c.RTT, c.Hops}
	c.Banner = r.banner.at(banner)
	c.fail = pick(r.onConnection, fails)
	if w.hopLoss > 0 {
		c.losses = w.key.At(entity, 0, purposeConnectionLoss)
	}
}

// Message is the luck of one try for one recipient.
type Message struct {
	RCPT, Dot vt.Span   // receiver's delays before its replies
	Tarpit    vt.Span   // and before that to MAIL
	Grey      vt.Span   // a RCPT sooner than this after the first one is deferred; 0: not greylisted
	losses    rng.Block // a word for each of its stages
	fail      ending
	GreyCode  uint16
	dead      bool
}

// Lose has the message end without a reply at MAIL.
func (m *Message) Lose(how mail.Fault) { m.fail = ending{0, mail.StageMAIL, how} }

// Slow multiplies the receiver's delays.
func (m *Message) Slow(by float64) {
	m.RCPT, m.Dot = stretched(m.RCPT, by), stretched(m.Dot, by)
}

// Message draws a try for a recipient.
func (w *World) Message(d mail.Destination, rcpt mail.Recipient, try mail.Try) (m Message) {
	w.message(&m, d, rcpt, try)
	return m
}

func (w *World) message(m *Message, d mail.Destination, to mail.Recipient, try mail.Try) {
	r := &w.destinations[d]
	fails, dot, rcpt, _ := w.key.Words(uint64(to), uint32(try), purposeMessage)
	m.RCPT, m.Dot = r.rcpt.at(rcpt), r.dot.at(dot)
	m.Grey, m.GreyCode, m.Tarpit, m.dead = 0, 0, 0, false
	m.fail = pick(r.onMessage, fails)
	if len(r.dead) > 0 || r.grey > 0 {
		dies, listed, delay, _ := w.key.Words(uint64(to), 0, purposeMailbox)
		switch dead := pick(r.dead, dies); {
		case dead != ending{}:
			m.fail, m.dead = dead, true
		case uint64(listed) < r.grey:
			m.Grey, m.GreyCode = max(r.greyDelay.at(delay), 1), r.greyCode
		}
	}
	if w.hopLoss > 0 {
		m.losses = w.key.At(uint64(to), uint32(try), purposeMessageLoss)
	}
}

// Exchange is the end of one step of the dialogue.
type Exchange struct {
	Took  vt.Span
	Code  uint16 // a refusal; 0 if the step succeeds or a fault ends it
	Fault mail.Fault
}

// Ends reports whether the attempt ends with this exchange.
func (e Exchange) Ends() bool { return e.Code != 0 || e.Fault != mail.NoFault }

// Exchange costs one step on a connection: round trips, the receiver's delay,
// lost packets, and how the step ends. refused says that a cap answers the
// connection with 421, grey that a greylist defers this RCPT; stretch is the
// server's, see Stretch, and spares only the client's patience.
func (w *World) Exchange(step mail.Step, c *Connection, m *Message, refused, grey bool, stretch float64) Exchange {
	e := Exchange{Took: c.RTT * vt.Span(step.RoundTrips)}
	fail, word := m.fail, m.losses[step.Stage&3]
	if step.Stage <= mail.StageEHLO {
		fail, word = c.fail, c.losses[step.Stage&3]
	}
	switch step.Stage {
	case mail.StageBanner:
		e.Took += c.Banner
		if refused {
			e.Code = 421 // RFC 5321 3.8
		}
	case mail.StageMAIL:
		e.Took += m.Tarpit
	case mail.StageRCPT:
		e.Took += m.RCPT
		if grey {
			e.Code = m.GreyCode
		}
	case mail.StageDot:
		e.Took += m.Dot
	}
	if e.Code == 0 && fail.stage == step.Stage {
		e.Code, e.Fault = fail.code, fail.fault
	}
	if w.hopLoss > 0 {
		if lost := w.losses(word, step.RoundTrips, c.Hops); lost > 0 {
			// The time-out doubles (RFC 6298 5.5), as if all losses of the step hit one exchange.
			e.Took += (1<<lost - 1) * w.retransmit
			if lost >= w.giveUp {
				e.Code, e.Fault = 0, mail.Drop
			}
		}
	}
	e.Took = stretched(e.Took, stretch)
	if patience := w.Patience(step.Stage); e.Fault == mail.Timeout || e.Took > patience {
		e = Exchange{Took: patience, Fault: mail.Timeout}
	}
	return e
}

// losses is the number of retransmissions in k exchanges over a path: negative
// binomial, by inversion of one word, at most giveUp.
func (w *World) losses(word uint32, k, hops int) int {
	through := w.through[hops]
	u := (float64(word) + 0.5) / (1 << 32)
	p := through
	if k != 1 {
		p = math.Pow(through, float64(k))
	}
	n, sum := 0, p
	for u >= sum && n < w.giveUp {
		p *= (1 - through) * float64(k+n) / float64(n+1)
		n++
		sum += p
	}
	return n
}

// Stretch is the factor by which a server with so many busy slots is slower
// than one with a single one: with N of them 1 + sigma (N-1) + kappa N (N-1)
// (Gunther's universal scalability law).
func (w *World) Stretch(s mail.Server, busy int) float64 {
	p := &w.servers[s]
	if p.sigma == 0 && p.kappa == 0 {
		return 1
	}
	n := float64(busy)
	return 1 + float64(p.sigma*(n-1)) + float64(p.kappa*float64(n*(n-1)))
}

// Load is the share of a server's scarcest resource that is in use while it has
// so many attempts under way, 0 to 1: in the queue that the universal
// scalability law describes, the part sigma of an attempt holds what all have
// to share, and so does what they have to agree upon. It is told of the
// time-average of attempts, and 0 where there is no contention.
func (w *World) Load(s mail.Server, busy float64) float64 {
	p := &w.servers[s]
	n := busy
	if n < 1 { // for the rest of the time there is none
		return float64(n * p.sigma)
	}
	return 1 - (1-p.sigma)/(1+float64(p.sigma*(n-1))+float64(p.kappa*float64(n*(n-1))))
}

func stretched(d vt.Span, by float64) vt.Span {
	if by == 1 {
		return d
	}
	return vt.Span(min(float64(d)*by, 1e17)) // three years: a Span can hold it, no client waits for it
}
