package mail

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"flyball/internal/rng"
)

// List holds the destination of every recipient of a run. A synthetic list is
// regenerated from the seed and holds nothing per recipient; a list read from
// a file holds two bytes each.
type List struct {
	count int
	key   rng.Key
	cum   []uint64 // synthetic: word < cum[d] falls to destination d or an earlier one
	dest  []Destination
	deal  *deal // order of a partitioned list; nil: recipients are taken in order of their numbers
}

const purposeDestination rng.Purpose = 1

// SyntheticList spreads count recipients over destinations by their shares,
// which need not add up to 1.
func SyntheticList(count int, shares []float64, key rng.Key) List {
	l := List{count: count, key: key, cum: make([]uint64, len(shares))}
	var total, sum float64
	for _, s := range shares {
		total += s
	}
	for i, s := range shares {
		sum += s
		l.cum[i] = rng.Threshold(sum / total)
	}
	l.cum[len(shares)-1] = 1 << 32
	return l
}

// ReadList returns a list with the given destination of each recipient.
func ReadList(dest []Destination) List { return List{count: len(dest), dest: dest} }

// Put sets the destinations of recipients from first on, in a list that was read. The list grows as far as it must;
// recipients in between have destination 0 until theirs are set.
func (l *List) Put(first Recipient, dest []Destination) {
	if end := int(first) + len(dest); end > l.count {
		l.dest = append(l.dest, make([]Destination, end-l.count)...)
		l.count = end
	}
	copy(l.dest[first:], dest)
}

// Synthetic reports whether destinations are drawn by shares, in the order of recipients.
func (l *List) Synthetic() bool { return l.cum != nil && l.deal == nil }

// Len returns the number of recipients.
func (l *List) Len() int { return l.count }

// Destination returns the destination of recipient r. A synthetic list draws one
// word per recipient, four recipients per block.
func (l *List) Destination(r Recipient) Destination {
	if l.dest != nil {
		return l.dest[r]
	}
	if l.cum == nil {
		return l.deal.destination(r)
	}
	if len(l.cum) == 1 {
		return 0
	}
	return l.drawn(l.block(r)[r&3])
}

// block returns the draws of recipient r and its neighbours.
func (l *List) block(r Recipient) rng.Block { return l.key.At(uint64(r>>2), 0, purposeDestination) }

// drawn returns the destination that a word draws.
func (l *List) drawn(word uint32) (d Destination) {
	for uint64(word) >= l.cum[d] {
		d++
	}
	return d
}

// At returns the recipient at a place of the list: the place itself unless the list is partitioned.
func (l *List) At(place Recipient) Recipient {
	if l.deal == nil {
		return place
	}
	return l.deal.recipient(place)
}

// Four holds the destinations of the recipients at four places that follow each other. Its zero value
// holds none.
type Four struct {
	number uint32 // 1 + first place / 4
	dest   [4]Destination
}

// InOrder returns the recipient at a place, as At does, and its destination. It is for a reader that asks for
// one place after the other and keeps four for it: a block of draws then serves four recipients.
func (l *List) InOrder(place Recipient, four *Four) (Recipient, Destination) {
	if l.deal != nil { // neighbours in a partitioned list have different blocks
		r := l.deal.recipient(place)
		return r, l.Destination(r)
	}
	if l.dest != nil {
		return place, l.dest[place]
	}
	if four.number != uint32(place>>2)+1 {
		l.read(place, four)
	}
	return place, four.dest[place&3]
}

// read sets four to recipient r and its neighbours.
func (l *List) read(r Recipient, four *Four) {
	four.number = uint32(r>>2) + 1
	if len(l.cum) > 1 {
		for i, word := range l.block(r) {
			four.dest[i] = l.drawn(word)
		}
	}
}

// Digest returns a digest of the destinations of all recipients in order: 32
// hexadecimal digits of SHA-256.
func (l *List) Digest() string {
	sum := sha256.New()
	var block [4096]byte
	text := block[:0]
	for r := range l.count {
		if len(text) == len(block) {
			sum.Write(text)
			text = text[:0]
		}
		text = binary.LittleEndian.AppendUint16(text, uint16(l.Destination(Recipient(r))))
	}
	sum.Write(text)
	return hex.EncodeToString(sum.Sum(nil)[:16])
}
