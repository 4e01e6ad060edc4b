package live

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flyball/realrun/wire"
)

// Sessions with receivers of others are encrypted where these can, unless the operator asks for more or less.
func TestSecurity(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		at := filepath.Join(dir, name)
		if err := os.WriteFile(at, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return at
	}
	sound := write("sound", "me\nsecret word\n", 0o600)
	for _, v := range []struct {
		name    string
		ask     Security
		foreign bool
		want    wire.Encryption
		err     string
	}{
		{"own receivers", Security{}, false, wire.Clear, ""},
		{"not asked", Security{}, true, wire.Opportunistic, ""},
		{"none", Security{TLS: "none"}, true, wire.Clear, ""},
		{"verified, with a login", Security{TLS: "verified", Login: sound}, true, wire.Verified, ""},
		{"unknown", Security{TLS: "maybe"}, true, 0, `--tls: got "maybe", want one of none, opportunistic`},
		{"own, encrypted", Security{TLS: "required"}, false, 0, "want --receiver or --resolver too"},
		{"own, with a login", Security{Login: sound}, false, 0, "--login: got"},
		{"a login that others read", Security{Login: write("open", "me\nsecret\n", 0o644)}, true, 0, "--login"},
		{"a login of one line", Security{Login: write("one", "me:secret\n", 0o600)}, true, 0,
			"got 1 lines, want two: the user, and the password"},
	} {
		q := Default()
		if v.foreign {
			q.Receiver = "127.0.0.1:25"
		}
		var got wire.Security
		err := v.ask.validate(&q)
		if err == nil {
			got, err = v.ask.read(&q)
		}
		if (err == nil) != (v.err == "") || err != nil && !strings.Contains(err.Error(), v.err) {
			t.Errorf("%s: got error %v, want %q", v.name, err, v.err)
		}
		if err == nil && (got.Encryption != v.want || (got.Login != nil) != (v.ask.Login != "")) {
			t.Errorf("%s: got %+v, want %s", v.name, got, v.want)
		}
		if got.Login != nil && *got.Login != (wire.Login{User: "me", Password: "secret word"}) {
			t.Errorf("%s: got another login", v.name)
		}
	}
}

// A plan refuses a password that the run could not read.
func TestPlanReadsThePassword(t *testing.T) {
	q := Default()
	q.From.Arg, q.Receiver = "quickstart", "127.0.0.1:2525"
	if _, err := q.Plan(); err != nil {
		t.Fatal(err)
	}
	q.Security.Login = filepath.Join(t.TempDir(), "missing")
	if _, err := q.Plan(); err == nil || !strings.HasPrefix(err.Error(), "--login: ") {
		t.Errorf("got %v, want the file refused", err)
	}
}
