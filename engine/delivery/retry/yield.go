package retry

import (
	"math"

	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Policy "yield" keeps a limit for each destination, as low as the yield of later
// tries allows. If recipients fail at random, the tenth try is worth as much as the
// first. Tries to dead addresses are worth nothing, and the share of dead addresses
// grows with each try. So the policy counts the yield of each try. The limit is the
// least one beyond which
//
//   - at most the share Loss of the deliverable messages is lost, and
//   - a try yields less than half as much as the tries up to the limit,
//
// each with statistical certainty. Only replies about the recipient count, and only
// these end a recipient early. A few recipients keep the high limit, so that later
// tries are still counted.

var yield = Policy{Name: "yield",
	Doc:  "goes by what the later tries deliver, with one limit for each destination (not in the patent application)",
	Keys: []string{"low", "loss", "probe", "memory", "dwell"},
	own:  func(r *Config) ownLimits { return &yields{retry: r} }}

// yields are the tallies of all destinations.
type yields struct {
	retry *Config
	all   []tallies
}

// tally counts the receiver's replies to the recipients of one try; older ones
// fade. An asked count below 1 means no data.
type tally struct {
	asked, deferred, delivered float64
}

// tallies are the tallies of a destination, by try, and its limit.
type tallies struct {
	moving
	tries []tally
}

// concerns reports whether the reply r is about the recipient: it came at RCPT or
// later, and is not 421, which closes the service (RFC 5321 3.8).
func concerns(r *mail.Reply) bool {
	return r.Fault == mail.NoFault && r.Stage >= mail.StageRCPT && r.Code != 421
}

// toDestination returns the tallies of the destination d; the first call makes
// them.
func (y *yields) toDestination(d mail.Destination) *tallies {
	for int(d) >= len(y.all) {
		y.all = append(y.all, tallies{newMoving(y.retry), make([]tally, y.retry.Limit+1)})
	}
	return &y.all[d]
}

func (y *yields) count(a *mail.Attempt, r *mail.Reply, fate mail.Class) {
	if !concerns(r) {
		return
	}
	t := &y.toDestination(a.Dest).tries[a.Try]
	t.asked++
	switch fate {
	case mail.Delivered:
		t.delivered++
	case mail.Deferral:
		t.deferred++
	}
}

func (y *yields) limit(a *mail.Attempt, r *mail.Reply) int {
	if !concerns(r) || int(a.Rcpt)%y.retry.Probe == 0 {
		return y.retry.Limit
	}
	return y.toDestination(a.Dest).limit
}

// interval moves each limit by the yields counted up to the end of an interval, and
// fades the counts.
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
		limit = min(limit, y.all[i].moving.limit)
	}
	return limit
}

func (y *yields) state(c *snap.Codec) {
	snap.Slice(c, &y.all, func(c *snap.Codec, t *tallies) {
		t.moving.state(c)
		snap.Slice(c, &t.tries, func(c *snap.Codec, v *tally) {
			c.Fields(&v.asked, &v.deferred, &v.delivered)
		})
	})
}

func (t *tally) fade(keep float64) {
	t.asked *= keep
	t.deferred *= keep
	t.delivered *= keep
}

// deliverable returns the share of the recipients that would be delivered if every
// try were like the counted ones: the product-limit estimate (Kaplan and Meier
// 1958).
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

// least returns the least limit that loses at most the share lost of the
// recipients, or the high limit if none does. A try without data is assumed to
// yield no more than the last try with data: in a mixture the yield of successive
// tries falls (Proschan 1963).
//
// The loss is a weighted sum of deliveries. Its upper bound is from Dobson et al.
// 1991: the scaled bound of the number of deliveries, with one more delivery of
// mean weight, since there may be none.
func (t *tallies) least(r *Config, lost float64) int {
	seen := 0 // number of tries with data
	var head tally
	for seen < len(t.tries) && t.tries[seen].asked >= 1 {
		head.asked += t.tries[seen].asked
		head.delivered += t.tries[seen].delivered
		seen++
	}
	left := make([]float64, seen+1) // share of the recipients that reach each try
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
