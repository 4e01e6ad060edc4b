package sender

import (
	"cmp"
	"slices"

	"flyball/engine"
	"flyball/internal/mail"
)

// count returns the number of recipients at places.
func count(places []engine.Part) (n int) {
	for _, p := range places {
		n += int(p.To - p.From)
	}
	return n
}

// union returns the places of all parts, in their order.
func union(parts [][]engine.Part) (all []engine.Part) {
	places := slices.Concat(parts...)
	slices.SortFunc(places, func(a, b engine.Part) int { return cmp.Compare(a.From, b.From) })
	for _, p := range places {
		if n := len(all); n > 0 && all[n-1].To == p.From {
			all[n-1].To = p.To
		} else {
			all = append(all, p)
		}
	}
	return all
}

// without returns places, which are in order, but for those of p.
func without(places []engine.Part, p engine.Part) (rest []engine.Part) {
	for _, q := range places {
		before := engine.Part{From: q.From, To: min(q.To, p.From)}
		after := engine.Part{From: max(q.From, p.To), To: q.To}
		for _, v := range []engine.Part{before, after} {
			if v.From < v.To {
				rest = append(rest, v)
			}
		}
	}
	return rest
}

// both returns the places of part that are among rest, in the order of part.
func both(part, rest []engine.Part) (all []engine.Part) {
	for _, p := range part {
		for _, q := range rest {
			if v := (engine.Part{From: max(p.From, q.From), To: min(p.To, q.To)}); v.From < v.To {
				all = append(all, v)
			}
		}
	}
	return all
}

// split divides places into the first n and the rest.
func split(places []engine.Part, n int) (first, rest []engine.Part) {
	for i, p := range places {
		if size := int(p.To - p.From); n >= size {
			n -= size
			continue
		}
		middle := p.From + mail.Recipient(n)
		if first = slices.Clone(places[:i]); n > 0 {
			first = append(first, engine.Part{From: p.From, To: middle})
		}
		return first, append([]engine.Part{{From: middle, To: p.To}}, places[i+1:]...)
	}
	return slices.Clip(places), nil
}

// cut divides places of the list among servers, in proportion to weights.
func cut(places []engine.Part, weights []int) [][]engine.Part {
	parts := make([][]engine.Part, len(weights))
	for i, n := range shares(count(places), weights) {
		parts[i], places = split(places, n)
	}
	return parts
}

// head returns the first places of each part, in proportion to its length, n in all.
func head(parts [][]engine.Part, n int) [][]engine.Part {
	lengths := make([]int, len(parts))
	for i, p := range parts {
		lengths[i] = count(p)
	}
	all := make([][]engine.Part, len(parts))
	for i, n := range shares(n, lengths) {
		all[i], _ = split(parts[i], n)
	}
	return all
}

// shares divides n in proportion to weights.
func shares(n int, weights []int) []int {
	all := make([]int, len(weights))
	var total, sum, taken uint64
	for _, w := range weights {
		total += uint64(w)
	}
	if total == 0 {
		return all
	}
	for i, w := range weights {
		sum += uint64(w)
		want := uint64(n)*sum/total - taken
		taken += want
		all[i] = int(want)
	}
	return all
}
