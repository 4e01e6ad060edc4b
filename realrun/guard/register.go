package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"flyball/internal/durable"
	"flyball/internal/input"
	"flyball/realrun/dial"
)

// Claim is what one of the servers that divide caps says of itself before it makes attempts, and again and again while
// it makes them.
type Claim struct {
	Counts string            `json:"counts"` // random text that lies beside its counts of attempts
	Now    time.Time         `json:"now"`    // by its clock
	Same   map[string]string `json:"same"`   // what must be the same for all servers, by its name
}

// Grant lets a server make attempts.
type Grant struct {
	// Among has the numbers of servers among which the caps were divided within the last 24 hours.
	Among []int `json:"among"`
}

// Least returns the caps of server i, from 0 on: the least of its shares, so that the attempts of all servers within 24
// hours are no more than c also while a server comes or goes.
func (g Grant) Least(c dial.Caps, i int) (least dial.Caps) {
	for at, n := range g.Among {
		share := dial.Caps{}
		if i < n {
			share = Share(c, i, n)
		}
		if at == 0 {
			least = share
		}
		least.PerDay, least.PerSecond = min(least.PerDay, share.PerDay), min(least.PerSecond, share.PerSecond)
	}
	return least
}

// Register admits the servers that divide caps, and knows who was admitted lately, also after a restart. Any goroutine
// may call its methods.
type Register struct {
	file    string
	servers int
	same    map[string]string
	now     func() time.Time

	lock sync.Mutex
	has  registered
}

// registered is the content of the file.
type registered struct {
	Divided []division       `json:"divided"` // the last one is in force
	Seen    map[string]sight `json:"seen"`    // by server
}

// division is a number of servers, and when one of them was last admitted.
type division struct {
	Servers int       `json:"servers"`
	Until   time.Time `json:"until"`
}

// sight is the last time that a server was admitted.
type sight struct {
	Counts string    `json:"counts"`
	At     time.Time `json:"at"`
}

// Times of a register: how old what it has on the disk may be, and for how long a server counts after it was seen. What
// a server counts lies in minutes.
const (
	stale    = time.Minute
	remember = day*time.Second + 3*time.Minute
)

// OpenRegister returns the register in a file, which need not be there. Same is what all of the servers must have the
// same of, by its name.
func OpenRegister(file string, servers int, same map[string]string, now func() time.Time) (*Register, error) {
	r := &Register{file: file, servers: servers, same: same, now: now, has: registered{Seen: map[string]sight{}}}
	text, err := input.Read(file, input.Manifest)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		if err = json.Unmarshal(text, &r.has); err == nil && r.has.Seen == nil {
			err = errors.New("got no servers")
		}
		if err != nil {
			err = fmt.Errorf("%w: %s: want a file that an earlier run wrote: %w", dial.ErrRefused, file, err)
		}
	}
	return r, err
}

// Admit admits a server. The error wraps dial.ErrRefused if the server must make no attempts, and says why.
func (r *Register) Admit(server string, c Claim) (g Grant, err error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	now := r.now()
	if by := c.Now.Sub(now); by > skew || by < -skew {
		return g, fmt.Errorf("%w: got %s by the clock of %s, want %s", dial.ErrRefused, utc(c.Now.Unix()), server,
			utc(now.Unix()))
	}
	for _, name := range slices.Sorted(maps.Keys(r.same)) {
		if got, want := c.Same[name], r.same[name]; got != want {
			return g, fmt.Errorf("%w: %s: got %.60s, want %.60s as the A server has it", dial.ErrRefused, name, got,
				want)
		}
	}
	had := r.has.Seen[server]
	if free := had.At.Add(remember); had.Counts != c.Counts && now.Before(free) {
		return g, fmt.Errorf("%w: got another folder than that with the counts of %s of %s: does it run twice? Else "+
			"wait until %s", dial.ErrRefused, server, utc(had.At.Unix()), utc(free.Unix()))
	}
	n := len(r.has.Divided)
	if n == 0 || r.has.Divided[n-1].Servers != r.servers || !isFresh(now, r.has.Divided[n-1].Until) ||
		had.Counts != c.Counts || !isFresh(now, had.At) {
		if err := r.note(server, sight{c.Counts, now}); err != nil {
			return g, err
		}
	}
	for _, d := range r.has.Divided {
		g.Among = append(g.Among, d.Servers)
	}
	return g, nil
}

// isFresh reports whether a time on the disk is new enough.
func isFresh(now, at time.Time) bool { return !now.Before(at) && now.Before(at.Add(stale)) }

// note writes that a server is admitted, durably, and forgets divisions that count no more.
func (r *Register) note(server string, s sight) error {
	next := registered{slices.Clone(r.has.Divided), maps.Clone(r.has.Seen)}
	next.Divided = slices.DeleteFunc(next.Divided, func(d division) bool {
		return d.Servers == r.servers || !s.At.Before(d.Until.Add(remember))
	})
	next.Divided = append(next.Divided, division{r.servers, s.At})
	next.Seen[server] = s
	text, err := json.MarshalIndent(next, "", "  ")
	if err == nil {
		err = durable.Write(r.file, append(text, '\n'))
	}
	if err == nil {
		r.has = next
	}
	return err
}
