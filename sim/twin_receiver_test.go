package sim_test

import (
	"math"
	"slices"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel"
	"flyball/netmodel/limits"
)

// The twin's receivers: their behaviour besides random delays and failures, as in
// docs/model.md, section 7.6.

// sender is the state of a destination towards one server, or towards all servers
// together.
type sender struct {
	open      int               // connections
	credit    vt.Span           // of the bucket
	credited  vt.Time           // up to when
	taken     map[int][]vt.Time // messages, by number of the allowance
	opened    bool              // the bucket is no longer as it was at the start
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
	refused mail.Reply      // at MAIL
	event   netmodel.Refuse // that refuses at a later stage
	welcome bool            // no greylist
}

func times(d vt.Span, by float64) vt.Span { return vt.Span(min(float64(d)*by, 1e17)) }

// receive decides the destination's treatment of the attempt on p's line.
func (p *process) receive(r *recipient) reception {
	l, d := p.line, &p.s.Destinations[r.dest]
	m := reception{down: p.downAt(r.dest), longer: p.longer(r.dest)}
	fresh := l.offered == 0 && !l.refused
	if n := d.HangsUp; n > 0 && l.carried >= n && m.down == mail.NoFault {
		m.down = mail.Drop // it has hung up, which looks like an outage
	}
	l.carried++
	hopeless := false // it will not get as far as MAIL
	for at := mail.StageConnect; at <= mail.StageEHLO; at++ {
		hopeless = hopeless || fresh && p.connectionFails(at) != mail.Reply{}
	}
	if m.down != mail.NoFault || l.capped || hopeless {
		return m
	}
	know := p.known[r.dest]
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
		if m.refused.Code == 0 && p.counted(a, p.ledger(r.dest, i)[i]) >= limitOn(a, midnights(p.now, a.Begins)) {
			m.refused = p.says(r.dest, mail.StageMAIL, a.Reply, a.Enhanced, a.Text)
		}
	}
	if m.refused.Code == 0 && d.Bucket.Rate > 0 && !know.token(p.now, d.Bucket) {
		v := d.Bucket
		m.refused = p.says(r.dest, mail.StageMAIL, v.Reply, v.Enhanced, v.Text)
	}
	for i := range d.Allowances {
		if m.refused.Code == 0 {
			book := p.ledger(r.dest, i)
			book[i] = append(book[i], p.now)
		}
	}
	death := deathOf(d, p.draw(r, 0, luckOfMailbox))
	if m.refused.Code == 0 && happening.At != "" {
		m.event = happening
		for at := mail.StageMAIL; at.String() != happening.At; at++ { // does it get that far?
			if death.At == at.String() || death.At == "" && p.messageFails(at, r.dest,
				p.draw(r, r.try, luckOfMessage)) != (mail.Reply{}) {
				m.event = netmodel.Refuse{}
			}
		}
	}
	switch {
	case m.refused.Code != 0 || m.event.At != "":
		know.points.sum += d.Reputation.PerRefusal
	case death.At != "":
		know.points.sum += d.Reputation.PerDead
	}
	m.welcome = p.now < know.welcome
	return m
}

// event returns the event at one of the stages that refuses now; nowhere if none does.
func (p *process) event(d mail.Destination, luck uint32, stages ...string) netmodel.Refuse {
	sum := 0.0
	for _, v := range p.s.Destinations[d].Refuse {
		over := v.To > 0 && vt.Span(p.now) >= v.To
		if vt.Span(p.now) < v.From || over || !slices.Contains(stages, v.At) {
			continue
		}
		if sum += v.Share; happens(min(sum, 1), luck) {
			return v
		}
	}
	return netmodel.Refuse{}
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

// ledger is where the messages of an allowance are written down, by the number
// of the allowance: one for each server, or one for the fleet.
func (p *process) ledger(d mail.Destination, i int) map[int][]vt.Time {
	k := p.known[d]
	if p.s.Destinations[d].Allowances[i].Scope == "fleet" {
		k = p.servers[0].known[d]
	}
	if k.taken == nil {
		k.taken = map[int][]vt.Time{}
	}
	return k.taken
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
	first := vt.Time(a.Begins)
	for first > 0 {
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
	for range day {
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
func share(t netmodel.Throttle, perHour float64) float64 {
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
func (k *sender) token(now vt.Time, b netmodel.Bucket) bool {
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
func (k *sender) letIn(now vt.Time, g netmodel.Greylist) {
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
	o := t.s.Destinations[d].Outage
	for _, list := range [][]netmodel.Down{t.s.Network.Down, t.s.Servers[p.number].Down, t.s.Destinations[d].Down} {
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
		down := last.Add(t.quantile(netmodel.Dist{Dist: "exponential", Mean: o.Up}, luck[0]))
		up := down.Add(t.quantile(netmodel.Dist{Dist: "exponential", Mean: o.Down}, luck[1]))
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
	dest, by := &p.s.Destinations[d], 1.0
	if k := dest.Knee; k.Connections > 0 && p.known[d].open > k.Connections {
		by += float64(k.Slope*float64(p.known[d].open-k.Connections)) / float64(k.Connections)
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
