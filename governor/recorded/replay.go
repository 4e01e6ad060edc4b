package recorded

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"

	"flyball/governor"
	"flyball/internal/vt"
)

// Replay returns the decisions of a new governor on each sample in turn. A sample
// without a target gets the target of c at the end of its interval; the first
// interval begins at time 0. The error joins all problems of c.
func Replay(c governor.Config, samples []governor.Sample) ([]governor.Decision, error) {
	g, err := governor.New(c)
	if err != nil {
		return nil, err
	}
	decisions := make([]governor.Decision, len(samples))
	var now vt.Time
	for i, s := range samples {
		now = now.Add(s.Span)
		if s.TargetRate == 0 {
			s.TargetRate = c.TargetAt(now)
		}
		decisions[i] = g.Decide(s)
	}
	return decisions, nil
}

// Write writes CSV with one row per decision and its sample; the two slices have
// the same length. The first interval is 0. The column reservable assumes that
// allocated_mean, rounded down, processes are allocated at that moment;
// next_target_per_h is the rate that the decision is to attain. Numbers have up
// to ten significant digits; infinite and undefined numbers are left empty. Read
// reads deliveries and processes back; other measurements are not written.
func Write(w io.Writer, samples []governor.Sample, decisions []governor.Decision) error {
	if len(samples) != len(decisions) {
		panic(fmt.Sprintf("recorded: %d samples but %d decisions", len(samples), len(decisions)))
	}
	out := csv.NewWriter(w)
	out.Write([]string{"interval", "hours", "delivered", "allocated_mean", "rate_per_h", "efficiency", "utilization",
		"available_prev", "target_available", "step", "available", "reservable", "flags", "next_target_per_h"})
	for i, d := range decisions {
		s := samples[i]
		out.Write([]string{
			strconv.Itoa(i), number(s.Span.Hours()), strconv.FormatUint(s.Delivered, 10), number(s.Allocated),
			number(d.Rate), number(d.Efficiency), number(d.Utilization), number(d.Previous), number(d.Target),
			number(d.Step),
			number(d.Available), strconv.Itoa(governor.Reservable(d.Available, int(s.Allocated))), d.Flags.String(),
			number(d.TargetRate),
		})
	}
	out.Flush()
	return out.Error()
}

func number(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', 10, 64)
}
