package returned

import (
	"bytes"
	"io"
	"mime"
	"strings"

	"github.com/emersion/go-message"
)

// mail is a message taken apart.
type mail struct {
	header   message.Header
	subject  string
	from     string
	to       []string
	text     string   // what it says to people, without the message that it returns
	reports  []fields // for each recipient
	feedback fields
	original original
	notice   []Verdict // of a notification in JSON
	report   bool      // it says that it is a delivery report
	quoted   []string  // addresses of the header that its text quotes
	parts    int
	raw      string
}

// original is what is left of the message that came back.
type original struct{ header []message.Header }

// open takes a message apart.
func open(raw []byte) *mail {
	m := &mail{raw: lines(raw[:min(len(raw), mostBytes)])}
	head, body := split(m.raw)
	m.header = head
	m.subject = words(head.Get("Subject"))
	m.from = firstAddress(head.Get("From"))
	m.to = append(addressesIn(head.Get("To")), addressesIn(head.Get("Delivered-To"))...)
	m.walk(head, body, 0)
	m.text, _ = cut(m.text)
	if len(m.reports) == 0 && m.feedback == nil {
		m.sniff()
	}
	m.notice = m.json()
	return m
}

// walk takes a part and the parts in it.
func (m *mail) walk(h message.Header, body string, depth int) {
	if m.parts++; m.parts > mostParts || depth > mostDepth {
		return
	}
	kind, params := contentType(h)
	if params["report-type"] == "delivery-status" {
		m.report = true
	}
	if strings.HasPrefix(kind, "multipart/") {
		for _, part := range parts(body, params["boundary"]) {
			ph, pb := split(part)
			m.walk(ph, pb, depth+1)
		}
		return
	}
	switch kind {
	case "message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "text/rfc822", "message/global",
		"message/global-headers", "message/partial":
		oh, ob := split(strings.TrimLeft(decoded(h, body), "\n"))
		m.original.header = append(m.original.header, oh)
		if depth == 0 || !m.report && len(m.reports) == 0 {
			if k, _ := contentType(oh); k == "multipart/report" { // a report that was forwarded
				m.walk(oh, ob, depth+1)
			}
		}
	case "message/delivery-status", "message/global-delivery-status", "text/delivery-status":
		m.report = true
		m.reports = append(m.reports, recipientsOf(groups(decoded(h, body)))...)
		m.reports = m.reports[:min(len(m.reports), mostRecipients)]
	case "message/feedback-report":
		for _, g := range groups(decoded(h, body)) {
			m.feedback = append(m.feedback, g...)
		}
	case "message/disposition-notification":
		m.feedback = nil
	case "text/html":
		m.say(plain(decoded(h, body)))
	default:
		attached := strings.HasPrefix(strings.ToLower(h.Get("Content-Disposition")), "attachment")
		if depth == 0 || strings.HasPrefix(kind, "text/") && (!attached || strings.TrimSpace(m.text) == "") {
			m.say(decoded(h, body))
		}
	}
}

// say adds a text for people.
func (m *mail) say(text string) {
	m.text += text[:min(len(text), mostText-len(m.text))] + "\n"
	m.text = m.text[:min(len(m.text), mostText)]
}

// lines returns a message with line feeds alone at the ends of lines, and without the line in which a mailbox file
// keeps its sender.
func lines(raw []byte) string {
	raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
	raw = bytes.ReplaceAll(raw, []byte("\r"), []byte("\n"))
	raw = bytes.ReplaceAll(raw, []byte{0}, nil)
	s := strings.TrimLeft(string(raw), "\n")
	if strings.HasPrefix(s, "From ") || strings.HasPrefix(s, ">From ") {
		_, s, _ = strings.Cut(s, "\n")
	}
	return s
}

// split returns the header of a part and its body. The first line that can be no field ends the header.
func split(part string) (message.Header, string) {
	var fields []string
	for part != "" {
		line, rest, _ := strings.Cut(part, "\n")
		switch {
		case strings.TrimSpace(line) == "":
			return headerOf(fields), rest
		case (line[0] == ' ' || line[0] == '\t') && len(fields) > 0:
			fields[len(fields)-1] += " " + strings.TrimSpace(line)
		case fieldName(line) != "":
			fields = append(fields, line)
		case strings.HasPrefix(line, ">From "):
		default:
			return headerOf(fields), part
		}
		part = rest
	}
	return headerOf(fields), ""
}

