// Package returned reads mail that comes back: delivery status notifications (RFC 3464), complaints (RFC 5965),
// automatic replies (RFC 3834) and the free texts of mail servers. Bytes go in, a verdict comes out: what becomes of
// the address, why, and which rule says so. A message that it cannot read is a verdict too, so there are no errors.
//
// What a text means is data (rules.toml). A status alone kills an address only if it says that the mailbox or the
// domain does not exist: most 5.y.z are about the sender.
package returned

import (
	"slices"
	"strings"
)

// Effect is what becomes of an address.
type Effect string

// The effects.
const (
	Dead       Effect = "dead"       // the mailbox or the domain does not exist: it counts towards deletion
	Later      Effect = "later"      // the address stays; its mailbox or its server had a difficulty
	Us         Effect = "us"         // the address stays; the sender is the difficulty, which alarms the mailing
	Complaint  Effect = "complaint"  // the recipient reported the mail as abuse
	Quarantine Effect = "quarantine" // nothing follows: a person may look at it
)

// Effects are all effects, the one that outweighs the others first.
var Effects = []Effect{Complaint, Dead, Us, Later, Quarantine}

// Verdict is what a message says of one address.
type Verdict struct {
	Effect   Effect
	Reason   string
	Address  string // "" if the message does not name it
	Original string // the address before it was forwarded, if the message tells (RFC 3464 2.3.1)
	Status   string // enhanced status (RFC 3463), or ""
	Rule     string // in rules.toml, or of the reader
	Text     string // that decided
}

// Returned is what a message says.
type Returned struct {
	Verdict           // the one that outweighs the others, the first among equals
	All     []Verdict // of each address, in the order of the message: one or more
	Paths   []string  // addresses that may be return paths of a mailing, at most mostPaths
}

// Bounds on what is read of a message. What lies beyond them is ignored.
const (
	mostBytes      = 256 << 10
	mostDepth      = 8
	mostParts      = 64
	mostText       = 32 << 10 // of all texts of a message together
	mostAsked      = 8 << 10  // of one text by the rules
	mostRecipients = 200
	mostPaths      = 16
	mostVerdict    = 500 // bytes of Verdict.Text
)

// Read reads a message as it came.
func Read(raw []byte) Returned {
	m := open(raw)
	m.unquote()
	r := Returned{All: m.verdicts(), Paths: m.paths()}
	r.Verdict = r.All[0]
	for _, v := range r.All[1:] {
		if v.Effect.outweighs(r.Effect) {
			r.Verdict = v
		}
	}
	return r
}

func (e Effect) outweighs(other Effect) bool {
	for _, x := range Effects {
		if x == e || x == other {
			return x == e && e != other
		}
	}
	return false
}

// verdicts returns the verdict of each address, or one of quarantine.
func (m *mail) verdicts() []Verdict {
	switch {
	case m.feedback != nil:
		return m.complaints()
	case len(m.reports) > 0:
		return m.reported()
	case m.notice != nil:
		return m.notice
	case !m.bounces():
		if m.automatic() {
			return []Verdict{m.own("automatic-reply", "automatic reply", m.from)}
		}
		return []Verdict{m.own("unclear", "not returned mail", "")}
	}
	return m.told()
}

// own returns the verdict of a rule of the reader.
func (m *mail) own(reason, rule, address string) Verdict {
	return Verdict{Effect: house().reason(reason).Effect, Reason: reason, Rule: rule, Address: address}
}

// complaints returns the verdicts of a feedback report (RFC 5965).
func (m *mail) complaints() (all []Verdict) {
	reason, effect := "complaint", strings.ToLower(m.feedback.get("feedback-type"))
	switch effect {
	case "auth-failure", "dmarc", "dkim":
		reason = "authentication"
	case "virus":
		reason = "content"
	case "not-spam":
		reason = "unclear"
	}
	addresses := m.feedback.addresses("original-rcpt-to", "removal-recipient", "original-recipient", "final-recipient")
	if len(addresses) == 0 {
		addresses = m.original.recipients()
	}
	for _, a := range addresses {
		all = append(all, m.own(reason, "feedback report "+effect, a))
	}
	if len(all) == 0 {
		all = append(all, m.own(reason, "feedback report "+effect, ""))
	}
	return all
}

// reported returns the verdicts of delivery reports.
func (m *mail) reported() (all []Verdict) {
	told := m.segments()
	for _, g := range m.reports {
		v := Verdict{Address: g.address("final-recipient"), Original: g.address("original-recipient"),
			Status: statusIn(g.get("status"))}
		if v.Address == "" {
			v.Address, v.Original = v.Original, ""
		}
		if v.Address == "" {
			if v.Address = g.address("x-actual-recipient"); v.Address == "" && len(told) > 0 {
				v.Address = told[0].address
			}
		}
		action := strings.ToLower(firstWord(g.get("action")))
		switch action {
		case "delivered", "relayed", "expanded":
			d := m.own("delivered", "action "+action, v.Address)
			d.Status, d.Original = v.Status, v.Original
			all = append(all, d)
			continue
		}
		texts := []string{g.get("x-powermta-bouncecategory"), g.get("diagnostic-code"),
			g.get("x-postfix-reason"), g.get("x-supplementary-info"),
			g.get("x-failure-reason")}
		texts = append(texts, about(told, v.Address, v.Original))
		if len(m.reports) == 1 {
			texts = append(texts, m.text)
		}
		all = append(all, m.decide(v, action, texts...))
	}
	return all
}

// told returns the verdicts of a text for people.
func (m *mail) told() (all []Verdict) {
	for _, s := range m.segments() {
		all = append(all, m.decide(Verdict{Address: s.address}, "", s.text, m.textIfAlone(s)))
	}
	if len(all) == 0 {
		all = append(all, m.decide(Verdict{}, "", m.text))
	}
	return all
}

// decide completes a verdict. The texts are asked in their order, each for its words and then for its status; the
// status of the report is asked last.
func (m *mail) decide(v Verdict, action string, texts ...string) Verdict {
	var by *rule
	for i := 0; i < len(texts); i++ {
		texts[i] = texts[i][:min(len(texts[i]), mostAsked)]
		if tail := reply(texts[i]); tail != "" {
			texts = slices.Insert(texts, i, tail)
			i++
		}
	}
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = normal(text)
	}
	reported, said := v.Status, ""
	for i, text := range texts {
		status := statusIn(text)
		found, at := house().byText(all[i], status)
		if found != nil && status == "" {
			status = reported
		}
		if s := house().byStatus(status); found == nil || s != nil && found.yields(s) {
			found = s
		}
		switch {
		case found == nil:
			continue
		case !found.proven(all[i], at, status, texts):
			found = house().unproven() // unless another text proves it
		}
		if by == nil || found.reason.Effect == Dead {
			by, said, v.Status = found, text, status
		}
		if by.Name != unproven {
			break
		}
	}
	if v.Status == "" {
		v.Status = reported
	}
	if by == nil {
		by = house().byStatus(v.Status)
	}
	if by != nil {
		v.Effect, v.Reason, v.Rule, v.Text = by.reason.Effect, by.reason.Name, by.Name, short(said)
	} else {
		v.Effect, v.Reason, v.Rule, v.Text = Quarantine, "unclear", "no rule", short(strings.Join(texts, " "))
	}
	if action == "delayed" && v.Effect != Us {
		v.Effect, v.Reason, v.Rule = Later, "delayed", "action delayed"
	}
	return v
}
