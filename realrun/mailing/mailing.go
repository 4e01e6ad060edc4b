// Package mailing is what a live run mails: a list, checked row by row, and the message to each recipient.
package mailing

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"flyball/internal/list"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/realrun/dial"
	"flyball/realrun/message"
	"flyball/scenarios"
)

// Mailing is the list of a live run with the message of each recipient. It is
// complete and checked before the run begins, and read-only afterwards.
type Mailing struct {
	List       mail.List
	Count      list.Count       // rows of the file
	Suppressed uint64           // accepted rows that are not mailed
	Late       []mail.Recipient // who asked since the mailing began to get nothing
	// Sizes returns the size of each recipient's message, to which a message of the default template is filled up where
	// sizes differ; nil: the template has the size of all.
	Sizes   func(mail.Recipient) int64
	rows    []string            // packed row of each recipient, see pack; nil for a synthetic list
	letter  *message.Template   // nil: of a run without one
	masters []*message.Renderer // of each destination
	signer  *message.Signer     // nil: messages are not signed
	run     *message.Run
	domains []string // of the destinations
	skipped []skipped
	fills   bool // the default template has no filling, since sizes differ
}

// skipped is a suppressed address, and the number of recipients before it.
type skipped struct {
	before  int
	address string
}

// pack joins the mailbox of an address and the values that the letter uses in one
// string, separated by NULs. The values have no NUL: readers of lists refuse it. The
// mailbox is the local part, and otherDomain with the domain unless the domain is the
// destination's own.
func pack(mailbox string, values []string) string {
	return strings.Join(append([]string{mailbox}, values...), nul)
}

const (
	nul         = "\x00"
	otherDomain = "\x01" // an address has no control characters
)

// Source holds the inputs of a mailing. A reader is nil if its file is not given.
type Source struct {
	List, Suppression, Template             io.Reader
	ListName, SuppressionName, TemplateName string
	Files                                   message.Files           // in the folder of the template; nil without one
	Leave                                   string                  // see message.Template.LeaveAt; empty: nowhere
	Signer                                  *message.Signer         // nil: messages are not signed
	FoldCase                                bool                    // see list.Options
	Suppressed                              func(mail.Address) bool // beside Suppression; nil: none
	Late                                    *list.Set               // suppressed now; nil: as at the beginning
	Rejects                                 io.Writer               // receives the reject file of the list
	Key                                     mail.Key                // of the run
	Date                                    time.Time               // of the messages
	Allow                                   *dial.Allowlist
}

// New returns the mailing of a scenario, with the list of src or, without
// one, the scenario's synthetic list. Errors have the form name:line:col:
// message. A row that cannot be mailed is rejected; it is not an error.
func New(s *scenarios.Scenario, key rng.Key, src Source) (*Mailing, error) {
	m := &Mailing{run: message.NewRun(src.Key, src.Date), signer: src.Signer,
		fills: src.Template == nil && s.SizesDiffer()}
	template, err := template(s, src)
	if err != nil {
		return nil, err
	}
	if src.Leave != "" {
		template.LeaveAt(src.Leave)
	}
	if src.Template != nil {
		m.letter = template
	}
	for _, d := range s.Destinations {
		m.domains = append(m.domains, d.Domain)
	}
	if src.List == nil {
		m.List = s.List(key)
		return m, m.bind(s, template, nil)
	}
	return m, m.read(s, src, template)
}

// read reads the list of src. Recipients are numbered in the order of the
// accepted rows.
func (m *Mailing) read(s *scenarios.Scenario, src Source, template *message.Template) error {
	suppressed, domains, err := src.places(s)
	if err != nil {
		return err
	}
	var at []mail.Destination
	var scratch []byte
	options := list.Options{
		FoldCase:    src.FoldCase,
		AllowDomain: func(domain string) bool { return src.Allow.CheckDomain(domain) == nil },
		Header: func(columns []string) ([]int, error) {
			if _, err := template.Bind(columns); err != nil { // an error names all columns
				return nil, err
			}
			use, names := template.Uses(columns)
			return use, m.bind(s, template, names)
		},
		Check: func(row list.Row) (err error) {
			to, ok := domains.Find(row.Address.Domain)
			if !ok {
				return stranger(s, row.Address)
			}
			scratch, err = m.masters[to].Try(scratch[:0], row.Fields, message.Meta{To: row.Address, Run: m.run})
			return err
		},
	}
	rejects := newRejects(src.Rejects)
	accept := func(row list.Row) error {
		if suppressed(row.Address) {
			m.Suppressed++
			m.skipped = append(m.skipped, skipped{len(at), row.Address.String()})
			return nil
		}
		if src.Late != nil && src.Late.Has(row.Address) {
			m.Late = append(m.Late, mail.Recipient(len(at)))
		}
		to, _ := domains.Find(row.Address.Domain)
		at = append(at, to)
		mailbox := row.Address.Local
		if row.Address.Domain != m.domains[to] {
			mailbox += otherDomain + row.Address.Domain
		}
		m.rows = append(m.rows, pack(mailbox, row.Fields))
		return nil
	}
	if m.Count, err = list.Read(src.List, src.ListName, options, accept, rejects.add); err != nil {
		return err
	}
	if err := rejects.writer.Flush(); err != nil {
		return err
	}
	if len(at) == 0 {
		return rejects.emptyList(src.ListName, m.Count, m.Suppressed)
	}
	m.List = mail.ReadList(at)
	return nil
}

// bind sets the master of each destination, for rows of certain columns.
func (m *Mailing) bind(s *scenarios.Scenario, t *message.Template, columns []string) error {
	r, err := t.Bind(columns)
	if err != nil {
		return err
	}
	for _, d := range s.Destinations {
		m.masters = append(m.masters, r.For(d.Name))
	}
	return nil
}

