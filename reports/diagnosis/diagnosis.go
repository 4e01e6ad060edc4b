// Package diagnosis names the causes why a mailing was refused, slow or late, each by a rule over the record of a
// run; docs/diagnoses.md has the rules in a table. It runs nothing and judges no governor. Reports of runs call it.
package diagnosis

import (
	"fmt"
	"math"
	"slices"

	"flyball/internal/mail"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/reports/runlog"
)

// Cause is what a finding names.
type Cause string

// Causes, in the order in which findings are listed.
const (
	Cap        Cause = "cap"               // more connections than the receiver takes
	Bucket     Cause = "bucket"            // more messages an hour than it takes
	Window     Cause = "window"            // more messages in an hour or a day than it takes
	Throttle   Cause = "throttle"          // refused more often the higher the rate is
	Reputation Cause = "reputation"        // refused at rates that were taken before
	Contention Cause = "contention"        // several servers share one limit
	Greylist   Cause = "greylist"          // first tries deferred
	Dead       Cause = "dead-addresses"    // addresses that do not exist
	Runaway    Cause = "runaway"           // more processes delivered less
	Max        Cause = "max"               // C held at the scenario's max
	Processes  Cause = "processes"         // campaigns request fewer processes than C
	Target     Cause = "target"            // the rate is at the target, and nothing else limits it
	TooSlow    Cause = "retries-too-slow"  // resends wait longer than the receiver asks for
	TooFast    Cause = "retries-too-often" // resends come before the receiver takes them
)

// Causes returns all causes in their order.
func Causes() []Cause {
	return []Cause{Cap, Bucket, Window, Throttle, Reputation, Contention, Greylist, Dead, Runaway, Max, Processes,
		Target, TooSlow, TooFast}
}

// Place returns the place of the cause in the order of Causes.
func (c Cause) Place() int { return slices.Index(Causes(), c) }

// Finding is a cause with its place and words.
type Finding struct {
	Cause Cause `json:"cause"`
	// Where is the destination or the server; empty for the whole run.
	Where string `json:"where"`
	Words string `json:"words"` // what happened, why, and what to change
}

// Least shares that a finding needs. What is rarer is not worth a change.
const (
	leastRefused  = 0.02 // refused attempts / attempts for the destination
	leastDeferred = 0.02 // recipients with the reply / recipients tried

	leastAttempts = 30 // with the reply: fewer may be chance
)

// Facts are what findings are made from.
type Facts struct {
	Run     *runlog.Run
	Rows    []measure.Row
	Servers []measure.Server
}

// Find returns the findings of a run in the order of their causes, and of destinations by their
// refusals.
func (f *Facts) Find() []Finding {
	found := []Finding{}
	if len(f.Run.ByDestination) == 0 {
		return found
	}
	for d := range f.Run.ByDestination {
		v := f.destination(d)
		if v.attempts == 0 {
			continue
		}
		found = append(found, v.refusals()...)
		found = append(found, v.addresses()...)
	}
	found = append(found, f.own(found)...)
	found = append(found, f.retries()...)
	slices.SortStableFunc(found, func(a, b Finding) int { return a.Cause.Place() - b.Cause.Place() })
	return found
}

// destination is what the rules ask about one destination.
type destination struct {
	*Facts
	name     string
	number   int
	d        *runlog.Destination
	known    bool // the scenario's receiver answered
	receiver runlog.Receiver
	attempts float64
	servers  float64 // servers that have their own limits there
}

func (f *Facts) destination(d int) *destination {
	v := &destination{Facts: f, name: f.Run.Destinations[d], number: d, d: &f.Run.ByDestination[d]}
	v.attempts = float64(v.d.Attempts())
	v.known = f.Run.Receiver == "" && d < len(f.Run.Receivers)
	if v.known {
		v.receiver = f.Run.Receivers[d]
	}
	v.servers = float64(f.realServers())
	if v.receiver.Shared {
		v.servers = 1
	}
	return v
}

func (f *Facts) realServers() int {
	n := len(f.Run.Servers)
	if f.Run.OneGovernor {
		n--
	}
	return max(n, 1)
}

