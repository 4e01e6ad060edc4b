package agenda

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"flyball/internal/vt"
)

func TestOrder(t *testing.T) {
	type value struct {
		at     vt.Time
		rank   uint8
		number int
	}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var a Agenda[value]
		var held []value
		for number := range 300 {
			if len(held) > 0 && r.IntN(3) == 0 {
				slices.SortFunc(held, func(x, y value) int {
					return cmp.Or(cmp.Compare(x.at, y.at), cmp.Compare(x.rank, y.rank),
						cmp.Compare(x.number, y.number))
				})
				if a.Next() != held[0].at || a.Len() != len(held) {
					t.Fatalf("seed %d: next of %d at %v, want of %d at %v", seed, a.Len(), a.Next(), len(held),
						held[0].at)
				}
				if at, got := a.Pop(); got != held[0] || at != got.at {
					t.Fatalf("seed %d: got %v at %v, want %v", seed, got, at, held[0])
				}
				held = held[1:]
				continue
			}
			v := value{vt.Time(r.IntN(40)), uint8(r.IntN(3)), number}
			if v.rank == 0 {
				a.Add(v.at, v)
			} else {
				a.AddRanked(v.at, v.rank, v)
			}
			held = append(held, v)
		}
	}
	var none Agenda[int]
	if none.Next() != vt.Never || none.Len() != 0 {
		t.Errorf("an empty one has %d at %v", none.Len(), none.Next())
	}
}