func headerOf(fields []string) (h message.Header) {
	const most = 500
	fields = fields[:min(len(fields), most)]
	for i := len(fields) - 1; i >= 0; i-- { // Add puts a field before the others
		name := fieldName(fields[i])
		h.Add(name, strings.TrimSpace(fields[i][len(name)+1:]))
	}
	return h
}

// fieldName returns the name of the field that a line begins, or "".
func fieldName(line string) string {
	name, _, ok := strings.Cut(line, ":")
	if !ok || name == "" || len(name) > 76 {
		return ""
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 0x7f {
			return ""
		}
	}
	return name
}

// contentType returns the media type of a part in lower case, text/plain if it has none, and its parameters.
func contentType(h message.Header) (string, map[string]string) {
	kind, params, err := h.ContentType()
	if err != nil || kind == "" {
		value := h.Get("Content-Type")
		kind, _, _ = strings.Cut(value, ";")
		if kind = strings.ToLower(strings.TrimSpace(kind)); kind == "" {
			kind = "text/plain"
		}
		params = map[string]string{}
		for _, name := range []string{"boundary", "charset", "report-type"} {
			if _, rest, ok := strings.Cut(value, name+"="); ok {
				params[name] = strings.Trim(firstOf(rest, ";"), " \"")
			}
		}
	}
	if params == nil {
		params = map[string]string{}
	}
	params["report-type"] = strings.ToLower(params["report-type"])
	return kind, params
}

// parts returns the parts of a multipart body. If the boundary of its header is not there, the first line that looks
// like one is taken.
func parts(body, boundary string) (all []string) {
	mark := "--" + boundary
	if boundary == "" || !strings.Contains(body, mark) {
		if mark = guessed("\n" + body); mark == "" {
			return []string{"\n" + body}
		}
	}
	start := -1
	for at := 0; at < len(body) && len(all) < mostParts; {
		end := strings.IndexByte(body[at:], '\n')
		if end = end + at + 1; end == at {
			end = len(body)
		}
		line := strings.TrimRight(body[at:end], " \t\n")
		if line == mark || line == mark+"--" {
			if start >= 0 {
				all = append(all, body[start:at])
			}
			if start = end; line != mark {
				return all
			}
		}
		at = end
	}
	if start >= 0 && start < len(body) {
		all = append(all, body[start:])
	}
	return all
}

// guessed returns the first line that begins with two hyphens and stands before a field of a content.
func guessed(body string) string {
	for at, n := 0, 0; n < 200; n++ {
		i := strings.Index(body[at:], "\n--")
		if i < 0 {
			return ""
		}
		at += i + 1
		line, next, _ := strings.Cut(body[at:], "\n")
		if len(next) > 8 && strings.EqualFold(next[:8], "content-") {
			return strings.TrimRight(line, " \t")
		}
	}
	return ""
}

// decoded returns the content of a part as text.
func decoded(h message.Header, body string) string {
	_, params := contentType(h)
	content := body
	if e, _ := message.New(h, strings.NewReader(body)); e != nil { // an unknown encoding or charset leaves it as it is
		if b, _ := io.ReadAll(e.Body); len(b) > 0 { // what can be read before an error
			content = string(b)
		}
	}
	return text(strings.ReplaceAll(content, "\r\n", "\n"), params["charset"])
}

// words returns the value of a field with its encoded words (RFC 2047) decoded.
func words(value string) string {
	d := mime.WordDecoder{CharsetReader: func(charset string, in io.Reader) (io.Reader, error) {
		b, err := io.ReadAll(in)
		return strings.NewReader(text(string(b), charset)), err
	}}
	if s, err := d.DecodeHeader(value); err == nil {
		return s
	}
	return value
}

// recipients returns the recipients of the returned message.
func (o original) recipients() (all []string) {
	for _, h := range o.header {
		for _, name := range []string{"X-HmXmrOriginalRecipient", "X-Original-To", "To", "Cc"} {
			if all = append(all, addressesIn(words(h.Get(name)))...); len(all) > 0 {
				return all[:min(len(all), mostRecipients)]
			}
		}
	}
	return nil
}
