// Package study reports many points: scenarios under several values of some
// parameters, as maps of metrics and of stability, and which value is the
// cheapest where a study asks for a choice. It panics on runs that do not fit
// its points. The command line calls it.
package study

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"flyball/internal/stats"
	"flyball/reports/folder"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/reports/run"
	"flyball/reports/runlog"
)

// Report has the results of many points: scenarios with several values of some
// parameters, each run several times with the same draws.
type Report struct {
	Name         string    `json:"name"`
	About        string    `json:"about"`
	ID           string    `json:"study_id"` // SHA-256 of all that decides its numbers
	Digest       string    `json:"digest"`   // of the digests of all runs, in order
	Design       string    `json:"design"`   // "grid", "zip" or "halton"
	Seed         uint64    `json:"seed"`
	Replications int       `json:"replications"` // of each point
	Level        float64   `json:"level"`        // confidence of all intervals
	Scenarios    []string  `json:"scenarios"`
	Axes         []Axis    `json:"parameters"`
	Metrics      []string  `json:"metrics"`
	Count        int       `json:"points"`
	Tally        []Tally   `json:"classes"`
	Extremes     []Extreme `json:"extremes"`
	Choice       *Choice   `json:"-"` // choice.csv; nil if the study asks for no choice
	All          bool      `json:"-"` // Text has every point

	Points []Point     `json:"-"` // points.csv
	Host   folder.Host `json:"-"` // host.json
	Replay string      `json:"-"` // manifest.json

	runs []Run // runs.csv
}

// Axis is a parameter: keys that are set to the same value, and all its values.
type Axis struct {
	Keys   []string `json:"keys"`
	Values []string `json:"values"`
}

// Name returns the first key.
func (a Axis) Name() string { return a.Keys[0] }

// Run is the part of one replication of one point that a study keeps.
type Run struct {
	Digest  string
	Class   string
	Watched int       // intervals in which every judged server was watched
	Values  []float64 // of the metrics of the study
}

// Row returns the values as a row of a CSV file has them: "never" for a time that did
// not come, and empty if it is undefined.
func (r Run) Row() []string {
	row := make([]string, len(r.Values))
	for i, v := range r.Values {
		if row[i] = format.Num(v).String(); math.IsInf(v, 1) {
			row[i] = "never"
		}
	}
	return row
}

// Point is one scenario with one value of each parameter.
type Point struct {
	Scenario  int           // place in Report.Scenarios
	ID        string        // of the scenario with the values of this point
	At        []int         // places in the values of the axes
	Class     measure.Class // the most frequent class of its runs; of equals, the last in measure.Classes
	Counts    []int         // runs of each of Classes
	Estimates []measure.Estimate
	Never     []int // for each metric, runs that count with their horizon, because the time never came
}

// Tally is the number of points of one class.
type Tally struct {
	Class  measure.Class `json:"class"`
	Points int           `json:"points"`
}

// Extreme has the least and the greatest mean of a metric, and where they are. All is
// missing if the metric is undefined at every point.
type Extreme struct {
	Metric  string     `json:"metric"`
	Least   format.Num `json:"least"`
	LeastAt string     `json:"least_at"`
	Most    format.Num `json:"greatest"`
	MostAt  string     `json:"greatest_at"`
}

// RunOf returns the part of a report that a study keeps: the values of the given
// metrics. It panics on a metric that a run does not have.
func RunOf(r *run.Report, metrics []string) Run {
	kept := Run{Digest: r.Digest, Class: string(r.Class())}
	for _, s := range r.Servers {
		watched := 0
		for _, row := range measure.RowsOf(r.Rows, s.Name) {
			if row.Judged() {
				watched = row.Number + 1
			}
		}
		if watched > 0 && (kept.Watched == 0 || watched < kept.Watched) {
			kept.Watched = watched
		}
	}
	all := r.Metrics()
	for _, m := range metrics {
		v, known := all[m]
		if !known {
			panic(fmt.Sprintf("study: unknown metric %q", m))
		}
		kept.Values = append(kept.Values, v)
	}
	return kept
}

