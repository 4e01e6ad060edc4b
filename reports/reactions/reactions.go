// Package reactions reports how the sender read the replies that it got, and what it did
// then: by the rows of its reply table. It folds a record and runs nothing; reports of runs
// call it. A run without a reply table has nothing of it.
package reactions

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"flyball/internal/mail"
	"flyball/internal/replies"
	"flyball/reports/format"
	"flyball/reports/runlog"
)

// Row is a row of the sender's reply table for a destination, with the replies that matched
// it. Reports have it in JSON.
type Row struct {
	Destination string     `json:"destination"`
	Class       string     `json:"class"`    // what the replies are about; "unknown" for replies that matched no row
	Reaction    string     `json:"reaction"` // what the sender did
	Match       string     `json:"match"`    // what the row matches; empty for replies that matched no row
	Alarm       bool       `json:"alarm"`    // somebody must attend to it
	Count       uint64     `json:"count"`    // attempts that ended with the replies
	Share       format.Num `json:"share"`    // of all attempts for the destination
	attempts    uint64     // for the destination
}

// unknown is the class of replies that matched no row of the table.
const unknown = "unknown"

// Of returns the rows that matched replies in a run, and the replies that matched none, by
// destination and then the most frequent first; nil without a reply table.
func Of(run *runlog.Run) []Row {
	var all []Row
	for d, table := range run.Sender.Replies {
		if d >= len(run.ByDestination) {
			break
		}
		first, attempts := len(all), run.ByDestination[d].Attempts()
		var refused, read uint64
		for _, r := range run.Replies {
			if int(r.Destination) == d && r.Code >= 400 {
				refused += r.Count
			}
		}
		add := func(r Row, count uint64) {
			if count > 0 {
				r.Destination, r.Count, r.Share, r.attempts = run.Destinations[d], count, format.Ratio(count, attempts),
					attempts
				all = append(all, r)
			}
		}
		for i, v := range table {
			var count uint64
			for _, r := range run.Readings {
				if int(r.Destination) == d && int(r.Row) == i+1 {
					count += r.Count
				}
			}
			read += count
			add(Row{Class: v.Class, Reaction: v.Reaction, Match: v.Match, Alarm: v.Alarm}, count)
		}
		add(Row{Class: unknown, Reaction: "none"}, refused-read)
		slices.SortStableFunc(all[first:], func(a, b Row) int { return cmp.Compare(b.Count, a.Count) })
	}
	return all
}

// Meaning is what replies of a kind meant to the sender.
type Meaning struct {
	Class string // by its table; empty if no row matched
	Fate  mail.Class
	Count uint64
}

// Meanings returns what the replies of a kind meant to the sender, the most frequent
// first: one meaning without a reply table.
func Meanings(run *runlog.Run, c runlog.ReplyCount) []Meaning {
	reply := mail.Reply{Code: uint16(c.Code), Stage: c.Stage, Fault: c.Fault}
	if c.Code == 0 || run.Sender.Replies == nil {
		return []Meaning{{Fate: reply.Class(), Count: c.Count}}
	}
	left := c.Count
	var all []Meaning
	for _, r := range run.Readings {
		if r.Destination != c.Destination || r.Stage != c.Stage || int(r.Code) != c.Code {
			continue
		}
		row := run.Sender.Replies[r.Destination][r.Row-1]
		m := Meaning{Class: row.Class, Fate: (&replies.Row{Reaction: row.Reaction}).ClassOf(&reply)}
		left -= r.Count
		if i := slices.IndexFunc(all, func(o Meaning) bool { return o.Class == m.Class && o.Fate == m.Fate }); i >= 0 {
			all[i].Count += r.Count
			continue
		}
		m.Count = r.Count
		all = append(all, m)
	}
	if left > 0 {
		all = append(all, Meaning{Fate: reply.Class(), Count: left})
	}
	slices.SortStableFunc(all, func(a, b Meaning) int { return cmp.Compare(b.Count, a.Count) })
	return all
}

const (
	leastShare = 0.02 // of the attempts for a destination: fewer refusals are not worth a sentence
	mostPlaces = 3    // destinations with a sentence
	mostAlarms = 5
)

// Sentences returns what the most refusing destinations refused for, and the alarms.
func Sentences(all []Row) []string {
	var told []string
	var places [][]Row
	for rows := range byDestination(all) {
		if share(rows) >= leastShare {
			places = append(places, rows)
		}
	}
	slices.SortStableFunc(places, func(a, b []Row) int { return cmp.Compare(share(b), share(a)) })
	for i, rows := range places {
		if i == mostPlaces {
			told = append(told, fmt.Sprintf("%s more replied so to 2 %% of the attempts or more.",
				format.Plural(uint64(len(places)-i), "destination")))
			break
		}
		told = append(told, fmt.Sprintf("%s replied 4xx or 5xx to %s of the attempts: %s.", rows[0].Destination,
			format.Percent(share(rows)), strings.Join(classes(rows), ", ")))
	}
	alarms := 0
	for _, r := range all {
		if !r.Alarm {
			continue
		}
		if alarms++; alarms <= mostAlarms {
			told = append(told, fmt.Sprintf("Alarm: %s replied %s (%s) to %s, which resending does not cure.",
				r.Destination, r.Match, r.Class, format.Plural(r.Count, "attempt")))
		}
	}
	if alarms > mostAlarms {
		told = append(told, fmt.Sprintf("%d more alarms are in the table of replies.", alarms-mostAlarms))
	}
	return told
}

// byDestination yields the rows of each destination.
func byDestination(all []Row) func(yield func([]Row) bool) {
	return func(yield func([]Row) bool) {
		for len(all) > 0 {
			n := slices.IndexFunc(all, func(r Row) bool { return r.Destination != all[0].Destination })
			if n < 0 {
				n = len(all)
			}
			if !yield(all[:n]) {
				return
			}
			all = all[n:]
		}
	}
}

func count(rows []Row) (n uint64) {
	for _, r := range rows {
		n += r.Count
	}
	return n
}

// share returns refusals / attempts of a destination.
func share(rows []Row) float64 { return float64(count(rows)) / float64(rows[0].attempts) }

// classes returns the classes of a destination's refusals with their share of them, the most
// frequent first.
func classes(rows []Row) []string {
	var names []string
	var counts []uint64
	for _, r := range rows {
		i := slices.Index(names, r.Class)
		if i < 0 {
			i = len(names)
			names, counts = append(names, r.Class), append(counts, 0)
		}
		counts[i] += r.Count
	}
	order := make([]int, len(names))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(counts[b], counts[a]) })
	var words []string
	for _, i := range order {
		words = append(words, names[i]+" "+format.PercentOfCount(counts[i], count(rows)))
	}
	return words
}

// Table returns a table of at most the given number of rows.
func Table(all []Row, most int) format.Table {
	t := format.Table{Caption: "What replies meant to the sender",
		Head: []string{"destination", "class", "reaction", "row", "attempts", "share"}, Left: 4}
	rows := slices.Clone(all)
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(b.Count, a.Count) })
	for i, r := range rows {
		if i == most-1 && len(rows) > most {
			t.Rows = append(t.Rows, []string{fmt.Sprintf("%d more", len(rows)-i), "", "", "",
				format.Grouped(float64(count(rows[i:])), 0), ""})
			break
		}
		t.Rows = append(t.Rows, []string{r.Destination, r.Class, r.Reaction, format.Dash(r.Match),
			format.Grouped(float64(r.Count), 0), format.PercentOf(r.Share)})
	}
	return t
}
