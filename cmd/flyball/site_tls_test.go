package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"flyball/bus"
	"flyball/internal/apart"
	"flyball/internal/longtest"
	"flyball/internal/peers"
	"flyball/internal/testca"
)

// Addresses of three computers: one has the broker, the A server and the storage server, the others a B server each.
const hub, first, second = "192.0.2.1", "192.0.2.2", "192.0.2.3"

// overTLS is a site with a computer for the broker, the A server and the storage server, and one for each B server. A
// folder stands for a computer: it has the site file, the keys of the computer's own stations, and its certificate.
type overTLS struct {
	*testing.T
	dir      string
	receiver *ledgerOf
}

const tlsSite = `schema_version = 1
name = "wide"
scenario = "scenario.toml"
receiver = %q
keys = "keys"

[bus]
url = "tls://192.0.2.1:4222"
ca = "tls/ca.crt"
cert = "tls/this.crt"
key = "tls/this.key"

[depot]
listen = "192.0.2.1:8400"

[sending]
check = "100ms"
lease = "1s"
patience = "20s"

[[station]]
role = "broker"
listen = "192.0.2.1:4222"

[[station]]
role = "a"

[[station]]
role = "storage"
listen = "192.0.2.1:8500"
store = "sqlite:lists.db"

[[station]]
role = "b"
number = 1

[[station]]
role = "b"
number = 2

[[station]]
role = "response"
listen = "127.0.0.1:8080"
`

// newOverTLS makes the folders of the computers.
func newOverTLS(t *testing.T) *overTLS {
	t.Helper()
	s := &overTLS{T: t, dir: t.TempDir()}
	at := ""
	s.receiver, at = takesMail(t, 0, "", "")
	site := fmt.Sprintf(tlsSite, at)
	s.write("hub/people.csv", "email\nr1@all.example\nr2@all.example\nr4@all.example\nr5@all.example\n")
	for _, computer := range []string{"hub", "b1", "b2"} {
		s.write(computer+"/site.toml", site)
		s.write(computer+"/scenario.toml", twoServers)
	}
	if p := begin(t, "serve", "keys", s.in("hub/site.toml")); p.ends(t) != 0 {
		t.Fatal(p.text())
	}
	for name, computer := range map[string]string{"b1": "b1", "b2": "b2", "response": "b2"} {
		for _, kind := range []string{".nkey", ".token"} {
			if name == "response" && kind == ".nkey" {
				continue // it sends no messages
			}
			s.move("hub/keys/"+name+kind, computer+"/keys/"+name+kind)
		}
	}
	return s
}

func (s *overTLS) in(name string) string { return filepath.Join(s.dir, name) }

