// Package sites has what may be asked of a site while its stations run or not: Load reads a site file and checks all
// that it names, Submit puts a mailing into the queue, and Status says how far mailings are, by what stations keep.
// Others are the keys and rights of stations, and where each is found. Package serve runs the stations.
package sites

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"flyball/bus"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/conf"
	"flyball/internal/input"
	"flyball/internal/tomlfile"
	"flyball/realrun"
	"flyball/realrun/dial"
	"flyball/reports/format"
	"flyball/scenarios"
	"flyball/site"
	"flyball/storage"
)

// Site is a site whose file fits together with everything that it names.
type Site struct {
	*site.Config
	File     string
	Scenario *scenarios.Scenario
	Here     []site.Station // which run in this process
	Metrics  string         // IP:PORT on loopback at which this process shows its numbers; empty: it does not

	Leads realrun.Resolver // of a demonstration: leads to its receivers; nil: to the site's
	people
}

// Of returns a site without a file, all of whose stations run here.
func Of(c *site.Config, s *scenarios.Scenario) *Site {
	return &Site{Config: c, File: c.Name, Scenario: s, Here: c.Stations}
}

// Load reads a site file, of which the stations with the given names run here; without names all of them. Its error
// has all problems.
func Load(file string, names []string) (*Site, error) {
	text, err := task.ReadFile("", file, input.Scenario)
	if err != nil {
		return nil, err
	}
	s := &Site{File: file}
	if s.Config, err = site.Load(file, text); err != nil {
		return nil, task.Error{Kind: task.Invalid, Err: err}
	}
	if s.Here, err = s.chosen(names); err != nil {
		return nil, err
	}
	source := task.Source{Arg: s.Config.Scenario, Set: s.Set}
	if s.Scenario, _, err = source.Load(); err != nil {
		return nil, err
	}
	if err := s.readOutside(); err != nil {
		return nil, err
	}
	return s, s.check()
}

// chosen returns the stations with the given names; without names all.
func (s *Site) chosen(names []string) (here []site.Station, err error) {
	if len(names) == 0 {
		return s.Stations, nil
	}
	var known []string
	for _, v := range s.Stations {
		known = append(known, v.Name())
		if slices.Contains(names, v.Name()) {
			here = append(here, v)
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, task.Fail(task.Usage, "--role: got %q, want one of %s%s", name, strings.Join(known, ", "),
				conf.DidYouMean(name, known))
		}
	}
	return here, nil
}

// IsHere reports whether a station with a name runs in this process.
func (s *Site) IsHere(name string) bool {
	return slices.ContainsFunc(s.Here, func(v site.Station) bool { return v.Name() == name })
}

