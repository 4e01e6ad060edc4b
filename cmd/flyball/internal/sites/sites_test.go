package sites

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/internal/testca"
	"flyball/realrun/depot"
	"flyball/site"
)

// write writes a file below a folder.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// aSite returns a site of one A server and one B server.
func aSite(t *testing.T, more string) (*Site, string) {
	t.Helper()
	dir := t.TempDir()
	file := write(t, dir, "site.toml", `schema_version = 1
name = "test"
scenario = "quickstart"
receiver = "127.0.0.1:2525"
`+more+`
[[station]]
role = "a"

[[station]]
role = "b"
number = 1
`)
	s, err := Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

// What a site file names must fit together, and all that does not is said at once.
func TestLoadChecksTheWhole(t *testing.T) {
	dir := t.TempDir()
	two := "[[station]]\nrole = \"a\"\n[[station]]\nrole = \"b\"\nnumber = 1\n[[station]]\nrole = \"b\"\nnumber = 2\n"
	near := "receiver = \"127.0.0.1:25\"\n" + two
	for _, v := range []struct{ text, want string }{
		{"receiver = \"192.0.2.1:25\"\n" + two, "receiver: refused for safety: got 192.0.2.1:25, want an address"},
		{near, "scenario: got quickstart with 1 server, want 2"},
		{"set = [\"sender.partition=proximity\"]\n" + near,
			"scenario: got sender.partition = \"proximity\", want \"shares\" or \"pull\": the A"},
		{near + "[[station]]\nrole = \"c\"\nlisten = \"0.0.0.0:2526\"\n",
			"station[3].listen: got 0.0.0.0:2526, want an address on loopback"},
		{near + "[[station]]\nrole = \"storage\"\nlisten = \"127.0.0.1:1\"\nstore = \"lists.db\"\n",
			"store: got \"lists.db\", want a store without a list"},
		{near + "[[station]]\nrole = \"storage\"\nlisten = \"0.0.0.0:1\"\nstore = \"sqlite:l.db\"\n",
			"station[3].listen: got 0.0.0.0:1, want an address on loopback"},
		{near + "[[station]]\nrole = \"storage\"\nlisten = \"127.0.0.1:1\"\nstore = \"sqlite:l.db\"\n" +
			"[[station]]\nrole = \"d\"\nlisten = \"127.0.0.1:2\"\nchanges = \"0.0.0.0:3\"\n",
			"station[4].changes: got 0.0.0.0:3, want an address on loopback"},
		{near + "[[station]]\nrole = \"broker\"\nlisten = \"127.0.0.1:1\"\n",
			"station[3].role: got a broker and no bus.url"},
	} {
		file := write(t, dir, "site.toml", "schema_version = 1\nname = \"x\"\nscenario = \"quickstart\"\n"+v.text)
		if _, err := Load(file, nil); err == nil || !strings.Contains(err.Error(), v.want) {
			t.Errorf("got %v, want %q", err, v.want)
		}
	}
	file := write(t, dir, "site.toml", "schema_version = 1\nname = \"x\"\nscenario = \"quickstart\"\n"+
		"receiver = \"127.0.0.1:25\"\n[[station]]\nrole = \"a\"\n[[station]]\nrole = \"b\"\nnumber = 1\n")
	for _, v := range []struct {
		role, want string
	}{{"b3", `--role: got "b3", want one of a, b1 (did you mean "b1"?)`}, {"a", "bus.url: got none"}} {
		if _, err := Load(file, []string{v.role}); err == nil || !strings.Contains(err.Error(), v.want) {
			t.Errorf("--role %s: got %v, want %q", v.role, err, v.want)
		}
	}
}

// A mailing is in the queue as a whole or not at all; all that is wrong with it is said.
func TestSubmit(t *testing.T) {
	s, dir := aSite(t, "")
	list := write(t, dir, "people.csv", "email,name\nann@big.example,Ann\nbob@careful.example,Bob\n")
	letter := write(t, dir, "letter.txt", "From: news@sender.example\nSubject: Hello {{nam}}\n\nHello {{nobody}}.\n")
	_, err := s.Submit(Submission{List: list, Letter: letter})
	if err == nil || !strings.Contains(err.Error(), "{{nam}}") || !strings.Contains(err.Error(), "{{nobody}}") {
		t.Errorf("got %v, want both placeholders refused", err)
	}
	if _, err := s.Submit(Submission{List: "store:people"}); err == nil ||
		!strings.Contains(err.Error(), "the site has no station of role storage") {
		t.Errorf("got %v, want a site without a store", err)
	}
	if names, err := s.Waiting(); len(names) > 0 || err != nil {
		t.Errorf("a refused mailing is in the queue: %v, %v", names, err)
	}
	letter = write(t, dir, "letter.txt", "From: news@sender.example\nSubject: Hello {{name}}\n\nHello {{name}}.\n")
	m, err := s.Submit(Submission{List: list, Letter: letter})
	if err != nil || m.Recipients != 2 {
		t.Fatal(m, err)
	}
	if names, err := s.Waiting(); len(names) != 1 || err != nil {
		t.Errorf("got %v, %v, want one mailing", names, err)
	}
}

// A process that stops at any step of the move of a mailing from the queue does the rest later: the mailing is
// submitted under one number, and its places follow the last place of the mailing before it.
func TestMoveGoesOn(t *testing.T) {
	s, dir := aSite(t, "")
	list := write(t, dir, "people.csv", "email\nann@big.example\nbob@careful.example\n")
	for range 2 {
		if _, err := s.Submit(Submission{List: list}); err != nil {
			t.Fatal(err)
		}
	}
	names, err := s.Waiting()
	if err != nil || len(names) != 2 {
		t.Fatal(names, err)
	}
	d, err := depot.Open(filepath.Join(dir, "depot"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var got []string
	stops := errors.New("the process stops")
	submit := func(fail error) func(context.Context, depot.Manifest, Pending) error {
		return func(_ context.Context, m depot.Manifest, _ Pending) error {
			got = append(got, fmt.Sprintf("job %d at %d", m.Job, m.First))
			return fail
		}
	}
	for _, fail := range []error{stops, stops, nil} { // in the depot, and the role does not have it
		if err := s.Move(t.Context(), names[0], d, submit(fail)); !errors.Is(err, fail) {
			t.Fatalf("got %v, want %v", err, fail)
		}
	}
	if err := s.Move(t.Context(), names[1], d, submit(nil)); err != nil {
		t.Fatal(err)
	}
	if all := strings.Join(got, ", "); all != "job 1 at 0, job 1 at 0, job 1 at 0, job 2 at 2" {
		t.Errorf("got %s", all)
	}
	// A folder whose removal was stopped is removed.
	half := filepath.Join(s.queue(), "half")
	if err := os.MkdirAll(half, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, half, listFile, "")
	if err := s.Move(t.Context(), "half", d, submit(nil)); err != nil {
		t.Fatal(err)
	}
	if names, err := s.Waiting(); len(names) != 0 || err != nil || len(got) != 4 {
		t.Errorf("got %v, %v in the queue, and %v", names, err, got)
	}
}

// Keys are made once, and no other user may read the secret ones.
func TestKeys(t *testing.T) {
	s, dir := aSite(t, "keys = \"keys\"\n")
	made, err := s.MakeKeys()
	if err != nil || len(made) != 2 {
		t.Fatal(made, err)
	}
	if made, err = s.MakeKeys(); err != nil || len(made) != 0 {
		t.Errorf("made %v again, %v", made, err)
	}
	for _, name := range []string{"a" + seedFile, "b1" + tokenFile} {
		if info, err := os.Stat(filepath.Join(dir, "keys", name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v, want mode 0600", name, info, err)
		}
	}
	if users, err := s.Users(); err != nil || len(users) != 2 || len(users[1].Rights.Publish) == 0 {
		t.Errorf("got %v, %v", users, err)
	}
	if clients, err := s.DepotClients(); err != nil || len(clients) != 1 || clients[0].Role != depot.Delivering {
		t.Errorf("got %v, %v", clients, err)
	}
}

// A letter that asks for counts is refused where no server counts; one without a word about it is taken.
func TestLetterWithoutAResponseServer(t *testing.T) {
	s, dir := aSite(t, "")
	list := write(t, dir, "people.csv", "email\nann@big.example\n")
	write(t, dir, "page.html", `<p><a href="https://shop.example/1">one</a></p>`)
	letter := "From: news@news.example\nSubject: Hello\nHTML: page.html\n"
	file := write(t, dir, "letter.txt", letter+"Responses: https://news.example clicks\n\nHello.\n")
	if _, err := s.Submit(Submission{List: list, Letter: file}); err == nil ||
		!strings.Contains(err.Error(), "letter.txt:4:12: header Responses: got links to a response server") {
		t.Errorf("got %v", err)
	}
	file = write(t, dir, "letter.txt", letter+"\nHello.\n")
	if _, err := s.Submit(Submission{List: list, Letter: file}); err != nil {
		t.Error(err)
	}
}

// What a computer shows others, and by which it knows them, is checked before a station begins: the certificate is
// valid now, of the site's authorities, and for the address at which others find the station that shows it.
func TestIdentityOfAComputer(t *testing.T) {
	s, dir := aSite(t, `keys = "keys"
bus = { url = "tls://127.0.0.2:4222", ca = "ca.crt", cert = "this.crt", key = "this.key" }
depot = { listen = "127.0.0.2:8400" }
[[station]]
role = "c"
listen = "127.0.0.1:2526"
changes = "127.0.0.2:8600"
[[station]]
role = "d"
listen = "127.0.0.1:8080"
[[station]]
role = "storage"
listen = "127.0.0.2:8500"
store = "sqlite:lists.db"
`)
	if _, err := s.MakeKeys(); err != nil {
		t.Fatal(err)
	}
	hour, expired := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	ca := testca.New(t, dir, "ca")
	ca.Issue(t, "good", hour, "127.0.0.2")
	ca.Issue(t, "old", expired, "127.0.0.2")
	ca.Issue(t, "moved", hour)
	testca.New(t, dir, "other").Issue(t, "strange", hour, "127.0.0.2")
	for _, v := range []struct{ station, certificate, lacks, want string }{
		{"a", "good", "", ""},
		{"b1", "good", "", ""},
		{"a", "old", "", "this.crt: the certificate expired on " + expired.Format(time.DateOnly)},
		{"b1", "old", "", "this.crt: the certificate expired on " + expired.Format(time.DateOnly)},
		{"a", "moved", "", "this.crt: others would not take it for a's: x509: certificate is valid for 127.0.0.1, " +
			"not 127.0.0.2"},
		{"b1", "moved", "", ""}, // it shows it to the broker alone
		{"d", "moved", "", ""},
		{"c", "good", "", ""},
		{"c", "moved", "", "this.crt: others would not take it for c's: x509: certificate is valid for 127.0.0.1, "},
		{"a", "strange", "", "this.crt: others would not take it for a's: x509: certificate signed by unknown"},
		{"a", "good", "keys/a.nkey", "keys/a.nkey: no such file"},
		{"b1", "good", "keys/b1.token", "keys/b1.token: no such file or directory (flyball serve keys makes it)"},
	} {
		for _, kind := range []string{".crt", ".key"} {
			text, err := os.ReadFile(filepath.Join(dir, v.certificate+kind))
			if err != nil {
				t.Fatal(err)
			}
			write(t, dir, "this"+kind, string(text))
		}
		if v.lacks != "" {
			os.Remove(filepath.Join(dir, v.lacks))
		}
		of, _ := s.Named(v.station)
		s.Here = []site.Station{of}
		err := s.CheckIdentity()
		if got := fmt.Sprint(err); v.want == "" && err != nil || !strings.Contains(got, v.want) ||
			strings.Contains(got, "\n") {
			t.Errorf("%s, %s, without %q: got %v, want %q", v.station, v.certificate, v.lacks, err, v.want)
		}
	}
}
