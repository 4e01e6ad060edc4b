package mail

import (
	"math"
	"slices"
	"sort"
)

// deal is the order in which the recipients of a partitioned list are taken. Recipients keep their
// numbers, so that the same recipient meets the same luck however the list is partitioned. A place is a
// position in that order: each campaign has the places of its own recipients, and each server's part
// of a campaign is a run of places. A deal holds nothing per recipient of a synthetic list, and four
// bytes for each of a list that was read.
type deal struct {
	destinations int
	starts       []Recipient // first recipient of each destination of each campaign, campaign by campaign
	sorted       []Recipient // recipients in order of campaigns and destinations; nil: as their numbers are
	parts        []dealt     // in order of places
}

// dealt is one server's part of a campaign. Its recipients are thought of in order of destinations, and
// taken with a step of the golden ratio of their number, so that every destination's lie as evenly as
// all others.
type dealt struct {
	campaign     int
	first, count Recipient
	step         uint64
	ends         []Recipient // of its destinations, in its order of destinations
	from         []Recipient // first of its recipients of each destination, in order of destinations
}

// GroupedList returns a synthetic list in which a campaign has exactly counts of recipients at each
// destination, and recipients are numbered by campaigns and destinations.
func GroupedList(counts [][]int64) List {
	l := List{deal: &deal{}}
	next := Recipient(0)
	for _, each := range counts {
		l.deal.destinations = len(each)
		for _, n := range each {
			l.deal.starts = append(l.deal.starts, next)
			next += Recipient(n)
		}
	}
	l.count = int(next)
	l.deal.starts = append(l.deal.starts, next)
	return l
}

// Group returns the list, whose campaigns end at ends, made ready for Deal.
func (l *List) Group(ends []Recipient, destinations int) List {
	g := *l
	g.deal = &deal{destinations: destinations, sorted: make([]Recipient, l.count)}
	first := Recipient(0)
	for _, end := range ends {
		next := make([]Recipient, destinations)
		for r := first; r < end; r++ {
			next[l.Destination(r)]++
		}
		at := first
		for d, n := range next {
			next[d] = at
			g.deal.starts = append(g.deal.starts, at)
			at += n
		}
		for r := first; r < end; r++ {
			d := l.Destination(r)
			g.deal.sorted[next[d]] = r
			next[d]++
		}
		first = end
	}
	g.deal.starts = append(g.deal.starts, first)
	return g
}

// Grouped reports whether the list is ready for Deal.
func (l *List) Grouped() bool { return l.deal != nil }

// Groups returns the number of recipients of a campaign at each destination, of a grouped list.
func (l *List) Groups(campaign int) []int64 {
	all := make([]int64, l.deal.destinations)
	for d := range all {
		at := campaign*len(all) + d
		all[d] = int64(l.deal.starts[at+1] - l.deal.starts[at])
	}
	return all
}

// Deal gives the recipients of a campaign of a grouped list to servers, by counts for each destination
// and then server, and returns the place at which each server's part ends; the first begins at the
// campaign's first recipient. Campaigns are dealt in any order; dealing one again replaces its parts.
func (l *List) Deal(campaign int, counts []int64, servers int) []Recipient {
	v := l.deal
	at := v.starts[campaign*v.destinations]
	given := append([]Recipient(nil), v.starts[campaign*v.destinations:(campaign+1)*v.destinations]...)
	var ends []Recipient
	var parts []dealt
	for s := range servers {
		p := dealt{campaign: campaign, first: at, ends: make([]Recipient, v.destinations),
			from: make([]Recipient, v.destinations)}
		for d := range v.destinations {
			n := Recipient(counts[d*servers+s])
			p.from[d] = given[d]
			given[d] += n
			p.count += n
			p.ends[d] = p.count
		}
		p.step = goldenStep(uint64(p.count))
		at += p.count
		ends = append(ends, at)
		parts = append(parts, p)
	}
	v.parts = slices.DeleteFunc(v.parts, func(p dealt) bool { return p.campaign == campaign })
	next := sort.Search(len(v.parts), func(i int) bool { return v.parts[i].campaign > campaign })
	v.parts = slices.Insert(v.parts, next, parts...)
	return ends
}

// goldenStep returns a number without a factor in common with n whose multiples, modulo n, keep apart from
// each other as those of n / 1.618 do: of the numbers around that, the one whose first 143 multiples
// do so best, or the first that does nearly as well as the golden ratio itself. The first
// hundred also keep about n / 200 apart, so that a destination with less than that stands once in a hundred.
func goldenStep(n uint64) uint64 {
	const golden, window, tries = 0.3, 144, 4000
	middle := uint64(math.Round(float64(n) * (math.Sqrt(5) - 1) / 2))
	best, apart := uint64(1), -1.0
	for i := range min(tries, 2*n) {
		step := middle + (i+1)/2
		if i%2 == 0 {
			step = middle - min(i/2, middle)
		}
		if step == 0 || step >= n || gcd(n, step) != 1 {
			continue
		}
		least := 1.0
		for q := uint64(1); q < min(window, n) && least > apart; q++ {
			off := q * step % n
			off = min(off, n-off)
			least = min(least, float64(q*off)/float64(n))
			if q < 100 { // neighbours among fewer than n / 200 are less than that apart
				least = min(least, 200*golden*float64(off)/float64(n))
			}
		}
		if least > apart {
			best, apart = step, least
		}
		if apart >= golden-1e-9 {
			break
		}
	}
	return best
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// recipient returns the recipient at a place.
func (v *deal) recipient(place Recipient) Recipient {
	p := &v.parts[sort.Search(len(v.parts), func(i int) bool { return v.parts[i].first > place })-1]
	rank := Recipient(uint64(place-p.first) * p.step % uint64(p.count))
	d := sort.Search(len(p.ends), func(i int) bool { return p.ends[i] > rank })
	if d > 0 {
		rank -= p.ends[d-1]
	}
	r := p.from[d] + rank
	if v.sorted != nil {
		r = v.sorted[r]
	}
	return r
}

// destination returns the destination of a recipient of a synthetic list.
func (v *deal) destination(r Recipient) Destination {
	at := sort.Search(len(v.starts), func(i int) bool { return v.starts[i] > r }) - 1
	return Destination(at % v.destinations)
}
