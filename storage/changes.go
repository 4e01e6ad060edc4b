package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

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
	// Returned is a mail that returned since the address does not exist: some of them make it Dead.
	Returned Reason = "returned"
)

// Change is a change of who gets mail, from a server of returned mail or of requests ([0044], [0047]).
type Change struct {
	To mail.Address
	// Mailing and Place name a recipient in the history instead of To: a person of the list that the mailing was for.
	Mailing string
	Place   uint32
	// MayLack lets the change have no effect if the history lacks the recipient: every recipient was recorded before,
	// so that the person was forgotten since
	MayLack bool

	Why  Reason // of one that ends the mail
	Join bool   // the person asked for mail again, which lifts what the person has asked for before
	// Token, Hard and Forget apply to Why Returned. Token identifies the message within its mailing; each counts once.
	// Hard is the number of returned mails, over all mailings, at which the address is dead; 0: never. Forget is the
	// time without returned mail after which earlier returns do not count; 0: for ever.
	Token  uint64
	Hard   int
	Forget time.Duration
	List   string // that the person asked for or asked about; empty: all. A dead address and a complaint are about all
}

// who returns the person of a change, the job of its mailing, and the list that the change is about.
func (s *Store) who(ctx context.Context, tx *sql.Tx, c Change) (p Person, job int64, of string, err error) {
	if c.Mailing == "" {
		return s.hash.person(c.To), 0, c.List, nil
	}
	var raw []byte
	err = tx.QueryRowContext(ctx, `select history.person, job.id, job.list from history
		join job on job.id = history.job where job.mailing = $1 and history.place = $2`, c.Mailing,
		int64(c.Place)).Scan(&raw, &job, &of)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("recipient %d of %s is %w in the history", c.Place, c.Mailing, ErrAbsent)
	}
	copy(p[:], raw)
	return p, job, of, err
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
		if c.List != "" && !validName(c.List) {
			return 0, fmt.Errorf("got a change of list %.20q, want the name of a list", c.List)
		}
		if !c.Join && c.Why != Asked && c.Why != Dead && c.Why != Complain && c.Why != Returned {
			return 0, fmt.Errorf("got a change for the reason %.20q, want %s, %s, %s or %s", c.Why, Asked, Dead,
				Complain, Returned)
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
	person, job, of, err := s.who(ctx, tx, c)
	if c.MayLack && errors.Is(err, ErrAbsent) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if c.Why == Returned && !c.Join {
		dead, err := s.count(ctx, tx, person, job, c)
		if err != nil || !dead {
			return 0, err
		}
		c.Why = Dead
	}
	entry := append([]byte("p"), person[:]...)
	if of != "" && (c.Join || c.Why == Asked) { // a person who gets no mail of one list
		entry = append(append([]byte("l"), person[:]...), of...)
	}
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

// count counts a returned mail of a person, unless it has come before, and reports whether the address is dead by now.
func (s *Store) count(ctx context.Context, tx *sql.Tx, who Person, job int64, c Change) (dead bool, err error) {
	var last, n int64
	err = tx.QueryRowContext(ctx, `select coalesce(max(at), 0) from returned where person = $1`, who[:]).Scan(&last)
	if err == nil && c.Forget > 0 && last < s.now()-c.Forget.Milliseconds() {
		_, err = tx.ExecContext(ctx, `delete from returned where person = $1`, who[:])
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, `insert into returned (person, job, token, at) values ($1, $2, $3, $4)
			on conflict (person, job, token) do nothing`, who[:], job, int64(c.Token), s.now())
	}
	if err == nil {
		err = tx.QueryRowContext(ctx, `select count(*) from returned where person = $1`, who[:]).Scan(&n)
	}
	return c.Hard > 0 && n >= int64(c.Hard), err
}