// Gather adds the results of all runs to s, which has everything else: names, axes, and
// the place of every point. Runs has Replications runs of the first point, then of the
// second, and so on. Gather panics if there are more runs or fewer.
func Gather(s Report, runs []Run, host runlog.Host) *Report {
	if len(runs) != len(s.Points)*s.Replications {
		panic(fmt.Sprintf("study: %d runs of %d points with %d replications", len(runs), len(s.Points), s.Replications))
	}
	s.Level, s.Count, s.runs, s.Host = measure.Confidence, len(s.Points), runs, folder.NewHost(host, format.Missing)
	s.Points = slices.Clone(s.Points)
	sum := sha256.New()
	for i := range s.Points {
		these := runs[i*s.Replications : (i+1)*s.Replications]
		s.Points[i].gather(s.Metrics, these)
		for _, r := range these {
			fmt.Fprintln(sum, r.Digest)
		}
	}
	s.Digest = hex.EncodeToString(sum.Sum(nil))[:16]
	for _, c := range measure.Classes() {
		n := 0
		for _, p := range s.Points {
			if p.Class == c {
				n++
			}
		}
		s.Tally = append(s.Tally, Tally{c, n})
	}
	for k, m := range s.Metrics {
		s.Extremes = append(s.Extremes, s.extreme(k, m))
	}
	if s.Choice != nil {
		s.fold()
	}
	return &s
}

func (p *Point) gather(metrics []string, runs []Run) {
	for _, c := range measure.Classes() {
		n := 0
		for _, r := range runs {
			if r.Class == string(c) {
				n++
			}
		}
		p.Counts = append(p.Counts, n)
	}
	most := 0
	for i, n := range p.Counts {
		if n >= p.Counts[most] && n > 0 {
			most = i
		}
	}
	p.Class = measure.Classes()[most]

	horizon := 0 // of times that never came
	for _, r := range runs {
		if r.Watched > 0 && (horizon == 0 || r.Watched < horizon) {
			horizon = r.Watched
		}
	}
	for k, m := range metrics {
		values := make([]float64, len(runs))
		for i, r := range runs {
			values[i] = r.Values[k]
		}
		i, never := stats.Mean(values, measure.Confidence), 0
		switch {
		case m == measure.EndMetric:
			never = unfinished(metrics, runs)
		case !measure.MayNeverCome(m):
		case measure.InIntervals(m):
			censored := stats.RestrictMean(values, float64(horizon), measure.Confidence)
			i, never = censored.Interval, censored.Censored
		default:
			for _, v := range values {
				if math.IsInf(v, 1) {
					never++ // and left out of the mean, which is a lower bound
				}
			}
		}
		p.Estimates = append(p.Estimates, measure.Estimated(i))
		p.Never = append(p.Never, never)
	}
}

// unfinished returns the number of runs that left recipients pending, whose end is the
// horizon; 0 if the study does not record pending recipients.
func unfinished(metrics []string, runs []Run) int {
	n := 0
	if k := slices.Index(metrics, "pending"); k >= 0 {
		for _, r := range runs {
			if r.Values[k] > 0 {
				n++
			}
		}
	}
	return n
}

