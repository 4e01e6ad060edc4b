package storage

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"strings"
)

// migrations are the changes of the tables, the oldest first. One that stands in a release is not changed any more: its
// SHA-256 is kept in each store. BYTES stands for the engine's type of bytes; GUARD for its guard of the audit.
var migrations = []string{`
create table setting (name text primary key, value BYTES not null);
create table list (id bigint primary key, name text not null, complete bigint not null, header BYTES not null,
	people bigint not null, digest text not null, read bigint not null, rejected bigint not null,
	duplicate bigint not null, began bigint not null, ended bigint not null, unique (name, complete));
create table chunk (list bigint not null, number bigint not null, people bigint not null, body BYTES not null,
	primary key (list, number));
create table suppression (number bigint primary key, entry BYTES not null unique, forgotten bigint not null,
	at bigint not null);
create table job (id bigint primary key, name text not null, list text not null, digest text not null,
	began bigint not null, ended bigint not null, state text not null);
create table history (person BYTES not null, job bigint not null, at bigint not null, outcome text not null);
create index history_person on history (person);
create table proximity (name text primary key, digest text not null, body BYTES not null, at bigint not null);
create table audit (number bigint primary key, at bigint not null, who text not null, what text not null,
	list text not null, n bigint not null);
GUARD`, `
create table mailed (job bigint not null, place bigint not null, person BYTES not null, at bigint not null,
	outcome text not null, primary key (job, place));
insert into mailed (job, place, person, at, outcome)
	select job, row_number() over (partition by job order by person) - 1, person, at, outcome from history;
drop table history;
alter table mailed rename to history;
create index history_by_person on history (person);
alter table job add column mailing text not null default '';
alter table job add column recipients bigint not null default 0;
create unique index job_mailing on job (mailing) where mailing <> '';
alter table suppression add column why text not null default '';
create table source (name text primary key, number bigint not null, at bigint not null)`, `
create table returned (person BYTES not null, job bigint not null, token bigint not null, at bigint not null,
	primary key (person, job, token))`,
}

// migrate brings the tables to the current version. It goes forward only. Errors wrap ErrForeign if the store was made
// by a later version, by other migrations, or by another program.
func (s *Store) migrate(ctx context.Context) error {
	known := make([]string, len(migrations))
	statements := make([][]string, len(migrations))
	for i, text := range migrations {
		for statement := range strings.SplitSeq(text, ";") {
			if strings.TrimSpace(statement) == "GUARD" {
				statements[i] = append(statements[i], s.engine.guard()...)
			} else {
				statements[i] = append(statements[i], strings.ReplaceAll(statement, "BYTES", s.engine.bytes()))
			}
		}
		known[i] = fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(statements[i], ";"))))
	}
	if made, err := s.made(ctx); err != nil {
		return err
	} else if made {
		done, err := migrated(ctx, s.db, known)
		if err != nil || done == len(known) {
			return err
		}
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	begin := []string{`create table if not exists migration (number bigint primary key, checksum text not null,
		at bigint not null)`}
	if lock := s.engine.lock(); lock != "" {
		begin = append([]string{lock, "create schema if not exists " + schema}, begin...)
	}
	if err := execute(ctx, tx, begin); err != nil {
		return err
	}
	done, err := migrated(ctx, tx, known) // another process may have been first
	if err != nil {
		return err
	}
	for i := done; i < len(known); i++ {
		if err := execute(ctx, tx, statements[i]); err != nil {
			return fmt.Errorf("migration %d: %w", i+1, err)
		}
		_, err := tx.ExecContext(ctx, `insert into migration (number, checksum, at) values ($1, $2, $3)`, i+1,
			known[i], s.now())
		if err != nil {
			return err
		}
	}
	return tx.Commit()
}

// made reports whether a store was made. Another program's database is none, and is refused.
func (s *Store) made(ctx context.Context) (made bool, err error) {
	var all, ours int
	if err := s.db.QueryRowContext(ctx, `select count(*), count(case when name = 'migration' then 1 end) from `+
		s.engine.tables()).Scan(&all, &ours); err != nil {
		return false, err
	}
	if all > 0 && ours == 0 {
		return false, fmt.Errorf("%w: got a database with %d tables of another program, want an empty one", ErrForeign,
			all)
	}
	return ours > 0, nil
}

// migrated returns the number of migrations that a store has, all of which must be known.
func migrated(ctx context.Context, from querier, known []string) (done int, err error) {
	err = each(ctx, from, func(scan func(...any) error) error {
		var number int
		var checksum string
		if err := scan(&number, &checksum); err != nil {
			return err
		}
		if done++; number > len(known) {
			return fmt.Errorf("%w: got migration %d, want at most %d: a later version of flyball has used it",
				ErrForeign, number, len(known))
		}
		if number != done || checksum != known[number-1] {
			return fmt.Errorf("%w: migration %d has checksum %.12s, want %.12s", ErrForeign, number, checksum,
				known[number-1])
		}
		return nil
	}, `select number, checksum from migration order by number`)
	return done, err
}

func execute(ctx context.Context, tx *sql.Tx, statements []string) error {
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
