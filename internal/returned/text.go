package returned

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"
)

// guesses are the charsets that are tried for a text that is in none that it says.
var guesses = []string{"windows-1252", "koi8-r", "windows-1251", "shift_jis", "euc-jp", "gb18030", "big5", "euc-kr"}

// text returns a content as UTF-8. A text that is UTF-8 or ISO-2022-JP is taken as such whatever it says. Of a text
// that is not what it says, each line is there in each charset that it may be in, since a rule recognizes the right
// one.
func text(content, charset string) string {
	content = content[:min(len(content), mostText)]
	escapes := strings.Contains(content, "\x1b$")
	switch charset = strings.ToLower(charset); {
	case escapes:
		return inCharset(content, "iso-2022-jp")
	case utf8.ValidString(content) || utf8.ValidString(content[:max(0, len(content)-3)]):
		return strings.ToValidUTF8(content, "")
	case !slices.Contains([]string{"", "utf-8", "us-ascii", "ascii", "iso-8859-1", "windows-1252"}, charset):
		if s := inCharset(content, charset); s != "" {
			return s
		}
	}
	var out strings.Builder
	for line := range strings.Lines(content) {
		if out.Len() > mostText {
			break
		}
		if utf8.ValidString(line) {
			out.WriteString(line)
			continue
		}
		for _, g := range guesses {
			out.WriteString(strings.TrimRight(inCharset(line, g), "\n") + "\n")
		}
	}
	return out.String()
}

// inCharset returns a content of a charset as UTF-8, or "" if the charset is unknown.
func inCharset(content, charset string) string {
	e, err := htmlindex.Get(charset)
	if err != nil {
		return ""
	}
	s, err := e.NewDecoder().String(content)
	if err != nil {
		return ""
	}
	return strings.ToValidUTF8(s, "")
}

var entities = strings.NewReplacer("&nbsp;", " ", "&lt;", "<", "&gt;", ">", "&quot;", `"`, "&#39;", "'", "&amp;", "&",
	"&#x27;", "'", "&apos;", "'", "&#160;", " ", "\u00a0", " ")

// breaks are the elements that end a line.
var breaks = []string{"br", "p", "div", "tr", "td", "li", "hr", "table", "h1", "h2", "h3", "h4", "pre", "ul"}

// plain returns the text of HTML.
func plain(html string) string {
	html = strings.ReplaceAll(html[:min(len(html), mostText)], "\n", " ")
	var out strings.Builder
	for html != "" {
		i := strings.IndexByte(html, '<')
		if i < 0 {
			break
		}
		out.WriteString(html[:i])
		html = html[i:]
		end := strings.IndexByte(html, '>')
		if end < 0 {
			break
		}
		tag := html[1:end]
		name := strings.ToLower(strings.TrimLeft(firstOf(tag, " \t="), "/"))
		switch {
		case strings.Contains(name, "@"): // <a@b.example> without entities
			out.WriteString(html[:end+1])
		case slices.Contains(breaks, strings.TrimRight(name, "/")):
			out.WriteByte('\n')
		default:
			out.WriteByte(' ')
		}
		html = html[end+1:]
		if (name == "style" || name == "script" || name == "head" || name == "title") && tag[0] != '/' {
			if i := strings.Index(html, "</"+name); i >= 0 {
				html = html[i:]
			}
		}
	}
	return entities.Replace(out.String() + html)
}

var (
	reduction = strings.NewReplacer(`"`, "", "<", "", ">", "", "’", "'", "‘", "'", "`", "'", "“", "", "”", "",
		"«", "", "»", "")
)

// normal returns a text as rules see it.
func normal(s string) string {
	s = without(s, "@")
	s = reduction.Replace(strings.ToLower(s))
	return strings.Join(strings.Fields(s), " ")
}

// enhanced finds an enhanced status (RFC 3463) outside IP addresses and versions.
var enhanced = regexp.MustCompile(`(?:^|[^0-9.])([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:[^0-9.]|\.?$|\.[^0-9])`)

// statusIn returns the first enhanced status of a failure in a text, or "".
func statusIn(s string) string {
	for _, m := range enhanced.FindAllStringSubmatch(s[:min(len(s), 8<<10)], 20) {
		if m[1][0] != '2' {
			return m[1]
		}
	}
	return ""
}

// quotes finds a line of a header that a text quotes.
var quotes = regexp.MustCompile(`(?i)^[\s>*-]*(to|cc|bcc|an|from|von|date|datum|` +
	`(subject|sent|sent date|betreff|gesendet|objet|asunto|assunto|oggetto|onderwerp|тема|件名))` +
	`\s?[:：]`)

