package requested

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flyball/internal/mail"
	"flyball/realrun/requests"

	"flyball/cmd/flyball/internal/kept"
)

const table = "recipient,destination,server,status,tries,code,stage,fault,first_attempt_s,end_s\n" +
	"ann@x.example,all,s,delivered,1,250,dot,,0.1,0.2\n" +
	"gone@x.example,,,suppressed,0,,,,,\n" +
	"'+bob@x.example,all,s,delivered,1,250,dot,,0.1,0.2\n" +
	"\"\"\"c,d\"\"@x.example\",all,,suppressed,0,,,,,\n"

// Who has left is named for the next mailing by the table of a run, in which those have no place who were suppressed
// before it began; a table that is too short is of another mailing.
func TestAddresses(t *testing.T) {
	plain, packed := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(plain, "recipients.csv"), []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	var zip bytes.Buffer
	w := gzip.NewWriter(&zip)
	w.Write([]byte(table))
	w.Close()
	if err := os.WriteFile(filepath.Join(packed, "recipients.csv.gz"), zip.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{plain, packed} {
		for _, v := range []struct {
			all  []mail.Recipient
			want string
		}{{nil, ""}, {[]mail.Recipient{0}, "ann@x.example"}, {[]mail.Recipient{1, 2}, `+bob@x.example "c,d"@x.example`},
			{[]mail.Recipient{3}, "got 3 recipients, want 4 or more"}} {
			got, err := addresses(dir, v.all)
			if err == nil && strings.Join(got, " ") != v.want || err != nil && !strings.Contains(err.Error(), v.want) {
				t.Errorf("%v: got %q, %v, want %q", v.all, got, err, v.want)
			}
		}
	}
	key := mail.Key{1}
	dir := keep(t, key)
	f, err := requests.OpenFolder(kept.Requests(dir), key, false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Leave(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	s, err := Show{Mailings: []string{dir}, Run: plain}.Do()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := s.Text(&text, false); err != nil || text.String() != "email\n+bob@x.example\n" ||
		!slices.Equal(s.Mailings[0].Addresses, []string{"+bob@x.example"}) {
		t.Errorf("got %q, %+v, %v", text.String(), s, err)
	}
}
