package storage

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"flyball/internal/mail"
)

// Job is a mailing: which list got which message.
type Job struct {
	ID           int64
	Name         string // such as that of its scenario
	List         string
	Digest       string // of the list
	Began, Ended time.Time
	State        string // running, ended, or why it ended early
}

// running is the state of a job that has not ended.
const running = "running"

// BeginJob records that a mailing begins, and returns its number.
func (s *Store) BeginJob(ctx context.Context, name string, l List) (id int64, err error) {
	err = s.change(ctx, "job begins", l.Name, func(tx *sql.Tx) (int64, error) {
		return int64(l.People), tx.QueryRowContext(ctx, `insert into job (id, name, list, digest, began, ended, state)
			select coalesce(max(id), 0) + 1, $1, $2, $3, $4, 0, $5 from job where true returning id`, name, l.Name,
			l.Digest, s.now(), running).Scan(&id)
	})
	return id, err
}

// Outcome is how a mailing ended for a person.
type Outcome struct {
	To      mail.Address
	Outcome string // such as delivered
}

// EndJob records how a mailing ended, for itself and for each person.
func (s *Store) EndJob(ctx context.Context, id int64, state string, all []Outcome) error {
	return s.change(ctx, "job ends", "", func(tx *sql.Tx) (int64, error) {
		err := one(tx.ExecContext(ctx, `update job set ended = $1, state = $2 where id = $3 and state = $4`, s.now(),
			state, id, running))
		if errors.Is(err, errRows) {
			err = fmt.Errorf("job %d that runs is %w", id, ErrAbsent)
		}
		if err != nil {
			return 0, err
		}
		add, err := tx.PrepareContext(ctx, `insert into history (person, job, at, outcome) values ($1, $2, $3, $4)`)
		if err != nil {
			return 0, err
		}
		defer add.Close()
		for _, o := range all {
			who := s.hash.person(o.To)
			if _, err := add.ExecContext(ctx, who[:], id, s.now(), o.Outcome); err != nil {
				return 0, err
			}
		}
		return int64(len(all)), nil
	})
}

// Jobs returns all mailings in the order in which they began.
func (s *Store) Jobs(ctx context.Context) (all []Job, err error) {
	err = s.each(ctx, func(scan func(...any) error) error {
		var j Job
		var began, ended int64
		err := scan(&j.ID, &j.Name, &j.List, &j.Digest, &began, &ended, &j.State)
		j.Began, j.Ended = time.UnixMilli(began), time.UnixMilli(ended)
		all = append(all, j)
		return err
	}, `select id, name, list, digest, began, ended, state from job order by id`)
	return all, err
}

// Mailed is what the history has of a person and a mailing.
type Mailed struct {
	Job     int64
	At      time.Time
	Outcome string
}

// History returns what became of a person in each mailing that is over.
func (s *Store) History(ctx context.Context, a mail.Address) (all []Mailed, err error) {
	who := s.hash.person(a)
	err = s.each(ctx, func(scan func(...any) error) error {
		var m Mailed
		var at int64
		err := scan(&m.Job, &at, &m.Outcome)
		m.At = time.UnixMilli(at)
		all = append(all, m)
		return err
	}, `select job, at, outcome from history where person = $1 order by job`, who[:])
	return all, err
}

// KeepProximity keeps a proximity database under a name ([0056]), in place of the one before.
func (s *Store) KeepProximity(ctx context.Context, name string, body []byte) error {
	return s.change(ctx, "keep proximity "+name, "", func(tx *sql.Tx) (int64, error) {
		_, err := tx.ExecContext(ctx, `insert into proximity (name, digest, body, at) values ($1, $2, $3, $4)
			on conflict (name) do update set digest = $2, body = $3, at = $4`, name,
			fmt.Sprintf("%x", sha256.Sum256(body)), body, s.now())
		return 1, err
	})
}

// Proximity returns the proximity database of a name.
func (s *Store) Proximity(ctx context.Context, name string) (body []byte, err error) {
	var digest string
	err = s.db.QueryRowContext(ctx, `select digest, body from proximity where name = $1`, name).Scan(&digest, &body)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, fmt.Errorf("proximity database %s is %w", name, ErrAbsent)
	case err == nil && fmt.Sprintf("%x", sha256.Sum256(body)) != digest:
		return nil, fmt.Errorf("proximity database %s is %w", name, ErrDamaged)
	}
	return body, err
}
