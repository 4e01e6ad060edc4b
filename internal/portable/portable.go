// Package portable computes functions that have the same digits on every
// processor. Package math computes some of them differently on different
// processors, and a decision must not depend on the processor. Results equal
// the results of package math except in the last digits. Governors call it.
package portable

import "math"

// Log returns the natural logarithm of a positive finite number.
func Log(x float64) float64 {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m *= 2
		e--
	}
	// Log m = 2 artanh f, |f| <= 0.1716
	f := (m - 1) / (m + 1)
	square := float64(f * f)
	sum := 0.0
	for k := 21; k >= 1; k -= 2 {
		sum = float64(sum*square) + 1/float64(k)
	}
	return float64(float64(e)*math.Ln2) + float64(2*f*sum)
}

// Exp returns e to the power of x, which is limited to -700 to 700.
func Exp(x float64) float64 {
	x = min(max(x, -700), 700)
	k := math.Round(x / math.Ln2)
	r := x - float64(k*math.Ln2)
	sum := 1.0
	for i := 15; i >= 1; i-- {
		sum = 1 + float64(r*sum)/float64(i)
	}
	return math.Ldexp(sum, int(k))
}

// Rounded returns v without the digits in which processors may differ.
func Rounded(v float64) float64 { return math.Round(v*(1<<20)) / (1 << 20) }
