package runlog

import (
	"cmp"
	"math"
	"slices"

	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Forecast is an estimate, made during a run, of when the last recipient of a server will be
// final; 0 without one. With a chance of 90 % the end lies between Low and High.
type Forecast struct{ Finish, Low, High vt.Time }

// Known reports whether there is an estimate.
func (f Forecast) Known() bool { return f.Finish > 0 }

// Sending is what a forecast needs of a server's work before it begins.
type Sending struct {
	Shares []float64 // of its recipients, by destination; they add up to 1. Nil: as those that were tried
	Delays []vt.Span // waits before resends, the last of which repeats
	Limit  int       // number of resends
}

// forecast estimates the end of one server's work from what it has seen. Between the ends of
// intervals it only counts: the time of attempts, and resends. docs/planning.md has the model.
type forecast struct {
	Sending
	total uint64    // recipients that were handed over
	since vt.Time   // when the first ones were
	ends  []sofar   // by interval
	again []resends // by destination
	last  Forecast  // of the last interval
	room  []wait    // reused
	more  [mostResends]float64
	took  [2]vt.Span // of all attempts so far: those that left their recipient waiting, and the others
	// squares is the sum of the squares of the times of those that ended their recipient, in ns^2.
	squares float64
}

// sofar is what was done by the end of an interval: first tries, and the time of all attempts.
type sofar struct {
	at    vt.Time
	tried uint64
	spent vt.Span
}

// resends counts resends by their number, the first at 0, up to the last place, where all
// further ones are.
type resends [8]struct{ ended, deferred uint64 }

// resent counts the end of a resend.
func (f *forecast) resent(d mail.Destination, try mail.Try, status mail.Status) {
	for len(f.again) <= int(d) {
		f.again = append(f.again, resends{})
	}
	v := &f.again[d][min(int(try)-1, len(resends{})-1)]
	v.ended++
	if status == mail.Pending {
		v.deferred++
	}
}

// Sends makes the recorder estimate the end of the run at every interval.
func (r *Recorder) Sends(s Sending) {
	r.forecast.Sending, r.forecast.ends = s, make([]sofar, 0, 64)
}

// HandsOver counts recipients that the server is given at a time.
func (r *Recorder) HandsOver(at vt.Time, recipients uint64) {
	if r.forecast.total == 0 {
		r.forecast.since = at
	}
	r.forecast.total += recipients
}

// LastOf estimates when the last recipient of several servers will be final, from the last estimate
// of each; there is none if a server has mail that is not final and no estimate. Ends are taken
// as independent, and each as normal on either side of its estimate.
func LastOf(servers []*Recorder) (last Forecast) {
	var open []Forecast
	for _, r := range servers {
		switch f := r.forecast.last; {
		case r.Final() >= r.forecast.total:
		case !f.Known():
			return Forecast{}
		default:
			open = append(open, f)
			last = Forecast{max(last.Finish, f.Finish), max(last.Low, f.Low), max(last.High, f.High)}
		}
	}
	if len(open) < 2 {
		return last
	}
	chance := func(t vt.Time) float64 { // that all are final by t
		all := 1.0
		for _, f := range open {
			side := f.High.Sub(f.Finish)
			if t < f.Finish {
				side = f.Finish.Sub(f.Low)
			}
			all *= math.Erfc(-float64(t.Sub(f.Finish))*ninety/max(float64(side), 1)/math.Sqrt2) / 2
		}
		return all
	}
	by := func(p float64) vt.Time {
		low, high := last.Low, last.High.Add(2*last.High.Sub(last.Finish)+1)
		for high-low > vt.Time(vt.Millisecond) {
			if mid := low + (high-low)/2; chance(mid) < p {
				low = mid
			} else {
				high = mid
			}
		}
		return high
	}
	return Forecast{by(0.5), by(0.05), by(0.95)}
}

// mostResends is the greatest number of resends that a forecast looks at: the last delay repeats,
// and few recipients come that far.
const mostResends = 40

// at returns the estimate at the time now, when by was counted.
func (f *forecast) at(now vt.Time, by []Destination) Forecast {
	if f.total == 0 || len(f.Delays) == 0 && f.Limit > 0 {
		return Forecast{}
	}
	var tried, final uint64
	for d := range by {
		tried, final = tried+by[d].Tried(), final+by[d].Final()
	}
	f.ends = append(f.ends, sofar{now, tried, f.took[0] + f.took[1]})
	if tried == 0 || final >= f.total {
		return Forecast{}
	}
	left, spread := f.firstTries(now, tried, by, 0)
	// Who is final after the last first try does not keep processes from first tries.
	if n := f.tail(now, left, by).expected(0); n > 0 {
		left, spread = f.firstTries(now, tried, by, n)
	}
	rest := f.tail(now, left, by)
	half, soon, late := rest.at(chanceHalf), rest.at(chanceLow), rest.at(chanceHigh)
	mid := now.Add(span(left) + half)
	low := math.Hypot(ninety*spread, float64(half-soon))
	high := math.Hypot(ninety*spread, float64(late-half))
	return Forecast{mid, max(now, mid.Add(-span(low))), mid.Add(span(high))}
}

// The end is later than a time with the chance 1 - exp(-n) if n recipients are expected to be
// final after it: 50, 95 and 5 %.
const (
	chanceHalf = math.Ln2
	chanceLow  = 2.995732273553991
	chanceHigh = 0.05129329438755058
	ninety     = 1.6448536269514722 // standard deviations of a normal distribution
)

// Luck of first tries; see dispersion. Both were fitted on 200 random mailings, so that nine in
// ten end within the interval.
const (
	leastLuck = 0.12
	asSteps   = 8 // steps between intervals that the spread of the times counts as much as
)

func span(ns float64) vt.Span { return vt.Span(math.Round(min(max(ns, 0), 1e18))) }

// firstTries returns how long it takes until the last first try, and the standard deviation, in
// ns. What is left is counted in time of attempts: those that end a recipient, without late ones,
// and those that leave it waiting, whose number follows from the shares so far; processes go on
// spending as much time as in the later half of the intervals. A provider that lags behind the
// others by more than four standard deviations goes on at its own rate.
func (f *forecast) firstTries(now vt.Time, tried uint64, by []Destination, late float64) (left, spread float64) {
	untried := float64(f.total - min(tried, f.total))
	if untried == 0 {
		return 0, 0
	}
	var finals, waits, more float64
	for d := range by {
		finals += float64(by[d].Final())
		waits += float64(by[d].Count(mail.Pending))
		for _, n := range f.deferrals(d, by) {
			more += n
		}
	}
	work := max(0, float64(f.total)-finals-late) * f.mean(1, finals)
	work += max(0, more-waits) * f.mean(0, waits)
	from, before := f.since, vt.Span(0)
	if k := (len(f.ends) - 1) / 2; len(f.ends) > 1 {
		from, before = f.ends[k].at, f.ends[k].spent
	}
	spent, long := float64(f.took[0]+f.took[1]-before), float64(now.Sub(from))
	if spent <= 0 { // a pause
		spent, long = float64(f.took[0]+f.took[1]), float64(now.Sub(f.since))
	}
	left = work * long / max(spent, 1)
	// Of long attempts more are still under way, so what has ended is too short on average.
	uneven, mean := f.uneven(finals), f.mean(1, finals)
	left *= 1 + min(1, uneven*mean/max(1, float64(now.Sub(f.since))))
	spread = left * math.Sqrt(f.dispersion(uneven)*(1/float64(tried)+1/untried))
	done := float64(tried) / float64(f.total)
	for d := range by {
		if f.Shares == nil {
			break
		}
		all, own := float64(f.total)*f.Shares[d], float64(by[d].Tried())
		expected := all * done
		if own > 0 && own < expected-float64(4*math.Sqrt(expected)) {
			if slow := (all - own) * float64(now.Sub(f.since)) / own; slow > left {
				left, spread = slow, slow*math.Sqrt(1/own+1/(all-own))
			}
		}
	}
	return left, spread
}

// mean returns the mean time of n attempts of a class.
func (f *forecast) mean(class int, n float64) float64 { return float64(f.took[class]) / max(n, 1) }

// uneven returns the variance of the times of n attempts that ended their recipient over the square
// of their mean.
func (f *forecast) uneven(n float64) float64 {
	all := max(float64(f.took[1]), 1)
	return max(0, n*f.squares/float64(all*all)-1)
}

// recipients returns how many recipients a destination has, by the shares of the list or of
// those that were tried.
func (f *forecast) recipients(d int, by []Destination) float64 {
	if f.Shares != nil {
		return float64(f.total) * f.Shares[d]
	}
	all := 0.0
	for i := range by {
		all += float64(by[i].Tried())
	}
	return float64(f.total) * float64(by[d].Tried()) / max(all, 1)
}

// deferrals returns how many recipients of a destination are expected to be left waiting by
// their first try and by each resend. The next call overwrites them.
func (f *forecast) deferrals(d int, by []Destination) (all []float64) {
	tried := float64(by[d].Tried())
	if tried == 0 || f.Limit == 0 {
		return nil
	}
	again := float64(by[d].First[mail.Pending]) / tried
	count := f.recipients(d, by) * again
	all = f.more[:0]
	for k := 0; k < min(f.Limit, mostResends) && count > 1e-3; k++ {
		all = append(all, count)
		// as good a guess as the share of the try before, until there are resends
		if d < len(f.again) {
			seen := f.again[d][min(k, len(resends{})-1)]
			again = (float64(seen.deferred) + again) / float64(seen.ended+1)
		}
		count *= again
	}
	return all
}

// dispersion returns the variance of the number of first tries of an interval over its mean: that
// of processes whose attempts take times as uneven as those that ended, and from the steps
// between the later half of the intervals, since a rate may rise or fall without luck.
func (f *forecast) dispersion(uneven float64) float64 {
	later := f.ends[(len(f.ends)-1)/2:]
	var squares float64
	for i := 2; i < len(later); i++ {
		step := float64(later[i].tried-later[i-1].tried) - float64(later[i-1].tried-later[i-2].tried)
		squares += float64(step * step)
	}
	steps := float64(max(0, len(later)-2))
	if count := float64(later[len(later)-1].tried - later[0].tried); count > 0 {
		each := count / float64(len(later)-1)
		uneven = (float64(asSteps*uneven) + squares/(2*each)) / (asSteps + steps)
	}
	return max(leastLuck, uneven)
}

// tail is what becomes final with resends: how many recipients, and how long after their first
// try, the longest first. First tries lie evenly over a time.
type tail struct {
	waits []wait
	over  float64
}

type wait struct{ count, after float64 }

// tail returns the resends of the run, if the last first try is left from now.
func (f *forecast) tail(now vt.Time, left float64, by []Destination) tail {
	t := tail{waits: f.room[:0], over: max(1, float64(now.Sub(f.since))+left)}
	for d := range by {
		after, all := 0.0, f.deferrals(d, by)
		for k, n := range all {
			after += float64(f.Delays[min(k, len(f.Delays)-1)])
			if k+1 < len(all) {
				n -= all[k+1]
			}
			t.waits = append(t.waits, wait{n, after})
		}
	}
	f.room = t.waits
	slices.SortStableFunc(t.waits, func(a, b wait) int { return cmp.Compare(b.after, a.after) })
	return t
}

// expected returns how many recipients are expected to be final later than x after the last
// first try.
func (t tail) expected(x float64) (sum float64) {
	for _, w := range t.waits {
		if w.after <= x {
			break
		}
		sum += w.count * min(1, (w.after-x)/t.over)
	}
	return sum
}

// at returns how long after the last first try n recipients are expected to become final.
func (t tail) at(n float64) vt.Span {
	if len(t.waits) == 0 || t.expected(0) <= n {
		return 0
	}
	low, high := 0.0, t.waits[0].after
	for range 30 {
		if mid := (low + high) / 2; t.expected(mid) > n {
			low = mid
		} else {
			high = mid
		}
	}
	return span(high)
}

// State saves or restores what was seen.
func (f *forecast) State(c *snap.Codec) {
	c.Fields(&f.total, &f.since, &f.took[0], &f.took[1], &f.squares, &f.last.Finish, &f.last.Low, &f.last.High)
	snap.Slice(c, &f.ends, func(c *snap.Codec, e *sofar) { c.Fields(&e.at, &e.tried, &e.spent) })
	snap.Slice(c, &f.again, func(c *snap.Codec, of *resends) {
		for i := range of {
			c.Fields(&of[i].ended, &of[i].deferred)
		}
	})
}
