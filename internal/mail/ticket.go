package mail

import (
	"crypto/subtle"
	"encoding/binary"
)

// Ticket is what a signed token says: that a link in a message, or an address to which a request goes, is for one
// recipient and one purpose.
type Ticket struct {
	Purpose byte      // one lower-case letter, which keeps tokens of different purposes apart
	Job     uint32    // mailing, whose key signs
	Rcpt    Recipient // place in the list of the mailing
	Number  uint32    // its meaning belongs to the purpose: of a link, or a day
}

const (
	ticketBytes = 4 + 4 + 4 + tokenBytes
	// TicketSize is the length of a token of a ticket: its purpose and 22 bytes in base32.
	TicketSize = 1 + (ticketBytes*8+4)/5
)

// AppendTicket appends the token of a ticket: lower-case letters and digits, which a local part of an address and a
// path of the web both take, signed by the job's key (HMAC-SHA256 of 80 bits). It allocates nothing if dst has room.
func (k *Key) AppendTicket(dst []byte, t Ticket) []byte {
	const domain = "ticket " // no other text that a key signs begins so
	var room [len(domain) + 1 + ticketBytes]byte
	text := append(append(room[:0], domain...), t.Purpose)
	from := len(text)
	text = binary.BigEndian.AppendUint32(text, t.Job)
	text = binary.BigEndian.AppendUint32(text, uint32(t.Rcpt))
	text = binary.BigEndian.AppendUint32(text, t.Number)
	var sum [tokenBytes]byte
	k.sign(&sum, text)
	return lower32.AppendEncode(append(dst, t.Purpose), append(text, sum[:]...)[from:])
}

// ParseTicket returns the ticket of a token; key returns the key of a job, and false for one that is not known. It is
// false for whatever AppendTicket has not written with that key, to the byte.
func ParseTicket(token string, key func(job uint32) (Key, bool)) (Ticket, bool) {
	if len(token) != TicketSize {
		return Ticket{}, false
	}
	var b [ticketBytes]byte
	if n, err := lower32.Decode(b[:], []byte(token[1:])); err != nil || n != len(b) {
		return Ticket{}, false
	}
	t := Ticket{Purpose: token[0], Job: binary.BigEndian.Uint32(b[:]),
		Rcpt: Recipient(binary.BigEndian.Uint32(b[4:])), Number: binary.BigEndian.Uint32(b[8:])}
	k, known := key(t.Job)
	var room [TicketSize]byte
	if want := k.AppendTicket(room[:0], t); !known || subtle.ConstantTimeCompare(want, []byte(token)) != 1 {
		return Ticket{}, false
	}
	return t, true
}

// Purposes of tickets.
const (
	ToLeave  = 'u' // the list (RFC 2369, RFC 8058); its number is the day, from 1 January 1970 on
	ToReturn = 'r' // to it, which undoes that; its number is the day
	ToJoin   = 'j' // the list, which confirms a request ([0047]); its number is the day
	ToQuit   = 'q' // the list, which confirms a request; its number is the day
	ToFill   = 'f' // a form; its number is the second at which it was shown
	ToSee    = 'o' // a picture that tells of an opened message; its number is 0
	ToFollow = 'c' // a link; its number is the link's, from 1 on, or 0 for one that people do not see
)

// Mark returns a number by which a key is found among others, where mailings have no numbers of their own: the Job of
// its tickets. It tells nothing else of the key.
func (k *Key) Mark() uint32 {
	var sum [tokenBytes]byte
	k.sign(&sum, []byte("mark"))
	return binary.BigEndian.Uint32(sum[:])
}
