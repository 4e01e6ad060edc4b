// Package agenda is a queue of values by time: values of the same time come out by rank, and then in the order in which
// they went in.
// For events of entities that have at most one each, package evq is quicker.
package agenda

import (
	"cmp"

	"flyball/internal/vt"
)

// Agenda is a binary heap. The zero Agenda is empty and ready to use. Not safe for concurrent use.
type Agenda[T any] struct {
	all   []entry[T]
	count uint64
}

type entry[T any] struct {
	at    vt.Time
	order uint64 // of values of the same time: the rank in the highest byte, then the number of the value
	value T
}

func (e *entry[T]) before(o *entry[T]) bool {
	return cmp.Or(cmp.Compare(e.at, o.at), cmp.Compare(e.order, o.order)) < 0
}

// Len returns the number of values.
func (a *Agenda[T]) Len() int { return len(a.all) }

// Next returns the time of the first value; vt.Never if there is none.
func (a *Agenda[T]) Next() vt.Time {
	if len(a.all) == 0 {
		return vt.Never
	}
	return a.all[0].at
}

// Add adds a value at the time at with the rank 0, behind all others of that time and rank.
func (a *Agenda[T]) Add(at vt.Time, value T) { a.AddRanked(at, 0, value) }

// AddRanked adds a value at the time at, behind all values of that time whose rank is not higher.
func (a *Agenda[T]) AddRanked(at vt.Time, rank uint8, value T) {
	a.count++
	all := append(a.all, entry[T]{at, uint64(rank)<<56 | a.count, value})
	for i := len(all) - 1; i > 0; {
		up := (i - 1) / 2
		if !all[i].before(&all[up]) {
			break
		}
		all[i], all[up] = all[up], all[i]
		i = up
	}
	a.all = all
}

// Pop removes and returns the first value with its time. It panics if there is none.
func (a *Agenda[T]) Pop() (at vt.Time, value T) {
	all := a.all
	first := all[0]
	last := len(all) - 1
	all[0] = all[last]
	all[last] = entry[T]{} // for the garbage collector
	all = all[:last]
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			break
		}
		if down+1 < last && all[down+1].before(&all[down]) {
			down++
		}
		if !all[down].before(&all[i]) {
			break
		}
		all[i], all[down] = all[down], all[i]
		i = down
	}
	a.all = all
	return first.at, first.value
}
