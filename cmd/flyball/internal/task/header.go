package task

import (
	"bufio"
	"runtime"
	"strings"
	"syscall"
	"time"

	"flyball/internal/input"
	"flyball/internal/vt"
	"flyball/reports/run"
	"flyball/reports/runlog"
	"flyball/scenarios"
	"flyball/scenarios/stated"
	"flyball/sim"
)

// Header returns a run with its name and its settings, without its campaigns, which
// depend on the list. The caller passes id, the ID of the scenario, because computing
// it takes as long as a small run. Mode is "sim" or "real". Partial is true if the run
// was stopped at end.
func Header(s *scenarios.Scenario, id, mode string, end vt.Time, partial bool) *runlog.Run {
	r := &runlog.Run{
		Name: s.Name, About: s.About, ScenarioID: id, Seed: s.Seed, Mode: mode, Partial: partial,
		Horizon: s.Horizon, End: end, TargetRate: s.TargetRate(), Law: s.Governor.Law,
		Servers: s.Accounts(), OneGovernor: s.OneGovernor(), Clock: s.Clock(), Receivers: stated.Receivers(s),
		Sender: stated.Sender(s), Known: s.Known().Digest(),
	}
	for _, v := range s.Destinations {
		r.Destinations = append(r.Destinations, v.Name)
	}
	return r
}

// Name returns the default name of the folder of a run.
func Name(r *runlog.Run) string { return r.Name + "-" + run.Key(r) }

// Observe returns the report of one of many runs, a replication that ended at end. It
// has neither the ID of the scenario nor a command line: reports of several runs have
// their own.
func Observe(s *scenarios.Scenario, own *Recipients, replication uint64, w *sim.World, end vt.Time) *run.Report {
	ended := Header(s, "", "sim", end, false)
	ended.Replication = replication
	own.Fold(w, s, ended)
	return run.Fold(ended, s.Expect, "")
}

// Host returns the time and memory that a task has used on this machine since began.
func Host(began time.Time) runlog.Host {
	h := runlog.Host{Wall: vt.Span(time.Since(began)), Go: runtime.Version(), CPU: runtime.GOARCH}
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) == nil {
		if h.MaxRSS = usage.Maxrss; runtime.GOOS != "darwin" { // others count in KiB
			h.MaxRSS *= 1024
		}
	}
	f, err := input.Open("/proc/cpuinfo", input.Proc)
	if err != nil {
		return h
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "model name"); ok {
			h.CPU = strings.Trim(name, " \t:") + ", " + runtime.GOARCH
			break
		}
	}
	return h
}
