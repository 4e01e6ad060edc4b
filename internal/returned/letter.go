package returned

import "strings"

// Letter is a message that came to an address which people write to.
type Letter struct {
	// Automatic reports that a program wrote it (RFC 3834 2), or a list sent it on: it must not be answered.
	Automatic bool
	Subject   string
	IDs       []string // of the messages that it answers, in angle brackets, the one that it answers first
	Text      string   // what it says, up to a message that it returns
}

// mostIDs is the most messages that a Letter answers.
const mostIDs = 20

// ReadLetter reads a message as it came. The envelope sender is the address of MAIL, which a program leaves empty.
func ReadLetter(raw []byte, envelopeSender string) Letter {
	m := open(raw)
	l := Letter{Subject: m.subject, Text: m.text, Automatic: envelopeSender == "" || m.report || m.automatic()}
	local, _, _ := strings.Cut(strings.ToLower(envelopeSender), "@")
	for _, who := range []string{"mailer-daemon", "postmaster", "owner-"} {
		l.Automatic = l.Automatic || strings.HasPrefix(local, who)
	}
	l.Automatic = l.Automatic || strings.HasSuffix(local, "-request")
	for _, name := range []string{"List-Id", "List-Unsubscribe", "List-Post", "List-Help"} {
		l.Automatic = l.Automatic || m.header.Has(name)
	}
	l.Automatic = l.Automatic || strings.EqualFold(strings.TrimSpace(m.header.Get("Precedence")), "list")
	references := strings.Fields(m.header.Get("References"))
	l.IDs = strings.Fields(m.header.Get("In-Reply-To"))
	for i := len(references) - 1; i >= 0; i-- { // the last one is the one that it answers (RFC 5322 3.6.4)
		l.IDs = append(l.IDs, references[i])
	}
	l.IDs = l.IDs[:min(len(l.IDs), mostIDs)]
	return l
}
