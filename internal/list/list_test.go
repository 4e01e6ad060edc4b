package list

import (
	"bytes"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"flyball/internal/csvfile"
	"flyball/internal/mail"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// options of all tests: one allowed domain, one refusing check.
var options = Options{
	AllowDomain: func(d string) bool { return d == "allowed.net" },
	Check: func(r Row) error {
		if len(r.Fields) > 1 && r.Fields[1] == "refuse me" {
			return errors.New("name asks to be refused")
		}
		return nil
	},
}

// outcome of reading a list: what a user sees of it.
type outcome struct {
	rows    []Row
	rejects []Reject
	count   Count
	file    string // the reject file
	err     error
}

func read(r io.Reader, name string, opts Options) outcome {
	var o outcome
	var file bytes.Buffer
	w := NewRejectWriter(&file)
	o.count, o.err = Read(r, name, opts,
		func(r Row) error { o.rows = append(o.rows, r); return nil },
		func(j Reject) error { o.rejects = append(o.rejects, j); return w.Write(j) })
	if err := w.Flush(); err != nil {
		panic(err)
	}
	o.file = file.String()
	return o
}

func TestReadRows(t *testing.T) {
	const file = "\ufeffname,email,note\r\n" +
		"Ann,ann@x.test,\n" +
		"\n" +
		"\"Bob \"\"B\"\" Bell\",BOB@Example.COM,\"a, b\"\r\n" +
		"Zoë,\"\"\"z o\"\"@x.test\",=1+1"
	var header []string
	opts := options
	opts.Header = func(h []string) ([]int, error) { header = h; return []int{2, 0}, nil }
	o := read(strings.NewReader(file), "list.csv", opts)
	want := []Row{
		{2, mail.Address{Local: "ann", Domain: "x.test"}, []string{"", "Ann"}},
		{4, mail.Address{Local: "BOB", Domain: "example.com"}, []string{"a, b", `Bob "B" Bell`}},
		{5, mail.Address{Local: "z o", Domain: "x.test"}, []string{"=1+1", "Zoë"}},
	}
	if o.err != nil || !reflect.DeepEqual(o.rows, want) || o.count != (Count{In: 3, Accepted: 3}) {
		t.Errorf("got %+v, want rows %+v", o, want)
	}
	if !reflect.DeepEqual(header, []string{"name", "email", "note"}) {
		t.Errorf("header %q", header)
	}
}

// Every file of testdata/bad is refused, or has rows refused, with the exact
// words of its .err file.
func TestBadLists(t *testing.T) {
	files, _ := filepath.Glob("testdata/bad/*.csv")
	if len(files) < 30 {
		t.Fatalf("only %d bad lists", len(files))
	}
	for _, path := range files {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		o := read(bytes.NewReader(src), filepath.Base(path), options)
		got := fmt.Sprintf("%v\n", o.err)
		if o.err == nil {
			got = fmt.Sprintf("in %d = accepted %d + rejected %d + duplicate %d\n%s", o.count.In, o.count.Accepted,
				o.count.Rejected, o.count.Duplicate, o.file)
			if o.count.Rejected+o.count.Duplicate == 0 {
				t.Errorf("%s: nothing is wrong with it", path)
			}
		}
		golden := strings.TrimSuffix(path, ".csv") + ".err"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(golden); err != nil || got != string(want) {
			t.Errorf("%s\n got: %swant: %s", path, got, want)
		}
		// However the bytes arrive, the outcome is the same.
		if slow := read(iotest.OneByteReader(bytes.NewReader(src)), filepath.Base(path),
			options); !reflect.DeepEqual(slow, o) {
			t.Errorf("%s: read byte by byte: %+v, at once: %+v", path, slow, o)
		}
	}
}

// Every way in which a spreadsheet writes the same list is the same list.
func TestReadsWhatSpreadsheetsWrite(t *testing.T) {
	want := []Row{
		{0, mail.Address{Local: "ann", Domain: "x.test"}, []string{"ann@x.test", "Ann, Bell; | \t", "a\nb"}},
		{0, mail.Address{Local: "bob", Domain: "x.test"}, []string{"bob@x.test", "Bob", ""}},
	}
	const plain = "email,\"First\n  Name\", Straße \nann@x.test,\"Ann, Bell; | \t\",\"a\nb\"\nbob@x.test,Bob,\n"
	quoted := func(s, sep string) string { // with other separators outside quotes
		parts := strings.Split(s, "\"")
		for i := 0; i < len(parts); i += 2 {
			parts[i] = strings.ReplaceAll(parts[i], ",", sep)
		}
		return strings.Join(parts, "\"")
	}
	ends := func(s, end string) string { return strings.ReplaceAll(s, "\n", end) }
	files := map[string]string{
		"plain": plain, "byte order mark": "\ufeff" + plain, "CRLF": ends(plain, "\r\n"), "CR": ends(plain, "\r"),
		"no last line end":  strings.TrimSuffix(plain, "\n"),
		"blank lines":       "\n\n" + strings.Replace(plain, "\nbob", "\n\n\nbob", 1),
		"blank lines of CR": "\r\r" + ends(plain, "\r"), "mixed": strings.Replace(plain, "\nbob", "\r\nbob", 1),
		"all of it": "\ufeffsep=;\r\n" + ends(quoted(plain, ";"), "\r\n"),
		"old":       "SEP=|\r" + ends(quoted(plain, "|"), "\r"),
	}
	for name, sep := range map[string]string{"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"} {
		files[name] = quoted(plain, sep)
		files["named "+name] = "sep=" + sep + "\n" + quoted(plain, sep)
		files["named in quotes "+name] = "\"sep=" + sep + "\"\n" + quoted(plain, sep)
	}
	for name, file := range files {
		var header []string
		o := read(strings.NewReader(file), "list.csv", Options{Header: func(h []string) ([]int,
			error) {
			header = h
			return []int{0, 1, 2}, nil
		}})
		for i := range o.rows {
			o.rows[i].Line = 0
			o.rows[i].Fields[2] = strings.ReplaceAll(o.rows[i].Fields[2], "\r", "") // CRLF within quotes is LF
		}
		if o.err != nil || !reflect.DeepEqual(o.rows, want) ||
			!slices.Equal(header, []string{"email", "First Name", "Straße"}) {
			t.Errorf("%s: header %q, got %+v", name, header, o)
		}
	}
}

// Case is folded as the option says, and what is not folded is counted: both by
// a map of addresses in lower case.
func TestCase(t *testing.T) {
	for _, v := range []struct {
		rows       string
		plain, all Count // without FoldCase, and with it
	}{
		{"Ann@X.test ann@x.test ANN@x.test", Count{3, 3, 0, 0, 2}, Count{3, 1, 0, 2, 0}},
		{"ann@x.test ann@X.test", Count{2, 1, 0, 1, 0}, Count{2, 1, 0, 1, 0}},
		{"ANN@x.test Ann@x.test", Count{2, 2, 0, 0, 1}, Count{2, 1, 0, 1, 0}},
		{"ANN@x.test ANN@x.test ann@x.test ann@x.test", Count{4, 2, 0, 2, 1}, Count{4, 1, 0, 3, 0}},
		{"Ann@x.test ann@y.test ANN@z.test", Count{3, 3, 0, 0, 0}, Count{3, 3, 0, 0, 0}},
		{"\"Z\\o\"@x.test zo@x.test ZO@x.test ZO@X.TEST", Count{4, 3, 0, 1, 2}, Count{4, 1, 0, 3, 0}},
	} {
		var file bytes.Buffer
		w := csv.NewWriter(&file)
		w.Write([]string{"email"})
		for _, a := range strings.Fields(v.rows) {
			w.Write([]string{a})
		}
		w.Flush()
		for fold, want := range map[bool]Count{false: v.plain, true: v.all} {
			opts := Options{FoldCase: fold}
			if o := read(bytes.NewReader(file.Bytes()), "list.csv", opts); o.err != nil || o.count != want {
				t.Errorf("%s, fold %t: read %+v, %v, want %+v", v.rows, fold, o.count, o.err, want)
			}
			s, err := Scan(bytes.NewReader(file.Bytes()), "list.csv", opts,
				func(mail.Address) (mail.Destination, error) { return 0, nil }, func(Reject) error { return nil })
			if err != nil || s.Count != want {
				t.Errorf("%s, fold %t: scanned %+v, %v, want %+v", v.rows, fold, s.Count, err, want)
			}
		}
	}
}

func TestRowLimit(t *testing.T) {
	const header = "email,name\nann@x.test,Ann\n"
	long := strings.Repeat("l", csvfile.MaxRow)
	fits := "bob@x.test," + long[:csvfile.MaxRow-len("bob@x.test,\n")] + "\n"
	for _, v := range []struct{ name, rows, want string }{
		{"exact", fits + "cid@x.test,Cid\n", "<nil>"},
		{"one more", "l" + fits, "list.csv:3:1: row is longer than 1048576 bytes"},
		{"no end", "bob@x.test," + long, "list.csv:3:1: row is longer than 1048576 bytes"},
		{"two lines together", "bob@x.test,\"" + long[:csvfile.MaxRow/2] + "\n" + long[:csvfile.MaxRow/2] + "\"\n",
			"list.csv:3:12: row is longer than 1048576 bytes, want a closing quote for this one before"},
		{"open quote", "bob@x.test,\"Bob\n" + strings.Repeat("cid@x.test,Cid\n", 100_000),
			"list.csv:3:12: row is longer than 1048576 bytes, want a closing quote for this one before"},
		{"long second line", "bob@x.test,\"Bob\n" + long + "\"\n",
			"list.csv:3:12: row is longer than 1048576 bytes, want a closing quote for this one before"},
	} {
		if o := read(strings.NewReader(header+v.rows), "list.csv", options); fmt.Sprint(o.err) != v.want {
			t.Errorf("%s: %v, want %s", v.name, o.err, v.want)
		}
	}
}

// A reader that never ends a row must not be read to its end.
func TestEndlessRowIsGivenUp(t *testing.T) {
	endless := &counter{r: io.MultiReader(strings.NewReader("email\n\""), forever{})}
	if o := read(endless, "list.csv", options); o.err == nil || endless.n > 2*csvfile.MaxRow {
		t.Errorf("%v after %d bytes", o.err, endless.n)
	}
}

type forever struct{}

func (forever) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '\n'
	}
	return len(p), nil
}

