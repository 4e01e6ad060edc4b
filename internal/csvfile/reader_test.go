package csvfile

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// all reads a file to its end or first error: the rows, and where each field begins.
func all(r *Reader) (rows [][]string, at [][]place, err error) {
	for {
		ok, err := r.Next()
		if !ok || err != nil {
			return rows, at, err
		}
		rows, at = append(rows, r.Strings()), append(at, slices.Clone(r.starts))
	}
}

func TestRowsAndPlaces(t *testing.T) {
	for _, v := range []struct {
		name, file string
		rows       [][]string
		at         [][]place
	}{
		{"plain", "a,b\n1,2\n", [][]string{{"a", "b"}, {"1", "2"}}, [][]place{{{1, 1}, {1, 3}}, {{2, 1}, {2, 3}}}},
		{"bytes, not characters", "ä,b\n", [][]string{{"ä", "b"}}, [][]place{{{1, 1}, {1, 4}}}},
		{"byte order mark", "\ufeffa,b\r\n", [][]string{{"a", "b"}}, [][]place{{{1, 1}, {1, 3}}}},
		{"line breaks in quotes", "a,\"b\nc\",d\n1,\"\",3\n", [][]string{{"a", "b\nc", "d"}, {"1", "", "3"}},
			[][]place{{{1, 1}, {1, 3}, {2, 4}}, {{3, 1}, {3, 3}, {3, 6}}}},
		{"line breaks in quotes of the header, CR", "\"a\rb\",c\r1,2\r", [][]string{{"a\nb", "c"}, {"1", "2"}},
			[][]place{{{1, 1}, {2, 4}}, {{3, 1}, {3, 3}}}},
		{"named separator", "sep=;\n\na;b,c\n", [][]string{{"a", "b,c"}}, [][]place{{{3, 1}, {3, 3}}}},
		{"named after blank lines, in quotes", "\n\r\n\"SEP=|\"\nx|y\n", [][]string{{"x", "y"}},
			[][]place{{{4, 1}, {4, 3}}}},
		{"named comma against the header", "sep=,\na;b\n", [][]string{{"a;b"}}, [][]place{{{2, 1}}}},
		{"tab in the header alone", "a\tb\n1,1\t2\n", [][]string{{"a", "b"}, {"1,1", "2"}},
			[][]place{{{1, 1}, {1, 3}}, {{2, 1}, {2, 5}}}},
		{"comma in quotes does not decide", "\"a,b\";c\n", [][]string{{"a,b", "c"}}, [][]place{{{1, 1}, {1, 7}}}},
		{"comma decides against others", "a,b;c\n", [][]string{{"a", "b;c"}}, [][]place{{{1, 1}, {1, 3}}}},
		{"two others do not decide", "a|b;c\n", [][]string{{"a|b;c"}}, [][]place{{{1, 1}}}},
		{"only the header decides", "a\n1;2\n", [][]string{{"a"}, {"1;2"}}, [][]place{{{1, 1}}, {{2, 1}}}},
		{"comments", "# x; \"y\na,b\n#,\n1,#2\n", [][]string{{"a", "b"}, {"1", "#2"}},
			[][]place{{{2, 1}, {2, 3}}, {{4, 1}, {4, 3}}}},
		{"comments before a separator", "# x, y\rsep=;\ra;b\r", [][]string{{"a", "b"}}, [][]place{{{3, 1}, {3, 3}}}},
		{"comments do not decide", "# x, y\na;b\n", [][]string{{"a", "b"}}, [][]place{{{2, 1}, {2, 3}}}},
		{"one column of CR", "a\r1\r", [][]string{{"a"}, {"1"}}, [][]place{{{1, 1}}, {{2, 1}}}},
		{"sep= as a name", "sep=,b\n1,2\n", [][]string{{"sep=", "b"}, {"1", "2"}},
			[][]place{{{1, 1}, {1, 6}}, {{2, 1}, {2, 3}}}},
	} {
		for _, src := range []io.Reader{strings.NewReader(v.file), iotest.OneByteReader(strings.NewReader(v.file))} {
			r := NewReader(src, "f")
			if strings.HasPrefix(v.name, "comments") {
				r.Comment = '#'
			}
			if rows, at, err := all(r); err != nil || !reflect.DeepEqual(rows, v.rows) || !reflect.DeepEqual(at, v.at) {
				t.Errorf("%s: got %q at %v, %v", v.name, rows, at, err)
			}
		}
	}
}

