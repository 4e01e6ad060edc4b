package governor

import (
	"fmt"
)

// The laws of the patent application. They use only deliveries and allocated
// processes.
var (
	hold = Law{Name: "hold", Kind: Tracker, build: newPatent,
		Doc: "keeps the start value"}
	patentDamped = Law{Name: "patent-damped", Kind: Tracker, build: newPatent, Trials: stepsOfD(3, 8, 24, 64),
		Doc: "moves by at most d per interval ([0067])"}
	patentDynamic = Law{Name: "patent-dynamic", Kind: Tracker, build: newPatent,
		Trials: []Trial{{Name: "patent-dynamic", Set: []string{"governor.step=per-day"}}}, // Table 1: d = 3
		Doc:    "moves by at most d x utilization ([0069])"}
)

// stepsOfD returns a trial for each explicit d. The best of them in hindsight is
// the yardstick for other laws.
func stepsOfD(all ...int) []Trial {
	var trials []Trial
	for _, d := range all {
		trials = append(trials, Trial{Name: fmt.Sprintf("patent-%d", d), Hindsight: true,
			Set: []string{"governor.step=explicit", fmt.Sprintf("governor.d=%d", d)}})
	}
	return trials
}

func newPatent(c Config) law { return &patent{newBase(c)} }

// patent implements hold and the laws of [0067] and [0069], which differ only in
// the allowed step.
type patent struct{ base }

// Decide applies Table 2: C = min(C + step, max(C - step, T / E_a)).
func (g *patent) Decide(s Sample) Decision {
	d := g.measure(s)
	// The patent does not define 0/0 and x/0. C is held, for want of evidence.
	if g.cfg.Law == "hold" || d.Flags&(NoTime|Idle) != 0 {
		return d
	}
	c := g.available
	d.Step = g.allowed(d.Utilization)
	// E_a is per allocated process, but T / E_a is compared with available processes. So a server that is
	// partly idle may lose processes while its rate is below the target, against [0065]. We follow the formula.
	// Without deliveries T / E_a is +Inf and C grows by the step, as it does with very few deliveries.
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

// allowed returns the greatest move of C: d ([0067]), or d x U_s ([0069]).
func (g *patent) allowed(utilization float64) float64 {
	if g.cfg.Law == "patent-damped" {
		return g.step
	}
	// U_s may exceed 1, since no process is freed ([0070], [0077]); read literally, it then enlarges the step.
	if g.cfg.CapUtilization {
		utilization = min(utilization, 1)
	}
	return float64(g.step * utilization) // rounded before it is added: no fused multiply-add
}
