package message

import (
	"encoding/base64"
	"mime"
	"path"
	"strings"
)

// maxAttached is the size of all attachments of a letter, in bytes. In base64 they fit into a message of 10,240,000
// bytes, the default limit of Postfix, and each MTA process holds its message in memory.
const maxAttached = 7 << 20

// attach reads an attachment of the letter, and encodes it once for all recipients.
func (p *parser) attach(at, col int, name string) {
	left := int64(maxAttached)
	for _, a := range p.t.attached {
		left -= int64(len(a)) / 4 * 3
	}
	data, ok := p.open(at, col, name, max(left, 0))
	if !ok {
		return
	}
	shown := map[string]string{"filename": path.Base(name)}
	head := "Content-Type: " + typeOf(name) + "\r\nContent-Transfer-Encoding: base64\r\n" +
		"Content-Disposition: attachment;\r\n " + strings.TrimPrefix(mime.FormatMediaType("attachment", shown),
		"attachment; ") +
		"\r\n\r\n"
	p.t.attached = append(p.t.attached, head+base64Lines(data))
}

// base64Lines returns data in base64, in lines of 76 characters (RFC 2045 6.8).
func base64Lines(data []byte) string {
	const whole = 76 / 4 * 3
	var out strings.Builder
	for ; len(data) > 0; data = data[min(whole, len(data)):] {
		out.WriteString(base64.StdEncoding.EncodeToString(data[:min(whole, len(data))]))
		out.WriteString("\r\n")
	}
	return out.String()
}

// types are the media types of attachments by extension. What the system has registered is not asked: a letter is the
// same on every computer.
var types = map[string]string{
	".pdf": "application/pdf", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif",
	".ics": "text/calendar; charset=utf-8", ".txt": "text/plain; charset=utf-8", ".csv": "text/csv; charset=utf-8",
	".zip": "application/zip",
}

func typeOf(name string) string {
	if t, ok := types[strings.ToLower(path.Ext(name))]; ok {
		return t
	}
	return "application/octet-stream"
}
