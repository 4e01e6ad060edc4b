package storage

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"flyball/internal/list"
	"flyball/internal/mail"
)

// entryOf returns what the store keeps of an entry: "p" and a Person, or "d" and a domain.
func (s *Store) entryOf(e list.Entry) []byte {
	if e.Address == (mail.Address{}) {
		return []byte("d" + e.Domain)
	}
	p := s.hash.person(e.Address)
	return append([]byte("p"), p[:]...)
}

// Suppress makes addresses and domains get no mail, from any list. It returns how many of them were not suppressed
// before. After it has returned they are durable, and each Suppressed that Follow feeds has them soon.
func (s *Store) Suppress(ctx context.Context, entries []list.Entry) (added int, err error) {
	err = s.change(ctx, "suppress", "", func(tx *sql.Tx) (int64, error) {
		for _, e := range entries {
			n, err := s.suppress(ctx, tx, s.entryOf(e), suppressed, command)
			if err != nil {
				return 0, err
			}
			added += int(n)
		}
		return int64(added), nil
	})
	return added, err
}

// States of suppression entries, in their column forgotten.
const (
	suppressed = 0
	forgotten  = 1
	lifted     = 2 // who asked for mail again
)

// suppress gives an entry a state and its reason, and returns 1, or 0 if it had the state or was forgotten. An entry
// that changes has a new number, by which those who follow the entries see it.
func (s *Store) suppress(ctx context.Context, tx querier, entry []byte, state int, why Reason) (int64, error) {
	r, err := tx.ExecContext(ctx, `insert into suppression (number, entry, forgotten, at, why)
		select coalesce(max(number), 0) + 1, $1, $2, $3, $4 from suppression where true
		on conflict (entry) do update set number = excluded.number, forgotten = excluded.forgotten, at = excluded.at,
			why = excluded.why where suppression.forgotten <> excluded.forgotten and suppression.forgotten <> $5`,
		entry, state, s.now(), string(why), forgotten)
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	if err == nil && n == 0 && why != Asked { // a reason that the person cannot undo counts more than one that can be
		_, err = tx.ExecContext(ctx, `update suppression set why = $1 where entry = $2 and forgotten = $3 and why = $4`,
			string(why), entry, suppressed, string(Asked))
	}
	return n, err
}

// Suppressed is the set of those who get no mail, in memory: the last gate asks it for every message. Any goroutine may
// use it.
type Suppressed struct {
	hash    *hasher
	lock    sync.RWMutex
	people  map[Person]struct{}
	domains map[string]struct{}
	list    string              // whose own entries count too; empty: no list's
	all     bool                // own has the entries of all lists
	own     map[ofList]struct{} // who gets no mail of a list
	last    int64               // number of the last entry
}

// ofList is a person who gets no mail of a list.
type ofList struct {
	who  Person
	list string
}

// Has reports whether a must not be mailed.
func (v *Suppressed) Has(a mail.Address) bool { return v.HasIn(v.list, a) }

// HasIn reports whether a must get no mail of a list; of no list if it is empty. Unless v has the entries of all lists,
// it must be the list of v.
func (v *Suppressed) HasIn(list string, a mail.Address) bool {
	v.lock.RLock()
	defer v.lock.RUnlock()
	if len(v.domains) > 0 {
		if _, ok := v.domains[a.Domain]; ok {
			return true
		}
	}
	if len(v.people)+len(v.own) == 0 {
		return false
	}
	who := v.hash.person(a)
	if _, ok := v.people[who]; ok {
		return true
	}
	_, ok := v.own[ofList{who, list}]
	return ok
}

// Len returns the number of people and domains.
func (v *Suppressed) Len() int {
	v.lock.RLock()
	defer v.lock.RUnlock()
	return len(v.people) + len(v.domains) + len(v.own)
}

// Suppressed returns the set of those who get no mail of any list, as it is now.
func (s *Store) Suppressed(ctx context.Context) (*Suppressed, error) { return s.SuppressedIn(ctx, "") }

// SuppressedIn returns the set of those who get no mail of a list, as it is now.
func (s *Store) SuppressedIn(ctx context.Context, list string) (*Suppressed, error) {
	v := s.newSuppressed()
	v.list = list
	return v, s.update(ctx, s.db, v, all)
}

// Conditions of suppression entries.
const (
	all           = ""
	onlyForgotten = "and forgotten = 1"
)

func (s *Store) newSuppressed() *Suppressed {
	return &Suppressed{hash: s.hash, people: map[Person]struct{}{}, domains: map[string]struct{}{},
		own: map[ofList]struct{}{}}
}

// Entries are entries of a store's suppression, as another process may have them: keyed hashes, and their key.
type Entries struct {
	Key  []byte  `json:"key"`
	All  []Entry `json:"entries"` // in the order of their numbers
	More bool    `json:"more,omitempty"`
}

// Entry is a person or a domain that gets no mail, or did once.
type Entry struct {
	Number int64  `json:"number"`
	Entry  []byte `json:"entry"`
	State  int    `json:"state"`
}

// Entries returns the entries after a number, at most a bounded number of them.
func (s *Store) Entries(ctx context.Context, after int64) (Entries, error) {
	all, err := s.entries(ctx, s.db, after, all)
	return Entries{Key: s.hash[:], All: all, More: len(all) == perUpdate}, err
}

