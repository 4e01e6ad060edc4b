package wire

import (
	"bytes"
	"errors"
	"io"
)

// errGarbled is a reply that is not in the form of RFC 5321 4.2, one that comes without a
// command, or one without end.
var errGarbled = errors.New("reply is not in the form of RFC 5321 4.2")

// Bounds of a reply, far above those of RFC 5321 4.5.3.1.5: a receiver may announce hundreds of
// extensions, and none may fill this computer's memory.
const (
	mostLine  = 4096 // bytes of a line with its CRLF
	mostLines = 1000
	mostText  = 64 << 10 // bytes of text of all lines
)

// reply is a reply, of which some lines may still be missing.
type reply struct {
	code  uint16 // 200 to 599; 0 before the first line
	lines int
	text  []byte // of all lines, each with a line feed behind it
}

func (r *reply) clear() { r.code, r.lines, r.text = 0, 0, r.text[:0] }

// add adds a line without its CRLF, and reports whether it is the last one. All lines have the
// same code (RFC 5321 4.2.1), and a code without text is a line (RFC 5321 4.2).
func (r *reply) add(line []byte) (last bool, err error) {
	if len(line) < 3 || line[0] < '2' || line[0] > '5' || !digit(line[1]) || !digit(line[2]) {
		return false, errGarbled
	}
	code := 100*uint16(line[0]-'0') + 10*uint16(line[1]-'0') + uint16(line[2]-'0')
	if r.code != 0 && code != r.code {
		return false, errGarbled
	}
	r.code = code
	r.lines++
	if r.lines > mostLines || len(r.text)+len(line) > mostText {
		return false, errGarbled
	}
	if len(line) == 3 {
		return true, nil
	}
	r.text = append(append(r.text, line[4:]...), '\n')
	switch line[3] {
	case ' ':
		return true, nil
	case '-':
		return false, nil
	}
	return false, errGarbled
}

func digit(b byte) bool { return '0' <= b && b <= '9' }

// mostShown is the most bytes of a reply's text that are kept for people.
const mostShown = 300

// shown appends the beginning of the text in one line of printable ASCII.
func (r *reply) shown(to []byte) []byte {
	for _, b := range bytes.TrimSpace(r.text[:min(len(r.text), mostShown)]) {
		switch {
		case b == '\n':
			b = ' '
		case b < ' ' || b > '~':
			b = '?'
		}
		to = append(to, b)
	}
	return to
}

// reader reads lines. After an error it goes on where it was.
type reader struct {
	src      io.Reader
	from, to int // what is read and not taken
	buffer   [mostLine]byte
}

// line returns the next line without its CRLF, until the next call. A line feed alone ends no
// line.
func (r *reader) line() ([]byte, error) {
	for seen := 0; ; { // bytes of the line, which may come one by one
		if n := bytes.IndexByte(r.buffer[r.from+seen:r.to], '\n'); n >= 0 {
			line := r.buffer[r.from : r.from+seen+n]
			r.from += len(line) + 1
			if !bytes.HasSuffix(line, []byte("\r")) {
				return nil, errGarbled
			}
			return line[:len(line)-1], nil
		}
		seen = r.to - r.from
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads more, at least a byte.
func (r *reader) fill() error {
	if r.from > 0 {
		r.to = copy(r.buffer[:], r.buffer[r.from:r.to])
		r.from = 0
	}
	if r.to == len(r.buffer) {
		return errGarbled
	}
	n, err := r.src.Read(r.buffer[r.to:])
	r.to += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// read reads lines up to the last one of the reply. After an error of the connection it goes on
// where it was.
func (r *reply) read(in *reader) error {
	for {
		line, err := in.line()
		if err != nil {
			return err
		}
		if last, err := r.add(line); last || err != nil {
			return err
		}
	}
}
