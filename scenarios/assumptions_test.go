package scenarios

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"flyball/engine/delivery/retry"
	"flyball/governor"
	"flyball/governor/feedback"
	"flyball/internal/conf"
	"flyball/internal/tomlfile"
	"flyball/internal/unit"
	"flyball/internal/vt"
	"flyball/netmodel/delay"
)

// notNumbers are keys of whole numbers that name something.
var notNumbers = []string{"schema_version", "seed", "time_scale", "destination[].greylist.reply",
	"destination[].dead[].reply", "destination[].fail[].reply",
	"destination[].bucket.reply", "destination[].allowance[].reply", "destination[].refuse[].reply",
	"destination[].penalty.reply", "destination[].throttle.reply", "destination[].reply[].code", "reply[].code",
	"destination[].mailbox[].reply", "expect[].value"}

// numbersOf lists the keys of all numbers below a type.
func numbersOf(t reflect.Type, key string) []string {
	var all []string
	for _, f := range keys.Of(t) {
		key := conf.Below(key, f.Name)
		switch {
		case f.Type == reflect.TypeFor[vt.Span](), f.Type == reflect.TypeFor[unit.PerHour](),
			f.Type == reflect.TypeFor[unit.Bytes](),
			f.Type == reflect.TypeFor[delay.Dist](), f.Type == reflect.TypeFor[feedback.Amount](),
			f.Type == reflect.TypeFor[[]vt.Span]():
			all = append(all, key)
		case f.Type.Kind() == reflect.Struct:
			all = append(all, numbersOf(f.Type, key)...)
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
			all = append(all, numbersOf(f.Type.Elem(), key+"[]")...)
		case slices.Contains([]reflect.Kind{reflect.Int, reflect.Float64, reflect.Uint64}, f.Type.Kind()):
			all = append(all, key)
		}
	}
	return all
}

// A new number of the file format needs a source.
func TestEveryNumberHasASource(t *testing.T) {
	statuses := map[string]string{}
	declared(reflect.TypeFor[Scenario](), "", func(key string, f conf.Key) { statuses[key] = f.Status })
	for _, key := range numbersOf(reflect.TypeFor[Scenario](), "") {
		status := statuses[key]
		if name := slices.Contains(notNumbers, key); name != (status == "") {
			t.Errorf("%s: status %q, want one for each number, and none for what is no number: %v", key, status, name)
		}
	}
	declared(reflect.TypeFor[Scenario](), "", func(key string, f conf.Key) {
		if f.Status != "" && !slices.Contains([]string{Measured, Derived, Assumed, ByAuthor}, f.Status) ||
			(f.Status == ByAuthor || f.Status == "") != (f.Source == "") {
			t.Errorf("%s: status %q, source %q", key, f.Status, f.Source)
		}
	})
}

// declared calls f for each key below a type, in the order of the file format.
func declared(t reflect.Type, path string, f func(key string, k conf.Key)) {
	for _, k := range keys.Of(t) {
		key := conf.Below(path, k.Name)
		f(key, k)
		switch {
		case k.Type == reflect.TypeFor[delay.Dist](), tomlfile.IsText(k.Type):
		case k.Type.Kind() == reflect.Struct:
			declared(k.Type, key, f)
		case k.Type.Kind() == reflect.Slice && k.Type.Elem().Kind() == reflect.Struct:
			declared(k.Type.Elem(), key+"[]", f)
		}
	}
}

// generated compares the text between two comments of a page with the text that
// the declarations give; -update writes it there.
func generated(t *testing.T, page, name, want string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+name+": written by go test ./scenarios -update -->\n", "<!-- end of "+name+" -->"
	before, rest, ok := strings.Cut(string(text), begin)
	got, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s: got no part %s, want one between %q and %q", page, name, begin, end)
	}
	want = "\n" + want + "\n"
	if *update {
		if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got != want {
		t.Errorf("%s, %s: got\n%s\nwant\n%s", page, name, got, want)
	}
}

func TestModelPageListsTheDefaults(t *testing.T) {
	var table strings.Builder
	table.WriteString("| Key | Default | Range | Status | Source |\n|---|---|---|---|---|\n")
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		for _, f := range keys.Of(v.Type()) {
			key, value := conf.Below(path, f.Name), v.Field(f.Index)
			if f.Source != "" {
				usual := "none"
				if value.Kind() != reflect.Slice || value.Len() > 0 {
					usual = inWords(value)
				}
				if f.Absent(value) {
					usual = "none"
				}
				within := ""
				if f.Low != "" {
					within = f.Within()
				}
				fmt.Fprintf(&table, "| `%s` | %s | %s | %s | %s |\n", key, usual, within, f.Status, f.Source)
			}
			switch {
			case f.Type.Kind() == reflect.Struct && !tomlfile.IsText(f.Type):
				walk(value, key)
			case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
				walk(format.Element(f.Type.Elem()), key+"[]")
			}
		}
	}
	walk(reflect.ValueOf(Default()), "")
	generated(t, "../docs/model.md", "defaults", table.String())
}