type counter struct {
	r io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func TestErrorsOfOthersEndTheReading(t *testing.T) {
	boom := errors.New("boom")
	const file = "email\nann@x.test\nbob\ncid@x.test\n"
	ok := func(Row) error { return nil }
	okReject := func(Reject) error { return nil }
	for _, v := range []struct {
		name   string
		r      io.Reader
		opts   Options
		accept func(Row) error
		reject func(Reject) error
		want   Count
	}{
		{"header", strings.NewReader(file), Options{Header: func([]string) ([]int, error) { return nil, boom }}, ok,
			okReject, Count{}},
		{"accept", strings.NewReader(file), Options{}, func(Row) error { return boom }, okReject,
			Count{In: 1, Accepted: 1}},
		{"reject", strings.NewReader(file), Options{}, ok, func(Reject) error { return boom },
			Count{In: 2, Accepted: 1, Rejected: 1}},
		{"reader", io.MultiReader(strings.NewReader(file), iotest.ErrReader(boom)), Options{}, ok, okReject,
			Count{3, 2, 1, 0, 0}},
		{"reader at once", iotest.ErrReader(boom), Options{}, ok, okReject, Count{}},
		{"reader in a row", io.MultiReader(strings.NewReader(file+"dan@x"), iotest.ErrReader(boom)), Options{}, ok,
			okReject, Count{3, 2, 1, 0, 0}},
	} {
		if n, err := Read(v.r, "list.csv", v.opts, v.accept, v.reject); !errors.Is(err, boom) || n != v.want {
			t.Errorf("%s: %+v, %v; want %+v, boom", v.name, n, err, v.want)
		}
	}
}

// The account of random lists is right by construction: each row is made good,
// bad or a repetition on purpose.
func TestCountsOfRandomLists(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var file bytes.Buffer
		file.WriteString("email,name\n")
		w := csv.NewWriter(&file)
		w.UseCRLF = r.IntN(2) == 0
		var good []string
		var want Count
		for i := range r.IntN(60) {
			want.In++
			switch k := r.IntN(10); {
			case k < 5 || len(good) == 0:
				good = append(good, fmt.Sprintf("u%d@h%d.test", i, r.IntN(4)))
				w.Write([]string{good[len(good)-1], "a \"b\", c"})
				want.Accepted++
			case k < 8:
				local, domain, _ := strings.Cut(good[r.IntN(len(good))], "@")
				w.Write([]string{[]string{local, `"` + local + `"`}[r.IntN(2)] + "@" +
					[]string{domain, strings.ToUpper(domain)}[r.IntN(2)], ""})
				want.Duplicate++
			default:
				w.Write([][]string{{"ann"}, {"ann@gmail.com", ""}, {"ann@\nx.test", "ab"}, {"", ""},
					{"ann@x.test", "Ann", "Rome"}}[r.IntN(5)])
				want.Rejected++
			}
		}
		w.Flush()
		o := read(&file, "list.csv", Options{})
		if o.err != nil || o.count != want || len(o.rows) != want.Accepted ||
			len(o.rejects) != want.Rejected+want.Duplicate {
			t.Fatalf("seed %d: %+v, %v; want %+v", seed, o.count, o.err, want)
		}
	}
}

