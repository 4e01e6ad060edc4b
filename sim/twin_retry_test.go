package sim_test

import (
	"maps"
	"math"
	"math/big"
	"slices"

	"flyball/engine/delivery/retry"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// The twin's resends, retry limits and freed processes: docs/model.md, section
// 7.3.

// plan is the schedule of a recipient's resends and their end.
type plan struct {
	delays []vt.Span
	limit  int
	age    vt.Span
}

// timetable writes a schedule out, try by try.
func timetable(r retry.Config) plan {
	p := plan{delays: r.Delays, limit: r.Limit, age: r.MaxAge}
	byAge := func(until vt.Span, next func(age vt.Span, n int) vt.Span) {
		p = plan{age: until}
		for age := next(0, 0); age <= until; age += next(age, p.limit) {
			p.limit++
		}
		var age vt.Span
		for n := range p.limit + 1 {
			p.delays = append(p.delays, next(age, n))
			age += next(age, n)
		}
	}
	twice := func(first vt.Span) func(vt.Span, int) vt.Span {
		return func(_ vt.Span, n int) vt.Span { return first << n }
	}
	const m = vt.Minute
	switch r.Schedule {
	case "patent":
		p = plan{limit: 10}
		for n := range 10 {
			p.delays = append(p.delays, min(30*m<<n, 4*vt.Hour))
		}
	case "rfc5321":
		byAge(5*vt.Day, func(age vt.Span, _ int) vt.Span {
			if age < vt.Hour {
				return 30 * m
			}
			return 3 * vt.Hour
		})
	case "postfix":
		byAge(5*vt.Day, func(age vt.Span, _ int) vt.Span { return max(300*vt.Second, min(age, 4000*vt.Second)) })
	case "kumomta":
		byAge(7*vt.Day, twice(20*m))
	case "haraka":
		p = plan{limit: 12}
		for failure := 1; failure <= 12; failure++ {
			p.delays = append(p.delays, vt.Second<<(failure+5))
		}
	case "zonemta":
		first := []vt.Span{5, 7, 8, 25, 75, 120}
		byAge(2*vt.Day, func(_ vt.Span, n int) vt.Span {
			if n < len(first) {
				return first[n] * m
			}
			return 240 * m
		})
	case "mox":
		p = plan{limit: 7}
		for n := range 7 {
			p.delays = append(p.delays, 450*vt.Second<<n)
		}
	case "chasquid":
		byAge(20*vt.Hour, func(age vt.Span, _ int) vt.Span {
			for _, wait := range []vt.Span{1, 5, 10} {
				if age < wait*m {
					return wait * m
				}
			}
			return 20 * m
		})
	case "gmail":
		p.delays = apart(6*60+2, 29*60+2, 56*60+36, 98*60+44, 162*60)
	case "yahoo":
		p.delays = apart(2*60+7, 5*60+39, 12*60+58, 27*60+16, 55*60+13)
	}
	if p.age == 0 {
		p.age = r.MaxAge
	}
	return p
}

func apart(seconds ...int) (delays []vt.Span) {
	for i, s := range append([]int{0}, seconds[:len(seconds)-1]...) {
		delays = append(delays, vt.Span(seconds[i]-s)*vt.Second)
	}
	return delays
}

// patience is a retry limit with its history.
type patience struct {
	limit             int
	moved             int // ends of intervals before its last move
	strained          int // the last interval in which the low limit was asked for
	attempts, success int
}

const never = -1 << 40

func newPatience(r retry.Config) *patience {
	return &patience{limit: timetable(r).limit, moved: never, strained: never}
}

func (l *patience) tell(success bool) {
	l.attempts++
	if success {
		l.success++
	}
}

// signs are the inputs of a policy. An unknown sign is NaN, so that every
// comparison with it is false.
type signs struct{ a, u, dfr float64 }

func (v *twinServer) failureRate(attempts, delivered int) float64 {
	if attempts < v.s.Retry.MinAttempts || attempts == 0 {
		return math.NaN()
	}
	return float64(attempts) / float64(delivered)
}

func (v *twinServer) share() float64 {
	if n := v.s.Retry.Processes; n > 0 {
		return float64(len(v.processes)) / float64(n)
	}
	return float64(len(v.processes)) / float64(v.published())
}

// look adapts a limit to the signs of an interval.
func (v *twinServer) look(l *patience, interval int, x signs) {
	r, high := v.s.Retry, v.plan.limit
	lower, raise := false, false
	to := l.limit
	line := func(x, from, until float64) {
		if !math.IsNaN(x) {
			t := (math.Max(from, math.Min(x, until)) - from) / (until - from)
			if f := float64(high) - float64(float64(high-r.Low)*t); f-float64(l.limit) >= 1 || float64(l.limit)-f >= 1 {
				to = int(math.Floor(f + 0.5))
			}
		}
	}
	switch r.Policy {
	case "alloc":
		lower, raise = x.a > r.LoadAbove, x.a < r.LoadBelow
	case "util":
		lower, raise = x.u > r.LoadAbove, x.u < r.LoadBelow
	case "dfr":
		lower, raise = x.dfr > r.DFRAbove, x.dfr < r.DFRBelow
	case "both-a":
		room := x.a < r.LoadAbove
		lower = x.a > r.LoadAbove || room && x.dfr > r.DFRAbove
		raise = room && x.dfr < r.DFRBelow
	case "util-fn":
		line(x.u, r.LoadBelow, r.LoadAbove)
	case "dfr-fn":
		line(x.dfr, r.DFRBelow, r.DFRAbove)
	case "both-fn":
		if !math.IsNaN(x.dfr) {
			limits := []int{high}
			for _, row := range r.Table {
				if x.a > row.Allocated && x.dfr > row.DFR {
					limits = append(limits, row.Limit)
				}
			}
			to = slices.Min(limits)
		}
	}
	if lower {
		to, l.strained = r.Low, interval
	}
	if raise {
		to = high
	}
	v.moveTo(l, to)
}

// moveTo moves a limit if it has stood long enough.
func (v *twinServer) moveTo(l *patience, to int) {
	if to != l.limit && v.interval-l.moved >= v.s.Retry.Dwell {
		l.limit, l.moved = to, v.interval
	}
}

func (v *twinServer) stages() bool {
	return v.s.Retry.Policy == "stage" || v.s.Retry.Policy == "stage-fn"
}

// alone reports whether every process has a limit of its own.
func (v *twinServer) alone() bool {
	return (v.s.Retry.Policy == "dfr" || v.s.Retry.Policy == "dfr-fn") && v.s.Retry.Scope == "mta"
}

func (v *twinServer) always() bool {
	return (v.s.Retry.Policy == "alloc" || v.stages()) && v.s.Retry.When == "continuous"
}

func (v *twinServer) stageLimit(j *job) int {
	r, high := v.s.Retry, v.plan.limit
	s := float64(j.left) / float64(j.total)
	if r.Policy == "stage" {
		if late := s < r.Late; late == r.Inverse {
			return high
		}
		return r.Low
	}
	if r.Inverse {
		s = 1 - s
	}
	return r.Low + int(math.Floor(float64(float64(high-r.Low)*s)+0.5))
}

// answers counts a destination's replies to one try, with older replies decayed.
type answers struct{ all, later, yes float64 }

// prospects is the twin's estimate for each try to a destination.
type prospects struct {
	patience
	by []answers // by try
}

func (v *twinServer) prospectsOf(d mail.Destination) *prospects {
	if v.prospects[d] == nil {
		v.prospects[d] = &prospects{*newPatience(v.s.Retry), make([]answers, v.plan.limit+1)}
	}
	return v.prospects[d]
}

// personal reports whether a reply is about the recipient.
func personal(r mail.Reply) bool {
	return r.Code != 0 && r.Code != 421 && r.Stage >= mail.StageRCPT
}

func (v *twinServer) hear(r *recipient, reply mail.Reply) {
	if v.s.Retry.Policy != "yield" || !personal(reply) {
		return
	}
	a := &v.prospectsOf(r.dest).by[r.try]
	a.all++
	switch row := v.rowOf(r.dest, reply); {
	case reply.Code < 400:
		a.yes++
	case row.Reaction == "bounce":
	case row.Reaction != "" && row.Reaction != "none", reply.Code < 500, v.s.Retry.Bounce == "resend":
		a.later++
	}
}

// come returns the share of recipients that reach each try that any recipient has
// reached, and the next one.
func (q *prospects) come() []float64 {
	shares := []float64{1}
	for k := 0; k < len(q.by) && q.by[k].all >= 1; k++ {
		shares = append(shares, shares[k]*(q.by[k].later/q.by[k].all))
	}
	return shares
}

// reconsiderYields moves the limits of all destinations.
func (v *twinServer) reconsiderYields(r row) {
	all := slices.Sorted(maps.Keys(v.prospects))
	var good, asked float64
	for _, d := range all {
		q := v.prospects[d]
		var g float64
		shares := q.come()
		for k := range len(shares) - 1 {
			g += shares[k] * (q.by[k].yes / q.by[k].all)
		}
		good += q.by[0].all * g
		asked += q.by[0].all
	}
	for _, d := range all {
		q := v.prospects[d]
		to := v.plan.limit
		for limit := v.plan.limit - 1; limit >= v.s.Retry.Low; limit-- {
			if q.bearable(limit, v.plan.limit, v.s.Retry.Loss*(good/asked)) {
				to = limit
			}
		}
		v.moveTo(&q.patience, to)
		for k := range q.by {
			worn := math.Max(0, 1-float64(v.s.Governor.Interval)/float64(v.s.Retry.Memory))
			q.by[k] = answers{q.by[k].all * worn, q.by[k].later * worn, q.by[k].yes * worn}
		}
	}
}

// bearable reports whether a limit loses little, and whether the tries beyond it
// yield less.
func (q *prospects) bearable(limit, high int, loss float64) bool {
	shares := q.come()
	last := len(shares) - 2
	if limit >= last {
		return false
	}
	var n, m, y, v, u, headN, headM float64
	for k := 0; k <= last; k++ {
		a := q.by[k]
		if k <= limit {
			headN, headM = headN+a.yes, headM+a.all
			continue
		}
		w := shares[k]
		if k == last {
			w += float64(high-last) * shares[k+1]
		}
		w /= a.all
		n, m, y, v, u = n+a.yes, m+a.all, y+w*a.yes, v+w*w*a.yes, u+w*a.all
	}
	above := 2 + 2*math.Sqrt(n+1)
	if y+above*math.Sqrt((v+u/m*(u/m))/(n+1)) > loss {
		return false
	}
	return n+headN == 0 || 2*(n+above)/m < (headN+2-2*math.Sqrt(headN+1))/headM
}

// retryLimit returns R for a failure of the process at this moment.
func (p *process) retryLimit(r *recipient, reply mail.Reply) int {
	v := p.twinServer
	switch {
	case p.s.Retry.Policy == "yield":
		if !personal(reply) || int(r.number)%p.s.Retry.Probe == 0 {
			return p.plan.limit
		}
		return p.prospectsOf(r.dest).limit
	case p.s.Retry.Policy == "fixed":
		return p.plan.limit
	case p.stages() && p.always():
		return p.stageLimit(p.job)
	case p.stages():
		return p.job.limit
	case p.alone():
		return p.ofSlot[p.slot].limit
	case p.always():
		v.look(v.limit, v.interval, signs{a: v.share()})
	}
	return v.limit.limit
}

// shownLimit returns R as the trace shows it.
func (v *twinServer) shownLimit() int {
	shown := []int{v.plan.limit}
	switch {
	case v.s.Retry.Policy == "fixed":
	case v.stages():
		for _, j := range v.jobs {
			if limit := j.limit; j.left > 0 {
				if v.always() {
					limit = v.stageLimit(j)
				}
				shown = append(shown, limit)
			}
		}
	case v.alone():
		for _, l := range v.ofSlot {
			shown = append(shown, l.limit)
		}
	case v.s.Retry.Policy == "yield":
		for _, q := range v.prospects {
			shown = append(shown, q.limit)
		}
	default:
		return v.limit.limit
	}
	return slices.Min(shown)
}

// reconsider moves the limits at the end of an interval; the limit of a server
// goes by the attempts of a row.
func (v *twinServer) reconsider(r, dfrOf row) {
	if v.s.Retry.Policy == "fixed" {
		return
	}
	if v.s.Retry.Policy == "yield" {
		v.reconsiderYields(r)
		return
	}
	for _, j := range v.jobs {
		j.limit = v.stageLimit(j)
	}
	limits := []*patience{v.limit}
	*v.limit = patience{v.limit.limit, v.limit.moved, v.limit.strained, int(dfrOf.Attempts), int(dfrOf.Delivered)}
	if v.alone() {
		limits = nil
		for _, l := range v.ofSlot {
			limits = append(limits, l)
		}
	}
	for _, l := range limits {
		if !v.always() {
			v.look(l, r.Number, signs{a: v.share(), u: r.Allocated / r.Previous,
				dfr: v.failureRate(l.attempts, l.success)})
		}
		if k := v.s.Retry.RestoreAfter; k > 0 && l.limit < v.plan.limit && r.Number-l.strained >= k {
			v.moveTo(l, v.plan.limit)
		}
		l.attempts, l.success = 0, 0
	}
}

// tooMany is by how many processes the server has more than C, not counting
// processes that have been sent away.
func (v *twinServer) tooMany() int {
	n := -v.published()
	for _, p := range v.processes {
		if !p.goes {
			n++
		}
	}
	return n
}

// queueOut returns the order in which processes are sent away.
func (v *twinServer) queueOut() []*process {
	all := slices.DeleteFunc(slices.Clone(v.processes), func(p *process) bool { return p.goes })
	worth := func(p *process) *big.Rat { // greater goes first
		switch v.s.Freeing.Victim {
		case "ahead-of-schedule":
			return big.NewRat(int64(p.successes), int64(v.now-p.since)+1)
		case "lowest-priority":
			return big.NewRat(int64(-p.job.campaign.Priority), 1)
		case "most-complete":
			return big.NewRat(int64(-len(p.subset)), int64(max(1, p.size)))
		}
		return big.NewRat(int64(p.order), 1)
	}
	slices.SortFunc(all, func(p, q *process) int {
		if c := worth(q).Cmp(worth(p)); c != 0 {
			return c
		}
		return int(p.slot) - int(q.slot)
	})
	return all
}

func (v *twinServer) freeMany() {
	if k := v.tooMany(); v.s.Freeing.Policy == "at-interval" && k > 0 {
		for _, p := range v.queueOut()[:k] {
			p.mustGo()
		}
	}
}

// perhapsGoes decides about a process whose attempt has ended.
func (p *process) perhapsGoes() {
	if k := p.tooMany(); p.s.Freeing.Policy == "continuous" && !p.goes && k > 0 && slices.Index(p.queueOut(), p) < k {
		p.mustGo()
	}
}

func (p *process) mustGo() {
	p.count()
	p.goes = true
	p.freed++
	stays := min(len(p.subset), p.s.Freeing.Shorten)
	if rest := p.subset[stays:]; len(rest) > 0 {
		p.job.back = append(p.job.back, rest)
		p.handedBack += uint64(len(rest))
	}
	p.subset = p.subset[:stays:stays]
}
