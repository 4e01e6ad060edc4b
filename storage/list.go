package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"flyball/internal/csvfile"
	"flyball/internal/list"
	"flyball/internal/mail"
)

// List is a list of a store.
type List struct {
	Name     string
	Complete bool   // false: its import has not ended
	People   int    // rows that it has: those accepted, less the forgotten
	Digest   string // SHA-256 of its text
	// Of the file that it was imported from, when the import ended:
	Read, Rejected, Duplicate int
	Began, Ended              time.Time

	id     int64
	header []byte
}

const columns = `id, name, complete, header, people, digest, read, rejected, duplicate, began, ended`

func scanList(scan func(...any) error) (l List, err error) {
	var complete, began, ended int64
	err = scan(&l.id, &l.Name, &complete, &l.header, &l.People, &l.Digest, &l.Read, &l.Rejected, &l.Duplicate, &began,
		&ended)
	l.Complete, l.Began, l.Ended = complete == 1, time.UnixMilli(began), time.UnixMilli(ended)
	return l, err
}

// Lists returns all lists by their names, those whose import has not ended too.
func (s *Store) Lists(ctx context.Context) ([]List, error) { return s.lists(ctx, s.db) }

func (s *Store) lists(ctx context.Context, from querier) (all []List, err error) {
	err = each(ctx, from, func(scan func(...any) error) error {
		l, err := scanList(scan)
		all = append(all, l)
		return err
	}, `select `+columns+` from list order by name, complete`)
	return all, err
}

// find returns the list with a name, and false if there is none.
func find(ctx context.Context, from querier, name string, complete bool) (List, bool, error) {
	flag := 0
	if complete {
		flag = 1
	}
	return first(ctx, from, `where name = $1 and complete = $2`, name, flag)
}

// withDigest returns the first complete list by name whose text has a digest, and false if there is none.
func withDigest(ctx context.Context, from querier, digest string) (List, bool, error) {
	return first(ctx, from, `where digest = $1 and complete = 1 order by name limit 1`, digest)
}

func first(ctx context.Context, from querier, where string, args ...any) (List, bool, error) {
	l, err := scanList(from.QueryRowContext(ctx, `select `+columns+` from list `+where, args...).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return l, false, nil
	}
	return l, err == nil, err
}

// Text is the text of a list as it was when it was opened. A Read beyond the last row fails with ErrDamaged unless the
// whole text has the digest of the list: nothing that was read may be used then.
type Text struct {
	List
	ctx   context.Context
	tx    *sql.Tx
	sum   hash.Hash
	chunk int64  // number of the last one that was read
	rest  []byte // of the chunk
	at    int64  // where rest begins
	want  int64  // where the next Read begins, not before at
	size  int64
	err   error // of the last read
}

// Open opens the text of a list that is complete, and enters in the audit that it is read: what says why.
func (s *Store) Open(ctx context.Context, what, name string) (*Text, error) {
	return s.open(ctx, what, func(from querier) (List, error) {
		l, ok, err := find(ctx, from, name, true)
		if err == nil && !ok {
			err = s.absent(ctx, name)
		}
		return l, err
	})
}

// OpenDigest opens the text with a digest as Open does. The error wraps ErrAbsent if no list has this text, or not any
// more.
func (s *Store) OpenDigest(ctx context.Context, what, digest string) (*Text, error) {
	return s.open(ctx, what, func(from querier) (List, error) {
		l, ok, err := withDigest(ctx, from, digest)
		if err == nil && !ok {
			err = fmt.Errorf("a list with digest %.16s is %w", digest, ErrAbsent)
		}
		return l, err
	})
}

// open opens the text of the list that is found: once for the audit, and again as it is when the text is opened.
func (s *Store) open(ctx context.Context, what string, found func(querier) (List, error)) (*Text, error) {
	l, err := found(s.db)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, what, l.Name, func(*sql.Tx) (int64, error) { return int64(l.People), nil })
	if err != nil {
		return nil, err
	}
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{Isolation: s.engine.snapshot(), ReadOnly: true})
	if err != nil {
		return nil, err
	}
	t := &Text{ctx: ctx, tx: tx}
	if t.List, err = found(tx); err == nil {
		err = tx.QueryRowContext(ctx, `select coalesce(sum(length(body)), 0) from chunk where list = $1`, t.id).Scan(
			&t.size)
	}
	if err != nil {
		tx.Rollback()
		return nil, err
	}
	t.rewind()
	t.size += int64(len(t.header))
	return t, nil
}

