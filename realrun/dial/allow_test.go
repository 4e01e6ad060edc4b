package dial

import (
	"net/netip"
	"strings"
	"testing"
)

const sample = `schema_version = 1
sender = "Sender.com"
name_servers = ["192.0.2.53:53", "[2001:db8::53]:5353"]

[[allow]]
networks = ["192.0.2.25", "198.51.100.0/24"]
ports = [25, 587]
domains = ["Partner.org", "*.partner.org", "bücher.de"]

[[allow]]
networks = ["2001:db8:25::/64"]
ports = [25]
domains = ["other.net"]

[caps]
per_day = 1000
per_second = 5
`

func load(t *testing.T, text string) *Allowlist {
	t.Helper()
	a, err := Load("allow.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Address, port and domain must stand in one entry; each is compared in its one spelling.
func TestAllowed(t *testing.T) {
	a := load(t, sample)
	if a.Caps != (Caps{1000, 5}) || a.Breakers != (Breakers{0.05, 1, 1, 0.003, 100}) {
		t.Errorf("got %+v, %+v", a.Caps, a.Breakers)
	}
	for _, v := range []struct {
		domain, at string
		want       bool
	}{
		{"partner.org", "192.0.2.25:25", true},
		{"partner.org", "192.0.2.25:587", true},
		{"partner.org", "198.51.100.255:25", true},
		{"partner.org", "[::ffff:192.0.2.25]:25", true}, // the same address
		{"mail.partner.org", "192.0.2.25:25", true},
		{"a.b.partner.org", "192.0.2.25:25", true},
		{"xn--bcher-kva.de", "192.0.2.25:25", true},
		{"other.net", "[2001:db8:25::1]:25", true},
		{"provider.example", "127.0.0.1:2525", true}, // a rehearsal needs no entry
		{"provider.example", "[::1]:2525", true},

		{"partner.org", "192.0.2.26:25", false},
		{"partner.org", "192.0.2.25:465", false},
		{"partner.org", "198.51.101.0:25", false},
		{"partner.org", "[2001:db8:25::1]:25", false}, // the receiver of another domain
		{"other.net", "192.0.2.25:25", false},
		{"other.net", "[2001:db8:25:1::1]:25", false},
		{"notpartner.org", "192.0.2.25:25", false},
		{"partner.org.evil.de", "192.0.2.25:25", false},
		{"sub.other.net", "[2001:db8:25::1]:25", false},
		{"bücher.de", "192.0.2.25:25", false}, // addresses have A-labels
		{"xn--bchr-hpa21b.de", "192.0.2.25:25", false},
		{"p\u0430rtner.org", "192.0.2.25:25", false}, // a Cyrillic letter
		{"xn--prtner-3ve.org", "192.0.2.25:25", false},
		{"PARTNER.ORG", "192.0.2.25:25", false}, // addresses are in lower case
		{"partner.org.", "192.0.2.25:25", false},
		{"partner.org\x00.evil.de", "192.0.2.25:25", false},
		{" partner.org", "192.0.2.25:25", false},
		{"", "192.0.2.25:25", false},
		{"[192.0.2.25]", "192.0.2.25:25", false},
		{".partner.org", "192.0.2.25:25", false},
		{"evil-partner.org", "192.0.2.25:25", false},
		{"provider.example.evil.de", "127.0.0.1:25", false},
		{"partner.org", "[::192.0.2.25]:25", false},
		{"partner.org", "[64:ff9b::192.0.2.25]:25", false},
		{"partner.org", "[2002:c000:219::]:25", false},
		{"partner.org", "[::ffff:192.0.2.25%lo]:25", false},
		{"partner.org", "0.0.0.0:25", false},
		{"partner.org", "127.0.0.1:2525", false}, // a mail server here sends it on
		{"localhost", "127.0.0.1:25", false},
		{"provider.example", "192.0.2.25:25", false},
		{"partner.org", "192.0.2.53:53", false}, // of a name server
	} {
		at := netip.MustParseAddrPort(v.at)
		if err := a.CheckMail(v.domain, at); (err == nil) != v.want || err != nil && !strings.Contains(err.Error(),
			"refused for safety: got ") {
			t.Errorf("%s to %s: %v, want it allowed: %v", v.domain, v.at, err, v.want)
		}
		if err := (*Allowlist)(nil).CheckMail(v.domain, at); (err == nil) != (v.domain == "provider.example" &&
			at.Addr().IsLoopback()) {
			t.Errorf("without an allowlist, %s to %s: %v", v.domain, v.at, err)
		}
	}
	for domain, want := range map[string]bool{"sender.com": true, "news.sender.com": true, "a.example": true,
		"othersender.com": false, "partner.org": false, "localhost": false} {
		if err := a.CheckSender(domain); (err == nil) != want {
			t.Errorf("from %s: %v, want it allowed: %v", domain, err, want)
		}
		if err := (*Allowlist)(nil).CheckSender(domain); (err == nil) != (domain == "a.example") {
			t.Errorf("from %s without an allowlist: %v", domain, err)
		}
	}
	for domain, want := range map[string]bool{"partner.org": true, "x.partner.org": true, "other.net": true,
		"a.example": true, "localhost": false, "x.other.net": false, "org": false, ".partner.org": false} {
		if err := a.CheckDomain(domain); (err == nil) != want {
			t.Errorf("%s: %v, want it allowed: %v", domain, err, want)
		}
	}
}

// A mistake in an allowlist has its place, what was found and what is wanted; all come at once.
func TestBadAllowlists(t *testing.T) {
	for _, v := range []struct{ old, new, want string }{
		{`"192.0.2.25"`, `"mail.partner.org"`, `allow.toml:6:13: allow[0].networks[0]: got "mail.partner.org", want ` +
			`an address, or a network such as 192.0.2.0/24`},
		{`"192.0.2.25"`, `"192.0.2.25/24"`, `got "192.0.2.25/24", want 192.0.2.0/24, or one address without a length`},
		{`"192.0.2.25"`, `"0.0.0.0/0"`, `got "0.0.0.0/0", want a length of 8 or more`},
		{`"192.0.2.25"`, `"128.0.0.0/7"`, `want a length of 8 or more`},
		{`"192.0.2.25"`, `"2000::/15"`, `want a length of 16 or more`},
		{`"192.0.2.25"`, `"0.0.0.0"`, `want no address in 0.0.0.0/8, which means this machine (RFC 1122)`},
		{`"192.0.2.25"`, `"::"`, `which means this machine`},
		{`"192.0.2.25"`, `"169.254.1.1"`, `want no address in 169.254.0.0/16`},
		{`"192.0.2.25"`, `"fe80::/64"`, `want no address in fe80::/10`},
		{`"192.0.2.25"`, `"fe80::1%eth0"`, `want an address, or a network`},
		{`"192.0.2.25"`, `"224.0.0.0/8"`, `want no address in 224.0.0.0/4`},
		{`"192.0.2.25"`, `"255.255.255.255"`, `want no address in 240.0.0.0/4`},
		{`"192.0.2.25"`, `"ff02::1"`, `want no address in ff00::/8`},
		{`"192.0.2.25"`, `"::ffff:192.0.2.25"`, `want the IPv4 address itself, 192.0.2.25`},
		{`"192.0.2.25"`, `"64:ff9b::192.0.2.25"`, `which stands for an IPv4 address`},
		{`"192.0.2.25"`, `"2002::/16"`, `which stands for an IPv4 address`},
		{`"192.0.2.25"`, `"192.0.2.025"`, `want an address, or a network`},
		{`[25, 587]`, `[0]`, `allow.toml:7:10: allow[0].ports[0]: got 0, want 1 to 65535`},
		{`[25, 587]`, `[65536]`, `got 65536, want 1 to 65535`},
		{`[25, 587]`, `[]`, `allow[0].ports: got none, want a port such as 25`},
		{`ports = [25, 587]`, ``, `ports: missing`},
		{`["192.0.2.25", "198.51.100.0/24"]`, `[]`, `allow[0].networks: got none`},
		{`"*.partner.org"`, `"*"`, `allow[0].domains[1]: got "*", want a domain, or a pattern such as "*.example.com"`},
		{`"*.partner.org"`, `"*.org"`, `got "*.org", want two labels or more behind the star`},
		{`"*.partner.org"`, `"a.*.org"`, `got "a.*.org", want a domain, or a pattern`},
		{`"*.partner.org"`, `"ann@partner.org"`, `got "ann@partner.org", want a domain: `},
		{`"*.partner.org"`, `"192.0.2.25"`, `got "192.0.2.25", want a domain: `},
		{`["other.net"]`, `[]`, `allow[1].domains: got none, want a domain`},
		{`"192.0.2.53:53"`, `"ns.partner.org:53"`, `name_servers[0]: got "ns.partner.org:53", want IP:PORT, such as ` +
			`192.0.2.53:53`},
		{`"192.0.2.53:53"`, `"224.0.0.251:5353"`, `name_servers[0]: got "224.0.0.251:5353", a multicast address`},
		{`per_day = 1000`, ``, `per_day: missing`},
		{`per_day = 1000`, `per_day = 0`, `caps.per_day: got 0, want 1 to 100000000`},
		{`per_second = 5`, `per_second = 0`, `caps.per_second: got 0, want 1 to 100000`},
		{`per_second = 5`, "per_second = 5\n[breakers]\nbounces = 1.5", `breakers.bounces: got 1.5, want more than ` +
			`0, at most 1`},
		{`per_second = 5`, "per_second = 5\n[breakers]\ncomplaint = 1", `unknown key "complaint"`},
		{`"Sender.com"`, `"*.sender.com"`, `allow.toml:2:10: sender: got "*.sender.com", want one domain`},
		{`"Sender.com"`, `"news@sender.com"`, `sender: got "news@sender.com", want a domain: `},
		{`sender = "Sender.com"`, ``, `sender: missing`},
		{`schema_version = 1`, `schema_version = 2`, `schema_version: got 2, want 1`},
	} {
		text := strings.Replace(sample, v.old, v.new, 1)
		if _, err := Load("allow.toml", []byte(text)); text == sample || err == nil ||
			!strings.Contains(err.Error(), v.want) {
			t.Errorf("%s instead of %s: got %v, want %s", v.new, v.old, err, v.want)
		}
	}
	both := strings.NewReplacer("198.51.100.0/24", "x", "per_day = 1000", "per_day = -1").Replace(sample)
	if _, err := Load("allow.toml", []byte(both)); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("got %v, want both problems", err)
	}
	if _, err := Load("allow.toml", nil); err == nil || !strings.Contains(err.Error(), "allow: missing") ||
		!strings.Contains(err.Error(), "caps: missing") {
		t.Errorf("an empty file: %v", err)
	}
}
