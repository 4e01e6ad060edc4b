package storage

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"flyball/internal/csvfile"
	"flyball/internal/list"
)

// Import asks for the import of a list from a file.
type Import struct {
	Name     string    // of the list
	File     io.Reader // see internal/list
	FileName string    // in errors
	FoldCase bool      // see list.Options
	Replace  bool      // a list of this name is replaced when the import ends
	Restart  bool      // what an import that was stopped has done is dropped
	// Reject is called for each row that is not taken, in the order of the file, also for those before the place from
	// which a stopped import goes on.
	Reject func(list.Reject) error
	At     func(rows int) // called now and then with the number of rows that were read; may be nil
}

// perChunk is the size of a chunk in bytes.
const perChunk = 64 << 10

// perCommit is the size of what is written in one transaction, in bytes. Tests make it smaller.
var perCommit = 1 << 20

// Import reads a list from a file by the rules of internal/list, with all domains, and keeps the rows that were
// accepted. A forgotten person's row is rejected. The list exists when the import has ended; an import that was stopped
// at any moment goes on when the same file is imported again: the file is read from its beginning, and what the store
// has must be what it begins with. If the list is there with this content, nothing is written.
//
// Errors wrap ErrExists, ErrOther or ErrChanged, or are those of list.Read, which refuse the file: what the import has
// done until then is dropped.
func (s *Store) Import(ctx context.Context, in Import) (List, list.Count, error) {
	v := &importing{Store: s, ctx: ctx, in: in, forgotten: s.newSuppressed()}
	if err := s.update(ctx, s.db, v.forgotten, onlyForgotten); err != nil {
		return List{}, list.Count{}, err
	}
	refused := false
	options := list.Options{AllowDomain: func(string) bool { return true }, FoldCase: in.FoldCase, Header: v.begin,
		Check: v.check}
	count, err := list.Read(in.File, in.FileName, options, v.accept, func(j list.Reject) error {
		v.tell()
		return in.Reject(j)
	})
	switch {
	case err == nil:
		err = v.end(count)
	case v.err == nil && ctx.Err() == nil:
		refused = v.list.id != 0 && !v.list.Complete
	}
	if refused {
		err = errors.Join(err, v.drop("import refused"))
	}
	return v.list, count, err
}

// importing is an import that is under way.
type importing struct {
	*Store
	ctx       context.Context
	in        Import
	forgotten *Suppressed
	list      List      // that is written, or was there with this content
	sum       hash.Hash // of the rows that were read
	people    int       // that were read
	row       []byte
	chunks    []chunk // that are not written
	waiting   int     // bytes of these
	number    int64   // of the next chunk
	read      int
	err       error // of the store, which does not refuse the file
}

type chunk struct {
	people int
	body   []byte
}

// fail keeps an error of the store.
func (v *importing) fail(err error) error {
	v.err = err
	return err
}

// begin finds or makes the list when the header was read.
func (v *importing) begin(names []string) ([]int, error) {
	use := make([]int, len(names))
	for i := range use {
		use[i] = i
	}
	header := appendRow(nil, names)
	v.sum = sha256.New()
	v.sum.Write(header)
	if v.in.Restart {
		var begun bool
		var err error
		if v.list, begun, err = find(v.ctx, v.db, v.in.Name, false); err == nil && begun {
			err = v.drop("import restarted")
		}
		if err != nil {
			return nil, v.fail(err)
		}
	}
	_, exists, err := find(v.ctx, v.db, v.in.Name, true)
	begun := false
	if err == nil {
		v.list, begun, err = find(v.ctx, v.db, v.in.Name, false)
	}
	switch {
	case err != nil:
	case begun:
		err = v.db.QueryRowContext(v.ctx, `select coalesce(max(number), -1) + 1 from chunk where list = $1`,
			v.list.id).Scan(&v.number)
	case exists && !v.in.Replace:
		v.list, _, err = find(v.ctx, v.db, v.in.Name, true)
	default:
		err = v.make(header)
	}
	if err == nil {
		err = v.meet()
	}
	return use, v.fail(err)
}

// make makes an empty list.
func (v *importing) make(header []byte) error {
	err := v.change(v.ctx, "import begins", v.in.Name, func(tx *sql.Tx) (int64, error) {
		_, err := tx.ExecContext(v.ctx, `insert into list (`+columns+`)
			select coalesce(max(id), 0) + 1, $1, 0, $2, 0, $3, 0, 0, 0, $4, 0 from list`, v.in.Name, header,
			digestOf(v.sum), v.now())
		return 0, err
	})
	if err == nil {
		v.list, _, err = find(v.ctx, v.db, v.in.Name, false)
	}
	return err
}

// drop drops the list that is not complete.
func (v *importing) drop(what string) error {
	return v.change(v.ctx, what, v.in.Name, func(tx *sql.Tx) (int64, error) {
		return int64(v.list.People), remove(v.ctx, tx, v.list.id)
	})
}

