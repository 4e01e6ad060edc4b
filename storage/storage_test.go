package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	driverOfSQLite "modernc.org/sqlite"

	"flyball/internal/list"
	"flyball/internal/mail"
)

// at is the time of all tests.
var at = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func config(create bool) Config {
	return Config{Who: "ann@desk", Now: func() time.Time { return at }, Create: create}
}

func open(t *testing.T, p Place) *Store {
	t.Helper()
	s, err := Open(t.Context(), p, config(true))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// both runs a test on both databases, with a fresh store each.
func both(t *testing.T, test func(t *testing.T, p Place)) {
	t.Run("sqlite", func(t *testing.T) { test(t, Place{File: filepath.Join(t.TempDir(), "a b?%.db")}) })
	t.Run("postgres", func(t *testing.T) { test(t, newDatabase(t)) })
}

func TestMain(m *testing.M) {
	if how := os.Getenv("FLYBALL_STORAGE_CHILD"); how != "" {
		child(how)
	}
	code := m.Run()
	if cluster.dir != "" {
		postgresCommand("pg_ctl", "-D", cluster.dir+"/data", "-m", "immediate", "stop").Run()
		os.RemoveAll(cluster.dir)
	}
	os.Exit(code)
}

func address(t testing.TB, text string) mail.Address {
	t.Helper()
	a, err := mail.ParseAddress(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func entries(t testing.TB, all ...string) (entries []list.Entry) {
	t.Helper()
	for _, text := range all {
		e, err := list.ParseEntry(text)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	return entries
}

// imported imports a text as a list.
func imported(s *Store, text string, in Import) (List, list.Count, []list.Reject, error) {
	var rejects []list.Reject
	in.File, in.FileName = strings.NewReader(text), "people.csv"
	if in.Name == "" {
		in.Name = "people"
	}
	in.Reject = func(j list.Reject) error { rejects = append(rejects, j); return nil }
	l, count, err := s.Import(context.Background(), in)
	return l, count, rejects, err
}

// export returns the text of a list, read through once.
func export(t *testing.T, s *Store, name string) string {
	t.Helper()
	text, err := s.Open(t.Context(), "export", name)
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	all, err := io.ReadAll(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

const people = "Name,email,note\n" +
	"Ann,ann@x.example,\"a, b\"\n" +
	"Bob,bob@gmail.com,\"says \"\"hi\"\"\"\n" +
	"Ann again,Ann@x.example,\n" +
	"nobody,not an address,\n" +
	"Bob again,bob@gmail.com,\n" +
	"Zoë,zoe@bücher.example,\"two\nlines\"\n"

func count(t *testing.T, s *Store, table string) (n int) {
	t.Helper()
	if err := s.db.QueryRow("select count(*) from " + table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// many returns a file of n rows with some that are not taken.
func many(n int) string {
	var text strings.Builder
	text.WriteString("email,id\n")
	for i := range n {
		switch {
		case i%1000 == 500:
			text.WriteString("not an address,\n")
		case i%1000 == 700:
			fmt.Fprintf(&text, "user%d@x.example,\n", i-7)
		default:
			fmt.Fprintf(&text, "user%d@x.example,%d\n", i, i)
		}
	}
	return text.String()
}

// child is the program that imports or suppresses and is killed at a point.
func child(how string) {
	place, err := ParsePlace(os.Args[1])
	if err != nil {
		panic(err)
	}
	s, err := Open(context.Background(), place, config(true))
	if err != nil {
		panic(err)
	}
	left, _ := strconv.Atoi(os.Args[3])
	reached = func(point string) {
		if point == os.Args[2] {
			if left--; left < 0 {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
		}
	}
	switch how {
	case "import":
		perCommit = 100 << 10
		_, _, _, err = imported(s, many(30_000), Import{Name: os.Args[4]})
	case "suppress":
		_, err = s.Suppress(context.Background(), []list.Entry{{Domain: "gone.example"}})
		fmt.Print("confirmed")
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(t *testing.T, how string, args ...string) (out string, killed bool) {
	t.Helper()
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), "FLYBALL_STORAGE_CHILD="+how)
	raw, err := c.CombinedOutput()
	killed = c.ProcessState.Sys().(syscall.WaitStatus).Signaled()
	if err != nil && !killed {
		t.Fatalf("%v: %s", err, raw)
	}
	return string(raw), killed
}

// Every change is audited in its own transaction: one that is not committed has no entry. Entries are only added.
func TestAudit(t *testing.T) {
	both(t, func(t *testing.T, p Place) {
		s := open(t, p)
		before := count(t, s, "audit")
		run(t, "suppress", p.String(), "before the commit", "0")
		ctx, cancel := context.WithCancel(t.Context())
		reached = func(string) { cancel() }
		defer func() { reached = func(string) {} }()
		if _, err := s.Suppress(ctx, entries(t, "ann@x.example")); err == nil {
			t.Error("a change that was cancelled is confirmed")
		}
		reached = func(string) {}
		if n := count(t, s, "audit"); n != before {
			t.Errorf("%d entries, want %d", n, before)
		}
		if _, _, _, err := imported(s, people, Import{}); err != nil {
			t.Fatal(err)
		}
		export(t, s, "people")
		all, err := s.Audit(t.Context(), 2)
		if err != nil || len(all) != 2 || all[0].What != "export" || all[0].N != 4 || all[0].List != "people" ||
			all[0].Who != "ann@desk" || !all[0].At.Equal(at) || all[1].What != "import" || all[1].N != 4 {
			t.Errorf("%+v: %v", all, err)
		}
		for _, statement := range []string{"delete from audit", "update audit set who = 'eve'"} {
			if _, err := s.db.Exec(statement); err == nil {
				t.Errorf("%s is done", statement)
			}
		}
	})
}

// Writers of several connections follow each other: numbers are given once, in the order of commits.
func TestManyWriters(t *testing.T) {
	both(t, func(t *testing.T, p Place) {
		var all sync.WaitGroup
		first := open(t, p)
		v, err := first.Suppressed(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		followed := make(chan error, 1)
		go func() { followed <- first.Follow(ctx, v) }()
		for i := range 4 {
			s := open(t, p)
			all.Go(func() {
				for j := range 25 {
					e := list.Entry{Domain: fmt.Sprintf("d%d-%d.example", i, j)}
					if _, err := s.Suppress(t.Context(), []list.Entry{e}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		began := time.Now()
		for v.Len() < 100 && time.Since(began) < 10*time.Second {
			time.Sleep(5 * time.Millisecond)
		}
		cancel()
		<-followed
		if v.Len() != 100 {
			t.Errorf("the follower has %d of 100", v.Len())
		}
	})
}

// Jobs and what was learned come back as they were kept.
func TestRecords(t *testing.T) {
	both(t, func(t *testing.T, p Place) {
		s := open(t, p)
		week := Job{Mailing: "mailing 1", Name: "week", List: "people", Digest: "d", Recipients: 3}
		id, err := s.BeginJob(t.Context(), week)
		if err != nil {
			t.Fatal(err)
		}
		next := Job{Mailing: "mailing 2", Name: "week"}
		if other, err := s.BeginJob(t.Context(), next); err != nil || other == id {
			t.Errorf("%d after %d: %v", other, id, err)
		}
		ann, bob := address(t, "ann@x.example"), address(t, "bob@x.example")
		record := func(id int64, all ...Outcome) {
			t.Helper()
			if err := s.Record(t.Context(), id, all); err != nil {
				t.Fatal(err)
			}
		}
		// Addresses that differ in case are one person, and two recipients.
		record(id, Outcome{0, ann, "delivered"}, Outcome{1, bob, "ambiguous"},
			Outcome{2, address(t, "ANN@x.example"), "failed"})
		record(id+1, Outcome{0, ann, "delivered"})
		if err := s.EndJob(t.Context(), id, "stopped"); err != nil {
			t.Error(err)
		}
		if err := s.EndJob(t.Context(), id, "ended"); !errors.Is(err, ErrAbsent) {
			t.Errorf("a job ends twice: %v", err)
		}
		all, err := s.Jobs(t.Context())
		if err != nil || len(all) != 2 || all[0].State != "stopped" || all[1].State != Running ||
			all[0].Digest != "d" || !all[0].Began.Equal(at) || !all[0].Ended.Equal(at) || all[0].Recipients != 3 ||
			fmt.Sprint(all[0].Outcomes, all[1].Outcomes) != "map[ambiguous:1 delivered:1 failed:1] map[delivered:1]" {
			t.Errorf("%+v: %v", all, err)
		}
		// The mailing goes on: what was recorded comes again, and one recipient has another end.
		if again, err := s.BeginJob(t.Context(), week); err != nil || again != id {
			t.Errorf("job %d: %v, want %d again", again, err, id)
		}
		s.cfg.Now = func() time.Time { return at.Add(time.Hour) }
		record(id, Outcome{0, ann, "delivered"}, Outcome{1, bob, "delivered"},
			Outcome{2, address(t, "ANN@x.example"), "failed"})
		if err := s.EndJob(t.Context(), id, "ended"); err != nil {
			t.Error(err)
		}
		for who, want := range map[string]string{
			"ann@x.example": "1 people ended delivered 0s, 1 people ended failed 0s, 2  running delivered 0s, ",
			"BOB@x.example": "1 people ended delivered 1h0m0s, ", "cid@x.example": ""} {
			h, err := s.History(t.Context(), address(t, who))
			got := ""
			for _, m := range h {
				got += fmt.Sprintf("%d %s %s %s %s, ", m.Job.ID, m.Job.List, m.Job.State, m.Outcome, m.At.Sub(at))
			}
			if err != nil || got != want {
				t.Errorf("%s: got %s, %v, want %s", who, got, err, want)
			}
		}
		if a, err := s.Audit(t.Context(), 1); err != nil || a[0].What != "history" {
			t.Errorf("%+v: %v", a, err)
		}
		if _, err := s.Proximity(t.Context(), "week"); !errors.Is(err, ErrAbsent) {
			t.Error(err)
		}
		for _, body := range []string{"one", "two"} {
			if err := s.KeepProximity(t.Context(), "week", []byte(body)); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Proximity(t.Context(), "week"); err != nil || string(got) != body {
				t.Errorf("%q: %v", got, err)
			}
		}
		if _, err := s.db.Exec("update proximity set body = $1", []byte("three")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Proximity(t.Context(), "week"); !errors.Is(err, ErrDamaged) {
			t.Error(err)
		}
	})
}

// A store that another version or another program made is refused, and tables are made once.
func TestMigrations(t *testing.T) {
	both(t, func(t *testing.T, p Place) {
		if _, err := Open(t.Context(), p, config(false)); p.File != "" && !errors.Is(err, ErrAbsent) {
			t.Error(err)
		}
		var all sync.WaitGroup
		for range 12 {
			all.Go(func() {
				s, err := Open(t.Context(), p, config(true))
				if err != nil {
					t.Error(err)
					return
				}
				s.Close()
			})
		}
		all.Wait()
		s := open(t, p)
		if n := count(t, s, "migration"); n != len(migrations) {
			t.Errorf("%d migrations", n)
		}
		if _, err := s.Suppress(t.Context(), entries(t, "ann@x.example")); err != nil {
			t.Fatal(err)
		}
		again := open(t, p) // with the same key
		if v, err := again.Suppressed(t.Context()); err != nil || !v.Has(address(t, "ann@x.example")) {
			t.Error(err)
		}
		defer func(before []string) { migrations = before }(migrations)
		migrations = append(slices.Clip(migrations), "create table later (n bigint); insert into later (n) values (7)")
		later := open(t, p)
		var n int
		if err := later.db.QueryRow("select n from later").Scan(&n); err != nil || n != 7 {
			t.Error(n, err)
		}
		migrations = migrations[:1]
		if _, err := Open(t.Context(), p, config(false)); !errors.Is(err, ErrForeign) {
			t.Errorf("of a later version: %v", err)
		}
		migrations = []string{"create table other (n bigint)"}
		if _, err := Open(t.Context(), p, config(false)); !errors.Is(err, ErrForeign) {
			t.Errorf("of other migrations: %v", err)
		}
	})
}

// A database that may lose what it has confirmed is refused.
func TestUnsafeDatabases(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		s := open(t, Place{File: filepath.Join(t.TempDir(), "store.db")})
		for name, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "secure_delete": "1"} {
			var got string
			if err := s.db.QueryRow("pragma " + name).Scan(&got); err != nil || got != want {
				t.Errorf("%s is %s, want %s: %v", name, got, want, err)
			}
		}
		for _, settings := range []string{"journal_mode(WAL)&_pragma=synchronous(NORMAL)", "synchronous(FULL)"} {
			at := "file:" + filepath.Join(t.TempDir(), "other.db") + "?_pragma=" + settings
			c, err := driverOfSQLite.NewConnector(at)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := (checked{c}).Connect(t.Context()); !errors.Is(err, ErrUnsafe) {
				t.Errorf("%s: %v", settings, err)
			}
		}
		if info, err := os.Stat(s.engine.(sqlite).file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v: %v", info.Mode(), err)
		}
	})
	t.Run("postgres", func(t *testing.T) {
		p := newDatabase(t)
		admin, err := sql.Open("pgx", p.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer admin.Close()
		set := func(name, value string) {
			t.Helper()
			for _, statement := range []string{"alter system set " + name + " = " + value, "select pg_reload_conf()"} {
				if _, err := admin.Exec(statement); err != nil {
					t.Fatal(err)
				}
			}
			for got := ""; got != value; {
				if err := admin.QueryRow("show " + name).Scan(&got); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, name := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
			set(name, "off")
			if _, err := Open(t.Context(), p, config(true)); !errors.Is(err, ErrUnsafe) ||
				!strings.Contains(err.Error(), name+" = off") {
				t.Errorf("%s: %v", name, err)
			}
			set(name, "on")
		}
		p.URL += "&options=-csynchronous_commit%3Doff" // of the session alone
		if _, err := Open(t.Context(), p, config(true)); !errors.Is(err, ErrUnsafe) {
			t.Error(err)
		}
	})
	t.Run("outside", func(t *testing.T) {
		p, err := ParsePlace("postgres://ann@192.0.2.1:5432/mail")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), p, config(true)); err == nil ||
			!strings.Contains(err.Error(), "refused for safety") {
			t.Errorf("%v", err)
		}
	})
}

func TestPlaces(t *testing.T) {
	for _, v := range []struct{ text, store, list, err string }{
		{"sqlite:people.db", "sqlite:people.db", "", ""},
		{"sqlite:people.db#news", "sqlite:people.db", "news", ""},
		{"sqlite:a b.db#news-2026_11.v1", "sqlite:a b.db", "news-2026_11.v1", ""},
		{"sqlite:a#b.db#news", "", "", `got list "b.db#news"`},
		{"sqlite:/var/lib/people.db#news", "sqlite:/var/lib/people.db", "news", ""},
		{"postgres://ann@127.0.0.1:5432/mail#news", "postgres://ann@127.0.0.1:5432/mail", "news", ""},
		{"postgresql:///mail?host=/run/postgresql#news", "postgresql:///mail?host=/run/postgresql", "news", ""},
		{"sqlite:", "", "", "got no file"},
		{"sqlite:x#", "", "", `got list ""`},
		{"sqlite:x#a b", "", "", `got list "a b"`},
		{"postgres://ann:secret@127.0.0.1/mail", "", "", "got a password in the place of a store"},
		{"postgres://127.0.0.1/mail?password=secret", "", "", "got a password in the place of a store"},
		{"postgres://ann:secret@[/mail", "", "", `got "postgres:..."`},
		{"postgres:mail", "", "", `got "postgres:..."`},
		{"people.csv", "", "", "want sqlite:FILE or postgres://"},
	} {
		p, err := ParsePlace(v.text)
		if v.err != "" {
			if !errors.Is(err, ErrPlace) || !strings.Contains(err.Error(), v.err) ||
				strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v, want %s", v.text, err, v.err)
			}
			continue
		}
		if err != nil || p.Store() != v.store || p.List != v.list || p.String() != v.text || !IsPlace(v.text) {
			t.Errorf("%s: %+v: %v", v.text, p, err)
		}
	}
	if IsPlace("people.csv") || IsPlace("./sqlite:x") {
		t.Error("a file is taken for a store")
	}
}
