package message

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"flyball/internal/mail"
)

// keys are private keys in PEM, and the records of their public keys.
type keys struct{ private, record string }

func inPEM(t testing.TB, kind string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func ed25519Keys(t testing.TB) keys {
	t.Helper()
	k := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	der, err := x509.MarshalPKCS8PrivateKey(k)
	return keys{inPEM(t, "PRIVATE KEY", der, err), "v=DKIM1; k=ed25519; p=" +
		base64.StdEncoding.EncodeToString(k.Public().(ed25519.PublicKey))}
}

func rsaKeys(t testing.TB, bits int) (pkcs1, pkcs8 keys) {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(crypto.Signer(k).Public())
	if err != nil {
		t.Fatal(err)
	}
	record := "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(public)
	der, err := x509.MarshalPKCS8PrivateKey(k)
	return keys{inPEM(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k), nil), record},
		keys{inPEM(t, "PRIVATE KEY", der, err), record}
}

// verified returns the only signature of a message, which go-msgauth has found good.
func verified(t testing.TB, message []byte, record string) *dkim.Verification {
	t.Helper()
	all, err := dkim.VerifyWithOptions(bytes.NewReader(message), &dkim.VerifyOptions{
		LookupTXT: func(name string) ([]string, error) {
			if name != "s1._domainkey.x.test" {
				t.Errorf("key asked for at %s", name)
			}
			return []string{record}, nil
		}})
	if err != nil || len(all) != 1 || all[0].Err != nil {
		t.Fatalf("%v %+v in\n%s", err, all, message)
	}
	return all[0]
}

// signed are letters whose signatures are easily wrong.
var signed = []string{
	headers + "\nHello\n",
	headers + "\n",
	headers + "\n\n\n",
	headers + "\n  two  spaces\tand tabs \t \n\n\nx \n\n \n",
	"From: \"" + strings.Repeat("ü", 40) + "\" <a@x.test>\nSubject:  {{v}}   " + strings.Repeat("ö", 80) +
		"\nX-Odd:a :  b\n\nümlaut\n",
	headers + "List-Unsubscribe: https://x.test/?{{email}}\nHTML: h.html\nAttach: a.pdf\n\nHello {{v}}\n",
}

// Another program finds every signature good, and the signed headers are all there are.
func TestSignatures(t *testing.T) {
	pkcs1, pkcs8 := rsaKeys(t, 1024)
	run := NewRun(mail.Key{1}, time.Unix(1_700_000_000, 0))
	for _, k := range []keys{pkcs1, pkcs8, ed25519Keys(t)} {
		s, err := NewSigner("s1", []byte(k.private))
		if err != nil {
			t.Fatal(err)
		}
		for _, src := range signed {
			tmpl := parsed(t, src, folder("h.html", "<p>{{v}}</p>\n", "a.pdf", "\x00\xff"))
			r, err := tmpl.Bind([]string{"v"})
			if err != nil {
				t.Fatal(err)
			}
			m := Meta{To: meta.To, Recipient: 3, Run: run}
			plain, err := r.Render([]byte("before"), []string{"a  b =?"}, m)
			if err != nil {
				t.Fatal(err)
			}
			out := s.Sign(slices.Clone(plain), len("before"), r, run)
			if again := s.Sign(slices.Clone(plain), len("before"), r, run); !bytes.Equal(out, again) {
				t.Error("a message that is signed again differs")
			}
			of := s.SignFor(slices.Clone(plain), len("before"), "x.test", time.Unix(1_700_000_000, 0))
			if !bytes.Equal(out, of) {
				t.Error("a message is signed otherwise for its author's domain")
			}
			if !bytes.HasPrefix(out, []byte("beforeDKIM-Signature: ")) || !bytes.HasSuffix(out, plain[len("before"):]) {
				t.Fatalf("the signature is not in front of the message:\n%s", out)
			}
			message := out[len("before"):]
			checkWire(t, message)
			v := verified(t, message, k.record)
			if v.Domain != "x.test" || v.Time.Unix() != 1_700_000_000 {
				t.Errorf("signed for %s at %s", v.Domain, v.Time)
			}
			head, _, _ := strings.Cut(string(plain[len("before"):]), "\r\n\r\n")
			for line := range strings.SplitSeq(head, "\r\n") {
				name, _, header := strings.Cut(line, ":")
				if header && line[0] != ' ' && !slices.ContainsFunc(v.HeaderKeys, func(k string) bool {
					return strings.EqualFold(k, name)
				}) {
					t.Errorf("header %s is not signed", name)
				}
			}
			// Nothing can be added to what is shown to the reader.
			for _, more := range []string{"From: eve@x.test\r\n", "Subject: x\r\n", "Reply-To: eve@x.test\r\n"} {
				all, err := dkim.VerifyWithOptions(strings.NewReader(more+string(message)), &dkim.VerifyOptions{
					LookupTXT: func(string) ([]string, error) { return []string{k.record}, nil }})
				if err == nil && len(all) == 1 && all[0].Err == nil {
					t.Errorf("%q may be added", more)
				}
			}
		}
	}
}

