// Package netmodel models name resolution, paths, and receivers with their delays,
// refusals and memory.
//
// Network determines what happens to each look-up, connection and message, by
// config.Config and key. It is immutable and safe for concurrent use. Receiver is one
// destination as one server meets it, or as all servers meet it if it is shared.
// It alone decides on caps, greylists, rates, reputation and outages. The
// simulator's Model and the live sink drive it in the same way.
//
// The package reads no clock, opens no socket and keeps no random state. Packages
// scenarios, sim and realrun/sink may import it; the delivering side of a live run
// does not.
package netmodel

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"flyball/internal/mail"
	"flyball/internal/replies"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
)

// Purposes of blocks of draws. Purpose 1, the destination of a synthetic
// recipient, is in package mail.
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
	purposeRefusedConnection
	purposeRefusedMessage
	purposeComplaint
	purposeSize
	purposeHold
)

// Network determines each look-up, connection and message by draws that are named
// by entity and purpose. An entity is a recipient or, for a connection, (server,
// destination, ordinal). A Network is immutable.
type Network struct {
	*physics
	key  rng.Key
	ends []mail.Recipient // of the campaigns' parts of the list
}

// physics holds the prepared parameters of a config.Config. They do not depend on the
// key, so networks that differ only in their draws share it.
type physics struct {
	full         bool // one event per stage
	dialogue     mail.Dialogue
	steps        [3][][]mail.Step // by mail.Conn, then by Message.grown
	easy         [3]easy          // by mail.Conn, of messages that do not grow
	sized        bool             // messages differ in size
	campaigns    []campaign
	domains      int // sending domains
	accounts     int // of campaigns
	pools        int // of source addresses, that campaigns name, with the servers' own
	servers      []path
	destinations []destination
	servFail     uint64 // thresholds
	cacheHit     uint64
	hit, miss    *delay.Table
	foreseen     bool // only drift makes look-ups differ: none is drawn
	lookupDrift  []delay.Drift
	pathDrift    []config.PathDrift
	routes       []config.Route // what is added to paths, by server and then destination
	hops         []uint64       // hops are Hops.Min + the first i with word < hops[i]
	leastHops    int
	perHop       vt.Span
	hopLoss      float64
	through      []float64 // by number of hops: probability that a round trip loses nothing
	retransmit   vt.Span
	giveUp       int
}

// easy holds the bounds below which a dialogue cannot time out: half of the
// client's patience is for round trips, half for the receiver.
type easy struct {
	roundTrips        vt.Span // number of round trips in all
	rtt               vt.Span // longest round-trip time; negative if packets can be lost
	banner, rcpt, dot vt.Span // longest delays
}

// path holds a server's contention, outages, addresses and limits.
type path struct {
	sigma, kappa float64
	down         []downtime
	addresses    int
	turns        []turn  // by pool
	block        int     // number of the netblock
	turn         vt.Span // between two attempts; 0: none
	bandwidth    vt.Span // bytes in a second; 0: any number
}

// destination holds the tables and thresholds of a config.Destination.
type destination struct {
	rtt, banner, rcpt, dot *delay.Table
	alike                  bool // neither delays nor failures make messages differ: no try is drawn
	cap                    int
	of                     mail.Destination // the destination whose receivers these are
	by                     counting
	holds                  []hold
	onConnection           []failure
	onMessage              []failure
	dead                   []failure
	behaviour              *behaviour // nil: none
	grey                   uint64
	greyDelay              *delay.Table
	greyReply              ending
	greyAt                 mail.Stage
	capReply               ending
	answers                []answer // by number
}

// failure is an ending with its share of the draws: all words below upTo that are
// not below the upTo of an earlier failure.
type failure struct {
	upTo uint64
	ending
}

// ending is the stage at which an attempt ends early, with the reply code and the number
// of its answer, or with the fault, in one word: most attempts are asked whether they
// have any. noEnding means that the attempt does not end early: only the resolver
// ends attempts at the look-up.
type ending uint64

const noEnding ending = 0

// answer is what a destination's reply has beside its code.
type answer struct {
	status mail.Enhanced // 0: none
	text   string        // empty: mail.DefaultText
	row    uint16        // of the sender's reply table, see mail.Reply
}

// answers collects the answers of a destination while its rules are prepared.
type answers struct {
	table replies.Table
	all   []answer
}