// disagreement returns a sentence if different points have the greatest rate, the
// earliest end and the fewest attempts per delivery. Only ends of finished points count.
// Values that differ by less than 1 % count as equal.
func (s *Report) disagreement() []string {
	if len(s.Scenarios) > 1 {
		return nil
	}
	var said, places []string
	best := func(metric, says string, sign float64) {
		k := slices.Index(s.Metrics, metric)
		if k < 0 {
			return
		}
		place, least, most := "", math.Inf(1), math.Inf(-1)
		for _, p := range s.Points {
			v := sign * float64(p.Estimates[k].Value)
			if math.IsNaN(v) || p.Never[k] > 0 {
				continue
			}
			if v < least {
				least, place = v, s.place(p)
			}
			most = max(most, v)
		}
		if place == "" || most-least < 0.01*math.Abs(least) {
			return
		}
		said = append(said, fmt.Sprintf(says, place, format.Figure(sign*least)))
		if !slices.Contains(places, place) {
			places = append(places, place)
		}
	}
	best("rate_per_h", "rate_per_h is greatest with %s (%s)", -1)
	best("end_h", "the list ends first with %s (after %s h)", 1)
	best("dfr", "attempts per delivery are fewest with %s (%s)", 1)
	if len(places) < 2 {
		return nil
	}
	return []string{"Which point is best depends on what is asked: " + strings.Join(said, ", ") + "."}
}

func (s *Report) extreme(k int, metric string) Extreme {
	x := Extreme{Metric: metric, Least: format.Missing, Most: format.Missing}
	for _, p := range s.Points {
		v := p.Estimates[k].Value
		// neither the horizon counts as an end nor the mean of some runs as that of all
		if !v.Known() || measure.MayNeverCome(metric) && !measure.InIntervals(metric) && p.Never[k] > 0 {
			continue
		}
		if !(x.Least <= v) {
			x.Least, x.LeastAt = v, s.place(p)
		}
		if !(x.Most >= v) {
			x.Most, x.MostAt = v, s.place(p)
		}
	}
	return x
}

// value returns the value of axis i at a point.
func (s *Report) value(p Point, i int) string { return s.Axes[i].Values[p.At[i]] }

// place returns in words where a point lies: its values, and its scenario if there are
// several.
func (s *Report) place(p Point) string {
	var words []string
	if len(s.Scenarios) > 1 {
		words = append(words, s.Scenarios[p.Scenario])
	}
	for i, a := range s.Axes {
		words = append(words, a.Name()+" = "+s.value(p, i))
	}
	return strings.Join(words, ", ")
}

// Key returns a name for a study that depends on its ID.
func Key(id string) string { return folder.Key(fmt.Appendf(nil, "study\n%s\n", id)) }

// Answer returns sentences on what the study shows: first the number of points of each
// class.
func (s *Report) Answer() []string {
	var counts []string
	for _, t := range s.Tally {
		if t.Points > 0 {
			counts = append(counts, fmt.Sprintf("%s %s", format.Grouped(float64(t.Points), 0), t.Class))
		}
	}
	all := []string{fmt.Sprintf("%s: %s.", format.Plural(uint64(s.Count), "point"), format.Listed(counts))}
	mixed := 0
	for _, p := range s.Points {
		if slices.Max(p.Counts) < s.Replications {
			mixed++
		}
	}
	if mixed > 0 {
		all = append(all, fmt.Sprintf("A point has the class of most of its runs; runs of the same point differ in %s.",
			format.Plural(uint64(mixed), "point")))
	}
	if s.Choice != nil {
		all = append(all, s.choiceAnswer()...)
	}
	for _, x := range s.Extremes {
		switch {
		case !x.Least.Known() && x.Metric == measure.EndMetric:
			all = append(all, "No point is finished at the horizon.")
		case !x.Least.Known() && measure.MayNeverCome(x.Metric):
			all = append(all, "No point has "+x.Metric+" in every run.")
		case !x.Least.Known():
			all = append(all, x.Metric+" is undefined at every point.")
		case x.Least == x.Most:
			all = append(all, fmt.Sprintf("%s is %s at every point.", x.Metric, format.Figure(float64(x.Least))))
		default:
			all = append(all, fmt.Sprintf("%s reaches from %s (%s) to %s (%s).", x.Metric,
				format.Figure(float64(x.Least)), x.LeastAt, format.Figure(float64(x.Most)), x.MostAt))
		}
	}
	return append(append(all, s.bounded()...), s.disagreement()...)
}