// lateness returns in words how long the recipients of the destination took, if it is much longer than all others
// took together.
func (v *destination) lateness() string {
	var others runlog.Destination
	for d := range v.Run.ByDestination {
		if d != v.number {
			others = runlog.Together([]runlog.Destination{others, v.Run.ByDestination[d]})
		}
	}
	here, ok := v.d.Ends.At(0.99, v.d.Recipients)
	there, known := others.Ends.At(0.99, others.Recipients)
	if !ok || !known || here < there+there/5 {
		return ""
	}
	return fmt.Sprintf(" (99 %% of its recipients were final after %s, of all others after %s)",
		format.Duration(here.Seconds()), format.Duration(there.Seconds()))
}

// replies returns the number of attempts that ended with a code that fits.
func (v *destination) replies(fits func(stage mail.Stage, code int) bool) (n float64) {
	for _, r := range v.Run.Replies {
		if int(r.Destination) == v.number && r.Code > 0 && fits(r.Stage, r.Code) {
			n += float64(r.Count)
		}
	}
	return n
}

// atMail returns the share of attempts that a code at MAIL ended.
func (v *destination) atMail(code int) float64 {
	return v.replies(func(stage mail.Stage, c int) bool { return stage == mail.StageMAIL && c == code }) / v.attempts
}

// refusals returns the findings of attempts with which the receiver refused the sender.
func (v *destination) refusals() []Finding {
	var all []Finding
	k := v.receiver
	add := func(c Cause, share float64, why string) {
		if share*v.attempts < leastAttempts {
			return
		}
		all = append(all, Finding{c, v.name, fmt.Sprintf("%s refused %s of attempts: %s.", v.name,
			format.Percent(share), why)})
	}
	refused := float64(v.d.Refusals()) / v.attempts
	banner := v.replies(func(s mail.Stage, c int) bool {
		return s <= mail.StageEHLO && c == 421
	}) / v.attempts
	if banner >= leastRefused && (!v.known || k.Cap > 0) {
		limit := "it takes fewer connections than were opened"
		if v.known {
			limit = fmt.Sprintf("cap of %d connections, up to %s used", k.Cap, format.Grouped(v.peak(), 0))
		}
		add(Cap, banner, limit+"; more processes make this mailing later, fewer of them "+
			"or another server do not"+v.lateness())
	}
	if !v.known {
		if mail := refused - banner; mail >= leastRefused {
			add(Throttle, mail, "it takes fewer messages than were offered; a lower rate is refused less")
		}
		return v.shared(all, refused)
	}
	busiest := v.busiest()
	if share := v.atMail(k.Bucket.Code); k.Bucket.Limit > 0 && share >= leastRefused && busiest > k.Bucket.Limit {
		add(Bucket, share, fmt.Sprintf("it takes %s messages an hour, up to %s were offered; a higher rate is refused "+
			"and sent again", format.Grouped(k.Bucket.Limit, 0), format.Grouped(busiest, 0)))
	}
	for _, w := range k.Windows {
		if share := v.atMail(w.Code); share >= leastRefused && v.fills(w) {
			add(Window, share, fmt.Sprintf("it takes %s messages in %s and then none for a while; spread the mailing "+
				"over a longer time", format.Grouped(w.Limit, 0), format.Duration(w.Length.Seconds())))
		}
	}
	if share := v.atMail(k.Soft.Code); k.Soft.Limit > 0 && share >= leastRefused {
		above, below := v.throttled()
		switch {
		case k.Distrust && below >= leastRefused:
			add(Reputation, share, fmt.Sprintf("refusals and dead addresses have cost the sender its reputation, and "+
				"it refuses below %s messages an hour too; clean the list, and send less until it has recovered",
				format.Grouped(k.Soft.Limit, 0)))
		case above >= leastRefused:
			add(Throttle, share, fmt.Sprintf("from %s messages an hour on it refuses a growing share, up to %s were "+
				"offered; a lower rate is refused less", format.Grouped(k.Soft.Limit, 0), format.Grouped(busiest, 0)))
		}
	}
	return v.shared(all, refused)
}

// shared adds a finding if several servers share the limits that refused them.
func (v *destination) shared(all []Finding, refused float64) []Finding {
	if len(all) > 0 && v.receiver.Shared && v.realServers() > 1 {
		all = append(all, Finding{Contention, v.name, fmt.Sprintf("%s counts all %d servers together: what "+
			"it takes from one, it refuses from the others; another server gains nothing there.", v.name,
			v.realServers())})
	}
	return all
}

