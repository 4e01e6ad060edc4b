package returned

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// said returns returned mail of a server that writes for people alone.
func said(from, subject, text string) string {
	return "Return-Path: <>\nFrom: " + from + "\nTo: news@sender.example\nSubject: " + subject + "\n\n" + text
}

// report returns a delivery status notification (RFC 3464) of one recipient.
func report(text, fields string) string {
	return "From: MAILER-DAEMON@mx.example\nTo: news@sender.example\nSubject: Undelivered\n" +
		"MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\n\n" +
		"--b\nContent-Type: text/plain\n\n" + text + "\n--b\nContent-Type: message/delivery-status\n\n" +
		"Reporting-MTA: dns; mx.example\n\n" + fields + "\n--b\nContent-Type: text/rfc822-headers\n\n" +
		"From: news@sender.example\nTo: ann@list.example\nSubject: user unknown, mailbox full\n\n--b--\n"
}

func failed(status, diagnostic string) string {
	return report("It failed.", "Final-Recipient: rfc822; ann@there.example\nAction: failed\nStatus: "+status+
		"\nDiagnostic-Code: smtp; "+diagnostic+"\n")
}

const daemon = "Mail Delivery System <MAILER-DAEMON@mx.example>"

// The effect and the reason of messages in the formats of several systems and languages.
func TestRead(t *testing.T) {
	for _, c := range []struct {
		name, message, want string // effect, reason, address
	}{
		{"status of the address", failed("5.1.1", "550 5.1.1 <ann@there.example>: Recipient address rejected: "+
			"User unknown in local recipient table (in reply to RCPT TO command)"),
			"dead unknown-user ann@there.example"},
		{"status alone", failed("5.1.1", "550 nothing that a rule knows"), "dead unknown-user ann@there.example"},
		{"the reply's status counts more than the report's", failed("5.1.1", "552 5.2.2 Over quota"),
			"later mailbox-full ann@there.example"},
		{"5.0.0 kills nobody", failed("5.0.0", "554 transaction failed"), "later refused ann@there.example"},
		{"5.7.1 is about the sender", failed("5.7.1", "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked "+
			"using zen.spamhaus.org"), "us reputation ann@there.example"},
		{"5.7.26", failed("5.7.26", "550-5.7.26 Unauthenticated email from sender.example is not accepted due to "+
			"domain's DMARC policy"), "us authentication ann@there.example"},
		{"a temporary unknown user", failed("4.1.1", "450 4.1.1 <ann@there.example>: Recipient address rejected: "+
			"unverified address: user unknown"), "later refused ann@there.example"},
		{"user unknown after the message", failed("5.0.0", "550 : User unknown (in reply to end of DATA command)"),
			"later refused ann@there.example"},
		{"user unknown after the message, without a reply", failed("5.0.0",
			"user unknown (in reply to end of DATA command)"),
			"later refused ann@there.example"},
		{"user unknown in words alone", said(daemon, "failure", "<ann@there.example>:\nUser unknown\n"),
			"later refused ann@there.example"},
		{"user unknown in words alone, beside an envelope", said(daemon, "failure", "No such user here.\n\n"+
			"MAIL FROM: news@sender.example\nRCPT TO: ann@there.example\nSize: 7\n"),
			"later refused ann@there.example"},
		{"user unknown behind an address without brackets", failed("5.0.0", "550 ann@there.example...User unknown "+
			"(in reply to RCPT TO command)"), "dead unknown-user ann@there.example"},
		{"a system that looked the address up", said(daemon, "failure", "<ann@there.example>:\nThe address is not "+
			"found in the company's directory\n"), "dead unknown-user ann@there.example"},
		{"a system that quotes another one", report("Address not found", "Final-Recipient: rfc822; "+
			"ann@there.example\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 : User unknown\n"),
			"later refused ann@there.example"},
		{"mailbox unavailable at RCPT", failed("5.0.0", "550 Requested action not taken: mailbox unavailable (in "+
			"reply to RCPT TO command)"), "dead unknown-user ann@there.example"},
		{"mailbox unavailable after the message", failed("5.0.0", "550 Requested action not taken: mailbox "+
			"unavailable (in reply to end of DATA command)"), "later refused ann@there.example"},
		{"a mailbox that is unavailable by policy", failed("5.7.1", "550 5.7.1 mailbox unavailable (in reply to RCPT "+
			"TO command)"), "us policy ann@there.example"},
		{"a status of the address beside a block", failed("5.1.1", "550 5.1.1 blocked - see https://there.example"),
			"later refused ann@there.example"},
		{"a status of the address beside a suspension", failed("5.1.1", "550 5.1.1 this account is suspended"),
			"later disabled ann@there.example"},
		{"a status of the sender's address", failed("5.1.8", "550 5.1.8 news@sender.example: unknown address "+
			"(in reply to RCPT TO command)"), "us sender-refused ann@there.example"},
		{"a status that says no more than address", failed("5.1.0", "550 5.1.0 no"), "later refused ann@there.example"},
		{"words around a reply", failed("5.1.0", "5.1.0 - Unknown address error 550-'Try again tomorrow' (delivery "+
			"attempts: 0)"), "later system ann@there.example"},
		{"words around a reply of a dead address", failed("5.1.0", "5.1.0 - Unknown address error 550-'User unknown' "+
			"(delivery attempts: 0)"), "dead unknown-user ann@there.example"},
		{"a word in another one", failed("5.0.0", "550 we failed because the following address refuses"),
			"later refused ann@there.example"},
		{"spam as a word of its own", failed("5.0.0", "550 go away, spam! (in reply to end of DATA command)"),
			"us content ann@there.example"},
		{"the subject of what is returned", said(daemon, "Undeliverable", "Your message\n\n  Subject: Your spam and "+
			"virus\n  Sent: Monday\n\ndid not reach:\n\nann@there.example\n  The recipient name is not recognized\n"),
			"dead unknown-user ann@there.example"},
		{"a text in base64 without its boundary", "From: postmaster@there.example\nSubject: erro\nContent-Type: " +
			"multipart/mixed; boundary=wrong\n\n--b\nContent-Type: text/plain; " +
			"charset=utf-8\nContent-Transfer-Encoding: " +
			"base64\n\nYW5uQHRoZXJlLmV4YW1wbGUgKFJDUFQgVE8pOiB1c3XDoXJpbyBuw6NvIGVuY29udHJhZG8K\n--b--\n",
			"dead unknown-user ann@there.example"},
		{"user unknown at RCPT", failed("5.0.0", "550 : User unknown (in reply to RCPT TO command)"),
			"dead unknown-user ann@there.example"},
		{"no exchanger", failed("5.4.4", "Host or domain name not found. Name service error for name=there.example "+
			"type=AAAA: Host not found"), "dead unknown-host ann@there.example"},
		{"a name server that fails", failed("4.4.3", "Host or domain name not found. Name service error for "+
			"name=there.example type=MX: Host not found, try again"), "later network ann@there.example"},
		{"a name server that fails, in a permanent report", failed("5.4.4", "Host not found, try again"),
			"later network ann@there.example"},
		{"null MX", failed("5.1.10", "556 5.1.10 Recipient address has null MX"),
			"dead accepts-no-mail ann@there.example"},
		{"moved", failed("5.1.6", "551 5.1.6 User has moved to ann@new.example"), "dead moved ann@there.example"},
		{"delayed", report("It waits.", "Final-Recipient: rfc822; ann@there.example\nAction: delayed\nStatus: 4.4.1\n"+
			"Diagnostic-Code: smtp; connection timed out\n"), "later delayed ann@there.example"},
		{"delivered", report("It went well.", "Final-Recipient: rfc822; ann@there.example\nAction: relayed\n"+
			"Status: 2.1.5\n"), "quarantine delivered ann@there.example"},
		{"PowerMTA", report("", "Final-Recipient: rfc822; ann@there.example\nAction: failed\nStatus: 5.2.1\n"+
			"X-PowerMTA-BounceCategory: bad-mailbox\nDiagnostic-Code: smtp;550 no\n"),
			"dead unknown-user ann@there.example"},
		{"a report in a part of the wrong type", strings.ReplaceAll(failed("5.1.1", "550 5.1.1 user unknown"),
			"message/delivery-status", "text/plain"), "dead unknown-user ann@there.example"},
		{"a report without its boundary", strings.Replace(failed("5.1.1", "550 5.1.1 user unknown"), `"b"`,
			`"wrong"`, 1),
			"dead unknown-user ann@there.example"},
		{"carriage returns alone", strings.ReplaceAll(failed("5.1.1", "550 5.1.1 user unknown"), "\n", "\r"),
			"dead unknown-user ann@there.example"},
		{"a report that a person forwarded", "From: helpdesk@sender.example\nSubject: " +
			"Fwd\n\n> Final-Recipient: rfc822; " +
			"ann@there.example\n> Action: failed\n> Status: 5.1.1\n", "dead unknown-user ann@there.example"},
		{"Exim", "X-Failed-Recipients: ann@there.example\nAuto-Submitted: auto-replied\n" + said(daemon,
			"Mail delivery failed: returning message to sender", "A message that you sent could not be delivered. The "+
				"following address(es) failed:\n\n  ann@there.example\n "+
				"   SMTP error from remote mail server after RCPT TO:"+
				"<ann@there.example>:\n    host mx.there.example [192.0.2.1]: 550 "+
				"No such user here\n\n------ This is a copy "+
				"of the message, including all the headers. ------\n\nTo: ann@there.example\n\nquota exceeded\n"),
			"dead unknown-user ann@there.example"},
		{"qmail", said("MAILER-DAEMON@there.example", "failure notice", "Hi. This is the qmail-send program at "+
			"there.example.\nI'm afraid I wasn't able to deliver your message to the following addresses.\n\n"+
			"<ann@there.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n--- "+
			"Below this line is a copy of the "+
			"message.\n\nTo: someone@else.example\n"), "dead unknown-user ann@there.example"},
		{"German", said(`"Postmaster" <postmaster@there.example>`, "Unzustellbar: Neues", "Die Nachricht hat folgende "+
			"Empfänger nicht erreicht:\n\nann@there.example\n    RCPT TO: Der Empfänger existiert nicht.\n"),
			"dead unknown-user ann@there.example"},
		{"French in Latin 1", strings.ReplaceAll("From: postmaster@there.example\nSubject: echec\n"+
			"Content-Type: text/plain; charset=iso-8859-1\n\n<ann@there.example>:\nLa boîte est pleine, capacité "+
			"saturée\n", "é", "\xe9"), "later mailbox-full ann@there.example"},
		{"Spanish in quoted-printable", "From: postmaster@there.example\nSubject: no se pudo entregar\nContent-Type: " +
			"text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nann@there.example: la " +
			"direcci=C3=B3n " +
			"no existe (RCPT TO)\n", "dead unknown-user ann@there.example"},
		{"Portuguese in base64", "From: postmaster@there.example\nSubject: " +
			"erro\nContent-Type: text/plain; charset=utf-8\n" +
			"Content-Transfer-Encoding: base64\n\n" +
			"YW5uQHRoZXJlLmV4YW1wbGUgKFJDUFQgVE8pOiB1c3XDoXJpbyBuw6NvIGVuY29udHJhZG8K\n",
			"dead unknown-user ann@there.example"},
		{"Russian in KOI8-R that says nothing of it", "From: postmaster@there.example\nSubject: mail failure\n\n" +
			"<ann@there.example>:\n\xd0\xcf\xcc\xd8\xda\xcf\xd7\xc1\xd4\xc5\xcc\xd8 " +
			"\xce\xc5 \xd3\xd5\xdd\xc5\xd3\xd4\xd7\xd5\xc5\xd4 (RCPT TO)\n",
			"dead unknown-user ann@there.example"},
		{"Japanese in ISO-2022-JP", "From: postmaster@there.example\nSubject: " +
			"DELIVERY FAILURE\nContent-Type: text/plain; " +
			"charset=us-ascii\n\n<ann@there.example>\n\x1b$B%f!<%6!<$,8+$D$+$j$^$;$s\x1b(B (RCPT TO)\n",
			"dead unknown-user ann@there.example"},
		{"Chinese in GB 18030", "From: postmaster@there.example\nSubject: " +
			"=?gb18030?B?zcvQxQ==?=\nContent-Type: text/plain; " +
			"charset=gb18030\n\nann@there.example\n\xd3\xc3\xbb\xa7\xb2\xbb\xb4\xe6\xd4\xda (RCPT TO)\n",
			"dead unknown-user ann@there.example"},
		{"HTML alone", "From: postmaster@there.example\nSubject: " +
			"Undeliverable\nContent-Type: text/html\n\n<html><style>" +
			"user unknown</style><p>Your message to <b>ann@there.example</b></p><p>The mailbox is full.</p></html>",
			"later mailbox-full ann@there.example"},
		{"complaint", "From: fbl@isp.example\nSubject: complaint\nMIME-Version: 1.0\nContent-Type: multipart/report; " +
			"report-type=feedback-report; boundary=b\n\n--b\nContent-Type: text/plain\n\nA " +
			"report.\n--b\nContent-Type: " +
			"message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: x/1\nVersion: 1\nOriginal-Rcpt-To: " +
			"<ann@there.example>\n--b\nContent-Type: message/rfc822\n\nTo: ann@there.example\n\nHello\n--b--\n",
			"complaint complaint ann@there.example"},
		{"Amazon's notification", "From: no-reply@sns.amazonaws.com\nSubject: AWS Notification Message\n\n" +
			`{"notificationType":"Bounce","bounce":{"bounceType":"Permanent","bouncedRecipients":[{"emailAddress":` +
			`"ann@there.example","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 user unknown"}]}}` +
			"\n\n--\nhelp\n",
			"dead unknown-user ann@there.example"},
		{"absence", "Auto-Submitted: auto-replied\nReturn-Path: <>\nFrom: Ann <ann@there.example>\nSubject: " +
			"Re: Neues\n\n" +
			"I am away. The user unknown to you answers.\n", "quarantine automatic-reply ann@there.example"},
		{"a letter", "From: Ann <ann@there.example>\nSubject: Question\n\nIs the mailbox full? User unknown?\n",
			"quarantine unclear "},
		{"nothing", "", "quarantine unclear "},
	} {
		got := Read([]byte(c.message))
		if s := fmt.Sprintf("%s %s %s", got.Effect, got.Reason, got.Address); s != c.want {
			t.Errorf("%s: got %q by %q from %q, want %q", c.name, s, got.Rule, got.Text, c.want)
		}
		if problem := sound(got); problem != "" {
			t.Errorf("%s: %s", c.name, problem)
		}
	}
}

