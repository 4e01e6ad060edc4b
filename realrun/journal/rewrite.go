package journal

import (
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
)

// mostFiles is the number of files of a journal, one for each start, above which it is written anew as one.
const mostFiles = 100

// mostEntries is the number of entries of a record of a file that begins a journal anew.
const mostEntries = 1000

// Rewrite makes a journal that no process has open consist of what still counts of it, if that is less than half,
// or there are more than mostFiles files: still
// returns these entries, in the order of the journal, and changes nothing. All of it is durable, under the next epoch,
// before anything goes: whenever Rewrite stops, the journal has either all entries or those that still count.
// Rewrite returns ErrDamaged if still panics.
func Rewrite(d Disk, id ID, still func([]Entry) []Entry) error {
	c, _, err := read(d, id)
	if err != nil {
		return err
	}
	rest, err := counting(still, c.Entries)
	if err != nil {
		return err
	}
	old := c.old
	if size(rest) < size(c.Entries)/2 || c.files > mostFiles {
		text := appendHead(nil, c.Epoch, 1, id)
		number := uint64(0)
		for some := range slices.Chunk(rest, mostEntries) {
			number++
			text = appendRecord(text, number, c.Epoch, number-1, some)
		}
		if err := replace(d, fileName(c.Epoch), text); err != nil {
			return err
		}
		if old, err = files(d); err != nil {
			return err
		}
		old = slices.DeleteFunc(old, func(name string) bool { return name >= fileName(c.Epoch) })
	}
	for _, name := range old {
		err = errors.Join(err, d.Remove(name))
	}
	if len(old) > 0 {
		err = errors.Join(err, d.Sync())
	}
	return err
}

// counting returns what still returns.
func counting(still func([]Entry) []Entry, all []Entry) (rest []Entry, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: its facts do not follow from each other: %v", ErrDamaged, p)
		}
	}()
	return still(all), nil
}

// size returns the number of bytes that entries take.
func size(all []Entry) int {
	n := 0
	var b []byte
	for _, e := range all {
		b = appendEntry(b[:0], e)
		n += len(b)
	}
	return n
}

// begins returns the epoch of a file that begins a journal: its head is whole, and its first record has number 1. It
// returns 0 for any other file.
func begins(name string, text []byte) uint32 {
	if len(text) < headSize || string(text[:len(magic)]) != magic ||
		order.Uint32(text[headSize-4:]) != crc32.Checksum(text[:headSize-4], castagnoli) {
		return 0
	}
	epoch := order.Uint32(text[len(magic)+2:])
	if name != fileName(epoch) || order.Uint64(text[len(magic)+6:]) != 1 {
		return 0
	}
	return epoch
}