// bounded returns sentences on the points with runs that did not reach a time.
func (s *Report) bounded() []string {
	const (
		settling = "the rate of some run never settled; it counts as settled when it was last watched, so these " +
			"means are lower bounds"
		end   = "some run was not finished at the horizon, which stands for its end"
		other = "some run did not reach a time within the horizon; the means of the others are lower bounds"
	)
	points := map[string]int{}
	for _, p := range s.Points {
		at := map[string]int{}
		for k, n := range p.Never {
			switch m := s.Metrics[k]; {
			case n == 0:
			case m == measure.EndMetric:
				at[end] = 1
			case measure.InIntervals(m):
				at[settling] = 1
			default:
				at[other] = 1
			}
		}
		for _, why := range []string{settling, end, other} {
			points[why] += at[why]
		}
	}
	var said []string
	for _, why := range []string{settling, end, other} {
		if n := points[why]; n > 0 {
			said = append(said, fmt.Sprintf("In %s %s.", format.Plural(uint64(n), "point"), why))
		}
	}
	return said
}

// Text writes the study for a terminal.
func (s *Report) Text(w io.Writer, color bool) error {
	var shown []format.Table
	if s.Choice != nil {
		shown = append(shown, s.choiceTable())
	}
	switch {
	case s.All:
		shown = append(shown, s.pointTable(len(s.Points)))
	case s.Choice == nil:
		shown = append(shown, s.pointTable(16))
	}
	return format.Text{Title: fmt.Sprintf("%s (%s)", s.Name, s.world()), About: s.About, Answer: s.Answer(),
		Tables: shown,
		Seal: fmt.Sprintf("Seed %d, replications 0 to %d of each point, digest %s, study %.12s", s.Seed,
			s.Replications-1, s.Digest, s.ID), Replay: s.Replay}.Write(w, color)
}

func (s *Report) world() string {
	return fmt.Sprintf("%s, %s each, simulated", format.Plural(uint64(s.Count), "point"),
		format.Plural(uint64(s.Replications), "replication"))
}

// pointTable returns a table of at most the given number of points, evenly spaced.
func (s *Report) pointTable(most int) format.Table {
	t := format.Table{Caption: "Points: means, and +- half the 95 % interval"}
	if len(s.Scenarios) > 1 {
		t.Head = append(t.Head, "scenario")
	}
	for _, a := range s.Axes {
		t.Head = append(t.Head, a.Name())
	}
	t.Left = len(t.Head)
	t.Head = append(t.Head, s.Metrics...)
	t.Head, t.Words = append(t.Head, "class"), true
	n := min(most, len(s.Points))
	if n < len(s.Points) {
		t.Caption = fmt.Sprintf("%s (%d of %d; --all prints every one, points.csv has them)", t.Caption, n,
			len(s.Points))
	}
	for i := range n {
		p := s.Points[i*(len(s.Points)-1)/max(1, n-1)]
		var row []string
		if len(s.Scenarios) > 1 {
			row = append(row, s.Scenarios[p.Scenario])
		}
		for i := range s.Axes {
			row = append(row, s.value(p, i))
		}
		for k, e := range p.Estimates {
			text := e.Writer()(e.Value)
			if e.Spread() {
				text += " +- " + e.Writer()(measure.HalfWidth(e))
			}
			if p.Never[k] == s.Replications {
				text = measure.NeverWord(s.Metrics[k])
			} else if p.Never[k] > 0 {
				text = "> " + text
			}
			row = append(row, text)
		}
		t.Rows = append(t.Rows, append(row, string(p.Class)))
	}
	return t
}

// unitOf returns the unit of a metric.
func unitOf(metric string) string {
	m, ok := measure.MetricNamed(metric)
	if !ok {
		panic(fmt.Sprintf("study: unknown metric %q", metric))
	}
	return m.Unit
}
