package mail_test

import (
	"math"
	"slices"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/rng"
)

// windows checks that no site has more than twice its share in any window of 100 of order, as far as whole
// recipients allow it: one of less than 0.4 percent may stand alone, one of less than one percent twice.
func windows(t *testing.T, order []int, sites int) {
	t.Helper()
	total := make([]int, sites)
	for _, d := range order {
		total[d]++
	}
	in := make([]int, sites)
	for i, d := range order {
		in[d]++
		if i >= 100 {
			in[order[i-100]]--
		}
		share := float64(total[d]) / float64(len(order))
		most := int(math.Ceil(200 * share))
		if share >= 0.004 {
			most = max(most, 2)
		}
		if in[d] > most {
			t.Fatalf("site %d has %d of 100 before place %d of %d, want at most %d: it is %d", d, in[d], i, len(order),
				most, total[d])
		}
	}
}

// Every recipient is at one place, each server has the recipients of each destination that it was dealt, and
// sites are interleaved, whatever the lengths are.
func TestDealIsInterleaved(t *testing.T) {
	key := rng.New(1, 2)
	for trial := range 400 {
		draw := func(n, of int) int {
			return int(key.At(uint64(trial)<<32|uint64(n), 0, 3)[0] % uint32(of))
		}
		sites, servers := 1+draw(0, 40), 1+draw(1, 5)
		counts, totals := make([]int64, sites*servers), make([]int64, sites)
		for d := range sites {
			for s := range servers {
				counts[d*servers+s] = int64(draw(10+d*servers+s, 1<<(1+draw(1000+d, 12))))
				totals[d] += counts[d*servers+s]
			}
		}
		list := mail.GroupedList([][]int64{totals})
		ends := list.Deal(0, counts, servers)
		seen := make([]bool, list.Len())
		from := mail.Recipient(0)
		for s, end := range ends {
			var order []int
			got := make([]int64, sites)
			for place := from; place < end; place++ {
				r := list.At(place)
				if seen[r] {
					t.Fatalf("recipient %d stands twice", r)
				}
				seen[r] = true
				d := list.Destination(r)
				got[d]++
				order = append(order, int(d))
			}
			for d, n := range got {
				if n != counts[d*servers+s] {
					t.Fatalf("server %d got %d of site %d, want %d", s, n, d, counts[d*servers+s])
				}
			}
			windows(t, order, sites)
			from = end
		}
		if slices.Contains(seen, false) {
			t.Fatal("some recipient stands nowhere")
		}
	}
}

// A list that was read keeps its recipients' numbers and destinations, also in several campaigns and sorted by
// domain as exports are.
func TestDealOfAReadList(t *testing.T) {
	dest := slices.Concat(slices.Repeat([]mail.Destination{2}, 600), slices.Repeat([]mail.Destination{0}, 300),
		slices.Repeat([]mail.Destination{1}, 100), []mail.Destination{1, 0, 1})
	read := mail.ReadList(dest)
	list := read.Group([]mail.Recipient{1000, 1003}, 3)
	if got := list.Groups(0); !slices.Equal(got, []int64{300, 100, 600}) {
		t.Fatalf("groups %v", got)
	}
	ends := list.Deal(0, []int64{100, 200, 0, 100, 600, 0}, 2)
	ends = append(ends, list.Deal(1, []int64{0, 1, 2, 0, 0, 0}, 2)...)
	if !slices.Equal(ends, []mail.Recipient{700, 1000, 1002, 1003}) {
		t.Fatalf("ends %v", ends)
	}
	seen := map[mail.Recipient]bool{}
	var order []int
	for place := range mail.Recipient(1003) {
		r := list.At(place)
		if seen[r] || list.Destination(r) != dest[r] || (place < 1000) != (r < 1000) {
			t.Fatalf("place %d has recipient %d of destination %d", place, r, list.Destination(r))
		}
		seen[r] = true
		order = append(order, int(dest[r]))
	}
	windows(t, order[:700], 3)
	windows(t, order[700:1000], 3)
	if order[1002] != 0 {
		t.Errorf("the second campaign's second server has a recipient of %d", order[1002])
	}
}

// A billion recipients take no memory of their own: every place is computed.
func TestDealOfABillion(t *testing.T) {
	list := mail.GroupedList([][]int64{{700_000_000, 299_999_999, 1}})
	ends := list.Deal(0, []int64{500_000_000, 200_000_000, 0, 299_999_999, 1, 0}, 2)
	if !slices.Equal(ends, []mail.Recipient{500_000_001, 1_000_000_000}) {
		t.Fatalf("ends %v", ends)
	}
	if r := list.At(500_000_000); r > 1_000_000_000 {
		t.Error(r)
	}
	var got [3]int
	for place := mail.Recipient(600_000_000); place < 600_100_000; place++ {
		got[list.Destination(list.At(place))]++
	}
	if got[0] < 39_990 || got[0] > 40_010 {
		t.Errorf("the second server has %v of 100,000, want 40,000 of the first destination", got)
	}
}

func BenchmarkDeal(b *testing.B) {
	counts := make([]int64, 50)
	for i := range counts {
		counts[i] = 20_000
	}
	list := mail.GroupedList([][]int64{counts})
	list.Deal(0, counts, 1)
	var sum mail.Recipient
	for i := range b.N {
		sum += list.At(mail.Recipient(i % 1_000_000))
	}
	_ = sum
}