// check returns an error with everything that does not fit together, or would not be safe.
func (s *Site) check() error {
	var l, unsafe conf.List
	want := s.Servers()
	l.Check(len(s.Scenario.Servers) == want, "scenario", "got %s with %s, want %d, one for each station b",
		s.Config.Scenario, format.Plural(uint64(len(s.Scenario.Servers)), "server"), want)
	l.Check(s.Scenario.Dispatch.Plain(), "scenario", "got sender.partition = %q, want \"shares\" or "+
		"\"pull\": the A server cuts a list by the processes that B servers have for it", s.Scenario.Dispatch.Partition)
	l.Check(s.Bus.URL != "" || len(s.Here) == len(s.Stations), "bus.url", "got none, want where the broker is: not "+
		"all stations run in this process")
	for i, v := range s.Stations {
		l.Check(v.Role != site.Broker || s.Bus.URL != "", conf.Index("station", i)+".role", "got a broker and no "+
			"bus.url, want where other stations find it")
	}
	_, governed := s.Named(site.Governor)
	l.Check(governed == s.Scenario.Together(), "station", "got a scenario whose servers decide together: %v, and a "+
		"governor: %v, want both or neither", s.Scenario.Together(), governed)
	for _, v := range s.Here {
		if v.Role == site.Hybrid {
			l.Check(!s.anyPort(), "station", "got a hybrid here and port 0 of a station behind it that runs "+
				"elsewhere, want the port")
		}
	}
	for i, v := range s.Stations {
		for _, p := range v.Ports() {
			at, err := netip.ParseAddrPort(p.At)
			shows := v.Role == site.Storage || p.Key == "changes" // who it is, by a certificate
			safe := err != nil || at.Addr().Unmap().IsLoopback() || v.Role == site.Broker ||
				shows && s.Bus.Cert != ""
			unsafe.Check(safe, conf.Index("station", i)+"."+p.Key, "got %s, want an address on loopback: let your "+
				"own servers hand over what comes from outside", p.At)
			l.Check(p.Key != "changes" || at.Port() != 0 || len(s.Here) == len(s.Stations),
				conf.Index("station", i)+"."+p.Key, "got %s, want a port: not all stations run in this process", p.At)
		}
	}
	depot, _ := netip.ParseAddrPort(s.DepotAddress())
	unsafe.Check(depot.Addr().Unmap().IsLoopback() || s.Bus.Cert != "", "depot.listen", "got %s outside of loopback "+
		"and no bus.cert, want the certificate of this computer", s.Depot.Listen)
	if v, is := s.Named(site.Storage); is {
		place, err := storage.ParsePlace(v.Store)
		l.Check(err == nil && place.List == "", "station", "store: got %q, want a store without a list, sqlite:FILE "+
			"or postgres://USER@HOST:PORT/DATABASE", v.Store)
	}
	s.checkOutside(&l, &unsafe)
	if l != nil || unsafe != nil {
		kind := task.Invalid
		if unsafe != nil {
			kind = task.Refused
		}
		return task.Error{Kind: kind, Err: problems(s.File, append(l, unsafe...))}
	}
	if err := realrun.Check(s.Scenario, s.Allowlist); errors.Is(err, dial.ErrRefused) {
		return task.Error{Kind: task.Refused, Err: err}
	} else if err != nil {
		return task.Error{Kind: task.Invalid, Err: err}
	}
	if s.Bus.URL == "" {
		return nil
	}
	for _, v := range s.Here {
		if s.Roles(v) == nil && v.Role != site.Broker {
			continue
		}
		if err := s.Connection(v).Validate(); err != nil {
			return task.Fail(task.Refused, "%s: %w", s.File, err)
		}
	}
	return nil
}

// problems returns the problems of a file as an error.
func problems(file string, l conf.List) error {
	var all tomlfile.Problems
	for _, err := range l {
		var p conf.Problem
		errors.As(err, &p)
		all = append(all, tomlfile.Problem{File: file + ":", Key: p.Key, Text: p.Text})
	}
	return all
}

// Connection returns by what a station connects to the bus.
func (s *Site) Connection(v site.Station) bus.Config {
	return bus.Config{Name: bus.PlainName(s.Name + "-" + v.Name()), URL: s.Bus.URL, CA: s.Bus.CA, Cert: s.Bus.Cert,
		Key: s.Bus.Key, NKey: filepath.Join(s.Keys, v.Name()+seedFile)}
}

// Text writes what would run.
func (s *Site) Text(w io.Writer, color bool) error {
	table := format.Table{Caption: "Stations:", Left: 4, Head: []string{"station", "here", "folder", "listens at"}}
	for _, v := range s.Stations {
		here := "no"
		if s.IsHere(v.Name()) {
			here = "yes"
		}
		var listens []string
		for _, p := range v.Ports() {
			listens = append(listens, p.At)
		}
		table.Rows = append(table.Rows, []string{v.Name(), here, v.Folder, strings.Join(listens, ", ")})
	}
	by := s.Bus.URL
	if by == "" {
		by = "within the process"
	}
	lines, err := s.plan()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "Site %s mails by scenario %s; messages between stations go %s\n%s\n", s.Name,
		s.Scenario.Name, by, strings.Join(lines, "\n"))
	if err != nil {
		return err
	}
	return table.Write(w, color)
}
