package scenarios

import (
	"reflect"
	"strings"
	"testing"

	"flyball/internal/unit"
	"flyball/internal/vt"
	"flyball/netmodel/delay"
)

func TestSet(t *testing.T) {
	src := []byte(minimal)
	for _, c := range []struct {
		set  string // entries, one a line
		got  func(s *Scenario) any
		want any
	}{
		{"seed=7", func(s *Scenario) any { return s.Seed }, uint64(7)},
		{"governor.target=150000/h", func(s *Scenario) any { return s.Governor.Target }, unit.PerHour(150000)},
		{"governor.interval = 3m", func(s *Scenario) any { return s.Governor.Interval }, 3 * vt.Minute},
		{`governor.law="hold"`, func(s *Scenario) any { return s.Governor.Law }, "hold"},
		{"governor.law=hold", func(s *Scenario) any { return s.Governor.Law }, "hold"},
		{"governor={law='hold', start=3}", func(s *Scenario) any { return s.Governor.Start }, 3.0},
		{"destination[0].share=0.5", func(s *Scenario) any { return s.Destinations[0].Share }, 0.5},
		{"destination[0].rtt=80ms", func(s *Scenario) any { return s.Destinations[0].RTT },
			delay.Constant(80 * vt.Millisecond)},
		{"destination[0].rtt={dist='exponential', mean='1s'}", func(s *Scenario) any { return s.Destinations[0].RTT },
			delay.Dist{Dist: "exponential", Mean: vt.Second}},
		{"retry.delays=['1m','2m']\nretry.delays[1]=3m", func(s *Scenario) any { return s.Retry.Delays },
			[]vt.Span{vt.Minute, 3 * vt.Minute}},
		{"seed=7\nseed=8", func(s *Scenario) any { return s.Seed }, uint64(8)},
		{"about=it's [not] {toml}", func(s *Scenario) any { return s.About }, "it's [not] {toml}"},
		{"about=a = b", func(s *Scenario) any { return s.About }, "a = b"},
		{"about=", func(s *Scenario) any { return s.About }, ""},
	} {
		s, err := Load("small.toml", src, strings.Split(c.set, "\n"))
		if err != nil {
			t.Errorf("%s: %v", c.set, err)
		} else if got := c.got(s); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.set, got, c.want)
		}
	}
}

