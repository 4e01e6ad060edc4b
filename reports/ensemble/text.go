package ensemble

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"flyball/reports/format"
	"flyball/reports/measure"
)

// Text writes the ensemble for a terminal, as Report.Text does for a run.
func (e *Report) Text(w io.Writer, color bool) error {
	t := format.Text{Title: fmt.Sprintf("%s (%s, simulated, %s)", e.Name,
		format.Plural(uint64(e.Replications), "replication"), e.Kind), About: e.About, Answer: e.Answer(),
		Note: "(In brackets: 95 % intervals.)", Tables: e.tables(12),
		Seal: fmt.Sprintf("Seed %d, replications 0 to %d, digest %s, scenario %.12s", e.Seed, e.Replications-1,
			e.Digest, e.ScenarioID), Replay: e.Replay}
	if e.Partial {
		t.Notice = "PARTIAL: the ensemble was stopped before its end; these are the replications that had ended."
	}
	if len(e.Warnings) > 0 {
		t.Below = "\n"
	}
	for _, text := range e.Warnings {
		t.Below += "! " + strings.Join(format.Wrap(text, format.Columns-2), "\n  ") + "\n"
	}
	return t.Write(w, color)
}

// tables returns all tables, with at most the given number of servers, and of campaigns and
// destinations.
func (e *Report) tables(servers int) []format.Table {
	return []format.Table{e.expectationTable(), e.changeTable(), e.settlingTable(servers), e.precisionTable(),
		e.courseTable(), e.measureTable(), e.partTable(servers)}
}

