package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"flyball/internal/conf"
	"flyball/internal/mail"
	"flyball/internal/replies"
	"flyball/internal/tomlfile"
	"flyball/internal/vt"
	"flyball/reports/measure"
)

// maxRecipients is the most recipients in all campaigns: numbers of recipients
// have 32 bits.
const maxRecipients = 4_000_000_000

// maxExpectations is the most expectations in a scenario: far more than there are metrics, and still quick to check.
const maxExpectations = 1000

// MostIntervals is the most intervals in a run. Each takes some 2 kB of memory
// until the report is written.
const MostIntervals = 500_000

// maxLimitRows is the most rows of limits in a run whose destinations have
// limits. Each interval has one row, of some 100 B, for every destination.
const maxLimitRows = 10_000_000

// Validate returns all problems, with keys as in a scenario file. It edits nothing.
func (s *Scenario) Validate() []error {
	var l conf.List
	keys.Check(&l, *s, "network", "server", "destination", "dialogue") // checked by Netmodel().Validate
	l.Check(s.StartAt.Given() || s.TimeZone == "UTC", "time_zone", "got %s without start_at, want none",
		tomlfile.Quote(s.TimeZone))
	for i, q := range s.Quiet {
		l.Check(q.From != q.To, conf.Index("quiet", i)+".to", "got %s as from, want another time of day", q.To)
	}
	l.Check(s.StartAt.Given() || len(s.UTCOffsets) == 0, "utc_offsets", "got some without start_at, want none")
	if w := s.Analysis.WarmUp; w != AutoWarmUp {
		l.Check(s.Analysis.Kind == SteadyState, "analysis.warm_up",
			"got a time, want none without kind = \"steady-state\"")
		l.Check(vt.Span(w) < s.Horizon || s.Horizon <= 0, "analysis.warm_up", "got %s, want less than horizon = %s",
			vt.Span(w), s.Horizon)
	}
	if s.Governor.Interval > 0 {
		n := int64(s.Horizon/s.Governor.Interval) * int64(len(s.Accounts()))
		l.Check(n <= MostIntervals, "horizon", "got %s with interval = %s: %d intervals to keep, want at most %d",
			s.Horizon, s.Governor.Interval, n, MostIntervals)
	}
	if s.Governor.Interval > 0 && s.Governor.Destination.Limits() {
		n := int64(s.Horizon/s.Governor.Interval) * int64(len(s.Servers)) * int64(len(s.Destinations))
		l.Check(n <= maxLimitRows, "horizon", "got %s with interval = %s: %d rows of limits to keep, want at most %d",
			s.Horizon, s.Governor.Interval, n, maxLimitRows)
	}
	l.Check(!strings.ContainsFunc(s.About, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' }), "about",
		"got control characters, want text")
	replies.Check(&l, "reply", s.Replies)
	l = append(l, s.Netmodel().Validate()...)
	for i, v := range s.Servers {
		l.Check(!s.OneGovernor() || v.Name != ClusterName, conf.Index("server", i)+".name",
			"got %q, want another name: with governor.scope = \"cluster\" it names all servers together", v.Name)
	}
	s.checkPartition(&l)
	s.checkSystem(&l)
	_, err := mail.ParseAddress(s.Message.From) // a live run also requires a reserved domain
	l.Check(err == nil, "message.from", "got %s, want a plain address, such as \"news@sender.example\"",
		tomlfile.Quote(s.Message.From))

	l.Check(len(s.Campaigns) > 0, "campaign", "got none, want at least one [[campaign]]")
	var pools []string
	for _, v := range s.Servers {
		for _, p := range v.Pools {
			pools = append(pools, p.Name)
		}
	}
	seen, recipients := map[string]bool{}, uint64(0)
	for i, c := range s.Campaigns {
		key := conf.Index("campaign", i)
		l.Check(!seen[c.Name], key+".name", "got %q a second time, want a name of its own", c.Name)
		seen[c.Name] = true
		l.Check(c.Start < s.Horizon || s.Horizon <= 0, key+".start", "got %s, want less than horizon = %s", c.Start,
			s.Horizon)
		l.Check(c.Deadline == 0 || c.Deadline > c.Start, key+".deadline",
			"got %s, want more than start = %s: both count from the start of the run", c.Deadline, c.Start)
		l.Check(c.Deadline <= s.Horizon || s.Horizon <= 0, key+".deadline",
			"got %s, want at most horizon = %s: the run ends there and knows nothing of a later time", c.Deadline,
			s.Horizon)
		recipients += uint64(c.Recipients)
		l.Check(c.Pool == "" || slices.Contains(pools, c.Pool), key+".pool", "got %q, want the name of a pool of some "+
			"server%s", c.Pool, conf.DidYouMean(c.Pool, pools))
	}
	l.Check(recipients <= maxRecipients, "campaign", "got %d recipients in all campaigns, want at most %d", recipients,
		maxRecipients)

	l.Check(len(s.Expect) <= maxExpectations, "expect", "got %d expectations, want at most %d", len(s.Expect),
		maxExpectations)
	for i, e := range s.Expect[:min(len(s.Expect), maxExpectations)] {
		metric, of := measure.Split(e.Metric)
		l.Check(metric != "late_recipients" || s.mayBeLate(of), conf.Index("expect", i)+".metric",
			"got %s without a deadline, want a campaign with a deadline: without one no recipient is late",
			tomlfile.Quote(e.Metric))
		for _, err := range s.CheckMetric(e.Metric) {
			l.Check(false, conf.Index("expect", i)+".metric", "%v", err)
		}
	}
	return l
}

// CheckMetric returns what is wrong with the name of a metric, of runs of s or of one of
// their campaigns and destinations.
func (s *Scenario) CheckMetric(name string) []error {
	if metric, of := measure.Split(name); of != "" {
		return s.checkPart(metric, of)
	}
	if _, ok := measure.MetricNamed(name); !ok {
		return []error{fmt.Errorf("got %s, want one of %s%s", tomlfile.Quote(name),
			strings.Join(measure.MetricNames(), ", "), conf.DidYouMean(name, measure.MetricNames()))}
	}
	return nil
}

// mayBeLate reports whether the campaign of that name has a deadline; with any other name, such as the name of a
// destination, whether some campaign has one.
func (s *Scenario) mayBeLate(of string) bool {
	named := slices.ContainsFunc(s.Campaigns, func(c Campaign) bool { return c.Name == of })
	return slices.ContainsFunc(s.Campaigns, func(c Campaign) bool { return c.Deadline > 0 && (!named || c.Name == of) })
}

// PartMetrics returns the metrics of the campaigns if there are several, and of the
// destinations if there are several, in the order of the scenario. One that both have of
// the same name is the campaign's.
func (s *Scenario) PartMetrics() (all []measure.Metric) {
	add := func(names []string, of string) {
		for _, name := range names {
			name += ":" + of
			if !slices.ContainsFunc(all, func(m measure.Metric) bool { return m.Name == name }) {
				m, _ := measure.MetricNamed(name)
				all = append(all, m)
			}
		}
	}
	for _, c := range s.Campaigns {
		if len(s.Campaigns) > 1 {
			add(measure.OfParts(true), c.Name)
		}
	}
	for _, d := range s.Destinations {
		if len(s.Destinations) > 1 {
			add(measure.OfParts(false), d.Name)
		}
	}
	return all
}

// checkPart checks the name of a metric of one campaign or destination.
func (s *Scenario) checkPart(metric, of string) (wrong []error) {
	var names []string
	for _, c := range s.Campaigns {
		names = append(names, c.Name)
	}
	campaign := slices.Contains(names, of)
	for _, d := range s.Destinations {
		names = append(names, d.Name)
		campaign = campaign && d.Name != of
	}
	known := measure.OfParts(campaign)
	if !slices.Contains(known, metric) {
		wrong = append(wrong, fmt.Errorf("got %s, want one of %s before the colon%s", tomlfile.Quote(metric+":"+of),
			strings.Join(known, ", "), conf.DidYouMean(metric, known)))
	}
	if !slices.Contains(names, of) {
		wrong = append(wrong, fmt.Errorf("got %s, want a campaign or a destination after the colon%s",
			tomlfile.Quote(metric+":"+of), conf.DidYouMean(of, names)))
	}
	return wrong
}
