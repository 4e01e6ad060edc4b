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

// Head is the SHA-256 of the record that must be the last of a chain, as noted
// when the record was made. If Head is empty, the head file beside the chain
// decides (see headFile). Otherwise Head overrules the head file.
type Head string

// headFile returns the name of the head file of the chain in the file name.
func headFile(name string) string { return name + ".head" }

// ParseHead parses a head, 64 hexadecimal digits.
func ParseHead(text string) (Head, error) {
	if raw, err := hex.DecodeString(text); err != nil || len(raw) != 32 {
		return "", fmt.Errorf("got %q, want 64 hexadecimal digits, as promote prints them", text)
	}
	return Head(strings.ToLower(text)), nil
}

// Open returns the chain in the file name, after comparing its last record with
// head. The error is Invalid, ErrNoHead (which comes with the chain), or an error
// of input.Read.
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

// ErrNoHead is the error of a chain without a head, so that nothing shows that it
// still has its last record. It wraps ErrRefused.
var ErrNoHead = fmt.Errorf("%w: no head", ErrRefused)

// checkHead compares the last record of a chain with head or, if head is empty,
// with the records that the head file allows.
func checkHead(all []Record, name string, head Head) error {
	if head != "" {
		return checkNoted(all, name, string(head))
	}
	allowed, err := readHeads(headFile(name))
	switch {
	case errors.Is(err, fs.ErrNotExist) && len(all) == 0:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s is missing, and nothing shows that %s still has its last record: compare its "+
			"SHA-256, %s, with the noted one, and give it with --head",
			ErrNoHead, headFile(name), name, all[len(all)-1].Sum)
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
		"put back the file that has them, or overrule %s with --head", name, last.number, last.sum, headFile(name),
		want.number, want.sum, headFile(name))
}

// Add adds a record to the chain in the file name, and returns it completed with
// its number, previous sum, time, expiry and sum. It calls clock while it holds
// the lock of the folder, so that times do not fall along the chain. The error is
// Invalid, ErrRefused, or an error of the file system.
//
// The head file is written twice: first it allows the chain with and without the
// new record, then only with it. So if Add is interrupted at any moment, chain and
// head fit each other, with the new record or without it.
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
	if err := write(headFile(name), headText(before, after)); err != nil {
		return rec, err
	}
	if err := write(name, append(text, sealed(rec.body())...)); err != nil {
		return rec, err
	}
	if err := write(headFile(name), headText(after)); err != nil {
		return rec, fmt.Errorf("promotion %d is recorded and in force, but %s still allows the chain without it: %w",
			rec.Number, headFile(name), err)
	}
	return rec, nil
}

// followed returns the file that name leads to if it is a link, because the head
// is beside the file itself.
func followed(name string) (string, error) {
	if _, err := os.Lstat(name); err != nil {
		return name, nil // opening it returns the error
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

// tip returns the pair of a chain; for a chain without records the sum is "-".
func tip(all []Record) pair {
	if len(all) == 0 {
		return pair{0, "-"}
	}
	r := all[len(all)-1]
	return pair{r.Number, r.Sum}
}

const headHeader = "flyball promotion head 1\n"

// headText returns the text of a head file: a line for each allowed tip.
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