// refusal returns the ending with a reply at a stage.
func (a *answers) refusal(at mail.Stage, code int, status mail.Enhanced, text string) ending {
	v := answer{status, text, a.table.Match(at, code, status.String()+" "+cmp.Or(text, mail.DefaultText))}
	number := slices.Index(a.all, v)
	if number < 0 {
		number = len(a.all)
		a.all = append(a.all, v)
	}
	return ending(number)<<32 | ending(code)<<16 | ending(at)<<8
}

// silence returns the ending without a reply at a stage.
func silence(at mail.Stage, how mail.Fault) ending { return ending(at)<<8 | ending(how) }

func (e ending) code() uint16      { return uint16(e >> 16) }
func (e ending) stage() mail.Stage { return mail.Stage(e >> 8) }
func (e ending) fault() mail.Fault { return mail.Fault(e) }
func (e ending) answer() uint32    { return uint32(e >> 32) }

// NewNetwork returns the network of a valid config.Config, with the draws of key.
func NewNetwork(c config.Config, key rng.Key) *Network {
	tables := delay.Tables{}
	net := &Network{key: key, ends: ends(c), physics: &physics{
		full: c.Stages == "full", dialogue: c.Dialogue,
		servFail: rng.Threshold(c.Network.DNS.ServFail), cacheHit: rng.Threshold(c.Network.DNS.HitRatio),
		hit: tables.Of(c.Network.DNS.Hit), miss: tables.Of(c.Network.DNS.Miss),
		lookupDrift: c.Network.DNS.Drift, pathDrift: c.Network.Drift,
		leastHops: c.Network.Hops.Min, perHop: c.Network.PerHop, hopLoss: c.Network.HopLoss,
		retransmit: c.Network.Retrans, giveUp: c.Network.GiveUpAt,
	}}
	net.foreseen = net.cacheHit == rng.Threshold(1) && net.hit.Constant()
	net.campaigns, net.domains, net.accounts = campaigns(c, tables)
	growing := sizes(c)
	net.sized = len(growing) > 1
	for conn := range net.steps {
		for _, size := range growing {
			net.steps[conn] = append(net.steps[conn], c.Dialogue.Steps(mail.Conn(conn), size))
		}
		net.easy[conn] = net.easiest(net.steps[conn][0])
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
		net.hops = append(net.hops, rng.Threshold(p))
	}
	cutOff := len(c.Network.Down) > 0
	blocks := map[string]int{}
	named := pools(c)
	net.pools = len(named)
	for _, s := range c.Servers {
		net.servers = append(net.servers, path{s.Contention, s.Coherency,
			downtimes(c.Network.Down, s.Down), s.AllAddresses(), turns(s, named), block(s, blocks), mail.Every(s.Rate),
			vt.Span(s.Bandwidth)})
		cutOff = cutOff || len(s.Down) > 0
	}
	mostHops := 0
	net.routes = c.Routes()
	for _, v := range net.routes {
		mostHops = max(mostHops, h.Max+v.Hops)
	}
	for _, v := range c.Network.Drift {
		mostHops += v.Hops
	}
	for hops := range mostHops + 1 {
		net.through = append(net.through, math.Pow(1-net.hopLoss, float64(hops)))
	}
	for i, d := range c.Destinations {
		a := &answers{table: replies.NewTable(d.Replies, c.Replies), all: make([]answer, 1)}
		of, rules := i, d
		if n := c.ReceiversOf(d); n >= 0 {
			of, rules = n, c.Destinations[n]
		}
		r := newDestination(d, rules, tables, a)
		r.of = mail.Destination(of)
		r.behaviour = newBehaviour(rules, cutOff, c.Clock, tables, a)
		r.answers = a.all
		net.destinations = append(net.destinations, r)
	}
	return net
}

func (net *Network) easiest(steps []mail.Step) easy {
	half := func(s mail.Stage) vt.Span { return net.Patience(s) / 2 }
	e := easy{rtt: vt.Day, banner: half(mail.StageBanner), rcpt: half(mail.StageRCPT), dot: half(mail.StageDot)}
	for _, step := range steps {
		e.roundTrips += vt.Span(step.RoundTrips)
		e.rtt = min(e.rtt, half(step.Stage)/vt.Span(max(1, step.RoundTrips)))
	}
	if net.hopLoss > 0 {
		e.rtt = -1
	}
	return e
}

