package run

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/reports/reactions"
	"flyball/reports/traces"
)

// Text writes the report for a terminal: the answer in words, then the tables, then the
// command line that repeats the run. Lines have at most 100 columns, except for long
// names and the command line. With color, verdicts are coloured.
func (r *Report) Text(w io.Writer, color bool) error {
	t := format.Text{Title: fmt.Sprintf("%s (%s)", r.Name, r.world()), About: r.About, Answer: r.Answer(),
		Seal:   fmt.Sprintf("Seed %s, digest %s, scenario %.12s", r.Luck(), r.Digest, r.ScenarioID),
		Replay: r.Replay}
	if r.Partial {
		t.Notice = "PARTIAL: the run was stopped before its end; all numbers are of what was done until then."
	}
	if stops := r.stopWords(); stops != "" {
		t.Notice = strings.TrimPrefix(t.Notice+"\n"+stops, "\n")
	}
	if len(r.Servers) > 1 {
		t.Tables = append(t.Tables, r.serverTable(12))
	}
	t.Tables = append(t.Tables, r.besideTable(12), r.partTable(12), r.governorTable(12, format.Columns),
		r.outcomeTable(12),
		reactions.Table(r.Replies, 12), r.expectationTable())
	if r.Explain {
		t.Tables = append(t.Tables, traces.Table(r.Stages, 4))
		t.Below = r.explained()
	}
	if s := r.Sensitivity; s != nil {
		const most = 12
		t.Tables = append(t.Tables, s.Table(most))
		t.Below += format.Paragraphs(s.Rest(most)...)
	}
	return t.Write(w, color)
}

// Luck returns the seed and the replication of the run in words.
func (r *Report) Luck() string {
	if r.Replication > 0 {
		return fmt.Sprintf("%d, replication %d", r.Seed, r.Replication)
	}
	return fmt.Sprint(r.Seed)
}

func (r *Report) world() string {
	world := "simulated"
	if r.Mode == "real" {
		world = "real SMTP"
	}
	if r.Clock.Given() {
		world += fmt.Sprintf(", from %s %s", r.Clock.Start, r.Clock.Zone)
	}
	return world
}

// governorTable returns a table of at most the given number of intervals of the server
// that settled last: the first and the last of the judged ones, some between, and the
// interval in which the run ended. Notes are cut to fit into width columns; on a screen they have no flags of the
// governor unless Explain is set.
func (r *Report) governorTable(most, width int) format.Table {
	if len(r.Servers) == 0 {
		return format.Table{}
	}
	worst := r.Servers[0]
	for _, s := range r.Servers {
		if worst.Settling5.Known() && !(s.Settling5 <= worst.Settling5) {
			worst = s
		}
	}
	rows := measure.RowsOf(r.Rows, worst.Name)
	shown := sampled(rows, most)
	unit, seconds := format.TimeUnit(r.EndSec)
	t := format.Table{
		Caption: fmt.Sprintf("Governor of %s: %s, target %s", worst.Name, r.Law, r.target()),
		Head: []string{"no.", "ends, " + unit, "rate/h", "allocated", "per proc.", "used", "wanted", "step",
			"available", "notes"},
		Words: true,
	}
	if len(shown) < len(rows) {
		t.Caption += fmt.Sprintf(" (%d of %s)", len(shown), format.Plural(uint64(len(rows)), "interval"))
	}
	for _, row := range shown {
		t.Rows = append(t.Rows, []string{
			strconv.Itoa(row.Number), format.Grouped(row.End/seconds, 1), format.Grouped(float64(row.Rate), 0),
			format.Grouped(float64(row.Allocated), 1),
			format.Grouped(float64(row.Efficiency), 1), format.PercentOf(row.Utilization),
			format.Grouped(float64(row.Wanted), 1),
			format.Grouped(float64(row.Step), 2), format.Grouped(float64(row.Available), 1), "",
		})
	}
	if r.Clock.Given() {
		t.Head = slices.Insert(t.Head, 2, "clock")
		for i, row := range shown {
			t.Rows[i] = slices.Insert(t.Rows[i], 2, format.ClockTime(r.Clock, format.Num(row.End/3600)))
		}
	}
	room := max(width-t.Width()+len("notes")-2, 12) // the rule below the head is two longer
	for i, row := range shown {
		if width == format.Columns && !r.Explain {
			row.Flags = ""
		}
		t.Rows[i][len(t.Head)-1] = cut(notes(row), room)
	}
	return t
}

// sampled returns at most the given number of rows: evenly spaced up to the last judged
// row, and the very last.
func sampled(rows []measure.Row, most int) []measure.Row {
	if len(rows) <= most {
		return rows
	}
	end := len(rows) // just past the last judged row
	for end > 1 && !rows[end-1].Judged() {
		end--
	}
	var out []measure.Row
	n := most
	if end < len(rows) {
		n--
	}
	n = min(n, end)
	for i := range n {
		out = append(out, rows[i*(end-1)/max(n-1, 1)])
	}
	if end < len(rows) {
		out = append(out, rows[len(rows)-1])
	}
	return out
}

// notes returns the flags of a row in words.
func notes(r measure.Row) (all []string) {
	if r.Partial {
		all = append(all, "partial")
	}
	if r.Draining {
		all = append(all, "short of work")
	}
	if r.Flags != "" {
		all = append(all, strings.Split(r.Flags, "|")...)
	}
	return all
}

// cut joins notes to a text of at most width columns.
func cut(all []string, width int) string {
	text := strings.Join(all, ", ")
	for n := len(all) - 1; len(text) > width && n > 0; n-- {
		text = fmt.Sprintf("%s +%d", strings.Join(all[:n], ", "), len(all)-n)
	}
	if len(text) > width {
		text = text[:width-2] + ".."
	}
	return text
}

