package metrics

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Unix adds a time, in seconds since 1970, with pairs of a label and its value.
func (t *Text) Unix(name, help string, at time.Time, labels ...string) {
	t.Gauge(name, help, float64(at.UnixMilli())/1000, labels...)
}

// Heard is when a station has heard others last. The zero value has heard none. Any goroutine may use it.
type Heard struct {
	lock sync.Mutex
	last map[string]time.Time // by the name of the other station
}

// From takes that a station was heard just now.
func (h *Heard) From(name string) {
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.last == nil {
		h.last = map[string]time.Time{}
	}
	h.last[name] = time.Now()
}

// Add adds when each station was heard last, to the numbers of a station.
func (h *Heard) Add(t *Text, station string) {
	h.lock.Lock()
	defer h.lock.Unlock()
	for _, from := range slices.Sorted(maps.Keys(h.last)) {
		t.Unix("flyball_last_message_timestamp_seconds", "When the last message of another station came (Unix time).",
			h.last[from], "station", station, "from", from)
	}
}

// Buffer is the changes of a station that the storage server may lack. The zero value is of a station whose changes go
// to no storage server. Any goroutine may use it.
type Buffer struct {
	lock  sync.Mutex
	known bool // there is a storage server
	n     int
	since time.Time // when it last had all; zero: it has
}

// Has sets the number of changes that the storage server may lack.
func (b *Buffer) Has(n int) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.known, b.n = true, n
	if n == 0 {
		b.since = time.Time{}
	} else if b.since.IsZero() {
		b.since = time.Now()
	}
}

// Add adds how many changes there are, and since when, to the numbers of a station.
func (b *Buffer) Add(t *Text, station string) {
	b.lock.Lock()
	defer b.lock.Unlock()
	if !b.known {
		return
	}
	t.Gauge("flyball_buffered_changes", "Changes that the storage server has not confirmed.", float64(b.n),
		"station", station)
	if b.n > 0 {
		t.Unix("flyball_buffered_since_timestamp_seconds",
			"Since when there are changes that the storage server has not confirmed (Unix time).", b.since, "station",
			station)
	}
}