func TestRejectFileReadsBackAndIsHarmless(t *testing.T) {
	var b bytes.Buffer
	w := NewRejectWriter(&b)
	for i, email := range []string{"", "=1", "+1", "-1", "@x", "a=1", `a "b", c`, "a\r\nb", "\t=1", "\x1b[2J", "zoë"} {
		w.Write(Reject{Line: i + 2, Email: email, Reason: "because"})
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"email", "", "'=1", "'+1", "'-1", "'@x", "a=1", `a "b", c`, `"a\r\nb"`, `"\t=1"`, `"\x1b[2J"`,
		"zoë"}
	for i, row := range rows {
		if row[1] != want[i] {
			t.Errorf("line %s: cell %q, want %q", row[0], row[1], want[i])
		}
	}
	if len(rows) != len(want) {
		t.Errorf("%d rows, want %d", len(rows), len(want))
	}
}

// The count identity holds for any bytes, every row is reported once and in order,
// and encoding/csv sees the same rows.
func FuzzRead(f *testing.F) {
	files, _ := filepath.Glob("testdata/bad/*.csv")
	for _, path := range files {
		src, _ := os.ReadFile(path)
		f.Add(src)
	}
	f.Add([]byte("email,name\r\nann@x.test,\"A \"\"B\"\", C\"\r\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		o := read(bytes.NewReader(src), "list.csv", options)
		if c := o.count; c.In != c.Accepted+c.Rejected+c.Duplicate || c.Accepted != len(o.rows) ||
			c.Rejected+c.Duplicate != len(o.rejects) {
			t.Fatalf("%+v with %d rows and %d rejects", c, len(o.rows), len(o.rejects))
		}
		seen := map[mail.Address]bool{}
		for i, r := range o.rows {
			if seen[r.Address] || i > 0 && r.Line <= o.rows[i-1].Line ||
				strings.ContainsAny(strings.Join(r.Fields, ""), "\x00") {
				t.Fatalf("row %+v", r)
			}
			seen[r.Address] = true
		}
		if lines := strings.Count(o.file, "\n"); lines != 1+len(o.rejects) {
			t.Fatalf("reject file of %d lines: %s", lines, o.file)
		}
		if o.err != nil {
			if !strings.HasPrefix(o.err.Error(), "list.csv:") || strings.ContainsAny(o.err.Error(), "\r\n\x00") {
				t.Fatalf("error %q", o.err)
			}
			return
		}
		if bytes.ContainsAny(src, ";\t|=") || bytes.ContainsRune(bytes.ReplaceAll(src, []byte("\r\n"), nil), '\r') {
			return // separators and line ends that encoding/csv has to be told
		}
		c := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(src, []byte("\ufeff"))))
		c.FieldsPerRecord = -1
		all, err := c.ReadAll()
		if err != nil || len(all) != 1+o.count.In {
			t.Fatalf("encoding/csv: %d rows, %v; here %+v", len(all), err, o.count)
		}
		r := csvfile.NewReader(bytes.NewReader(src), "list.csv")
		for i, want := range all {
			if ok, err := r.Next(); !ok || err != nil || !slices.Equal(r.Strings(), want) {
				t.Fatalf("row %d is %q, %v; encoding/csv has %q", i, r.Strings(), err, want)
			}
		}
	})
}

