package site

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flyball/internal/vt"
)

const sample = `schema_version = 1
name = "north"
scenario = "north.toml"
receiver = "127.0.0.1:2525"
keys = "keys"

[bus]
url = "tls://bus.example:4222"
ca = "ca.crt"

[depot]
listen = "127.0.0.1:8400"

[sending]
patience = "1m"

[[station]]
role = "a"

[[station]]
role = "b"
number = 1

[[station]]
role = "b"
number = 2
folder = "/srv/b2"

[[station]]
role = "c"
listen = "127.0.0.1:2526"
domain = "returns.example"

[[station]]
role = "d"
listen = "127.0.0.1:8080"
mail = "127.0.0.1:2527"
`

// Paths are seen from the folder of the file, and each station has a folder of its own.
func TestLoad(t *testing.T) {
	c, err := Load("etc/site.toml", []byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range c.Stations {
		got = append(got, s.Name()+" "+filepath.ToSlash(s.Folder))
	}
	want := "a etc/state/a, b1 etc/state/b1, b2 /srv/b2, c etc/state/c, d etc/state/d"
	if all := strings.Join(got, ", "); all != want {
		t.Errorf("got %s, want %s", all, want)
	}
	if c.Scenario != "etc/north.toml" || c.Bus.CA != "etc/ca.crt" || c.Bus.Cert != "" || c.Servers() != 2 {
		t.Errorf("got %+v", c)
	}
	if s := c.Sending; s.Patience != vt.Minute || s.Chunk != 10000 || s.Lease != 5*vt.Second {
		t.Errorf("got %+v", s)
	}
	more, err := Load("etc/site.toml", []byte(sample+`
domain = "returns.example"

[[station]]
role = "response"
listen = "127.0.0.1:8081"

[[station]]
role = "hybrid"
number = 2
listen = "127.0.0.1:8082"
mail = "127.0.0.1:2528"

[[station]]
role = "storage"
listen = "127.0.0.1:8500"
store = "sqlite:lists.db"
`))
	if err != nil {
		t.Fatal(err)
	}
	got = nil
	for _, s := range more.Stations[5:] {
		got = append(got, s.Name()+" "+filepath.ToSlash(s.Folder))
	}
	if all := strings.Join(got, ", "); all != "response etc/state/response, hybrid2 , storage etc/state/storage" {
		t.Errorf("got %s, want a folder for what keeps something alone", all)
	}
	if s, ok := more.Named(Storage); !ok || filepath.ToSlash(s.Store) != "sqlite:etc/lists.db" {
		t.Errorf("got %+v, %v", s, ok)
	}
	if s, ok := c.Named("b2"); !ok || s.Number != 2 {
		t.Errorf("got %+v, %v", s, ok)
	}
}

// A mistake has its place, what was found and what is wanted.
func TestBadSites(t *testing.T) {
	for _, v := range []struct{ old, new, want string }{
		{`name = "north"`, `name = "North Sea"`, `site.toml:2:8: name: got "North Sea", want`},
		{`name = "north"`, ``, `name: missing`},
		{`scenario = "north.toml"`, ``, `scenario: missing`},
		{`schema_version = 1`, `schema_version = 2`, `schema_version: got 2, want 1`},
		{`"127.0.0.1:2525"`, `"mx.example"`, `site.toml:4:12: receiver: got "mx.example", want IP:PORT`},
		{`keys = "keys"`, ``, `keys: got none, want a folder of keys`},
		{`listen = "127.0.0.1:8400"`, ``, `depot.listen: got none, want IP:PORT`},
		{`[bus]`, `[buss]`, `unknown key "buss"`},
		{`patience = "1m"`, `patiense = "1m"`, `unknown key "patiense"`},
		{`patience = "1m"`, `patience = 60`, `sending.patience: "60" has no unit`},
		{`patience = "1m"`, `patience = "4s"`, `sending.patience: got 4s, want more than the lease of 5s`},
		{`patience = "1m"`, `lease = "500ms"`, `sending.lease: got 500ms, want more than the check of 1s`},
		{`role = "a"`, `role = "e"`, `want one of a, b, c, d, response, hybrid, storage, governor, broker`},
		{`role = "a"`, ``, `station[0].role: missing`},
		{`role = "a"`, `role = "c"` + "\nlisten = \"127.0.0.1:1\"", `got a second c, want one`},
		{`role = "a"`, `role = "d"` + "\nlisten = \"127.0.0.1:1\"", `got no station a, want one`},
		{`role = "a"`, `role = "a"` + "\nnumber = 3", `station[0].number: got a value, want none: role "a"`},
		{`number = 2`, `number = 1`, `station[2].role: got a second b1, want one`},
		{`number = 2`, ``, `station[2].number: missing, want one for role "b"`},
		{`number = 2`, `number = 3`, `got no station b2 below b3, want the numbers without a gap`},
		{`number = 2`, `number = 0`, `station[2].number: got 0, want 1 to 10000`},
		{`folder = "/srv/b2"`, `listen = "127.0.0.1:1"`, `station[2].listen: got a value, want none`},
		{`role = "a"`, `role = "a"` + "\nfolder = \"/srv/x/../b2\"", `station[2].folder: got "/srv/b2"`},
		{`"127.0.0.1:2526"`, `"localhost:2526"`, `station[3].listen: got "localhost:2526", want IP:PORT`},
		{`listen = "127.0.0.1:2526"`, ``, `station[3].listen: missing, want one for role "c"`},
		{`"127.0.0.1:2527"`, `"127.0.0.1:8080"`, `station[4].mail: got "127.0.0.1:8080", where another`},
		{`"returns.example"`, `"Returns.example"`, `station[3].domain: got "Returns.example", want a mail domain`},
		{`"returns.example"`, `"a@returns.example"`, `want a mail domain in lower case`},
	} {
		text := strings.Replace(sample, v.old, v.new, 1)
		if _, err := Load("site.toml", []byte(text)); text == sample || err == nil ||
			!strings.Contains(err.Error(), v.want) {
			t.Errorf("%s instead of %s: got %v, want %s", v.new, v.old, err, v.want)
		}
	}
	for _, v := range []struct{ more, want string }{
		{"role = 'c'\nnumber = 1\nlisten = '127.0.0.1:1'", `station[5].number: got 1, want another: a station c`},
		{"role = 'c'\nnumber = 2\nlisten = '127.0.0.1:1'\ndomain = 'x.example'", `station[5].domain: got "x.exam`},
		{"role = 'c'\nnumber = 2\nlisten = '127.0.0.1:1'\nhard = 3", `station[5].hard: got 3, want it of station c`},
		{"role = 'd'\nnumber = 1\nlisten = '127.0.0.1:1'", `station[5].number: got 1, want another: a station d`},
		{"role = 'storage'\nlisten = '127.0.0.1:1'", `station[5].store: missing, want one for role "storage"`},
		{"role = 'response'\nstore = 'sqlite:x'", `station[5].store: got a value, want none`},
		{"role = 'response'\nlisten = '127.0.0.1:1'\nchanges = '127.0.0.1:2'",
			`station[5].changes: got a value, want none`},
		{"role = 'c'\nnumber = 2\nlisten = '127.0.0.1:1'\nchanges = '127.0.0.1:2'",
			`station[5].changes: got "127.0.0.1:2" and no station storage, want one that fetches them`},
		{"role = 'c'\nnumber = 2\nlisten = '127.0.0.1:1'\nchanges = '127.0.0.1:8080'",
			`station[5].changes: got "127.0.0.1:8080", where another`},
		{"role = 'd'\nnumber = 2\nlisten = '127.0.0.1:1'\nchanges = 'storage'",
			`station[5].changes: got "storage", want IP:PORT`},
		{"role = 'response'", `station[5].listen: missing, want one for role "response"`},
		{"role = 'response'\nlisten = '127.0.0.1:1'\nmail = '127.0.0.1:2'", `station[5].mail: got a value, want none`},
		{"role = 'response'\nlisten = '127.0.0.1:1'\n[[station]]\nrole = 'response'\nlisten = '127.0.0.1:2'",
			`station[6].role: got a second response, want one`},
		{"role = 'hybrid'\nmail = '127.0.0.1:1'", `station[5].listen: missing, want one for role "hybrid"`},
		{"role = 'hybrid'\nlisten = '127.0.0.1:8080'", `station[5].listen: got "127.0.0.1:8080", where another`},
		{"role = 'hybrid'\nlisten = '127.0.0.1:1'\nfolder = 'x'", `station[5].folder: got a value, want none`},
		{"role = 'hybrid'\nlisten = '127.0.0.1:1'\ndomain = 'x.example'", `station[5].domain: got a value, want none`},
		{"role = 'hybrid'\nlisten = '127.0.0.1:1'\nmail = '127.0.0.1:2'", `station[4].domain: got none, want the`},
	} {
		text := sample + "\n[[station]]\n" + v.more + "\n"
		if _, err := Load("site.toml", []byte(text)); err == nil || !strings.Contains(err.Error(), v.want) {
			t.Errorf("%s: got %v, want %s", v.more, err, v.want)
		}
	}
	alone := sample[:strings.Index(sample, "[[station]]\nrole = \"c\"")] + "[[station]]\nrole = 'hybrid'\n" +
		"listen = '127.0.0.1:1'\nmail = '127.0.0.1:2'\n"
	if _, err := Load("site.toml", []byte(alone)); err == nil ||
		!strings.Contains(err.Error(), "no station response or d") ||
		!strings.Contains(err.Error(), "no station that takes mail") {
		t.Errorf("a hybrid before nothing: %v", err)
	}
	both := strings.NewReplacer(`"127.0.0.1:2526"`, `"x"`, "number = 2", "number = 2\nmail = '127.0.0.1:9'").
		Replace(sample)
	if _, err := Load("site.toml", []byte(both)); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("got %v, want both problems", err)
	}
	if _, err := Load("site.toml", nil); err == nil || !strings.Contains(err.Error(), "station: missing") {
		t.Errorf("an empty file: %v", err)
	}
}

