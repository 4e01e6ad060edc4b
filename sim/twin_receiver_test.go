package sim_test

import (
	"fmt"
	"math"
	"slices"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
	"flyball/netmodel/limits"
)

// The twin's receivers: their behaviour besides random delays and failures, as in
// docs/model.md, section 7.6.

// sender is the state of a destination towards one server, or towards all servers
// together.
type sender struct {
	open      int       // connections
	credit    vt.Span   // of the bucket
	credited  vt.Time   // up to when
	taken     []vt.Time // messages, in the books of an allowance
	opened    bool      // the bucket is no longer as it was at the start
	trouble   trouble
	messages  weight
	points    weight
	letInside int
	welcome   vt.Time // whitelisted before
}

// reception is a destination's treatment of an attempt, decided when the attempt
// begins.
type reception struct {
	down    mail.Fault
	longer  float64 // delays
	tarpit  vt.Span
	refused mail.Reply    // at MAIL
	reset   mail.Reply    // to RSET
	event   config.Refuse // that refuses at a later stage
	held    config.Mailbox
	welcome bool    // no greylist
	link    vt.Span // until the message has left the server
}

func times(d vt.Span, by float64) vt.Span { return vt.Span(min(float64(d)*by, 1e17)) }

// receive decides the destination's treatment of the attempt on p's line.
func (p *process) receive(r *recipient) reception {
	l, d, own := p.line, p.house(r.dest), &p.s.Destinations[r.dest]
	m := reception{held: p.heldUp(r), down: p.downAt(r.dest), longer: p.longer(r.dest)}
	fresh := l.offered == 0 && !l.refused
	if n := d.HangsUp; n > 0 && l.carried >= n && m.down == mail.NoFault {
		if d.HangsUpReply == 0 {
			m.down = mail.Drop // it has hung up, which looks like an outage
		} else {
			m.refused = p.says(r.dest, mail.StageMAIL, d.HangsUpReply, 0, "")
		}
	}
	if l.refused && m.down == mail.NoFault && d.ResetReply > 0 {
		m.reset = p.says(r.dest, mail.StageEHLO, d.ResetReply, 0, "")
	}
	l.carried++
	hopeless := false // it will not get as far as MAIL
	for at := mail.StageConnect; at <= mail.StageEHLO; at++ {
		hopeless = hopeless || fresh && p.connectionFails(at) != mail.Reply{}
	}
	if m.down != mail.NoFault || l.capped || hopeless || ends(m.reset) || ends(m.refused) {
		return m
	}
	know := p.known()
	trust := know.points.now(p.now, d.Reputation.Heals)
	if d.Reputation.Off() {
		trust = 0
	}
	happening := p.event(r.dest, p.draw(r, r.try, luckOfEvent)[0], "mail", "rcpt", "data", "dot")
	if happening.At == "mail" {
		m.refused = p.says(r.dest, mail.StageMAIL, happening.Reply, happening.Enhanced, happening.Text)
	}
	if d.Throttle.Hard > 0 || d.Tarpit.Delay > 0 || d.Tarpit.PerPoint > 0 || d.Penalty.Rate > 0 {
		perHour := know.messages.now(p.now, d.Recent) * (math.Ln2 * 3600e9 / float64(d.Recent)) * (1 + trust)
		know.messages.sum++
		if d.Penalty.Rate > 0 && m.refused.Code == 0 && know.trouble.refuses(d.Penalty, p.now, perHour, know.open) {
			v := d.Penalty
			m.refused = p.says(r.dest, mail.StageMAIL, v.Reply, v.Enhanced, v.Text)
		}
		if d.Throttle.Hard > 0 && m.refused.Code == 0 {
			chance := share(d.Throttle, perHour)
			if happens(chance, p.draw(r, r.try, luckOfRate)[0]) {
				v := d.Throttle
				m.refused = p.says(r.dest, mail.StageMAIL, v.Reply, v.Enhanced, v.Text)
			}
		}
		wait := float64(d.Tarpit.PerPoint) * trust
		if d.Tarpit.Hard > 0 {
			wait += float64(float64(d.Tarpit.Delay) * straight(perHour, float64(d.Tarpit.Soft), float64(d.Tarpit.Hard)))
		}
		m.tarpit = vt.Span(min(wait, float64(d.Tarpit.Most)))
	}
	for i, a := range d.Allowances {
		if m.refused.Code == 0 && p.counted(a, p.ledger(i).taken) >= limitOn(a, midnights(p.now, a.Begins)) {
			m.refused = p.says(r.dest, mail.StageMAIL, a.Reply, a.Enhanced, a.Text)
		}
	}
	if m.refused.Code == 0 && d.Bucket.Rate > 0 && !know.token(p.now, d.Bucket) {
		v := d.Bucket
		m.refused = p.says(r.dest, mail.StageMAIL, v.Reply, v.Enhanced, v.Text)
	}
	for i := range d.Allowances {
		if m.refused.Code == 0 {
			book := p.ledger(i)
			book.taken = append(book.taken, p.now)
		}
	}
	death := deathOf(own, p.draw(r, 0, luckOfMailbox))
	if m.refused.Code == 0 && happening.At != "" {
		m.event = happening
		for at := mail.StageMAIL; at.String() != happening.At; at++ { // does it get that far?
			fails := m.held.At == at.String() ||
				p.messageFails(at, r.dest, p.draw(r, r.try, luckOfMessage)) != mail.Reply{}
			if death.At == at.String() || death.At == "" && fails {
				m.event = config.Refuse{}
			}
		}
	}
	switch {
	case m.refused.Code != 0 || m.event.At != "":
		know.points.sum += d.Reputation.PerRefusal
	case death.At != "":
		know.points.sum += d.Reputation.PerDead
	}
	m.welcome = p.now < p.grey(r.dest).welcome
	return m
}

