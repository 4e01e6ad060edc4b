package list

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"flyball/internal/mail"
)

// destinations of the tests; stop is never mailed.
func findDestination(a mail.Address) (mail.Destination, error) {
	switch {
	case a.Domain != "x.test" && a.Domain != "allowed.net":
		return 0, errors.New("belongs to nobody")
	case a.Local == "stop":
		return Unwanted, nil
	case a.Domain == "x.test":
		return 0, nil
	}
	return 7, nil
}

// bySlowReading is what Scan should say, by Read with its 128-bit keys.
func bySlowReading(src []byte, opts Options) (Scanned, string, error) {
	var s Scanned
	opts.Check = func(r Row) error { _, err := findDestination(r.Address); return err }
	var file bytes.Buffer
	w := NewRejectWriter(&file)
	var err error
	s.Count, err = Read(bytes.NewReader(src), "list.csv", opts, func(r Row) error {
		if to, _ := findDestination(r.Address); to == Unwanted {
			s.Unwanted++
		} else {
			s.Destinations = append(s.Destinations, to)
		}
		return nil
	}, w.Write)
	w.Flush()
	return s, file.String(), err
}

func scanned(src io.ReadSeeker, opts Options) (Scanned, string, error) {
	var file bytes.Buffer
	w := NewRejectWriter(&file)
	s, err := Scan(src, "list.csv", opts, findDestination, w.Write)
	w.Flush()
	return s, file.String(), err
}

func alike(t *testing.T, src []byte) Count {
	t.Helper()
	alikeIf(t, src, Options{AllowDomain: options.AllowDomain, FoldCase: true})
	return alikeIf(t, src, Options{AllowDomain: options.AllowDomain})
}

func alikeIf(t *testing.T, src []byte, opts Options) Count {
	t.Helper()
	want, wantFile, wantErr := bySlowReading(src, opts)
	got, gotFile, err := scanned(bytes.NewReader(src), opts)
	if fmt.Sprint(err) != fmt.Sprint(wantErr) {
		t.Fatalf("error %v, want %v", err, wantErr)
	}
	if err != nil {
		return Count{}
	}
	if len(want.Destinations) == 0 {
		want.Destinations = got.Destinations[:0:0]
	}
	if gotFile != wantFile || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v\n%s\nwant %+v\n%s", got.Count, gotFile, want.Count, wantFile)
	}
	return got.Count
}

// Random lists are read as the live run reads them, and as a map of their
// addresses counts them.
func TestScanIsRead(t *testing.T) {
	luck := rand.New(rand.NewPCG(1, 2))
	for i := range 60 {
		capitals := i%2 == 1
		folded := map[string]bool{}
		var file strings.Builder
		file.WriteString("name,email\n")
		seen := map[string]bool{}
		var want Count
		people := 1 + luck.IntN(2000)
		for range luck.IntN(4000) {
			local := fmt.Sprintf("u%d", luck.IntN(people))
			if capitals && luck.IntN(3) == 0 {
				local = strings.ToUpper(local) + []string{"", "a", "A"}[luck.IntN(3)]
			}
			if luck.IntN(50) == 0 {
				local = "stop"
			}
			domain := []string{"x.test", "X.Test", "allowed.net", "other.test", "gmail.com"}[luck.IntN(5)]
			switch luck.IntN(30) {
			case 0:
				file.WriteString("\r\n")
			case 1:
				fmt.Fprintf(&file, "\"two\nlines\",\"%s\n@%s\"\n", local, domain)
				want.In, want.Rejected = want.In+1, want.Rejected+1
				continue
			case 2:
				file.WriteString("short\n")
				want.In, want.Rejected = want.In+1, want.Rejected+1
				continue
			}
			fmt.Fprintf(&file, "N,%s@%s\n", local, domain)
			want.In++
			address := local + "@" + strings.ToLower(domain)
			switch {
			case domain == "other.test" || domain == "gmail.com":
				want.Rejected++
			case seen[address]:
				want.Duplicate++
			default:
				want.Accepted++
				seen[address] = true
				if folded[strings.ToLower(address)] {
					want.CaseOnly++
				}
				folded[strings.ToLower(address)] = true
			}
		}
		if got := alike(t, []byte(file.String())); got != want {
			t.Fatalf("%+v, want %+v", got, want)
		}
	}
}

// More rows than a block holds, with duplicates across blocks.
func TestScanOfManyBlocks(t *testing.T) {
	var file strings.Builder
	file.WriteString("email\n")
	n := 3*perBlock + 5
	for i := range n {
		fmt.Fprintf(&file, "u%d@x.test\n", i%(2*perBlock+1))
	}
	if got := alike(t, []byte(file.String())); got.Duplicate != n-(2*perBlock+1) {
		t.Errorf("%+v", got)
	}
}

func TestScanOfBadLists(t *testing.T) {
	files, _ := filepath.Glob("testdata/bad/*.csv")
	for _, path := range files {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		alike(t, src)
	}
}

// changing is a file that is another one the second time.
type changing struct {
	io.ReadSeeker
	then io.ReadSeeker
}

func (c *changing) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekStart {
		c.ReadSeeker = c.then
	}
	return c.ReadSeeker.Seek(offset, whence)
}

func TestScanOfAFileThatChanges(t *testing.T) {
	_, _, err := scanned(&changing{strings.NewReader("email\na@x.test\na@x.test\n"),
		strings.NewReader("email\na@x.test\n")}, Options{})
	if fmt.Sprint(err) != "list.csv: file changed while it was read" {
		t.Errorf("error %v", err)
	}
}

// people is a file of n rows that is made as it is read.
type people struct {
	n, next int
	row     [64]byte
	rest    []byte // of the row
}

func (p *people) Seek(int64, int) (int64, error) { return 0, nil }

func (p *people) Read(to []byte) (int, error) {
	if len(p.rest) == 0 {
		if p.next > p.n {
			return 0, io.EOF
		}
		p.rest = append(strconv.AppendInt(append(p.row[:0], "user"...), int64(p.next), 10), "@x.test,Somebody\n"...)
		if p.next == 0 {
			p.rest = append(p.row[:0], "email,name\n"...)
		}
		p.next++
	}
	n := copy(to, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// All that is ever allocated, whether it is still in use or not, is 16 bytes
// for a recipient at most: the peak cannot be more, whenever memory is swept.
func TestMemoryOfScan(t *testing.T) {
	const rows = 1_000_000
	src := &people{n: rows}
	find := func(mail.Address) (mail.Destination, error) { return 0, nil }
	var got Scanned
	all := allocated(func() {
		var err error
		if got, err = Scan(src, "list.csv", Options{}, find, func(Reject) error { panic("rejected") }); err != nil {
			t.Fatal(err)
		}
	})
	each := float64(all) / rows
	t.Logf("%.2f bytes for a recipient", each)
	if each > 16 || len(got.Destinations) != rows {
		t.Errorf("%.2f bytes for each of %d recipients, want at most 16", each, len(got.Destinations))
	}
}

func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
