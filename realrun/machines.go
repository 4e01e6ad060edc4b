package realrun

import (
	"runtime"
	"syscall"
	"time"

	"flyball/engine/delivery"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

// newMachines makes the machines of all servers and what they decide together
// by, if they do.
func newMachines(s *scenarios.Scenario, list *mail.List, rec *runlog.Recorder) ([]*delivery.Machine, *delivery.Cluster, error) {
	governors, cluster, err := s.Governors(rec)
	if err != nil {
		return nil, nil, err
	}
	var machines []*delivery.Machine
	for i, gov := range governors {
		machines = append(machines, delivery.New(s.Engine(mail.Server(i)), list, gov, rec))
	}
	return machines, cluster, nil
}

// meet has a verdict for each machine once all of them have reported; else none.
func meet(now vt.Time, machines []*delivery.Machine, cluster *delivery.Cluster) []delivery.Verdict {
	for _, m := range machines {
		if !m.Reported() {
			return nil
		}
	}
	return cluster.Decide(now, reports(machines))
}

func reports(machines []*delivery.Machine) (all []delivery.Report) {
	for _, m := range machines {
		all = append(all, m.Report())
	}
	return all
}

// cpuMeter tells how busy this process keeps the machine. All servers of a run
// live in it, and its own receivers too.
type cpuMeter struct {
	at   time.Time
	used time.Duration
}

// load is the processor time since the last call over the time of all cores, 0
// to 1; 0 where it is not known.
func (m *cpuMeter) load() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	before := *m
	m.at, m.used = time.Now(), time.Duration(u.Utime.Nano()+u.Stime.Nano())
	if before.at.IsZero() || !m.at.After(before.at) {
		return 0
	}
	return min(1, float64(m.used-before.used)/(float64(runtime.NumCPU())*float64(m.at.Sub(before.at))))
}