func TestRefuses(t *testing.T) {
	for _, v := range []struct{ file, want string }{
		{"\xff\xfea\x00", `f:1:1: file is UTF-16 (it begins with ff fe), want CSV as UTF-8 text (a spreadsheet ` +
			`writes it as "CSV UTF-8")`},
		{"\xfe\xff\x00a", `f:1:1: file is UTF-16 (it begins with fe ff), want CSV as UTF-8 text (a spreadsheet ` +
			`writes it as "CSV UTF-8")`},
		{"\xff\xfe\x00\x00a\x00\x00\x00",
			`f:1:1: file is UTF-32, want CSV as UTF-8 text (a spreadsheet writes it as "CSV UTF-8")`},
		{"a\x00,\x00", `f:1:1: file is UTF-16 (every second byte is NUL), want CSV as UTF-8 text (a spreadsheet ` +
			`writes it as "CSV UTF-8")`},
		{"\x00a\x00,", `f:1:1: file is UTF-16 (every second byte is NUL), want CSV as UTF-8 text (a spreadsheet ` +
			`writes it as "CSV UTF-8")`},
		{"\x1f\x8b\x08", `f:1:1: file is compressed with gzip, want CSV as UTF-8 text (a spreadsheet writes it as ` +
			`"CSV UTF-8")`},
		{"a\nb\x00\n", "f:2:2: NUL byte, want text"},
		{"a\nb\xfc\n", `f:2:2: byte 0xfc is not UTF-8, want UTF-8 text (a spreadsheet writes it as "CSV UTF-8")`},
		{"sep=:\na:b\n", `f:1:1: separator: got "sep=:", want "sep=" with a comma, semicolon, tab or bar`},
		{"a,b\n1,2\r3,4\n", "f:2:4: CR without LF, want one kind of line ends: LF or CRLF, or CR alone throughout"},
		{"a,b\n1,\"2\"\r3,4\n", "f:2:6: CR without LF, want one kind of line ends: LF or CRLF, or CR alone throughout"},
		{"a,b\r\r\n1,2\r\r\n", "f:1:4: CR without LF, want one kind of line ends: LF or CRLF, or CR alone throughout"},
		{"a,b\r1,2\n3,4\r", "f:2:4: LF after lines that end with CR, want one kind of line ends: LF or CRLF, or CR " +
			"alone throughout"},
		{"a,b\r1,2\r\n3,4\r", "f:3:1: LF after lines that end with CR, want one kind of line ends: LF or CRLF, or CR " +
			"alone throughout"},
		{"a;b\n1;\"2\" ;3\n", `f:2:6: " " after the closing quote, want a semicolon or the end of the line (a quote ` +
			`within a field is doubled)`},
		{"a;b\n1;2\"\n", "f:2:4: quote in an unquoted field, want the field in quotes and this quote doubled"},
		{"a;b\n1;\"2\n", "f:2:3: quote is not closed before the end of the file"},
	} {
		if _, _, err := all(NewReader(strings.NewReader(v.file), "f")); fmt.Sprint(err) != v.want {
			t.Errorf("%q\n got: %v\nwant: %s", v.file, err, v.want)
		}
	}
	broken := errors.New("disk on fire")
	if _, _, err := all(NewReader(io.MultiReader(strings.NewReader("a\n1\n"), iotest.ErrReader(broken)),
		"f")); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestHeader(t *testing.T) {
	r := NewReader(strings.NewReader("\" First \n Name\",first\u00a0name , x,X\n"), "f")
	h, err := r.Header("a header")
	if err != nil || !slices.Equal(h.Names, []string{"First Name", "first name", "x", "X"}) {
		t.Fatalf("%q, %v", h.Names, err)
	}
	for name, want := range map[string]string{
		"y": "-1 <nil>", "First name": `-1 f:2:8: header names columns 1 and 2 both "First Name", whatever the case: ` +
			`want one column First name`,
	} {
		if i, err := h.Find(name); fmt.Sprintf("%d %v", i, err) != want {
			t.Errorf("%s: %d, %v", name, i, err)
		}
	}
	if _, err := NewReader(strings.NewReader("\ufeff\n\r\n"),
		"f").Header("a header"); fmt.Sprint(err) != "f:1:1: file is empty, want a header" {
		t.Error(err)
	}
}

// A row is read without an allocation, so that memory does not follow what is read.
func TestRowsAllocateNothing(t *testing.T) {
	row := strings.Repeat(",", 999) + "\n"
	r := NewReader(strings.NewReader(strings.Repeat(row, 300)), "f")
	next := func() {
		if ok, err := r.Next(); !ok || err != nil || r.Len() != 1000 || len(r.Field(999)) != 0 {
			t.Fatal(ok, err)
		}
	}
	next()
	if n := testing.AllocsPerRun(200, next); n != 0 {
		t.Errorf("%v allocations for a row", n)
	}
}

func TestTextIsPlainAgainAndNeverAFormula(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "b1": "b1", "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\tx": "'\tx", "\rx": "'\rx",
		"a=1": "a=1",
		"'":   "'", "'a": "'a", "'=1": "''=1", "''@": "'''@", " =1": " =1",
	} {
		got := Text(text)
		if got != want || Plain(got) != text {
			t.Errorf("%q is %q and again %q, want %q", text, got, Plain(got), want)
		}
	}
	if got := Plain("'a"); got != "'a" {
		t.Errorf("got %q", got)
	}
}

