package fault

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"flyball/internal/vt"
)

func TestParse(t *testing.T) {
	s, err := Parse("folder/L99.fault", []byte("# a comment\n\nsource RFC 5321 3.8\n"+
		"job recipients=2 tries=3 body=\"a b\\r\\n\" tls=required\noffer STARTTLS, SIZE 10\n"+
		"at rcpt try=1 recipient=2..: wait 9m59s, drip 1s \"250 ok\", ok\n"+
		"expect OK attempts=1 sessions=0 took=1m.. blame=none\n"+
		"expect recipient=2 T attempts=2..3 blame=route kept=1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "L99" || s.Source != "RFC 5321 3.8" || s.Job.Recipients != 2 || s.Job.Body != "a b\r\n" ||
		s.Job.TLS != "required" || strings.Join(s.Offers, "|") != "STARTTLS|SIZE 10" {
		t.Errorf("got %+v", s)
	}
	r := s.Rules[0]
	if r.Stage != RCPT || r.Try != (Range{1, 1}) || r.Recipient != (Range{2, 0}) || len(r.Actions) != 3 ||
		r.Actions[0].For != 599*vt.Second || r.Actions[1].Text != "250 ok\r\n" || r.Actions[1].Pace != vt.Second {
		t.Errorf("got rule %+v", r)
	}
	if w := s.Of(1); w.Class != Delivered || w.From != vt.Minute || w.To < vt.Day || w.Sessions != 0 {
		t.Errorf("got expectation %+v of recipient 1", w)
	}
	if w := s.Of(2); w.Class != Transient || w.Attempts != (Range{2, 3}) || w.Blame != BlameRoute || w.Kept != 1 {
		t.Errorf("got expectation %+v of recipient 2", w)
	}
}

func TestParseErrors(t *testing.T) {
	const rest = "\nsource x\nexpect OK attempts=1 blame=none"
	for _, c := range []struct{ text, want string }{
		{"", "f:1:1: script: got no expect line, want at least one"},
		{"expect OK attempts=1 blame=none",
			`f:1:32: script: got no source line, want one such as "source RFC 5321 3.8"`},
		{"att banner: ok" + rest,
			`f:1:1: statement: got "att", want one of source, job, offer, at, expect (did you mean "at"?)`},
		{"at baner: ok" + rest,
			`f:1:4: at: got "baner", want one of dns, connect, banner, ehlo, helo, starttls, auth, mail, ` +
				`rcpt, data, body, dot, rset, quit, other (did you mean "banner"?)`},
		{"at banner" + rest, `f:1:10: at banner: got "", want conditions such as session=2, and a colon`},
		{"at banner sesion=2: ok" + rest, `f:1:11: at banner: got "sesion", want one of host, session, message, ` +
			`recipient, try, encrypted, after (did you mean "session"?)`},
		{"at banner session=0: ok" + rest,
			`f:1:11: at banner session: got "0", want a number or a range such as "2", ` +
				`"2.." or "2..5"`},
		{"at banner session=3..2: ok" + rest,
			`f:1:11: at banner session: got "3..2", want a number or a range such as ` +
				`"2", "2.." or "2..5"`},
		{"at banner: wait 10, ok" + rest,
			`f:1:17: wait: got "10", want a time such as "90s", "3h" or "30d", at most 30d`},
		{"at banner: reply 220" + rest,
			`f:1:21: reply: got "", want a text such as "250 ok", with \r, \n and \x00 as in Go`},
		{"at banner: reply \"220" + rest, `f:1:18: reply: got "\"220", want a text such as "250 ok", with \r, \n and ` +
			`\x00 as in Go`},
		{"at banner: send \"\"" + rest, "f:1:17: send: got 0 bytes, want 1 to 16777216"},
		{"at banner: send 1000000 \"" + strings.Repeat("x", 17) + "\"" + rest,
			"f:1:25: send: got 17000000 bytes, want 1 to 16777216"},
		{"at banner: close, ok" + rest, "f:1:17: at banner: got an action after close, want none"},
		{"at banner: ok ok" + rest, `f:1:15: at banner: got "ok", want a comma and an action, or the end of the line`},
		{"at banner: wait 10s" + rest, "f:1:20: at banner: got no answer, want one of ok, reply, send, drip, skip, " +
			"silence, close, reset"},
		{"at banner: refuse" + rest, "f:1:12: action: got refuse at banner, want it at connect"},
		{"at connect: reply \"x\"" + rest, "f:1:13: action: got reply at connect, want it at a command"},
		{"at connect session=2: refuse" + rest,
			"f:1:29: at connect: got a condition with refuse, want none but host: " +
				"there is no session"},
		{"at starttls: tls odd" + rest,
			`f:1:18: tls: got "odd", want one of sound, self-signed, expired, wrong-name, ` +
				`garbage, abrupt`},
		{"at body: slow 8" + rest, `f:1:15: slow: got "8", want bytes in a second such as "8kB"`},
		{"job tls=always" + rest, `f:1:5: job tls: got "always", want one of none, opportunistic, required, verified`},
		{"job size=65MB" + rest, `f:1:5: job size: got "65MB", want a size such as "10MB", at most 64MB`},
		{"job tries=2 3" + rest, `f:1:13: job: got "3", want the end of the line`},
		{"job tries=2\njob tries=3" + rest, "f:2:1: job: got a second one, want one: line 1 has it"},
		{"offer A,,B" + rest, `f:1:9: offer: got ",B", want keywords between commas, such as "STARTTLS, SIZE 1000"`},
		{"at dns session=1: ok" + rest, `f:1:8: at dns: got "session", want one of name, type, over, time, sent`},
		{"at dns type=TXT: ok" + rest, `f:1:8: at dns type: got "TXT", want one of MX, A, AAAA, NS`},
		{"at dns: reply \"x\"" + rest, `f:1:9: action: got reply at dns, want one of answer, nodata, nxdomain, ` +
			`servfail, refused, ok, wait, silence, close, reset, refuse`},
		{"at dns name=@: refuse" + rest, "f:1:22: at dns: got a condition with refuse, want none but host: there is " +
			"no session"},
		{"at mail: nxdomain" + rest, "f:1:10: action: got nxdomain at mail, want it at dns"},
		{"at dns: answer code=16" + rest, `f:1:16: answer code: got "16", want the number of a response code, 0 to 15`},
		{"at dns: answer \"@ MX mx1\"" + rest, `f:1:16: answer: got "\"@ MX mx1\"", want ` + wantRecord},
		{"at dns: answer old=\"abc\" new=\"d\" \"@ MX 1 mx1\"" + rest, `f:1:46: answer: got old="abc", want bytes ` +
			`that the answer has, and records that have room in it`},
		{"source" + rest, `f:1:7: source: got nothing, want a text`},
		{"source x\nexpect attempts=1", `f:2:18: expect: got "", want a class: one of OK, T, P, A`},
		{"source x\nexpect OK attempts=1",
			"f:2:21: expect: got no attempts or no blame, want both, such as attempts=2 " +
				"blame=route"},
		{"source x\nexpect OK attempts=1 blame=them",
			`f:2:22: expect blame: got "them", want one of none, recipient, ` +
				`session, route, us`},
		{"source x\nexpect OK attempts=1 blame=us took=5m..4m", `f:2:31: expect took: got "5m..4m", want a time or a ` +
			`range of times such as "10m", "5s..6s" or "1m.."`},
		{"source x\nexpect recipient=1 OK attempts=1 blame=us",
			"f:2:1: expect: got recipient in the first expectation, " +
				"want the first for all recipients"},
	} {
		if _, err := Parse("f", []byte(c.text)); err == nil || firstLine(err) != c.want {
			t.Errorf("%q:\ngot  %v\nwant %s", c.text, err, c.want)
		}
	}
}

func firstLine(err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return first
}

// All problems are reported at once, up to a number.
func TestParseReportsAll(t *testing.T) {
	_, err := Parse("f", []byte(strings.Repeat("what\n", 100)))
	if n := strings.Count(err.Error(), "\n") + 1; n != 21 {
		t.Errorf("got %d lines, want 20 problems and that there are more:\n%v", n, err)
	}
	_, err = Parse("f", make([]byte, 1<<20+1))
	if want := "f: got 1048577 bytes, want at most 1048576"; err == nil || err.Error() != want {
		t.Errorf("got %v for a file that is too large", err)
	}
}

// Whatever the file, Parse returns a script that can be played or errors that name the place.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("../../realrun/faulty/testdata/*/*.fault")
	if err != nil || len(files) == 0 {
		f.Fatalf("no scripts: %v", err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse("f", text)
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				if !strings.HasPrefix(line, "f:") || !strings.Contains(line, "want") &&
					!strings.Contains(line, "more problems") {
					t.Fatalf("the error has no place: %q", line)
				}
			}
			return
		}
		r := NewReceiver(s)
		for host := 1; host <= s.Hosts; host++ {
			s.AtConnect(host)
			one := r.Open(host)
			for kind, name := range map[string]string{"MX": Domain + ".", "A": "mx1." + Domain + "."} {
				q := new(dns.Msg)
				q.SetQuestion(name, dns.StringToType[kind])
				packed, err := q.Pack()
				if err != nil {
					t.Fatal(err)
				}
				for _, a := range r.Asked(packed, "x", "tcp") {
					if a.Verb == OK || a.Verb == Respond {
						t.Fatalf("%s %s: %+v cannot be played", kind, name, a)
					}
				}
			}
			for at := range stages {
				for _, a := range one.Next(at, "TO:<r1@x>") {
					if n := len(a.Text) * a.Times; a.Verb == OK || a.Verb == Send && (n == 0 || n > mostText) {
						t.Fatalf("at %s: %+v cannot be played", at, a)
					}
				}
			}
		}
	})
}

