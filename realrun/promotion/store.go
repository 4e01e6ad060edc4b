package promotion

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/internal/durable"
	"flyball/internal/input"
)

// Head is the SHA-256 of the record that must be the last of a chain, noted down
// when it was made. If it is empty, the file beside the chain decides, whose name
// is HeadFile. If not, it overrules that file.
type Head string

// HeadFile returns the name of the file that names the last record of the chain
// in the file name.
func HeadFile(name string) string { return name + ".head" }

// ParseHead returns the head that text names, 64 hexadecimal digits.
func ParseHead(text string) (Head, error) {
	if raw, err := hex.DecodeString(text); err != nil || len(raw) != 32 {
		return "", fmt.Errorf("got %q, want 64 hexadecimal digits, as promote prints them", text)
	}
	return Head(strings.ToLower(text)), nil
}

// Open returns the chain in the file name, whose last record must be the one that
// head names. Errors are Invalid, ErrNoHead with the chain, or those of
// input.Open.
func Open(name string, head Head) ([]Record, error) {
	name, err := followed(name)
	if err != nil {
		return nil, err
	}
	text, err := input.Read(name, input.Promotions)
	if err != nil {
		return nil, err
	}
	all, err := Read(text, name)
	if err != nil {
		return nil, err
	}
	return all, checkHead(all, name, head)
}

// ErrNoHead reports a chain of which nothing shows that it still has its last
// record. It wraps ErrRefused.
var ErrNoHead = fmt.Errorf("%w: there is no head", ErrRefused)

// checkHead compares the last record of a chain with head, or with what the head
// file allows.
func checkHead(all []Record, name string, head Head) error {
	if head != "" {
		return CheckHead(all, name, string(head))
	}
	allowed, err := readHeads(HeadFile(name))
	switch {
	case errors.Is(err, fs.ErrNotExist) && len(all) == 0:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s is missing, and nothing shows that %s still has its last record: compare its "+
			"SHA-256, %s, with the one that was noted, and name it with --head",
			ErrNoHead, HeadFile(name), name, all[len(all)-1].Sum)
	case err != nil:
		return err
	}
	last := tip(all)
	if slices.Contains(allowed, last) {
		return nil
	}
	want := allowed[0]
	return problem("%s: the last record is number %d of SHA-256 %s, but %s names number %d of SHA-256 %s: records "+
		"were cut off, or added without flyball promote; "+
		"put back the file that has them, or overrule %s with --head", name, last.number, last.sum, HeadFile(name),
		want.number, want.sum, HeadFile(name))
}

// Add adds a record to the chain in the file name, and returns it with what Add
// fills in: its number, predecessor, time, end and sum. Its time is what clock
// returns while nobody else can add one, so that times do not fall. Errors are
// Invalid, ErrRefused, or those of the file system.
//
// The head file is written twice: first it allows the chain as it is and as it
// shall be, then as it is. So whatever stops Add at any moment leaves a chain and
// a head that fit, with the new record or without it.
func Add(name string, head Head, rec Record, clock func() time.Time, lasts time.Duration) (Record, error) {
	return add(durable.Write, name, head, rec, clock, lasts)
}

func add(write func(name string, data []byte) error, name string, head Head, rec Record, clock func() time.Time,
	lasts time.Duration) (Record, error) {
	name, err := followed(name)
	if err != nil {
		return rec, err
	}
	lock, err := durable.LockFolder(filepath.Dir(name)) // the file itself is replaced
	if err != nil {
		return rec, err
	}
	defer lock.Release()
	text, err := input.Read(name, input.Promotions)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return rec, err
	}
	all, last, err := read(text, name)
	if err == nil {
		err = checkHead(all, name, head)
	}
	if err == nil {
		rec, err = rec.next(all, last, clock(), lasts)
	}
	if err == nil {
		_, err = rec.Load(name)
	}
	if err != nil {
		return rec, err
	}
	before, after := tip(all), pair{rec.Number, rec.Sum}
	if err := write(HeadFile(name), headText(before, after)); err != nil {
		return rec, err
	}
	if err := write(name, append(text, sealed(rec.body())...)); err != nil {
		return rec, err
	}
	if err := write(HeadFile(name), headText(after)); err != nil {
		return rec, fmt.Errorf("promotion %d is recorded and in force, but %s still allows the chain without it: %w",
			rec.Number, HeadFile(name), err)
	}
	return rec, nil
}

// followed is what a link leads to: the head stands beside the file itself.
func followed(name string) (string, error) {
	if _, err := os.Lstat(name); err != nil {
		return name, nil // whoever opens it says so
	}
	to, err := filepath.EvalSymlinks(name)
	if errors.Is(err, fs.ErrNotExist) {
		return name, nil
	}
	return to, err
}

// pair names the last record of a chain.
type pair struct {
	number int
	sum    string
}

// tip is the pair of a chain; of one without records its sum is -.
func tip(all []Record) pair {
	if len(all) == 0 {
		return pair{0, "-"}
	}
	r := all[len(all)-1]
	return pair{r.Number, r.Sum}
}

const headHeader = "flyball promotion head 1\n"

// headText is the head file: a line for each tip that the chain may have.
func headText(allowed ...pair) []byte {
	text := []byte(headHeader)
	for _, p := range allowed {
		text = fmt.Appendf(text, "%d %s\n", p.number, p.sum)
	}
	return text
}

// readHeads returns the tips that a head file allows.
func readHeads(name string) ([]pair, error) {
	text, err := input.Read(name, input.Promotions)
	if err != nil {
		return nil, err
	}
	var allowed []pair
	rest, ok := bytes.CutPrefix(text, []byte(headHeader))
	for line := range strings.Lines(string(rest)) {
		number, sum, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		n, err := strconv.Atoi(number)
		ok = ok && err == nil
		allowed = append(allowed, pair{n, sum})
	}
	if !ok || len(allowed) < 1 || len(allowed) > 2 || !bytes.Equal(text, headText(allowed...)) {
		return nil, problem("%s: got a file that is not the head of promotion records", name)
	}
	return allowed, nil
}
