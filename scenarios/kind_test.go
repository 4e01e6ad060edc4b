package scenarios

import "testing"

func TestKindOf(t *testing.T) {
	for _, name := range Names() {
		src, _ := Builtin(name)
		if got := KindOf(src); got != AScenario {
			t.Errorf("%s: got %q", name, got)
		}
	}
	for src, want := range map[string]Kind{
		minimal:                                AScenario,
		"\ufeffname = 'x'\r\n[[campaign]]\r\n": AScenario,
		"schema_version = 1\nhorizon = '1d'\n[governor]\nlaw = 'hold'\n":     AScenario,
		"name = 'x'\nscenario = 'quickstart'\n[[parameter]]\nkey = 'seed'\n": AStudy,
		// though it is not TOML to its end
		"name = 'x'\nscenario = 'quickstart'\n[[parameter]\nkey = 'seed'\n": AStudy,
		"# a law\n[governor]\nlaw = 'hold'\n":                               ALaw,
		"name = 'begun'\n[governor]\nlaw = 'hold'\n":                        AnyKind,
		"[retry]\nlimit = 3\n":                                              ALaw,
		`{"schema":"flyball/promotion","number":1}` + "\n" + `{"x":1}`:      Promotions,
		`{"schema":"flyball/summary"}`:                                      AJSON,
		"{\n  \"schema\": 1\n}\n":                                           AJSON,
		"[\n  {\"schema\": 1}\n]\n":                                         AJSON,
		"[1, 2]":                                                            AJSON,
		"email,name\na@x.test,A\n":                                          AList,
		"Name;\"Email\"\n":                                                  AList,
		"email":                                                             AList,
		"server,interval,hours,delivered\n":                                 Intervals,
		"delivered,allocated_mean\n":                                        Intervals,
		"allocated\tdfr\tlimit\n1\t2\t3\n":                                  ATable,
		"Subject: Hello\n\nText":                                            ALetter,
		"":                                                                  AnyKind,
		"# nothing\n":                                                       AnyKind,
		"x = 1\n":                                                           AnyKind,
		"What is this?":                                                     AnyKind,
		"\x1f\x8b\x08":                                                      AnyKind,
	} {
		if got := KindOf([]byte(src)); got != want {
			t.Errorf("%q: got %q, want %q", src, got, want)
		}
	}
}