func TestKeysAreRefused(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(ec)
	good := ed25519Keys(t).private
	for _, v := range []struct{ selector, key, want string }{
		{"", good, `got selector "", want a name of letters, digits and hyphens`},
		{"a;b", good, `got selector "a;b", want a name of letters, digits and hyphens`},
		{"s", "", "got no PEM, want a private key in PEM (RSA or Ed25519)"},
		{"s", inPEM(t, "PRIVATE KEY", der, err), "got a key of type *ecdsa.PrivateKey, want RSA or Ed25519"},
		{"s", inPEM(t, "PRIVATE KEY", []byte("x"), nil),
			"got a private key: *want an RSA or Ed25519 key, PKCS #8 or PKCS #1"},
		{"s", inPEM(t, "RSA PRIVATE KEY", []byte("x"), nil), "got a rsa private key: *"},
	} {
		if _, err := NewSigner(v.selector, []byte(v.key)); !like(fmt.Sprint(err), v.want) {
			t.Errorf("%q: %v, want %s", v.selector, err, v.want)
		}
	}
	if _, err := NewSigner("s1.a-b", []byte(good)); err != nil {
		t.Error(err)
	}
}

// The headers of a list are there where the letter has an address to leave it at (RFC 2369, RFC 2919, RFC 8058).
func TestListHeaders(t *testing.T) {
	for _, v := range []struct{ src, value, leave, id string }{
		{"From: news@x.test\nSubject: s\nList-Unsubscribe: https://x.test/leave?who={{email}}&n={{v}}\n\n", "a b&c<>",
			"https://x.test/leave?who=bob%40x.test&n=a%20b%26c%3C%3E", "news.x.test"},
		{"From: news@x.test\nSubject: s\nList-Unsubscribe: <https://x.test/{{v|none}}>\n\n", "",
			"https://x.test/none", "news.x.test"},
		{"From: \"a b\"@x.test\nSubject: s\nList-Unsubscribe: https://x.test/{{#if " +
			"v}}{{v}}{{#else}}{{email}}{{#end}}\n\n",
			"", "https://x.test/bob%40x.test", "x.test"},
		{"From: a@x.test\nList-Id: Ours <ours.x.test>\nSubject: s\nList-Unsubscribe: https://x.test/{{v}}\n\n",
			"../?#é",
			"https://x.test/..%2F%3F%23%C3%A9", "ours.x.test"},
	} {
		out := rendered(t, parsed(t, v.src, nil), "", []string{"v"}, v.value)
		m, _ := read(t, out)
		id, _, _ := strings.Cut(strings.TrimPrefix(m.Header.Get("Message-ID"), "<"), "@")
		if got, want := m.Header.Get("List-Unsubscribe"),
			"<"+v.leave+">, <mailto:unsubscribe@x.test?subject="+id+">"; got !=
			want {
			t.Errorf("List-Unsubscribe: %s, want %s", got, want)
		}
		if got := m.Header.Get("List-Unsubscribe-Post"); got != "List-Unsubscribe=One-Click" {
			t.Errorf("List-Unsubscribe-Post: %s", got)
		}
		if got := m.Header["List-Id"]; len(got) != 1 || !strings.HasSuffix(got[0], "<"+v.id+">") {
			t.Errorf("List-Id: %s, want %s", got, v.id)
		}
	}
	for _, v := range []struct{ value, want string }{
		{"http://x.test/{{v}}", `got "http://x.test/{{v}}", want an address such as *`},
		{"mailto:a@x.test", "*want an address such as https://sender.example/leave?who={{email}} (RFC 8058)*"},
		{"{{v}}", "*want an address such as *"},
		{"https://{{v}}/x", "*want an address such as *"},
		{"https://x.test{{v}}", "*want an address such as *"},
		{"https:///{{v}}", "*want an address such as *"},
		{"https://x.test/u#", "want an address that the recipient's ticket can follow, such as *"},
		{"https://x.test/{{v}} x", `has " ", want an address, in which it is percent-encoded`},
		{"https://x.test/{{v|a>b}}", `has ">", want an address, in which it is percent-encoded`},
		{"https://x.test/ü{{v}}", `has "ü", want an address, in which it is percent-encoded`},
	} {
		_, err := Parse("t", []byte(headers+"List-Unsubscribe: "+v.value+"\n\n"), nil)
		if !like(fmt.Sprint(err), "t:3:19: header List-Unsubscribe*"+v.want) {
			t.Errorf("%s: %v, want %s", v.value, err, v.want)
		}
	}
	r, err := parsed(t, headers+"List-Unsubscribe: https://x.test/{{v}}\n\n", nil).Bind([]string{"v"})
	if err != nil {
		t.Fatal(err)
	}
	const begin = "List-Unsubscribe: <https://x.test/>,"
	for n, ok := range map[int]bool{998 - len(begin): true, 999 - len(begin): false} {
		out, err := r.Render(nil, []string{strings.Repeat("l", n)}, meta)
		if (err == nil) != ok {
			t.Errorf("%d bytes: %v", n, err)
		}
		if err == nil {
			checkWire(t, out)
		}
	}
}

