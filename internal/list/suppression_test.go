package list

import (
	"fmt"
	"strings"
	"testing"

	"flyball/internal/mail"
)

func TestSuppression(t *testing.T) {
	for name, file := range map[string]string{
		"lines":  "\ufeffann@x.test\r\n\nBob@X.test\n\"z o\"@aol.com",
		"column": "since,\"email\",why\n2024,ann@x.test,\"asked\nagain\"\n2024,BOB@X.test,\n2025,\"\"\"z o\"\"@aol.com\",\n2025,ann@x.test,\n",
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

func TestEmptySuppression(t *testing.T) {
	for _, file := range []string{"", "\n\r\n", "email\n"} {
		if set, err := ReadSuppression(strings.NewReader(file), "sup.csv"); err != nil || set.Len() != 0 || set.Has(mail.Address{}) {
			t.Errorf("%q: %d addresses, %v", file, set.Len(), err)
		}
	}
	if (Set{}).Has(mail.Address{Local: "ann", Domain: "x.test"}) {
		t.Error("zero Set has an address")
	}
}

func TestBadSuppression(t *testing.T) {
	for _, v := range []struct{ file, want string }{
		{"address,why\nann@x.test,asked\n", "sup.csv:1:1: address has ',' (several addresses) at byte 8, want local@domain, other characters in a quoted local part; want one address per line, or a header with a column \"email\""},
		{"ann@x.test\nbob\n", "sup.csv:2:1: address has no \"@\", want local@domain; want one address per line"},
		{"ann@x.test\n ann@x.test\n", "sup.csv:2:1: address has a space at byte 1, want local@domain, other characters in a quoted local part; want one address per line"},
		{"ann@x.test\nemail\n", "sup.csv:2:1: address has no \"@\", want local@domain; want one address per line"},
		{"ann@x.test\n# bob\n", "sup.csv:2:1: address has a space at byte 2, want local@domain, other characters in a quoted local part; want one address per line"},
		{"email,why\nann@x.test\n", "sup.csv:2:1: fields: got 1, want 2 as in the header"},
		{"email,why\n,asked\n", "sup.csv:2:1: address is empty, want local@domain"},
		{"email,why\nann@x.test,\"asked\n", "sup.csv:2:12: quote is not closed before the end of the file"},
		{"email,email\nann@x.test,bob@x.test\n", "sup.csv:1:1: header names columns 1 and 2 both \"email\", want different names"},
		{"ann@x.test\nb\x00b@x.test\n", "sup.csv:2:2: NUL byte, want text"},
		{"\xff\xfea\x00", "sup.csv:1:1: file is UTF-16 (it begins with ff fe), want UTF-8"},
		{"ann@x.test\n" + strings.Repeat("a", maxRow+1), "sup.csv:2:1: row is longer than 1048576 bytes"},
	} {
		set, err := ReadSuppression(strings.NewReader(v.file), "sup.csv")
		if fmt.Sprint(err) != v.want || set.Len() != 0 {
			t.Errorf("%.40q\n got: %v\nwant: %s", v.file, err, v.want)
		}
	}
}