// peak returns the greatest number of processes that one server, or where servers are counted
// together all of them, had allocated in the mean of an interval.
func (v *destination) peak() float64 {
	at := map[int]float64{} // by number of the interval
	most := 0.0
	for _, row := range v.Rows {
		if v.Run.OneGovernor && row.Server == v.Run.Servers[len(v.Run.Servers)-1] || !row.Allocated.Known() {
			continue
		}
		n := float64(row.Allocated)
		if v.receiver.Shared {
			at[row.Number] += n
			n = at[row.Number]
		}
		most = max(most, n)
	}
	return math.Ceil(most)
}

// busiest returns the greatest rate of attempts of one server in any step of time, messages an
// hour.
func (v *destination) busiest() (most float64) {
	for _, step := range v.Run.Course.Steps {
		most = max(most, float64(step[v.number].Attempts()))
	}
	return most / v.Run.Course.Step.Hours() / v.servers
}

// fills reports whether in some window of time at least nine tenths of the allowance were taken.
func (v *destination) fills(w runlog.Window) bool {
	servers := float64(v.realServers())
	if w.Fleet {
		servers = 1
	}
	course := v.Run.Course
	n := max(int(w.Length/course.Step), 1)
	taken := 0.0
	for i, step := range course.Steps {
		taken += float64(step[v.number].Attempts() - step[v.number].Refused)
		if i >= n {
			gone := course.Steps[i-n][v.number]
			taken -= float64(gone.Attempts() - gone.Refused)
		}
		if taken/servers >= 0.9*w.Limit {
			return true
		}
	}
	return false
}

// throttled returns the refusals / attempts in steps in which a server's recent rate was above
// the rate from which the receiver throttles, and below 0.8 of that rate.
func (v *destination) throttled() (above, below float64) {
	course := v.Run.Course
	fade := math.Exp2(-float64(course.Step) / float64(v.receiver.Recent))
	recent := 0.0
	for _, step := range course.Steps {
		t := step[v.number]
		sent := float64(t.Attempts()) / v.servers
		// What is sent within the step has faded for half of it.
		recent = recent*fade + sent*math.Sqrt(fade)
		rate := recent * math.Ln2 / v.receiver.Recent.Hours()
		switch {
		case rate >= v.receiver.Soft.Limit:
			above += float64(t.Refused)
		case rate < 0.8*v.receiver.Soft.Limit:
			below += float64(t.Refused)
		}
	}
	return above / v.attempts, below / v.attempts
}

// addresses returns the findings of replies about recipients.
func (v *destination) addresses() []Finding {
	var all []Finding
	tried := float64(v.d.Tried())
	// Where 5xx is resent too, a recipient has several of them.
	dead := min(v.replies(func(s mail.Stage, c int) bool { return s == mail.StageRCPT && c/100 == 5 }),
		float64(v.d.Count(mail.Failed))) / tried
	k := v.receiver
	grey := v.replies(func(s mail.Stage, c int) bool {
		if v.known {
			return c == k.Grey.Code && s >= mail.StageRCPT
		}
		return s == mail.StageRCPT && (c == 450 || c == 451)
	}) / tried
	after := ""
	if k.Delay > 0 {
		after = " and takes resends after " + format.Duration(k.Delay.Seconds())
	}
	passes := k.Grey.Limit > 0 || !v.known && v.d.Resent[mail.Done] > v.d.Resent[mail.Pending]
	if grey >= leastDeferred && grey*tried >= leastAttempts && passes {
		all = append(all, Finding{Greylist, v.name, fmt.Sprintf("%s defers %s of recipients at "+
			"first (greylist)%s; more processes change nothing.", v.name,
			format.Percent(min(grey, float64(v.d.First[mail.Pending])/tried)), after)})
	}
	if dead >= leastDeferred && dead*tried >= leastAttempts {
		all = append(all, Finding{Dead, v.name, fmt.Sprintf("%s: %s of the addresses do not exist; remove them from "+
			"the list, receivers count them against the sender.", v.name, format.Percent(dead))})
	}
	return all
}

