package delay

import "flyball/internal/vt"

// Drift multiplies a receiver's delays from the time At on.
type Drift struct {
	// when it begins
	// Source: scenario
	At vt.Span `toml:"at" range:"0s..3650d" unit:"moment"`
	// factor of delays once the drift is complete
	// Source: scenario
	Factor float64 `toml:"factor" range:"0.01..100" required:"true"`
	// time in which the drift grows linearly; 0: at once
	// Source: scenario
	Over vt.Span `toml:"over" range:"0s..3650d"`
}

// FactorAt returns the factor of the drift at the time now: 1 up to At, then
// linear to Factor within Over.
func (v *Drift) FactorAt(now vt.Time) float64 {
	switch part := v.Part(now); part {
	case 0:
		return 1
	case 1:
		return v.Factor
	default:
		return 1 + float64((v.Factor-1)*part)
	}
}

// Part returns how much of the drift is complete at the time now, 0 to 1.
func (v *Drift) Part(now vt.Time) float64 {
	since := now.Sub(vt.Time(v.At))
	switch {
	case since < 0:
		return 0
	case since >= v.Over:
		return 1
	}
	return float64(since) / float64(v.Over)
}