func (s *Store) entries(ctx context.Context, from querier, after int64, condition string) (fresh []Entry, err error) {
	err = each(ctx, from, func(scan func(...any) error) error {
		var c Entry
		err := scan(&c.Number, &c.Entry, &c.State)
		fresh = append(fresh, c)
		return err
	}, `select number, entry, forgotten from suppression where number > $1 `+condition+` order by number
		limit $2`, after, perUpdate)
	return fresh, err
}

// NewSuppressed returns a set without entries that is fed by Take, for the lists of a store that another process has.
func NewSuppressed() *Suppressed {
	v := (&Store{}).newSuppressed()
	v.all = true
	return v
}

// Last returns the number of the last entry that the set has.
func (v *Suppressed) Last() int64 {
	v.lock.RLock()
	defer v.lock.RUnlock()
	return v.last
}

// Take takes entries, those after Last. The error wraps ErrDamaged for what is none, or has another key.
func (v *Suppressed) Take(all Entries) error {
	if len(all.Key) != len(hasher{}) {
		return fmt.Errorf("%w: got a key of %d bytes, want %d", ErrDamaged, len(all.Key), len(hasher{}))
	}
	key := (*hasher)(all.Key)
	v.lock.Lock()
	if v.hash == nil {
		v.hash = key
	}
	same := *v.hash == *key
	v.lock.Unlock()
	if !same {
		return fmt.Errorf("%w: got entries under another key: it is not the store of before", ErrDamaged)
	}
	return v.add(all.All)
}

func (v *Suppressed) add(fresh []Entry) (err error) {
	v.lock.Lock()
	defer v.lock.Unlock()
	for _, c := range fresh {
		if !v.take(c.Entry, c.State) {
			err = fmt.Errorf("%w: got suppression entry %d of %d bytes, want a person or a domain", ErrDamaged,
				c.Number, len(c.Entry))
		}
		v.last = max(v.last, c.Number)
	}
	return err
}

// perUpdate bounds the entries that are read at once.
const perUpdate = 10_000

// update takes the entries with a condition that the store has changed since v was updated.
func (s *Store) update(ctx context.Context, from querier, v *Suppressed, condition string) error {
	for {
		fresh, err := s.entries(ctx, from, v.last, condition)
		if err == nil {
			err = v.add(fresh)
		}
		if err != nil || len(fresh) < perUpdate {
			return err
		}
	}
}

// take takes the state of an entry, and reports whether the entry is one.
func (v *Suppressed) take(entry []byte, state int) bool {
	if domain, is := strings.CutPrefix(string(entry), "d"); is {
		set(v.domains, domain, state)
		return true
	}
	end := 1 + len(Person{})
	if len(entry) < end || entry[0] == 'p' && len(entry) > end || entry[0] != 'p' && entry[0] != 'l' {
		return false
	}
	who := Person(entry[1:end])
	if entry[0] == 'p' {
		set(v.people, who, state)
	} else if of := string(entry[end:]); v.all || of == v.list {
		set(v.own, ofList{who, of}, state)
	}
	return true
}

// set puts a member into a set, or takes one out whose state is lifted.
func set[K comparable](of map[K]struct{}, member K, state int) {
	if of[member] = struct{}{}; state == lifted {
		delete(of, member)
	}
}

// Polling is how often Follow asks for what is new, which is what it adds to the time from a confirmation to the gate.
const Polling = 20 * time.Millisecond

// Follow keeps v up to date until ctx ends, and then returns nil. It returns an error if the store does not answer: the
// caller must stop mailing then, since v is no longer what the store has.
func (s *Store) Follow(ctx context.Context, v *Suppressed) error {
	tick := time.NewTicker(Polling)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		asked, cancel := context.WithTimeout(ctx, patience)
		err := s.update(asked, s.db, v, all)
		cancel()
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("suppression: %w", err)
		}
	}
}

// patience is how long Follow waits for an answer.
const patience = 10 * time.Second

// Forgotten is what Forget found of a person.
type Forgotten struct {
	Rows    int // of lists
	Lists   []string
	History int // records
}

// Forget erases a person from all lists, those of stopped imports too, and from the history, and keeps the keyed hash
// among the suppressed: the person gets no mail, and no import takes the address again. It reads all lists while other
// writers wait. What the address was stands in no audit entry.
func (s *Store) Forget(ctx context.Context, a mail.Address) (found Forgotten, err error) {
	who := s.hash.person(a)
	err = s.change(ctx, "forget", "", func(tx *sql.Tx) (int64, error) {
		lists, err := s.lists(ctx, tx)
		if err != nil {
			return 0, err
		}
		for _, l := range lists {
			n, err := s.withdraw(ctx, tx, l, who)
			if err != nil {
				return 0, err
			}
			if found.Rows += n; n > 0 && !slices.Contains(found.Lists, l.Name) {
				found.Lists = append(found.Lists, l.Name)
			}
		}
		r, err := tx.ExecContext(ctx, `delete from history where person = $1`, who[:])
		if err != nil {
			return 0, err
		}
		n, err := r.RowsAffected()
		if err != nil {
			return 0, err
		}
		found.History = int(n)
		if _, err := tx.ExecContext(ctx, `delete from returned where person = $1`, who[:]); err != nil {
			return 0, err
		}
		if _, err := s.suppress(ctx, tx, s.entryOf(list.Entry{Address: a}), forgotten, command); err != nil {
			return 0, err
		}
		return int64(found.Rows + found.History), nil
	})
	if err != nil {
		return Forgotten{}, err
	}
	return found, s.engine.wipe(ctx, s.db)
}
