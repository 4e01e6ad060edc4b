package metrics

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// Counts is counters of one name, by the values of their labels. Any goroutine may use it.
type Counts struct {
	name, help string
	labels     []string
	lock       sync.Mutex
	n          map[string]uint64 // by the values, with between behind each
}

// between ends each value in a key of counters.
const between = "\x00"

// NewCounts returns counters of a name that have labels.
func NewCounts(name, help string, labels ...string) *Counts {
	return &Counts{name: name, help: help, labels: labels, n: map[string]uint64{}}
}

// Count adds n, which may be 0 so that a counter is there before something happens, to the counter with a value of each
// label.
func (c *Counts) Count(n uint64, values ...string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.n[strings.Join(values, between)] += n
}

// Add adds all counters to a text, each with more pairs of a label and its value before its own.
func (c *Counts) Add(t *Text, more ...string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	for _, key := range slices.Sorted(maps.Keys(c.n)) {
		labels := slices.Clone(more)
		for i, value := range strings.Split(key, between) {
			labels = append(labels, c.labels[i], value)
		}
		t.Counter(c.name, c.help, c.n[key], labels...)
	}
}
