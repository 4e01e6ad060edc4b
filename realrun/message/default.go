package message

import (
	"strings"

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
	t, err := Parse("default template", []byte(text))
	if err != nil {
		return nil, err
	}
	r, err := t.Bind(nil)
	if err != nil {
		return nil, err
	}
	usual := Meta{To: mail.Address{Local: "ann", Domain: "mail.example.org"}, Recipient: 100_000, Campaign: 1 << 60}
	message, err := r.Render(nil, nil, usual)
	if err != nil {
		return nil, err
	}
	return Parse("default template", []byte(text+filling(int(size)-len(message))))
}

// filling returns lines that take n bytes on the wire, with CRLF.
func filling(n int) string {
	const full = "filling filling filling filling filling filling filling filling filling\n"
	var b strings.Builder
	for ; n > len(full)+1; n -= len(full) + 1 {
		b.WriteString(full)
	}
	if n > 2 {
		b.WriteString(full[len(full)-n+1:]) // one byte becomes two
	}
	return b.String()
}
