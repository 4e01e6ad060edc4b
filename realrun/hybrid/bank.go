package hybrid

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// bank is several servers that do the same. They are asked in turn, and those that were out of reach shortly before
// after all others.
type bank struct {
	all  []netip.AddrPort
	rest time.Duration

	lock sync.Mutex
	next int
	down map[netip.AddrPort]time.Time // when each was last out of reach

	failed func(netip.AddrPort) // of a Config
}

func newBank(all []netip.AddrPort, c *Config) *bank {
	return &bank{all: all, rest: c.Rest, down: map[netip.AddrPort]time.Time{}, failed: c.Failed}
}

// order returns the servers in the order in which to ask them.
func (b *bank) order(now time.Time) []netip.AddrPort {
	b.lock.Lock()
	defer b.lock.Unlock()
	var up, down []netip.AddrPort
	for i := range b.all {
		at := b.all[(b.next+i)%len(b.all)]
		if since, is := b.down[at]; is && now.Sub(since) < b.rest {
			down = append(down, at)
		} else {
			up = append(up, at)
		}
	}
	b.next = (b.next + 1) % max(1, len(b.all))
	return slices.Concat(up, down)
}

// tried takes whether a server could be reached.
func (b *bank) tried(at netip.AddrPort, now time.Time, reached bool) {
	b.lock.Lock()
	defer b.lock.Unlock()
	if delete(b.down, at); !reached {
		b.down[at] = now
		if b.failed != nil {
			b.failed(at)
		}
	}
}
