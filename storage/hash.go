package storage

import (
	"crypto/sha256"

	"flyball/internal/list"
	"flyball/internal/mail"
)

// Person stands for an address, of which it is a keyed hash: the first 128 bits of SHA-256 over the key of the store
// and the address. Without the other 128 bits the hash of a longer text does not follow from it. Addresses that differ
// in case only are one person, as in suppression lists.
type Person [16]byte

// hasher has the key of hashes.
type hasher [sha256.Size]byte

// person is called for each message, and needs less time than HMAC.
func (h *hasher) person(a mail.Address) Person {
	var buf [len(h) + 256]byte // an address is shorter
	copy(buf[:], h[:])
	text := a.Append(buf[:len(h)])
	list.Fold(text[len(h):])
	sum := sha256.Sum256(text)
	return Person(sum[:16])
}
