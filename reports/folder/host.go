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
	// Of a live run, in virtual time: how late ends of attempts and wake-ups were handled, and how late receivers that
	// follow the model answered.
	LateP50      float64 `json:"late_p50_s"`
	LateP99      float64 `json:"late_p99_s"`
	LateMax      float64 `json:"late_max_s"`
	OversleptP50 float64 `json:"overslept_p50_s"`
	OversleptP99 float64 `json:"overslept_p99_s"`
	OversleptMax float64 `json:"overslept_max_s"`
	// Scale is how many times faster than real time a live run was, and Slower by what share its attempts, with the
	// handling of their ends, lasted longer than the model gives them.
	Scale  float64 `json:"time_scale,omitempty"`
	Slower float64 `json:"slower_share,omitempty"`
	// Ahead is the most messages of a session that had no durable outcome, of a live run that kept its mailing.
	Ahead int `json:"ahead,omitempty"`
}

// NewHost returns the Host of a run with a number of attempts, which may be missing.
func NewHost(h runlog.Host, attempts format.Num) Host {
	return Host{Wall: h.Wall.Seconds(), AttemptsPerSec: attempts / format.Num(h.Wall.Seconds()), MaxRSS: h.MaxRSS,
		Go: h.Go, CPU: h.CPU, Scale: h.Pace.Scale, Slower: h.Pace.Slower,
		LateP50: h.Pace.Late.P50.Seconds(), LateP99: h.Pace.Late.P99.Seconds(), LateMax: h.Pace.Late.Max.Seconds(),
		OversleptP50: h.Pace.Overslept.P50.Seconds(), OversleptP99: h.Pace.Overslept.P99.Seconds(),
		OversleptMax: h.Pace.Overslept.Max.Seconds(), Ahead: h.Pace.Ahead}
}
