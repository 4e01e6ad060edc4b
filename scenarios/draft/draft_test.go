package draft

import (
	"slices"
	"strings"
	"testing"

	"flyball/internal/vt"
	"flyball/internal/zone"
	"flyball/scenarios"
)

// The draft of each provider alone loads, and no value lacks its source.
func TestFactsLoad(t *testing.T) {
	for _, name := range append(Providers(), "others", "a-name-of-my-own") {
		d := Default()
		d.Providers = []Item{{Name: name, Amount: "40%"}}
		if name == "others" {
			d.Providers[0].Amount = "100%"
		}
		text, err := d.Text(nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s, err := scenarios.Load(name, text, nil)
		if err != nil || s.Destinations[0].Name != name {
			t.Errorf("%s: got %v, want it as the first destination", name, err)
		}
		p, _ := providerNamed(name)
		for _, f := range slices.Concat(p.Facts, p.Secret) {
			kind, why, _ := strings.Cut(f.Source, ": ")
			if !slices.Contains([]string{"published", "derived", "assumed"}, kind) || why == "" {
				t.Errorf("%s: %s: got source %q, want published, derived or assumed, and why", name, f.Key, f.Source)
			}
		}
	}
}

// With the most servers of init the horizon has no more intervals than the loader allows.
func TestManyServers(t *testing.T) {
	for servers, want := range map[int]vt.Span{1: 5 * vt.Day, 115: 5 * vt.Day, 116: 5 * vt.Day, 694: 5 * vt.Day,
		695: 4 * vt.Day, 1000: 3 * vt.Day} {
		d := Default()
		d.Servers, d.Campaigns[0].Amount = servers, "1000"
		text, err := d.Text(nil)
		if err != nil {
			t.Errorf("%d servers: %v", servers, err)
			continue
		}
		if s, err := scenarios.Load("mailing", text, nil); err != nil || s.Horizon != want {
			t.Errorf("%d servers: got %v, want a horizon of %s", servers, err, want)
		}
	}
}

// What no source gives stands in the file as comments, which are keys with their values.
func TestSecretsLoadWithoutTheirMark(t *testing.T) {
	d := Default()
	text, err := d.Text(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"throttle", "reputation"} {
		marked := "# " + key + " = "
		if strings.Count(string(text), marked) != 2 {
			t.Fatalf("got %d lines %q, want one of gmail and one of outlook", strings.Count(string(text), marked),
				marked)
		}
		text = []byte(strings.ReplaceAll(string(text), marked, key+" = "))
	}
	s, err := scenarios.Load("mailing", text, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Destinations[0]; got.Throttle.Soft != 60000 || got.Reputation.PerDead != 0.001 {
		t.Errorf("got %+v and %+v, want those of gmail", got.Throttle, got.Reputation)
	}
}

// The target is what the deadlines need: of each campaign alone, and of all together.
func TestTarget(t *testing.T) {
	for _, v := range []struct {
		campaigns string // recipients, start, deadline
		servers   int
		want      float64
	}{
		{"100000 0s 10h", 1, 11000},
		{"100000 5h 10h", 1, 22000},
		{"100000 0s 10h, 100000 0s 10h", 2, 11000},
		{"100000 0s 10h, 30000 1h 2h", 1, 33000},
		{"100000 0s 0s", 1, 140000},
	} {
		d := Default()
		d.Servers, d.Campaigns = v.servers, nil
		for i, c := range strings.Split(v.campaigns, ", ") {
			f := strings.Fields(c)
			d.Campaigns = append(d.Campaigns, Item{Name: string(rune('a' + i)), Amount: f[0],
				Keys: []Key{{"start", f[1]}, {"deadline", f[2]}}})
		}
		text, err := d.Text(zone.Load)
		if err != nil {
			t.Fatal(err)
		}
		s, err := scenarios.Load("mailing", text, nil)
		if err != nil || float64(s.Governor.Target) != v.want {
			t.Errorf("%s: got a target of %v and %v, want %v", v.campaigns, s.Governor.Target, err, v.want)
		}
	}
}

func TestRecipients(t *testing.T) {
	for text, want := range map[string]string{"5M": "5000000", "1.5M": "1500000", "20k": "20000", "7": "7",
		"5_000": "5_000", "few": `"few"`, "2.5k": "2500"} {
		if got := recipients(text); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}
