package wire

import (
	"bytes"
	"strconv"
	"strings"
)

// Offer is what a receiver offers in its reply to EHLO (RFC 5321 4.1.1.1). Its zero value is a
// receiver without extensions.
type Offer struct {
	Pipelining bool     // RFC 2920
	EightBit   bool     // 8BITMIME, RFC 6152
	UTF8       bool     // SMTPUTF8, RFC 6531
	StartTLS   bool     // RFC 3207
	Sizes      bool     // SIZE, RFC 1870
	Size       int64    // the longest message in bytes; 0: not known
	Messages   int      // MAILMAX of LIMITS, RFC 9422: the most messages of a session; 0: not known
	Mechanisms []string // of AUTH, RFC 4954, in upper case
}

// offerOf reads the text of a reply to EHLO, a line for each keyword after the first line. What
// is unknown or malformed is not offered.
func offerOf(text []byte) Offer {
	var o Offer
	_, text, _ = bytes.Cut(text, []byte("\n"))
	for line := range bytes.Lines(text) {
		words := strings.Fields(string(line))
		if len(words) == 0 {
			continue
		}
		switch strings.ToUpper(words[0]) {
		case "PIPELINING":
			o.Pipelining = true
		case "8BITMIME":
			o.EightBit = true
		case "SMTPUTF8":
			o.UTF8 = true
		case "STARTTLS":
			o.StartTLS = true
		case "SIZE":
			o.Sizes = true
			if len(words) > 1 {
				if n, err := strconv.ParseInt(words[1], 10, 64); err == nil && n > 0 {
					o.Size = n
				}
			}
		case "AUTH":
			o.Mechanisms = append(o.Mechanisms, strings.Fields(strings.ToUpper(strings.Join(words[1:], " ")))...)
		case "LIMITS":
			for _, limit := range words[1:] {
				name, value, _ := strings.Cut(strings.ToUpper(limit), "=")
				if n, err := strconv.Atoi(value); err == nil && n > 0 && name == "MAILMAX" {
					o.Messages = n
				}
			}
		}
	}
	return o
}
