package netmodel

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
)

// Memory is what the receivers of a destination remember of one server, and
// how far their own story has come. Its zero value is that of time 0. It is
// asked in the order of time.
//
//	a connection comes       Outage, Slowness
//	a message is offered     Outage (over a kept connection), Slowness, Offer
//	a greylist lets one in   Passed
type Memory struct {
	full             vt.Time // when the bucket will be full again
	recent           fading  // messages offered
	points           fading  // of bad reputation
	passes           int     // greylisted recipients let in since the last whitelisting
	white            vt.Time // whitelisted before
	cycles           uint32  // of up and down that were drawn
	downFrom, upFrom vt.Time // in the last of them
	periods          uint32  // of weather that were drawn
	weather, factor  float64 // of the last of them: standard score, and what it makes of delays
}

// habits is what a receiver does beside drawing delays and failures, made
// ready; nil if it has none.
type habits struct {
	interval, burst vt.Span // of the bucket: time of one message, and of all that it holds; 0: no bucket
	bucketCode      uint16

	tick         vt.Span // of the memory of the rate, see fading; 0: nobody asks for it
	perHour      float64 // rate that one message in this memory stands for
	throttle     ramp
	throttleCode uint16

	perRefusal, perDead float64
	healTick            vt.Span // 0: no reputation

	tarpit         ramp
	delay, most    vt.Span
	perPoint       vt.Span
	knee           int // 0: none
	slope          float64
	up, down       *table // nil: no outages by chance
	outage         mail.Fault
	scheduled      []downtime // beside those of the network and of servers
	daily          []float64  // factor by minute of the day; nil: none
	drift          []Drift
	sigma, carried float64 // of the weather: strength, and what stays of the last score
	fresh          float64 // and what is new in it
	period         vt.Span // 0: no weather
	whiteAfter     int     // 0: no whitelist
	whiteFor       vt.Span
}

// downtime is an outage that the scenario orders.
type downtime struct {
	from, to vt.Time
	fault    mail.Fault
}

func downtimes(lists ...[]Down) (all []downtime) {
	for _, list := range lists {
		for _, v := range list {
			fault, _ := mail.FaultNamed(v.Fault)
			all = append(all, downtime{vt.Time(v.From), vt.Time(v.From + v.For), fault})
		}
	}
	return all
}

// newHabits are those of a destination. cutOff says that some server cannot
// reach it at some time, which counts as one.
func newHabits(d Destination, cutOff bool, tables tables) *habits {
	if !d.HasHabits() && !cutOff {
		return nil
	}
	h := &habits{
		bucketCode: uint16(d.Bucket.Reply), throttleCode: uint16(d.Throttle.Reply),
		throttle: ramp{float64(d.Throttle.Soft), float64(d.Throttle.Hard), d.Throttle.Curve == "logistic"},
		tarpit:   ramp{float64(d.Tarpit.Soft), float64(d.Tarpit.Hard), false},
		delay:    d.Tarpit.Delay, most: d.Tarpit.Most, perPoint: d.Tarpit.PerPoint,
		knee: d.Knee.Connections, slope: d.Knee.Slope,
		drift:      d.Drift,
		whiteAfter: d.Greylist.WhitelistAfter, whiteFor: d.Greylist.WhitelistFor,
	}
	if d.Bucket.Rate > 0 {
		h.interval = vt.Span(math.Round(float64(vt.Hour) / float64(d.Bucket.Rate)))
		h.burst = vt.Span(d.Bucket.Burst) * h.interval
	}
	if !d.Throttle.Off() || !d.Tarpit.Off() {
		h.tick = d.Recent / fadingSteps
		h.perHour = math.Ln2 * float64(vt.Hour) / float64(d.Recent)
	}
	if !d.Reputation.Off() {
		h.perRefusal, h.perDead, h.healTick = d.Reputation.PerRefusal, d.Reputation.PerDead, d.Reputation.Heals/fadingSteps
	}
	if !d.Outage.Off() {
		h.up, h.down = tables.of(Dist{Dist: "exponential", Mean: d.Outage.Up}), tables.of(Dist{Dist: "exponential", Mean: d.Outage.Down})
		h.outage, _ = mail.FaultNamed(d.Outage.Fault)
	}
	h.scheduled = downtimes(d.Down)
	if d.Daily.Amplitude > 0 {
		h.daily = d.Daily.byMinute()
	}
	if d.Weather.Sigma > 0 {
		h.sigma, h.period, h.carried = d.Weather.Sigma, d.Weather.Period, d.Weather.Correlation
		h.fresh = math.Sqrt(1 - float64(h.carried*h.carried))
	}
	return h
}

