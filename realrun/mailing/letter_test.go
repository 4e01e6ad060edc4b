package mailing

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"flyball/internal/list"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/realrun/dial"
	"flyball/scenarios"
)

const networks = `schema_version = 1
name = "networks"
[governor]
law = "hold"
[[destination]]
name = "friends"
domain = "friends.example"
[[destination]]
name = "aol"
domain = "aol.example"
[[campaign]]
name = "c"
recipients = 3
`

func networksOf(t *testing.T) *scenarios.Scenario {
	t.Helper()
	s, err := scenarios.Load("networks.toml", []byte(networks), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// letterOf is a list with a letter that has all that a letter may have.
func letterOf(letter, aol string) Source {
	return Source{
		List: strings.NewReader("email,name,topic\nann@friends.example,Ann & Co,Sports\nbob@aol.example,Bob,news\n" +
			"cid@friends.example,Jörg,\n"),
		ListName: "l.csv", Rejects: &strings.Builder{}, Template: strings.NewReader(letter), TemplateName: "letter.txt",
		Files: func(name string, _ int64) ([]byte, error) {
			return []byte(map[string]string{"aol.txt": aol, "a.html": "<p>{{name}}</p>", "a.pdf": "%PDF"}[name]), nil
		},
		Key: mail.Key{7}, Date: time.Unix(1e9, 0),
	}
}

const (
	richLetter = "From: \"Jörg Müller\" <news@sender.example>\nSubject: Grüße\nHTML: a.html\nAttach: a.pdf\nVariant: " +
		"aol aol.txt\n\n" +
		"Dear {{name}},\n{{#if topic=sports}}\nGoals!\n{{#else}}\nNews.\n{{#end}}\n"
	aolLetter = "From: news@sender.example\nSubject: AOL\n\nFor {{name}} alone\n"
)

// Each recipient gets the master of its network with its own row, and the same bytes whenever the
// mailing is made again.
func TestMastersByNetwork(t *testing.T) {
	s := networksOf(t)
	first, err := New(s, rng.New(1, 0), letterOf(richLetter, aolLetter))
	if err != nil {
		t.Fatal(err)
	}
	again, err := New(s, rng.New(1, 0), letterOf(richLetter, aolLetter))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]string{{"Dear Ann & Co,\r\nGoals!\r\n", "<p>Ann &amp; Co</p>", "JVBERg=="},
		{"Subject: AOL\r\n", "For Bob alone\r\n"}, {"Dear J=C3=B6rg,\r\nNews.\r\n", "<p>J=C3=B6rg</p>", "JVBERg=="}} {
		_, body := first.Letter(mail.Recipient(i), nil)
		for _, part := range want {
			if !strings.Contains(string(body), part) {
				t.Errorf("recipient %d: no %q in\n%s", i, part, body)
			}
		}
		if _, same := again.Letter(mail.Recipient(i), nil); string(same) != string(body) {
			t.Errorf("recipient %d gets another message when the run goes on", i)
		}
	}
	masters := first.Masters()
	if len(masters) != 2 || masters[1].Network != "aol" || !strings.Contains(string(masters[0].Message),
		"Dear {{name}}") {
		t.Errorf("masters %s", masters)
	}
	for i, m := range again.Masters() {
		if m.Digest != masters[i].Digest {
			t.Errorf("the master for %q has two digests", m.Network)
		}
	}
}

func TestVariantsAreRefused(t *testing.T) {
	s := networksOf(t)
	for _, v := range []struct{ letter, aol, want string }{
		{strings.Replace(richLetter, "Variant: aol", "Variant: aoll", 1), aolLetter,
			`letter.txt:5:10: header Variant: got network "aoll", want a destination of scenario networks`},
		{richLetter, strings.Replace(aolLetter, "sender.example", "aol.com", 1), "aol.txt:1:7: header From: " +
			dial.ErrRefused.Error() + `: got domain "aol.com", want a reserved one, such as "sender.example" ` +
			`(RFC 2606)`},
		{richLetter, strings.Replace(aolLetter, "{{name}}", "{{nick}}", 1),
			`aol.txt:4:5: {{nick}} has no column in the list, which begins with ["email" "name" "topic"]`},
	} {
		if _, err := New(s, rng.New(1, 0), letterOf(v.letter, v.aol)); fmt.Sprint(err) != v.want {
			t.Errorf("got %v\nwant %s", err, v.want)
		}
	}
}

// A preview has the bytes that a run with its key and date sends, whatever else is in the list.
func TestProofsAreWhatIsSent(t *testing.T) {
	s := networksOf(t)
	src := letterOf(richLetter, aolLetter)
	src.List = strings.NewReader("email,name,topic\nann@friends.example,Ann,Sports\nx@nowhere.example,X,\n" +
		"eve@friends.example,,\nbob@aol.example,Bob,news\nann@friends.example,Ann,Sports\n")
	letter, err := Letter(s, src)
	if err != nil {
		t.Fatal(err)
	}
	var proofs, rejects []string
	var blocks map[string]int
	count, err := Prove(s, src, letter, func(p Proof) error {
		proofs = append(proofs, p.To.String()+" "+p.Network+"\n"+string(p.Message))
		blocks = p.Blocks
		return nil
	}, func(r list.Reject) error {
		rejects = append(rejects, r.Email)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	again := letterOf(richLetter, aolLetter)
	again.List = strings.NewReader("email,name,topic\nann@friends.example,Ann,Sports\nbob@aol.example,Bob,news\n")
	m, err := New(s, rng.New(1, 0), again)
	if err != nil {
		t.Fatal(err)
	}
	for i, network := range []string{"", "aol"} {
		to, body := m.Letter(mail.Recipient(i), nil)
		if want := to + " " + network + "\n" + string(body); i >= len(proofs) || proofs[i] != want {
			t.Errorf("got\n%s\nwant\n%s", proofs[i], want)
		}
	}
	if fmt.Sprint(count, rejects) != "{5 2 2 1 0} [x@nowhere.example eve@friends.example ann@friends.example]" {
		t.Errorf("%+v, rejected %s", count, rejects)
	}
	if blocks["{{#if topic=sports}}"] != 1 || len(blocks) != 1 {
		t.Errorf("blocks %v", blocks)
	}
	// Without a scenario all get the first master, from whatever domain.
	src = letterOf(richLetter, aolLetter)
	src.List = strings.NewReader("email,name,topic\nbob@aol.com,Bob,\n")
	if _, err := Prove(nil, src, letter, func(p Proof) error {
		if p.Network != "" || !strings.Contains(string(p.Message), "News.") {
			t.Errorf("%s gets\n%s", p.To, p.Message)
		}
		return nil
	}, func(r list.Reject) error { return errors.New(r.Reason) }); err != nil {
		t.Error(err)
	}
}
