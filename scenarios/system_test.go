package scenarios_test

import (
	"strings"
	"testing"

	"flyball/scenarios"
)

const sending = `schema_version = 1
name = "x"
[sender]
check = "10s"
[[server]]
name = "b1"
[[destination]]
name = "p"
domain = "p.example"
returned = { share = 0.5, after = "1m" }
[[campaign]]
name = "m"
recipients = 10
asks = { share = 0.5 }
`

// What cannot work, or would have no effect, is an error at its place.
func TestSendingServerProblems(t *testing.T) {
	fault := func(server string) string {
		return "[[fault]]\nserver = \"" + server + "\"\nkind = \"kill\"\nat = \"1m\"\nfor = \"1m\"\n"
	}
	for _, c := range []struct{ name, text, want string }{
		{"right", sending + fault("returns") + fault("requests"), ""},
		{"two servers of one name", strings.Replace(sending, "b1", "returns", 1), "server[0].name: got \"returns\""},
		{"returned mail that is ignored", sending + "[returns]\nignored = true\n" + fault("returns"),
			"fault[0].server: got \"returns\", want one of sender, requests, b1"},
		{"requests that are ignored", sending + "[requests]\nignored = true\n" + fault("requests"),
			"fault[0].server: got \"requests\", want one of sender, returns, b1"},
		{"a name that is free", strings.Replace(sending, "b1", "returns", 1) + "[returns]\nignored = true\n", ""},
		{"a lease that ends before it comes", sending + "[disk]\ncommit = \"30s\"\n",
			"sender.lease: got 1m, want more than 2m10.04s: "},
		{"a lease that ends with the slowest renewal", sending + "[disk]\ncommit = \"12490ms\"\n",
			"sender.lease: got 1m, want more than 1m: "},
		{"a quick disk", sending + "[disk]\ncommit = \"12s\"\n", ""},
	} {
		_, err := scenarios.Load("test", []byte(c.text), nil)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}
