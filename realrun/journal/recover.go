package journal

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// Contents is what a journal had when it was opened.
type Contents struct {
	Entries []Entry
	Epoch   uint32 // of the process that opened it, from 1 on
	Torn    int    // bytes at the end that were not a whole record, and were cut off
	records uint64
	old     []string // files before the one that begins the journal: they do not count
	files   int      // that count
}

// Errors of Open.
var (
	ErrOther   = errors.New("the journal of another mailing")
	ErrDamaged = errors.New("damaged")
	ErrFound   = errors.New("a journal is there")
	ErrMissing = errors.New("no journal is there")
)

// Damage is where a journal is damaged. It is an ErrDamaged.
type Damage struct {
	File   string
	Record uint64 // 0: the head of the file
	Text   string
}

func (d *Damage) Error() string {
	if d.Record == 0 {
		return fmt.Sprintf("%s: head: %s", d.File, d.Text)
	}
	return fmt.Sprintf("%s: record %d: %s", d.File, d.Record, d.Text)
}

func (d *Damage) Is(target error) bool { return target == ErrDamaged }

const prefix = "facts-"

func fileName(epoch uint32) string { return fmt.Sprintf("%s%08d", prefix, epoch) }

// Create creates the journal of a mailing on a disk without one. It is durable when Create returns.
func Create(d Disk, id ID) (*Journal, error) {
	names, err := files(d)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(names, func(name string) bool { return !begun(d, name) }) {
		return nil, ErrFound
	}
	return begin(d, 1, 0, id)
}

// begun reports whether a file is the first one and has no whole head: no process has used it.
func begun(d Disk, name string) bool {
	text, err := d.Read(name)
	return err == nil && name == fileName(1) && tornHead(text)
}

// Open opens the journal of a mailing and returns what it has. What a loss of power tore is cut off. All contents are
// durable when Open returns.
func Open(d Disk, id ID) (*Journal, Contents, error) {
	c, last, err := read(d, id)
	if err != nil {
		return nil, c, err
	}
	if last != nil { // what only the memory of the machine may have becomes durable
		if err := replace(d, fileName(c.Epoch-1), last); err != nil {
			return nil, c, err
		}
	}
	j, err := begin(d, c.Epoch, c.records, id)
	return j, c, err
}

// Read returns what the journal of a mailing has, and changes nothing. A process may write it meanwhile.
func Read(d Disk, id ID) (Contents, error) {
	for try := 1; ; try++ {
		c, _, err := read(d, id)
		if !errors.Is(err, fs.ErrNotExist) || try == 10 { // else the process has just rewritten the journal
			return c, err
		}
	}
}

// begin creates the file of an epoch.
func begin(d Disk, epoch uint32, records uint64, id ID) (*Journal, error) {
	f, err := d.Create(fileName(epoch))
	if err != nil {
		return nil, err
	}
	head := appendHead(nil, epoch, records+1, id)
	if _, err = f.Write(head); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = d.Sync()
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("journal %s: %w", fileName(epoch), err)
	}
	return &Journal{file: f, epoch: epoch, size: int64(len(head)), last: records, durable: records}, nil
}

// replace makes text the durable content of a file.
func replace(d Disk, name string, text []byte) error {
	const temporary = "new-" + prefix
	f, err := d.Create(temporary)
	if err != nil {
		return err
	}
	if _, err = f.Write(text); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = d.Rename(temporary, name)
	}
	if err == nil {
		err = d.Sync()
	}
	if err != nil {
		return fmt.Errorf("journal %s: %w", name, err)
	}
	return nil
}

