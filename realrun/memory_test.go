package realrun

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"flyball/internal/rng"
	"flyball/scenarios"
)

// rowsOf is a list of n rows after a header, generated while it is read.
type rowsOf struct {
	n    int
	row  func(i int) string
	next int
	rest string
}

func (r *rowsOf) Read(p []byte) (int, error) {
	if r.rest == "" {
		if r.next > r.n {
			return 0, io.EOF
		}
		r.rest = r.row(r.next)
		r.next++
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// A mailing keeps only what is mailed: no columns that the letter does not use,
// and nothing of rejected rows.
func TestMemoryFollowsWhatIsKept(t *testing.T) {
	s, err := scenarios.Load("s.toml",
		[]byte("schema_version = 1\nname = \"s\"\n[[destination]]\nname = \"a\"\ndomain = "+
			"\"a.example\"\n[[campaign]]\nname = \"c\"\nrecipients = 1\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	columns, empty := "", strings.Repeat(",", 999)
	for i := range 999 {
		columns += fmt.Sprintf(",c%d", i)
	}
	for _, v := range []struct {
		name  string
		n     int
		row   func(i int) string
		bytes float64 // kept for a row, at most
	}{
		{"a thousand columns", 10_000, func(i int) string {
			if i == 0 {
				return "email,First Name" + columns + "\n"
			}
			return fmt.Sprintf("u%d@a.example,Ann%s\n", i, empty)
		}, 100},
		{"rejected rows", 50_000, func(i int) string {
			switch i {
			case 0:
				return "email,First Name\n"
			case 1:
				return "ann@a.example,Ann\n"
			}
			return fmt.Sprintf("u%d@nowhere.test,Somebody\n", i)
		}, 2},
	} {
		src := Source{List: &rowsOf{n: v.n, row: v.row}, ListName: "l.csv", Rejects: io.Discard, Date: time.Unix(0, 0),
			TemplateName: "t.txt",
			Template: strings.NewReader("From: news@sender.example\nSubject: s\n\nDear {{First Name}} at " +
				"{{email}}\n")}
		before := inUse()
		m, err := NewMailing(s, rng.New(1, 0), src)
		if err != nil {
			t.Fatal(err)
		}
		kept := float64(inUse()-before) / float64(v.n)
		t.Logf("%s: %.1f bytes kept for a row", v.name, kept)
		if kept > v.bytes {
			t.Errorf("%s: %.1f bytes kept for a row, want at most %g", v.name, kept, v.bytes)
		}
		last := m.List.Len() - 1
		if to, body := m.Letter(0, nil); !strings.Contains(string(body), "Dear Ann at "+to+"\r\n") ||
			m.Count.In != v.n {
			t.Errorf("%s: %s got %q, of %d recipients", v.name, to, body, last+1)
		}
	}
}

func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