func TestLawsPageListsTheLaws(t *testing.T) {
	var table strings.Builder
	table.WriteString("| Law | Kind | What it does | Parameters | Columns of recorded samples that it needs " +
		"|\n|---|---|---|---|---|\n")
	for _, l := range governor.Laws() {
		parameters := ""
		if l.Key != "" {
			parameters = "`[governor." + l.Key + "]`"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s | %s |\n", l.Name, l.Kind, l.Doc, parameters,
			strings.Join(l.Inputs, ", "))
	}
	generated(t, "../docs/laws.md", "laws", table.String())
}

func TestRetriesPageListsThePolicies(t *testing.T) {
	var table strings.Builder
	table.WriteString("| Policy | Its limit | Keys that it uses beside those of every policy |\n|---|---|---|\n")
	for _, p := range retry.Policies() {
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", p.Name, p.Doc, strings.Join(p.Keys, ", "))
	}
	generated(t, "../docs/retries.md", "policies", table.String())
}

const doubtful = `
schema_version = 1
name = "doubtful"
[governor]
step = "explicit"
d = 8
[network]
per_hop = "2ms"
[network.dns]
hit_ratio = 0.6
hit = "1ms"
[[server]]
name = "b1"
[[destination]]
name = "big"
domain = "big.example"
cap = 1
banner = { dist = "uniform", min = "10ms", max = "30ms" }
dot = { dist = "lognormal", median = "2s", sigma = 0.5 }
dead = [{ share = 0.3 }]
fail = [{ at = "connect", fault = "timeout", p = 0.02 }, { at = "dot", reply = 451, p = 0.03 }]
[[destination]]
name = "small"
domain = "small.example"
[[campaign]]
name = "news"
recipients = 100
`

func rows(t *testing.T, text string) (*Scenario, map[string]Assumption) {
	t.Helper()
	s, err := Load("test", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]Assumption{}
	for _, a := range s.Assumptions() {
		if _, twice := all[a.Key]; twice {
			t.Errorf("%s is listed twice", a.Key)
		}
		all[a.Key] = a
	}
	return s, all
}

func TestAssumptions(t *testing.T) {
	_, got := rows(t, doubtful)
	for _, want := range []Assumption{
		{Key: "governor.d", Value: "8", Status: "scenario",
			Source: "instead of 0, which is derived: no explicit step: [0067] gives it"},
		{Key: "governor.target", Value: "140000/h", Status: "derived", Source: "Table 1"},
		{Key: "retry.delays", Value: "30m, 30m, 2h, 3h", Status: "derived",
			Source: "RFC 5321 4.5.4.1: at least 30 minutes, two tries in the first hour, then every 2 or 3 hours"},
		{Key: "message.size", Value: "45kB", Status: "assumed", Source: "median campaign"},
		{Key: "network.per_hop", Value: "2ms", Status: "scenario",
			Source: "instead of 0s, which is measured: Fei et al.: hops do not predict delay"},
		{Key: "network.dns.hit_ratio", Value: "0.6", Status: "scenario",
			Source: "instead of 0.9, which is assumed: TTL 300-3600 s at bulk rates"},
		// written down, but the default
		{Key: "network.dns.hit", Value: "1ms", Status: "assumed", Source: "local resolver"},
		{Key: "network.dns.miss", Value: "lognormal median 22.4ms sigma 1.957", Status: "derived",
			Source: "Brandhorst & Pras: mean 152 ms, 90 % within 275 ms"},
		{Key: "network.hops.max", Value: "32", Status: "derived",
			Source: "Fei et al.: 90 % of US hosts within 18 hops"},
		{Key: "server[0].contention", Of: "b1", Value: "0", Status: "assumed",
			Source: "no fit for an MTA was found: it never slows down"},
		{Key: "destination[0].banner", Of: "big", Value: "uniform min 10ms max 30ms", Status: "scenario",
			Source: "instead of lognormal median 40ms sigma 1, which is assumed: not calibrated"},
		{Key: "destination[0].dead[0].share", Of: "big", Value: "0.3", Status: "scenario",
			Source: "chosen: 550 at rcpt"},
		{Key: "destination[0].fail[0].p", Of: "big", Value: "0.02", Status: "scenario",
			Source: "chosen: timeout at connect"},
		{Key: "destination[0].fail[1].p", Of: "big", Value: "0.03", Status: "scenario", Source: "chosen: 451 at dot"},
		{Key: "destination[1].fail", Of: "small", Value: "none", Status: "assumed", Source: "the receiver never fails"},
		{Key: "destination[1].share", Of: "small", Value: "1", Status: "assumed", Source: "equal parts"},
		{Key: "campaign[0].recipients", Of: "news", Value: "100", Status: "scenario", Source: "chosen"},
	} {
		a := got[want.Key]
		a.value, a.field = reflect.Value{}, conf.Key{}
		if fmt.Sprint(a) != fmt.Sprint(want) {
			t.Errorf("got  %+v\nwant %+v", a, want)
		}
	}
	for _, no := range []string{"governor.factor", "server[0].share", "seed", "destination[0].fail",
		"destination[0].dead[0].reply"} {
		if a, there := got[no]; there {
			t.Errorf("%s is listed: %+v", no, a)
		}
	}
	_, plain := rows(t, minimal)
	if _, d := plain["governor.d"]; d || plain["governor.factor"].Value != "1/h" ||
		plain["destination[0].share"].Key != "" {
		t.Errorf("without an explicit step and with one destination: %+v", plain)
	}
}

