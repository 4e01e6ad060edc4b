package handmade

import (
	"flyball/engine"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/runlog"
)

// Counted is a run so small that every number of its report can be counted by
// hand, and with no two of them alike where that can be helped. Thirteen attempts
// went to eight of ten recipients; their accounts say nothing of the intervals of
// b1 and b2, which are written down apart and are of larger servers.
func Counted() *runlog.Run {
	r := &runlog.Run{
		Name: "counted", About: "Every number is written down.", Mode: "sim", Law: "patent-damped",
		ScenarioID: "3f786850e387550fdab836ed7e6dc881de23001b3f786850e387550fdab836ed",
		Seed:       42, Replication: 3, Horizon: 36 * vt.Hour, End: vt.Time(28 * vt.Hour), TargetRate: 100,
		Servers: []string{"b1", "b2"}, Destinations: []string{"example", "slow"},
		Campaigns: []runlog.Campaign{{Name: "early", Deadline: vt.Never, Recipients: 6},
			{Name: "late", Start: vt.Time(2 * vt.Hour), Deadline: vt.Time(3 * vt.Hour), Recipients: 3}},
		Host: runlog.Host{Wall: 2 * vt.Second, MaxRSS: 50 << 20, Go: "go1.26", CPU: "some",
			Pace: runlog.Pace{Scale: 60, Slower: 0.04, Ahead: 3,
				Late: lateness(3, 40, 250), Overslept: lateness(5, 60, 350)}},
	}
	rec := runlog.NewRecorder(2, nil)
	rec.Outcomes = make(runlog.Outcomes, 10) // 8 is suppressed, 9 is not tried
	rec.Begins(0, 0, 0, vt.Never)
	rec.Begins(6, 1, vt.Time(2*vt.Hour), vt.Time(3*vt.Hour)) // a second campaign
	for _, a := range countedAttempts {
		attempt := mail.Attempt{Rcpt: a.rcpt, Try: a.try, Dest: mail.Destination(a.rcpt / 4),
			Server: mail.Server(a.rcpt % 2)}
		reply := mail.Reply{Took: a.took * vt.Second, Code: a.code, Stage: a.stage, Fault: a.fault}
		rec.Ended(vt.Time(a.at*vt.Second), &attempt, &reply, a.left)
	}
	for n := range countedB2 {
		if n < len(countedB1) {
			rec.Interval(vt.Time(vt.Span(n+1)*2*vt.Hour), 0, countedB1[n].interval(n))
		}
		rec.Interval(vt.Time(vt.Span(n+1)*2*vt.Hour), 1, countedB2[n].interval(n))
	}
	cut := runlog.Interval{Server: 0, End: vt.Time(11 * vt.Hour), Interval: engine.Interval{
		Number: 5, Partial: true, RetryLimit: 9,
		Sample:   governor.Sample{Span: vt.Hour, Delivered: 50, Attempts: 55, Allocated: 7},
		Decision: governor.Decision{Utilization: 7 / 11.5, Previous: 11.5, Available: 99},
	}}
	rec.Intervals = append(rec.Intervals, cut)
	full := &rec.Intervals[2].Interval // number 1 of b1 has a number in every column
	full.Sample.Retries, full.Sample.Deferrals, full.Sample.Bounces = 31, 32, 33
	full.Sample.Refusals, full.Sample.Timeouts = 34, 35
	full.Sample.AttemptTime, full.Sample.LookupTime, full.Sample.Hops = 1500*vt.Millisecond, 20*vt.Millisecond, 12.5
	full.Sample.Load, full.Sample.Demand = 0.75, 16.25
	rec.Intervals[2].Forecast = runlog.Forecast{Finish: vt.Time(50000*vt.Second + vt.Second/2),
		Low: vt.Time(48000 * vt.Second), High: vt.Time(53000*vt.Second + vt.Second/4)}
	full.RetryLimit, full.Freed, full.HandedBack = 6, 4, 41
	full.Decision.Flags = governor.First | governor.StepLimitUp
	full.Destinations = []engine.DestinationInterval{
		{Limit: 20, Limits: 2000, Busy: 8.5, Attempts: 100, Delivered: 90, Refusals: 3, Timeouts: 2,
			AttemptTime: 2 * vt.Second},
		{Limit: 6, Limits: 1050, Busy: 5.5, Attempts: 200, Delivered: 170, Refusals: 19, Timeouts: 11,
			AttemptTime: 500 * vt.Millisecond, Parked: 1234},
	}
	rec.Fold(r, 10, 1)
	r.Digest = 0x0123456789abcdef
	return r
}