// With returns the network of the same config.Config with the draws of key, for a list whose
// campaigns end at ends; nil: as in the Config.
func (net *Network) With(key rng.Key, ends []mail.Recipient) *Network {
	if ends == nil || net.ends == nil { // nil: all campaigns are alike
		ends = net.ends
	}
	return &Network{physics: net.physics, key: key, ends: ends}
}

// newDestination returns the prepared destination d, whose receivers have the rules of
// another one or its own.
func newDestination(d, rules config.Destination, tables delay.Tables, a *answers) destination {
	r := destination{
		rtt: tables.Of(d.RTT), banner: tables.Of(d.Banner), rcpt: tables.Of(d.RCPT), dot: tables.Of(d.Dot),
		cap: rules.Cap, by: countingOf(rules), holds: newHolds(d.Mailboxes, a),
		grey: rng.Threshold(d.Greylist.Share), greyDelay: tables.Of(d.Greylist.Delay),
		capReply: a.refusal(mail.StageBanner, 421, rules.CapEnhanced, rules.CapText), // RFC 5321 3.8
	}
	r.greyAt, _ = mail.StageNamed(d.Greylist.At)
	r.greyReply = a.refusal(r.greyAt, d.Greylist.Reply, d.Greylist.Enhanced, d.Greylist.Text)
	var dead, onConnection, onMessage float64
	for _, v := range d.Dead {
		dead += v.Share
		stage, _ := mail.StageNamed(v.At)
		r.dead = append(r.dead, failure{rng.Threshold(dead), a.refusal(stage, v.Reply, v.Enhanced, v.Text)})
	}
	for _, v := range d.Fail {
		stage, _ := mail.StageNamed(v.At)
		fault, _ := mail.FaultNamed(v.Fault)
		how := silence(stage, fault)
		if v.Reply != 0 {
			how = a.refusal(stage, v.Reply, v.Enhanced, v.Text)
		}
		if stage <= mail.StageEHLO {
			onConnection += v.P
			r.onConnection = append(r.onConnection, failure{rng.Threshold(onConnection), how})
		} else {
			onMessage += v.P
			r.onMessage = append(r.onMessage, failure{rng.Threshold(onMessage), how})
		}
	}
	r.alike = len(r.onMessage) == 0 && r.rcpt.Constant() && r.dot.Constant()
	return r
}

// pick returns the ending whose share of the draws contains word; zero if none.
func pick(fs []failure, word uint32) ending {
	for i := range fs {
		if uint64(word) < fs[i].upTo {
			return fs[i].ending
		}
	}
	return noEnding
}

// Steps returns the exchanges of an attempt after its look-up.
func (net *Network) Steps(c mail.Conn, m *Message) []mail.Step { return net.steps[c][m.grown] }

// Patience returns how long the client waits at a stage.
func (net *Network) Patience(s mail.Stage) vt.Span { return net.dialogue.Timeouts.Patience(s) }

// lane returns the name of an entity of a connection: server and destination in
// the upper bits, ordinal in the lower.
func lane(s mail.Server, d mail.Destination, ordinal uint32) uint64 {
	return uint64(s)<<48 | uint64(d)<<32 | uint64(ordinal)
}

// Lookup returns the result of the n-th look-up of destination d by server s, at
// the time now: how long it takes, and NoFault, ServFail or Timeout.
func (net *Network) Lookup(s mail.Server, d mail.Destination, n uint32, now vt.Time) (vt.Span, mail.Fault) {
	var cached, time, fails uint32
	if !net.foreseen {
		cached, time, fails, _ = net.key.Words(lane(s, d, n), 0, purposeLookup)
	}
	slower := 1.0
	for i := range net.lookupDrift {
		slower *= net.lookupDrift[i].FactorAt(now)
	}
	if uint64(cached) < net.cacheHit {
		return stretched(net.hit.At(time), slower), mail.NoFault
	}
	took := stretched(net.miss.At(time), slower)
	if took > net.dialogue.Timeouts.DNS {
		return net.dialogue.Timeouts.DNS, mail.Timeout
	}
	if uint64(fails) < net.servFail {
		return took, mail.ServFail
	}
	return took, mail.NoFault
}

// Connection is one connection: the values drawn for it and the decisions of its
// Receiver.
type Connection struct {
	RTT     vt.Span
	Banner  vt.Span // receiver's delay before its greeting
	Hops    int
	losses  rng.Block // a word for each of the connection's stages
	fail    ending
	from    uint16       // source address, by its number among the server's
	refused bool         // refused by the cap
	counted bool         // counted as open
	offered int          // messages
	slow    float64      // factor on the receiver's delays in the current attempt
	drawn   config.Route // the path before drift
}

