package plan_test

import (
	"strings"
	"testing"

	"flyball/internal/vt"
	"flyball/scenarios"
	"flyball/sim/plan"
)

func load(t *testing.T, text string) *scenarios.Scenario {
	t.Helper()
	s, err := scenarios.Load("test", []byte("schema_version = 1\nname = \"test\"\nhorizon = \"30d\"\n"+text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const twoServers = `
[[server]]
name = "b1"
share = 3
[[server]]
name = "b2"
share = 1
addresses = 2
`

// The numbers of each kind of bound, by hand: 40,000 recipients, of whom all but 0.1 % count,
// three quarters of them from b1, within 36 hours.
func TestBoundsByHand(t *testing.T) {
	campaign := "\n[[campaign]]\nname = \"news\"\nrecipients = 40000\nstart = \"12h\"\n"
	for _, c := range []struct {
		limits             string
		server             string
		limit              plan.Limit
		recipients, admits int
		ends               vt.Span // rounded up to a minute
	}{
		{"allowance = [{ limit = 10000 }]", "b1", plan.Quota, 29970, 20000, 2 * vt.Day},
		{"allowance = [{ limit = 10000, scope = \"fleet\" }]", "", plan.Quota, 39960, 20000, 3 * vt.Day},
		{"allowance = [{ limit = 10000 }]\nshared = true", "", plan.Quota, 39960, 20000, 3 * vt.Day},
		{"allowance = [{ limit = 1000, window = \"1h\" }]", "b1", plan.Window, 29970, 25000, 12*vt.Hour + 29*vt.Hour},
		{"allowance = [{ limit = 2000, growth = 2, most = 8000 }]", "b1", plan.Quota, 29970, 6000, 4 * vt.Day},
		{"allowance = [{ limit = 2000, ladder = [3000, 20000] }]", "b1", plan.Quota, 29970, 5000, 3 * vt.Day},
		{"bucket = { rate = \"500/h\", burst = 100 }", "b1", plan.Bucket, 29970, 12100,
			12*vt.Hour + 59*vt.Hour + 44*vt.Minute},
		{"send = { rate = \"500/h\", burst = 100 }", "b1", plan.Own, 29970, 12100,
			12*vt.Hour + 59*vt.Hour + 44*vt.Minute},
	} {
		s := load(t, twoServers+"[[destination]]\nname = \"p\"\ndomain = \"p.example\"\n"+c.limits+campaign)
		b := plan.Bounds(s, []vt.Time{vt.Time(36 * vt.Hour)})
		if len(b) == 0 {
			t.Errorf("%s: no bound", c.limits)
			continue
		}
		got := b[0]
		if got.Provider != "p" || got.Server != c.server || got.Limit != c.limit || got.Recipients != c.recipients ||
			got.Admitted != c.admits || !got.Proves() || got.Ends < vt.Time(c.ends) ||
			got.Ends > vt.Time(c.ends+vt.Minute) {
			t.Errorf("%s: got %+v, want %s %s %d of %d by %v", c.limits, got, c.server, c.limit, c.admits, c.recipients,
				c.ends)
		}
	}
}

// Nine days are nine days: 90,000 recipients at 10,000 a day end when the ninth day begins.
func TestBoundIsNeverRoundedAway(t *testing.T) {
	s := load(t, "[[destination]]\nname = \"p\"\ndomain = \"p.example\"\nallowance = [{ limit = 10000 }]\n"+
		"[[campaign]]\nname = \"news\"\nrecipients = 90000\n")
	b := plan.Bounds(s, []vt.Time{vt.Time(vt.Day)})
	if got := b[0].Ends; got < vt.Time(8*vt.Day) || got > vt.Time(8*vt.Day+vt.Minute) {
		t.Errorf("ends at %v, want the beginning of the ninth day", got)
	}
	s = load(t, "[[destination]]\nname = \"p\"\ndomain = \"p.example\"\nallowance = [{ limit = 1 }]\n"+
		"[[campaign]]\nname = \"news\"\nrecipients = 90000\n")
	if got := plan.Bounds(s, []vt.Time{vt.Time(vt.Day)})[0].Ends; got != vt.Never {
		t.Errorf("ends at %v, want never: 90,000 days", got)
	}
}

// Limits that campaigns and brands share bound them together; a campaign without a deadline does
// not count.
func TestBoundsOfWhatIsCountedTogether(t *testing.T) {
	text := "[[destination]]\nname = \"p\"\ndomain = \"p.example\"\nshare = 1\nallowance = [{ limit = 100, scope = SCOPE }]\n" +
		"[[destination]]\nname = \"brand\"\ndomain = \"brand.example\"\nshare = 1\nlimits_of = \"p\"\n" +
		"[[campaign]]\nname = \"a\"\nrecipients = 1000\ndomain = \"a.example\"\n" +
		"[[campaign]]\nname = \"b\"\nrecipients = 3000\ndomain = \"b.example\"\n" +
		"[[campaign]]\nname = \"c\"\nrecipients = 5000\ndomain = \"b.example\"\n"
	due := []vt.Time{vt.Time(vt.Day) - 1, vt.Time(2*vt.Day) - 1, vt.Never}
	for _, c := range []struct {
		scope   string
		largest int // of all bounds
	}{{"fleet", 3996}, {"domain", 2997}} {
		s := load(t, strings.ReplaceAll(text, "SCOPE", "\""+c.scope+"\""))
		most := 0
		for _, b := range plan.Bounds(s, due) {
			most = max(most, b.Recipients)
		}
		if most != c.largest {
			t.Errorf("%s: the largest bound has %d recipients, want %d", c.scope, most, c.largest)
		}
	}
}
