package scenarios

import (
	"strings"
	"testing"
)

// The message for a key under the wrong header names the nearest table around that has such a key. Each file gets one
// message only, since a required key that is found elsewhere is not missing.
func TestUnknownKeys(t *testing.T) {
	const head = "schema_version = 1\nname = \"x\"\n"
	const destination = "[[destination]]\nname = \"a\"\n"
	const campaign = "[[campaign]]\nname = \"c\"\nrecipients = 10\n"
	for _, c := range []struct{ name, src, want string }{
		{"the parent has it, other tables too", head + destination +
			"domain = 'a.example'\n[destination.bucket]\nrate = '10/h'\nshare = 3\n" + campaign,
			`f.toml:8:1: destination[0].bucket: unknown key "share", it belongs under [[destination]], before ` +
				`[destination.bucket]`},
		{"and needs it", head + destination + "[destination.bucket]\nrate = '10/h'\ndomain = 'a.example'\n" + campaign,
			`f.toml:7:1: destination[0].bucket: unknown key "domain", it belongs under [[destination]], before ` +
				`[destination.bucket]`},
		{"under an element of a list", head + destination +
			"[[destination.fail]]\nat = 'rcpt'\nreply = 451\np = 0.1\ndomain = 'a.example'\n" + campaign,
			`f.toml:9:1: destination[0].fail[0]: unknown key "domain", it belongs under [[destination]], before ` +
				`[[destination.fail]]`},
		{"the second of a list", head + destination +
			"domain = 'a.example'\n[[destination]]\nname = 'b'\n[destination.bucket]\nrate = '10/h'\ndomain = " +
			"'b.example'\n" + campaign,
			`f.toml:10:1: destination[1].bucket: unknown key "domain", it belongs under [[destination]], before ` +
				`[destination.bucket]`},
		{"two parents have it", head + destination +
			"domain = 'a.example'\n[destination.bucket]\nrate = '10/h'\nname = 'x'\n" + campaign,
			`f.toml:8:1: destination[0].bucket: unknown key "name", it belongs under [[destination]], before ` +
				`[destination.bucket]`},
		{"the root has it", head + destination +
			"domain = 'a.example'\n[destination.bucket]\nrate = '10/h'\nhorizon = '1d'\n" + campaign,
			`f.toml:8:1: destination[0].bucket: unknown key "horizon", it belongs at the top of the file, before the ` +
				`first [table]`},
		{"the root needs it", "schema_version = 1\n" + destination + "domain = 'a.example'\n[governor]\nname = 'x'\n" +
			campaign,
			`f.toml:6:1: governor: unknown key "name", it belongs at the top of the file, before the first [table]`},
		{"a child of two tables", head + "[dialogue.timeouts]\ndns = '3s'\npipelining = true\n" + destination +
			"domain = 'a.example'\n" + campaign,
			`f.toml:5:1: dialogue.timeouts: unknown key "pipelining", it belongs under [dialogue], before ` +
				`[dialogue.timeouts]`},
		{"in an inline table", head + destination + "bucket = {rate = '10/h', domain = 'a.example'}\n" + campaign,
			`f.toml:5:26: destination[0].bucket: unknown key "domain", it belongs under [[destination]]`},
		{"misspelt too", head + destination + "domain = 'a.example'\n[destination.bucket]\nrate = '10/h'\nshrae = 3\n" +
			campaign,
			`f.toml:8:1: destination[0].bucket: unknown key "shrae" (did you mean "share" under [[destination]], ` +
				`before [destination.bucket]?)`},
		{"misspelt and needed", head + destination + "[destination.bucket]\nrate = '10/h'\ndomian = 'a.example'\n" +
			campaign,
			`f.toml:7:1: destination[0].bucket: unknown key "domian" (did you mean "domain" under [[destination]], ` +
				`before [destination.bucket]?)`},
		{"misspelt here", head + destination + "domain = 'a.example'\n[destination.bucket]\nrat = '10/h'\n" + campaign,
			`f.toml:7:1: destination[0].bucket: unknown key "rat" (did you mean "rate"?)`},
		{"of a sibling", head + destination + "domain = 'a.example'\nwhitelist_for = '3d'\n" + campaign,
			`f.toml:6:1: destination[0]: unknown key "whitelist_for", it belongs under [destination.greylist]`},
		{"of two tables elsewhere", head + destination +
			"domain = 'a.example'\n[destination.bucket]\nrate = '10/h'\ntarget = '1/h'\n" + campaign,
			`f.toml:8:1: destination[0].bucket: unknown key "target", it belongs under [governor] or ` +
				`[[governor.change]]`},
		{"of nothing", head + destination + "domain = 'a.example'\n[destination.bucket]\nrate = '10/h'\nzzzzzz = 1\n" +
			campaign,
			`f.toml:8:1: destination[0].bucket: unknown key "zzzzzz", known here: rate, burst, reply, enhanced, text`},
	} {
		_, err := Load("f.toml", []byte(c.src), nil)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\ngot  %v\nwant %s", c.name, err, c.want)
		}
	}
}

// Of many problems, the first ones in the file are shown and the rest are counted.
func TestManyProblems(t *testing.T) {
	const shown = 25 // one by one
	for n, want := range map[int]string{shown: "", shown + 1: "\nf.toml: more problems, not shown: 1",
		500: "\nf.toml: more problems, not shown: 475"} {
		_, err := Load("f.toml", []byte(manyKeys(n-5)+minimal+"[retry]\n"+manyKeys(5)), nil)
		if err == nil {
			t.Fatal("it loads")
		}
		lines := strings.Split(err.Error(), "\n")
		if !strings.HasPrefix(lines[0], `f.toml:1:1: unknown key "key0"`) ||
			!strings.HasPrefix(lines[shown-6], "f.toml:20:1: ") {
			t.Errorf("%d: got %v", n, err)
		}
		if got := strings.Join(lines[shown:], "\n"); got != strings.TrimPrefix(want, "\n") {
			t.Errorf("%d: ends in %q, want %q", n, got, want)
		}
	}
}
