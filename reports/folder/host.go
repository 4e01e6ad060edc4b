package folder

import (
	"flyball/reports/format"
	"flyball/reports/runlog"
)

// Host is what the run cost on the machine that made it.
type Host struct {
	Wall           float64    `json:"wall_s"`
	AttemptsPerSec format.Num `json:"attempts_per_s"`
	MaxRSS         int64      `json:"max_rss_bytes"`
	Go             string     `json:"go"`
	CPU            string     `json:"cpu"`
	LateP50        float64    `json:"late_p50_s"` // of a live run, in virtual time
	LateMax        float64    `json:"late_max_s"`
}

// NewHost returns what a run cost that made a number of attempts.
func NewHost(h runlog.Host, attempts uint64) Host {
	return Host{Wall: h.Wall.Seconds(), AttemptsPerSec: format.Num(float64(attempts) / h.Wall.Seconds()),
		MaxRSS: h.MaxRSS,
		Go:     h.Go, CPU: h.CPU, LateP50: h.LateP50.Seconds(), LateMax: h.LateMax.Seconds()}
}
