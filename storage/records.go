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
	Mailing      string // names it among all mailings, so that one that goes on stays one job
	Name         string // such as the name of its scenario
	List         string
	Digest       string // of the list
	Recipients   int
	Began, Ended time.Time
	State        string // Running, ended, or why it ended early
	// Outcomes has the number of recipients by what the mailing became for them, in words; those of whom nothing is
	// recorded are in none of them.
	Outcomes map[string]int
}

// Running is the state of a job that has not ended, or whose process was killed.
const Running = "running"

// BeginJob records that a mailing begins or goes on, and returns the number of its job.
func (s *Store) BeginJob(ctx context.Context, j Job) (id int64, err error) {
	err = s.change(ctx, "job begins", j.List, func(tx *sql.Tx) (int64, error) {
		err := tx.QueryRowContext(ctx, `update job set state = $1, ended = 0 where mailing = $2 and mailing <> ''
			returning id`, Running, j.Mailing).Scan(&id)
		if !errors.Is(err, sql.ErrNoRows) {
			return int64(j.Recipients), err
		}
		return int64(j.Recipients), tx.QueryRowContext(ctx, `insert into job
			(id, mailing, name, list, digest, recipients, began, ended, state)
			select coalesce(max(id), 0) + 1, $1, $2, $3, $4, $5, $6, 0, $7 from job where true returning id`, j.Mailing,
			j.Name, j.List, j.Digest, j.Recipients, s.now(), Running).Scan(&id)
	})
	return id, err
}

// Outcome is what a mailing became for a recipient.
type Outcome struct {
	Place   uint32 // of the recipient in the mailing
	To      mail.Address
	Outcome string // such as delivered
}

// Record records outcomes of a mailing, as of now. Of a recipient the last one counts, and one that is recorded again
// keeps its time: the same outcomes may come any number of times. Who is forgotten has none.
func (s *Store) Record(ctx context.Context, id int64, all []Outcome) error {
	return s.change(ctx, "outcomes", "", func(tx *sql.Tx) (n int64, err error) {
		gone := s.newSuppressed()
		if err := s.update(ctx, tx, gone, onlyForgotten); err != nil {
			return 0, err
		}
		add, err := tx.PrepareContext(ctx, `insert into history (job, place, person, at, outcome)
			values ($1, $2, $3, $4, $5) on conflict (job, place) do update
			set at = excluded.at, outcome = excluded.outcome where history.outcome <> excluded.outcome`)
		if err != nil {
			return 0, err
		}
		defer add.Close()
		for _, o := range all {
			who := s.hash.person(o.To)
			if _, is := gone.people[who]; is {
				continue
			}
			r, err := add.ExecContext(ctx, id, int64(o.Place), who[:], s.now(), o.Outcome)
			if err != nil {
				return 0, err
			}
			changed, err := r.RowsAffected()
			if err != nil {
				return 0, err
			}
			n += changed
		}
		return n, nil
	})
}

// EndJob records how a mailing ended.
func (s *Store) EndJob(ctx context.Context, id int64, state string) error {
	return s.change(ctx, "job ends", "", func(tx *sql.Tx) (int64, error) {
		err := one(tx.ExecContext(ctx, `update job set ended = $1, state = $2 where id = $3 and state = $4`, s.now(),
			state, id, Running))
		if errors.Is(err, errRows) {
			err = fmt.Errorf("job %d that runs is %w", id, ErrAbsent)
		}
		return 1, err
	})
}

// Jobs returns all mailings in the order in which they began.
func (s *Store) Jobs(ctx context.Context) (all []Job, err error) {
	at := map[int64]int{}
	err = s.each(ctx, func(scan func(...any) error) error {
		var j Job
		var began, ended int64
		err := scan(&j.ID, &j.Mailing, &j.Name, &j.List, &j.Digest, &j.Recipients, &began, &ended, &j.State)
		j.Began, j.Ended, j.Outcomes = time.UnixMilli(began), time.UnixMilli(ended), map[string]int{}
		at[j.ID] = len(all)
		all = append(all, j)
		return err
	}, `select id, mailing, name, list, digest, recipients, began, ended, state from job order by id`)
	if err != nil {
		return nil, err
	}
	err = s.each(ctx, func(scan func(...any) error) error {
		var id int64
		var outcome string
		var n int
		err := scan(&id, &outcome, &n)
		if i, ok := at[id]; ok && err == nil {
			all[i].Outcomes[outcome] = n
		}
		return err
	}, `select job, outcome, count(*) from history group by job, outcome`)
	return all, err
}

// Mailed is what the history has of a person and a mailing.
type Mailed struct {
	Job     Job // without Outcomes
	At      time.Time
	Outcome string
}

// History returns what became of a person in each mailing, and enters in the audit that it was asked for.
func (s *Store) History(ctx context.Context, a mail.Address) (all []Mailed, err error) {
	who := s.hash.person(a)
	err = s.change(ctx, "history", "", func(tx *sql.Tx) (int64, error) {
		err := each(ctx, tx, func(scan func(...any) error) error {
			var m Mailed
			var at, began int64
			err := scan(&m.Job.ID, &m.Job.Name, &m.Job.List, &began, &m.Job.State, &at, &m.Outcome)
			m.At, m.Job.Began = time.UnixMilli(at), time.UnixMilli(began)
			all = append(all, m)
			return err
		}, `select job.id, job.name, job.list, job.began, job.state, history.at, history.outcome from history
			join job on job.id = history.job where history.person = $1 order by job.id, history.place`, who[:])
		return int64(len(all)), err
	})
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
