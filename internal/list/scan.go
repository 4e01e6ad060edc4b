package list

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"flyball/internal/mail"
)

// Unwanted stands for the destination of a row that is accepted and yet is not
// of the list, as the suppressed ones are. A real destination is below it.
const Unwanted mail.Destination = 1<<16 - 2

// duplicate stands for the destination of a row that is dropped.
const duplicate = Unwanted + 1

// Scanned is a list of which only the destination of each recipient is kept.
type Scanned struct {
	Destinations []mail.Destination // of the accepted rows that are wanted, in the order of the file
	Unwanted     int                // accepted rows that are not
	Count        Count
}

// Scan reads the same recipients as Read, takes and rejects the same rows for
// the same reasons, and keeps of each one only its destination, which find tells
// or refuses with a reason. opts.Check is not called.
//
// It peaks at 13.1 bytes for an accepted row: while it reads, two for the destination
// and eight for a hash by which duplicates are told; then at most one for
// finding them, and two for the result. 64 bits of SHA-256 take two different
// addresses of 10 million for the same with a chance of 3e-6, so a list that is
// mailed is read by Read, with 128.
//
// A hash does not say who is rejected. If any row is, the file is read again
// from where r stood, and only then reject is called, in the order of the file.
// The address that find gets, and the Reject, are valid during the call.
// Errors are as those of Read, and one if the file has changed in between.
func Scan(r io.ReadSeeker, name string, opts Options, find func(mail.Address) (mail.Destination, error), reject func(Reject) error) (Scanned, error) {
	start, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return Scanned{}, fmt.Errorf("%s: want a file that can be read twice: %w", name, err)
	}
	var all scan
	count, err := all.read(r, name, opts, find, nil)
	if err != nil {
		return Scanned{}, err
	}
	again := all.duplicates()
	count.Accepted -= len(again)
	count.Duplicate = len(again)
	s := all.result(count)
	if count.In == count.Accepted {
		return s, nil
	}
	if _, err := r.Seek(start, io.SeekStart); err != nil {
		return Scanned{}, fmt.Errorf("%s: %w", name, err)
	}
	return s, tell(r, name, opts, find, reject, again, count)
}

// perBlock accepted rows are kept together, so that nothing is copied as the
// list grows.
const perBlock = 1 << 15

type block struct {
	hashes []uint64
	to     []mail.Destination
}

// scan is what is kept of the rows that are neither rejected nor known to be
// duplicates. Row i is in block i / perBlock.
type scan struct {
	blocks []block
	rows   int
}

func (s *scan) add(hash uint64, to mail.Destination) {
	if s.rows%perBlock == 0 {
		s.blocks = append(s.blocks, block{make([]uint64, 0, perBlock), make([]mail.Destination, 0, perBlock)})
	}
	b := &s.blocks[s.rows/perBlock]
	b.hashes, b.to = append(b.hashes, hash), append(b.to, to)
	s.rows++
}

// read reads the file once: to keep its rows if reject is nil, else to tell
// what is rejected; told is then asked for the reason against a row that would
// be kept, "" for none.
func (s *scan) read(r io.Reader, name string, opts Options, find func(mail.Address) (mail.Destination, error), reject func(line int, email, reason string) error) (Count, error) {
	var count Count
	rows := rows{lines: newLines(r, name)}
	header, email, err := rows.begin(opts)
	if err != nil {
		return count, err
	}
	var fields []string
	for {
		ok, err := rows.next()
		if !ok || err != nil {
			return count, err
		}
		fields = rows.borrow(fields)
		a, reason := judge(fields, header, email, opts)
		var to mail.Destination
		if reason == "" {
			if to, err = find(a); err != nil {
				reason = err.Error()
			}
		}
		count.In++
		if reason == "" {
			count.Accepted++
		} else {
			count.Rejected++
		}
		switch {
		case reject != nil:
			err = reject(rows.at, given(fields, email), reason)
		case reason == "":
			k := keyOf(a)
			s.add(binary.LittleEndian.Uint64(k[:]), to)
		}
		if reject != nil && err != nil {
			return count, err
		}
	}
}

// twin is a row that is a duplicate of an earlier one; both are places among
// the rows kept.
type twin struct{ at, first uint32 }

// shards is how often the hashes are gone through, each time for those with
// other top bits: the scratch is so much smaller than the list.
const shards = 64

// duplicates finds the rows that have the hash of an earlier one, in their
// order, and marks them.
func (s *scan) duplicates() []twin {
	var sizes [shards]int
	for _, b := range s.blocks {
		for _, h := range b.hashes {
			sizes[h/(1<<64/shards)]++
		}
	}
	room := 16
	for room < 3*slices.Max(sizes[:])/2 {
		room *= 2
	}
	type place struct {
		hash uint64
		row  uint32 // from 1; 0 is free
	}
	seen := make([]place, room)
	var all []twin
	for shard := range uint64(shards) {
		clear(seen)
		row := uint32(0)
		for _, b := range s.blocks {
			for i, h := range b.hashes {
				row++
				if h/(1<<64/shards) != shard {
					continue
				}
				p := int(h) & (room - 1)
				for seen[p].row != 0 && seen[p].hash != h {
					p = (p + 1) & (room - 1)
				}
				if seen[p].row != 0 {
					all = append(all, twin{at: row - 1, first: seen[p].row - 1})
					b.to[i] = duplicate
					continue
				}
				seen[p] = place{h, row}
			}
		}
	}
	slices.SortFunc(all, func(a, b twin) int { return cmp.Compare(a.at, b.at) })
	return all
}

// result gives the hashes away and the destinations in one piece.
func (s *scan) result(count Count) Scanned {
	out := Scanned{Count: count}
	for i := range s.blocks {
		s.blocks[i].hashes = nil
		for _, c := range s.blocks[i].to {
			if c == Unwanted {
				out.Unwanted++
			}
		}
	}
	out.Destinations = make([]mail.Destination, 0, count.Accepted-out.Unwanted)
	for _, b := range s.blocks {
		for _, c := range b.to {
			if c < Unwanted {
				out.Destinations = append(out.Destinations, c)
			}
		}
	}
	s.blocks = nil
	return out
}

// tell reads the file again and tells every row that is not kept.
func tell(r io.Reader, name string, opts Options, find func(mail.Address) (mail.Destination, error), reject func(Reject) error, again []twin, want Count) error {
	lines := make(map[uint32]int, len(again)) // of rows that have duplicates
	for _, d := range again {
		lines[d.first] = 0
	}
	row := uint32(0)
	var s scan
	count, err := s.read(r, name, opts, find, func(line int, email, reason string) error {
		if reason != "" {
			return reject(Reject{line, email, reason})
		}
		if len(again) > 0 && again[0].at == row {
			reason = fmt.Sprintf("duplicate of line %d", lines[again[0].first])
			again = again[1:]
		}
		if _, ok := lines[row]; ok {
			lines[row] = line
		}
		row++
		if reason != "" {
			return reject(Reject{line, email, reason})
		}
		return nil
	})
	if err == nil && (count.In != want.In || count.Rejected != want.Rejected) {
		err = fmt.Errorf("%s: file changed while it was read", name)
	}
	return err
}