// files returns the names of a journal's files in their order.
func files(d Disk) (all []string, err error) {
	names, err := d.Names()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if strings.HasPrefix(name, prefix) {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all, nil
}

// read reads a journal. last is the whole part of the last file that has a head; nil if there is none.
func read(d Disk, id ID) (c Contents, last []byte, err error) {
	names, err := files(d)
	if err != nil {
		return c, nil, err
	}
	if len(names) == 0 {
		return c, nil, ErrMissing
	}
	texts := make([][]byte, len(names))
	for i, name := range names {
		if texts[i], err = d.Read(name); err != nil {
			return c, nil, err
		}
	}
	first := 0
	c.Epoch = 1
	for i, name := range names {
		if epoch := begins(name, texts[i]); epoch > 0 {
			first, c.Epoch = i, epoch
		}
	}
	c.old, c.files = names[:first], len(names)-first
	for i, name := range names[first:] {
		if epoch, err := strconv.ParseUint(name[len(prefix):], 10, 32); err != nil || uint32(epoch) != c.Epoch ||
			name != fileName(c.Epoch) {
			return c, nil, &Damage{name, 0, fmt.Sprintf("got this file, want %s", fileName(c.Epoch))}
		}
		text := texts[first+i]
		final := i == len(names[first:])-1
		if final && tornHead(text) { // a process stopped while it began the file
			c.Torn += len(text)
			return c, last, nil
		}
		if err := readHeadOf(name, text, &c, id); err != nil {
			return c, nil, err
		}
		size, err := c.readRecords(name, text, final)
		if err != nil {
			return c, nil, err
		}
		last = text[:size]
		c.Epoch++
	}
	return c, last, nil
}

// tornHead reports whether a file has only the beginning of a head, or nothing but zeros.
func tornHead(text []byte) bool {
	return len(text) < headSize || len(bytes.Trim(text, "\x00")) == 0
}

func readHeadOf(name string, text []byte, c *Contents, id ID) error {
	want := appendHead(nil, c.Epoch, c.records+1, id)
	if len(text) >= headSize && bytes.Equal(text[:headSize], want) {
		return nil
	}
	if len(text) < headSize || string(text[:len(magic)]) != magic || order.Uint32(text[headSize-4:]) !=
		crc32.Checksum(text[:headSize-4], castagnoli) {
		return &Damage{name, 0, "got a head without its checksum"}
	}
	at := len(magic)
	if v := order.Uint16(text[at:]); v != version {
		return &Damage{name, 0, fmt.Sprintf("got version %d, want %d", v, version)}
	}
	if !bytes.Equal(text[headSize-36:headSize-4], id[:]) {
		return fmt.Errorf("%s: %w", name, ErrOther)
	}
	return &Damage{name, 0, fmt.Sprintf("got epoch %d from record %d on, want epoch %d from record %d on: a file or "+
		"records are missing", order.Uint32(text[at+2:]), order.Uint64(text[at+6:]), c.Epoch, c.records+1)}
}

// readRecords reads the records of a file, and returns the size of its whole part.
func (c *Contents) readRecords(name string, text []byte, final bool) (size int, err error) {
	at := headSize
	for at < len(text) {
		h, content, fault := c.next(text[at:])
		if fault != "" {
			if final && len(bytes.Trim(text[at:], "\x00")) == 0 { // room that was not used
				return at, nil
			}
			if final && torn(text, at) && !relied(text[at+1:], c.records+1) {
				c.Torn += len(text) - at
				return at, nil
			}
			return 0, &Damage{name, c.records + 1, fault}
		}
		for len(content) > 0 {
			var e Entry
			var err error
			if e, content, err = readEntry(content); err != nil {
				return 0, &Damage{name, h.number, err.Error()}
			}
			c.Entries = append(c.Entries, e)
		}
		c.records++
		at += recordSize + h.length
	}
	return at, nil
}

// next returns the head and the content of the record at the beginning of text, or what is wrong with it.
func (c *Contents) next(text []byte) (h head, content []byte, fault string) {
	h, ok := readHead(text)
	switch {
	case !ok:
		return h, nil, "got a head without its checksum"
	case h.version != version:
		return h, nil, fmt.Sprintf("got version %d, want %d", h.version, version)
	case h.epoch != c.Epoch:
		return h, nil, fmt.Sprintf("got a record of epoch %d, want %d", h.epoch, c.Epoch)
	case h.number != c.records+1:
		return h, nil, fmt.Sprintf("got record %d: records are missing, doubled or moved", h.number)
	case h.durable >= h.number:
		return h, nil, fmt.Sprintf("got durable record %d before it, want less than %d", h.durable, h.number)
	case h.length > min(most, len(text)-recordSize):
		return h, nil, fmt.Sprintf("got %d of %d bytes", len(text)-recordSize, h.length)
	}
	content = text[recordSize : recordSize+h.length]
	if crc32.Checksum(content, castagnoli) != h.sum {
		return h, nil, "got content without its checksum"
	}
	return h, content, ""
}

// sector is the least that a disk writes.
const sector = 512

// torn reports whether the bad record at a place can be what a loss of power leaves of one that was not durable: the
// file ends within it, or a sector of it was never written and is zero.
func torn(text []byte, at int) bool {
	end := len(text)
	if h, ok := readHead(text[at:]); ok {
		if h.length > end-at-recordSize {
			return true
		}
		end = at + recordSize + h.length
	} else if end-at < recordSize {
		return true
	}
	for from := at; from < end; {
		to := min(end, (from/sector+1)*sector)
		if to-from >= 8 && len(bytes.Trim(text[from:to], "\x00")) == 0 {
			return true
		}
		from = to
	}
	return false
}

// relied reports whether text has a record that was written when the record with a number was durable.
func relied(text []byte, number uint64) bool {
	for i := range max(0, len(text)-recordSize+1) {
		if h, ok := readHead(text[i:]); ok && h.durable >= number {
			return true
		}
	}
	return false
}