// A message about several addresses has a verdict for each, and the effect that outweighs the others.
func TestSeveralAddresses(t *testing.T) {
	got := Read([]byte(said(daemon, "failure notice", "<full@there.example>:\n550 5.2.2 mailbox "+
		"full\n\n<dead@there.example>:\n"+
		"550 5.1.1 no such user\n\n<spam@there.example>:\n554 5.7.1 message looks like spam\n")))
	var all []string
	for _, v := range got.All {
		all = append(all, fmt.Sprint(v.Effect, " ", v.Address))
	}
	if s := strings.Join(all, ", "); s != "later full@there.example, dead dead@there.example, us spam@there.example" ||
		got.Address != "dead@there.example" {
		t.Errorf("got %s, first %s", s, got.Address)
	}
}

// Recipients of a message that a text quotes got it: what the text says is about the address behind the header.
func TestQuotedHeader(t *testing.T) {
	got := Read([]byte(said(daemon, "Undeliverable", "Your message\n\n  To: bob@there.example\n"+
		"  Cc: eve@there.example\n  Subject: News\n\n"+
		"did not reach:\n\nann@there.example\n  The recipient name is not recognized\n")))
	if len(got.All) != 1 || got.Address != "ann@there.example" || got.Effect != Dead {
		t.Errorf("got %+v, want one dead address", got.All)
	}
}

