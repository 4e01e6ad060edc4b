package plan_test

import (
	"slices"
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
	text := "[[destination]]\nname = \"p\"\ndomain = \"p.example\"\nshare = 1\nallowance = [{ limit = 100, scope = " +
		"SCOPE }]\n" +
		"[[destination]]\nname = \"brand\"\ndomain = \"brand.example\"\nshare = 1\nlimits_of = \"p\"\n" +
		"[[campaign]]\nname = \"a\"\nrecipients = 1000\ndomain = \"a.example\"\naccount = \"x\"\n" +
		"[[campaign]]\nname = \"b\"\nrecipients = 3000\ndomain = \"b.example\"\naccount = \"x\"\n" +
		"[[campaign]]\nname = \"c\"\nrecipients = 5000\ndomain = \"b.example\"\n"
	due := []vt.Time{vt.Time(vt.Day) - 1, vt.Time(2*vt.Day) - 1, vt.Never}
	for _, c := range []struct {
		scope    string
		counters int
		all      []int // recipients of the bounds
	}{{"fleet", 1, []int{999, 3996}}, {"domain", 2, []int{0, 999, 999, 2997}},
		{"account", 2, []int{0, 0, 999, 3996}}} {
		s := load(t, strings.ReplaceAll(text, "SCOPE", "\""+c.scope+"\""))
		var all []int
		for _, b := range plan.Bounds(s, due) {
			all = append(all, b.Recipients)
		}
		if slices.Sort(all); !slices.Equal(all, c.all) {
			t.Errorf("%s: the bounds have %d recipients, want %d", c.scope, all, c.all)
		}
		if n := plan.Counters(s, 0, 0); n != c.counters {
			t.Errorf("%s: %d senders are counted apart, want %d", c.scope, n, c.counters)
		}
	}
}

// Who is counted together: each server, its addresses or its netblock; all of them, by their counters, where a plan
// divides the list, since how much of it a server gets is unknown then. A destination that is drawn may get fewer
// recipients than its share, by six standard deviations of 100.
func TestBoundsOfEachPool(t *testing.T) {
	campaign := "\n[[campaign]]\nname = \"news\"\nrecipients = 40000\n"
	const half = "\n[[destination]]\nname = \"q\"\ndomain = \"q.example\""
	two := strings.ReplaceAll(twoServers, "addresses", "block = \"x\"\naddresses")
	paced := strings.ReplaceAll(twoServers, "share = 3", "share = 3\nrate = \"500/h\"")
	blocks := two + "[[server]]\nname = \"b3\"\nshare = 1\nblock = \"x\"\n"
	const equal = "[sender]\npartition = \"equal\"\n"
	for _, c := range []struct {
		name, servers, limits, campaign string
		server                          string
		recipients, admits              int // recipients 0: no bound
	}{
		{"a server", twoServers, "allowance = [{ limit = 10000 }]", "", "b1", 29970, 10000},
		{"two addresses", twoServers, "allowance = [{ limit = 10000 }]", "", "b2", 9990, 20000},
		{"a netblock", blocks, "allowance = [{ limit = 10000, scope = \"block\" }]", "", "", 15984, 10000},
		{"all counters", equal + twoServers, "allowance = [{ limit = 10000 }]", "", "", 39960, 30000},
		{"own rate", equal + twoServers, "send = { rate = \"500/h\", burst = 1 }", "", "", 39960, 24000},
		{"a server's rate", paced, "", "", "b1", 29970, 12000},
		{"a server's rate in a plan", equal + paced, "", "", "b1", 0, 0},
		{"a campaign's rate", twoServers, "", "start = \"2h\"\nrate = \"500/h\"\n", "b1", 29970, 11000},
		{"a campaign's rate, from its start on", twoServers, "", "start = \"2h\"\nrate = \"500/h\"\n" +
			"[[campaign]]\nname = \"before\"\nrecipients = 1000\n", "b1", 29970, 11000},
		{"own rate of a provider with a brand", twoServers, "send = { rate = \"500/h\", burst = 1 }" + half +
			"\nlimits_of = \"p\"", "", "b1", 14464, 12000},
		{"a half that is drawn", twoServers, "allowance = [{ limit = 10000, scope = \"fleet\" }]" + half, "", "", 19379,
			10000},
	} {
		s := load(t, c.servers+"[[destination]]\nname = \"p\"\ndomain = \"p.example\"\n"+c.limits+campaign+c.campaign)
		found := false
		for _, b := range plan.Bounds(s, slices.Repeat([]vt.Time{vt.Time(vt.Day) - 1}, len(s.Campaigns))) {
			if b.Server != c.server {
				continue
			}
			if found = true; b.Recipients != c.recipients || b.Admitted != c.admits {
				t.Errorf("%s: %d of %d are admitted, want %d of %d", c.name, b.Admitted, b.Recipients, c.admits,
					c.recipients)
			}
		}
		if found != (c.recipients > 0) {
			t.Errorf("%s: a bound of server %q is %v", c.name, c.server, found)
		}
		if n := 3; c.name == "a server" && plan.Counters(s, 0, 0) != n {
			t.Errorf("%s: %d senders are counted apart, want %d", c.name, plan.Counters(s, 0, 0), n)
		}
	}
	if (plan.Bound{Recipients: 5, Admitted: 5}).Proves() || !(plan.Bound{Recipients: 5, Admitted: 4}).Proves() {
		t.Error("a limit proves lateness if it admits fewer than all")
	}
}

// A sending server gives the recipients of a server to another, and lets servers fetch: what the server itself may send
// does not make the mailing late.
func TestBoundsWithSendingServer(t *testing.T) {
	rest := "[[destination]]\nname = \"p\"\ndomain = \"p.example\"\nallowance = [{ limit = 10000 }]\n" +
		"[[campaign]]\nname = \"news\"\nrecipients = 40000\n[sender]\ncheck = \"10s\"\n"
	for _, partition := range []string{"shares", "pull"} {
		s := load(t, strings.Replace(twoServers, "addresses = 2\n", "rate = \"1/h\"\n", 1)+rest+
			"partition = \""+partition+"\"\n")
		for _, b := range plan.Bounds(s, []vt.Time{vt.Time(36 * vt.Hour)}) {
			if b.Server != "" || b.Admitted != 40000 {
				t.Errorf("%s: got %+v, want 2 x 20000 of all servers together", partition, b)
			}
		}
	}
}