// event returns the event at one of the stages that refuses now; nowhere if none does.
func (p *process) event(d mail.Destination, luck uint32, stages ...string) config.Refuse {
	sum := 0.0
	for _, v := range p.house(d).Refuse {
		over := v.To > 0 && vt.Span(p.now) >= v.To
		if vt.Span(p.now) < v.From || over || !slices.Contains(stages, v.At) {
			continue
		}
		if sum += v.Share; happens(min(sum, 1), luck) {
			return v
		}
	}
	return config.Refuse{}
}

// trouble is the state of a penalty: the pauses that a sender has had, and what it
// was allowed after the last one.
type trouble struct {
	pauses  []pause
	careful bool // after the last pause: not all connections are allowed
	passed  int  // messages since then
}

type pause struct {
	from, to vt.Time
	knocks   int
}

// refuses decides about a message.
func (v *trouble) refuses(p limits.Penalty, now vt.Time, perHour float64, open int) bool {
	if n := len(v.pauses); n > 0 && now < v.pauses[n-1].to {
		v.pauses[n-1].knocks++
		if p.Insist > 0 && v.pauses[n-1].knocks > p.Insist {
			v.punish(p, now)
		}
		return true
	}
	if !v.careful {
		if perHour <= float64(p.Rate) {
			return false
		}
		v.punish(p, now)
		return true
	}
	// One connection for one message, then two for two, three for three: k(k-1)/2
	// messages have gone before k connections are allowed.
	k := 1
	for k*(k+1)/2 <= v.passed {
		k++
	}
	if open > k {
		v.punish(p, now)
		return true
	}
	v.passed++
	v.careful = v.passed < p.Connections*(p.Connections-1)/2
	return false
}

func (v *trouble) punish(p limits.Penalty, now vt.Time) {
	long := p.Pause
	if n := len(v.pauses); n > 0 {
		if last := v.pauses[n-1]; now < last.to.Add(p.Memory) {
			long = min(p.Most, times(last.to.Sub(last.from), p.Escalate))
		}
	}
	v.pauses = append(v.pauses, pause{from: now, to: now.Add(long)})
	v.careful, v.passed = p.Connections > 0, 0
}

// ledger is where the messages of an allowance are written down.
func (p *process) ledger(i int) *sender {
	d := p.house(p.line.dest)
	whose := p.whose(d)
	switch d.Allowances[i].Scope {
	case "fleet":
		whose = "all"
	case "block":
		if whose != "all" {
			whose = p.blockOf()
		}
	case "domain":
		whose = "domain " + p.job.campaign.Domain
	case "account":
		whose = "account " + p.job.campaign.Account
	}
	return p.book(fmt.Sprintf("%s, allowance %d of %s", d.Name, i, whose))
}

