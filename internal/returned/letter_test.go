package returned

import (
	"strings"
	"testing"
)

// What a program wrote is recognized by what RFC 3834 2 names: the null sender, Auto-Submitted, Precedence, a list's
// fields.
func TestReadLetter(t *testing.T) {
	const rest = "From: Ann <ann@there.example>\r\nSubject: =?utf-8?q?R=C3=A9: news?=\r\nIn-Reply-To: <a@x>\r\n" +
		"References: <c@x>\r\n <b@x> <a@x>\r\n\r\nPlease unsubscribe me.\r\n"
	for _, v := range []struct {
		sender, more string
		automatic    bool
	}{
		{"ann@there.example", "", false},
		{"ann@there.example", "Auto-Submitted: no\r\n", false},
		{"ann@there.example", "Precedence: first-class\r\n", false},
		{"", "", true},
		{"MAILER-DAEMON@there.example", "", true},
		{"owner-list@there.example", "", true},
		{"list-request@there.example", "", true},
		{"ann@there.example", "Auto-Submitted: auto-replied (vacation)\r\n", true},
		{"ann@there.example", "auto-submitted: Auto-Generated\r\n", true},
		{"ann@there.example", "Precedence: bulk\r\n", true},
		{"ann@there.example", "Precedence: LIST\r\n", true},
		{"ann@there.example", "Precedence: junk\r\n", true},
		{"ann@there.example", "List-Id: <l.there.example>\r\n", true},
		{"ann@there.example", "X-Autoreply: yes\r\n", true},
		{"ann@there.example", "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n", true},
	} {
		l := ReadLetter([]byte(v.more+rest), v.sender)
		if l.Automatic != v.automatic || l.Subject != "Ré: news" ||
			strings.Join(l.IDs, " ") != "<a@x> <a@x> <b@x> <c@x>" ||
			!v.automatic && strings.TrimSpace(l.Text) != "Please unsubscribe me." {
			t.Errorf("%q %q: got %+v, want automatic %v", v.sender, v.more, l, v.automatic)
		}
	}
}
