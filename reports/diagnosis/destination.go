package diagnosis

import (
	"fmt"
	"math"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/format"
	"flyball/reports/runlog"
)

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

// throttled returns the refusals / attempts in steps in which a server's recent rate was above the rate from which the
// receiver throttles, and whether the receiver refused more than it refuses to a sender that it trusts: in the steps
// in which it takes most messages of such a sender, by at least a share of leastDistrusted of their attempts. The rate
// of a step is a mean, so a trusted sender is given 1.25 times that rate.
func (v *destination) throttled() (above float64, distrusted bool) {
	course, soft, hard := v.Run.Course, v.receiver.Soft.Limit, v.receiver.Hard
	halves := float64(course.Step) / float64(v.receiver.Recent)
	fade := math.Exp2(-halves)
	stays := (1 - fade) / (halves * math.Ln2) // at the end of the step, of what is sent evenly over it
	recent, within, beyond := 0.0, 0.0, 0.0
	for _, step := range course.Steps {
		t := step[v.number]
		recent = recent*fade + float64(t.Attempts())/v.servers*stays
		rate := recent * math.Ln2 / v.receiver.Recent.Hours()
		if rate >= soft {
			above += float64(t.Refused)
		}
		trusted := min(max((1.25*rate-soft)/max(hard-soft, 1), 0), 1)
		if trusted < 0.5 {
			within += float64(t.Attempts())
			beyond += float64(t.Refused) - trusted*float64(t.Attempts())
		}
	}
	return above / v.attempts, v.receiver.Distrust && beyond >= max(leastAttempts, leastDistrusted*within)
}

// undelivered returns the attempts that delivered nothing in the steps of time that an event touches.
func (v *destination) undelivered(e runlog.Event) (n float64) {
	for i, step := range v.Run.Course.Steps {
		from := vt.Time(v.Run.Course.Step) * vt.Time(i)
		if from < e.To && from.Add(v.Run.Course.Step) > e.From {
			n += float64(step[v.number].Attempts() - step[v.number].Delivered)
		}
	}
	return n
}

// closed returns the expected share of attempts that need a new connection since the last one was closed after n
// messages: of runs of messages for the destination, whose lengths are geometric, one for each n messages before.
func (v *destination) closed(messages int) float64 {
	n, q := float64(messages), v.share()
	if q == 1 {
		return 1 / n
	}
	return (1 - q) * math.Pow(q, n) / (1 - math.Pow(q, n))
}

// share returns attempts for the destination / all attempts.
func (v *destination) share() float64 {
	all := 0.0
	for d := range v.Run.ByDestination {
		all += float64(v.Run.ByDestination[d].Attempts())
	}
	return v.attempts / all
}
