package plan

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"flyball/internal/mail"
	"flyball/internal/unit"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/limits"
	"flyball/scenarios"
)

// Longest is the longest time that a bound looks ahead.
const Longest = 3650 * vt.Day

// Tolerated is the greatest share of a provider's recipients that may be given up because
// of refusals in a mailing that counts as done.
const Tolerated = 0.001

// Limit is a kind of what binds a mailing.
type Limit string

// Kinds of limits.
const (
	Cap       Limit = "cap"
	Bucket    Limit = "bucket"
	Window    Limit = "window" // of messages, shorter than a day
	Quota     Limit = "quota"  // of messages, of a day or longer
	Rate      Limit = "rate"
	Own       Limit = "own limit" // of the sender
	Schedule  Limit = "retry schedule"
	Processes Limit = "processes"
	Event     Limit = "event"
)

// Bound is what a published limit admits: by the deadline at most Admitted messages, of
// at least Recipients that need one each.
type Bound struct {
	Provider   string // empty: of all providers
	Server     string // whose messages the limit counts; empty: those of several servers
	Limit      Limit
	Figure     string // the limit as the scenario has it
	Recipients int
	Admitted   int
	Ends       vt.Time // earliest time by which the limit admits all; vt.Never: later than Longest
	Usual      vt.Time // the same for as many recipients as a draw has on average
}

// Proves reports whether the limit alone makes the mailing late.
func (b Bound) Proves() bool { return b.Admitted < b.Recipients }

// pool is the mail that one or several equal counters of a limit share.
type pool struct {
	provider, server string
	share            float64 // of the recipients of the campaigns that are drawn for it
	part             float64 // of each list that is cut for it
	counters         int
}

// Bounds returns what limits of receivers and of the sender admit by the deadlines, by
// campaign, vt.Never without one; the one that ends last comes first. Each holds whatever
// the sender does: a recipient needs a message that the receiver takes at MAIL, or one that
// the sender offers.
func Bounds(s *scenarios.Scenario, due []vt.Time) []Bound {
	b := &bounds{Scenario: s}
	dates := slices.Clone(due)
	slices.Sort(dates)
	for _, d := range slices.Compact(dates) {
		if d != vt.Never {
			b.by(d, due)
		}
	}
	slices.SortStableFunc(b.all, func(x, y Bound) int { return cmp.Compare(y.Ends, x.Ends) })
	return b.all
}

type bounds struct {
	*scenarios.Scenario
	all []Bound
}

// by adds the bounds of the campaigns that are due at d or before.
func (b *bounds) by(d vt.Time, due []vt.Time) {
	start := vt.Never
	var sizes []int
	for c, v := range b.Campaigns {
		if due[c] <= d {
			start = min(start, vt.Time(v.Start))
			sizes = append(sizes, v.Recipients)
		} else {
			sizes = append(sizes, 0)
		}
	}
	for _, g := range b.Destinations {
		if g.LimitsOf != "" {
			continue
		}
		for _, a := range g.Allowances {
			q := limits.NewQuota(a)
			admits := func(t vt.Time) int { return q.Most(start, t) }
			kind := Window
			if a.Window >= vt.Day {
				kind = Quota
			}
			if a.OfCampaigns() {
				b.senders(d, start, g.Name, a.Scope, kind, figure(a), sizes, b.share(g), admits)
				continue
			}
			for _, p := range b.pools(g, a.Scope) {
				b.add(d, start, p, kind, figure(a), sizes, admits)
			}
		}
		if g.Bucket.Rate > 0 {
			for _, p := range b.pools(g, "server") {
				b.add(d, start, p, Bucket, g.Bucket.Rate.String(), sizes, paced(start, g.Bucket.Rate, g.Bucket.Burst))
			}
		}
	}
	for i, g := range b.Destinations {
		if g.Send.Rate == 0 {
			continue
		}
		var own []pool
		for _, v := range b.Servers {
			own = append(own, pool{g.Name, v.Name, b.Shares()[i], b.part(v), 1})
		}
		for _, p := range b.dealt(own) {
			b.add(d, start, p, Own, "send.rate = "+g.Send.Rate.String(), sizes,
				paced(start, g.Send.Rate, g.Send.Burst))
		}
	}
	for _, v := range b.Servers {
		if !b.Dispatch.Off() { // what it gets of a list is not known here
			break
		}
		if v.Rate > 0 {
			b.add(d, start, pool{"", v.Name, 1, b.part(v), 1}, Own, "server.rate = "+v.Rate.String(), sizes,
				paced(start, v.Rate, 1))
		}
		for c, k := range b.Campaigns {
			if k.Rate > 0 && sizes[c] > 0 {
				one := make([]int, len(sizes))
				one[c] = sizes[c]
				b.add(d, vt.Time(k.Start), pool{"", v.Name, 1, b.part(v), 1}, Own, "campaign.rate = "+k.Rate.String(),
					one, paced(vt.Time(k.Start), k.Rate, 1))
			}
		}
	}
}

// paced returns how many messages a token bucket admits from start on.
func paced(start vt.Time, rate unit.PerHour, burst int) func(vt.Time) int {
	every := mail.Every(rate)
	return func(t vt.Time) int {
		if t < start || every <= 0 {
			return 0
		}
		return burst + int(t.Sub(start)/every)
	}
}