// byMinute is the factor on delays in each minute of the day.
func (d Daily) byMinute() []float64 {
	const minutes = 24 * 60
	f := make([]float64, minutes)
	for i := range f {
		middle := (vt.Span(i)*vt.Minute + vt.Minute/2 - d.Peak).Hours() / 24
		f[i] = 1 + float64(d.Amplitude*rounded(math.Cos(2*math.Pi*middle)))
	}
	return f
}

// rounded cuts off the digits that differ between processors.
func rounded(v float64) float64 { return math.Round(v*(1<<20)) / (1 << 20) }

// fading is a sum whose parts lose half their weight in every half-life: in
// steps, of which a half-life has fadingSteps.
type fading struct {
	sum  float64
	tick int64 // up to which it has faded
}

const fadingSteps = 64

// fade is what so many steps leave, in whole 2^-32 for every processor to
// agree.
var fade = func() (left [fadingSteps]float64) {
	for i := range left {
		left[i] = math.Round(math.Exp2(-float64(i)/fadingSteps)*(1<<32)) / (1 << 32)
	}
	return left
}()

func (f *fading) at(now vt.Time, tick vt.Span) float64 {
	n := int64(now) / int64(tick)
	if steps := n - f.tick; steps > 0 && f.sum > 0 {
		f.sum = math.Ldexp(f.sum*fade[steps%fadingSteps], -int(min(steps/fadingSteps, 2000)))
	}
	f.tick = max(f.tick, n)
	return f.sum
}

// ramp grows from 0 to 1 as a rate grows from soft to hard: in a straight
// line, or as a logistic curve that is 0.05 at soft and 0.95 at hard.
type ramp struct {
	soft, hard float64
	logistic   bool
}

func (r ramp) at(rate float64) float64 {
	x := (rate - r.soft) / (r.hard - r.soft)
	if r.logistic {
		const steep = 5.888877957332881 // 2 ln 19
		return rounded(1 / (1 + math.Exp(-float64(steep*(x-0.5)))))
	}
	return min(max(x, 0), 1)
}

// Outage is how a server cannot reach a destination at a time; NoFault if it
// can.
func (w *World) Outage(m *Memory, s mail.Server, d mail.Destination, now vt.Time) mail.Fault {
	h := w.destinations[d].habits
	if h == nil {
		return mail.NoFault
	}
	for _, list := range [...][]downtime{w.servers[s].down, h.scheduled} {
		for _, v := range list {
			if now >= v.from && now < v.to {
				return v.fault
			}
		}
	}
	if h.up != nil {
		for now >= m.upFrom {
			up, down, _, _ := w.key.Words(lane(0, d, m.cycles), 0, purposeOutage)
			m.cycles++
			m.downFrom = m.upFrom.Add(h.up.at(up))
			m.upFrom = m.downFrom.Add(h.down.at(down))
		}
		if now >= m.downFrom {
			return h.outage
		}
	}
	return mail.NoFault
}