func remove(ctx context.Context, tx *sql.Tx, id int64) error {
	if _, err := tx.ExecContext(ctx, `delete from chunk where list = $1`, id); err != nil {
		return err
	}
	return one(tx.ExecContext(ctx, `delete from list where id = $1`, id))
}

// meet compares the rows that were read with those that the store has, where these end.
func (v *importing) meet() error {
	if v.people != v.list.People || digestOf(v.sum) == v.list.Digest {
		return nil
	}
	return v.differs()
}

func (v *importing) differs() error {
	if v.list.Complete {
		return fmt.Errorf("list %s %w, with other rows: want another name, or --replace", v.in.Name, ErrExists)
	}
	return fmt.Errorf("list %s was %w, which had %d rows that this one does not begin with: want that file, or "+
		"--restart", v.in.Name, ErrOther, v.list.People)
}

// check rejects a row that the list cannot have.
func (v *importing) check(row list.Row) error {
	if v.forgotten.Has(row.Address) {
		return errors.New("person asked to be forgotten")
	}
	if v.row = appendRow(v.row[:0], row.Fields); !fits(v.row) {
		return fmt.Errorf("row is longer than %d bytes with commas and quotes", csvfile.MaxRow)
	}
	return nil
}

// tell reports progress every thousand rows.
func (v *importing) tell() {
	if v.read++; v.read%1000 == 0 && v.in.At != nil {
		v.in.At(v.read)
	}
}

// accept takes the row that check has written.
func (v *importing) accept(list.Row) error {
	v.tell()
	v.sum.Write(v.row)
	if v.people++; v.people <= v.list.People {
		return v.fail(v.meet())
	}
	if v.list.Complete {
		return v.fail(v.differs())
	}
	if n := len(v.chunks); n == 0 || len(v.chunks[n-1].body) >= perChunk {
		v.chunks = slices.Grow(v.chunks, 1)[:n+1]
		v.chunks[n] = chunk{body: v.chunks[n].body[:0]} // the memory of one that is written
	}
	c := &v.chunks[len(v.chunks)-1]
	c.body, c.people = append(c.body, v.row...), c.people+1
	if v.waiting += len(v.row); v.waiting < perCommit {
		return nil
	}
	return v.fail(v.change(v.ctx, "import", v.in.Name, v.write))
}

// write writes the chunks that wait. The list must be as this import has left it.
func (v *importing) write(tx *sql.Tx) (int64, error) {
	n := v.people - v.list.People
	var last int64
	err := tx.QueryRowContext(v.ctx, `select coalesce(max(number), 0) from suppression where forgotten = 1`).Scan(&last)
	if err == nil && last != v.forgotten.last {
		err = fmt.Errorf("suppression %w: import the file again", ErrChanged)
	}
	if err != nil {
		return 0, err
	}
	for _, c := range v.chunks {
		if _, err := tx.ExecContext(v.ctx, `insert into chunk (list, number, people, body) values ($1, $2, $3, $4)`,
			v.list.id, v.number, c.people, c.body); err != nil {
			return 0, err
		}
		v.number++
	}
	digest := digestOf(v.sum)
	err = one(tx.ExecContext(v.ctx, `update list set people = $1, digest = $2 where id = $3 and people = $4 and
		digest = $5`, v.people, digest, v.list.id, v.list.People, v.list.Digest))
	if errors.Is(err, errRows) {
		err = fmt.Errorf("list %s %w: import the file again", v.in.Name, ErrChanged)
	}
	v.chunks, v.waiting = v.chunks[:0], 0
	v.list.People, v.list.Digest = v.people, digest
	return int64(n), err
}

// end makes the list complete.
func (v *importing) end(count list.Count) error {
	if v.people < v.list.People {
		return v.differs()
	}
	if v.list.Complete {
		return nil
	}
	v.list.Complete, v.list.Read, v.list.Rejected, v.list.Duplicate = true, count.In, count.Rejected, count.Duplicate
	return v.change(v.ctx, "import", v.in.Name, func(tx *sql.Tx) (int64, error) {
		n, err := v.write(tx)
		if err != nil {
			return 0, err
		}
		if old, exists, err := find(v.ctx, tx, v.in.Name, true); err != nil {
			return 0, err
		} else if exists && !v.in.Replace {
			return 0, fmt.Errorf("list %s %w: another import has ended meanwhile", v.in.Name, ErrExists)
		} else if exists {
			if err := remove(v.ctx, tx, old.id); err != nil {
				return 0, err
			}
		}
		return n, one(tx.ExecContext(v.ctx, `update list set complete = 1, read = $1, rejected = $2, duplicate = $3,
			ended = $4 where id = $5`, count.In, count.Rejected, count.Duplicate, v.now(), v.list.id))
	})
}