// senders adds the bounds of an allowance for each sending domain or account, as scope has it.
func (b *bounds) senders(d, start vt.Time, name, scope string, kind Limit, figure string, sizes []int, share float64,
	admits func(vt.Time) int) {
	var known []string
	for _, c := range b.Campaigns {
		if slices.Contains(known, c.Sender(scope)) {
			continue
		}
		known = append(known, c.Sender(scope))
		of := make([]int, len(sizes))
		for i, k := range b.Campaigns {
			if k.Sender(scope) == c.Sender(scope) {
				of[i] = sizes[i]
			}
		}
		b.add(d, start, pool{name, "", share, 1, 1}, kind, figure, of, admits)
	}
}

// add adds the bound of a pool.
func (b *bounds) add(d, start vt.Time, p pool, kind Limit, figure string, sizes []int, admits func(vt.Time) int) {
	n := 0
	for _, size := range sizes {
		n += size
	}
	v := Bound{Provider: p.provider, Server: p.server, Limit: kind, Figure: figure,
		Recipients: atLeast(float64(n)*p.part, p.share), Admitted: p.counters * admits(d)}
	all := func(t vt.Time) int { return p.counters * admits(t) }
	v.Ends = earliest(start, v.Recipients, all)
	v.Usual = max(v.Ends, earliest(start, int(float64(n)*p.part*p.share), all))
	b.all = append(b.all, v)
}

// earliest returns the first time from start on by which n messages are admitted; vt.Never if it
// is later than Longest.
func earliest(start vt.Time, n int, admits func(vt.Time) int) vt.Time {
	low, high := start, vt.Time(Longest) // admits fewer at low, all at high
	if admits(high) < n {
		return vt.Never
	}
	for high-low > 1 {
		if mid := low + (high-low)/2; admits(mid) >= n {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}

// atLeast returns a number of recipients that a draw of a share of n almost never falls
// short of: six standard deviations below the mean, without those that may be given up.
func atLeast(n, share float64) int {
	mean := n * share
	low := mean - 6*math.Sqrt(n*share*max(0, 1-share))
	if share < 1 {
		low--
	} else {
		low = math.Floor(mean) // a cut list is rounded
	}
	return max(0, int(math.Floor(low*(1-Tolerated))))
}

// share returns the share of the list that the receivers of destination g take, with all
// destinations that have its limits.
func (b *bounds) share(g config.Destination) float64 {
	sum, own := 0.0, 0.0
	for _, v := range b.Destinations {
		sum += v.Share
		if v.Name == g.Name || v.LimitsOf == g.Name {
			own += v.Share
		}
	}
	return own / sum
}

// part returns the part of each list that a server delivers.
func (b *bounds) part(v config.Server) float64 {
	sum := 0.0
	for _, o := range b.Servers {
		sum += o.Share
	}
	return v.Share / sum
}

// Counters returns how many senders an allowance of a destination counts apart.
func Counters(s *scenarios.Scenario, destination, rule int) (n int) {
	b := &bounds{Scenario: s}
	g := s.Destinations[destination]
	a := g.Allowances[rule]
	if a.OfCampaigns() {
		known := map[string]bool{}
		for _, c := range s.Campaigns {
			known[c.Sender(a.Scope)] = true
		}
		return len(known)
	}
	for _, p := range b.pools(g, a.Scope) {
		n += p.counters
	}
	return n
}

// pools returns whose messages to g are counted together under a scope.
func (b *bounds) pools(g config.Destination, scope string) []pool {
	return b.dealt(b.apart(g, scope))
}

// dealt returns the pools of a provider; where lists are not cut by the servers' shares, one pool
// of all, with the counters of all.
func (b *bounds) dealt(apart []pool) []pool {
	if b.Dispatch.Off() {
		return apart
	}
	one := pool{apart[0].provider, "", apart[0].share, 1, 0}
	for _, p := range apart {
		one.counters += p.counters
	}
	return []pool{one}
}

// apart returns the pools of servers whose parts of the list are their shares.
func (b *bounds) apart(g config.Destination, scope string) (all []pool) {
	share := b.share(g)
	if scope == "fleet" || g.Shared {
		return []pool{{g.Name, "", share, 1, 1}}
	}
	if scope == "block" || g.By == "block" {
		blocks := map[string]int{}
		for _, v := range b.Servers {
			name := v.Name
			if v.Block != "" {
				name = "block " + v.Block
			}
			i, known := blocks[name]
			if !known {
				i, blocks[name] = len(all), len(all)
				all = append(all, pool{g.Name, v.Name, share, 0, 1})
			} else {
				all[i].server = ""
			}
			all[i].part += b.part(v)
		}
		return all
	}
	for _, v := range b.Servers {
		all = append(all, pool{g.Name, v.Name, share, b.part(v), v.AllAddresses()})
	}
	return all
}

// figure returns an allowance in a few words: "20000 in 1d".
func figure(a limits.Allowance) string {
	first, last := quotaOf(a)
	text := strconv.Itoa(first)
	if last != first {
		text += " rising to " + strconv.Itoa(last)
	}
	return text + " in " + a.Window.String()
}

// quotaOf returns the first and the last limit of an allowance.
func quotaOf(a limits.Allowance) (first, last int) {
	q := limits.NewQuota(a)
	first, _ = q.On(0)
	last, _ = q.On(math.MaxInt32)
	return first, last
}
