package delivery

import (
	"math"

	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Policy "yield": a limit for each destination, as low as what the later tries
// yield allows. The tries of a recipient that fails by chance are worth as much
// the tenth time as the first; those of dead addresses are worth nothing, and
// the later the try the more of its recipients are dead. So what is counted is
// the yield of each try, and the limit is the least one beyond which
//
//   - at most a share of all that can be delivered is lost, and
//   - a try yields less than half of what one up to it does,
//
// each beyond doubt. Only replies that are about the recipient count, and only
// these end one early. A few recipients keep the high limit, so that there is
// always something to count.

var yield = Policy{Name: "yield",
	Doc:  "goes by what the later tries deliver, with one limit for each destination (not in the patent application)",
	Keys: []string{"low", "loss", "probe", "memory", "dwell"},
	own:  func(r *Retry) ownLimits { return &yields{retry: r} }}

// yields are the tallies of all destinations.
type yields struct {
	retry *Retry
	all   []tallies
}

// tally is what the receiver said to the recipients of a try, those who came
// lately counting more. Where less than one is left, nobody has come.
type tally struct {
	asked, deferred, delivered float64
}

// tallies are those of a destination, by try, and the limit that follows.
type tallies struct {
	limiter
	tries []tally
}

// concerns reports whether a reply is about the recipient: it came at RCPT or
// later, and is not that the service closes (RFC 5321 3.8).
func concerns(r mail.Reply) bool {
	return r.Fault == mail.NoFault && r.Stage >= mail.StageRCPT && r.Code != 421
}

// toDestination finds the tallies of a destination, which has some from the
// first time on.
func (y *yields) toDestination(d mail.Destination) *tallies {
	for int(d) >= len(y.all) {
		y.all = append(y.all, tallies{newLimiter(y.retry), make([]tally, y.retry.Limit+1)})
	}
	return &y.all[d]
}

func (y *yields) count(a *mail.Attempt, r mail.Reply) {
	if !concerns(r) {
		return
	}
	t := &y.toDestination(a.Dest).tries[a.Try]
	t.asked++
	switch class := r.Class(); {
	case class == mail.Delivered:
		t.delivered++
	case class == mail.Deferral || y.retry.Bounce == "resend":
		t.deferred++
	}
}

func (y *yields) limit(a *mail.Attempt, r mail.Reply) int {
	if !concerns(r) || int(a.Rcpt)%y.retry.Probe == 0 {
		return y.retry.Limit
	}
	return y.toDestination(a.Dest).limit
}

// interval lets the limits follow what the tries have yielded up to the end of
// an interval, and lets that fade.
func (y *yields) interval(span vt.Span) {
	retry := y.retry
	var reached, asked float64
	for i := range y.all {
		first := y.all[i].tries[0].asked
		reached += float64(first * y.all[i].deliverable())
		asked += first
	}
	for i := range y.all {
		t := &y.all[i]
		t.stood++
		t.move(retry, t.least(retry, float64(retry.Loss*(reached/asked))))
		for k := range t.tries {
			t.tries[k].fade(max(0, 1-float64(span)/float64(retry.Memory)))
		}
	}
}

func (y *yields) lowest() int {
	limit := y.retry.Limit
	for i := range y.all {
		limit = min(limit, y.all[i].limiter.limit)
	}
	return limit
}

func (y *yields) state(c *snap.Codec) {
	snap.Slice(c, &y.all, func(c *snap.Codec, t *tallies) {
		t.limiter.state(c)
		snap.Slice(c, &t.tries, func(c *snap.Codec, v *tally) {
			snap.Float(c, &v.asked)
			snap.Float(c, &v.deferred)
			snap.Float(c, &v.delivered)
		})
	})
}

func (t *tally) fade(keep float64) {
	t.asked *= keep
	t.deferred *= keep
	t.delivered *= keep
}

// deliverable is the share of the recipients that would be delivered if every
// try were as those that were seen: the product-limit estimate (Kaplan and
// Meier 1958).
func (t *tallies) deliverable() float64 {
	var share float64
	left := 1.0
	for k := range t.tries {
		v := &t.tries[k]
		if v.asked < 1 {
			break
		}
		share += float64(left * (v.delivered / v.asked))
		left *= v.deferred / v.asked
	}
	return share
}

// least finds the least limit that loses at most a share of the recipients,
// the high one if there is none. A try that nobody has come to is taken to yield
// no more than the last that somebody has: in a mixture the yield of
// successive tries falls (Proschan 1963).
//
// What is lost is a weighted sum of deliveries. Its upper bound is that of
// Dobson et al. 1991: the bound of their number, scaled; with one delivery of
// mean weight more, as there may be none.
func (t *tallies) least(r *Retry, lost float64) int {
	seen := 0 // tries that somebody has come to
	var head tally
	for seen < len(t.tries) && t.tries[seen].asked >= 1 {
		head.asked += t.tries[seen].asked
		head.delivered += t.tries[seen].delivered
		seen++
	}
	left := make([]float64, seen+1) // share of the recipients that come to a try
	left[0] = 1
	for k := range seen {
		left[k+1] = left[k] * (t.tries[k].deferred / t.tries[k].asked)
	}
	least := r.Limit
	none := head.delivered == 0
	var tail tally
	var sum, squares, weights float64
	for limit := seen - 2; limit >= r.Low; limit-- { // the tail begins at limit+1
		v := &t.tries[limit+1]
		come := left[limit+1]
		if limit+2 == seen {
			come += float64(float64(r.Limit-limit-1) * left[seen])
		}
		weight := come / v.asked
		sum += float64(weight * v.delivered)
		squares += float64(weight * weight * v.delivered)
		weights += come
		tail.asked += v.asked
		tail.delivered += v.delivered
		head.asked -= v.asked
		head.delivered -= v.delivered

		mean := weights / tail.asked
		spread := math.Sqrt((squares + float64(mean*mean)) / (tail.delivered + 1))
		worst := sum + float64(spread*(atMost(tail.delivered)-tail.delivered))
		falls := none || float64(2*atMost(tail.delivered)*head.asked) < float64(atLeast(head.delivered)*tail.asked)
		if worst <= lost && falls {
			least = limit
		}
	}
	return least
}

// atMost and atLeast bound the mean of a number of events by two standard
// deviations: the score interval of Poisson's distribution.
func atMost(n float64) float64  { return n + 2 + float64(2*math.Sqrt(n+1)) }
func atLeast(n float64) float64 { return n + 2 - float64(2*math.Sqrt(n+1)) }
