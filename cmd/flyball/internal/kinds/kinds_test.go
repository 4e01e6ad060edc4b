package kinds

import (
	"testing"

	"flyball/scenarios"
)

func TestOf(t *testing.T) {
	for _, name := range scenarios.Names() {
		src, _ := scenarios.Builtin(name)
		if got := Of(src); got != Scenario {
			t.Errorf("%s: got %q", name, got)
		}
	}
	for src, want := range map[string]Kind{
		"schema_version = 1\nname = 'small'\n[[destination]]\nname = 'a'\n":  Scenario,
		"\ufeffname = 'x'\r\n[[campaign]]\r\n":                               Scenario,
		"schema_version = 1\nhorizon = '1d'\n[governor]\nlaw = 'hold'\n":     Scenario,
		"name = 'x'\nscenario = 'quickstart'\n[[parameter]]\nkey = 'seed'\n": Study,
		// though it is not TOML to its end
		"name = 'x'\nscenario = 'quickstart'\n[[parameter]\nkey = 'seed'\n": Study,
		"# a law\n[governor]\nlaw = 'hold'\n":                               Law,
		"name = 'begun'\n[governor]\nlaw = 'hold'\n":                        Any,
		"[retry]\nlimit = 3\n":                                              Law,
		`{"schema":"flyball/promotion","number":1}` + "\n" + `{"x":1}`:      Promotions,
		`{"schema":"flyball/summary"}`:                                      JSON,
		"{\n  \"schema\": 1\n}\n":                                           JSON,
		"[\n  {\"schema\": 1}\n]\n":                                         JSON,
		"[1, 2]":                                                            JSON,
		"email,name\na@x.test,A\n":                                          List,
		"Name;\"Email\"\n":                                                  List,
		"email":                                                             List,
		"server,interval,hours,delivered\n":                                 Intervals,
		"delivered,allocated_mean\n":                                        Intervals,
		"allocated\tdfr\tlimit\n1\t2\t3\n":                                  Table,
		"Subject: Hello\n\nText":                                            Letter,
		"":                                                                  Any,
		"# nothing\n":                                                       Any,
		"x = 1\n":                                                           Any,
		"What is this?":                                                     Any,
		"\x1f\x8b\x08":                                                      Any,
	} {
		if got := Of([]byte(src)); got != want {
			t.Errorf("%q: got %q, want %q", src, got, want)
		}
	}
}
