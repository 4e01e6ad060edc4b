package scenarios

import (
	"reflect"
	"strings"
	"testing"

	"flyball/internal/unit"
	"flyball/internal/vt"
	"flyball/netmodel"
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
		{"destination[0].rtt=80ms", func(s *Scenario) any { return s.Destinations[0].RTT }, netmodel.Constant(80 * vt.Millisecond)},
		{"destination[0].rtt={dist='exponential', mean='1s'}", func(s *Scenario) any { return s.Destinations[0].RTT },
			netmodel.Dist{Dist: "exponential", Mean: vt.Second}},
		{"retry.delays=['1m','2m']\nretry.delays[1]=3m", func(s *Scenario) any { return s.Retry.Delays }, []vt.Span{vt.Minute, 3 * vt.Minute}},
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
		{"destination[x].share=3", `--set destination[x].share: got index "[x]", want one such as [0]`},
		{"destination[0.share=3", `--set destination[0.share: got index "[0", want one such as [0]`},
		{"destination[-1].share=3", `--set destination[-1].share: got index "[-1]", want one such as [0]`},
		{"governer.target=1/h", `--set governer.target: unknown key "governer", did you mean "governor"?`},
		{"governor.traget=1/h", `--set governor.traget: unknown key "traget", did you mean "target"?`},
		{"governor.target=9", `--set governor.target: "9" has no unit, want a rate such as "140000/h" or "24/day"`},
		{"governor.start=x", `--set governor.start: got string "x", want a number 1 to 1000000`},
		{"governor.start=0", `--set governor.start: got 0, want 1 to 1000000`},
		{"governor.step=explicit", `--set governor.step: governor.d: got 0, want more than 0, at most 1000000, with step = "explicit"`},
		{"governor={target=5}", `--set governor.target: "5" has no unit, want a rate such as "140000/h" or "24/day"`},
		{"destination[0].fail=[{at='rcpt',p=0.1}]", `--set destination[0].fail[0]: got reply = 0 and fault = "", want exactly one of them`},
		{"destination[2].share=1", `--set destination[2].share: got index 2, want 0 to 0`},
		{"destination.share=1", `--set destination.share: destination is a list of 1, want an index such as destination[0].share`},
		{"destination[0].dead[0].share=1", `--set destination[0].dead[0].share: got index 0, but the file has no destination[0].dead`},
		{"destnation[0].share=1", `--set destnation[0].share: got index 0, but the file has no destnation (did you mean "destination"?)`},
		{"name[0]=a", `--set name[0]: name is string "small", want a list for [0]`},
		{"name.x=a", `--set name.x: name is string "small", want a table for x`},
		{"about='a", `--set about: got "'a": not TOML: unterminated literal string`},
		{"about=\xff", `--set about: got a value that is not UTF-8`},
		{"schema_version=2", `--set schema_version: scenario version 2, this program reads 1`},
		{"seed=" + strings.Repeat("[", 30), `--set seed: got "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[": not TOML: array is incomplete`},
		{"seed=" + strings.Repeat("[", 30) + strings.Repeat("]", 30), `--set seed: got "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]": nested more than 20 deep`},
		{"seed=1\nname=x", `--set seed: got string "1\nname=x", want a whole number 0 to 9223372036854775807`},
	} {
		s, err := Load("small.toml", []byte(minimal), []string{c.set})
		if s != nil || err == nil || err.Error() != c.want {
			t.Errorf("%q:\ngot  %v\nwant %s", c.set, err, c.want)
		}
	}
}
