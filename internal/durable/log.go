package durable

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"flyball/internal/input"
)

// A Log is a file that grows by lines. The first line is a header that identifies
// the subject of the log; each line after it is
//
//	NUMBER SUM CONTENT
//
// where the first number is 1 and SUM is a checksum of the header, the number and
// the content. So a line that was changed, moved, doubled, left out or copied from
// another log is detected. Whole lines cut off at the end are not detected: the log
// is then in an earlier state.
//
// A Log has one writer. After an error it accepts no more records, since a record
// behind half a line would be lost.
type Log struct {
	name   string
	header string
	file   file
	last   int // number of the last line
	err    error
}

// Lines holds the records of a log, and how many bytes after the last record were
// dropped because they are not a whole line.
type Lines struct {
	Records [][]byte
	Torn    int
}

// ErrDamaged marks a log that a Log cannot have written.
var ErrDamaged = errors.New("damaged")

// Damage is the place at which a log is damaged.
type Damage struct {
	Name string
	Line int // in the file, from 1, which is the header
	Text string
}

func (d *Damage) Error() string {
	text := fmt.Sprintf("%s:%d: %s\ndelete the file to begin anew", d.Name, d.Line, d.Text)
	if d.Line > 2 {
		text += fmt.Sprintf(", or keep the %d lines before that one to go on from there", d.Line-1)
	}
	return text
}

func (d *Damage) Is(target error) bool { return target == ErrDamaged }

// OtherLog reports a log with another header.
type OtherLog struct{ Name, Header string }

func (o *OtherLog) Error() string {
	return fmt.Sprintf("%s:1: got the header %q, of another log", o.Name, o.Header)
}

// OpenLog opens and locks the log name with the given header, and returns its
// lines. If create is set, a missing log is created. An incomplete last line is
// dropped. Errors are ErrLocked, *OtherLog, *Damage, or errors of the file system.
func OpenLog(name, header string, create bool) (*Log, Lines, error) {
	f, err := lockedFile(name, create)
	if err != nil {
		return nil, Lines{}, err
	}
	return openLog(osDisk{}, f, name, header)
}

func openLog(d disk, f file, name, header string) (*Log, Lines, error) {
	l := &Log{name: name, header: header, file: f}
	lines, err := l.takeUp(d)
	if err != nil {
		f.Close()
		return nil, Lines{}, err
	}
	return l, lines, nil
}

// takeUp reads the log and sets the file to the end of its last whole line.
func (l *Log) takeUp(d disk) (Lines, error) {
	text, err := io.ReadAll(input.Progress.Bound(l.file, l.name))
	if err != nil {
		return Lines{}, err
	}
	head := []byte(l.header + "\n")
	if len(text) < len(head) && bytes.HasPrefix(head, text) { // new, or cut short in the header
		err := l.rewind(0)
		if err == nil {
			_, err = l.file.Write(head)
		}
		if err == nil {
			err = l.file.Sync()
		}
		if err == nil {
			err = d.syncFolder(filepath.Dir(l.name))
		}
		return Lines{}, err
	}
	lines, err := ReadLog(text, l.name, l.header)
	if err != nil {
		return Lines{}, err
	}
	l.last = len(lines.Records)
	return lines, l.rewind(int64(len(text) - lines.Torn))
}

func (l *Log) rewind(length int64) error {
	if err := l.file.Truncate(length); err != nil {
		return err
	}
	_, err := l.file.Seek(length, io.SeekStart)
	return err
}

// ReadLog returns the lines of a log, given its text; its header must be header.
// name is the name of the file in errors.
func ReadLog(text []byte, name, header string) (Lines, error) {
	head, rest, whole := bytes.Cut(text, []byte("\n"))
	if !whole || string(head) != header {
		return Lines{}, &OtherLog{name, string(head)}
	}
	var lines Lines
	for len(rest) > 0 {
		n := len(lines.Records) + 1
		var line []byte
		if line, rest, whole = bytes.Cut(rest, []byte("\n")); !whole {
			lines.Torn = len(line)
			break
		}
		content, err := unsealed(line, header, n)
		if err != nil {
			return Lines{}, &Damage{name, n + 1, err.Error()}
		}
		lines.Records = append(lines.Records, content)
	}
	return lines, nil
}

// Append adds a record. content must not contain a line break.
func (l *Log) Append(content []byte) error {
	if l.err != nil {
		return l.err
	}
	if bytes.IndexByte(content, '\n') >= 0 {
		panic("durable: a record with a line break in it")
	}
	if _, l.err = l.file.Write(sealed(content, l.header, l.last+1)); l.err == nil {
		l.last++
	}
	return l.err
}

// Keep drops all records after the first n.
func (l *Log) Keep(n int) error {
	if l.err != nil || n >= l.last {
		return l.err
	}
	if _, l.err = l.file.Seek(0, io.SeekStart); l.err != nil {
		return l.err
	}
	text, err := io.ReadAll(input.Progress.Bound(l.file, l.name))
	length := 0
	for range n + 1 { // with the header
		length += bytes.IndexByte(text[length:], '\n') + 1
	}
	if l.err = err; err == nil {
		l.last, l.err = n, l.rewind(int64(length))
	}
	return l.err
}

// Sync flushes appended records to the disk. Records that are not flushed survive
// the end of the program, but not a loss of power.
func (l *Log) Sync() error {
	if l.err == nil {
		l.err = l.file.Sync()
	}
	return l.err
}

// Close closes and unlocks the log.
func (l *Log) Close() error { return l.file.Close() }

// Remove removes the file of the log while it is still locked.
func (l *Log) Remove() error { return osDisk{}.remove(l.name) }

// sealed returns a line: number, sum and content.
func sealed(content []byte, header string, number int) []byte {
	return fmt.Appendf(nil, "%d %s %s\n", number, sum(content, header, number), content)
}

// sum returns 64 bits of SHA-256: protection against accidents, not forgery.
func sum(content []byte, header string, number int) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%d\n", header, number)
	h.Write(content)
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

// unsealed returns the content of a line, which must have the given number and the
// right sum.
func unsealed(line []byte, header string, number int) ([]byte, error) {
	first, rest, _ := bytes.Cut(line, []byte(" "))
	_, content, ok := bytes.Cut(rest, []byte(" "))
	if !ok {
		return nil, fmt.Errorf("got a line that is not number, sum and content, want record %d", number)
	}
	if bytes.Equal(append(line[:len(line):len(line)], '\n'), sealed(content, header, number)) {
		return content, nil
	}
	if got, err := strconv.Atoi(string(first)); err == nil && got != number &&
		bytes.HasPrefix(sealed(content, header, got), line) {
		return nil, fmt.Errorf("got record %d, want record %d: lines were left out, doubled or moved", got, number)
	}
	return nil, fmt.Errorf("got a line that does not have the sum that it names, want record %d: the line was changed",
		number)
}