// countedAttempts in the order of their ends, in seconds. Recipients 0 to 3 are
// of example, 4 to 7 of slow.
var countedAttempts = []struct {
	at    vt.Span
	rcpt  mail.Recipient
	try   mail.Try
	took  vt.Span
	code  uint16
	stage mail.Stage
	fault mail.Fault
	left  mail.Status // what the attempt left its recipient as
}{
	{10, 0, 0, 2, 250, mail.StageDot, mail.NoFault, mail.Done},
	{20, 1, 0, 4, 451, mail.StageRCPT, mail.NoFault, mail.Pending},
	{30, 2, 0, 30, 0, mail.StageConnect, mail.Timeout, mail.Pending},
	{40, 3, 0, 1, 421, mail.StageMAIL, mail.NoFault, mail.Pending},
	{50, 4, 0, 5, 250, mail.StageDot, mail.NoFault, mail.Done},
	{60, 5, 0, 20, 0, mail.StageDot, mail.Timeout, mail.Held},
	{3600, 1, 1, 1, 250, mail.StageDot, mail.NoFault, mail.Done},
	{5400, 3, 1, 2, 421, mail.StageConnect, mail.NoFault, mail.Pending},
	{7200, 2, 1, 8, 550, mail.StageRCPT, mail.NoFault, mail.Failed},
	{9000, 6, 0, 1, 452, mail.StageDot, mail.NoFault, mail.Pending},
	{10800, 3, 2, 3, 250, mail.StageDot, mail.NoFault, mail.Done},
	{14400, 6, 1, 2, 550, mail.StageRCPT, mail.NoFault, mail.Failed},
	{18000, 7, 0, 1, 250, mail.StageDot, mail.NoFault, mail.Done},
}

// counted is a full interval of 2 h: what was delivered in it, C in force and
// from its end on.
type counted struct {
	delivered           uint64
	previous, available float64
}

// Of b1, against 100/h: 30 % below, 30 % and 20 % above, 3 % above, 1 % below.
var countedB1 = []counted{{140, 10, 12}, {260, 12, 15}, {240, 15, 13}, {206, 13, 12}, {198, 12, 11.5}}

// Of b2: 50/h, 55/h and so on up to 115/h. C falls, is still, then swings.
var countedB2 = []counted{
	{100, 30, 20}, {110, 20, 20}, {120, 20, 20}, {130, 20, 20}, {140, 20, 20}, {150, 20, 20}, {160, 20, 20},
	{170, 20, 20}, {180, 20, 24}, {190, 24, 24}, {200, 24, 20}, {210, 20, 24}, {220, 24, 24}, {230, 24, 20},
}

// interval has eleven attempts for ten deliveries, and half a process less
// allocated than C.
func (c counted) interval(n int) engine.Interval {
	rate, allocated := float64(c.delivered)/2, c.previous-0.5
	return engine.Interval{
		Number: n, RetryLimit: 10,
		Sample: governor.Sample{Span: 2 * vt.Hour, Delivered: c.delivered, Attempts: c.delivered * 11 / 10,
			Allocated: allocated},
		Decision: governor.Decision{Rate: rate, Allocated: allocated, Efficiency: rate / allocated,
			Utilization: allocated / c.previous,
			Previous:    c.previous, Target: 100 * allocated / rate, Step: 3, Available: c.available},
	}
}

// lateness returns quantiles in milliseconds.
func lateness(p50, p99, most vt.Span) runlog.Lateness {
	return runlog.Lateness{P50: p50 * vt.Millisecond, P99: p99 * vt.Millisecond, Max: most * vt.Millisecond}
}
