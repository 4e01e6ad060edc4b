package run

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"flyball/reports/format"
	"flyball/reports/runlog"
)

// LimitRow is one destination in one governor interval of one server, if destinations
// have limits.
type LimitRow struct {
	Server      string
	Number      int     // of the interval
	End         float64 // seconds since the start of the run
	Destination string
	// Limit is in force at the end of the interval, before the decision made there; 0 if the destination was dead.
	Limit       int
	Mean        format.Num // of the limit, over the ends of attempts, each as of after the attempt
	Busy        format.Num // time-average of attempts under way
	Attempts    uint64
	Delivered   uint64
	Refusals    uint64     // attempts ended by 421
	Timeouts    uint64     // attempts ended without a reply
	AttemptTime format.Num // mean, in seconds
	Parked      uint64     // deferred: recipients at the end of the interval that were passed over and not tried since
}

func limitRows(run *runlog.Run, i runlog.Interval) (rows []LimitRow) {
	for d, v := range i.Destinations {
		r := LimitRow{
			Server: run.Servers[i.Server], Number: i.Number, End: i.End.Seconds(), Destination: run.Destinations[d],
			Limit: v.Limit, Mean: format.Ratio(v.Limits, v.Attempts), Busy: format.Num(v.Busy), Attempts: v.Attempts,
			Delivered: v.Delivered,
			Refusals:  v.Refusals, Timeouts: v.Timeouts, AttemptTime: format.Missing, Parked: uint64(v.Parked),
		}
		if v.Attempts > 0 {
			r.AttemptTime = format.Num(v.AttemptTime.Seconds())
		}
		rows = append(rows, r)
	}
	return rows
}

var limitColumns = [...]string{"server", "interval", "t_end_s", "destination", "limit", "limit_mean", "under_way_mean",
	"attempts", "delivered", "refusals", "timeouts", "attempt_s", "parked"}

func (r *Report) limitsCSV() []byte {
	rows := [][]string{limitColumns[:]}
	count := func(n uint64) string { return strconv.FormatUint(n, 10) }
	for _, l := range r.Limits {
		rows = append(rows, []string{l.Server, strconv.Itoa(l.Number), format.Plain(l.End), l.Destination,
			strconv.Itoa(l.Limit), l.Mean.String(), l.Busy.String(),
			count(l.Attempts), count(l.Delivered), count(l.Refusals), count(l.Timeouts), l.AttemptTime.String(),
			count(l.Parked)})
	}
	return format.WriteCSV(rows)
}

func readLimits(raw []byte) ([]LimitRow, error) {
	fields, err := format.ReadCSV(raw, limitColumns[:])
	if err != nil {
		return nil, err
	}
	var rows []LimitRow
	for f := range fields.Each {
		rows = append(rows, LimitRow{Server: f.Text(), Number: int(f.Whole()), End: float64(f.Num()),
			Destination: f.Text(), Limit: int(f.Whole()),
			Mean: f.Num(), Busy: f.Num(), Attempts: f.Whole(), Delivered: f.Whole(), Refusals: f.Whole(),
			Timeouts:    f.Whole(),
			AttemptTime: f.Num(), Parked: f.Whole()})
	}
	return rows, fields.Err
}

// held is a destination that its limit held back: its recipients waited at the ends of
// intervals.
type held struct {
	name            string
	rows            uint64 // of all servers
	waiting, dead   uint64 // rows with recipients parked, and of these while it was dead
	most            uint64 // recipients parked at the end of one row
	hours, busy     float64
	limits, attempt float64 // sums over attempts
}

// heldBack returns the destinations that were held back, the longest wait first.
func (r *Report) heldBack() []held {
	var all []held
	at := map[string]int{}
	hours := map[string]float64{} // length of an interval
	for _, row := range r.Rows {
		hours[row.Server+" "+strconv.Itoa(row.Number)] = row.Hours
	}
	for _, l := range r.Limits {
		i, ok := at[l.Destination]
		if !ok {
			i = len(all)
			at[l.Destination] = i
			all = append(all, held{name: l.Destination})
		}
		h := &all[i]
		h.rows++
		if l.Parked == 0 {
			continue
		}
		h.waiting++
		h.most = max(h.most, l.Parked)
		if l.Limit == 0 {
			h.dead++
		}
		span := hours[l.Server+" "+strconv.Itoa(l.Number)]
		h.hours += span
		h.busy += span * float64(l.Busy)
		if l.Mean.Known() {
			h.limits += float64(l.Mean) * float64(l.Attempts)
			h.attempt += float64(l.Attempts)
		}
	}
	all = slices.DeleteFunc(all, func(h held) bool { return h.waiting == 0 })
	slices.SortStableFunc(all, func(a, b held) int { return cmp.Compare(b.waiting, a.waiting) })
	return all
}

// limited returns sentences on the destinations that their limits held back.
func (r *Report) limited() (said []string) {
	all := r.heldBack()
	for i, h := range all {
		if i == 3 {
			return append(said, fmt.Sprintf("Held by their limits too: %s.",
				format.Plural(uint64(len(all)-i), "destination")))
		}
		text := fmt.Sprintf("Held by its limit: %s, whose recipients waited for room at the ends of %d of %s, %s at "+
			"most. %s attempts were under way then",
			h.name, h.waiting, format.Plural(h.rows, "interval"), format.Grouped(float64(h.most), 0),
			format.Grouped(h.busy/h.hours, 1))
		if h.attempt > 0 {
			text += ", with a limit of " + format.Grouped(h.limits/h.attempt, 1)
		}
		if h.dead > 0 {
			text += fmt.Sprintf("; it was dead at the ends of %d", h.dead)
		}
		said = append(said, text+".")
	}
	return said
}
