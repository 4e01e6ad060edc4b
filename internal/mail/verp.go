package mail

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"strconv"
	"strings"
)

// Key is the secret of a run. What has a token of it was written by the run.
type Key [32]byte

// tokenBytes is the length of a token before it is written in base32: 80 bits are not guessed.
const tokenBytes = 10

var lower32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// AppendToken appends the token of a text of at most 64 bytes: the first 80 bits of its HMAC-SHA256 (RFC 2104), in
// letters and digits. It allocates nothing if dst is large enough.
func (k *Key) AppendToken(dst []byte, text []byte) []byte {
	var sum [tokenBytes]byte
	k.sign(&sum, text)
	return lower32.AppendEncode(dst, sum[:])
}

// sign sets the token of a text of at most 64 bytes.
func (k *Key) sign(token *[tokenBytes]byte, text []byte) {
	const most, block = 64, sha256.BlockSize
	if len(text) > most {
		panic(fmt.Sprintf("mail: a token of %d bytes", len(text)))
	}
	var inner [block + most]byte
	var outer [block + sha256.Size]byte
	for i := range block {
		inner[i], outer[i] = 0x36, 0x5c
	}
	for i, c := range k {
		inner[i] ^= c
		outer[i] ^= c
	}
	n := copy(inner[block:], text)
	sum := sha256.Sum256(inner[:block+n])
	copy(outer[block:], sum[:])
	sum = sha256.Sum256(outer[:])
	copy(token[:], sum[:])
}

// VERP returns the envelope sender of one try for one recipient (variable envelope
// return path), which identifies both to a receiver and in a returned message. Its
// token shows that it is of the run.
func (k Key) VERP(r Recipient, t Try, domain string) string {
	var room [64]byte
	path := append(room[:0], "bounce+"...)
	path = strconv.AppendUint(path, uint64(r), 10)
	path = strconv.AppendUint(append(path, '.'), uint64(t), 10)
	token := k.AppendToken(append(path, '.'), path)
	return string(token) + "@" + domain
}

// ParseVERP returns the recipient and the try in a MAIL command or an address. It is
// false for whatever VERP has not written with this key.
func (k Key) ParseVERP(s string) (r Recipient, t Try, ok bool) {
	if path, ok := strings.CutPrefix(s, "MAIL FROM:<"); ok {
		s = path
	}
	r, t, _, domain, ok := readVERP(s)
	if !ok {
		return 0, 0, false
	}
	want := k.VERP(r, t, domain)
	if subtle.ConstantTimeCompare([]byte(s), []byte(want)) != 1 {
		return 0, 0, false
	}
	return r, t, true
}

// IsVERP reports whether VERP may have written an address with some key.
func IsVERP(s string) bool {
	_, _, token, _, ok := readVERP(s)
	_, err := lower32.DecodeString(token)
	return ok && err == nil && len(token) == lower32.EncodedLen(tokenBytes)
}

// readVERP returns the parts of an address of the form of a return path, and does not check its token.
func readVERP(s string) (r Recipient, t Try, token, domain string, ok bool) {
	path, domain, isAddress := strings.Cut(s, "@")
	numbers, isReturn := strings.CutPrefix(path, "bounce+")
	first, rest, isTwo := strings.Cut(numbers, ".")
	second, token, isThree := strings.Cut(rest, ".")
	rcpt, err1 := strconv.ParseUint(first, 10, 32)
	try, err2 := strconv.ParseUint(second, 10, 16)
	return Recipient(rcpt), Try(try), token, domain,
		isAddress && isReturn && isTwo && isThree && err1 == nil && err2 == nil
}