// serverTable returns a table of at most the given number of servers, as they are judged.
func (r *Report) serverTable(most int) format.Table {
	t := format.Table{
		Caption: "Servers: each against " + r.target(),
		Head: []string{"server", "settled after", "ended at", "off by", "available", "overshoot", "lost hours",
			"moved"},
		Left: 1,
	}
	if r.TooSlow { // "never settled" would read as a verdict
		return format.Table{}
	}
	for i, s := range r.Servers {
		if i == most && len(r.Servers) > most {
			t.Caption += fmt.Sprintf(" (%d of %d)", most, len(r.Servers))
			break
		}
		settled := "never"
		switch {
		case s.Judged == 0:
			settled = "not judged"
		case s.Settling5.Known():
			settled = format.Plural(uint64(s.Settling5), "interval")
		}
		t.Rows = append(t.Rows, []string{
			s.Name, settled, format.Rate(s.Rate), format.Signed(s.SteadyStateError),
			format.Grouped(float64(s.AvailableFinal), 1),
			format.Percent(s.Overshoot), format.Grouped(s.IAE, 2), format.Grouped(s.TotalVariation, 1),
		})
	}
	return t
}

// parts returns the names of the servers that share one governor, and so are not judged
// one by one.
func (r *Report) parts() []string {
	if len(r.Servers) != 1 {
		return nil
	}
	var names []string
	for _, row := range r.Rows {
		if row.Server == r.Servers[0].Name {
			continue
		}
		if slices.Contains(names, row.Server) {
			break
		}
		names = append(names, row.Server)
	}
	return names
}

// partTable returns a table of how C was divided among at most the given number of
// servers, over the last quarter of the judged intervals.
func (r *Report) partTable(most int) format.Table {
	names := r.parts()
	if len(names) == 0 {
		return format.Table{}
	}
	t := format.Table{
		Caption: "Servers under one governor, in the last quarter",
		Head:    []string{"server", "rate/h", "available", "share of C", "allocated", "per proc.", "wanted", "load"},
		Left:    1,
	}
	if len(names) > most {
		t.Caption += fmt.Sprintf(" (%d of %d)", most, len(names))
		names = names[:most]
	}
	all := measure.Judged(measure.RowsOf(r.Rows, r.Servers[0].Name))
	if len(all) == 0 {
		return format.Table{}
	}
	all = measure.LastQuarter(all)
	from, to := all[0].Number, all[len(all)-1].Number
	previous := func(row measure.Row) format.Num { return row.Previous }
	for _, name := range names {
		rows := slices.DeleteFunc(measure.RowsOf(r.Rows, name),
			func(row measure.Row) bool { return row.Number < from || row.Number > to })
		of := func(of func(measure.Row) format.Num) format.Num { return measure.Mean(rows, of) }
		allocated := of(func(row measure.Row) format.Num { return row.Allocated })
		t.Rows = append(t.Rows, []string{name, format.Grouped(float64(of(measure.Row.MessagesPerHour)), 0),
			format.Grouped(float64(of(previous)), 1),
			format.Percent(float64(of(previous) / measure.Mean(all, previous))), format.Grouped(float64(allocated), 1),
			format.Grouped(float64(of(measure.Row.MessagesPerHour)/allocated), 1),
			format.Grouped(float64(of(func(row measure.Row) format.Num { return row.Demand })), 1),
			format.Percent(float64(of(func(row measure.Row) format.Num { return row.Load })))})
	}
	return t
}

// outcomeTable returns a table of the ways in which attempts ended, with at most the
// given number of rows.
func (r *Report) outcomeTable(most int) format.Table {
	t := format.Table{
		Caption: "How attempts ended",
		Head:    []string{"destination", "reply", "at", "means", "attempts", "share"},
		Left:    4,
	}
	for i, o := range r.Outcomes {
		if i == most-1 && len(r.Outcomes) > most {
			var rest uint64
			for _, o := range r.Outcomes[i:] {
				rest += o.Count
			}
			t.Rows = append(t.Rows, []string{fmt.Sprintf("%d more", len(r.Outcomes)-i), "", "", "",
				format.Grouped(float64(rest), 0), format.PercentOfCount(rest, r.Totals.Attempts)})
			break
		}
		reply := o.Fault
		if o.Code != 0 {
			reply = strconv.Itoa(o.Code)
		}
		means := o.Means
		if o.Class != "" {
			means += ", " + o.Class
		}
		t.Rows = append(t.Rows, []string{o.Destination, reply, o.Stage, means, format.Grouped(float64(o.Count), 0),
			format.PercentOfCount(o.Count, r.Totals.Attempts)})
	}
	return t
}

// expectationTable returns a table of all expectations and whether they were met.
func (r *Report) expectationTable() format.Table {
	missed := 0
	t := format.Table{Head: []string{"metric", "expected", "is", "verdict"}, Left: 1, Words: true}
	for _, e := range r.Expectations {
		if !e.Met() {
			missed++
		}
		is, want := r.Words(e)
		t.Rows = append(t.Rows, []string{e.Metric, want, is, e.Verdict("ok", "MISSED")})
	}
	switch {
	case r.Partial:
		t.Caption = "Expectations: not judged: the run was stopped"
	case missed > 0:
		t.Caption = fmt.Sprintf("Expectations: %d of %d missed", missed, len(t.Rows))
	default:
		t.Caption = fmt.Sprintf("Expectations: %d of %d met", len(t.Rows), len(t.Rows))
	}
	return t
}