// unquote takes the header that the text quotes out of it. Its subject is the sender's words, and the other recipients
// that it names got the message.
func (m *mail) unquote() {
	var kept, block strings.Builder
	var named []string
	subject := false
	end := func() {
		if subject {
			m.quoted = append(m.quoted, named...)
		} else {
			kept.WriteString(block.String())
		}
		block.Reset()
		named, subject = nil, false
	}
	for line := range strings.Lines(m.text) {
		found := quotes.FindStringSubmatch(line)
		if found == nil {
			end()
			kept.WriteString(line)
			continue
		}
		block.WriteString(line)
		subject = subject || found[2] != ""
		if f := strings.ToLower(found[1]); (f == "to" || f == "an") && len(named) < mostRecipients {
			named = append(named, addressesIn(line)...)
		}
	}
	end()
	m.text = kept.String()
}

// segment is what a text says about an address.
type segment struct{ address, text string }

// cut returns a text up to the returned message, and that message.
func cut(s string) (told, original string) {
	const most = 200
	at, empty := 0, true
	for line := range strings.Lines(s) {
		if l := strings.ToLower(strings.TrimSpace(line[:min(len(line), most)])); l != "" {
			marks := len(l) - len(strings.TrimLeft(l, "-=*_#> "))
			if !empty && (marks >= 2 && hasAny(l, house().Words.Announced) || begins(l, house().Words.Begun)) {
				return s[:at], s[at:]
			}
			empty = false
		}
		at += len(line)
	}
	return s, ""
}

func begins(s string, all []string) bool {
	return slices.ContainsFunc(all, func(x string) bool { return strings.HasPrefix(s, x) })
}

// leads matches what stands before an address on a line of its own.
var leads = regexp.MustCompile(`^[\s>*•·\-+|\[("'<]*(?:(?:[\pL][\pL \-./()#0-9]{0,40}[:：=]|` +
	`smtp:|rfc822;|#)\s*[\["'<]*(?:smtp:|mailto:)?)?[<\["'\s]*$`)

// transcript matches the lines of a dialogue.
var transcript = regexp.MustCompile(`(?i)^>>>+ (?:rcpt|mail|data)|^<<<`)

// senders matches what stands before the address of a sender.
var senders = regexp.MustCompile(`(?i)^[\s>*-]*(?:from|mail from|sender|reply-to|return-path|envelope|absender|` +
	`von|de|от|差出人)\b`)

// segments returns what the text says about each address that stands at the beginning of a line, in the order of
// the text, and without such a line about the address that it names elsewhere.
func (m *mail) segments() (all []segment) {
	at := -1
	for line := range strings.Lines(m.text) {
		if a := m.alone(line); a != "" {
			at = slices.IndexFunc(all, func(s segment) bool { return strings.EqualFold(s.address, a) })
			if at < 0 && len(all) < mostRecipients {
				all = append(all, segment{address: a})
				at = len(all) - 1
			}
		}
		if at >= 0 && len(all[at].text) < 8<<10 {
			all[at].text += line
		}
	}
	if len(all) == 0 {
		all = m.answered()
	}
	failed := addressesIn(m.header.Get("X-Failed-Recipients"))
	if len(failed) > 0 {
		kept := all[:0]
		for _, a := range failed {
			if i := slices.IndexFunc(all, func(s segment) bool { return strings.EqualFold(s.address, a) }); i >= 0 {
				kept = append(slices.Clip(kept), all[i])
			} else {
				kept = append(slices.Clip(kept), segment{address: a})
			}
		}
		all = kept
	}
	if len(all) == 0 {
		if a := m.named(); a != "" {
			all = append(all, segment{a, m.text})
		}
	}
	for i, s := range all { // a list of addresses, with the replies elsewhere
		if alone, _ := m.lone(s.text); alone {
			all[i].text = m.mentions(s.address)
		}
	}
	return all
}

// answers finds a reply that begins with the address that it is for.
var answers = regexp.MustCompile(`^[\s>]*[45][0-9][0-9][ -](?:[45]\.[0-9.]+ )?<?`)

