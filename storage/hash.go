package storage

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"

	"flyball/internal/list"
	"flyball/internal/mail"
)

// Person stands for an address, of which it is a keyed hash: the first 128 bits of HMAC-SHA-256 with the key of the
// store. Addresses that differ in case only are one person, as in suppression lists.
type Person [16]byte

// hasher makes hashes with one key. Any goroutine may use it.
type hasher struct{ free sync.Pool }

func newHasher(key []byte) *hasher {
	return &hasher{sync.Pool{New: func() any { return &hashing{Hash: hmac.New(sha256.New, key)} }}}
}

// hashing has room for what one hash needs.
type hashing struct {
	hash.Hash
	text [256]byte // an address is shorter
	sum  [sha256.Size]byte
}

func (h *hasher) person(a mail.Address) Person {
	v := h.free.Get().(*hashing)
	defer h.free.Put(v)
	text := a.Append(v.text[:0])
	list.Fold(text)
	v.Reset()
	v.Write(text)
	return Person(v.Sum(v.sum[:0])[:16])
}