// known is what the receivers of p's line think of whom they take p's server for.
func (p *process) known() *sender {
	d := p.house(p.line.dest)
	return p.book(d.Name + ", " + p.whose(d))
}

// grey is what their greylist thinks of it, which looks at the netblock.
func (p *process) grey(to mail.Destination) *sender {
	d := p.house(to)
	if d.Shared {
		return p.book(d.Name + ", greylist of all")
	}
	return p.book(d.Name + ", greylist of " + p.blockOf())
}

func (p *process) whose(d *config.Destination) string {
	switch {
	case d.Shared:
		return "all"
	case d.By == "block":
		return p.blockOf()
	}
	return fmt.Sprintf("server %d, address %d", p.number, p.line.address)
}

// address returns the address from which the next connection to d comes: the addresses of a pool take turns.
func (p *process) address(d mail.Destination) int {
	v := p.s.Servers[p.number]
	first, of, name := 0, max(1, v.Addresses), p.job.campaign.Pool
	next := of
	for _, pool := range v.Pools {
		if pool.Name == name {
			first, of = next, pool.Addresses
		}
		next += pool.Addresses
	}
	key := fmt.Sprintf("%d from %q", d, name)
	p.dialled[key]++
	return first + (p.dialled[key]-1)%of
}

func (p *process) blockOf() string {
	if b := p.s.Servers[p.number].Block; b != "" {
		return "block " + b
	}
	return fmt.Sprintf("the block of server %d alone", p.number)
}

func (t *twin) book(name string) *sender {
	if t.books[name] == nil {
		t.books[name] = &sender{}
	}
	return t.books[name]
}

// house is the destination whose receivers take the mail of d.
func (t *twin) house(d mail.Destination) *config.Destination {
	for i := range t.s.Destinations {
		if v := &t.s.Destinations[i]; v.Name == t.s.Destinations[d].LimitsOf {
			return v
		}
	}
	return &t.s.Destinations[d]
}

// numberOf is the number of the destination whose receivers take the mail of d.
func (t *twin) numberOf(d mail.Destination) mail.Destination {
	for i := range t.s.Destinations {
		if &t.s.Destinations[i] == t.house(d) {
			d = mail.Destination(i)
		}
	}
	return d
}

// heldUp is the state in which the recipient's mailbox takes no mail now; nowhere if it
// takes mail.
func (p *process) heldUp(r *recipient) config.Mailbox {
	if deathOf(&p.s.Destinations[r.dest], p.draw(r, 0, luckOfMailbox)).At != "" {
		return config.Mailbox{}
	}
	phase := float64(p.draw(r, 0, luckOfMailbox)[3]) / 4294967296
	for i, v := range p.s.Destinations[r.dest].Mailboxes {
		began := -vt.Time(float64(v.For) * phase) // of the period that was under way at the start
		periods := p.now.Sub(began) / v.For
		if happens(v.Share, p.key.At(uint64(r.number), uint32(periods), luckOfHold)[i]) {
			return v
		}
	}
	return config.Mailbox{}
}

// sizeOf is the size of a recipient's message in bytes.
func (p *process) sizeOf(r *recipient) int64 {
	size := p.s.Message.Size
	if own := p.job.campaign.Size; own > 0 {
		size = own
	}
	if p.s.Message.SizeSigma == 0 {
		return int64(size)
	}
	as := delay.Dist{Dist: "lognormal", Median: vt.Span(size) * vt.Microsecond, Sigma: p.s.Message.SizeSigma}
	return max(1, min(1<<30, int64(p.quantile(as, p.draw(r, 0, luckOfSize)[0])/1000)))
}

