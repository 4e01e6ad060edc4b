package rng

import (
	"math"
	"testing"
)

// The known-answer vectors of Philox4x32-10 published with Random123
// (kat_vectors: zeros, ones, digits of pi).
func TestPhiloxKnownAnswers(t *testing.T) {
	for _, v := range []struct {
		c    [4]uint32
		k    [2]uint32
		want Block
	}{
		{[4]uint32{}, [2]uint32{}, Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, [2]uint32{0xffffffff, 0xffffffff},
			Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0},
			Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		var got Block
		k := Key{v.k[0], v.k[1]}
		got[0], got[1], got[2], got[3] = k.Words(uint64(v.c[1])<<32|uint64(v.c[0]), v.c[2], Purpose(v.c[3]))
		if got != v.want {
			t.Errorf("Words(%x) of the key %x = %x, want %x", v.c, v.k, got, v.want)
		}
	}
}

// Names that differ in one part give unrelated draws: over neighbouring names
// the bits of the exclusive-or are balanced.
func TestNeighbouringNamesAreUnrelated(t *testing.T) {
	const n = 4096
	base := New(1, 0)
	neighbours := map[string]func(i uint64) Block{
		"entity":      func(i uint64) Block { return base.At(i+1, 0, 1) },
		"try":         func(i uint64) Block { return base.At(i, 1, 1) },
		"purpose":     func(i uint64) Block { return base.At(i, 0, 2) },
		"seed":        func(i uint64) Block { return New(2, 0).At(i, 0, 1) },
		"replication": func(i uint64) Block { return New(1, 1).At(i, 0, 1) },
	}
	for name, other := range neighbours {
		var ones int
		for i := range uint64(n) {
			a, b := base.At(i, 0, 1), other(i)
			for w := range a {
				for x := a[w] ^ b[w]; x != 0; x &= x - 1 {
					ones++
				}
			}
		}
		bits := float64(n * 128)
		if z := (float64(ones) - bits/2) / math.Sqrt(bits/4); math.Abs(z) > 5 {
			t.Errorf("%s: %d of %.0f bits differ, z = %.1f", name, ones, bits, z)
		}
	}
}

func TestBelowIsUniform(t *testing.T) {
	const n, draws = 7, 70000
	var seen [n]int
	for i := range uint64(draws) {
		seen[Below(New(3, 0).At(i, 0, 1)[0], n)]++
	}
	var chi2 float64
	for _, k := range seen {
		d := float64(k) - draws/n
		chi2 += d * d / (draws / n)
	}
	if chi2 > 22.46 { // chi-square, 6 degrees of freedom, p = 0.001
		t.Errorf("chi-square %.1f over %v", chi2, seen)
	}
}

func TestThreshold(t *testing.T) {
	for _, v := range []struct {
		p    float64
		want uint64
	}{{0, 0}, {1, 1 << 32}, {0.5, 1 << 31}, {0.25, 1 << 30}} {
		if got := Threshold(v.p); got != v.want {
			t.Errorf("Threshold(%v) = %d, want %d", v.p, got, v.want)
		}
	}
}

func BenchmarkAt(b *testing.B) {
	k := New(1, 0)
	var sum uint32
	for i := 0; b.Loop(); i++ {
		sum ^= k.At(uint64(i), 1, 2)[0]
	}
	_ = sum
}
