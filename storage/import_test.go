package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"flyball/internal/list"
)

// Every row of a file is accounted for, those accepted are the list, and its text is the file in normal form.
func TestImport(t *testing.T) {
	both(t, func(t *testing.T, p Place) {
		s := open(t, p)
		sheet := "\ufeffsep=;\r\n" + strings.NewReplacer(",\"a, b\"", ";a, b", ",", ";", "\n", "\r\n").Replace(people)
		l, count, rejects, err := imported(s, sheet, Import{})
		if err != nil || count != (list.Count{In: 6, Accepted: 4, Rejected: 1, Duplicate: 1, CaseOnly: 1}) {
			t.Fatalf("%+v: %v", count, err)
		}
		if len(rejects) != 2 || rejects[1] != (list.Reject{Line: 7, Email: "bob@gmail.com",
			Reason: "duplicate of line 4"}) {
			t.Errorf("rejects %+v", rejects)
		}
		const want = "Name,email,note\nAnn,ann@x.example,\"a, b\"\nBob,bob@gmail.com,\"says \"\"hi\"\"\"\n" +
			"Ann again,Ann@x.example,\nZoë,zoe@bücher.example,\"two\nlines\"\n"
		if got := export(t, s, "people"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		all, err := s.Lists(t.Context())
		if err != nil || len(all) != 1 || all[0].People != 4 || all[0].Read != 6 || all[0].Digest != l.Digest ||
			!all[0].Complete || !all[0].Ended.Equal(at) {
			t.Errorf("%+v, want %+v: %v", all, l, err)
		}
		// The text is in normal form, so a list that is imported from it has the same bytes.
		if again, _, _, err := imported(s, want, Import{Name: "again"}); err != nil || again.Digest != l.Digest {
			t.Errorf("%+v: %v", again, err)
		}
		if folded, _, _, err := imported(s, want, Import{Name: "folded", FoldCase: true}); err != nil ||
			folded.People != 3 {
			t.Errorf("%+v: %v", folded, err)
		}
	})
}

// A list that is there is not imported twice, and is replaced on request alone.
func TestImportAgain(t *testing.T) {
	both(t, func(t *testing.T, p Place) {
		s := open(t, p)
		first, _, _, err := imported(s, people, Import{})
		if err != nil {
			t.Fatal(err)
		}
		again, count, _, err := imported(s, people, Import{})
		if err != nil || count.Accepted != 4 || again.Digest != first.Digest {
			t.Errorf("%+v %+v: %v", again, count, err)
		}
		for name, text := range map[string]string{"more": people + "Dan,dan@x.example,\n",
			"fewer": people[:strings.Index(people, "Zoë")], "others": strings.Replace(people, "Bob,", "Rob,", 1),
			"another header": strings.Replace(people, "note", "remark", 1)} {
			if _, _, _, err := imported(s, text, Import{}); !errors.Is(err, ErrExists) {
				t.Errorf("%s: %v", name, err)
			}
			if l, _, _, err := imported(s, text, Import{Replace: true, Name: "people"}); err != nil {
				t.Errorf("%s: %+v %v", name, l, err)
			}
			if _, _, _, err := imported(s, people, Import{Replace: true}); err != nil {
				t.Error(err)
			}
			if got, _ := s.Lists(t.Context()); len(got) != 1 || got[0].Digest != first.Digest {
				t.Errorf("%s: %+v", name, got)
			}
		}
	})
}

// A file that is refused leaves nothing, and a list that is not complete is not read.
func TestImportRefused(t *testing.T) {
	both(t, func(t *testing.T, p Place) {
		s := open(t, p)
		if _, _, _, err := imported(s, people+"\"open", Import{}); err == nil ||
			!strings.Contains(err.Error(), "people.csv:9:1: ") {
			t.Error(err)
		}
		if got, err := s.Lists(t.Context()); err != nil || len(got) != 0 {
			t.Errorf("%+v: %v", got, err)
		}
		if _, err := s.Open(t.Context(), "read", "people"); !errors.Is(err, ErrAbsent) {
			t.Error(err)
		}
		if n := count(t, s, "chunk"); n != 0 {
			t.Errorf("%d chunks are left", n)
		}
	})
}

// An import that is killed at any commit goes on with the same file: no row is lost or doubled, and the audit has every
// row once. Another file is refused.
func TestImportKilled(t *testing.T) {
	const rows = 30_000
	text := many(rows)
	whole := open(t, Place{File: filepath.Join(t.TempDir(), "whole.db")})
	want, _, _, err := imported(whole, text, Import{})
	if err != nil {
		t.Fatal(err)
	}
	both(t, func(t *testing.T, p Place) {
		s := open(t, p)
		kills := 0
		for i := 0; ; i++ {
			point := []string{"before the commit", "after the commit"}[i%2]
			if _, killed := run(t, "import", p.String(), point, strconv.Itoa(i%3), "people"); !killed {
				break
			}
			kills++
			if all, err := s.Lists(t.Context()); err != nil || len(all) == 1 && all[0].Complete && kills == 1 {
				t.Fatalf("%+v: %v", all, err)
			}
			if l, begun, _ := find(t.Context(), s.db, "people", false); begun && l.People > 0 {
				other := strings.Replace(text, "user0@", "user-@", 1)
				if _, _, _, err := imported(s, other, Import{}); !errors.Is(err, ErrOther) {
					t.Fatalf("another file: %v", err)
				}
			}
		}
		got, _, err := find(t.Context(), s.db, "people", true)
		if err != nil || kills < 4 || got.Digest != want.Digest || got.People != want.People || got.Read != rows {
			t.Errorf("after %d kills: %+v, want %+v: %v", kills, got, want, err)
		}
		seen := map[string]int{}
		for row := range strings.Lines(export(t, s, "people")) {
			seen[row]++
		}
		if len(seen) != want.People+1 {
			t.Errorf("%d different rows, want %d", len(seen), want.People+1)
		}
		var audited, people int
		s.db.QueryRow("select sum(n) from audit where what = 'import'").Scan(&audited)
		s.db.QueryRow("select sum(people) from chunk").Scan(&people)
		if audited != want.People || people != want.People {
			t.Errorf("audit has %d rows, chunks %d, want %d", audited, people, want.People)
		}
	})
}

// What was begun can be begun anew.
func TestRestart(t *testing.T) {
	both(t, func(t *testing.T, p Place) {
		s := open(t, p)
		if _, killed := run(t, "import", p.String(), "after the commit", "1", "people"); !killed {
			t.Fatal("not killed")
		}
		l, _, _, err := imported(s, people, Import{Restart: true})
		if err != nil || l.People != 4 {
			t.Errorf("%+v: %v", l, err)
		}
		if n := count(t, s, "chunk"); n != 1 {
			t.Errorf("%d chunks", n)
		}
	})
}

// A text that was changed by something else is not used.
func TestDigestIsChecked(t *testing.T) {
	both(t, func(t *testing.T, p Place) {
		s := open(t, p)
		if _, _, _, err := imported(s, people, Import{}); err != nil {
			t.Fatal(err)
		}
		text, err := s.Open(t.Context(), "read", "people")
		if err != nil {
			t.Fatal(err)
		}
		once, err := io.ReadAll(text)
		if err == nil {
			_, err = text.Seek(0, io.SeekStart)
		}
		again, err2 := io.ReadAll(text)
		if err != nil || err2 != nil || !bytes.Equal(once, again) || len(once) == 0 {
			t.Errorf("%q, then %q: %v %v", once, again, err, err2)
		}
		text.Close()
		if _, err := s.db.Exec("update chunk set body = $1", []byte("Eve,eve@x.example,\n")); err != nil {
			t.Fatal(err)
		}
		text, err = s.Open(t.Context(), "read", "people")
		if err != nil {
			t.Fatal(err)
		}
		defer text.Close()
		if all, err := io.ReadAll(text); !errors.Is(err, ErrDamaged) {
			t.Errorf("read %q: %v", all, err)
		}
	})
}

// A text can be read from any place on, and found by its digest as long as a list has it.
func TestTextFromAnyPlace(t *testing.T) {
	both(t, func(t *testing.T, p Place) {
		s := open(t, p)
		l, _, _, err := imported(s, people, Import{})
		if err != nil {
			t.Fatal(err)
		}
		whole := export(t, s, "people")
		text, err := s.OpenDigest(t.Context(), "read", l.Digest)
		if err != nil {
			t.Fatal(err)
		}
		for _, from := range []int{5, 0, len(whole) - 1, len(whole), 20} {
			at, err := text.Seek(int64(from), io.SeekStart)
			rest, err2 := io.ReadAll(text)
			if string(rest) != whole[from:] || at != int64(from) || err != nil || err2 != nil {
				t.Errorf("from %d: got %q at %d, %v, %v", from, rest, at, err, err2)
			}
		}
		if end, err := text.Seek(0, io.SeekEnd); end != int64(len(whole)) || err != nil {
			t.Errorf("got the end %d, %v, want %d", end, err, len(whole))
		}
		if _, err := text.Seek(-1, io.SeekStart); err == nil {
			t.Error("got a place before the beginning")
		}
		text.Close()
		if _, err := s.Forget(t.Context(), address(t, "ann@x.example")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.OpenDigest(t.Context(), "read", l.Digest); !errors.Is(err, ErrAbsent) {
			t.Errorf("got %v for the text with a forgotten person, want ErrAbsent", err)
		}
	})
}

// Whatever fields a list has, its text is read as the same fields, and written as the same bytes again.
func TestNormalForm(t *testing.T) {
	s := open(t, Place{File: filepath.Join(t.TempDir(), "store.db")})
	luck := rand.New(rand.NewPCG(1, 2))
	alphabet := []string{"a", ",", ";", "\t", "|", `"`, "\n", "\r", " ", "é", "\ufeff", "'", "=", "#", ""}
	for round := range 300 {
		text := []byte("x,email,y\n")
		for i := range 5 {
			fields := []string{"", fmt.Sprintf("a%d@x.example", i), ""}
			for _, f := range []int{0, 2} {
				for range luck.IntN(6) {
					fields[f] += alphabet[luck.IntN(len(alphabet))]
				}
			}
			text = appendRow(text, fields)
		}
		l, _, _, err := imported(s, string(text), Import{Name: fmt.Sprintf("l%d", round)})
		if err != nil || l.People != 5 {
			t.Fatalf("%q: %+v: %v", text, l, err)
		}
		if got := export(t, s, l.Name); got != string(text) {
			t.Fatalf("got %q, want %q", got, text)
		}
	}
}
