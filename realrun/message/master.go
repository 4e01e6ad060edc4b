package message

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"flyball/internal/mail"
)

// Master is a message as it is before a row is merged in: with its placeholders and blocks.
type Master struct {
	Network string // that it is for; empty: all without a master of their own
	Digest  string // SHA-256 of the message
	Message []byte
}

// Masters returns the master of the letter and of each variant. They hold nothing of a list or a run: the same letter
// has the same digests.
func (t *Template) Masters() []Master {
	all := []Master{t.master("")}
	for _, v := range t.variants {
		all = append(all, v.master(v.network))
	}
	return all
}

func (t *Template) master(network string) Master {
	u := Template{from: t.from, text: t.shown(t.text), html: t.shown(t.html),
		leave: t.shown(t.leave), ticket: t.ticket, attached: t.attached}
	for _, h := range t.head {
		if h.name != "" {
			h = header{h.name, t.shown(h.value), true}
		}
		u.head = append(u.head, h)
	}
	m := Meta{To: mail.Address{Local: "recipient", Domain: "list.invalid"}, Run: NewRun(mail.Key{}, time.Unix(0, 0))}
	message, err := (&Renderer{t: &u}).Render(nil, nil, m)
	if err != nil {
		panic("message: a master without values does not render: " + err.Error())
	}
	sum := sha256.Sum256(message)
	return Master{network, hex.EncodeToString(sum[:]), message}
}

// shown returns pieces as the author writes them.
func (t *Template) shown(pieces []piece) []piece {
	if pieces == nil {
		return nil
	}
	var out strings.Builder
	for _, p := range pieces {
		switch {
		case p.edge == orElse:
			out.WriteString("{{#else}}")
		case p.edge == blockEnd:
			out.WriteString("{{#end}}")
		case p.edge == ifAny, p.edge == ifEqual:
			out.WriteString(t.condition(&p))
		case p.field == literal, p.field <= follow:
			out.WriteString(p.text)
		case p.optional:
			out.WriteString("{{" + t.fields[p.field].name + "|" + p.text + "}}")
		default:
			out.WriteString("{{" + t.fields[p.field].name + "}}")
		}
	}
	return []piece{measured(out.String())}
}

// Parts describes what a message of the master has, such as "text and HTML, 2 attachments".
func (t *Template) Parts() string {
	words := "text"
	switch {
	case t.text == nil:
		words = "HTML alone"
	case t.html != nil:
		words = "text and HTML"
	}
	switch n := len(t.attached); n {
	case 0:
	case 1:
		words += ", 1 attachment"
	default:
		words += fmt.Sprintf(", %d attachments", n)
	}
	return words
}

// Doubts returns what is allowed and rarely meant, one sentence each.
func (t *Template) Doubts() (all []string) {
	for _, of := range t.All() {
		if of.text == nil {
			all = append(all, of.name+": HTML without text: readers that show text show nothing, and filters count it "+
				"against a letter")
		}
		if of.leave == nil {
			all = append(all, of.name+": no List-Unsubscribe with an address of the web: large receivers want one "+
				"click for bulk mail (RFC 8058)")
		}
	}
	return all
}