// An address of the web without a field ends with the recipient's ticket, which names mailing, recipient and day; an
// address of mail has it too, in at most 64 bytes before the at sign (RFC 5321 4.5.3.1.1).
func TestTicketsToLeave(t *testing.T) {
	for written, leave := range map[string]string{"https://x.test/": "https://x.test/",
		"https://x.test/a/u": "https://x.test/a/u/", "https://x.test/u?t=": "https://x.test/u?t="} {
		key := mail.Key{9}
		run := NewRun(key, time.Date(1970, 1, 8, 23, 59, 0, 0, time.UTC))
		r := must(t, "From: news@x.test\nSubject: s\nList-Unsubscribe: "+written+"\n\n")
		out, err := r.Render(nil, nil, Meta{To: meta.To, Recipient: 70000, Run: run})
		if err != nil {
			t.Fatal(err)
		}
		checkWire(t, out)
		m, _ := read(t, out)
		web, post, ok := strings.Cut(m.Header.Get("List-Unsubscribe"), ">, <")
		web, mailed := strings.TrimPrefix(web, "<"+leave), strings.TrimSuffix(post, "@x.test?subject=unsubscribe>")
		if mailed = strings.TrimPrefix(mailed, "mailto:unsubscribe+"); !ok || web != mailed ||
			len("unsubscribe+"+web) > 64 {
			t.Errorf("%s: got %s", written, m.Header.Get("List-Unsubscribe"))
		}
		if got := m.Header.Get("List-Unsubscribe-Post"); got != "List-Unsubscribe=One-Click" {
			t.Errorf("List-Unsubscribe-Post: %s", got)
		}
		for _, id := range []string{m.Header.Get("Message-ID"), strings.Trim(m.Header.Get("Message-ID"), "<>")} {
			who, ok := Recipient(key, id)
			_, forged := Recipient(mail.Key{8}, id)
			_, other := Recipient(key, strings.Replace(id, "70000", "70001", 1))
			if !ok || who != 70000 || forged || other {
				t.Errorf("%s: got %d, %v, with another key %v, of another recipient %v", id, who, ok, forged, other)
			}
		}
		got, ok := mail.ParseTicket(web, func(job uint32) (mail.Key, bool) { return key, job == key.Mark() })
		if want := (mail.Ticket{Purpose: mail.ToLeave, Job: key.Mark(), Rcpt: 70000, Number: 7}); !ok || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", web, got, ok, want)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	_, rsa2048 := rsaKeys(b, 2048)
	for _, v := range []struct {
		name string
		keys keys
	}{{"rsa", rsa2048}, {"ed25519", ed25519Keys(b)}} {
		b.Run(v.name, func(b *testing.B) {
			s, err := NewSigner("s1", []byte(v.keys.private))
			if err != nil {
				b.Fatal(err)
			}
			r := must(b, hello, "name", "shop", "city")
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				buf, _ = r.Render(buf[:0], []string{"Bob", "", "Rome"}, meta)
				buf = s.Sign(buf, 0, r, meta.Run)
			}
		})
	}
}