// Slowness is the factor on the receiver's delays at a time at which so many
// connections of the server are open.
func (w *World) Slowness(m *Memory, d mail.Destination, now vt.Time, open int) float64 {
	h := w.destinations[d].habits
	if h == nil {
		return 1
	}
	f := 1.0
	if h.knee > 0 && open > h.knee {
		f = 1 + float64(h.slope*float64(open-h.knee))/float64(h.knee)
	}
	if h.daily != nil {
		f *= h.daily[int64(now)/int64(vt.Minute)%int64(len(h.daily))]
	}
	for i := range h.drift {
		f *= h.drift[i].factor(now)
	}
	if h.period > 0 {
		f *= w.weather(m, d, now)
	}
	return f
}

// factor is 1, and from At on over the time of Over grows to Factor.
func (v *Drift) factor(now vt.Time) float64 {
	switch part := v.part(now); part {
	case 0:
		return 1
	case 1:
		return v.Factor
	default:
		return 1 + float64((v.Factor-1)*part)
	}
}

// part of its way that a drift has gone.
func (v *Drift) part(now vt.Time) float64 {
	since := now.Sub(vt.Time(v.At))
	switch {
	case since < 0:
		return 0
	case since >= v.Over:
		return 1
	}
	return float64(since) / float64(v.Over)
}

// weather is the factor of the period that now lies in: lognormal, its score
// an autoregression of first order.
func (w *World) weather(m *Memory, d mail.Destination, now vt.Time) float64 {
	h := w.destinations[d].habits
	before := m.periods
	for int64(m.periods) <= int64(now)/int64(h.period) {
		word, _, _, _ := w.key.Words(lane(0, d, m.periods), 0, purposeWeather)
		score := rounded(distuv.UnitNormal.Quantile((float64(word) + 0.5) / (1 << 32)))
		if m.periods == 0 {
			m.weather = score
		} else {
			m.weather = float64(h.carried*m.weather) + float64(h.fresh*score)
		}
		m.periods++
	}
	if m.periods != before {
		m.factor = rounded(math.Exp(h.sigma * m.weather))
	}
	return m.factor
}

// Offer has the receiver judge a try for a recipient: it may refuse the
// message at MAIL, takes its time to answer, and remembers.
func (w *World) Offer(m *Memory, d mail.Destination, now vt.Time, to mail.Recipient, try mail.Try, v *Message) {
	h := w.destinations[d].habits
	if h == nil {
		return
	}
	refusal := uint16(0)
	points := 0.0
	if h.healTick > 0 {
		points = m.points.at(now, h.healTick)
	}
	if h.tick > 0 {
		rate := m.recent.at(now, h.tick) * h.perHour * (1 + points) // as it looks to a receiver that distrusts the sender
		m.recent.sum++
		if h.throttle.hard > 0 {
			if p := h.throttle.at(rate); p > 0 {
				if word, _, _, _ := w.key.Words(uint64(to), uint32(try), purposeThrottle); uint64(word) < rng.Threshold(p) {
					refusal = h.throttleCode
				}
			}
		}
		if h.most > 0 {
			slow := float64(h.perPoint) * points
			if h.tarpit.hard > 0 {
				slow = float64(float64(h.delay)*h.tarpit.at(rate)) + slow
			}
			v.Tarpit = vt.Span(min(slow, float64(h.most)))
		}
	}
	if refusal == 0 && h.interval > 0 {
		if full := max(m.full, now).Add(h.interval); full.Sub(now) > h.burst {
			refusal = h.bucketCode
		} else {
			m.full = full
		}
	}
	switch {
	case refusal != 0:
		v.fail, v.Grey = ending{refusal, mail.StageMAIL, mail.NoFault}, 0
		m.points.sum += h.perRefusal
	case v.dead:
		m.points.sum += h.perDead
	case now < m.white:
		v.Grey = 0
	}
}

// Passed tells that a greylist let a recipient in. After so many of them the
// server is whitelisted.
func (w *World) Passed(m *Memory, d mail.Destination, now vt.Time) {
	h := w.destinations[d].habits
	if h == nil || h.whiteAfter == 0 {
		return
	}
	if m.passes++; m.passes >= h.whiteAfter {
		m.passes, m.white = 0, now.Add(h.whiteFor)
	}
}