// Digest returns a digest of the addresses of all recipients in their order; of a synthetic list, of their number.
func (m *Mailing) Digest() string {
	h := sha256.New()
	fmt.Fprintln(h, m.List.Len())
	for i := range m.rows {
		fmt.Fprintln(h, m.Address(mail.Recipient(i)))
	}
	return fmt.Sprintf("%.16x", h.Sum(nil))
}

// Masters returns the masters of the letter, the first for all networks without one of their own; none for a run
// without a letter.
func (m *Mailing) Masters() []message.Master {
	if m.letter == nil {
		return nil
	}
	return m.letter.Masters()
}

// Targets returns where the counted links of the letter lead, for a response server: the first is of link 1.
func (m *Mailing) Targets() []string {
	if m.letter == nil {
		return nil
	}
	return m.letter.Targets()
}

// CountedAt returns the place in the letter that asks a response server to count; empty: none does.
func (m *Mailing) CountedAt() string {
	if m.letter == nil {
		return ""
	}
	return m.letter.CountedAt()
}

// Doubts returns what is allowed in the messages of a mailing to people and rarely meant, one sentence each.
func (m *Mailing) Doubts() (all []string) {
	if m.letter != nil {
		all = m.letter.Doubts()
	}
	if m.signer == nil {
		all = append(all, "messages are not signed: large receivers want a DKIM signature on bulk mail")
	}
	return all
}

// template returns the template of src or, without one, a default template of
// the scenario's message size, or of the least size where sizes differ.
func template(s *scenarios.Scenario, src Source) (*message.Template, error) {
	if src.Template == nil {
		from, err := mail.ParseAddress(s.Message.From)
		if err != nil {
			return nil, err
		}
		if s.SizesDiffer() {
			return message.Default(from, 1)
		}
		return message.Default(from, s.Message.Size)
	}
	t, err := src.letter(s)
	if err != nil {
		return nil, err
	}
	var wrong []error
	for _, of := range t.All() {
		if err := src.Allow.CheckSender(of.From().Domain); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: header From: %w", of.FromAt(), err))
		}
	}
	return t, errors.Join(wrong...)
}

// letter reads the letter of src. Its variants must be for destinations of the scenario, which may be nil.
func (src Source) letter(s *scenarios.Scenario) (*message.Template, error) {
	text, err := io.ReadAll(src.Template)
	if err != nil {
		return nil, err
	}
	t, err := message.Parse(src.TemplateName, text, src.Files)
	if err != nil || s == nil {
		return t, err
	}
	var wrong []error
	known := map[string]bool{}
	for _, d := range s.Destinations {
		known[d.Name] = true
	}
	t.Networks(func(network, at string) {
		if !known[network] {
			wrong = append(wrong, fmt.Errorf("%s: header Variant: got network %q, want a destination of scenario %s",
				at, network, s.Name))
		}
	})
	return t, errors.Join(wrong...)
}

// Words describes the counts of the list's rows in lines of text; nil for a
// synthetic list.
func (m *Mailing) Words() []string {
	if m.rows == nil {
		return nil
	}
	return Words(m.Count, m.Suppressed)
}

// Addresses calls each for every recipient in order, and for the suppressed
// addresses in between. It must not be called for a synthetic list.
func (m *Mailing) Addresses(each func(address string, suppressed bool) error) error {
	next := 0
	for i := range m.List.Len() + 1 {
		for ; next < len(m.skipped) && m.skipped[next].before == i; next++ {
			if err := each(m.skipped[next].address, true); err != nil {
				return err
			}
		}
		if i == m.List.Len() {
			break
		}
		if err := each(m.Address(mail.Recipient(i)).String(), false); err != nil {
			return err
		}
	}
	return nil
}

// Size returns the length of the first recipient's message in bytes; where sizes differ, of the longest.
func (m *Mailing) Size() int {
	if m.List.Len() == 0 {
		return 0
	}
	if m.fills && m.Sizes != nil {
		longest := int64(0)
		for r := range m.List.Len() {
			longest = max(longest, m.Sizes(mail.Recipient(r)))
		}
		return int(longest)
	}
	_, body := m.Letter(0, nil)
	return len(body)
}

// Address returns the address of a recipient.
func (m *Mailing) Address(r mail.Recipient) mail.Address {
	domain := m.domains[m.List.Destination(r)]
	if m.rows == nil {
		return mail.Address{Local: "r" + strconv.FormatUint(uint64(r), 10), Domain: domain}
	}
	mailbox, _, _ := strings.Cut(m.rows[r], nul)
	local, other, ok := strings.Cut(mailbox, otherDomain)
	if ok {
		domain = other
	}
	return mail.Address{Local: local, Domain: domain}
}

// Letter appends the message for a recipient to body; see Letters.
func (m *Mailing) Letter(r mail.Recipient, body []byte) (string, []byte) {
	var values []string
	if m.rows != nil {
		values = strings.Split(m.rows[r], nul)[1:]
	}
	to, before := m.Address(r), len(body)
	master := m.masters[m.List.Destination(r)]
	body, err := master.Render(body, values, message.Meta{To: to, Recipient: r, Run: m.run})
	if err != nil {
		panic(fmt.Sprintf("recipient %d was accepted and does not render: %v", r, err))
	}
	if m.fills && m.Sizes != nil {
		body = message.Fill(body, int(m.Sizes(r))-(len(body)-before))
	}
	if m.signer != nil {
		body = m.signer.Sign(body, before, master, m.run)
	}
	return to.String(), body
}
