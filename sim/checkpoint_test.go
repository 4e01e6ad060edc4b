package sim

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"flyball/internal/longtest"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/scenarios"
)

func small(t *testing.T, name string, set ...string) *scenarios.Scenario {
	t.Helper()
	text, ok := scenarios.Builtin(name)
	if !ok {
		t.Fatalf("no built-in scenario %s", name)
	}
	s, err := scenarios.Load(name, text, append([]string{"campaign[0].recipients=3000", "campaign[0].subset=20",
		"governor.interval=1m"}, set...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A run that is stopped anywhere, saved, and resumed in a new world ends with
// the digest of the run that was never stopped. The long tests try every variant with stages
// collapsed and full, stopped after its first event, in the middle and before its last. The quick
// ones take turns: each variant has one kind of stages, and each built-in scenario one stop.
func TestResumeAnywhere(t *testing.T) {
	type variant struct {
		name   string
		set    []string
		shared bool
	}
	falling := []string{"governor.law=patent-damped", "governor.start=60", "governor.target=3600/h", "retry.limit=9",
		"retry.delays=['20s','50s']",
		"retry.max_age=8m", "retry.greylist_delay=7s", "governor.change=[{at='90s', target='1800/h', over='4m'}]",
		"governor.fault=[{interval=1, kind='missed'}, {interval=2, kind='missed'}, {interval=4, kind='reset'}]",
		"network.drift=[{at='1m', factor=1.3, hops=4, over='2m'}]", "network.dns.drift=[{at='2m', factor=2}]",
		"server=[{name='b1', down=[{from='3m', for='20s'}]}]"}
	variants := []variant{
		{name: "greylist", set: append(falling, "retry.policy=alloc", "retry.when=continuous", "retry.dwell=2",
			"retry.restore_after=1", "freeing.policy=at-interval", "freeing.victim=ahead-of-schedule")},
		{name: "dead-addresses", set: append(falling, "retry.policy=dfr", "retry.scope=mta", "retry.min_attempts=3",
			"retry.dfr_above=1.5", "retry.dfr_below=1.2", "freeing.policy=continuous", "freeing.victim=newest",
			"freeing.shorten=2")},
		{name: "dead-addresses", set: append(falling, "retry.policy=stage-fn", "freeing.policy=at-interval",
			"freeing.victim=most-complete", "freeing.shorten=1")},
		{name: "dead-addresses", set: append(falling, "retry.policy=yield", "retry.low=1", "retry.loss=0.2",
			"retry.memory=1h", "freeing.policy=at-interval", "freeing.victim=most-complete")},
		{name: "throttling-provider", set: append(falling, "retry.policy=stage", "freeing.policy=at-interval",
			"governor.destination.law=postfix-feedback", "governor.destination.parked=200",
			"governor.destination.negative=1/N", "governor.destination.revive=20s")},
		{name: "throttling-provider", set: append(falling, "retry.policy=stage", "freeing.policy=at-interval",
			"governor.destination.law=aimd", "governor.destination.aimd.max=90")},
	}
	variants = append(variants, variant{name: "greylist", set: slices.Concat(falling[:len(falling)-1],
		[]string{"governor.scope=cluster", "server=[{name='near'}, {name='far', extra_rtt='90ms', contention=0.01}]",
			"retry.policy=dfr", "retry.scope=cluster", "retry.min_attempts=3", "retry.dfr_above=1.5",
			"retry.dfr_below=1.2",
			"freeing.policy=at-interval", "freeing.victim=newest"})})
	variants = append(variants, variant{name: "greylist", set: append(falling, "retry.policy=stage",
		"freeing.policy=at-interval", "freeing.victim=lowest-priority",
		"campaign=[{name='news', recipients=4000, subset=20}, {name='slow', recipients=300, rate='3600/h', "+
			"start='5s'}, "+
			"{name='urgent', recipients=200, priority=3, processes=20, start='20s'}]")})
	for _, name := range scenarios.Names() {
		variants = append(variants, variant{name: name})
	}
	variants = append(variants, variant{name: "habits"}, variant{name: "habits", shared: true})
	for k, v := range variants {
		name := v.name
		kinds := []string{"collapsed", "full"}
		for _, stages := range longtest.Or(kinds[k%2:][:1], kinds) {
			var s *scenarios.Scenario
			if set := "stages=" + stages; name == "habits" {
				s = habits(t, set)
				s.Destinations[0].Shared, s.Destinations[1].Shared = v.shared, v.shared
			} else {
				s = small(t, name, append([]string{set}, v.set...)...)
			}
			whole, err := New(s, 3, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			end, _ := whole.Run(nil)
			freed, parked, lowered := 0, 0, false
			for _, i := range whole.Record().Intervals {
				freed += int(i.Freed)
				for _, d := range i.Destinations {
					parked += d.Parked
				}
				lowered = lowered || i.RetryLimit < s.Retry.Limit
			}
			if v.set != nil && (freed == 0 && parked == 0 || !lowered) {
				t.Errorf("%s, %v: %d processes freed, %d recipients parked, limit lowered %v: the test tests too "+
					"little", name, v.set, freed, parked, lowered)
			}
			stops := []uint64{1, whole.events() / 2, whole.events() - 1}
			if builtIn := v.set == nil && name != "habits"; builtIn && !longtest.Asked() {
				stops = stops[k/2%3:][:1]
			}
			for _, at := range stops {
				first, _ := New(s, 3, nil, nil)
				for first.cluster == nil && first.events() < at && first.step(first.horizon) {
				}
				for first.cluster != nil && first.events() < at && !first.done() {
					first.window = vt.Second
					first.advance()
				}
				second, err := Resume(s, 3, nil, nil, first.save())
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(second.save(), first.save()) {
					t.Errorf("%s, %s: what is restored at event %d is not what was saved", name, stages, at)
				}
				if got, _ := second.Run(nil); second.Record().Digest() != whole.Record().Digest() || got != end ||
					second.events() != whole.events() {
					t.Errorf("%s, %s: resumed at event %d it ends at %v with digest %x, want %v, %x", name, stages, at,
						got, second.Record().Digest(), end, whole.Record().Digest())
				}
				if got, want := fmt.Sprint(second.Record().Intervals),
					fmt.Sprint(whole.Record().Intervals); got != want {
					t.Errorf("%s, %s: resumed at event %d its intervals are\n%s\nwant\n%s", name, stages, at, got, want)
				}
			}
		}
	}
}

// A checkpoint of another run, or a damaged one, is refused.
func TestResumeRefuses(t *testing.T) {
	s := small(t, "quickstart")
	w, _ := New(s, 0, nil, nil)
	for range 1000 {
		w.step(w.horizon)
	}
	good := w.save()
	flipped := bytes.Clone(good)
	flipped[len(flipped)-100] ^= 1
	for what, data := range map[string][]byte{
		"begin like a checkpoint": []byte("PK\x03\x04"),
		"cut short":               good[:len(checkpointMagic)+10],
		"checksum differs":        good[:len(good)-1],
		"checksum":                flipped,
	} {
		if _, err := Resume(s, 0, nil, nil, data); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("got error %v, want one about %q", err, what)
		}
	}
	if _, err := Resume(s, 1, nil, nil, good); err == nil ||
		!strings.Contains(err.Error(), "with another list or replication") {
		t.Errorf("another replication resumes: %v", err)
	}
}

// The caller's list is part of a checkpoint's identity: a run resumes only with
// the same destinations in the same order.
func TestResumeWantsTheList(t *testing.T) {
	s := small(t, "quickstart")
	list := func(change int) *mail.List {
		to := make([]mail.Destination, 5000)
		for i := range to {
			to[i] = mail.Destination(i * 7 % len(s.Destinations))
		}
		if change >= 0 {
			to[change] = (to[change] + 1) % mail.Destination(len(s.Destinations)+1)
		}
		l := mail.ReadList(to)
		return &l
	}
	whole, _ := New(s, 0, list(-1), nil)
	whole.Run(nil)
	w, _ := New(s, 0, list(-1), nil)
	for range 1000 {
		w.step(w.horizon)
	}
	saved := w.save()
	again, err := Resume(s, 0, list(-1), nil, saved)
	if err != nil {
		t.Fatal(err)
	}
	if again.Run(nil); again.Record().Digest() != whole.Record().Digest() || again.Record().Final() != 5000 {
		t.Errorf("resumed it ends with digest %x, want %x", again.Record().Digest(), whole.Record().Digest())
	}
	for name, other := range map[string]*mail.List{"the scenario's own": nil, "another at the start": list(0),
		"another at the end": list(4999)} {
		if _, err := Resume(s, 0, other, nil, saved); err == nil ||
			!strings.Contains(err.Error(), "with another list") {
			t.Errorf("%s list: error %v", name, err)
		}
	}
}
