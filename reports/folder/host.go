package folder

import (
	"flyball/reports/format"
	"flyball/reports/runlog"
)

// Host is the content of host.json: time and memory that a run used on its machine.
type Host struct {
	Wall           float64    `json:"wall_s"`
	AttemptsPerSec format.Num `json:"attempts_per_s"`
	MaxRSS         int64      `json:"max_rss_bytes"`
	Go             string     `json:"go"`
	CPU            string     `json:"cpu"`
	LateP50        float64    `json:"late_p50_s"` // of a live run, in virtual time
	LateMax        float64    `json:"late_max_s"`
}

// NewHost returns the Host of a run with a number of attempts, which may be missing.
func NewHost(h runlog.Host, attempts format.Num) Host {
	return Host{Wall: h.Wall.Seconds(), AttemptsPerSec: attempts / format.Num(h.Wall.Seconds()), MaxRSS: h.MaxRSS,
		Go: h.Go, CPU: h.CPU, LateP50: h.LateP50.Seconds(), LateMax: h.LateMax.Seconds()}
}
