package demo

import (
	"fmt"
	"io"
	"time"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/mail"
	"flyball/realrun/sink"
	"flyball/reports/format"
	"flyball/site"
)

// Books are what receivers, journals and reports say at the end of a demonstration.
type Books struct {
	Recipients int
	Seed       uint64
	First      time.Duration // from the begin to the first message that a receiver accepted
	Took       time.Duration // until the mailing was reported
	PerServer  []int         // recipients that each B server was given
	Delivered  int           // by the journal of the A server
	Failed     int
	Suppressed int
	Held       int
	Ambiguous  int
	Barred     int           // recipients who must get nothing any more, by the journal of the A server
	Returned   int           // messages that the C server has taken back
	Left       int           // recipients to whom the D server confirmed that they get nothing any more
	Spared     int           // of these, who got nothing of this mailing
	Kept       int           // of these, who count as suppressed
	Late       time.Duration // longest time from a confirmation to a later message; 0: none came
	Ledger     sink.Account
	wrong      []string
}

// books compares all books.
func (p *play) books() (*Books, error) {
	accounts, barred, err := p.site.Accounts()
	if err != nil {
		return nil, err
	}
	b := &Books{Recipients: p.Recipients, Seed: p.Seed, Took: time.Since(p.began)}
	if !p.first.IsZero() {
		b.First = p.first.Sub(p.began)
	}
	if len(accounts) != 1 {
		return nil, task.Fail(task.Disagrees, "the journal of the A server has %d mailings, want 1", len(accounts))
	}
	a := accounts[0]
	b.PerServer = a.PerServer(len(p.scenario.Servers))
	b.Delivered, b.Failed, b.Suppressed = a.Count(mail.Done), a.Count(mail.Failed), a.Count(mail.Suppressed)
	b.Held, b.Ambiguous = a.Count(mail.Held), a.Doubtful()
	b.Ledger = p.sink.Ledger.Account(a.Status, a.Ambiguous)
	b.Barred, b.Returned, b.Left = len(barred), len(p.people.returned), len(p.people.left)
	for r, at := range p.people.left {
		if !p.sink.Ledger.Accepted(r) {
			b.Spared++
		}
		if a.Status[r] == mail.Suppressed {
			b.Kept++
		}
		if got, is := p.people.late[r]; is {
			b.Late = max(b.Late, got.Sub(at))
		}
	}
	b.judge()
	if err := p.people.failed; err != nil {
		b.wrong = append(b.wrong, err.Error())
	}
	return b, nil
}

// patience is the time after which no server sends a message to a recipient who has left: until then a server that
// hears nothing is waited for, see site.Sending.
var patience = time.Duration(site.Default().Sending.Patience)

// judge finds everything that disagrees.
func (b *Books) judge() {
	check := func(ok bool, format string, args ...any) {
		if !ok {
			b.wrong = append(b.wrong, fmt.Sprintf(format, args...))
		}
	}
	l := b.Ledger
	check(l.Missing == 0, "%d recipients count as delivered, and no receiver has their message", l.Missing)
	check(l.Duplicates == 0, "%d recipients have a second message that no recorded doubt explains", l.Duplicates)
	check(l.Unknown == 0, "%d recipients have a message and do not count as delivered", l.Unknown)
	check(b.Suppressed == b.Kept, "%d recipients count as suppressed, and %d of these have left", b.Suppressed, b.Kept)
	check(b.Barred == b.Left+b.Returned, "the A server bars %d recipients, want %d who left and %d whose mail was "+
		"returned", b.Barred, b.Left, b.Returned)
	check(b.Late <= patience, "a recipient has a message %.1f s after the D server confirmed that none comes, want at "+
		"most %s", b.Late.Seconds(), patience)
	all := b.Delivered + b.Failed + b.Suppressed + b.Held
	check(all == b.Recipients, "%d recipients are final, want %d", all, b.Recipients)
}

// Err returns an error if the books disagree.
func (b *Books) Err() error {
	if b.wrong == nil {
		return nil
	}
	return task.Fail(task.Disagrees, "the books disagree: %d problems, see above", len(b.wrong))
}

// Text writes what each figure of the application has shown.
func (b *Books) Text(w io.Writer, color bool) error {
	fmt.Fprintf(w, "\nFirst message accepted after %.1f s, all final and reported after %.1f s\n", b.First.Seconds(),
		b.Took.Seconds())
	t := format.Table{Caption: "What the servers and receivers say:", Left: 2,
		Head: []string{"books of", "what", "number"}}
	row := func(of, what string, n any) { t.Rows = append(t.Rows, []string{of, what, fmt.Sprint(n)}) }
	row("receivers", "recipients who have the message", b.Ledger.Accepted)
	row("receivers", "of these without a reply to the sender", b.Ledger.LostReply)
	row("A server", "delivered", b.Delivered)
	row("A server", "failed", b.Failed)
	row("A server", "suppressed", b.Suppressed)
	row("A server", "held: may have the message, and get no second one", b.Held)
	row("A server", "may have a message without a reply, held or not", b.Ambiguous)
	row("A server", "must get nothing any more", b.Barred)
	row("C server", "messages taken back", b.Returned)
	row("D server", "recipients who left", b.Left)
	row("receivers", "of these, got nothing of this mailing", b.Spared)
	late := "none came"
	if b.Late > 0 {
		late = fmt.Sprintf("%.3f s", b.Late.Seconds())
	}
	row("receivers", "of these, longest until a later message", late)
	for i, n := range b.PerServer {
		row(fmt.Sprintf("B server %d", i+1), "recipients given", n)
	}
	if err := t.Write(w, color); err != nil {
		return err
	}
	for _, line := range b.wrong {
		fmt.Fprintln(w, "DISAGREE: "+line)
	}
	if b.wrong == nil {
		fmt.Fprintln(w, "\nThe books agree.")
	}
	return nil
}