func TestBadSet(t *testing.T) {
	for _, c := range []struct{ set, want string }{
		{"seed", `--set seed: want path.to.key=value`},
		{"=3", `--set =3: want path.to.key=value`},
		{"a..b=3", `--set a..b: got key "a..b", want one such as governor.target or destination[0].share`},
		{"destination[x].share=3", `--set destination[x].share: no destination is called "x", want one of a`},
		{"destination[0.share=3", `--set destination[0.share: got "[0.share", want an index such as [0], or a name ` +
			`such as [big]`},
		{"destination[0]x.share=3", `--set destination[0]x.share: got key "destination[0]x.share", want one such as ` +
			`governor.target or destination[0].share`},
		{"destination[].share=3", `--set destination[].share: got "[]", want an index such as [0], or a name such as ` +
			`[big]`},
		{"destination[-1].share=3", `--set destination[-1].share: got "[-1]", want an index such as [0], or a name ` +
			`such as [big]`},
		{"governer.target=1/h", `--set governer.target: unknown key "governer" (did you mean "governor"?)`},
		{"governor.traget=1/h", `--set governor.traget: unknown key "traget" (did you mean "target"?)`},
		{"governor.target=9", `--set governor.target: "9" has no unit, want a rate such as "140000/h" or "24/day"`},
		{"governor.start=x", `--set governor.start: got string "x", want a number 1 to 1000000`},
		{"governor.start=0", `--set governor.start: got 0, want 1 to 1000000`},
		{"governor.step=explicit", `--set governor.step: governor.d: got 0, want more than 0, at most 1000000, with ` +
			`step = "explicit"`},
		{"governor={target=5}", `--set governor.target: "5" has no unit, want a rate such as "140000/h" or "24/day"`},
		{"destination[0].fail=[{at='rcpt',p=0.1}]",
			`--set destination[0].fail[0]: got reply = 0 and fault = "", want exactly one of them`},
		{"destination[2].share=1", `--set destination[2].share: got index 2, want 0 to 0`},
		{"destination.share=1", `--set destination.share: destination is a list of 1, want an index such as ` +
			`destination[0].share`},
		{"destination[0].dead[0].share=1",
			`--set destination[0].dead[0].share: got [0], but the file has no destination[0].dead`},
		{"destnation[0].share=1", `--set destnation[0].share: got [0], but the file has no destnation (did you mean ` +
			`"destination"?)`},
		{"name[0]=a", `--set name[0]: name is string "small", want a list for [0]`},
		{"name.x=a", `--set name.x: name is string "small", want a table for x`},
		{"about='a", `--set about: got "'a": not TOML: unterminated literal string`},
		{"about=\xff", `--set about: got a value that is not UTF-8`},
		{"schema_version=2", `--set schema_version: scenario version 2, this program reads 1`},
		{"seed=" + strings.Repeat("[", 30),
			`--set seed: got "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[": not TOML: array is incomplete`},
		{"seed=" + strings.Repeat("[", 30) + strings.Repeat("]", 30),
			`--set seed: got "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]": nested more than 20 deep`},
		{"seed=1\nname=x", `--set seed: got string "1\nname=x", want a whole number 0 to 9223372036854775807`},
	} {
		s, err := Load("small.toml", []byte(minimal), []string{c.set})
		if s != nil || err == nil || err.Error() != c.want {
			t.Errorf("%q:\ngot  %v\nwant %s", c.set, err, c.want)
		}
	}
	empty := strings.Replace(minimal, "[[campaign]]", "drift = []\n[[campaign]]", 1)
	const want = `--set destination[0].drift[0].factor: got [0], but destination[0].drift is empty`
	if _, err := Load("small.toml", []byte(empty), []string{"destination[0].drift[0].factor=2"}); err == nil ||
		err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A key of --set names its table, so no other table's keys are suggested; an element of a list may
// be named by its name.
func TestSetByName(t *testing.T) {
	src := []byte(strings.Replace(minimal, "[[campaign]]", `[[destination]]
name = "b.2 [x"
domain = "b.example"
[[server]]
[[server]]
name = "far"
[[campaign]]`, 1))
	s, err := Load("f.toml", src, []string{"destination[a].cap=7", "destination[b.2 [x].cap=8", "server[b1].share=2",
		"server[far].share=3", "campaign[c].recipients=9"})
	if err != nil {
		t.Fatal(err)
	}
	if d, v := s.Destinations, s.Servers; d[0].Cap != 7 || d[1].Cap != 8 || v[0].Share != 2 || v[1].Share != 3 ||
		s.Campaigns[0].Recipients != 9 {
		t.Errorf("got %+v", s)
	}
	for set, want := range map[string]string{
		"destination[a].cap=x":     `--set destination[a].cap: got string "x", want a whole number 0 to 1000000`,
		"destination[a].rtt={x=1}": `--set destination[a].rtt: unknown key "x", known here: `,
		"destination[0].limit=3":   `--set destination[0].limit: unknown key "limit", known here: name, domain, `,
		"destination[0].target=3":  `--set destination[0].target: unknown key "target" (did you mean "tarpit"?)`,
		"governor.delays=3":        `--set governor.delays: unknown key "delays", known here: law, scope, `,
		"destination[0].bucket.domain=x": `--set destination[0].bucket.domain: ` +
			`unknown key "domain", known here: rate, `,
		"server[fra].share=2": `--set server[fra].share: no server is called "fra", want one of b1, far ` +
			`(did you mean "far"?)`,
		"retry.delays[x]=1m": `--set retry.delays[x]: got [x], but the file has no retry.delays`,
		"retry[x].limit=1":   `--set retry[x].limit: got [x], but the file has no retry`,
		"name[x]=1":          `--set name[x]: name is string "small", want a list for [x]`,
	} {
		if _, err := Load("f.toml", src, []string{set}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s:\ngot  %v\nwant %s", set, err, want)
		}
	}
	if _, err := Load("f.toml", src, []string{"retry.delays=['1m']", "retry.delays[x]=2m"}); err == nil ||
		err.Error() !=
			"--set retry.delays[x]: got retry.delays[x], want an index such as retry.delays[0]: "+
				"none of its 1 elements has a name" {
		t.Error(err)
	}
}
