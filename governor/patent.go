package governor

import (
	"fmt"
)

// The laws of the patent application. They look at deliveries and allocated
// processes alone.
var (
	hold = Law{Name: "hold", Kind: Tracker, build: newPatent,
		Doc: "keeps the start value"}
	patentDamped = Law{Name: "patent-damped", Kind: Tracker, build: newPatent, Trials: stepsOfD(3, 8, 24, 64),
		Doc: "moves by at most d per interval ([0067])"}
	patentDynamic = Law{Name: "patent-dynamic", Kind: Tracker, build: newPatent,
		Trials: []Trial{{Name: "patent-dynamic", Set: []string{"governor.step=per-day"}}}, // Table 1: d = 3
		Doc:    "moves by at most d x utilization ([0069])"}
)

// stepsOfD returns trials with an explicit d. In hindsight one of them was best.
func stepsOfD(all ...int) []Trial {
	var trials []Trial
	for _, d := range all {
		trials = append(trials, Trial{Name: fmt.Sprintf("patent-%d", d), Hindsight: true,
			Set: []string{"governor.step=explicit", fmt.Sprintf("governor.d=%d", d)}})
	}
	return trials
}

func newPatent(c Config) law { return &patent{newGauge(c)} }

// patent is hold and the laws of [0067] and [0069]: they differ only in the
// step that they allow.
type patent struct{ gauge }

// Decide is Table 2: C = min(C + step, max(C - step, T / E_a)).
func (g *patent) Decide(s Sample) Decision {
	d := g.measure(s)
	// 0/0 and x/0: the patent is silent. A number that nothing supports moves nothing.
	if g.cfg.Law == "hold" || d.Flags&(NoTime|Idle) != 0 {
		return d
	}
	c := g.available
	d.Step = g.allowed(d.Utilization)
	// E_a is per allocated process but T / E_a is compared with available ones, so a server that is partly
	// idle may lose processes below its target rate, against [0065]. The formula is followed.
	// With no deliveries T / E_a is +Inf and C grows by the step, as it does when they come close to none.
	next := min(c+d.Step, max(c-d.Step, d.Target))
	switch {
	case d.Target > c+d.Step:
		d.Flags |= StepLimitUp
	case d.Target < c-d.Step:
		d.Flags |= StepLimitDown
	}
	g.settle(&d, next)
	return d
}

// allowed is the most that C may move: d ([0067]), or d x U_s ([0069]).
func (g *patent) allowed(utilization float64) float64 {
	if g.cfg.Law == "patent-damped" {
		return g.step
	}
	// U_s may exceed 1, since nothing is freed ([0070], [0077]); to the letter it then enlarges the step.
	if g.cfg.CapUtilization {
		utilization = min(utilization, 1)
	}
	return float64(g.step * utilization) // rounded before it is added: no fused multiply-add
}