// The name server answers by the first rule whose conditions hold: name, type, network, how often the name was asked
// for, and how often the same question came.
func TestAsked(t *testing.T) {
	s, err := Parse("f", []byte("source x\njob hosts=2 domains=1\n"+
		"at dns name=mx* type=A time=2: answer \"@ A 127.0.0.9\"\n"+
		"at dns name=mx2 sent=1: silence\nat dns name=mx3 over=udp: answer cut=yes\n"+
		"expect OK attempts=1 blame=none\n"))
	if err != nil {
		t.Fatal(err)
	}
	r := NewReceiver(s)
	ask := func(id uint16, name, kind, over string) string {
		q := new(dns.Msg)
		q.SetQuestion(name, dns.StringToType[kind])
		q.Id = id
		packed, err := q.Pack()
		if err != nil {
			t.Fatal(err)
		}
		a := r.Asked(packed, "here", over)[0]
		if a.Verb != Send {
			return a.Verb.String()
		}
		m := new(dns.Msg)
		if err := m.Unpack([]byte(a.Text)); err != nil || m.Id != id {
			t.Fatalf("%s %s: %v, id %d", kind, name, err, m.Id)
		}
		all := []string{dns.RcodeToString[m.Rcode]}
		for _, rr := range m.Answer {
			all = append(all, strings.Join(strings.Fields(rr.String())[3:], " "))
		}
		if m.Truncated {
			all = append(all, "cut")
		}
		return strings.Join(all, ", ")
	}
	for i, c := range []struct {
		id               uint16
		name, kind, over string
		want             string
	}{
		{1, "Fault.example.", "MX", "udp", "NOERROR, MX 1 mx1.fault.example., MX 2 mx2.fault.example."},
		{2, "do1.fault.example.", "MX", "udp", "NOERROR, MX 1 mx1.fault.example., MX 2 mx2.fault.example."},
		{3, "do2.fault.example.", "MX", "udp", "NXDOMAIN"},
		{4, "mx1.fault.example.", "A", "udp", "NOERROR, A 127.0.0.1"},
		{5, "mx1.fault.example.", "A", "udp", "NOERROR, A 127.0.0.9"},
		{6, "mx1.fault.example.", "AAAA", "udp", "NOERROR"},
		{7, "mx2.fault.example.", "A", "udp", "silence"},
		{7, "mx2.fault.example.", "A", "udp", "NOERROR, A 127.0.0.2"},
		{8, "mx3.fault.example.", "A", "udp", "NOERROR, cut"},
		{8, "mx3.fault.example.", "A", "tcp", "NXDOMAIN"},
		{9, ".", "NS", "udp", "NOERROR, NS a.root-servers.net."},
		{10, "elsewhere.example.", "MX", "udp", "NXDOMAIN"},
	} {
		if got := ask(c.id, c.name, c.kind, c.over); got != c.want {
			t.Errorf("question %d: got %s, want %s", i+1, got, c.want)
		}
	}
	if n := r.Questions(); n != 10 {
		t.Errorf("got %d questions, want 10: one came twice, and one was about the root", n)
	}
}
