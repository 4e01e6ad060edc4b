package mail

import (
	"crypto/sha256"
	"fmt"
	"math"
	"testing"

	"flyball/internal/rng"
)

// Each destination gets its share of a synthetic list, within 4 standard
// deviations; shares need not add up to 1.
func TestSyntheticListShares(t *testing.T) {
	const n = 200000
	for _, shares := range [][]float64{{1}, {1, 1}, {70, 30}, {0, 3, 0, 1}, {0.004, 0.996}, {1, 2, 3, 4}, {5, 0}} {
		list := SyntheticList(n, shares, rng.New(1, 0))
		if list.Len() != n {
			t.Errorf("%v: %d recipients", shares, list.Len())
		}
		seen := make([]int, len(shares))
		for r := range Recipient(n) {
			seen[list.Destination(r)]++
		}
		var total float64
		for _, s := range shares {
			total += s
		}
		for d, s := range shares {
			p := s / total
			if want := n * p; math.Abs(float64(seen[d])-want) > 4*math.Sqrt(want*(1-p)) {
				t.Errorf("%v: destination %d has %d, want %.0f", shares, d, seen[d], want)
			}
		}
	}
}

// A recipient's destination is a matter of its number and the seed, not of the
// list's length or of what was asked before.
func TestSyntheticListIsNamed(t *testing.T) {
	shares := []float64{1, 2, 3}
	short, long, other := SyntheticList(100, shares, rng.New(1, 0)), SyntheticList(100000, shares, rng.New(1, 0)),
		SyntheticList(100, shares, rng.New(2, 0))
	differ := 0
	for r := Recipient(99); r < 100; r-- {
		if short.Destination(r) != long.Destination(r) {
			t.Fatalf("recipient %d goes to %d and %d", r, short.Destination(r), long.Destination(r))
		}
		if short.Destination(r) != other.Destination(r) {
			differ++
		}
	}
	if differ == 0 {
		t.Error("another seed makes no difference")
	}
}

// Neighbours share a block of draws; their destinations are independent all
// the same.
func TestSyntheticNeighboursAreIndependent(t *testing.T) {
	const n = 200000
	list := SyntheticList(n, []float64{1, 3}, rng.New(9, 0))
	for lag := Recipient(1); lag <= 4; lag++ {
		both := 0
		for r := range Recipient(n) {
			if list.Destination(r) == 0 && list.Destination(r+lag) == 0 {
				both++
			}
		}
		if want := n / 16.0; math.Abs(float64(both)-want) > 4*math.Sqrt(want) {
			t.Errorf("%d apart: %d pairs, want %.0f", lag, both, want)
		}
	}
}

func TestReadList(t *testing.T) {
	list := ReadList([]Destination{2, 0, 1})
	if list.Len() != 3 || list.Destination(0) != 2 || list.Destination(1) != 0 || list.Destination(2) != 1 {
		t.Errorf("%d recipients, at %d %d %d", list.Len(), list.Destination(0), list.Destination(1),
			list.Destination(2))
	}
	if empty := ReadList([]Destination{}); empty.Len() != 0 {
		t.Errorf("%d recipients in an empty list", empty.Len())
	}
}

// The digest is SHA-256 over two bytes a recipient, the lower one first,
// whatever the list is made of and however many blocks it takes.
func TestListDigest(t *testing.T) {
	for _, n := range []int{0, 1, 2047, 2048, 2049, 10_000} {
		synthetic := SyntheticList(n, []float64{1, 2, 3}, rng.New(1, 2))
		var to []Destination
		var text []byte
		for r := range n {
			d := synthetic.Destination(Recipient(r))
			to, text = append(to, d+300), append(text, byte(d+300), byte((d+300)>>8))
		}
		read := ReadList(to)
		if want := fmt.Sprintf("%x", sha256.Sum256(text))[:32]; read.Digest() != want {
			t.Errorf("%d recipients: %s, want %s", n, read.Digest(), want)
		}
		for i := range to {
			to[i] -= 300
		}
		if n > 0 && read.Digest() != synthetic.Digest() {
			t.Errorf("%d recipients: the same list, read, has another digest", n)
		}
	}
}

// A reader that keeps four finds the same recipients and destinations, whichever order it asks in, up
// to the end of a list that is not a multiple of four.
func TestInOrderIsDestination(t *testing.T) {
	synthetic, single := SyntheticList(103, []float64{1, 2, 3}, rng.New(1, 0)), SyntheticList(103, []float64{1},
		rng.New(1, 0))
	read := make([]Destination, 103)
	for i := range read {
		read[i] = Destination(1 + i)
	}
	fromFile := ReadList(read)
	dealt, grouped := fromFile.Group([]Recipient{103}, 104), GroupedList([][]int64{{60, 43}})
	dealt.Deal(0, dealt.Groups(0), 1)
	grouped.Deal(0, grouped.Groups(0), 1)
	for name, list := range map[string]*List{"synthetic": &synthetic, "single": &single, "read": &fromFile,
		"dealt": &dealt, "grouped": &grouped} {
		for step := range Recipient(103) {
			var four Four
			for i := range Recipient(103) {
				place := i * step % 103
				want := list.At(place)
				if r, d := list.InOrder(place, &four); r != want || d != list.Destination(want) {
					t.Fatalf("%s list, step %d: at %d is %d for %d, want %d for %d", name, step, place, r, d, want,
						list.Destination(want))
				}
			}
		}
	}
}

// A list grows by mailings in any order, and a reader that has kept four finds what came after.
func TestListGrows(t *testing.T) {
	l := ReadList([]Destination{})
	var four Four
	l.Put(6, []Destination{1, 2, 3})
	if _, d := l.InOrder(6, &four); l.Len() != 9 || d != 1 || l.Destination(0) != 0 {
		t.Errorf("got %d recipients, the one at 6 for %d", l.Len(), d)
	}
	l.Put(4, []Destination{4, 5})
	l.Put(9, []Destination{6})
	l.Put(2, nil)
	for r, want := range []Destination{0, 0, 0, 0, 4, 5, 1, 2, 3, 6} {
		if _, d := l.InOrder(Recipient(r), &four); d != want || l.Destination(Recipient(r)) != want {
			t.Errorf("recipient %d goes to %d, want %d", r, d, want)
		}
	}
}