// What encoding/csv reads, with the separator told to it, is read alike.
func FuzzReader(f *testing.F) {
	f.Add("a,b\n\"x\"\"y\n,\",z\r\n\n1,2", byte(','))
	f.Add("a;b\n1;\"2\"\n", byte(';'))
	f.Fuzz(func(t *testing.T, file string, sep byte) {
		if separators[sep] == "" || strings.ContainsRune(strings.ReplaceAll(file, "\r\n", ""), '\r') {
			return
		}
		rows, _, err := all(NewReader(strings.NewReader("sep="+string(sep)+"\n"+file), "f"))
		if err != nil {
			return
		}
		c := csv.NewReader(strings.NewReader(file))
		c.Comma, c.FieldsPerRecord = rune(sep), -1
		want, err := c.ReadAll()
		if err != nil || !reflect.DeepEqual(rows, want) {
			t.Fatalf("got %q, encoding/csv %q, %v", rows, want, err)
		}
	})
}

// A row has as many fields as the header, neither fewer nor more.
func TestWidth(t *testing.T) {
	r := NewReader(strings.NewReader("a\na,b\na,b,c\n"), "")
	for n := 1; n <= 3; n++ {
		if ok, err := r.Next(); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if err := r.Width(2); (err == nil) != (n == 2) {
			t.Errorf("%d fields against 2: %v", n, err)
		}
	}
}

// A row of MaxRow bytes with its line end is read, one of a byte more is not.
func TestLongestRow(t *testing.T) {
	for size, fits := range map[int]bool{MaxRow: true, MaxRow + 1: false} {
		plain, quoted := strings.Repeat("x", size-1)+"\n", `"`+strings.Repeat("x\n", (size-3)/2)+strings.Repeat("y",
			(size-3)%2)+"\"\n"
		for _, file := range []string{plain, quoted} {
			if len(file) != size {
				t.Fatalf("a file of %d bytes, want %d", len(file), size)
			}
			if _, err := NewReader(strings.NewReader(file), "").Next(); (err == nil) != fits {
				t.Errorf("a row of %d bytes that begins with %q: %v", size, file[:2], err)
			}
		}
	}
}
