package list

import (
	"fmt"
	"strings"
	"testing"

	"flyball/internal/csvfile"
	"flyball/internal/mail"
)

func TestSuppression(t *testing.T) {
	for name, file := range map[string]string{
		"lines": "\ufeffann@x.test\r\n\nBob@X.test\n\"z o\"@aol.com",
		"column": "since,\"email\",why\n2024,ann@x.test,\"asked\nagain\"\n2024,BOB@X.test,\n2025,\"\"\"z " +
			"o\"\"@aol.com\",\n2025,ann@x.test,\n",
	} {
		set, err := ReadSuppression(strings.NewReader(file), "sup.csv")
		if err != nil || set.Len() != 3 {
			t.Errorf("%s: %d addresses, %v", name, set.Len(), err)
		}
		for address, want := range map[string]bool{
			"ann@x.test": true, "ANN@X.TEST": true, "bob@x.test": true, `"z o"@aol.com`: true,
			"ann@y.test": false, "an@x.test": false, "zo@aol.com": false,
		} {
			if a, err := mail.ParseAddress(address); err != nil || set.Has(a) != want {
				t.Errorf("%s: Has(%s) = %t, want %t (%v)", name, address, set.Has(a), want, err)
			}
		}
	}
}

// Whole domains are written in three ways, in any case, with and without the
// dot of the root, alone or in a column.
func TestSuppressedDomains(t *testing.T) {
	for _, entry := range []string{"*@x.test", "@x.test", "x.test", "*@X.Test", "@X.TEST", "X.test", "*@x.test.",
		"@x.test.", "x.test."} {
		for _, file := range []string{"%s", "ann@y.test\n%s\n", "email\n%s\n", "why;Email\n;ann@y.test\nasked;%s\n",
			"\ufeffsep=\t\rname\temail\rAnn\t%s\r", "\"since\nwhen\",email\n1,\"%s\"\n"} {
			set, err := ReadSuppression(strings.NewReader(strings.ReplaceAll(file, "%s", entry)), "sup.csv")
			if err != nil {
				t.Errorf("%q as %q: %v", entry, file, err)
			}
			for address, want := range map[string]bool{"ann@x.test": true, "BOB@X.TEST": true, `"z o"@x.test`: true,
				"ann@sub.x.test": false, "ann@xx.test": false, "x.test@z.test": false} {
				if a, err := mail.ParseAddress(address); err != nil || set.Has(a) != want {
					t.Errorf("%q as %q: Has(%s) = %t, want %t (%v)", entry, file, address, set.Has(a), want, err)
				}
			}
		}
	}
	set, err := ReadSuppression(strings.NewReader(
		"ann@x.test.\n\"a*\"@x.test\n@xn--mller-kva.test\n*@größe.test\n"), "sup.csv")
	for _, address := range []string{"Ann@x.test", "a*@x.test", "bob@xn--mller-kva.test", "bob@müller.test",
		"bob@xn--gre-6ka8i.test"} {
		if a, bad := mail.ParseAddress(address); err != nil || bad != nil || !set.Has(a) {
			t.Errorf("Has(%s) = false (%v)", address, err)
		}
	}
}

func TestEmptySuppression(t *testing.T) {
	for _, file := range []string{"", "\n\r\n", "email\n"} {
		if set, err := ReadSuppression(strings.NewReader(file), "sup.csv"); err != nil || set.Len() != 0 ||
			set.Has(mail.Address{}) {
			t.Errorf("%q: %d addresses, %v", file, set.Len(), err)
		}
	}
	if (Set{}).Has(mail.Address{Local: "ann", Domain: "x.test"}) {
		t.Error("zero Set has an address")
	}
}

