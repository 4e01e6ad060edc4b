package mail

import (
	"fmt"
	"strconv"
	"strings"
)

// VERP returns the envelope sender of one try for one recipient (variable envelope
// return path), which identifies both to a receiver and in a returned message.
func VERP(r Recipient, t Try, domain string) string {
	return fmt.Sprintf("bounce+%d.%d@%s", r, t, domain)
}

// ParseVERP returns the recipient and the try in a MAIL command or an address.
func ParseVERP(s string) (r Recipient, t Try, ok bool) {
	_, s, ok = strings.Cut(s, "bounce+")
	if !ok {
		return 0, 0, false
	}
	s, _, ok = strings.Cut(s, "@")
	if !ok {
		return 0, 0, false
	}
	first, second, ok := strings.Cut(s, ".")
	if !ok {
		return 0, 0, false
	}
	rcpt, err1 := strconv.ParseUint(first, 10, 32)
	try, err2 := strconv.ParseUint(second, 10, 16)
	return Recipient(rcpt), Try(try), err1 == nil && err2 == nil
}
