package names

import (
	"container/list"
	"context"
	"sync"

	"flyball/internal/vt"
)

// mostEntries is the number of answers that a cache keeps at most.
const mostEntries = 100_000

// cache keeps answers for as long as they hold, and lets look-ups of one question
// that happen at the same time share one answer. Safe for concurrent use.
type cache struct {
	now func() vt.Time
	ask func(context.Context, question) answer // must return

	mu      sync.Mutex
	kept    map[question]*list.Element // of *entry
	recent  list.List                  // the most recently used entry first
	flights map[question]*flight
	count   Count
}

// entry is an answer that is kept until a time.
type entry struct {
	question
	answer
	until vt.Time
}

// flight is a question that is being asked.
type flight struct {
	landed chan struct{} // closed when answer is set
	answer answer
}

// Count counts what became of the questions of look-ups.
type Count struct {
	Kept   uint64 // answered from the cache
	Shared uint64 // answered together with an equal question
	Asked  uint64 // sent to the server
}

func newCache(now func() vt.Time, ask func(context.Context, question) answer) *cache {
	return &cache{now: now, ask: ask, kept: map[question]*list.Element{}, flights: map[question]*flight{}}
}

// get returns the answer to q. When ctx ends before it comes, the answer is silent,
// and what comes later is kept for others. Nothing is asked once ctx has ended.
func (c *cache) get(ctx context.Context, q question) answer {
	c.mu.Lock()
	if a, ok := c.find(q); ok {
		c.count.Kept++
		c.mu.Unlock()
		return a
	}
	f, ok := c.flights[q]
	switch {
	case ok:
		c.count.Shared++
	case ctx.Err() != nil:
		c.mu.Unlock()
		return answer{status: silent}
	default:
		f = &flight{landed: make(chan struct{})}
		c.flights[q] = f
		c.count.Asked++
		go c.fly(f, q)
	}
	c.mu.Unlock()
	select {
	case <-f.landed:
		return f.answer
	case <-ctx.Done():
		return answer{status: silent}
	}
}

// fly asks q and gives the answer to all who wait for it.
func (c *cache) fly(f *flight, q question) {
	f.answer = c.ask(context.Background(), q)
	c.mu.Lock()
	delete(c.flights, q)
	c.keep(q, f.answer)
	c.mu.Unlock()
	close(f.landed)
}

// find returns the answer to q that is kept, if it still holds.
func (c *cache) find(q question) (answer, bool) {
	e, ok := c.kept[q]
	if !ok {
		return answer{}, false
	}
	v := e.Value.(*entry)
	if c.now() >= v.until {
		c.drop(e)
		return answer{}, false
	}
	c.recent.MoveToFront(e)
	return v.answer, true
}

// keep keeps the answer to q for its time, in place of the one used least recently if
// there is no room.
func (c *cache) keep(q question, a answer) {
	held := a.ttl
	if a.status == failed || a.status == silent || q == control && a.status < failed {
		held = failureTTL
	}
	if held <= 0 {
		return
	}
	if e, ok := c.kept[q]; ok {
		c.drop(e)
	}
	if len(c.kept) >= mostEntries {
		c.drop(c.recent.Back())
	}
	c.kept[q] = c.recent.PushFront(&entry{q, a, c.now().Add(held)})
}

func (c *cache) drop(e *list.Element) {
	delete(c.kept, c.recent.Remove(e).(*entry).question)
}
