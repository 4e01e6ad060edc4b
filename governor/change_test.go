package governor_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"flyball/governor"
	"flyball/governor/recorded"
	"flyball/internal/unit"
	"flyball/internal/vt"
)

func TestTargetAt(t *testing.T) {
	c := governor.Default()
	c.Target = 100
	c.Changes = []governor.Change{
		{At: 10 * vt.Second, Target: 200},
		{At: 20 * vt.Second, Target: 300, Over: 10 * vt.Second},
		{At: 40 * vt.Second, Target: 100, Over: 20 * vt.Second},
		{At: 50 * vt.Second, Target: 700, Over: 5 * vt.Second}, // the ramp before is at 200
	}
	for _, v := range []struct {
		at   vt.Span
		want float64
	}{
		{0, 100}, {10*vt.Second - 1, 100}, {10 * vt.Second, 200}, {20 * vt.Second, 200}, {25 * vt.Second, 250},
		{30 * vt.Second, 300},
		{39 * vt.Second, 300}, {40 * vt.Second, 300}, {45 * vt.Second, 250}, {50 * vt.Second, 200},
		{51 * vt.Second, 300}, {55 * vt.Second, 700}, {vt.Day, 700},
	} {
		if got := c.TargetAt(vt.Time(v.at)); math.Abs(got-v.want) > 1e-9 {
			t.Errorf("at %s: %g, want %g", v.at, got, v.want)
		}
	}
}

