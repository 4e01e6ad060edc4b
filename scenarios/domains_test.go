package scenarios

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

const providers = `schema_version = 1
name = "providers"
domains_file = "domains.csv"
[[destination]]
name = "gmail"
domains = ["gmail.example", "GoogleMail.example"]
[[destination]]
name = "big"
domain = "Big.example"
domains = ["*.big.example", "other.test", "BIG.example"]
[[destination]]
name = "small"
domain = "small.example"
domains = ["*", "*.test"]
[[campaign]]
name = "c"
recipients = 100
`

// withDomains loads providers with a file of domains, and old replaced by new.
func withDomains(csv, old, new string) (*Scenario, error) {
	files := func(name string) ([]byte, error) {
		if name != "domains.csv" {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return []byte(csv), nil
	}
	return LoadWith("s.toml", []byte(strings.Replace(providers, old, new, 1)), nil, Outside{Files: files})
}

func TestDomainsOfDestinations(t *testing.T) {
	s, err := withDomains("# from MX records\ndomain;provider\nshop.example;big\n*.shop.example;small\n"+
		"A.shop.example;gmail\n", "", "")
	if err != nil {
		t.Fatal(err)
	}
	changed, err := s.With("seed=7") // keeps the file
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Scenario{s, changed} {
		domains, wrong := s.Domains()
		if wrong != nil {
			t.Fatal(wrong)
		}
		for domain, want := range map[string]string{
			"gmail.example": "gmail", "googlemail.example": "gmail", "big.example": "big", "mail.big.example": "big",
			"a.b.big.example": "big", "other.test": "big", "another.test": "small", "small.example": "small",
			"shop.example":   "big",
			"a.shop.example": "gmail", "b.a.shop.example": "small", "nowhere.example": "small", "localhost": "small",
		} {
			got, ok := domains.Find(domain)
			if !ok || s.Destinations[got].Name != want {
				t.Errorf("%s: got %d, %t, want %s", domain, got, ok, want)
			}
		}
	}
	if got := s.Destinations[0].Domain; got != "gmail.example" {
		t.Errorf("got the domain %q, want the first that is written out", got)
	}
	s, err = withDomains("domain,provider\n", `"*", `, "")
	if err != nil {
		t.Fatal(err)
	}
	domains, _ := s.Domains()
	for _, domain := range []string{"nowhere.example", "example", "test", "xbig.example", "big.example.test.org"} {
		if got, ok := domains.Find(domain); ok {
			t.Errorf("%s: got %s, want none", domain, s.Destinations[got].Name)
		}
	}
}

func TestDomainProblems(t *testing.T) {
	const good = "domain,provider\nshop.example,big\n"
	for _, v := range []struct{ csv, old, new, want string }{
		{good + "shop.example,gmail\n", "", "",
			`s.toml:3:16: domains_file: domains.csv:3:1: got "shop.example" a second time, want it once: line 2 has ` +
				`it for "big"`},
		{good + "gmail.example,gmail\n", "", "",
			`s.toml:3:16: domains_file: domains.csv:3:1: got "gmail.example" a second time, want it once: ` +
				`destination "gmail" has it`},
		{good + "*,big\n", "", "", `s.toml:3:16: domains_file: domains.csv:3:1: got "*" a second time, want it once: ` +
			`destination "small" has it`},
		{good + "a.example,bigg\n", "", "",
			`s.toml:3:16: domains_file: domains.csv:3:11: got provider "bigg", want the name of a destination (did ` +
				`you mean "big"?)`},
		{good + "a b.example,big\n", "", "",
			`s.toml:3:16: domains_file: domains.csv:3:1: got "a b.example", want a mail domain: `},
		{good + "a*.example,big\n", "", "",
			`s.toml:3:16: domains_file: domains.csv:3:1: got "a*.example", want a mail domain: `},
		{good + "*a.example,big\n", "", "",
			`s.toml:3:16: domains_file: domains.csv:3:1: got "*a.example", want a domain, a pattern such as ` +
				`"*.example", or "*" for all others`},
		{good + "a.example\n", "", "", `s.toml:3:16: domains_file: domains.csv:3:1: `},
		{"a.example,big\n", "", "", `s.toml:3:16: domains_file: domains.csv:1:1: got the columns ["a.example" ` +
			`"big"], want domain and provider`},
		{good, "domains.csv", "lost.csv", `s.toml:3:16: domains_file: open lost.csv: file does not exist`},
		{good, `"*.test"`, `"other.test"`,
			`s.toml:14:17: destination[2].domains[1]: got "other.test" a second time, want it once: destination ` +
				`"big" has it`},
		{good, `"*.test"`, `"*"`, `s.toml:14:17: destination[2].domains[1]: got "*" a second time, want it once: ` +
			`destination "small" has it`},
		{good, `"*.test"`, `""`, `s.toml:14:17: destination[2].domains[1]: got "", want a mail domain: `},
		{good, `domain = "small.example"`, `domain = "bIg.example"`,
			`s.toml:13:10: destination[2].domain: got "bIg.example" a second time, want a domain of its own`},
		{good, `domains = ["gmail.example", "GoogleMail.example"]`, `domains = ["*.mail.example"]`,
			`s.toml:4:1: destination[0].domain: got an empty domain, want one such as "provider.example"`},
	} {
		_, err := withDomains(v.csv, v.old, v.new)
		if err == nil || !strings.HasPrefix(err.Error(), v.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got\n%v\nwant\n%s", err, v.want)
		}
	}
	s, err := Load("s.toml", []byte(providers), nil) // without files
	if err != nil {
		t.Fatal(err)
	}
	if _, wrong := s.Domains(); fmt.Sprint(wrong) != `[domains_file: got "domains.csv", want the file itself: it is `+
		`not read here]` {
		t.Errorf("got %v, want that the file was not read", wrong)
	}
	var many strings.Builder
	many.WriteString("domain,provider\n")
	for range 1000 {
		many.WriteString("gmail.example,gmail\n")
	}
	if _, err := withDomains(many.String(), "", ""); err == nil || strings.Count(err.Error(), "\n") != mostClaims-1 {
		t.Errorf("got %d lines, want %d problems of 1000", 1+strings.Count(err.Error(), "\n"), mostClaims)
	}
}

// BenchmarkDomains reads a file of 50,000 domains.
func BenchmarkDomains(b *testing.B) {
	var csv strings.Builder
	csv.WriteString("domain,provider\n")
	for i := range 50_000 {
		fmt.Fprintf(&csv, "company-%d.example,small\n", i)
	}
	s, err := withDomains(csv.String(), "", "")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s.Domains()
	}
}
