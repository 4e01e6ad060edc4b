package mail

import (
	"fmt"
	"strconv"
	"strings"

	"flyball/internal/conf"
)

// Enhanced is an enhanced mail system status code (RFC 3463), such as "5.4.5": its
// class, subject and detail, as 1000000 x class + 1000 x subject + detail. 0 means
// that a reply has none. The class need not be the first digit of the reply code:
// Google answers 421 5.7.32.
type Enhanced uint32

// Class returns the first number of the code, 4 or 5.
func (e Enhanced) Class() int { return int(e / 1_000_000) }

// Subject returns the second number of the code, 0 to 999.
func (e Enhanced) Subject() int { return int(e / 1000 % 1000) }

// Detail returns the third number of the code, 0 to 999.
func (e Enhanced) Detail() int { return int(e % 1000) }

func (e Enhanced) String() string {
	if e == 0 {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d", e.Class(), e.Subject(), e.Detail())
}

// Want describes the text of an Enhanced.
func (Enhanced) Want() string { return `an enhanced status such as "4.7.28"` }

// Pattern returns a regular expression that matches the text of every Enhanced.
func (Enhanced) Pattern() string { return `^$|^[45]\.[0-9]{1,3}\.[0-9]{1,3}$` }

// UnmarshalText reads a code such as "4.7.28", or none from an empty text.
func (e *Enhanced) UnmarshalText(text []byte) error {
	if *e = 0; len(text) == 0 {
		return nil
	}
	parts := strings.Split(string(text), ".")
	var all [3]int
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil || len(parts) != 3 || n > 999 || i == 0 && n != 4 && n != 5 {
			return fmt.Errorf("%q is not an enhanced status such as \"4.7.28\"", text)
		}
		all[i] = int(n)
	}
	*e = Enhanced(1_000_000*all[0] + 1000*all[1] + all[2])
	return nil
}

// MarshalText prints the code.
func (e Enhanced) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// CheckStatus adds a problem with a key to l if the enhanced status of a reply means that
// what a permanent reply refuses will pass: no receiver is known to send one, while Google
// answers 421 5.7.32.
func CheckStatus(l *conf.List, key string, code int, status Enhanced) {
	l.Check(code < 500 || status == 0 || status.Class() == 5, key, "got %s with reply = %d, want a status of class 5",
		status, code)
}

// DefaultText is the text of a reply for which a scenario gives none.
const DefaultText = "the model refuses"
