package message

import (
	"strings"
	"time"

	"flyball/internal/mail"
	"flyball/internal/unit"
)

const defaultText = `Subject: Rehearsal

Hello {{email}},

this message belongs to a rehearsal of bulk mail. Please do not answer.
`

// Default returns the template for runs without a template of their own. It needs
// no column. Filler text makes a message about size bytes long on the wire:
// within 60 bytes for addresses of 10 to 30 bytes. Below some 500 bytes it has no
// filler. Default returns an error if Parse refuses the author's address.
func Default(from mail.Address, size unit.Bytes) (*Template, error) {
	text := "From: " + from.String() + "\n" + defaultText
	t, err := Parse("default template", []byte(text), nil)
	if err != nil {
		return nil, err
	}
	r, err := t.Bind(nil)
	if err != nil {
		return nil, err
	}
	usual := Meta{To: mail.Address{Local: "ann", Domain: "mail.example.org"}, Recipient: 100_000,
		Run: NewRun(mail.Key{}, time.Time{})}
	message, err := r.Render(nil, nil, usual)
	if err != nil {
		return nil, err
	}
	return Parse("default template", []byte(text+filling(int(size)-len(message))), nil)
}

const fullLine = "filling filling filling filling filling filling filling filling filling"

// Fill appends lines of n bytes in all, with CRLF, to a message of the default template; none if n is 2 or less.
func Fill(message []byte, n int) []byte {
	const line = fullLine + "\r\n"
	for ; n > len(line); n -= len(line) {
		message = append(message, line...)
	}
	if n > 2 {
		message = append(message, line[len(line)-n:]...)
	}
	return message
}

// filling returns lines that take n bytes on the wire, with CRLF.
func filling(n int) string { return strings.ReplaceAll(string(Fill(nil, n)), "\r\n", "\n") }
