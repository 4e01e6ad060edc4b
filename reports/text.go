package reports

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"flyball/internal/tabular"
)

// columns is the width of the screen that is written for.
const columns = 100

// Text writes the report for a terminal: the answer in words, then the tables,
// then what makes the run again. No line is longer than 100 columns, but for
// names and the last command line. Color marks the verdicts.
func (r *Report) Text(w io.Writer, color bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)\n", r.Name, r.world())
	for _, line := range wrap(r.About, columns) {
		fmt.Fprintln(&b, line)
	}
	fmt.Fprintln(&b)
	if r.Partial {
		fmt.Fprintln(&b, paint("PARTIAL: the run was stopped before its end; all numbers are of what was done until then.", bad, color))
	}
	for i, sentence := range r.Answer() {
		for _, line := range wrap(sentence, columns) {
			if i == 0 {
				line = paint(line, strong, color)
			}
			fmt.Fprintln(&b, line)
		}
	}
	tables := []table{r.partTable(12), r.governorTable(12, columns)}
	if len(r.Servers) > 1 {
		tables = append([]table{r.serverTable(12)}, tables...)
	}
	for _, t := range append(tables, r.outcomeTable(12), r.expectationTable()) {
		if err := t.write(&b, color); err != nil {
			return err
		}
	}
	if s := r.Sensitivity; s != nil {
		const most = 12
		if err := s.table(most).write(&b, color); err != nil {
			return err
		}
		for _, sentence := range s.rest(most) {
			for _, line := range wrap(sentence, columns) {
				fmt.Fprintln(&b, line)
			}
		}
	}
	fmt.Fprintf(&b, "\nSeed %s, digest %s, scenario %.12s\n", r.luck(), r.Digest, r.ScenarioID)
	if r.Replay != "" {
		fmt.Fprintf(&b, "Run it again: %s\n", r.Replay)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// luck names the draws of the run.
func (r *Report) luck() string {
	if r.Replication > 0 {
		return fmt.Sprintf("%d, replication %d", r.Seed, r.Replication)
	}
	return fmt.Sprint(r.Seed)
}

func (r *Report) world() string {
	if r.Mode == "real" {
		return "real SMTP"
	}
	return "simulated"
}

const (
	strong = "1"
	good   = "32"
	bad    = "1;31"
)

// paint wraps text in an ANSI colour.
func paint(s, how string, color bool) string {
	if !color {
		return s
	}
	return "\x1b[" + how + "m" + s + "\x1b[0m"
}

// table is rows under a head; columns before Left are names, set to the left,
// the last one as well if Words.
type table struct {
	Caption string
	Head    []string
	Left    int
	Words   bool
	Rows    [][]string
}

// ToLeft reports whether column i is set to the left.
func (t table) ToLeft(i int) bool { return i < t.Left || t.Words && i == len(t.Head)-1 }

// width is that of all columns with the blanks between them.
func (t table) width() int {
	sum := 0
	for i, head := range t.Head {
		widest := len(head)
		for _, row := range t.Rows {
			widest = max(widest, len(row[i]))
		}
		sum += widest + 2
	}
	return sum - 2
}

// write draws the table with a rule under its head; nothing if it has no row.
func (t table) write(w io.Writer, color bool) error {
	if len(t.Rows) == 0 {
		return nil
	}
	rows := make([][]string, len(t.Rows))
	for i, row := range t.Rows {
		rows[i] = slices.Clone(row)
		for k, c := range row {
			switch c {
			case "ok":
				rows[i][k] = paint(c, good, color)
			case "MISSED", "WORSE":
				rows[i][k] = paint(c, bad, color)
			}
		}
	}
	fmt.Fprintf(w, "\n%s\n", t.Caption)
	return tabular.Write(w, t.Head, rows, t.ToLeft)
}

// governorTable shows at most so many intervals of the server that settled
// last: the first and the last of the judged ones, some between, and the one
// that the run ended in. Notes are cut to fit the width.
func (r *Report) governorTable(most, width int) table {
	if len(r.Servers) == 0 {
		return table{}
	}
	worst := r.Servers[0]
	for _, s := range r.Servers {
		if worst.Settling5.Known() && !(s.Settling5 <= worst.Settling5) {
			worst = s
		}
	}
	rows := rowsOf(r.Rows, worst.Name)
	shown := sampled(rows, most)
	unit, seconds := clock(r.EndSec)
	t := table{
		Caption: fmt.Sprintf("Governor of %s: %s, target %s", worst.Name, r.Law, r.target()),
		Head:    []string{"no.", "ends, " + unit, "rate/h", "allocated", "per proc.", "used", "wanted", "step", "available", "notes"},
		Words:   true,
	}
	if len(shown) < len(rows) {
		t.Caption += fmt.Sprintf(" (%d of %s)", len(shown), plural(uint64(len(rows)), "interval"))
	}
	for _, row := range shown {
		t.Rows = append(t.Rows, []string{
			strconv.Itoa(row.Number), grouped(row.End/seconds, 1), grouped(float64(row.Rate), 0), grouped(float64(row.Allocated), 1),
			grouped(float64(row.Efficiency), 1), percentOf(row.Utilization), grouped(float64(row.Wanted), 1),
			grouped(float64(row.Step), 2), grouped(float64(row.Available), 1), "",
		})
	}
	room := max(width-t.width()+len("notes")-2, 12) // the rule below the head is two longer
	for i, row := range shown {
		t.Rows[i][len(t.Head)-1] = notes(row, room)
	}
	return t
}

// clock is the unit that the times of a run of so many seconds are told in.
func clock(end float64) (name string, seconds float64) {
	switch {
	case end >= 10*86400:
		return "days", 86400
	case end >= 3*3600:
		return "h", 3600
	case end >= 180:
		return "min", 60
	}
	return "s", 1
}

func percentOf(n Num) string {
	if !n.Known() {
		return "-"
	}
	return grouped(100*float64(n), 0) + " %"
}

// sampled picks rows: up to the last judged one evenly, and the very last.
func sampled(rows []Row, most int) []Row {
	if len(rows) <= most {
		return rows
	}
	end := len(rows) // just past the last judged row
	for end > 1 && !rows[end-1].judged() {
		end--
	}
	var out []Row
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

// notes are the flags of a row, at most so many columns of them.
func notes(r Row, width int) string {
	var all []string
	if r.Partial {
		all = append(all, "partial")
	}
	if r.Draining {
		all = append(all, "short of work")
	}
	if r.Flags != "" {
		all = append(all, strings.Split(r.Flags, "|")...)
	}
	text := strings.Join(all, ", ")
	for n := len(all) - 1; len(text) > width && n > 0; n-- {
		text = fmt.Sprintf("%s +%d", strings.Join(all[:n], ", "), len(all)-n)
	}
	if len(text) > width {
		text = text[:width-2] + ".."
	}
	return text
}

// serverTable shows at most so many servers.
func (r *Report) serverTable(most int) table {
	t := table{
		Caption: "Servers: each against " + r.target(),
		Head:    []string{"server", "settled after", "ended at", "off by", "available", "overshoot", "lost hours", "moved"},
		Left:    1,
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
			settled = plural(uint64(s.Settling5), "interval")
		}
		t.Rows = append(t.Rows, []string{
			s.Name, settled, rate(s.Rate), signed(s.SteadyStateError), grouped(float64(s.AvailableFinal), 1),
			percent(s.Overshoot), grouped(s.IAE, 2), grouped(s.TotalVariation, 1),
		})
	}
	return t
}

// parts names the servers that are not judged by themselves: one governor
// controls them all.
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

// partTable shows how C was divided among at most so many servers, over the
// last quarter of the judged intervals.
func (r *Report) partTable(most int) table {
	names := r.parts()
	if len(names) == 0 {
		return table{}
	}
	t := table{
		Caption: "Servers under one governor, in the last quarter",
		Head:    []string{"server", "rate/h", "available", "share of C", "allocated", "per proc.", "wanted", "load"},
		Left:    1,
	}
	if len(names) > most {
		t.Caption += fmt.Sprintf(" (%d of %d)", most, len(names))
		names = names[:most]
	}
	all := judged(rowsOf(r.Rows, r.Servers[0].Name))
	if len(all) == 0 {
		return table{}
	}
	all = lastQuarter(all)
	from, to := all[0].Number, all[len(all)-1].Number
	previous := func(row Row) Num { return row.Previous }
	for _, name := range names {
		rows := slices.DeleteFunc(rowsOf(r.Rows, name), func(row Row) bool { return row.Number < from || row.Number > to })
		of := func(of func(Row) Num) Num { return mean(rows, of) }
		allocated := of(func(row Row) Num { return row.Allocated })
		t.Rows = append(t.Rows, []string{name, grouped(float64(of(Row.rate)), 0), grouped(float64(of(previous)), 1),
			percent(float64(of(previous) / mean(all, previous))), grouped(float64(allocated), 1), grouped(float64(of(Row.rate)/allocated), 1),
			grouped(float64(of(func(row Row) Num { return row.Demand })), 1), percent(float64(of(func(row Row) Num { return row.Load })))})
	}
	return t
}

func rate(n Num) string {
	if !n.Known() {
		return "-"
	}
	return grouped(float64(n), 0) + "/h"
}

func signed(n Num) string {
	if !n.Known() {
		return "-"
	}
	s := percent(float64(n))
	if n > 0 {
		s = "+" + s
	}
	return s
}

// outcomeTable shows at most so many ways in which attempts ended.
func (r *Report) outcomeTable(most int) table {
	t := table{
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
			t.Rows = append(t.Rows, []string{fmt.Sprintf("%d more", len(r.Outcomes)-i), "", "", "", grouped(float64(rest), 0), percentOfCount(rest, r.Totals.Attempts)})
			break
		}
		reply := o.Fault
		if o.Code != 0 {
			reply = strconv.Itoa(o.Code)
		}
		t.Rows = append(t.Rows, []string{o.Destination, reply, o.Stage, o.Means, grouped(float64(o.Count), 0), percentOfCount(o.Count, r.Totals.Attempts)})
	}
	return t
}

func percentOfCount(n, of uint64) string {
	if of == 0 {
		return "-"
	}
	return percent(float64(n) / float64(of))
}

// expectationTable shows every expectation and whether it was met.
func (r *Report) expectationTable() table {
	missed := 0
	t := table{Head: []string{"metric", "expected", "is", "verdict"}, Left: 1, Words: true}
	for _, e := range r.Expectations {
		if !e.Met() {
			missed++
		}
		is, want := e.Words()
		t.Rows = append(t.Rows, []string{e.Metric, want, is, e.verdict("ok", "MISSED")})
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

// Words are what was measured, and the operator with the limit.
func (e Result) Words() (is, want string) {
	want = e.Op + " " + exact(e.Limit)
	switch {
	case e.Value.Known():
		return exact(float64(e.Value)), want
	case strings.HasPrefix(e.Metric, "settling"):
		return "never", want
	}
	return "undefined", want
}

// exact writes whole numbers as they are and others with four decimals, or
// four digits if they are small.
func exact(v float64) string {
	switch {
	case v == float64(int64(v)):
		return grouped(v, 0)
	case v < 0.001 && v > -0.001:
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	return grouped(v, 4)
}