func TestScaled(t *testing.T) {
	_, got := rows(t, doubtful)
	for _, c := range []struct {
		key    string
		factor float64
		want   string
	}{
		{"governor.d", 0.5, "governor.d=4"},
		{"governor.target", 2, "governor.target=280000/h"},
		{"message.size", 0.5, "message.size=22500B"},
		{"network.per_hop", 2, "network.per_hop=4ms"},
		{"network.hop_loss", 2, ""},                             // 0 stays 0
		{"network.dns.hit_ratio", 2, "network.dns.hit_ratio=1"}, // a probability ends there
		{"network.dns.hit_ratio", 0.5, "network.dns.hit_ratio=0.3"},
		{"network.dns.hit", 0.5, "network.dns.hit=500µs"},
		{"network.dns.miss", 2, `network.dns.miss={dist = "lognormal", median = "44.8ms", sigma = 1.957}`},
		{"network.retransmissions", 0.5, "network.retransmissions=3"},
		{"destination[0].banner", 0.5, `destination[0].banner={dist = "uniform", min = "5ms", max = "15ms"}`},
		{"destination[0].rtt", 2, `destination[0].rtt={dist = "gamma", mean = "161ms", shape = 2.3}`},
		{"destination[0].cap", 0.5, ""}, // 0.5 is rounded to 1, which it was
		{"destination[0].cap", 2, "destination[0].cap=2"},
		{"destination[1].fail", 2, ""},
		{"retry.delays", 2, ""}, // several numbers
	} {
		a, ok := got[c.key]
		if s := a.Scaled(c.factor); !ok || s != c.want {
			t.Errorf("%s x %g: got %q, want %q", c.key, c.factor, s, c.want)
		}
		if v := a.ScaledNumber(c.factor); (v == "") != (c.want == "") {
			t.Errorf("%s x %g: number %q", c.key, c.factor, v)
		}
	}
	for key, want := range map[string][2]string{
		"destination[0].rtt": {"80.5ms", "40.25ms"}, "destination[0].dot": {"2s", "1s"},
		"destination[0].banner": {"10ms to 30ms", "5ms to 15ms"},
		"network.dns.hit":       {"1ms", "500µs"}, "destination[0].fail[0].p": {"0.02", "0.01"},
		"destination[1].fail": {"none", ""},
	} {
		if n, half := got[key].Number(), got[key].ScaledNumber(0.5); n != want[0] || half != want[1] {
			t.Errorf("%s: %q and half of it %q, want %q", key, n, half, want)
		}
	}
}

// The scenario then has the scaled number, and all its other numbers stay.
func TestScaledMovesOneNumber(t *testing.T) {
	tried := 0
	for _, name := range []string{"quickstart", "lossy-hops", "throttling-provider"} {
		text, _ := Builtin(name)
		s, before := rows(t, string(text))
		for _, a := range s.Assumptions() {
			for _, factor := range []float64{0.5, 2} {
				set := a.Scaled(factor)
				if set == "" {
					continue
				}
				v, err := s.With(set)
				if err != nil {
					t.Errorf("%s: %s: %v", name, set, err)
					continue
				}
				tried++
				for _, b := range v.Assumptions() {
					if want := before[b.Key].Value; b.Key != a.Key && b.Value != want {
						t.Errorf("%s: %s moves %s to %s", name, set, b.Key, b.Value)
					} else if b.Key == a.Key && (b.Number() != a.ScaledNumber(factor) || b.Value == want) {
						t.Errorf("%s: %s: %s, announced as %q, was %s", name, set, b.Number(), a.ScaledNumber(factor),
							want)
					}
				}
			}
		}
	}
	if tried < 200 {
		t.Errorf("%d numbers were scaled", tried)
	}
}

func TestInDoubt(t *testing.T) {
	_, got := rows(t, doubtful)
	for key, want := range map[string]bool{
		"governor.start": true, "campaign[0].subset": true, "dialogue.timeouts.dns": true, "message.size": true,
		"destination[0].dot": true,
		"destination[0].rtt": true, "network.per_hop": true, "destination[0].fail[0].p": true, "network.dns.miss": true,
		"governor.d": false, "governor.target": false, "campaign[0].recipients": false, "retry.limit": false,
		"dialogue.timeouts.dot": false, "horizon": false,
	} {
		if a, ok := got[key]; !ok || a.InDoubt() != want {
			t.Errorf("%s: %v, want %v", key, a.InDoubt(), want)
		}
	}
	// per_hop as measured is not in doubt.
	_, plain := rows(t, strings.Replace(doubtful, `per_hop = "2ms"`, "", 1))
	if plain["network.per_hop"].InDoubt() {
		t.Error("a measured number is in doubt")
	}
}