// meet lets the receivers, and the server's own link, decide about the attempt on p's line.
func (p *process) meet(r *recipient, hopeless bool) {
	p.met = p.receive(r)
	own := &p.s.Destinations[r.dest]
	v := p.s.Servers[p.number]
	hopeless = hopeless || p.met.down != mail.NoFault || p.line.capped || ends(p.met.reset) || ends(p.met.refused)
	for _, at := range []mail.Stage{mail.StageMAIL, mail.StageRCPT, mail.StageDATA} {
		death := deathOf(own, p.draw(r, 0, luckOfMailbox)).At
		hopeless = hopeless || p.met.event.At == at.String() || death == at.String() || p.met.held.At == at.String() ||
			death == "" && p.messageFails(at, r.dest, p.draw(r, r.try, luckOfMessage)) != mail.Reply{}
	}
	if v.Bandwidth > 0 && !hopeless {
		takes := vt.Span(float64(p.sizeOf(r)) * 1e9 / float64(v.Bandwidth))
		p.linkFree = max(p.linkFree, p.now).Add(takes)
		p.met.link = p.linkFree.Sub(p.now)
	}
}

// takesTurn is how long the attempt waits until its server can begin it.
func (p *process) takesTurn() vt.Span {
	v := p.s.Servers[p.number]
	if v.Rate == 0 {
		return 0
	}
	p.turnFree = max(p.turnFree, p.now).Add(vt.Span(math.Round(3600e9 / float64(v.Rate))))
	return p.turnFree.Sub(p.now)
}

// counted is how many of the messages lie in the window of now.
func (t *twin) counted(a limits.Allowance, taken []vt.Time) (n int) {
	part, parts := a.Window, int64(1)
	if a.Kind == "sliding" {
		part, parts = a.Window/60, 60
	}
	for _, then := range taken {
		if stepOf(t.now, a, part)-stepOf(then, a, part) < parts {
			n++
		}
	}
	return n
}

// stepOf is the number of a step of an allowance's window; the window that begins
// at the time Begins has the first of steps 0.
func stepOf(at vt.Time, a limits.Allowance, part vt.Span) int64 {
	first := vt.Time(a.Begins % a.Window)
	if first > 0 {
		first = first.Add(-a.Window)
	}
	return int64(at.Sub(first)) / int64(part)
}

// midnights is how many days have begun since the run did.
func midnights(now vt.Time, begins vt.Span) (n vt.Span) {
	for at := vt.Time(begins % vt.Day); at <= now; at = at.Add(vt.Day) {
		if at > 0 {
			n++
		}
	}
	return n
}

// limitOn is the limit of an allowance on a day of the run.
func limitOn(a limits.Allowance, day vt.Span) int {
	n := float64(a.Limit)
	for of := range day {
		if int(of) < len(a.Ladder) {
			n = float64(a.Ladder[of])
			continue
		}
		n = math.Floor(n*a.Growth) + float64(a.More)
		if n >= 1e9 || a.Most > 0 && n >= float64(a.Most) {
			break
		}
	}
	if a.Most > 0 {
		n = min(n, float64(a.Most))
	}
	return int(min(n, 1e9))
}

// share returns the share of messages that a throttle defers.
func share(t config.Throttle, perHour float64) float64 {
	if t.Curve == "linear" {
		return straight(perHour, float64(t.Soft), float64(t.Hard))
	}
	x := (perHour - float64(t.Soft)) / float64(t.Hard-t.Soft)
	return short(1 / (1 + math.Exp(-float64(2*math.Log(19)*(x-0.5)))))
}

// straight goes from 0 at soft to 1 at hard.
func straight(v, soft, hard float64) float64 {
	switch {
	case v <= soft:
		return 0
	case v >= hard:
		return 1
	}
	return (v - soft) / (hard - soft)
}

// short is a number in whole 2^-20.
func short(x float64) float64 { return math.Round(x*1048576) / 1048576 }

// weight is a sum that decays by half in every half-life, in 64 steps.
type weight struct {
	sum  float64
	step int64
}

func (w *weight) now(now vt.Time, half vt.Span) float64 {
	step := int64(now) / int64(half/64)
	gone := step - w.step
	left := math.Round(math.Pow(2, -float64(gone%64)/64)*4294967296) / 4294967296
	for range min(gone/64, 3000) {
		left /= 2
	}
	w.sum *= left
	w.step = step
	return w.sum
}