// The return path of a mailing is found in the header of the returned mail, and in the message that it returns.
func TestPaths(t *testing.T) {
	const path = "bounce+7.1.abcdefghijklmnop@sender.example"
	for _, m := range []string{"To: <" + path + ">\n\nfailed", said(daemon, "failure",
		"x\n------ This is a copy of the message "+
			"------\n\nReturn-Path: <"+path+">\n")} {
		if got := Read([]byte(m)).Paths; len(got) != 1 || got[0] != path {
			t.Errorf("got %q, want %q", got, path)
		}
	}
}

// Any bytes end in a result, in time that does not grow with what is sent, and in depth that does not either.
func TestHostileMessages(t *testing.T) {
	deep := ""
	for i := range 5000 {
		deep += fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	bounce := said(daemon, "failure", "")
	for name, message := range map[string]string{
		"deep":           deep,
		"noise":          string(noise),
		"noise as text":  bounce + string(noise),
		"addresses":      bounce + strings.Repeat("<ann@there.example>:\n550 user\n", 100_000),
		"many addresses": bounce + strings.Repeat("a@b.c ", 200_000),
		"at signs":       bounce + strings.Repeat("@", 1<<20),
		"one word":       bounce + strings.Repeat("a", 1<<20),
		"blanks":         bounce + strings.Repeat(" \n", 1<<19),
		"header":         strings.Repeat("To: ann@there.example\n", 100_000),
		"boundaries":     "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n", 1<<18),
		"recipients": report("x", strings.Repeat("Final-Recipient: rfc822; a@b.example\nAction: failed\n\n",
			50_000)),
		"unfinished rule": bounce + strings.Repeat("user mailbox domain recipient ", 50_000),
		"markup": "From: mailer-daemon\nContent-Type: text/html\n\n" + strings.Repeat("<script <!-- <p",
			50_000),
	} {
		fastest := time.Hour
		for range 5 { // the machine may be busy
			begin := time.Now()
			if problem := sound(Read([]byte(message))); problem != "" {
				t.Errorf("%s: %s", name, problem)
			}
			if fastest = min(fastest, time.Since(begin)); fastest < time.Second {
				break
			}
		}
		if t.Log(name, fastest); fastest > time.Second {
			t.Errorf("%s: took %v", name, fastest)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(failed("5.1.1", "550 5.1.1 user unknown")))
	f.Add([]byte(said(daemon, "failure notice", "<ann@there.example>:\n550 no\n--- Below this line\n")))
	f.Add([]byte("From: x\nContent-Type: text/html; charset=koi8-r\nContent-Transfer-Encoding: base64\n\nPGI+"))
	f.Add([]byte("Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: " +
		"message/feedback-report\n\nFeedback-Type: x\n"))
	f.Add([]byte(said(daemon, "failure", "To: a@b.example\nSubject: x\n\nann@there.example...no RCPT TO:<a@b>\n")))
	f.Add([]byte("Subject: x\n\n{\"notificationType\":\"Bounce\"}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if problem := sound(Read(raw)); problem != "" {
			t.Error(problem)
		}
	})
}

