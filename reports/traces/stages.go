package traces

import (
	"cmp"
	"fmt"
	"slices"

	"flyball/internal/hist"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/format"
)

// A row of stages is a part of an attempt. Connection and greeting are one part: receivers of Flyball that are real let
// the kernel accept a connection, and greet when both are due in the model.
const (
	lookup = iota
	greeting
	ehlo
	from
	rcpt
	data
	dot
	waited
	whole
	parts
)

var partNames = [parts]string{"dns", "connect to banner", "ehlo", "mail", "rcpt", "data", "dot", "wait", "attempt"}

// mostDestinations is the number of destinations, the first ones, whose times are kept apart: a histogram takes 40 KB.
const mostDestinations = 64

// stages counts the times of parts, by destination.
type stages [][parts]hist.Hist

func (s *stages) add(t *mail.Trace) {
	d := int(t.Dest)
	if d >= mostDestinations {
		return
	}
	for len(*s) <= d {
		*s = append(*s, [parts]hist.Hist{})
	}
	of := &(*s)[d]
	record := func(part int, took vt.Span, there bool) {
		if !there {
			return
		}
		if of[part] == (hist.Hist{}) {
			of[part] = hist.New()
		}
		of[part].Record(took)
	}
	fresh := t.Stages[mail.StageConnect] + t.Stages[mail.StageBanner]
	record(lookup, t.Stages[mail.StageDNS], t.Stages[mail.StageDNS] > 0)
	record(greeting, fresh, fresh > 0)
	record(ehlo, t.Stages[mail.StageEHLO], t.Stages[mail.StageEHLO] > 0)
	for part := from; part <= dot; part++ {
		stage := mail.StageMAIL + mail.Stage(part-from)
		record(part, t.Stages[stage], stage <= t.Reply.Stage)
	}
	record(waited, t.Waited(), t.Waited() > 0)
	record(whole, t.Reply.Took, true)
}

// Row is how long a part of the attempts for a destination took, in seconds.
type Row struct {
	Destination string
	Part        string
	Times
	Simulated Times // of the simulation of the same live run; no attempt without one
}

// Times are quantiles of Count attempts.
type Times struct {
	Count                   uint64
	P50, P90, P99, Greatest format.Num
}

func times(h hist.Hist) Times {
	if h == (hist.Hist{}) {
		return Times{0, format.Missing, format.Missing, format.Missing, format.Missing}
	}
	q := func(share float64) format.Num { return format.Num(h.Quantile(share).Seconds()) }
	return Times{uint64(h.Count()), q(0.5), q(0.9), q(0.99), q(1)}
}

// Stages returns the times of all parts by destination; beside, if not nil, is the book of the simulation of the same
// run.
func (b *Book) Stages(beside *Book) (rows []Row) {
	b.lock.Lock()
	defer b.lock.Unlock()
	var other stages
	if beside != nil {
		other = beside.stages
	}
	of := func(s stages, d int) (none [parts]hist.Hist) {
		if d < len(s) {
			return s[d]
		}
		return none
	}
	for d := range max(len(b.stages), len(other)) {
		own, sim := of(b.stages, d), of(other, d)
		for part := range parts {
			r := Row{b.names.Destinations[d], partNames[part], times(own[part]), times(sim[part])}
			if r.Count+r.Simulated.Count > 0 {
				rows = append(rows, r)
			}
		}
	}
	return rows
}

var stageColumns = []string{"destination", "part", "attempts", "p50_s", "p90_s", "p99_s", "max_s", "simulated_attempts",
	"simulated_p50_s", "simulated_p90_s", "simulated_p99_s", "simulated_max_s"}

// CSV returns rows as a file.
func CSV(rows []Row) []byte {
	all := [][]string{stageColumns}
	for _, r := range rows {
		row := []string{r.Destination, r.Part}
		for _, t := range []Times{r.Times, r.Simulated} {
			row = append(row, fmt.Sprint(t.Count), t.P50.String(), t.P90.String(), t.P99.String(), t.Greatest.String())
		}
		all = append(all, row)
	}
	return format.WriteCSV(all)
}

// Read returns the rows of a file.
func Read(raw []byte) (rows []Row, err error) {
	fields, err := format.ReadCSV(raw, stageColumns)
	if err != nil {
		return nil, err
	}
	for f := range fields.Each {
		r := Row{Destination: f.Text(), Part: f.Text()}
		for _, t := range []*Times{&r.Times, &r.Simulated} {
			*t = Times{f.Whole(), f.Num(), f.Num(), f.Num(), f.Num()}
		}
		rows = append(rows, r)
	}
	return rows, fields.Err
}

// Table returns a table of the destinations with most attempts, at most the given number.
func Table(rows []Row, most int) format.Table {
	t := format.Table{Caption: "How long attempts and their stages took", Left: 2,
		Head: []string{"destination", "stage", "attempts", "p50", "p90", "p99", "longest"}}
	attempts := map[string]uint64{}
	beside := false
	for _, r := range rows {
		if r.Part == partNames[whole] {
			attempts[r.Destination] = r.Count + r.Simulated.Count
		}
		beside = beside || r.Simulated.Count > 0
	}
	if beside {
		t.Caption += ", and on the right in the simulation of the same run"
		t.Head = append(t.Head, "simulated", "p50", "p90", "p99", "longest")
	}
	var names []string
	for name := range attempts {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(attempts[b], attempts[a]), cmp.Compare(a, b))
	})
	if len(names) > most {
		t.Caption += fmt.Sprintf(" (%d of %d destinations)", most, len(names))
		names = names[:most]
	}
	for _, name := range names {
		for _, r := range rows {
			if r.Destination != name {
				continue
			}
			row := append([]string{name, r.Part}, cells(r.Times)...)
			if beside {
				row = append(row, cells(r.Simulated)...)
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

func cells(t Times) []string {
	row := []string{format.Grouped(float64(t.Count), 0)}
	for _, v := range []format.Num{t.P50, t.P90, t.P99, t.Greatest} {
		if v.Known() {
			row = append(row, format.Duration(float64(v)))
		} else {
			row = append(row, "-")
		}
	}
	return row
}
