package limits

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// The clocks equal a map from recipients to first sights with expiry, for any
// order of sights, deliveries and ages; and a restored copy is the same.
func TestClocksAreAMap(t *testing.T) {
	luck := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		var table Clocks
		type sight struct{ first, last vt.Time }
		book := map[mail.Recipient]sight{}
		now := vt.Time(0)
		most, spread := 1+luck.IntN(300), vt.Span(1+luck.IntN(3600))*vt.Second
		for range 5000 {
			now = now.Add(vt.Span(luck.Int64N(int64(spread))))
			to := mail.Recipient(luck.IntN(most)) * 4096 // they collide
			v, known := book[to]
			known = known && (int64(now)/1e9)-(int64(v.last)/1e9) <= 7*24*3600
			first, got := table.First(to, now)
			if got != known || known && first != v.first {
				t.Fatalf("recipient %d at %s: first seen at %s, %v; want %s, %v", to, now, first, got, v.first, known)
			}
			if luck.IntN(3) == 0 {
				table.Drop(to)
				delete(book, to)
				continue
			}
			if !known {
				v.first = now
			}
			v.last = now
			book[to] = v
			table.See(to, now, known)
		}
		saved := snap.Writer()
		table.State(saved)
		var restored Clocks
		restored.State(snap.Reader(bytes.Clone(saved.Data())))
		if restored.count != table.count || !slices.Equal(restored.slots, table.slots) {
			t.Fatal("restored, the clocks differ")
		}
	}
}
