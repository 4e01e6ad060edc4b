package returned

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"
)

//go:embed rules.toml
var ruleFile string

// Reason is why a message came back.
type Reason struct {
	Name   string
	Effect Effect
}

// rule gives the texts that it matches a reason.
type rule struct {
	Name      string
	Reason    string
	Any       []string
	Not       []string
	Status    []string
	Proof     []string // statuses that prove it; empty: it needs no proof
	Permanent bool     // what is temporary does not prove it, all else does
	Own       bool     // the words of a system that quotes no reply prove it
	Weak      bool     // it gives way to a status that tells more

	any, not []phrase
	reason   *Reason
}

// book holds the rules in the order in which they are asked.
type book struct {
	Words  struct{ Daemons, Subjects, Automatic, Announced, Begun, Replies []string }
	Reason []Reason
	Rule   []rule
}

// house returns the rules of the program's own file.
var house = sync.OnceValue(func() *book {
	b, err := readBook(ruleFile)
	if err != nil {
		panic(fmt.Sprintf("returned: rules.toml: %v", err))
	}
	return b
})

// readBook reads a file of rules. A key that it does not know, a rule that matches nothing, an unknown reason or
// effect is an error.
func readBook(text string) (*book, error) {
	var b book
	meta, err := toml.Decode(text, &b)
	if err != nil {
		return nil, err
	}
	if left := meta.Undecoded(); len(left) > 0 {
		return nil, fmt.Errorf("%s: got an unknown key, want name, effect, reason, any, not or status", left[0])
	}
	for _, r := range b.Reason {
		if !slices.Contains(Effects, r.Effect) {
			return nil, fmt.Errorf("reason %q: got effect %q, want one of %v", r.Name, r.Effect, Effects)
		}
	}
	seen := map[string]bool{}
	for i := range b.Rule {
		r := &b.Rule[i]
		switch r.reason = b.reason(r.Reason); {
		case r.reason == nil:
			return nil, fmt.Errorf("rule %q: got reason %q, want one of the file", r.Name, r.Reason)
		case r.Name == "" || seen[r.Name]:
			return nil, fmt.Errorf("rule %d: got name %q, want a name of its own", i+1, r.Name)
		case len(r.Any) == 0 && len(r.Status) == 0:
			return nil, fmt.Errorf("rule %q: got neither any nor status, want what it matches", r.Name)
		case (len(r.Proof) > 0 || r.Permanent) && b.unproven() == nil:
			return nil, fmt.Errorf("rule %q: got proof, want a rule %q for what is not proven", r.Name, unproven)
		}
		seen[r.Name] = true
		r.any, r.not = phrases(r.Any), phrases(r.Not)
		for i := range r.any { // "use" is not in "because"
			r.any[i].word = r.any[i].word || r.reason.Effect == Dead
		}
	}
	return &b, nil
}

// reason returns the reason with a name, or nil.
func (b *book) reason(name string) *Reason {
	for i := range b.Reason {
		if b.Reason[i].Name == name {
			return &b.Reason[i]
		}
	}
	return nil
}

// byText returns the first rule with a phrase in a text that normal has made, and where the phrase begins, or nil. The
// status stands in the text.
func (b *book) byText(text, status string) (*rule, int) {
	if text == "" {
		return nil, 0
	}
	for i := range b.Rule {
		r := &b.Rule[i]
		if len(r.any) == 0 || !r.allows(status) {
			continue
		}
		if at := first(r.any, text); at >= 0 && first(r.not, text) < 0 {
			return r, at
		}
	}
	return nil, 0
}

// byStatus returns the first rule without phrases for an enhanced status, or nil.
func (b *book) byStatus(status string) *rule {
	if status == "" {
		return nil
	}
	for i := range b.Rule {
		if r := &b.Rule[i]; len(r.any) == 0 && r.allows(status) {
			return r
		}
	}
	return nil
}

// yields reports whether the rule gives way to one for the status.
func (r *rule) yields(to *rule) bool {
	return r.Weak && (to.reason.Effect == Dead || r.Reason == "refused" && to.Reason != "refused")
}

// allows reports whether the rule is for a status.
func (r *rule) allows(status string) bool { return len(r.Status) == 0 || among(r.Status, status) }

// among reports whether a status is one of several, or begins with one of them that ends in a full stop.
func among(all []string, status string) bool {
	return slices.ContainsFunc(all, func(s string) bool {
		return s == status || strings.HasSuffix(s, ".") && strings.HasPrefix(status, s)
	})
}

// unproven is the name of the rule for texts that name a dead address without a proof.
const unproven = "unproven"

