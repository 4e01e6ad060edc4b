package returned

import (
	"fmt"
	"slices"
	"strings"
)

// Label is what somebody says that a message means for an address.
type Label struct {
	File    string
	Address string // "": of the message, whichever address it names
	Reason  string
	Effect  Effect
}

// labelled are the effects of the reasons that Sisimai names, in a file of labels.
var labelled = map[string]Effect{
	"userunknown": Dead, "hostunknown": Dead, "hasmoved": Dead, "notaccept": Dead,
	"mailboxfull": Later, "filtered": Later, "expired": Later, "networkerror": Later, "suspend": Later,
	"systemerror": Later, "systemfull": Later, "mailererror": Later, "toomanyconn": Later, "onhold": Later,
	"speeding": Later, "suppressed": Later, "failedstarttls": Later,
	"blocked": Us, "rejected": Us, "policyviolation": Us, "securityerror": Us, "spamdetected": Us, "mesgtoobig": Us,
	"exceedlimit": Us, "emailtoolarge": Us, "syntaxerror": Us, "contenterror": Us, "norelaying": Us,
	"virusdetected": Us,
	"authfailure":   Us, "badreputation": Us, "requireptr": Us, "notcompliantrfc": Us, "ratelimited": Later,
	"feedback": Complaint, "vacation": Quarantine, "none": Quarantine, "undefined": Quarantine, "delivered": Quarantine,
}

// ReadLabels reads a table of labels: rows of fields with tabs between them, a header first that names the columns
// file, recipient and reason or effect. A reason is one of the rules or one of Sisimai's; an effect is one of Effects.
func ReadLabels(text string) (all []Label, err error) {
	column := map[string]int{}
	for n, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		cells := strings.Split(strings.TrimSuffix(line, "\r"), "\t")
		if n == 0 {
			for i, name := range cells {
				column[name] = i + 1
			}
			if column["file"] == 0 || column["recipient"] == 0 || column["reason"] == 0 && column["effect"] == 0 {
				return nil, fmt.Errorf("line 1: got columns %q, want file, recipient, and reason or effect", cells)
			}
			continue
		}
		cell := func(name string) string {
			if i := column[name]; i > 0 && i <= len(cells) {
				return strings.TrimSpace(cells[i-1])
			}
			return ""
		}
		l := Label{File: cell("file"), Address: cell("recipient"), Reason: cell("reason"),
			Effect: Effect(cell("effect"))}
		if l.Address == "-" {
			l.Address = ""
		}
		if l.Effect == "" {
			if r := house().reason(l.Reason); r != nil {
				l.Effect = r.Effect
			} else {
				l.Effect = labelled[strings.ToLower(l.Reason)]
			}
		}
		switch {
		case l.File == "":
			return nil, fmt.Errorf("line %d: got no file, want one", n+1)
		case !slices.Contains(Effects, l.Effect):
			return nil, fmt.Errorf("line %d: got reason %q and effect "+
				"%q, want a reason of the rules or of Sisimai, or an "+
				"effect: %v", n+1, l.Reason, l.Effect, Effects)
		}
		all = append(all, l)
	}
	return all, nil
}

// Score compares verdicts with labels, address by address. A label with the reason none says nothing.
type Score struct {
	Labels    int
	Confusion [5][5]int // labels by Effects of the label and of the verdict
	Misses    []Miss    // in the order of the labels
}

// Miss is a label whose effect the verdict does not have.
type Miss struct {
	Label
	Got Verdict
}

// Add adds the labels of one message.
func (s *Score) Add(labels []Label, r Returned) {
	taken := make([]bool, len(r.All))
	for _, l := range labels {
		if l.Reason == "none" {
			continue
		}
		v := r.Verdict
		if len(labels) > 1 {
			v = Verdict{Effect: Quarantine, Reason: "unclear", Rule: "address not found"}
		}
		for i, x := range r.All {
			if l.Address != "" && (strings.EqualFold(x.Address, l.Address) || strings.EqualFold(x.Original,
				l.Address)) {
				v, taken[i] = x, true
				break
			}
		}
		s.count(l, v)
	}
	if len(labels) > 0 && labels[0].Reason == "none" {
		return
	}
	for i, v := range r.All { // a death that the labels do not know of is a mistake too
		if v.Effect == Dead && !taken[i] && len(labels) > 0 && v != r.Verdict {
			s.count(Label{File: labels[0].File, Address: v.Address, Reason: "none", Effect: Quarantine}, v)
		}
	}
}

func (s *Score) count(l Label, v Verdict) {
	s.Labels++
	s.Confusion[slices.Index(Effects, l.Effect)][slices.Index(Effects, v.Effect)]++
	if l.Effect != v.Effect {
		s.Misses = append(s.Misses, Miss{l, v})
	}
}

// Precision returns the share of verdicts with an effect that the labels agree with, and their number.
func (s *Score) Precision(e Effect) (share float64, of int) {
	i := slices.Index(Effects, e)
	for _, row := range s.Confusion {
		of += row[i]
	}
	return ratio(s.Confusion[i][i], of), of
}

// Recall returns the share of labels with an effect that the verdicts have, and their number.
func (s *Score) Recall(e Effect) (share float64, of int) {
	i := slices.Index(Effects, e)
	for _, n := range s.Confusion[i] {
		of += n
	}
	return ratio(s.Confusion[i][i], of), of
}

// ratio returns a share, 1 of nothing.
func ratio(part, of int) float64 {
	if of == 0 {
		return 1
	}
	return float64(part) / float64(of)
}
