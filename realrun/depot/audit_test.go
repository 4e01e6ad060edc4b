package depot

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// What a client asks for again and again has an entry a day, also over a restart and if it is refused; who reads a part
// has an entry each time.
func TestAuditIsBoundedByDays(t *testing.T) {
	dir := t.TempDir()
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	text, digest := content(1, 1000)
	put(t, d, 7, text)
	now := at
	part := "/parts/" + digest.String()
	asks := func(times int) (entries map[string]int) {
		t.Helper()
		s, err := d.Serve(clients(), func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(s)
		defer server.Close()
		r := &Remote{URL: server.URL}
		for range times {
			for _, v := range []struct {
				who, method, path string
				code              int
			}{{"b1", "GET", "/running?ended=-1", 200}, {"c1", "GET", "/mailings/7/keys", 200},
				{"c1", "GET", "/mailings/7", 403}, {"b1", "POST", "/claims", 404}, {"b1", "GET", part, 200}} {
				if code, _ := ask(t, r, v.method, v.path, "Bearer "+tokenOf(v.who)); code != v.code {
					t.Errorf("%+v: got %d", v, code)
				}
			}
		}
		all, err := d.Audit()
		if err != nil {
			t.Fatal(err)
		}
		entries = map[string]int{}
		for _, e := range all {
			entries[fmt.Sprintf("%s %s %d", e.Who, e.What, e.Code)]++
		}
		return entries
	}
	want := func(when string, got map[string]int, days, parts int) {
		t.Helper()
		for _, v := range []string{`b1 GET "/running" 200`, `c1 GET "/mailings/7/keys" 200`,
			`c1 GET "/mailings/7" 403`, `b1 POST "/claims" 200`} {
			if got[v] != days {
				t.Errorf("%s: %s: got %d entries, want %d", when, v, got[v], days)
			}
		}
		if n := got[`b1 GET "`+part+`" 200`]; n != parts || len(got) != 5 {
			t.Errorf("%s: got %d entries for %d reads: %v", when, n, parts, got)
		}
	}
	want("a day", asks(3), 1, 3)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if d, err = Open(dir); err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	want("after a restart", asks(2), 1, 5)
	now = now.Add(24 * time.Hour)
	want("the next day", asks(2), 2, 7)
}

// The audit has a size: older files go, the oldest first, and what is left has no gap, also after a restart.
func TestAuditHasASize(t *testing.T) {
	dir := t.TempDir()
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	const entries = 500
	d.audit.most = 1000
	for i := range entries {
		if i == entries/2 {
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if d, err = Open(dir); err != nil {
				t.Fatal(err)
			}
			d.audit.most = 1000
		}
		e := Access{At: at, Who: "b1", Role: Delivering, What: fmt.Sprint("read ", i), Code: http.StatusOK}
		if err := d.audit.enter(e, false); err != nil {
			t.Fatal(err)
		}
	}
	defer func() { d.Close() }()
	all, err := d.Audit()
	if err != nil || len(all) < 50 || len(all) > 150 {
		t.Fatalf("got %d entries, %v, want those of nine files", len(all), err)
	}
	for i, e := range slices.Backward(all) {
		if want := fmt.Sprint("read ", entries-len(all)+i); e.What != want {
			t.Fatalf("got %s, want %s", e.What, want)
		}
	}
	names, err := d.files.Names()
	n := 0
	for _, name := range names {
		if strings.HasPrefix(name, auditName) {
			n++
		}
	}
	if err != nil || n != 1+mostOlder {
		t.Errorf("got the files %v, %v, want %d of the audit", names, err, 1+mostOlder)
	}
}

// An entry that cannot be written is an error, and so are no later ones: when there is room again, entries go on.
func TestAuditGoesOn(t *testing.T) {
	d := open(t)
	e := Access{At: at, Who: "b1", Role: Delivering, What: "read", Code: http.StatusOK}
	enter := func(want bool) {
		t.Helper()
		if err := d.audit.enter(e, false); (err == nil) != want {
			t.Errorf("got %v, want an entry: %v", err, want)
		}
	}
	enter(true)
	if err := d.audit.log.Close(); err != nil { // as a disk that fails
		t.Fatal(err)
	}
	enter(false)
	enter(true)
	d.audit.most = 1
	older := filepath.Join(string(d.files), olderName(1), "full")
	if err := os.MkdirAll(older, 0o700); err != nil {
		t.Fatal(err)
	}
	enter(false) // the file cannot become an older one
	if err := os.RemoveAll(filepath.Dir(older)); err != nil {
		t.Fatal(err)
	}
	enter(true)
	if all, err := d.Audit(); err != nil || len(all) != 3 {
		t.Errorf("got %d entries, %v, want 3", len(all), err)
	}
}
