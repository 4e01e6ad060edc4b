package mailing

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/internal/rng"
	"flyball/scenarios"
)

// A recipient of a destination with several domains keeps the domain of its row, in a
// simulation and in a live run.
func TestRecipientsKeepTheirDomain(t *testing.T) {
	s, err := scenarios.LoadWith("s.toml", []byte(`schema_version = 1
name = "s"
domains_file = "domains.csv"
[[destination]]
name = "a"
domains = ["a.example", "b.example"]
[[destination]]
name = "c"
domain = "c.example"
domains = ["*.c.example"]
[[campaign]]
name = "c"
recipients = 1
`), nil, scenarios.Outside{Files: func(string) ([]byte, error) {
		return []byte("domain,provider\nd.example,c\n"), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	const rows = "email\nann@a.example\nbob@B.example\ncid@x.c.example\ndan@d.example\neve@e.example\n" +
		"\"\"\"a@b\"\"@b.example\"\n"
	accepted := []string{"ann@a.example", "bob@b.example", "cid@x.c.example", "dan@d.example", `"a@b"@b.example`}
	var rejects strings.Builder
	src := func() Source {
		return Source{List: strings.NewReader(rows), ListName: "l.csv", Rejects: &rejects, Date: time.Unix(0, 0)}
	}
	m, err := New(s, rng.New(1, 0), src())
	if err != nil {
		t.Fatal(err)
	}
	census, err := NewCensus(s, src())
	if err != nil {
		t.Fatal(err)
	}
	var live, simulated []string
	to := func(all *[]string) func(string, bool) error {
		return func(address string, _ bool) error {
			*all = append(*all, address)
			return nil
		}
	}
	if err := m.Addresses(to(&live)); err != nil {
		t.Fatal(err)
	}
	silent := src()
	silent.Rejects = io.Discard
	if err := Addresses(s, silent, to(&simulated)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(live, accepted) || !slices.Equal(simulated, accepted) {
		t.Errorf("got %v live, %v simulated, want %v", live, simulated, accepted)
	}
	if m.List.Digest() != census.List.Digest() {
		t.Error("got other destinations live than simulated")
	}
	if letter, body := m.Letter(1, nil); letter != "bob@b.example" || !strings.Contains(string(body), "bob@b.example") {
		t.Errorf("got a letter to %s, want one to bob@b.example:\n%s", letter, body)
	}
	if want := `domain ""e.example"" belongs to no destination`; strings.Count(rejects.String(), want) != 2 {
		t.Errorf("got the rejects\n%s\nwant two with %s", rejects.String(), want)
	}
}