// Refused reports whether the receiver's cap refuses the connection.
func (c *Connection) Refused() bool { return c.refused }

// reroute sets the connection's path to its drawn path with the drift at the time
// now.
func (net *Network) reroute(c *Connection, now vt.Time) {
	if len(net.pathDrift) == 0 {
		return
	}
	c.RTT, c.Hops = c.drawn.RTT, c.drawn.Hops
	longer := 1.0
	for i := range net.pathDrift {
		v := &net.pathDrift[i]
		time := ofTime(v)
		longer *= time.FactorAt(now)
		more := int(math.Floor(float64(v.Hops) * time.Part(now)))
		c.Hops += more
		c.RTT += vt.Span(more) * net.perHop
	}
	c.RTT = stretched(c.RTT, longer)
}

// ofTime returns the drift of the round-trip times of v.
func ofTime(v *config.PathDrift) delay.Drift {
	return delay.Drift{At: v.At, Factor: v.Factor, Over: v.Over}
}

// Connect returns the n-th connection of server s to destination d as drawn.
func (net *Network) Connect(s mail.Server, d mail.Destination, n uint32) (c Connection) {
	net.connect(&c, s, d, n)
	return c
}

func (net *Network) connect(c *Connection, s mail.Server, d mail.Destination, n uint32) {
	r, more := &net.destinations[d], &net.routes[int(s)*len(net.destinations)+int(d)]
	entity := lane(s, d, n)
	fails, rtt, banner, far := net.key.Words(entity, 0, purposeConnection)
	hops := 0
	for uint64(far) >= net.hops[hops] {
		hops++
	}
	c.Hops = hops + net.leastHops + more.Hops
	c.RTT = r.rtt.At(rtt) + more.RTT + vt.Span(c.Hops)*net.perHop
	c.drawn = config.Route{RTT: c.RTT, Hops: c.Hops}
	c.Banner = r.banner.At(banner)
	c.fail = pick(r.onConnection, fails)
	if net.hopLoss > 0 {
		c.losses = net.key.At(entity, 0, purposeConnectionLoss)
	}
}

// Message is one try for one recipient: the values drawn for it and the decisions
// of its Receiver.
type Message struct {
	RCPT, Dot vt.Span   // receiver's delays before its replies
	Tarpit    vt.Span   // receiver's delay before its reply to MAIL
	Grey      vt.Span   // the greylist's delay; 0: the recipient is not greylisted
	Link      vt.Span   // the time until the server's own link has carried the message
	losses    rng.Block // a word for each of the message's stages
	fail      ending
	to        mail.Recipient
	GreyCode  uint16
	grown     uint8 // doublings of the window that the size takes on a fresh connection
	dead      bool
	welcome   bool // the server is whitelisted
	letIn     bool // let in by the greylist in this try
	complains bool // the recipient complains if the message is delivered
}

// Message returns a try for the recipient rcpt as drawn.
func (net *Network) Message(d mail.Destination, rcpt mail.Recipient, try mail.Try) (m Message) {
	net.message(&m, d, rcpt, try)
	return m
}

func (net *Network) message(m *Message, d mail.Destination, to mail.Recipient, try mail.Try) {
	r := &net.destinations[d]
	var fails, dot, rcpt uint32
	if !r.alike {
		fails, dot, rcpt, _ = net.key.Words(uint64(to), uint32(try), purposeMessage)
	}
	m.RCPT, m.Dot = r.rcpt.At(rcpt), r.dot.At(dot)
	m.Grey, m.GreyCode, m.Tarpit, m.Link, m.to = 0, 0, 0, 0, to
	m.dead, m.welcome, m.letIn, m.complains = false, false, false, false
	m.fail = pick(r.onMessage, fails)
	if net.sized {
		m.grown = uint8(mail.Doublings(net.Size(to)))
	}
	if len(r.dead) > 0 || r.grey > 0 {
		dies, listed, delay, _ := net.key.Words(uint64(to), 0, purposeMailbox)
		switch dead := pick(r.dead, dies); {
		case dead != noEnding:
			m.fail, m.dead = dead, true
		case uint64(listed) < r.grey:
			m.Grey, m.GreyCode = max(r.greyDelay.At(delay), 1), r.greyReply.code()
		}
	}
	if net.hopLoss > 0 {
		m.losses = net.key.At(uint64(to), uint32(try), purposeMessageLoss)
	}
}

