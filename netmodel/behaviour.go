package netmodel

import (
	"math"

	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/netmodel/limits"
)

// behaviour holds the prepared parameters of a receiver's optional behaviour,
// see behaviour_config.go. A destination without any has nil.
type behaviour struct {
	bucket       mail.Pace // at time 0
	bucketReply  ending
	allowances   []allowance
	onConnection []event // events at the stages of connections
	onMessage    []event // and at the stages of messages
	hangsUp      int     // messages over one connection; 0: any number
	penalty      *limits.Penalty
	penaltyReply ending
	complaints   uint64 // threshold; 0: none

	tick          vt.Span // step of the recent rate, see fading; 0: the rate is not used
	perHour       float64 // rate per message in the faded sum
	throttle      limits.Ramp
	throttleReply ending

	perRefusal, perDead float64
	perComplaint        float64
	healTick            vt.Span // 0: no reputation

	tarpit         limits.Ramp
	delay, most    vt.Span
	perPoint       vt.Span
	knee           int // 0: none
	slope          float64
	up, down       *table // nil: no outages by chance
	outage         mail.Fault
	scheduled      []downtime // planned outages of this destination alone
	daily          []float64  // factor by minute of the day; nil: none
	sinceMidnight  []phase    // time of day; nil: the run begins at midnight
	drift          []Drift
	sigma, carried float64 // weather: strength, and weight of the last period's score
	fresh          float64 // weather: weight of the new score
	period         vt.Span // 0: no weather
	whiteAfter     int     // 0: no whitelist
	whiteFor       vt.Span
}

// allowance is a prepared limits.Allowance.
type allowance struct {
	limits.Quota
	by    counting
	reply ending
}

// downtime is a planned outage.
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

// newBehaviour returns the behaviour of d; nil if it has none. A destination that
// some server cannot reach at some time (cutOff) has a behaviour.
func newBehaviour(d Destination, cutOff bool, clock vt.Clock, tables tables, v *answers) *behaviour {
	if !d.HasBehaviour() && !cutOff {
		return nil
	}
	b := &behaviour{
		bucket:        mail.NewPace(d.Bucket.Rate, d.Bucket.Burst),
		bucketReply:   v.refusal(mail.StageMAIL, d.Bucket.Reply, d.Bucket.Enhanced, d.Bucket.Text),
		throttleReply: v.refusal(mail.StageMAIL, d.Throttle.Reply, d.Throttle.Enhanced, d.Throttle.Text),
		throttle:      limits.NewRamp(d.Throttle.Soft, d.Throttle.Hard, d.Throttle.Curve == "logistic"),
		tarpit:        limits.NewRamp(d.Tarpit.Soft, d.Tarpit.Hard, false),
		delay:         d.Tarpit.Delay, most: d.Tarpit.Most, perPoint: d.Tarpit.PerPoint,
		knee: d.Knee.Connections, slope: d.Knee.Slope,
		drift:      d.Drift,
		hangsUp:    d.HangsUp,
		whiteAfter: d.Greylist.WhitelistAfter, whiteFor: d.Greylist.WhitelistFor,
	}
	for _, a := range d.Allowances {
		reply := v.refusal(mail.StageMAIL, a.Reply, a.Enhanced, a.Text)
		b.allowances = append(b.allowances, allowance{limits.NewQuota(a), countedBy(a, d.countedBy()), reply})
	}
	b.onConnection, b.onMessage = events(d.Refuse, v)
	if !d.Penalty.Off() {
		p := &d.Penalty
		b.penalty, b.penaltyReply = p, v.refusal(mail.StageMAIL, p.Reply, p.Enhanced, p.Text)
	}
	if d.usesRate() {
		b.tick = d.Recent / limits.FadingSteps
		b.perHour = math.Ln2 * float64(vt.Hour) / float64(d.Recent)
	}
	if !d.Reputation.Off() {
		b.perRefusal, b.perDead, b.healTick = d.Reputation.PerRefusal, d.Reputation.PerDead,
			d.Reputation.Heals/limits.FadingSteps
		b.perComplaint, b.complaints = d.Reputation.PerComplaint, rng.Threshold(d.Reputation.Complaints)
	}
	if !d.Outage.Off() {
		b.up, b.down = tables.of(Dist{Dist: "exponential", Mean: d.Outage.Up}),
			tables.of(Dist{Dist: "exponential", Mean: d.Outage.Down})
		b.outage, _ = mail.FaultNamed(d.Outage.Fault)
	}
	b.scheduled = downtimes(d.Down)
	if d.Daily.Amplitude > 0 {
		b.daily, b.sinceMidnight = d.Daily.byMinute(), phases(clock)
	}
	if d.Weather.Sigma > 0 {
		b.sigma, b.period, b.carried = d.Weather.Sigma, d.Weather.Period, d.Weather.Correlation
		b.fresh = math.Sqrt(1 - float64(b.carried*b.carried))
	}
	return b
}

// byMinute returns the factor on delays in each minute of the day.
func (d Daily) byMinute() []float64 {
	const minutes = 24 * 60
	f := make([]float64, minutes)
	for i := range f {
		middle := (vt.Span(i)*vt.Minute + vt.Minute/2 - d.Peak).Hours() / 24
		f[i] = 1 + float64(d.Amplitude*rounded(math.Cos(2*math.Pi*middle)))
	}
	return f
}

// phase is by how much the time of day is further than virtual time, from a time on.
type phase struct {
	from vt.Time
	by   vt.Span // 0 to a day
}

// phases returns the phases of a clock: the first from 0 on, then one for each change.
func phases(c vt.Clock) (all []phase) {
	for _, o := range c.Offsets {
		by := c.Start.OfDay() + c.Ahead(vt.Time(o.From))
		all = append(all, phase{vt.Time(o.From), (by + vt.Day) % vt.Day})
	}
	return all
}

// minute returns the minute of the day at the time now.
func (b *behaviour) minute(now vt.Time) int64 {
	var by vt.Span
	for _, p := range b.sinceMidnight {
		if now < p.from {
			break
		}
		by = p.by
	}
	return int64(now.Add(by)) / int64(vt.Minute) % int64(len(b.daily))
}

// rounded returns v without the digits that differ between processors.
func rounded(v float64) float64 { return limits.Rounded(v) }

// factor returns the factor of the drift at the time now: 1 up to At, then
// linear to Factor within Over.
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

// part returns how much of the drift is complete at the time now, 0 to 1.
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
