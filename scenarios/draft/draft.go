// Package draft writes the first version of a sender's scenario: a commented file with
// what the sender has named and, of well-known providers, what is published about
// them, each value with its source. It reads and writes no file. The command
// flyball init calls it.
package draft

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"flyball/internal/tomlfile"
	"flyball/internal/unit"
	"flyball/internal/vt"
	"flyball/reports/format"
	"flyball/scenarios"
)

// Draft is what a sender knows about a mailing.
type Draft struct {
	Name      string // of the scenario
	Command   string // command line that makes the file, for its head
	StartAt   string // date and time, such as "2026-11-30 22:00"; empty: times count from the start
	TimeZone  string // IANA name; empty: UTC
	Deadline  string // of campaigns without their own; empty: none
	Target    string // rate of a server; empty: what the deadlines need
	Servers   int
	Providers []Item // amount: percent of the list, such as "50%"; empty: the published share
	Campaigns []Item // amount: recipients, such as "5000000", "5M" or "20k"
}

// Item is a provider or a campaign with the keys that the sender sets.
type Item struct {
	Name, Amount string
	Keys         []Key
}

// Key is a key of a scenario with a value as a person writes it: text that TOML quotes
// needs no quotes.
type Key struct{ Name, Value string }

// Default returns a mailing to three large providers and many small domains.
func Default() Draft {
	return Draft{Name: "mailing", Servers: 1, Campaigns: []Item{{Name: "mailing", Amount: "100000"}},
		Providers: []Item{{Name: "gmail"}, {Name: "outlook"}, {Name: "yahoo"}}}
}

// given is the source of what the sender has named.
const given = "given"

// processRate is the number of messages that a process delivers in an hour.
const processRate = 2500

// Text returns the scenario file. The error has every problem with what the sender has
// named, or those that the loader finds, by their keys.
func (d Draft) Text(zones vt.Zones) ([]byte, error) {
	shares, err := d.shares()
	if err != nil {
		return nil, err
	}
	target := Fact{"target", d.Target, given}
	if d.Target == "" {
		target.Value = unit.PerHour(140000).String()
	}
	s, err := d.load(d.text(shares, target, d.longest()), zones)
	if err != nil {
		return nil, err
	}
	if d.Target == "" {
		if target, err = needed(s); err != nil {
			return nil, err
		}
	}
	text := d.text(shares, target, min(horizon(s), d.longest()))
	if _, err := d.load(text, zones); err != nil {
		return nil, err
	}
	return text, nil
}

// interval is the length of the governor's intervals.
const interval = 10 * vt.Minute

// longest returns the longest horizon, in whole days, at most 30: the loader bounds the
// intervals of all servers together.
func (d Draft) longest() vt.Span {
	days := scenarios.MostIntervals / (max(1, d.Servers) * int(vt.Day/interval))
	return vt.Span(min(30, max(1, days))) * vt.Day
}

// horizon returns the end of a run of s, in whole days: a day or more after the last start and
// the last deadline.
func horizon(s *scenarios.Scenario) vt.Span {
	var last vt.Span
	for _, c := range s.Campaigns {
		last = max(last, c.Start, c.Deadline)
	}
	if last == 0 {
		return scenarios.Default().Horizon
	}
	return last - last%vt.Day + 2*vt.Day
}

func (d Draft) load(text []byte, zones vt.Zones) (*scenarios.Scenario, error) {
	s, err := scenarios.LoadWith("draft", text, nil, scenarios.Outside{Zones: zones})
	var found tomlfile.Problems
	if !errors.As(err, &found) {
		return s, err
	}
	var all []error
	for _, p := range found { // without their places: the file is not written
		if p.Key == "" {
			all = append(all, errors.New(p.Text))
			continue
		}
		all = append(all, fmt.Errorf("%s: %s", p.Key, p.Text))
	}
	return nil, errors.Join(all...)
}

// mostRate is the greatest target that the loader takes.
const mostRate = 1_000_000_000

