package realrun

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"flyball/internal/list"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/realrun/message"
	"flyball/scenarios"
)

// Mailing is the list of a live run and what each of its recipients is sent.
// It is complete and checked before the run begins, and then only read.
type Mailing struct {
	List       mail.List
	Count      list.Count // rows of the file
	Suppressed uint64     // accepted rows that are not mailed
	Rejects    []byte     // the reject file; nil for a synthetic list
	addresses  []mail.Address
	fields     [][]string
	renderer   *message.Renderer
	campaign   uint64
	date       time.Time
	domains    []string // of a synthetic list's destinations
}

// Source says where a mailing comes from. Readers that are nil are left out.
type Source struct {
	List, Suppression, Template             io.Reader
	ListName, SuppressionName, TemplateName string
	Date                                    time.Time // of the messages
}

// NewMailing prepares the mailing of a scenario: the list of a file, or the
// scenario's synthetic one. Errors are of the form name:line:col: message;
// rows of a list that cannot be mailed are rejected, not errors.
func NewMailing(s *scenarios.Scenario, key rng.Key, src Source) (*Mailing, error) {
	m := &Mailing{date: src.Date, campaign: s.Seed}
	template, err := template(s, src)
	if err != nil {
		return nil, err
	}
	if src.List == nil {
		m.List = s.List(key)
		for _, d := range s.Destinations {
			m.domains = append(m.domains, d.Domain)
		}
		m.renderer, err = template.Bind(nil)
		return m, err
	}
	return m, m.read(s, src, template)
}

// read takes the list of a file. A recipient's position is that of its row
// among the accepted ones.
func (m *Mailing) read(s *scenarios.Scenario, src Source, template *message.Template) error {
	var suppressed list.Set
	if src.Suppression != nil {
		var err error
		if suppressed, err = list.ReadSuppression(src.Suppression, src.SuppressionName); err != nil {
			return err
		}
	}
	destination := destinations(s)
	var at []mail.Destination
	var scratch []byte
	options := list.Options{
		Header: func(columns []string) (err error) {
			m.renderer, err = template.Bind(columns)
			return err
		},
		Check: func(row list.Row) (err error) {
			if _, ok := destination[row.Address.Domain]; !ok {
				return stranger(s, row.Address)
			}
			scratch, err = m.renderer.Render(scratch[:0], row.Fields, message.Meta{To: row.Address, Date: m.date})
			return err
		},
	}
	rejects := newRejects()
	accept := func(row list.Row) error {
		if suppressed.Has(row.Address) {
			m.Suppressed++
			return nil
		}
		at = append(at, destination[row.Address.Domain])
		m.addresses = append(m.addresses, row.Address)
		m.fields = append(m.fields, row.Fields)
		return nil
	}
	var err error
	if m.Count, err = list.Read(src.List, src.ListName, options, accept, rejects.add); err != nil {
		return err
	}
	if m.Rejects, err = rejects.file(); err != nil {
		return err
	}
	if len(at) == 0 {
		return rejects.nobody(src.ListName, m.Count, m.Suppressed)
	}
	m.List = mail.ReadList(at)
	return nil
}

// template reads the template, or makes one of the scenario's message size.
func template(s *scenarios.Scenario, src Source) (*message.Template, error) {
	if src.Template == nil {
		from, err := mail.ParseAddress(s.Message.From)
		if err != nil {
			return nil, err
		}
		return message.Default(from, s.Message.Size)
	}
	text, err := io.ReadAll(src.Template)
	if err != nil {
		return nil, err
	}
	t, err := message.Parse(src.TemplateName, text)
	if err == nil && !t.From().Reserved() {
		return nil, fmt.Errorf("%s: From: %w: got domain %q, want a reserved one, such as \"sender.example\" (RFC 2606)", src.TemplateName, ErrRefused, t.From().Domain)
	}
	return t, err
}

// Size is the length of the first recipient's message.
func (m *Mailing) Size() int {
	if m.List.Len() == 0 {
		return 0
	}
	_, body := m.Letter(0, nil)
	return len(body)
}

// Address of a recipient.
func (m *Mailing) Address(r mail.Recipient) mail.Address {
	if m.addresses != nil {
		return m.addresses[r]
	}
	return mail.Address{Local: "r" + strconv.FormatUint(uint64(r), 10), Domain: m.domains[m.List.Destination(r)]}
}

// Letter renders the message for a recipient; see Letters.
func (m *Mailing) Letter(r mail.Recipient, body []byte) (string, []byte) {
	var fields []string
	if m.fields != nil {
		fields = m.fields[r]
	}
	to := m.Address(r)
	body, err := m.renderer.Render(body, fields, message.Meta{To: to, Recipient: r, Campaign: m.campaign, Date: m.date})
	if err != nil {
		panic(fmt.Sprintf("recipient %d was accepted and does not render: %v", r, err))
	}
	return to.String(), body
}