func (s *overTLS) write(name, text string) {
	s.Helper()
	if err := os.MkdirAll(filepath.Dir(s.in(name)), 0o700); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(s.in(name), []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
}

func (s *overTLS) read(name string) string {
	s.Helper()
	text, err := os.ReadFile(s.in(name))
	if err != nil {
		s.Fatal(err)
	}
	return string(text)
}

func (s *overTLS) move(from, to string) {
	s.write(to, s.read(from))
	os.Remove(s.in(from))
}

// gives gives a computer the certificate of a name, and an authority to know others by.
func (s *overTLS) gives(computer, ca, name string) {
	s.write(computer+"/tls/ca.crt", s.read("ca/"+ca+".crt"))
	s.write(computer+"/tls/this.crt", s.read("ca/"+name+".crt"))
	s.write(computer+"/tls/this.key", s.read("ca/"+name+".key"))
}

// runs starts stations of a computer.
func (s *overTLS) runs(computer string, stations ...string) *process {
	args := []string{"serve", s.in(computer + "/site.toml")}
	for _, name := range stations {
		args = append(args, "--role", name)
	}
	return begin(s.T, args...)
}

// delivers mails the list of the store to all, and waits for the report.
func (s *overTLS) delivers() {
	s.Helper()
	if p := begin(s.T, "list", "import", "sqlite:"+s.in("hub/lists.db")+"#people",
		s.in("hub/people.csv")); p.ends(s.T) != 0 {
		s.Fatal(p.text())
	}
	running := []*process{s.runs("hub", "broker", "a", "storage"), s.runs("b1", "b1"), s.runs("b2", "b2")}
	running[0].until(s.T, "a storage server that listens", func() bool {
		return begin(s.T, "serve", "submit", s.in("hub/site.toml"), "--list", "store:people").ends(s.T) == 0
	})
	running[0].until(s.T, "the report", func() bool {
		_, err := os.Stat(s.in("hub/reports/mailing-1.json"))
		return err == nil
	})
	if n := s.receiver.all(); n != 4 {
		s.Errorf("%d recipients have a message, want 4", n)
	}
}

// certifies runs the commands of docs/serve.md as they stand there, and gives each computer its certificate.
func (s *overTLS) certifies() {
	s.Helper()
	peers.Find(s.T, "/usr/bin/openssl", "Debian's openssl")
	docs, err := os.ReadFile("../../docs/serve.md")
	if err != nil {
		s.Fatal(err)
	}
	_, commands, _ := strings.Cut(string(docs), "```sh\n")
	commands, _, _ = strings.Cut(commands, "```")
	c := exec.Command("sh", "-exc", commands)
	c.Dir = s.in("ca")
	if out, err := c.CombinedOutput(); err != nil {
		s.Fatalf("%v: %s", err, out)
	}
	for _, name := range []string{"hub", "b1", "b2"} {
		s.gives(name, "ca", name)
	}
}

// A site whose computers are apart, and have nothing but TLS between them, mails a list of its store. A station
// whose certificate, key or token does not fit ends within seconds, and says which file it is.
func TestSiteOverTLS(t *testing.T) {
	if !apart.Run(t, hub+"/32", first+"/32", second+"/32") {
		return
	}
	s := newOverTLS(t)
	s.write("ca/none", "")
	hour, expired := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	s.certifies()
	s.delivers()
	other := testca.New(t, s.in("ca"), "other")
	for name, host := range map[string]string{"hub": hub, "b1": first, "b2": second} {
		other.Issue(t, name+"-expired", expired, host)
		other.Issue(t, name+"-other", hour, host)
	}

	seed, _ := bus.NewKey()
	on := "expired on " + expired.Format(time.DateOnly)
	without := func(lines string) func(string) {
		return func(dir string) {
			text := s.read(dir + "/site.toml")
			s.write(dir+"/site.toml", regexp.MustCompile(`(?m)^(`+lines+`) = .*\n`).ReplaceAllString(text, ""))
		}
	}
	has := func(ca, name string) func(string) { return func(dir string) { s.gives(dir, ca, name) } }
	lacks := func(file string) func(string) { return func(dir string) { os.Remove(s.in(dir + "/" + file)) } }
	open := func(file string) func(string) { return func(dir string) { os.Chmod(s.in(dir+"/"+file), 0o644) } }
	holds := func(file, text string) func(string) { return func(dir string) { s.write(dir+"/"+file, text) } }
	for _, c := range []struct {
		computer, station, what string
		change                  func(dir string) // of the computer
		code                    int
		want, also              string // in the last line
		quick                   bool
	}{
		{"b1", "b1", "expired", has("ca", "b1-expired"), exitRefused,
			"/tls/this.crt", on, true},
		{"hub", "storage", "expired", has("ca", "hub-expired"), exitRefused,
			"/tls/this.crt", on, false},
		{"b2", "response", "expired", has("ca", "b2-expired"), exitRefused,
			"/tls/this.crt", on, false},
		{"b1", "b1", "another's", has("ca", "b1-other"), exitRefused,
			"broker refuses", "/tls/this.crt", true},
		{"hub", "a", "another's", has("ca", "hub-other"), exitRefused,
			"/tls/this.crt", "unknown authority", false},
		{"hub", "a", "of another host", has("ca", "b1"), exitRefused,
			"/tls/this.crt", "not " + hub, false},
		{"hub", "broker", "of another host", has("ca", "b1"), exitRefused,
			"/tls/this.crt", "not " + hub, false},
		{"b1", "b1", "knows no broker", has("other", "b1"), exitRefused,
			"broker's certificate", "/tls/ca.crt", false},
		{"b2", "response", "knows no depot", has("other", "b2"), exitRefused,
			"/tls/ca.crt", "unknown authority", true},
		{"b1", "b1", "no certificate", without("cert|key"), exitRefused,
			"site.toml", "depot.listen: got 192.0.2.1:8400 outside of loopback and no bus.cert", false},
		{"hub", "a", "no certificate", without("cert|key"), exitRefused,
			"site.toml", "depot.listen: got 192.0.2.1:8400 outside of loopback", false},
		{"b2", "response", "no file", lacks("tls/this.crt"), exitEnvironment,
			"/tls/this.crt", "", false},
		{"b1", "b1", "no authority", without("ca"), exitInvalid,
			"bus.ca: got none", "", false},
		{"b1", "b1", "another key of the certificate", holds("tls/this.key", s.read("ca/b2.key")), exitRefused,
			"/tls/this.crt and", "/tls/this.key", false},
		{"b1", "b1", "a wrong nkey", holds("keys/b1.nkey", seed), exitRefused,
			"/keys/b1.nkey", "", true},
		{"b1", "b1", "no nkey", lacks("keys/b1.nkey"), exitEnvironment,
			"/keys/b1.nkey", "", true},
		{"b1", "b1", "the nkey of b2", holds("keys/b1.nkey", s.read("b2/keys/b2.nkey")), exitRefused,
			"got no right for Subscription", "/keys/b1.nkey", true},
		{"b1", "b1", "a wrong token", holds("keys/b1.token", strings.Repeat("x", 52)), exitRefused,
			"/keys/b1.token", "got no token of a client", false},
		{"b1", "b1", "a token that all may read", open("keys/b1.token"), exitRefused,
			"/keys/b1.token", "want 0600", false},
		{"b1", "b1", "an nkey that all may read", open("keys/b1.nkey"), exitRefused,
			"/keys/b1.nkey", "want 0600", false},
		{"b1", "b1", "no token", lacks("keys/b1.token"), exitEnvironment,
			"/keys/b1.token", "", false},
		{"b2", "response", "a wrong token", holds("keys/response.token", strings.Repeat("x", 52)), exitRefused,
			"/keys/response.token", "got no token of a client", true},
	} {
		t.Run(c.station+", "+c.what, func(t *testing.T) {
			if !c.quick && !longtest.Asked() {
				t.Skip("each starts a process; sites.TestIdentityOfAComputer has most of these")
			}
			if c.station != "response" { // which listens at an address that is the same in all
				t.Parallel()
			}
			dir := strings.NewReplacer(" ", "-", ",", "", "'", "").Replace(c.station + " " + c.what)
			if out, err := exec.Command("cp", "-r", s.in(c.computer), s.in(dir)).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			c.change(dir)
			p := begin(t, "serve", s.in(dir+"/site.toml"), "--role", c.station)
			if !p.endsWithin(time.Minute) {
				t.Fatalf("it runs: %s", p.text())
			}
			lines := strings.Split(strings.TrimSpace(p.text()), "\n")
			last := lines[len(lines)-1]
			if code := p.ProcessState.ExitCode(); code != c.code {
				t.Errorf("got exit code %d, want %d: %s", code, c.code, p.text())
			}
			for _, want := range []string{c.want, c.also} {
				if !strings.Contains(last, want) {
					t.Errorf("got %s, want %q", last, want)
				}
			}
		})
	}
}