func BenchmarkRead100k(b *testing.B) {
	var file bytes.Buffer
	file.WriteString("email,name,city\n")
	for i := range 100_000 {
		fmt.Fprintf(&file, "user%d@provider%d.test,User %d,\"Rome, Italy\"\n", i, i%7, i)
	}
	b.SetBytes(int64(file.Len()))
	b.ReportAllocs()
	for b.Loop() {
		n, err := Read(bytes.NewReader(file.Bytes()), "list.csv", Options{}, func(Row) error { return nil },
			func(Reject) error { return nil })
		if err != nil || n.Accepted != 100_000 {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(100_000*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// A name of two columns is refused wherever the two stand: either may be meant.
func TestColumnsOfOneName(t *testing.T) {
	for header, want := range map[string]string{
		"x,x,email": "list.csv:1:3: header names columns 1 and 2 both \"x\", want different names",
		"x,email,x": "list.csv:1:9: header names columns 1 and 3 both \"x\", want different names",
		"email,x,x": "list.csv:1:9: header names columns 2 and 3 both \"x\", want different names",
	} {
		if o := read(strings.NewReader(header+"\na,b,c\n"), "list.csv", Options{}); o.err == nil ||
			o.err.Error() != want {
			t.Errorf("%s: got %v, want %s", header, o.err, want)
		}
	}
}