// needed returns the target with which every campaign of s would meet its deadline if each
// attempt delivered and a tenth of the time were lost.
func needed(s *scenarios.Scenario) (Fact, error) {
	var all, most, hours float64 // recipients; recipients an hour; hours until the last deadline
	for _, c := range s.Campaigns {
		if c.Deadline <= c.Start {
			continue
		}
		all += float64(c.Recipients)
		most = max(most, float64(c.Recipients)/(c.Deadline-c.Start).Hours())
		hours = max(hours, c.Deadline.Hours())
	}
	if all == 0 {
		return Fact{"target", "140000/h", "assumed: Table 1 of the patent application; no deadline asks for a " +
			"rate"}, nil
	}
	most = max(most, all/hours)
	rate := math.Ceil(1.1*most/float64(len(s.Servers))/1000) * 1000
	if rate > mostRate {
		return Fact{}, fmt.Errorf("deadline: got %s recipients, which take %s messages an hour of each server to meet "+
			"it, want at most %s", format.Grouped(all, 0), format.Grouped(rate, 0), format.Grouped(mostRate, 0))
	}
	source := fmt.Sprintf("derived: the deadlines need %s an hour from %s, and a tenth more",
		format.Grouped(math.Ceil(most), 0), format.Plural(uint64(len(s.Servers)), "server"))
	return Fact{"target", fmt.Sprintf("%.0f/h", rate), source}, nil
}

// shares returns the providers with their facts and shares in percent, and the rest of
// the list as small domains.
func (d Draft) shares() (all []Provider, err error) {
	var wrong []error
	rest, restNamed := 100.0, false
	for _, item := range d.Providers {
		p, hint := providerNamed(item.Name)
		if hint != "" {
			wrong = append(wrong, fmt.Errorf("provider %q: got an unknown name%s, want one of %s, or a name of "+
				"your own", item.Name, hint, strings.Join(Providers(), ", ")))
			continue
		}
		restNamed = restNamed || p.Name == others.Name
		if item.Amount != "" {
			about := given
			if p.Share.Value != "" {
				about += fmt.Sprintf("; %s %% is the %s", p.Share.Value,
					strings.TrimPrefix(p.Share.Source, "published: "))
			}
			p.Share = Fact{"share", strings.TrimSpace(strings.TrimSuffix(item.Amount, "%")), about}
		}
		share, err := strconv.ParseFloat(p.Share.Value, 64)
		percent := strings.HasSuffix(strings.TrimSpace(item.Amount), "%")
		switch {
		case err == nil && item.Amount != "" && !percent && share > 0 && share < 1:
			wrong = append(wrong, fmt.Errorf("provider %q: got share %q, want a percentage of the list, such as %s%%: "+
				"%s%% if less than a hundredth is meant", item.Name, item.Amount, format.Plain(100*share), item.Amount))
		case err != nil || !(share > 0 && share <= 100):
			wrong = append(wrong, fmt.Errorf("provider %q: got share %q, want a percentage of the list above 0%% "+
				"and up to 100%%, such as 50%%", item.Name, item.Amount))
		}
		rest -= share
		p.Facts = replaced(p.Facts, item.Keys)
		all = append(all, p)
	}
	rest = math.Round(rest*1e6) / 1e6
	switch {
	case len(wrong) > 0:
	case rest < 0:
		wrong = append(wrong, fmt.Errorf("providers: got shares that add up to %s%%, want at most 100%%",
			format.Plain(100-rest)))
	case rest > 0 && restNamed:
		wrong = append(wrong, fmt.Errorf("providers: got shares that add up to %s%%, want 100%% if others are named",
			format.Plain(100-rest)))
	case rest > 0:
		p := others
		p.Share = Fact{"share", format.Plain(rest), "the rest of the list: many small domains"}
		all = append(all, p)
	}
	return all, errors.Join(wrong...)
}

// replaced returns facts with the values of keys, and the keys that no fact has.
func replaced(facts []Fact, keys []Key) []Fact {
	var all []Fact
	for _, k := range keys {
		all = append(all, Fact{k.Name, value(k.Value), given})
	}
	for _, f := range facts {
		if !has(keys, f.Key) {
			all = append(all, f)
		}
	}
	return all
}

func has(keys []Key, name string) bool {
	for _, k := range keys {
		if k.Name == name {
			return true
		}
	}
	return false
}

// file is the text of a scenario file.
type file struct{ strings.Builder }

func (f *file) line(format string, args ...any) { fmt.Fprintf(f, format+"\n", args...) }

// key adds a key with its value and the source of the value, if there is one: behind the
// value, or above it where the line would be long.
func (f *file) key(key, value, source string) {
	line := key + " = " + value
	switch {
	case source == "":
		f.line("%s", line)
	case len(line)+len(" # ")+len(source) <= 100:
		f.line("%s # %s", line, source)
	default:
		f.comment(key + ": " + source)
		f.line("%s", line)
	}
}

