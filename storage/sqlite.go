package storage

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"time"

	driverOfSQLite "modernc.org/sqlite"
)

// sqlite is a store in a file.
type sqlite struct {
	file   string
	create bool
}

// longestWait is for how long a writer waits for others.
const longestWait = time.Minute

// settings are those of each connection. Other writers are waited for (longestWait). What is deleted is overwritten.
const settings = "_pragma=busy_timeout(60000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
	"&_pragma=secure_delete(ON)&_pragma=cache_size(-2000)&_txlock=immediate"

func (e sqlite) open() (*sql.DB, error) {
	info, err := os.Stat(e.file)
	fresh := errors.Is(err, fs.ErrNotExist)
	switch {
	case fresh && !e.create:
		return nil, ErrAbsent
	case err != nil && !fresh:
		return nil, err
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%w: want a regular file", ErrForeign)
	}
	at := url.URL{Scheme: "file", OmitHost: true, Path: e.file, RawQuery: settings}
	connector, err := driverOfSQLite.NewConnector(at.String())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(checked{connector})
	if err := db.Ping(); err != nil {
		if isCode(err, notDatabase) {
			err = fmt.Errorf("%w: %w", ErrForeign, err)
		}
		return nil, errors.Join(err, db.Close())
	}
	if fresh { // before there is a person in it
		err = os.Chmod(e.file, 0o600)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func (sqlite) snapshot() sql.IsolationLevel { return sql.LevelDefault }

func (sqlite) lock() string   { return "" }
func (sqlite) tables() string { return "sqlite_master" }
func (sqlite) bytes() string  { return "blob" }

func (sqlite) guard() []string {
	const only = ` on audit begin select raise(abort, 'audit entries are only added'); end`
	return []string{`create trigger audit_update before update` + only,
		`create trigger audit_delete before delete` + only}
}

// wipe empties the write-ahead log, which has old pages. Those in the file are overwritten (secure_delete).
func (sqlite) wipe(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, "pragma wal_checkpoint(truncate)")
	return err
}

// checked is a connector whose connections have read back that they keep what they confirm.
type checked struct{ driver.Connector }

// Codes of SQLite (https://sqlite.org/rescode.html).
const (
	busy        = 5  // another connection writes
	notDatabase = 26 // a file of another kind
)

// isCode reports whether an error is one of SQLite with a code.
func isCode(err error, code int) bool {
	of := new(driverOfSQLite.Error)
	return errors.As(err, &of) && of.Code()&0xff == code
}

// full is PRAGMA synchronous at which each commit is written through (https://sqlite.org/pragma.html).
const full = 2

func (c checked) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	// Who finds that another connection begins the write-ahead log is not made to wait for it by busy_timeout
	// (https://sqlite.org/c3ref/busy_handler.html).
	for end := time.Now().Add(longestWait); isCode(err, busy) && time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
		conn, err = c.Connector.Connect(ctx)
	}
	if err != nil {
		return nil, err
	}
	for _, v := range []struct {
		name string
		want driver.Value
	}{{"journal_mode", "wal"}, {"synchronous", int64(full)}} {
		got, err := pragma(ctx, conn, v.name)
		if err == nil && got != v.want {
			err = fmt.Errorf("%w: got PRAGMA %s = %v, want %v", ErrUnsafe, v.name, got, v.want)
		}
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

func pragma(ctx context.Context, conn driver.Conn, name string) (driver.Value, error) {
	rows, err := conn.(driver.QueryerContext).QueryContext(ctx, "pragma "+name, nil)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	one := make([]driver.Value, 1)
	err = rows.Next(one)
	return one[0], err
}