func (s *Store) absent(ctx context.Context, name string) error {
	if _, begun, _ := find(ctx, s.db, name, false); begun {
		return fmt.Errorf("list %s is %w: its import has not ended", name, ErrAbsent)
	}
	return fmt.Errorf("list %s is %w", name, ErrAbsent)
}

func (t *Text) rewind() {
	t.sum, t.chunk, t.rest, t.at, t.want, t.err = sha256.New(), -1, t.header, 0, 0, nil
	t.sum.Write(t.header)
}

// Read implements io.Reader.
func (t *Text) Read(p []byte) (int, error) {
	for (len(t.rest) == 0 || t.at < t.want) && t.err == nil {
		n := min(int64(len(t.rest)), t.want-t.at)
		if t.rest, t.at = t.rest[n:], t.at+n; len(t.rest) == 0 {
			t.err = t.next()
		}
	}
	n := copy(p, t.rest)
	t.rest, t.at = t.rest[n:], t.at+int64(n)
	t.want = max(t.want, t.at)
	if n == 0 && len(p) > 0 {
		return 0, t.err
	}
	return n, nil
}

// next reads the next chunk.
func (t *Text) next() error {
	err := t.tx.QueryRowContext(t.ctx, `select number, body from chunk where list = $1 and number > $2 order by number
		limit 1`, t.id, t.chunk).Scan(&t.chunk, &t.rest)
	if errors.Is(err, sql.ErrNoRows) {
		if got := digestOf(t.sum); got != t.Digest {
			return fmt.Errorf("list %s is %w: its text has digest %.16s, want %.16s", t.Name, ErrDamaged, got, t.Digest)
		}
		return io.EOF
	}
	t.sum.Write(t.rest)
	return err
}

func digestOf(sum hash.Hash) string { return fmt.Sprintf("%x", sum.Sum(nil)) }

// Seek implements io.Seeker. What lies before the place is read all the same, since the digest is of the whole text.
func (t *Text) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += t.want
	case io.SeekEnd:
		offset += t.size
	}
	if offset < 0 {
		return 0, errors.New("got a place before the beginning of the list")
	}
	if offset < t.at {
		t.rewind()
	}
	t.want = offset
	return offset, nil
}

// Close ends the reading.
func (t *Text) Close() error { return t.tx.Rollback() }

// withdraw takes a person's rows out of a list, and returns how many there were.
func (s *Store) withdraw(ctx context.Context, tx *sql.Tx, l List, who Person) (gone int, err error) {
	text := Text{List: l, ctx: ctx, tx: tx}
	text.rewind()
	email := -1
	h := csvfile.NewReader(bytes.NewReader(l.header), l.Name)
	if header, err := h.Header("a header"); err != nil {
		return 0, fmt.Errorf("list %s is %w: %w", l.Name, ErrDamaged, err)
	} else if email, err = header.Find(list.Email); err != nil || email < 0 {
		return 0, fmt.Errorf("list %s is %w: no column %s", l.Name, ErrDamaged, list.Email)
	}
	sum := sha256.New()
	sum.Write(l.header)
	for {
		if err := text.next(); err == io.EOF {
			break
		} else if err != nil {
			return 0, err
		}
		kept, n, err := s.without(l, text.rest, email, who)
		if err != nil {
			return 0, err
		}
		sum.Write(kept)
		if n > 0 {
			gone += n
			if err := one(tx.ExecContext(ctx, `update chunk set body = $1, people = people - $2 where list = $3 and
				number = $4`, kept, n, l.id, text.chunk)); err != nil {
				return 0, err
			}
		}
	}
	if gone == 0 {
		return 0, nil
	}
	return gone, one(tx.ExecContext(ctx, `update list set digest = $1, people = people - $2 where id = $3`,
		digestOf(sum), gone, l.id))
}

// without returns the rows of a chunk without the rows of a person, and how many these were.
func (s *Store) without(l List, body []byte, email int, who Person) (kept []byte, gone int, err error) {
	// The header keeps the reader from guessing the form of the file by the first row.
	r := csvfile.NewReader(io.MultiReader(bytes.NewReader(l.header), bytes.NewReader(body)), l.Name)
	if _, err := r.Next(); err != nil {
		return nil, 0, err
	}
	for {
		ok, err := r.Next()
		if err == nil && ok && r.Len() <= email {
			err = fmt.Errorf("got %d fields", r.Len())
		}
		if err != nil {
			return nil, 0, fmt.Errorf("list %s is %w: %w", l.Name, ErrDamaged, err)
		}
		if !ok {
			return kept, gone, nil
		}
		a, err := mail.ParseAddress(string(r.Field(email)))
		if err == nil && s.hash.person(a) == who {
			gone++
			continue
		}
		kept = appendRow(kept, r.Strings())
	}
}
