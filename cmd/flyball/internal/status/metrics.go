package status

import (
	"fmt"
	"io"
)

// Metrics writes the status in the text format of Prometheus.
func (s *Status) Metrics(w io.Writer) {
	one := func(name, kind, help string) { fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind) }
	one("flyball_recipients", "gauge", "Recipients by status.")
	for _, v := range []struct {
		status string
		n      uint64
	}{{"pending", s.Pending}, {"delivered", s.Delivered}, {"failed", s.Failed}, {"suppressed", s.Suppressed},
		{"held", s.Held}, {"not_allowed", s.NotAllowed}} {
		fmt.Fprintf(w, "flyball_recipients{status=%q} %d\n", v.status, v.n)
	}
	one("flyball_attempts_total", "counter", "Attempts that ended.")
	fmt.Fprintf(w, "flyball_attempts_total %d\n", s.Attempts)
	one("flyball_ambiguous_attempts_total", "counter",
		"Attempts without a reply to the final dot, of a mailing that is kept.")
	fmt.Fprintf(w, "flyball_ambiguous_attempts_total %d\n", s.Ambiguous)
	one("flyball_deferred_total", "counter", "Attempts after which a recipient was to be resent.")
	for _, d := range s.Destinations {
		fmt.Fprintf(w, "flyball_deferred_total{destination=%q} %d\n", d.Name, d.Deferred)
	}
	one("flyball_available_processes", "gauge", "C, rounded down.")
	for _, v := range s.Servers {
		fmt.Fprintf(w, "flyball_available_processes{server=%q} %d\n", v.Name, v.Available)
	}
	one("flyball_allocated_processes", "gauge", "Processes with a subset.")
	for _, v := range s.Servers {
		fmt.Fprintf(w, "flyball_allocated_processes{server=%q} %d\n", v.Name, v.Allocated)
	}
	one("flyball_paused", "gauge", "Whether all final dots are stopped.")
	fmt.Fprintf(w, "flyball_paused %d\n", map[bool]int{true: 1}[s.State == "paused"])
}
