// Package reporting tells who asked for a mailing what became of it ([0038]). A Report is a file, and goes to each
// address that the mailing names: by mail, or by HTTP on loopback. An Outbox keeps reports and what became of them in
// a folder, and sends them by the resend policy; a mailing ends without it.
package reporting

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/emersion/go-message"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/reports/format"
)

// Report is a delivery report ([0038]).
type Report struct {
	Schema        string     `json:"schema"`
	SchemaVersion int        `json:"schema_version"`
	Site          string     `json:"site"`
	Job           engine.Job `json:"job"`
	List          string     `json:"list"`   // file or store:NAME, as given to serve submit
	Letter        string     `json:"letter"` // file, as given to serve submit; empty: a plain letter
	Recipients    uint32     `json:"recipients"`
	Delivered     uint64     `json:"delivered"`
	Failed        uint64     `json:"failed"`
	Held          uint64     `json:"held"`       // who may have the message, which is not sent again; or not allowed
	Suppressed    uint64     `json:"suppressed"` // on the suppression list, or barred while the mailing was under way
	Ambiguous     uint64     `json:"ambiguous"`  // who may have the message twice; counted above too
	LateSeconds   float64    `json:"late_seconds"`
	Submitted     time.Time  `json:"submitted"`
	Ended         time.Time  `json:"ended"`
}

// New returns the report of a mailing of a site that has ended at a time, without its list and letter.
func New(site string, sum engine.Summary, recipients uint32, submitted, ended time.Time) Report {
	return Report{Schema: "flyball/delivery-report", SchemaVersion: 1, Site: site, Job: sum.Job, Recipients: recipients,
		Delivered: sum.Delivered, Failed: sum.Failed, Held: sum.Held, Suppressed: sum.Suppressed,
		Ambiguous: sum.Ambiguous, LateSeconds: sum.Late.Seconds(), Submitted: submitted.UTC().Round(time.Millisecond),
		Ended: ended.UTC().Round(time.Millisecond)}
}

// FileName returns the name of the report's file in its folder.
func (r *Report) FileName() string { return fmt.Sprintf("mailing-%d.json", r.Job) }

// JSON returns the content of the report's file.
func (r *Report) JSON() []byte {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		panic(err) // it has values only
	}
	return append(text, '\n')
}

// subject returns the report in a line.
func (r *Report) subject() string {
	return fmt.Sprintf("Mailing %d of %s: %s of %s delivered", r.Job, r.Site, grouped(r.Delivered),
		grouped(uint64(r.Recipients)))
}

func grouped(n uint64) string { return format.Grouped(float64(n), 0) }

// share returns a number of recipients, and its share of all.
func (r *Report) share(n uint64) string {
	return grouped(n) + ", " + format.PercentOfCount(n, uint64(r.Recipients))
}

// reason is why recipients are not simply delivered.
type reason struct {
	name string
	n    uint64
	why  string
}

func (r *Report) reasons() []reason {
	return []reason{
		{"Failed", r.Failed, "refused for good, or given up after the last resend"},
		{"Held", r.Held, "the receiver did not answer the final dot, so the message may be there, and is not sent " +
			"again; or no allowed receiver was found"},
		{"Suppressed", r.Suppressed, "on the suppression list, or barred by a request or by returned mail"},
		{"Ambiguous", r.Ambiguous, "may have the message twice, since an attempt was not answered; counted above too"},
	}
}

// text returns the report for people, whose file is at a path on the computer of the A server.
func (r *Report) text(file string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Mailing %d of the site %s has ended.\n\n", r.Job, r.Site)
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(table, "%s\t%s\n", name, value)
		}
	}
	at := func(t time.Time) string { return t.Format("2006-01-02 15:04:05 MST") }
	row("List", r.List)
	row("Letter", r.Letter)
	row("Submitted", at(r.Submitted))
	row("Ended", at(r.Ended))
	if r.LateSeconds > 0 {
		row("Late", "by "+format.Duration(r.LateSeconds))
	}
	row("Recipients", grouped(uint64(r.Recipients)))
	row("Delivered", r.share(r.Delivered))
	reasons := r.reasons()
	for _, c := range reasons {
		row(c.name, r.share(c.n))
	}
	table.Flush()
	slices.SortStableFunc(reasons, func(a, b reason) int { return cmp.Compare(b.n, a.n) })
	if reasons[0].n > 0 {
		b.WriteString("\nWhy, the most frequent first:\n\n")
	}
	for _, c := range reasons {
		if c.n > 0 {
			words := fmt.Sprintf("* %s %s: %s.", grouped(c.n), strings.ToLower(c.name), c.why)
			b.WriteString(strings.Join(format.Wrap(words, 72), "\n  ") + "\n")
		}
	}
	fmt.Fprintf(&b, "\nThe attached JSON file is the report for programs. The A server keeps it as\n%s\n", file)
	return b.String()
}

// letter returns the message (RFC 5322) that brings the report to an address, from the postmaster of the sender's
// domain, whom each domain has (RFC 5321 4.5.1): a person may answer it, and no program does (RFC 3834 5). It is the
// same to the byte each time, and its ID has a token that no other message has. File is where the report's file is.
func (r *Report) letter(to mail.Address, sender, token, file string) ([]byte, error) {
	var h message.Header // the last field that is added comes first
	h.SetContentType("multipart/mixed", map[string]string{"boundary": "=_report." + token})
	h.Add("MIME-Version", "1.0")
	h.Add("Auto-Submitted", "auto-generated")
	h.Add("Message-ID", "<report."+token+"@"+sender+">")
	h.Add("Date", r.Ended.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	h.Add("Subject", r.subject())
	h.Add("To", to.String())
	h.Add("From", fmt.Sprintf("Flyball site %s <postmaster@%s>", r.Site, sender))
	var b bytes.Buffer
	w, err := message.CreateWriter(&b, h)
	if err != nil {
		return nil, err
	}
	for _, p := range []struct{ kind, encoding, disposition, content string }{
		{"text/plain; charset=utf-8", "quoted-printable", "inline", r.text(file)},
		{"application/json", "base64", "attachment; filename=" + r.FileName(), string(r.JSON())},
	} {
		var h message.Header
		h.Add("Content-Disposition", p.disposition)
		h.Add("Content-Transfer-Encoding", p.encoding)
		h.Add("Content-Type", p.kind)
		part, err := w.CreatePart(h)
		if err != nil {
			return nil, err
		}
		part.Write([]byte(p.content)) // a buffer never fails
		part.Close()
	}
	w.Close()
	return b.Bytes(), nil
}
