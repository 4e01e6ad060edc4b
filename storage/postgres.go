package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"flyball/realrun/dial"
)

// postgres is a store in a database, in the schema flyball.
type postgres struct{ url string }

const schema = "flyball"

func (e postgres) open() (*sql.DB, error) {
	cfg, err := pgx.ParseConfig(e.url)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPlace, err)
	}
	cfg.RuntimeParams["search_path"] = schema
	cfg.RuntimeParams["application_name"] = schema
	cfg.DialFunc = connect
	cfg.LookupFunc = numeric
	db := stdlib.OpenDB(*cfg, stdlib.OptionAfterConnect(keeps))
	if err := db.Ping(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// connect connects to a socket of this computer or to loopback.
func connect(ctx context.Context, network, addr string) (net.Conn, error) {
	if network == "unix" {
		return dial.Local(addr)
	}
	return (*dial.Allowlist)(nil).Dial(ctx, network, addr)
}

// numeric returns the address of a host: realrun/dial takes addresses alone.
func numeric(_ context.Context, host string) ([]string, error) {
	if host == "localhost" {
		host = "127.0.0.1"
	}
	return []string{host}, nil
}

// keeps returns an error unless a connection leads to a database that keeps what it confirms. Each of these settings
// may be off, of which each loses commits, or the database, with the power
// (https://www.postgresql.org/docs/15/runtime-config-wal.html).
func keeps(ctx context.Context, conn *pgx.Conn) error {
	var off []string
	for _, name := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		var got string
		if err := conn.QueryRow(ctx, "show "+name).Scan(&got); err != nil {
			return err
		}
		if got == "off" {
			off = append(off, name)
		}
	}
	if off != nil {
		return fmt.Errorf("%w: got a database with %s = off, which may lose what it has confirmed, want on", ErrUnsafe,
			strings.Join(off, ", "))
	}
	return nil
}

// lock is held until the end of the transaction, so that numbers are committed in their order.
func (postgres) lock() string { return `select pg_advisory_xact_lock(4602678819172646912)` }

func (postgres) snapshot() sql.IsolationLevel { return sql.LevelRepeatableRead }

func (postgres) tables() string {
	return `(select table_name as name from information_schema.tables where table_schema = '` + schema + `') as tables`
}

func (postgres) bytes() string { return "bytea" }

// wipe frees the old rows, which later ones overwrite.
func (postgres) wipe(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, "vacuum chunk, history, suppression")
	return err
}

func (postgres) guard() []string {
	return []string{
		`create function only_added() returns trigger language plpgsql as
			$$ begin raise exception 'audit entries are only added'; end $$`,
		`create trigger audit_guard before update or delete or truncate on audit
			for each statement execute function only_added()`,
	}
}
