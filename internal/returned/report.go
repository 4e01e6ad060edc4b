package returned

import (
	"encoding/json"
	"strings"
)

// fields are the fields of a group, in order.
type fields []field

type field struct{ name, value string } // the name in lower case

// get returns the first value of a field.
func (g fields) get(name string) string {
	for _, f := range g {
		if f.name == name {
			return f.value
		}
	}
	return ""
}

// address returns the address in a field such as "rfc822; a@b.example".
func (g fields) address(name string) string {
	value := g.get(name)
	if _, rest, ok := strings.Cut(value, ";"); ok {
		value = rest
	}
	if a := firstAddress(value); a != "" {
		return a
	}
	return ""
}

// addresses returns all addresses in the first of some fields that has any.
func (g fields) addresses(names ...string) (all []string) {
	for _, name := range names {
		for _, f := range g {
			if f.name == name && len(all) < mostRecipients {
				all = append(all, addressesIn(f.value)...)
			}
		}
		if len(all) > 0 {
			return all
		}
	}
	return nil
}

// groups returns the groups of fields of a report, which blank lines divide.
func groups(content string) (all []fields) {
	var g fields
	for line := range strings.Lines(content) {
		line = strings.TrimRight(line, " \t\n")
		name := fieldName(line)
		switch {
		case line == "":
			if len(g) > 0 {
				all = append(all, g)
			}
			g = nil
		case (line[0] == ' ' || line[0] == '\t' || name == "") && len(g) > 0:
			if last := &g[len(g)-1]; len(last.value) < 8<<10 {
				last.value += " " + strings.TrimSpace(line)
			}
		case name != "":
			g = append(g, field{strings.ToLower(name), strings.TrimSpace(line[len(name)+1:])})
		}
		if len(all) > 2*mostRecipients {
			break
		}
	}
	if len(g) > 0 {
		all = append(all, g)
	}
	return all
}

// recipientsOf returns the groups that are about a recipient. A group without one that has an action or a status goes
// on with the recipient before it.
func recipientsOf(all []fields) (out []fields) {
	for _, g := range all {
		about := g.get("final-recipient") + g.get("original-recipient") + g.get("x-actual-recipient")
		state := g.get("action") + g.get("status") + g.get("diagnostic-code")
		switch {
		case about != "" && state != "" || about != "":
			out = append(out, g)
		case state != "" && len(out) > 0:
			out[len(out)-1] = append(out[len(out)-1], g...)
		case state != "":
			out = append(out, g)
		}
	}
	return out
}

// sniff looks for a report in the text for people, as systems write it that label the part wrongly.
func (m *mail) sniff() {
	if strings.Contains(m.raw, "\n> Final-Recipient:") { // forwarded by a person
		m.raw = strings.ReplaceAll(m.raw, "\n> ", "\n")
	}
	lower := asciiLower(m.raw)
	for _, name := range []string{"\nfinal-recipient:", "\noriginal-recipient:"} {
		i := strings.Index(lower, name)
		if i < 0 {
			continue
		}
		content, _ := cut(m.raw[i+1:])
		var kept []fields
		for _, g := range recipientsOf(groups(content)) {
			if g.get("action")+g.get("status") != "" {
				kept = append(kept, g)
			}
		}
		m.reports = kept[:min(len(kept), mostRecipients)]
		return
	}
	if i := strings.Index(lower, "\nfeedback-type:"); i >= 0 {
		if all := groups(m.raw[i+1:]); len(all) > 0 {
			m.feedback = all[0]
		}
		return
	}
	for _, h := range m.original.header { // complaints of Outlook.com
		if h.Has("X-HmXmrOriginalRecipient") {
			m.feedback = fields{{"feedback-type", "abuse"}}
		}
	}
	if m.header.Has("X-HmXmrOriginalRecipient") {
		m.feedback = fields{{"feedback-type", "abuse"},
			{"original-rcpt-to", m.header.Get("X-HmXmrOriginalRecipient")}}
	}
}

// notification is what Amazon SES tells by SNS.
type notification struct {
	NotificationType string
	EventType        string
	Bounce           struct {
		BounceType        string
		BounceSubType     string
		BouncedRecipients []struct{ EmailAddress, Status, Action, DiagnosticCode string }
	}
	Complaint struct {
		ComplainedRecipients []struct{ EmailAddress string }
	}
	Delivery struct{ Recipients []string }
}

// json returns the verdicts of a notification in JSON, or nil.
func (m *mail) json() (all []Verdict) {
	body := strings.TrimSpace(m.text)
	if !strings.HasPrefix(body, "{") || !strings.Contains(body, "Type") {
		return nil
	}
	var n notification
	body = strings.ReplaceAll(body, "\n", "") // mail folds what is longer than a line
	if json.NewDecoder(strings.NewReader(body)).Decode(&n) != nil {
		return nil
	}
	for _, r := range n.Bounce.BouncedRecipients {
		all = append(all, m.decide(Verdict{Address: r.EmailAddress, Status: statusIn(r.Status)}, r.Action,
			r.DiagnosticCode,
			n.Bounce.BounceSubType))
	}
	for _, r := range n.Complaint.ComplainedRecipients {
		all = append(all, m.own("complaint", "notification", r.EmailAddress))
	}
	for _, r := range n.Delivery.Recipients {
		all = append(all, m.own("delivered", "notification", r))
	}
	return all[:min(len(all), mostRecipients)]
}

// bounces reports whether a message without a report may be returned mail. An automatic reply has an empty return
// path too, so the path alone says nothing.
func (m *mail) bounces() bool {
	switch from := strings.ToLower(words(m.header.Get("From"))); {
	case m.report || m.header.Has("X-Failed-Recipients") || hasAny(from, house().Words.Daemons):
		return true
	case m.replies() || m.automatic():
		return false
	}
	return m.header.Get("Return-Path") == "<>" || hasAny(strings.ToLower(m.subject), house().Words.Subjects)
}

// replies reports whether the subject begins as in a reply.
func (m *mail) replies() bool {
	s := strings.ToLower(strings.TrimSpace(m.subject))
	return strings.HasPrefix(s, "re:") || strings.HasPrefix(s, "auto") || strings.HasPrefix(s, "out of office") ||
		m.header.Has("In-Reply-To") && strings.HasPrefix(s, "aw:")
}

// automatic reports whether a program wrote the message (RFC 3834).
func (m *mail) automatic() bool {
	auto := strings.ToLower(m.header.Get("Auto-Submitted"))
	return auto != "" && auto != "no" || hasAny(strings.ToLower(m.header.Get("Precedence")),
		[]string{"auto", "bulk", "junk"}) || m.header.Has("X-Autoreply") || m.header.Has("X-Autorespond") ||
		m.header.Has("X-Auto-Response-Suppress") || hasAny(strings.ToLower(m.subject), house().Words.Automatic)
}

func hasAny(s string, all []string) bool {
	for _, x := range all {
		if strings.Contains(s, x) {
			return true
		}
	}
	return false
}

// paths returns addresses that may be return paths of a mailing.
func (m *mail) paths() (all []string) {
	for _, a := range addressesIn(m.raw) {
		if strings.Count(firstOf(a, "@"), ".") >= 2 && strings.Contains(a, "+") && len(all) < mostPaths {
			all = append(all, a)
		}
	}
	return all
}