// token takes a token from the bucket, if there is one. The credit is counted in
// the time that it takes to refill.
func (k *sender) token(now vt.Time, b config.Bucket) bool {
	each := vt.Span(math.Round(3600e9 / float64(b.Rate)))
	if !k.opened {
		k.opened, k.credit = true, each*vt.Span(b.Burst)
	}
	k.credit = min(k.credit+now.Sub(k.credited), each*vt.Span(b.Burst))
	k.credited = now
	if k.credit < each {
		return false
	}
	k.credit -= each
	return true
}

// letIn counts a recipient that a greylist let in.
func (k *sender) letIn(now vt.Time, g config.Greylist) {
	k.letInside++
	if g.WhitelistAfter > 0 && k.letInside >= g.WhitelistAfter {
		k.letInside, k.welcome = 0, now.Add(g.WhitelistFor)
	}
}

// sky is the state of a destination that all servers share: its outages and its
// weather.
type sky struct {
	changes []vt.Time // down, up, down, ...
	scores  []float64 // of each period
}

func (t *twin) skyOf(d mail.Destination) *sky {
	if t.skies[d] == nil {
		t.skies[d] = &sky{}
	}
	return t.skies[d]
}

// downAt returns how attempts fail now if the destination is down.
func (p *process) downAt(d mail.Destination) mail.Fault {
	t := p.twin
	house := t.house(d)
	d = t.numberOf(d)
	o := house.Outage
	for _, list := range [][]config.Down{t.s.Network.Down, t.s.Servers[p.number].Down, house.Down} {
		for _, v := range list {
			if since := vt.Span(t.now) - v.From; since >= 0 && since < v.For {
				fault, _ := mail.FaultNamed(v.Fault)
				return fault
			}
		}
	}
	if o.Up == 0 {
		return mail.NoFault
	}
	s := t.skyOf(d)
	for len(s.changes) == 0 || s.changes[len(s.changes)-1] <= t.now {
		var last vt.Time
		if n := len(s.changes); n > 0 {
			last = s.changes[n-1]
		}
		luck := t.key.At(uint64(d)<<32+uint64(len(s.changes)/2), 0, luckOfOutage)
		down := last.Add(t.quantile(delay.Dist{Dist: "exponential", Mean: o.Up}, luck[0]))
		up := down.Add(t.quantile(delay.Dist{Dist: "exponential", Mean: o.Down}, luck[1]))
		s.changes = append(s.changes, down, up)
	}
	past := 0
	for _, c := range s.changes {
		if c <= t.now {
			past++
		}
	}
	fault, _ := mail.FaultNamed(o.Fault)
	if past%2 == 1 {
		return fault
	}
	return mail.NoFault
}

// longer returns the factor on the destination's delays.
func (p *process) longer(d mail.Destination) float64 {
	dest, by := p.house(d), 1.0
	d = p.numberOf(d)
	if k := dest.Knee; k.Connections > 0 && p.known().open > k.Connections {
		by += float64(k.Slope*float64(p.known().open-k.Connections)) / float64(k.Connections)
	}
	if a := dest.Daily.Amplitude; a > 0 {
		minute := 60*p.shown().Hour() + p.shown().Minute()
		angle := 2 * math.Pi * (float64(minute) + 0.5 - float64(dest.Daily.Peak)/60e9) / 1440
		by *= 1 + float64(a*short(math.Sin(angle+math.Pi/2)))
	}
	by = p.drifted(by, dest.Drift)
	if w := dest.Weather; w.Sigma > 0 {
		by *= short(math.Exp(w.Sigma * p.score(d, int(vt.Span(p.now)/w.Period))))
	}
	return by
}

// score returns the weather of a period, in standard deviations.
func (p *process) score(d mail.Destination, period int) float64 {
	w, s := p.s.Destinations[d].Weather, p.skyOf(d)
	for i := len(s.scores); i <= period; i++ {
		new := short(normal((float64(p.key.At(uint64(d)<<32+uint64(i), 0, luckOfWeather)[0]) + 0.5) / (1 << 32)))
		if i > 0 {
			new = float64(w.Correlation*s.scores[i-1]) + float64(math.Sqrt(1-float64(w.Correlation*w.Correlation))*new)
		}
		s.scores = append(s.scores, new)
	}
	return s.scores[period]
}