func (b *book) unproven() *rule {
	for i := range b.Rule {
		if b.Rule[i].Name == unproven {
			return &b.Rule[i]
		}
	}
	return nil
}

// atRcpt and atData tell which command was answered.
var (
	atRcpt = phrases([]string{"rcpt", "mail.local: ", "recipient address rejected", "does not like recipient",
		"rejected recipient", "recipient rejected", "recipient refused", "refused recipient"})
	atData = phrases([]string{"end of data", "after data", "reply to data", "data command", ">>> data",
		"after i sent the message", "delivery error: dd", "response to data", "following data", "bdat", "end-of-data",
		"message body", "after sending", "final dot", "command: data", "(data)"})
	// envelope finds an envelope that is listed: it tells of no answer.
	envelope = regexp.MustCompile(`(?:^|mail from: ?\S+ )rcpt(?: to)?: ?\S+ [a-z]|\borcpt|original-rcpt-to`)
	// code finds a reply code.
	code = regexp.MustCompile(`(?:^|[^0-9.])([45][0-9][0-9])(?:[ :;,-]|$)`)
)

// proven reports whether a text that names a dead address proves it. A status of the address does, and so does an
// answer to RCPT: a server that answers the message instead may hide a filter behind "user unknown". So may one that
// returns a message after it has taken it and gives these words alone, unless it tells of its directory (Own). What is
// temporary proves nothing.
// The rule's phrase begins at a place of the text, which normal has made; all are the texts of the recipient.
func (r *rule) proven(text string, at int, status string, all []string) bool {
	if len(r.Proof) == 0 && !r.Permanent {
		return true
	}
	const before, behind = 200, 80
	answer := ""
	for _, m := range code.FindAllStringSubmatch(text[max(0, at-before):at], -1) {
		answer = m[1]
	}
	if m := code.FindStringSubmatch(text[at:min(len(text), at+behind)]); answer == "" && m != nil {
		answer = m[1]
	}
	switch {
	case strings.HasPrefix(status, "4") || strings.HasPrefix(answer, "4"):
		return false
	case r.Permanent || among(r.Proof, status):
		return true
	}
	whole := ""
	for _, text := range all {
		text = strings.ToLower(strings.Join(strings.Fields(text), " "))
		if strings.Contains(text, "rcpt") { // the expression is slow
			text = envelope.ReplaceAllString(text, " ")
		}
		whole += text + " "
	}
	rcpt, data := earliest(atRcpt, whole), earliest(atData, whole)
	return rcpt < data || r.Own && data == len(whole) && !code.MatchString(whole)
}

// phrase is what a text is searched for: its pieces, with a gap of at most mostGap bytes between two of them.
type phrase struct {
	pieces     []string
	word, ends bool // the first piece begins a word, the last one ends one
}

const mostGap = 60

func phrases(all []string) (out []phrase) {
	for _, text := range all {
		text, word := strings.CutPrefix(text, "^")
		text, ends := strings.CutSuffix(text, "^")
		out = append(out, phrase{strings.Split(text, "*"), word, ends})
	}
	return out
}

// first returns where the first of several phrases that is in a text begins, or -1.
func first(all []phrase, text string) int {
	for _, p := range all {
		if at := p.in(text); at >= 0 {
			return at
		}
	}
	return -1
}

// earliest returns where the earliest of several phrases begins in a text, or its length.
func earliest(all []phrase, text string) int {
	at := len(text)
	for _, p := range all {
		if i := p.in(text[:min(len(text), at+mostGap)]); i >= 0 {
			at = min(at, i)
		}
	}
	return at
}

// in returns where the phrase begins in a text, or -1.
func (p phrase) in(text string) int {
	for at := 0; ; at++ {
		i := strings.Index(text[at:], p.pieces[0])
		if i < 0 {
			return -1
		}
		at += i
		if !p.word || at == 0 || !letter(text[at-1]) || !letter(text[at]) || text[at] >= 0x80 {
			if rest, ok := follow(text[at+len(p.pieces[0]):], p.pieces[1:]); ok &&
				(!p.ends || rest == "" || !letter(rest[0])) {
				return at
			}
		}
	}
}

// follow reports whether pieces follow each other from the beginning of a text on, and returns what is behind them.
func follow(text string, pieces []string) (rest string, ok bool) {
	for _, piece := range pieces {
		i := strings.Index(text[:min(len(text), mostGap+len(piece))], piece)
		if i < 0 {
			return "", false
		}
		text = text[i+len(piece):]
	}
	return text, true
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 0x80 }