// Each phrase of a rule can be found: it is spelled as texts are compared, and a phrase before it does not hide it in
// the same rule.
func TestPhrases(t *testing.T) {
	for _, r := range house().Rule {
		seen := map[string]bool{}
		for i, text := range r.Any {
			for _, piece := range r.any[i].pieces {
				if n := strings.ToLower(piece); n != piece || strings.ContainsAny(piece, "\"<>`’“”^") ||
					strings.Contains(piece, "  ") ||
					piece == "" {
					t.Errorf("rule %s: phrase %q is never found", r.Name, text)
				}
			}
			if seen[text] {
				t.Errorf("rule %s: phrase %q stands twice", r.Name, text)
			}
			seen[text] = true
		}
	}
}

// A file of rules with a mistake is refused.
func TestBadRules(t *testing.T) {
	const head = "[[reason]]\nname = \"r\"\neffect = \"dead\"\n"
	for text, want := range map[string]string{
		head + "[[rule]]\nname = \"a\"\nreason = \"r\"\n":                             "neither any nor status",
		head + "[[rule]]\nname = \"a\"\nreason = \"q\"\nany = [\"x\"]\n":              `reason "q"`,
		head + "[[rule]]\nname = \"a\"\nreason = \"r\"\nwords = [\"x\"]\n":            "unknown key",
		head + "[[rule]]\nname = \"a\"\nreason = \"r\"\nany = [\"x\"]\nproof=[\"5\"]": `rule "unproven"`,
		"[[reason]]\nname = \"r\"\neffect = \"gone\"\n":                               `effect "gone"`,
		"x": "expected",
	} {
		if _, err := readBook(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	files, _ := filepath.Glob(filepath.Join(os.Getenv("FLYBALL_BOUNCES"), "*.eml"))
	all := [][]byte{[]byte(failed("5.1.1", "550 5.1.1 user unknown"))}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, raw)
	}
	for i := 0; b.Loop(); i++ {
		Read(all[i%len(all)])
	}
}