// Exchange is the result of one step of the dialogue.
type Exchange struct {
	Took   vt.Span
	Code   uint16 // a refusal; 0 if the step succeeds or a fault ends it
	Fault  mail.Fault
	answer uint32 // number of the refusal's answer, see Receiver.Row and Receiver.Words
}

// Ends reports whether the attempt ends with this exchange.
func (e Exchange) Ends() bool { return e.Code != 0 || e.Fault != mail.NoFault }

// Exchange returns the result of one step on a connection: the time of its round
// trips, the receiver's delay and lost packets, and how the step ends. grey defers
// the message with the greylist's reply. stretch is the server's factor, see
// Stretch; it does not apply to the client's patience.
func (net *Network) Exchange(step mail.Step, c *Connection, m *Message, grey bool, stretch float64) Exchange {
	e := Exchange{Took: c.RTT * vt.Span(step.RoundTrips)}
	fail, word := m.fail, m.losses[step.Stage&3]
	if step.Stage <= mail.StageEHLO {
		fail, word = c.fail, c.losses[step.Stage&3]
	}
	switch step.Stage {
	case mail.StageBanner:
		e.Took += c.Banner
		if c.refused {
			e.Code = 421 // see destination.capReply
		}
	case mail.StageMAIL:
		e.Took += m.Tarpit
	case mail.StageRCPT:
		e.Took += m.RCPT
	case mail.StageDot:
		e.Took += m.Dot + m.Link
	}
	if grey {
		e.Code = m.GreyCode
	}
	if e.Code == 0 && fail.stage() == step.Stage {
		e.Code, e.Fault, e.answer = fail.code(), fail.fault(), fail.answer()
	}
	if net.hopLoss > 0 {
		if lost := net.losses(word, step.RoundTrips, c.Hops); lost > 0 {
			// The time-out doubles (RFC 6298 5.5), as if all losses of the step hit one exchange.
			e.Took += (1<<lost - 1) * net.retransmit
			if lost >= net.giveUp {
				e.Code, e.Fault = 0, mail.Drop
			}
		}
	}
	e.Took = stretched(e.Took, stretch)
	if patience := net.Patience(step.Stage); e.Fault == mail.Timeout || e.Took > patience {
		e = Exchange{Took: patience, Fault: mail.Timeout}
	}
	return e
}

// losses returns the number of retransmissions in k exchanges over a path of the
// given hops: negative binomial, by inversion of word, at most giveUp.
func (net *Network) losses(word uint32, k, hops int) int {
	through := net.through[hops]
	u := (float64(word) + 0.5) / (1 << 32)
	p := through
	if k != 1 {
		p = math.Pow(through, float64(k))
	}
	n, sum := 0, p
	for u >= sum && n < net.giveUp {
		p *= (1 - through) * float64(k+n) / float64(n+1)
		n++
		sum += p
	}
	return n
}

// Stretch returns the factor by which server s is slower with N = busy slots than
// with one: 1 + sigma (N-1) + kappa N (N-1), by Gunther's universal scalability
// law.
func (net *Network) Stretch(s mail.Server, busy int) float64 {
	p := &net.servers[s]
	if p.sigma == 0 && p.kappa == 0 {
		return 1
	}
	n := float64(busy)
	return 1 + float64(p.sigma*(n-1)) + float64(p.kappa*float64(n*(n-1)))
}

// Load returns the share of server s's scarcest resource that is in use, 0 to 1,
// given the time-average of attempts under way, busy. In the queue behind the
// universal scalability law, an attempt holds the shared resource for its share
// sigma and for the work of coherency. Load is 0 without contention.
func (net *Network) Load(s mail.Server, busy float64) float64 {
	p := &net.servers[s]
	n := busy
	if n < 1 { // one attempt for the part n of the time
		return float64(n * p.sigma)
	}
	return 1 - (1-p.sigma)/(1+float64(p.sigma*(n-1))+float64(p.kappa*float64(n*(n-1))))
}

func stretched(d vt.Span, by float64) vt.Span {
	if by == 1 {
		return d
	}
	return vt.Span(min(float64(d)*by, 1e17)) // three years: fits into a Span, and no client waits as long
}
