package scenarios

import (
	"fmt"
	"slices"

	"flyball/governor"
	"flyball/internal/conf"
	"flyball/internal/tomlfile"
	"flyball/internal/vt"
	"flyball/netmodel/config"
)

// SchemaVersion is the version of the file format that this program reads.
const SchemaVersion = 1

// Default returns the default Scenario. It lacks the parts that only an author
// can supply: a name, destinations and campaigns.
func Default() Scenario {
	s := conf.DefaultOf[Scenario](keys)
	s.Retry.Delays = slices.Clone(s.Retry.Delays)
	s.Servers = []config.Server{config.DefaultServer()}
	return s
}

// Load decodes a scenario: the defaults, then src, then the entries of set, each
// "path.to.key=value". Problems call the file name. The error is of type
// tomlfile.Problems and holds all problems, not only the first one. After a
// syntax error the rest is not checked.
func Load(name string, src []byte, set []string) (*Scenario, error) {
	return LoadWith(name, src, set, Outside{})
}

// Outside is what a scenario takes from outside its own text. A resolved scenario
// takes nothing.
type Outside struct {
	Files tomlfile.Files // content of a file that the scenario names
	Zones vt.Zones       // civil time of a zone other than UTC
}

// LoadWith decodes a scenario as Load does, with what it takes from outside: the
// scenario equals one with the content of its files written out, and with times after
// the start in the place of clock times.
func LoadWith(name string, src []byte, set []string, from Outside) (*Scenario, error) {
	doc := format.Read(name, src, set)
	if v, text, ok := doc.Integer("schema_version"); ok && v != SchemaVersion {
		doc.RefuseAll(conf.Problem{Key: "schema_version",
			Text: "scenario version " + text + ", this program reads 1"})
	}
	doc.Include("retry.table_file", "retry.table", from.Files)
	s := Default()
	doc.Decode(&s)
	s.setClock(doc, from.Zones)
	if err := s.readDomains(from.Files); err != nil {
		doc.Refuse([]error{err})
	}
	doc.Refuse(s.Validate())
	if s.DomainsFile == "" || s.domains != nil {
		_, wrong := s.Domains()
		doc.Refuse(wrong)
	}
	if err := doc.Err(); err != nil {
		return nil, err
	}
	if n := len(Resolved(&s)); n > tomlfile.MaxSize { // Load must accept the resolved file
		return nil, tomlfile.Problems{{File: name,
			Text: fmt.Sprintf("got %d bytes with every value spelled out, want at most %d (1 MiB)", n,
				tomlfile.MaxSize)}}
	}
	return &s, nil
}

// setClock sets the clock times of a file by the clock of its start, and returns the
// offsets of that clock within the horizon, and within a year.
func (s *Scenario) setClock(doc *tomlfile.Document, zones vt.Zones) {
	if !doc.Sound("start_at") || !doc.Sound("time_zone") || !doc.Sound("utc_offsets") {
		doc.SkipMoments()
		return
	}
	if !s.StartAt.Given() {
		doc.Moments(func(text string) (vt.Span, error) { return 0, errNoClock(text) })
		return
	}
	clock, err := newClock(s.StartAt, s.TimeZone, s.UTCOffsets, zones)
	if err != nil {
		doc.Refuse([]error{err})
		doc.SkipMoments()
		return
	}
	doc.Moments(clock.Find)
	beyond := func(o vt.Offset) bool { return o.From > max(s.Horizon, 366*vt.Day) }
	s.UTCOffsets = slices.DeleteFunc(clock.Offsets, beyond)
}

// errNoClock returns the error of a clock time in a file without a date.
func errNoClock(text string) error {
	return fmt.Errorf("got the clock time %s without start_at, want a time after the start such as \"8h\", or a start "+
		"such as start_at = \"2026-11-30 22:00\"", tomlfile.Quote(text))
}

// newClock returns the clock that shows start at the beginning of the run. The error is a
// conf.Problem.
func newClock(start vt.Civil, zone string, offsets []vt.Offset, zones vt.Zones) (vt.Clock, error) {
	problem := func(key string, err error) error { return conf.Problem{Key: key, Text: err.Error()} }
	if len(offsets) > 0 {
		clock := vt.Clock{Start: start, Offsets: offsets}
		if err := clock.Validate(); err != nil {
			return clock, problem("utc_offsets", err)
		}
		return clock, nil
	}
	if zone == "UTC" {
		return vt.Clock{Start: start, Offsets: []vt.Offset{{}}}, nil
	}
	if zones == nil {
		return vt.Clock{}, problem("time_zone",
			fmt.Errorf("got %s without utc_offsets, want \"UTC\": zone data are not read here", tomlfile.Quote(zone)))
	}
	place, err := zones(zone)
	if err != nil {
		return vt.Clock{}, problem("time_zone", err)
	}
	clock, err := vt.NewClock(start, place, 3650*vt.Day)
	if err != nil {
		return clock, problem("start_at", err)
	}
	return clock, nil
}

// Clock returns the wall clock beside the times of the scenario; none without start_at.
func (s *Scenario) Clock() vt.Clock {
	if !s.StartAt.Given() {
		return vt.Clock{}
	}
	return vt.Clock{Start: s.StartAt, Zone: s.TimeZone, Offsets: s.UTCOffsets}
}

// LoadGovernor reads the [governor] table of any TOML file, including a
// scenario, and applies the entries of set, each "governor.key=value". It
// ignores other tables, but clock times need its start_at. It refuses scope = "cluster", because it has no servers
// to divide C among. The error is of type tomlfile.Problems.
func LoadGovernor(name string, src []byte, set []string, zones vt.Zones) (governor.Config, error) {
	law, around := governor.Default(), Default()
	doc := format.Read(name, src, set)
	doc.DecodeKeys(&around, "start_at", "time_zone", "utc_offsets")
	doc.DecodeTable("governor", &law)
	around.setClock(doc, zones)
	var l conf.List
	l.Within("governor", law.Validate())
	l.Check(law.Scope != "cluster", "governor.scope",
		"got \"cluster\", want \"server\": samples are of one server, and C is not divided here")
	doc.Refuse(l)
	return law, doc.Err()
}
