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

// Len returns the number of recipients.
func (l *List) Len() int { return l.count }

// Destination returns the destination of recipient r. A synthetic list draws one
// word per recipient, four recipients per block.
func (l *List) Destination(r Recipient) Destination {
	if l.dest != nil {
		return l.dest[r]
	}
	if len(l.cum) == 1 {
		return 0
	}
	word := uint64(l.key.At(uint64(r>>2), 0, purposeDestination)[r&3])
	d := 0
	for word >= l.cum[d] {
		d++
	}
	return Destination(d)
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