func (e *Report) measureTable() format.Table {
	t := format.Table{Caption: fmt.Sprintf("Means of %s, and the replications at the ends",
		format.Plural(uint64(e.Replications), "replication")),
		Head: []string{"metric", "mean", "95 % interval", "least", "in", "greatest", "in"}, Left: 1}
	for _, m := range e.Measures {
		if _, of := measure.Split(m.Metric); of != "" {
			continue // has a table of its own
		}
		write := m.Writer()
		row := []string{m.Metric, write(m.Value), m.Interval(), "", "", "", ""}
		if m.Never > 0 {
			row[1], row[2] = "median "+times(measure.Estimate{Value: m.Value, Low: format.Missing}, m.Unit), "-"
			if m.Value.Known() && m.Low.Known() {
				row[2] = between(m.Estimate)
			}
		}
		if m.Least.Known() && (m.Least != m.Most || m.Never > 0) {
			row[3], row[4], row[5], row[6] = write(m.Least), fmt.Sprint(m.LeastIn), write(m.Most), fmt.Sprint(m.MostIn)
		}
		if m.Never > 0 {
			row[5], row[6] = measure.NeverWord(m.Metric), fmt.Sprintf("%d runs", m.Never)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// partTable returns the times and refusals of single campaigns and destinations, a row for
// each of the first most, in the order of the scenario.
func (e *Report) partTable(most int) format.Table {
	t := format.Table{Caption: "Means of campaigns and destinations", Head: []string{""}, Left: 1}
	columns := []string{"t50_h", "t90_h", "t99_h", "late_recipients", "refused_share"}
	t.Head = append(t.Head, columns...)
	for _, m := range e.Measures {
		metric, of := measure.Split(m.Metric)
		column := slices.Index(columns, metric)
		if of == "" || column < 0 {
			continue
		}
		i := slices.IndexFunc(t.Rows, func(row []string) bool { return row[0] == of })
		if i < 0 {
			i = len(t.Rows)
			t.Rows = append(t.Rows, append([]string{of}, make([]string, len(columns))...))
		}
		text := m.Writer()(m.Value)
		if m.Never > 0 {
			text = fmt.Sprintf("never in %d", m.Never)
		}
		t.Rows[i][column+1] = text
	}
	if more := len(t.Rows) - most; more > 0 {
		rest := make([]string, 1+len(columns))
		rest[0] = fmt.Sprintf("%d more", more)
		t.Rows = append(t.Rows[:most:most], rest)
	}
	return t
}

// courseTable returns the metrics of the mean course. The interval of a settling time
// is in the table of the servers.
func (e *Report) courseTable() format.Table {
	t := format.Table{Caption: fmt.Sprintf("The mean course of %s, as if it were one run",
		format.Plural(uint64(e.Replications), "replication")),
		Head: []string{"metric", "value", "95 % interval (jackknife)"}, Left: 1}
	for _, m := range e.Course {
		if m.Value.Known() && !measure.MayNeverCome(m.Metric) {
			t.Rows = append(t.Rows, []string{m.Metric, m.Writer()(m.Value), m.Interval()})
		}
	}
	return t
}

func (e *Report) settlingTable(most int) format.Table {
	t := format.Table{Caption: fmt.Sprintf("When servers settled within 5 %% of %s/h, in intervals of %s",
		format.Grouped(e.lastTarget(), 0), format.Duration(e.IntervalSec)),
		Head: []string{"server", "mean course", "its band", "runs settled", "half within", "90 % within", "watched"},
		Left: 1}
	if !slices.ContainsFunc(e.Settling, func(s Settling) bool { return s.Runs > 0 }) {
		return t // the answer says so
	}
	for i, s := range e.Settling {
		if i == most && len(e.Settling) > most {
			t.Caption += fmt.Sprintf(" (%d of %d servers)", most, len(e.Settling))
			break
		}
		if s.Runs == 0 {
			t.Rows = append(t.Rows, []string{s.Server, "not judged", "", "", "", "", ""})
			continue
		}
		number := func(n format.Num) string {
			if !n.Known() {
				return "never"
			}
			return format.Grouped(float64(n), 0)
		}
		mean, band := number(s.OfMean), number(s.Earliest)+" to "+number(s.Latest)
		if s.Judged == 0 {
			mean, band = "not judged", ""
		}
		quantile := func(x measure.Estimate) string {
			return strings.NewReplacer(" intervals", "", " interval", "").Replace(times(x, "intervals"))
		}
		t.Rows = append(t.Rows, []string{s.Server, mean, band, fmt.Sprintf("%d of %d", s.Runs-s.Never, s.Runs),
			quantile(s.Median), quantile(s.NinetyPct), fmt.Sprint(s.Horizon)})
	}
	return t
}

func (e *Report) changeTable() format.Table {
	t := format.Table{Head: []string{"metric", "mean", "95 % interval", "twice left out", "change", "95 % interval"},
		Left: 1}
	if e.Steady == nil {
		return t
	}
	t.Caption = fmt.Sprintf("Steady state without %s, and without twice as many (%d)",
		format.Plural(uint64(e.Steady.LeftOut), "interval"), e.Steady.Twice)
	for _, c := range e.Steady.Changes {
		m := e.Measure(c.Metric)
		t.Rows = append(t.Rows, []string{c.Metric, m.Writer()(m.Value), m.Interval(), c.Twice.Writer()(c.Twice.Value),
			c.Change.Writer()(c.Change.Value), c.Change.Interval()})
	}
	return t
}

func (e *Report) precisionTable() format.Table {
	t := format.Table{Caption: "Precision: half width of the 95 % interval as a share of the mean",
		Head: []string{"metric", "wanted", "reached", "verdict"}, Left: 1, Words: true}
	if p := e.Precision; p != nil {
		verdict, reached := "MISSED", "-"
		if p.Reached {
			verdict = "ok"
		}
		if p.Relative.Known() {
			reached = format.Grouped(100*float64(p.Relative), 2) + " %"
		}
		t.Rows = [][]string{{p.Of, format.Grouped(100*p.Goal, 2) + " %", reached, verdict}}
	}
	return t
}

func (e *Report) expectationTable() format.Table {
	missed := 0
	t := format.Table{Head: []string{"metric", "expected", "met in", "95 % interval", "verdict"}, Left: 1, Words: true}
	for _, x := range e.Expectations {
		if x.FirstMissed.Known() {
			missed++
		}
		t.Rows = append(t.Rows, []string{x.Metric, x.Op + " " + format.Given(x.Limit),
			fmt.Sprintf("%d of %d", x.Met, e.Replications), shares(x.Share), x.verdict()})
	}
	t.Caption = fmt.Sprintf("Expectations: all replications met %d of %d", len(t.Rows)-missed, len(t.Rows))
	return t
}
