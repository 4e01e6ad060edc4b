package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"flyball/internal/list"
	"flyball/internal/mail"
)

// Reason is why an address gets no mail any more.
type Reason string

// The reasons. What a person has asked for, the person may undo; the others stand.
const (
	command  Reason = ""         // who has the store said so
	Asked    Reason = "asked"    // the person asked for no mail
	Dead     Reason = "dead"     // mail returned since the address does not exist
	Complain Reason = "complain" // the person complained about mail
)

// Change is a change of who gets mail, from a server of returned mail or of requests ([0044], [0047]).
type Change struct {
	To   mail.Address
	Why  Reason // of one that ends the mail
	Join bool   // the person asked for mail again, which lifts what the person has asked for before
}

// ErrGap is returned for changes that do not follow the ones taken before.
var ErrGap = errors.New("changes are missing")

// Take takes changes of a source, numbered from first on, into the suppression ([0051], [0052]): all of those that it
// has not taken before, or none. It returns the number up to which it has the changes of the source; after that they
// are durable, and need not come again. Changes may come any number of times and overlap. The error wraps ErrGap if
// some before the first are missing.
func (s *Store) Take(ctx context.Context, source string, first uint64, all []Change) (upTo uint64, err error) {
	if first == 0 {
		return 0, errors.New("got changes from 0 on, want them numbered from 1 on")
	}
	for _, c := range all {
		if !c.Join && c.Why != Asked && c.Why != Dead && c.Why != Complain {
			return 0, fmt.Errorf("got a change for the reason %.20q, want %s, %s or %s", c.Why, Asked, Dead, Complain)
		}
	}
	err = s.change(ctx, "changes of "+source, "", func(tx *sql.Tx) (n int64, err error) {
		if upTo, err = taken(ctx, tx, source); err != nil {
			return 0, err
		}
		if first > upTo+1 {
			return 0, fmt.Errorf("%s: %w: got some from %d on, want %d next", source, ErrGap, first, upTo+1)
		}
		for i, c := range all {
			if first+uint64(i) <= upTo {
				continue
			}
			changed, err := s.takeOne(ctx, tx, c)
			if err != nil {
				return 0, err
			}
			n += changed
		}
		upTo = max(upTo, first+uint64(len(all))-1)
		_, err = tx.ExecContext(ctx, `insert into source (name, number, at) values ($1, $2, $3)
			on conflict (name) do update set number = excluded.number, at = excluded.at`, source, int64(upTo), s.now())
		return n, err
	})
	return upTo, err
}

// Taken returns the number up to which the store has the changes of a source.
func (s *Store) Taken(ctx context.Context, source string) (uint64, error) {
	return taken(ctx, s.db, source)
}

func taken(ctx context.Context, from querier, source string) (upTo uint64, err error) {
	err = from.QueryRowContext(ctx, `select number from source where name = $1`, source).Scan(&upTo)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return upTo, err
}

// takeOne makes a change, and returns 1 if it changes anything.
func (s *Store) takeOne(ctx context.Context, tx *sql.Tx, c Change) (int64, error) {
	entry := s.entryOf(list.Entry{Address: c.To})
	if c.Join {
		r, err := tx.ExecContext(ctx, `update suppression set number = (select max(number) + 1 from suppression),
			forgotten = $1, at = $2 where entry = $3 and forgotten = $4 and why = $5`, lifted, s.now(), entry,
			suppressed, string(Asked))
		if err != nil {
			return 0, err
		}
		return r.RowsAffected()
	}
	return s.suppress(ctx, tx, entry, suppressed, c.Why)
}