// answered returns what the replies of a transcript say about the addresses that they begin with.
func (m *mail) answered() (all []segment) {
	const most = 2000
	begin, end := 0, 0 // of what is said before the reply, and of the reply
	for line := range strings.Lines(m.text) {
		end += len(line)
		head := ""
		if strings.Contains(line, "@") {
			head = answers.FindString(line)
		}
		from, to := find(line, len(head))
		if head == "" || from != len(head) || len(all) == mostRecipients {
			if strings.Contains(asciiLower(line), "while talking to") {
				begin = end
			}
			continue
		}
		a := bare(line[from:to])
		if !m.ours(a) && !slices.ContainsFunc(all, func(s segment) bool { return strings.EqualFold(s.address, a) }) {
			all = append(all, segment{a, m.text[max(begin, end-most):end]})
		}
		begin = end
	}
	return all
}

// lone reports whether a segment says nothing beside its address.
func (m *mail) lone(s string) (bool, string) {
	rest := strings.TrimSpace(without(s, ""))
	return len(strings.Fields(rest)) < 3, rest
}

// alone returns the address with which a line begins, if it is about it, or "".
func (m *mail) alone(line string) string {
	begin, end := find(line, 0)
	if begin < 0 || begin > 80 || !leads.MatchString(line[:begin]) || transcript.MatchString(line) ||
		senders.MatchString(line[:begin]) {
		return ""
	}
	a := bare(line[begin:end])
	rest := strings.TrimLeft(line[end:], ">\"')] \t")
	if m.ours(a) || len(rest) > 0 && !strings.ContainsRune(":;,(-.<[\n", rune(rest[0])) &&
		len(strings.Fields(rest)) > 3 {
		return ""
	}
	return a
}

// ours reports whether an address is of the sender or of the mail system that writes.
func (m *mail) ours(a string) bool {
	local, _, _ := strings.Cut(strings.ToLower(a), "@")
	if slices.Contains([]string{"postmaster", "mailer-daemon", "abuse", "support", "helpdesk", "noreply",
		"no-reply"}, local) {
		return true
	}
	return strings.EqualFold(a, m.from)
}

// named returns the address that a message without lines of addresses is about.
func (m *mail) named() string {
	for _, a := range addressesIn(m.text) {
		if !m.ours(a) && !slices.ContainsFunc(m.to, func(t string) bool { return strings.EqualFold(a, t) }) {
			return a
		}
	}
	if all := append(m.quoted, m.original.recipients()...); len(all) > 0 {
		return all[0]
	}
	_, rest := cut(m.raw)
	for line := range strings.Lines(rest) {
		if len(line) > 3 && strings.EqualFold(line[:3], "to:") {
			if a := firstAddress(line); a != "" {
				return a
			}
		}
	}
	for _, a := range addressesIn(m.text) {
		if !m.ours(a) {
			return a
		}
	}
	return ""
}

// mentions returns the lines that name an address, each with the two behind it, and all of the text if that says
// nothing.
func (m *mail) mentions(a string) string {
	var out strings.Builder
	left := 0
	for line := range strings.Lines(m.text) {
		if strings.Contains(line, a) {
			left = 3
		} else if strings.Contains(line, "@") {
			left = 0
		}
		if left--; left >= 0 && out.Len() < 8<<10 {
			out.WriteString(line)
		}
	}
	if alone, _ := m.lone(out.String()); alone {
		return m.text
	}
	return out.String()
}

// textIfAlone returns the whole text if one address alone is concerned and the text of its segment is another one.
func (m *mail) textIfAlone(s segment) string {
	if s.text == m.text {
		return ""
	}
	return m.text
}

// about returns the text of the segment of an address.
func about(all []segment, addresses ...string) string {
	for _, s := range all {
		for _, a := range addresses {
			if a != "" && strings.EqualFold(s.address, a) {
				return s.text
			}
		}
	}
	return ""
}

// reply returns the words of another server that a text quotes, or "".
func reply(s string) string {
	lower, at := asciiLower(s), 0
	for _, words := range house().Words.Replies {
		if i := strings.LastIndex(lower, words); i >= 0 {
			at = max(at, i+len(words))
		}
	}
	if at == 0 {
		return ""
	}
	return s[at:]
}

// asciiLower returns a text with the letters A to Z in lower case, of the same length.
func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// short returns a text in one line of at most mostVerdict bytes.
func short(s string) string {
	s = strings.Join(strings.Fields(s[:min(len(s), 4*mostVerdict)]), " ")
	return strings.ToValidUTF8(s[:min(len(s), mostVerdict)], "")
}

func firstOf(s, ends string) string {
	if i := strings.IndexAny(s, ends); i >= 0 {
		return s[:i]
	}
	return s
}

func firstWord(s string) string {
	if f := strings.Fields(s); len(f) > 0 {
		return strings.Trim(f[0], "();,")
	}
	return ""
}
