package list

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"unsafe"

	"flyball/internal/mail"
)

// Unwanted stands for the destination of a row that is accepted but left out of the
// list, such as a suppressed one. Real destinations are below it.
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
// the same reasons, and keeps of each one only its destination, which find
// returns or refuses with a reason. opts.Header and opts.Check are not called.
//
// It peaks at 13.1 bytes for an accepted row: while it reads, two for the destination
// and eight for a hash by which duplicates are found; then at most one for
// finding them, and two for the result. Without opts.FoldCase an address with
// capitals takes 16 more, by which those are counted that differ only in case. 64 bits of SHA-256 take two different
// addresses of 10 million for the same with a chance of 3e-6, so a list that is
// mailed is read by Read, with 128.
//
// Hashes do not keep addresses. If a row is rejected, the file is read again from
// the offset at which r was, and only then reject is called, in the order of the
// file. The address that find gets, and the Reject, are valid during the call.
// Errors are the same as for Read, and one if the file has changed in between.
func Scan(r io.ReadSeeker, name string, opts Options, find func(mail.Address) (mail.Destination, error),
	reject func(Reject) error) (Scanned, error) {
	start, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return Scanned{}, fmt.Errorf("%s: want a file that can be read twice: %w", name, err)
	}
	var all scan
	count, err := all.read(r, name, opts, find, nil)
	if err != nil {
		return Scanned{}, err
	}
	again, caseOnly := all.duplicates()
	count.Accepted -= len(again)
	count.Duplicate = len(again)
	count.CaseOnly = caseOnly
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
	blocks   []block
	rows     int
	capitals [][]capital // of rows whose address has capitals; empty if case is folded
}

// capital is a row whose address has capitals, with the hash of the folded address.
type capital struct {
	folded uint64
	row    uint32
}

func (s *scan) add(a box, to mail.Destination, fold bool) {
	hash := a.exact.short()
	switch n := len(s.capitals); {
	case fold:
		hash = a.folded.short()
	case a.capitals:
		if n == 0 || len(s.capitals[n-1]) == perBlock {
			s.capitals = append(s.capitals, make([]capital, 0, perBlock))
			n++
		}
		s.capitals[n-1] = append(s.capitals[n-1], capital{a.folded.short(), uint32(s.rows)})
	}
	if s.rows%perBlock == 0 {
		s.blocks = append(s.blocks, block{make([]uint64, 0, perBlock), make([]mail.Destination, 0, perBlock)})
	}
	b := &s.blocks[s.rows/perBlock]
	b.hashes, b.to = append(b.hashes, hash), append(b.to, to)
	s.rows++
}

// read reads the file once: to keep its rows if reject is nil, else to report
// rejected rows.
func (s *scan) read(r io.Reader, name string, opts Options, find func(mail.Address) (mail.Destination, error),
	reject func(line int, email, reason string) error) (Count, error) {
	var count Count
	opts.Header = func([]string) ([]int, error) { return nil, nil }
	l, err := begin(r, name, opts)
	if err != nil {
		return count, err
	}
	for {
		ok, err := l.Next()
		if !ok || err != nil {
			return count, err
		}
		a, reason := l.judge(borrow)
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
			err = reject(l.Row(), borrow(l.given()), reason)
		case reason == "":
			s.add(boxOf(a), to, opts.FoldCase)
		}
		if reject != nil && err != nil {
			return count, err
		}
	}
}

// borrow returns b as a string that is valid until the next row is read. A list
// of millions is read so without an allocation for each row, by the one parser
// of addresses, which wants strings.
func borrow(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// twin is a row that is a duplicate of an earlier one; both are places among
// the rows kept.
type twin struct{ at, first uint32 }

// shards is the number of passes over the hashes, each for other top bits. It makes
// the scratch memory smaller than the list by this factor.
const shards = 64

// duplicates returns the rows with the hash of an earlier row, in order, and marks
// them. caseOnly counts the other rows whose address differs from an earlier one
// only in case.
//
// An address with capitals is the first of its kind if its folded form is neither an
// address without capitals nor the folded form of an earlier one; all others count
// as caseOnly.
func (s *scan) duplicates() (all []twin, caseOnly int) {
	var sizes [shards]int
	for _, b := range s.capitals {
		for _, c := range b {
			sizes[c.folded/(1<<64/shards)]++
		}
	}
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
	find := func(hash uint64) *place {
		p := int(hash) & (room - 1)
		for seen[p].row != 0 && seen[p].hash != hash {
			p = (p + 1) & (room - 1)
		}
		return &seen[p]
	}
	for shard := range uint64(shards) {
		clear(seen)
		row := uint32(0)
		for _, b := range s.blocks {
			for i, h := range b.hashes {
				row++
				if h/(1<<64/shards) != shard {
					continue
				}
				p := find(h)
				if p.row != 0 {
					all = append(all, twin{at: row - 1, first: p.row - 1})
					b.to[i] = duplicate
					continue
				}
				*p = place{h, row}
			}
		}
		for _, b := range s.capitals {
			for _, c := range b {
				if c.folded/(1<<64/shards) != shard {
					continue
				}
				if p := find(c.folded); p.row == 0 {
					*p = place{c.folded, 1}
					caseOnly--
				}
			}
		}
	}
	for _, b := range s.capitals {
		for _, c := range b {
			if s.blocks[c.row/perBlock].to[c.row%perBlock] != duplicate {
				caseOnly++
			}
		}
	}
	s.capitals = nil
	slices.SortFunc(all, func(a, b twin) int { return cmp.Compare(a.at, b.at) })
	return all, caseOnly
}

// result frees the hashes and returns the destinations in one slice.
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

// tell reads the file again and passes every row that is not kept to reject.
func tell(r io.Reader, name string, opts Options, find func(mail.Address) (mail.Destination, error),
	reject func(Reject) error, again []twin, want Count) error {
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