func TestBadSuppression(t *testing.T) {
	for _, v := range []struct{ file, want string }{
		{"address,why\nann@x.test,asked\n",
			"sup.csv:1:1: entry has neither \"@\" nor a dot, want local@domain, or a domain; want one address or " +
				"domain per line, or a header with a column \"email\""},
		{"ann@x.test\nbob\n", "sup.csv:2:1: entry has neither \"@\" nor a dot, want local@domain, or a domain; want " +
			"one address or domain per line"},
		{"ann@x.test\n ann@x.test\n", "sup.csv:2:1: address has a space at byte 1, want local@domain, other " +
			"characters in a quoted local part; want one address or domain per line"},
		{"ann@x.test\nemail\n", "sup.csv:2:1: entry has neither \"@\" nor a dot, want local@domain, or a domain; " +
			"want one address or domain per line"},
		{"ann@x.test\n# bob\n", "sup.csv:2:1: entry has neither \"@\" nor a dot, want local@domain, or a domain; " +
			"want one address or domain per line"},
		{"email,why\nann@x.test\n", "sup.csv:2:1: fields: got 1, want 2 as in the header"},
		{"Email,EMAIL\nann@x.test,bob@x.test\n",
			"sup.csv:1:7: header names columns 1 and 2 both \"Email\", whatever the case: want one column email"},
		{"*@*.x.test\n", "sup.csv:1:1: entry has \"*\" in its domain, want each domain by its name; want one address " +
			"or domain per line, or a header with a column \"email\""},
		{"ann@x.test\n*.x.test\n", "sup.csv:2:1: entry has \"*\" in its domain, want each domain by its name; want " +
			"one address or domain per line"},
		{"ann@x.test\n*\n", "sup.csv:2:1: entry has neither \"@\" nor a dot, want local@domain, or a domain; want " +
			"one address or domain per line"},
		{"ann@x.test\nann*@x.test\n", "sup.csv:2:1: entry has \"*\" within an address, want a whole address, or " +
			"*@domain for all of a domain (an address that has \"*\" is written in quotes: \"a*b\"@x.test); want one " +
			"address or domain per line"},
		{"ann@x.test\n**@x.test\n", "sup.csv:2:1: entry has \"*\" within an address, want a whole address, or " +
			"*@domain for all of a domain (an address that has \"*\" is written in quotes: \"a*b\"@x.test); want one " +
			"address or domain per line"},
		{"ann@x.test\n@\n", "sup.csv:2:1: domain is empty, want local@domain; want one address or domain per line"},
		{"ann@x.test\n.x.test\n", "sup.csv:2:1: domain begins with \".\", want dots only between labels; want one " +
			"address or domain per line"},
		{"ann@x.test\n@x.test..\n", "sup.csv:2:1: domain ends with \".\", want dots only between labels; want one " +
			"address or domain per line"},
		{"ann@x.test\n@ﬁ.test\n", "sup.csv:2:1: address has non-ASCII \"\\ufb01\" at byte 12, want ASCII " +
			"(international domains as they are read, or as A-labels, xn--...); want one address or domain per line"},
		{"ann@x.test\n%@x.test\n", "sup.csv:2:1: local part has \"%\", want no route through another host; want one " +
			"address or domain per line"},
		{"email;why\n*@x.*;asked\n", "sup.csv:2:1: entry has \"*\" in its domain, want each domain by its name"},
		{"why;email\nasked;ann\n", "sup.csv:2:7: entry has neither \"@\" nor a dot, want local@domain, or a domain"},
		{"email,why\n,asked\n", "sup.csv:2:1: address is empty, want local@domain"},
		{"email,why\nann@x.test,\"asked\n", "sup.csv:2:12: quote is not closed before the end of the file"},
		{"email,email\nann@x.test,bob@x.test\n",
			"sup.csv:1:7: header names columns 1 and 2 both \"email\", whatever the case: want one column email"},
		{"ann@x.test\nb\x00b@x.test\n", "sup.csv:2:2: NUL byte, want text"},
		{"\xff\xfea\x00", "sup.csv:1:1: file is UTF-16 (it begins with ff fe), want CSV as UTF-8 text (a spreadsheet " +
			"writes it as \"CSV UTF-8\")"},
		{"ann@x.test\n" + strings.Repeat("a", csvfile.MaxRow+1), "sup.csv:2:1: row is longer than 1048576 bytes"},
	} {
		set, err := ReadSuppression(strings.NewReader(v.file), "sup.csv")
		if fmt.Sprint(err) != v.want || set.Len() != 0 {
			t.Errorf("%.40q\n got: %v\nwant: %s", v.file, err, v.want)
		}
	}
}
