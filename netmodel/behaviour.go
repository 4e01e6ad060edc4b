package netmodel

import (
	"math"

	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
	"flyball/netmodel/limits"
)

// behaviour holds the prepared parameters of a receiver's optional behaviour, see
// config.Destination. A destination without any has nil.
type behaviour struct {
	bucket       mail.Pace // at time 0
	bucketReply  ending
	allowances   []allowance
	onConnection []event // events at the stages of connections
	onMessage    []event // and at the stages of messages
	hangsUp      int     // messages over one connection; 0: any number
	hangsUpReply ending  // to the next one; noEnding: the connection is closed
	resetReply   ending
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
	up, down       *delay.Table // nil: no outages by chance
	outage         mail.Fault
	scheduled      []downtime   // planned outages of this destination alone
	daily          *delay.Cycle // nil: none
	drift          []delay.Drift
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

func downtimes(lists ...[]config.Down) (all []downtime) {
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
func newBehaviour(d config.Destination, cutOff bool, clock vt.Clock, tables delay.Tables, v *answers) *behaviour {
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
	if d.HangsUpReply > 0 {
		b.hangsUpReply = v.refusal(mail.StageMAIL, d.HangsUpReply, 0, "")
	}
	if d.ResetReply > 0 {
		b.resetReply = v.refusal(mail.StageEHLO, d.ResetReply, 0, "")
	}
	for _, a := range d.Allowances {
		reply := v.refusal(mail.StageMAIL, a.Reply, a.Enhanced, a.Text)
		b.allowances = append(b.allowances, allowance{limits.NewQuota(a), countedBy(a, countingOf(d)), reply})
	}
	b.onConnection, b.onMessage = events(d.Refuse, v)
	if !d.Penalty.Off() {
		p := &d.Penalty
		b.penalty, b.penaltyReply = p, v.refusal(mail.StageMAIL, p.Reply, p.Enhanced, p.Text)
	}
	if d.UsesRate() {
		b.tick = d.Recent / limits.FadingSteps
		b.perHour = math.Ln2 * float64(vt.Hour) / float64(d.Recent)
	}
	if !d.Reputation.Off() {
		b.perRefusal, b.perDead, b.healTick = d.Reputation.PerRefusal, d.Reputation.PerDead,
			d.Reputation.Heals/limits.FadingSteps
		b.perComplaint, b.complaints = d.Reputation.PerComplaint, rng.Threshold(d.Reputation.Complaints)
	}
	if !d.Outage.Off() {
		b.up, b.down = tables.Of(delay.Dist{Dist: "exponential", Mean: d.Outage.Up}),
			tables.Of(delay.Dist{Dist: "exponential", Mean: d.Outage.Down})
		b.outage, _ = mail.FaultNamed(d.Outage.Fault)
	}
	b.scheduled = downtimes(d.Down)
	if d.Daily.Amplitude > 0 {
		b.daily = delay.NewCycle(d.Daily, clock)
	}
	if d.Weather.Sigma > 0 {
		b.sigma, b.period, b.carried = d.Weather.Sigma, d.Weather.Period, d.Weather.Correlation
		b.fresh = math.Sqrt(1 - float64(b.carried*b.carried))
	}
	return b
}