// A change to 0 is a pause of the sending: the governor keeps the target of that moment.
func TestPauseKeepsTheTarget(t *testing.T) {
	c := governor.Default()
	c.Target = 100
	c.Changes = []governor.Change{
		{At: 10 * vt.Second, Target: 200, Over: 10 * vt.Second},
		{At: 15 * vt.Second},
		{At: 30 * vt.Second, Target: 250, Over: 10 * vt.Second},
		{At: 50 * vt.Second},
	}
	for at, want := range map[vt.Span]float64{14 * vt.Second: 140, 15 * vt.Second: 150, 29 * vt.Second: 150,
		35 * vt.Second: 200,
		60 * vt.Second: 250} {
		if got := c.TargetAt(vt.Time(at)); math.Abs(got-want) > 1e-9 {
			t.Errorf("at %s: got %g, want %g", at, got, want)
		}
	}
	want := []vt.Window{{From: vt.Time(15 * vt.Second), To: vt.Time(30 * vt.Second)},
		{From: vt.Time(50 * vt.Second), To: vt.Never}}
	if got := c.Pauses(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestChangesAreChecked(t *testing.T) {
	c := governor.Default()
	c.Changes = []governor.Change{{At: vt.Hour, Target: 1}, {At: vt.Hour, Target: -1, Over: -1}, {Target: 2e9}}
	var got []string
	for _, err := range c.Validate() {
		got = append(got, strings.TrimSpace(strings.SplitN(err.Error(), ":", 2)[0]))
	}
	slices.Sort(got)
	want := []string{"change[1].at", "change[1].over", "change[1].target", "change[2].at", "change[2].at",
		"change[2].target"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", c.Validate(), want)
	}
}

// A law given a target with each sample decides as the same law configured with
// that target.
func TestLawsFollowTheTargetThatTheyAreTold(t *testing.T) {
	for _, known := range governor.Laws() {
		law := known.Name
		luck := rand.New(rand.NewPCG(3, uint64(len(law))))
		built := governor.Default()
		built.Law, built.StepMode, built.D, built.Target = law, "explicit", 8, 190_000
		told := built
		told.Target = 140_000
		a, err := governor.New(built)
		if err != nil {
			t.Fatal(err)
		}
		b, err := governor.New(told)
		if err != nil {
			t.Fatal(err)
		}
		moved := false
		for range 60 {
			s := governor.Sample{Span: 3 * vt.Hour, Allocated: math.Floor(a.Available())}
			s.Delivered = uint64(s.Allocated * 3000 * (0.9 + 0.2*luck.Float64()))
			s.Attempts = s.Delivered
			x := a.Decide(s)
			s.TargetRate = 190_000
			y := b.Decide(s)
			if x.Available != y.Available || x.TargetRate != y.TargetRate || x.Flags != y.Flags {
				t.Fatalf("%s: %+v where it was told, %+v where it was built", law, y, x)
			}
			moved = moved || x.Available != x.Previous
		}
		if moved == (law == "hold") {
			t.Errorf("%s: moved %v", law, moved)
		}
	}
}

// On a server without noise a tracker carries C from one target to the next:
// T / E = 100 and then 160 processes of 1000 messages an hour.
func TestTrackersSettleOnTheNextTarget(t *testing.T) {
	for _, law := range []string{"patent-damped", "pi", "regulator"} {
		c := governor.Default()
		c.Law, c.StepMode, c.D, c.Target, c.Start = law, "explicit", 8, 100_000, 100
		if law == "pi" {
			c.PI.Proportional = 0.3
		}
		c.Changes = []governor.Change{{At: 60 * vt.Hour, Target: 160_000}}
		g, err := governor.New(c)
		if err != nil {
			t.Fatal(err)
		}
		for i := 1; i <= 50; i++ {
			now := vt.Time(3 * vt.Hour).Add(vt.Span(i-1) * 3 * vt.Hour)
			p := g.Available()
			d := g.Decide(governor.Sample{Span: 3 * vt.Hour, Delivered: uint64(math.Round(3000 * p)),
				Attempts:  uint64(math.Round(3000 * p)),
				Allocated: p, TargetRate: c.TargetAt(now)})
			want := 100.0
			if now >= vt.Time(60*vt.Hour) {
				want = 160
			}
			if d.TargetRate != 1000*want {
				t.Fatalf("%s: aims at %g at %s", law, d.TargetRate, now)
			}
			if (i < 20 || i > 40) && math.Abs(d.Available-want) > 0.01*want {
				t.Errorf("%s: C = %g after interval %d, want %g", law, d.Available, i, want)
			}
		}
	}
}

// The proportional part responds to the jump of the target by its relative growth
// times the set-point weight: C (K (b (T' - T) - (M' - M)) / T' + k (1 - M' / T')).
func TestTheSetPointWeightCountsWhereTheTargetChanges(t *testing.T) {
	for _, weight := range []float64{0, 0.5, 1} {
		c := governor.Default()
		c.Law, c.Target, c.Start = "pi", 100_000, 100
		c.PI = governor.PI{Proportional: 0.4, Integral: 0.25, Weight: weight}
		g, err := governor.New(c)
		if err != nil {
			t.Fatal(err)
		}
		sample := governor.Sample{Span: vt.Hour, Delivered: 96_000, Attempts: 96_000, Allocated: 100}
		before := g.Decide(sample).Available
		sample.Delivered, sample.TargetRate = 99_000, 125_000
		got := g.Decide(sample).Available
		want := before * (1 + 0.4*(weight*25_000-3_000)/125_000 + 0.25*(1-99_000.0/125_000))
		if math.Abs(got-want) > 1e-9*want {
			t.Errorf("weight %g: C = %.12g, want %.12g", weight, got, want)
		}
	}
}

func TestRecordedTargets(t *testing.T) {
	const log = "hours,delivered,allocated_mean,set_target_per_h\n3,1,1,100\n3,1,1,200\n3,1,1,300\n"
	read, err := recorded.Read(strings.NewReader(log), "log.csv")
	samples := read.Samples
	if err != nil || len(samples) != 3 || samples[0].TargetRate != 200 || samples[1].TargetRate != 300 ||
		samples[2].TargetRate != 300 {
		t.Errorf("%v, %v", samples, err)
	}
	if _, err := recorded.Read(strings.NewReader("hours,delivered,allocated_mean,set_target_per_h\n3,1,1,0\n"),
		"log.csv"); err == nil ||
		!strings.Contains(err.Error(), `log.csv:2:7: bad set_target_per_h (got "0"`) {
		t.Error(err)
	}
	// Without the column the law's own changes count, at the time since the start of the log.
	c := governor.Default()
	c.Changes = []governor.Change{{At: 6 * vt.Hour, Target: 190_000}}
	for i := range samples {
		samples[i].TargetRate = 0
	}
	decisions, err := recorded.Replay(c, samples)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []unit.PerHour{140_000, 190_000, 190_000} {
		if decisions[i].TargetRate != float64(want) {
			t.Errorf("decision %d aims at %g, want %g", i, decisions[i].TargetRate, float64(want))
		}
	}
}