// FuzzLoad checks that no file makes the reader panic, and that what it takes is sound.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("station = [{role = 'b', number = 1e3}]\n[bus]\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		c, err := Load("site.toml", src)
		if err != nil {
			return
		}
		if errs := c.Validate(); errs != nil {
			t.Fatalf("a file that was taken has problems: %v", errs)
		}
		for n := range c.Servers() {
			if _, ok := c.Named(Station{Role: B, Number: n + 1}.Name()); !ok {
				t.Fatalf("%d B servers and none has the number %d", c.Servers(), n+1)
			}
		}
	})
}

var update = flag.Bool("update", false, "write the table of keys into docs/serve.md")

// The page about sites has all keys, with what their comments say: go test ./site -update writes them.
func TestKeysAreInTheDocs(t *testing.T) {
	const page, from, to = "../docs/serve.md", "## Keys of a site file\n", "## Figures\n"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), from)
	got, after, ended := strings.Cut(rest, to)
	if !found || !ended {
		t.Fatalf("%s has no part %q before %q", page, from, to)
	}
	var want strings.Builder
	want.WriteString("\n| Key | Meaning | Default |\n|---|---|---|\n")
	for _, k := range Format.Paths() {
		usual := k.Default
		if k.Required {
			usual = "must be given"
		}
		fmt.Fprintf(&want, "| `%s` | %s | %s |\n", k.Path, k.Doc, usual)
	}
	want.WriteString("\n")
	if *update {
		if err := os.WriteFile(page, []byte(before+from+want.String()+to+after), 0o666); err != nil {
			t.Fatal(err)
		}
	} else if got != want.String() {
		t.Errorf("%s: its keys are not those of the program: run go test ./site -update", page)
	}
}