func (f *file) comment(text string) {
	for _, line := range format.Wrap(text, 98) {
		f.line("# %s", line)
	}
}

// text returns the file with a target and a horizon.
func (d Draft) text(shares []Provider, target Fact, horizon vt.Span) []byte {
	var f file
	f.comment("Every value has its source: given by you, published, derived from what is published, or assumed. " +
		"Your own logs are the best source: change what you have measured. All other keys have defaults " +
		"(flyball scenario show FILE --resolved).")
	if d.Command != "" {
		f.line("#")
		f.line("# Made by: %s", strings.ReplaceAll(d.Command, "\n", " "))
	}
	f.line("schema_version = 1")
	f.key("name", strconv.Quote(d.Name), "")
	if d.StartAt != "" {
		f.key("start_at", strconv.Quote(d.StartAt), "given; what the clock shows when the run begins")
	}
	if d.TimeZone != "" {
		f.key("time_zone", strconv.Quote(d.TimeZone), given)
	}
	f.key("horizon", strconv.Quote(horizon.String()), "assumed: mail that is not out by then is useless")
	f.line("\n[analysis]\nkind = \"terminating\" # from the start of the mailing to its end")
	f.line("\n[governor] # of every server: how many MTA processes may send at once")
	f.key("target", strconv.Quote(target.Value), target.Source)
	f.key("interval", strconv.Quote(interval.String()), "assumed: a night has few intervals of the 3 h of Table 1")
	f.key("start", strconv.Itoa(processes(target.Value)), "derived: the target at 2,500 messages an hour and process")
	f.key("step", `"explicit"`, "")
	f.key("d", "8", "assumed: processes that an interval may add or take away")
	f.line("\n[retry]")
	f.key("schedule", `"postfix"`, "assumed: resends after 5 min, 10 min, ... 67 min, as Postfix does")
	for i := range d.Servers {
		f.line("\n[[server]]")
		f.key("name", strconv.Quote(fmt.Sprintf("b%d", i+1)), "")
	}
	for i, p := range shares {
		f.line("\n[[destination]]")
		f.key("name", strconv.Quote(p.Name), "")
		about := ""
		if i == 0 {
			about = "a list is matched by it; a live run takes reserved names only"
		}
		f.key("domain", strconv.Quote(p.Name+".example"), about)
		for _, fact := range append([]Fact{p.Share}, p.Facts...) {
			f.key(fact.Key, fact.Value, fact.Source)
		}
		if len(p.Secret) > 0 {
			f.comment("Not published, and not in force. To see what it would do, remove the first # of a line:")
		}
		for _, fact := range p.Secret {
			f.line("# %s = %s # %s", fact.Key, fact.Value, fact.Source)
		}
	}
	for _, c := range d.Campaigns {
		f.line("\n[[campaign]]")
		f.key("name", strconv.Quote(c.Name), "")
		f.key("recipients", recipients(c.Amount), given)
		keys := c.Keys
		if d.Deadline != "" && !has(keys, "deadline") {
			keys = append(keys[:len(keys):len(keys)], Key{"deadline", d.Deadline})
		}
		for _, k := range keys {
			f.key(k.Name, value(k.Value), given)
		}
		if !has(keys, "subset") {
			f.key("subset", "100", "assumed: recipients that a process takes at once")
		}
	}
	return []byte(f.String())
}

// processes returns the number of processes that a target needs.
func processes(target string) int {
	rate, err := unit.ParsePerHour(target)
	if err != nil || rate > mostRate {
		return 1 // the loader reports the target
	}
	return max(1, int(math.Ceil(float64(rate)/processRate)))
}

var (
	bare   = regexp.MustCompile(`^([+-]?[0-9][0-9_]*(\.[0-9]+)?|true|false)$|^[\[{"']`)
	amount = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)([kM])$`)
)

// value returns a value as TOML: numbers, truth values, lists and tables as they are, text
// in quotes.
func value(text string) string {
	if bare.MatchString(text) {
		return text
	}
	return strconv.Quote(text)
}

// recipients returns a number of recipients as TOML.
func recipients(text string) string {
	m := amount.FindStringSubmatch(text)
	if m == nil {
		return value(text)
	}
	n, _ := strconv.ParseFloat(m[1], 64) // the pattern is a number
	if m[2] == "k" {
		n *= 1e3
	} else {
		n *= 1e6
	}
	return format.Plain(n)
}
