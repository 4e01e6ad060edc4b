// Package storage keeps lists, suppression, jobs, history and the proximity database ([0041], [0046] to [0053]) in
// SQLite or PostgreSQL. It is the only package that knows SQL, and no package below the commands imports it.
//
// A list is kept as CSV in one normal form, in chunks, and read as a file: what reads it is internal/list, as for any
// CSV file, so that a stored list runs as its file does. SHA-256 of that text is the digest of the list. Suppressed
// people are kept as keyed hashes.
//
// All that is written goes through Store.change: one writer at a time, in one transaction that has its own audit entry.
// A change that has returned without an error is durable.
package storage

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Errors of a store. Each is wrapped with what was found.
var (
	ErrPlace   = errors.New("no place of a store")          // of a text that names none
	ErrAbsent  = errors.New("not there")                    // a store, a list
	ErrUnsafe  = errors.New("refused for safety")           // a database that may lose what it has confirmed
	ErrForeign = errors.New("not a store of this program")  // another database, or of a later version
	ErrExists  = errors.New("exists already")               // a list of another content
	ErrOther   = errors.New("begun with another file")      // an import that was stopped
	ErrDamaged = errors.New("damaged")                      // a text that does not have its digest
	ErrChanged = errors.New("was changed at the same time") // by another process
	errRows    = errors.New("one row was to be changed, got another number")
)

// Config says how a store is used.
type Config struct {
	Who    string           // in the audit; such as user@host
	Now    func() time.Time // of audit entries and records
	Create bool             // make a store where there is none
}

// Store is an open store. Any goroutine may use it.
type Store struct {
	db      *sql.DB
	engine  engine
	cfg     Config
	hash    *hasher
	writing sync.Mutex
}

// engine is what differs between the two databases.
type engine interface {
	open() (*sql.DB, error)       // each connection of it is checked to keep what it confirms
	lock() string                 // statement by which writers wait for each other; empty: they do anyway
	snapshot() sql.IsolationLevel // of a transaction that reads the same throughout
	tables() string               // table expression with the names of all tables
	bytes() string                // type of columns of bytes
	guard() []string              // statements after which audit entries can be neither changed nor deleted
	// wipe overwrites what was deleted, as far as the database can.
	wipe(context.Context, *sql.DB) error
}

// Open opens the store at p, and brings its tables to the current version. Errors wrap ErrAbsent, ErrUnsafe or
// ErrForeign, or come from the database.
func Open(ctx context.Context, p Place, cfg Config) (*Store, error) {
	s := &Store{cfg: cfg}
	if p.File != "" {
		s.engine = sqlite{p.File, cfg.Create}
	} else {
		s.engine = postgres{p.URL}
	}
	var err error
	if s.db, err = s.engine.open(); err != nil {
		return nil, fmt.Errorf("%s: %w", p.Store(), err)
	}
	if err = s.migrate(ctx); err == nil {
		err = s.keyed(ctx)
	}
	if err != nil {
		s.db.Close()
		return nil, fmt.Errorf("%s: %w", p.Store(), err)
	}
	return s, nil
}

// Close closes the store.
func (s *Store) Close() error { return s.db.Close() }

// keyed sets the key of hashes, which is drawn when a store is made.
func (s *Store) keyed(ctx context.Context) error {
	var key []byte
	read := func(from querier) error {
		return from.QueryRowContext(ctx, `select value from setting where name = 'key'`).Scan(&key)
	}
	err := read(s.db)
	if errors.Is(err, sql.ErrNoRows) {
		err = s.change(ctx, "draw the key", "", func(tx *sql.Tx) (int64, error) {
			err := read(tx)
			if errors.Is(err, sql.ErrNoRows) {
				key = make([]byte, len(hasher{}))
				rand.Read(key) // never fails
				_, err = tx.ExecContext(ctx, `insert into setting (name, value) values ('key', $1)`, key)
			}
			return 1, err
		})
	}
	if err == nil && len(key) != len(hasher{}) {
		err = fmt.Errorf("%w: got a key of %d bytes, want %d", ErrDamaged, len(key), len(hasher{}))
	}
	if err == nil {
		s.hash = (*hasher)(key)
	}
	return err
}

// querier is a database or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// reached is called where tests stop the process.
var reached = func(point string) {}

// change makes a change in one transaction with its audit entry: what was done, to which list, and to how many rows,
// which do returns. It waits until other writers have ended.
func (s *Store) change(ctx context.Context, what, list string, do func(*sql.Tx) (n int64, err error)) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // without effect after the commit
	if lock := s.engine.lock(); lock != "" {
		if _, err := tx.ExecContext(ctx, lock); err != nil {
			return err
		}
	}
	n, err := do(tx)
	if err != nil {
		return err
	}
	if err := s.audit(ctx, tx, what, list, n); err != nil {
		return err
	}
	reached("before the commit")
	if err := tx.Commit(); err != nil {
		return err
	}
	reached("after the commit")
	return nil
}

func (s *Store) audit(ctx context.Context, tx querier, what, list string, n int64) error {
	_, err := tx.ExecContext(ctx, `insert into audit (number, at, who, what, list, n)
		select coalesce(max(number), 0) + 1, $1, $2, $3, $4, $5 from audit`, s.now(), s.cfg.Who, what, list, n)
	return err
}

// now returns the time in milliseconds since 1970.
func (s *Store) now() int64 { return s.cfg.Now().UnixMilli() }

// Access is an audit entry: who did what, when, and to how many rows of which list.
type Access struct {
	Number int64
	At     time.Time
	Who    string
	What   string
	List   string // empty: of no list
	N      int64
}

// Audit returns the last entries of the audit, at most most of them, the last one first.
func (s *Store) Audit(ctx context.Context, most int) (all []Access, err error) {
	err = s.each(ctx, func(scan func(...any) error) error {
		var a Access
		var at int64
		err := scan(&a.Number, &at, &a.Who, &a.What, &a.List, &a.N)
		a.At = time.UnixMilli(at)
		all = append(all, a)
		return err
	}, `select number, at, who, what, list, n from audit order by number desc limit $1`, most)
	return all, err
}

// each calls do with every row of a query.
func (s *Store) each(ctx context.Context, do func(scan func(...any) error) error, query string, args ...any) error {
	return each(ctx, s.db, do, query, args...)
}

func each(ctx context.Context, from querier, do func(scan func(...any) error) error, query string,
	args ...any) error {
	rows, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := do(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// one returns an error unless a statement changed exactly one row.
func one(r sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, errRows)
	}
	return nil
}