// own returns the findings of the sender's own limits. Refused are the findings so far: the target does
// not count as a limit while receivers refuse.
func (f *Facts) own(refused []Finding) []Finding {
	var all []Finding
	atTarget := 0
	for _, s := range f.Servers {
		switch {
		case s.Runaway:
			all = append(all, Finding{Runaway, s.Name, fmt.Sprintf("Runaway: %s was given more processes while its "+
				"rate fell; set governor.max below the number at which it was best.", s.Name)})
		case s.Ordered(f.Rows):
			all = append(all, Finding{Max, s.Name, fmt.Sprintf("%s stayed at governor.max = %s processes, below its "+
				"target, as ordered; a higher max ends this mailing earlier.", s.Name,
				format.Grouped(float64(s.AvailableFinal), 0))})
		case f.requested(s):
			all = append(all, Finding{Processes, s.Name, fmt.Sprintf("%s could have used more than the %d processes "+
				"that its campaigns request; more of them (campaign.processes) end this mailing earlier.", s.Name,
				f.Run.Sender.Requested)})
		case s.Judged > 0 && math.Abs(float64(s.SteadyStateError)) <= 0.05:
			atTarget++
		}
	}
	limited := slices.ContainsFunc(refused, func(v Finding) bool { return isRefusal(v.Cause) })
	if atTarget > 0 && atTarget == len(f.Servers) && !limited {
		all = append(all, Finding{Target, "", "The rate was at its target and nothing else limited it: a higher " +
			"governor.target ends this mailing earlier, as long as receivers take it."})
	}
	return all
}

// isRefusal reports whether a cause is a limit of receivers on the sender.
func isRefusal(c Cause) bool { return c.Place() <= Contention.Place() }

// requested reports whether the campaigns' requests bound a server: in at least half of its full
// intervals that had work for it all requested processes were allocated, and C was higher.
func (f *Facts) requested(s measure.Server) bool {
	if f.Run.Sender.Requested == 0 || f.Run.OneGovernor {
		return false
	}
	want := float64(f.Run.Sender.Requested)
	full, bound := 0, 0
	for _, row := range measure.RowsOf(f.Rows, s.Name) {
		if row.Partial || float64(row.Demand) < 0.5*want {
			continue
		}
		full++
		if float64(row.Previous) >= want+1 && float64(row.Allocated) >= 0.95*want && row.Rate < row.Target {
			bound++
		}
	}
	return full > 0 && 2*bound >= full
}

// retries returns the findings of the retry schedule. Refusals do not count: another schedule does not change what
// receivers take.
func (f *Facts) retries() []Finding {
	var all []Finding
	var resends, again, deferred, tried, attempts, late float64
	for i := range f.Run.ByDestination {
		d := &f.Run.ByDestination[i]
		tried += float64(d.Tried())
		attempts += float64(d.Attempts())
		deferred += float64(d.First[mail.Pending] - d.Refused[0][mail.Pending])
		again += float64(d.Resent[mail.Pending] - d.Refused[1][mail.Pending])
		late += float64(d.Resent[mail.Done])
		for s := range d.Resent {
			resends += float64(d.Resent[s] - d.Refused[1][s])
		}
	}
	wait := f.Run.Sender.FirstWait.Seconds()
	tail := f.Run.End.Sub(f.Run.LastFirst).Seconds()
	if wait > 0 && deferred >= leastDeferred*tried && deferred >= leastAttempts && again <= 0.2*resends &&
		tail >= 0.9*wait && tail >= 0.25*f.Run.End.Seconds() && f.longer() {
		all = append(all, Finding{TooSlow, "", fmt.Sprintf("The last %s of the run waited for resends, and almost "+
			"all of them were taken at once: a first wait shorter than %s (retry.delays) ends this mailing earlier.",
			format.Duration(tail), format.Duration(wait))})
	}
	// Without deliveries in the end, it is not the time that was wrong.
	if again >= leastAttempts && resends >= 0.05*attempts && again >= 0.5*resends && late >= 0.5*deferred {
		all = append(all, Finding{TooFast, "", fmt.Sprintf("%s of the resends that were not refused came too "+
			"early and were deferred again: longer waits (retry.delays) cost fewer attempts.",
			format.Percent(again/resends))})
	}
	return all
}

// longer reports whether the first wait is at least twice what any greylist asks for; true where no receiver's
// delay is known.
func (f *Facts) longer() bool {
	for _, r := range f.Run.Receivers {
		if r.Grey.Limit > 0 && f.Run.Receiver == "" && f.Run.Sender.FirstWait < 2*r.Delay {
			return false
		}
	}
	return true
}
