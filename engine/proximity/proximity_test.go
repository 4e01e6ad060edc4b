package proximity

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"flyball/engine"
	"flyball/engine/partition"
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// sample is n attempts from one server to one site, each of ms milliseconds over a number of hops.
func sample(n uint64, ms, hops int) Seen {
	return Seen{Attempts: n, Time: vt.Span(int(n)*ms) * vt.Millisecond, Traced: n, Hops: n * uint64(hops)}
}

// [0056]: the average over mailings weighs each by its attempts, the older ones by half for each half-life, and all
// that was known before by memory at most. By hand: 40 attempts of 100 ms, then 5 of 10 ms: (10/2 x 100 + 5 x 10) / 10.
func TestAveragesOverMailings(t *testing.T) {
	var d Database
	cfg := Config{By: "delay", HalfLife: 1, Memory: 10}
	d.Learn(cfg, []string{"b"}, []string{"a"}, []Seen{sample(40, 100, 8)}, 0)
	if p := d.Pairs[0]; p.Delay != 100 || p.Weight != 10 || p.Mailing != 1 || p.Hops != 8 || p.Attempts != 40 {
		t.Errorf("after one mailing: %+v", p)
	}
	d.Learn(cfg, []string{"b"}, []string{"a"}, []Seen{sample(5, 10, 4)}, 3)
	p := d.Pairs[0]
	if math.Abs(p.Delay-55) > 1e-9 || math.Abs(p.Hops-6) > 1e-9 || p.Weight != 10 || p.Mailing != 2 ||
		p.Attempts != 45 {
		t.Errorf("after two mailings: %+v", p)
	}
	if want := []Mailing{{40, 100, 0}, {5, 10, 3}}; !slices.Equal(d.Mailings, want) {
		t.Errorf("mailings %v, want %v", d.Mailings, want)
	}
	if d.Learn(cfg, []string{"b"}, []string{"a"}, []Seen{{}}, 1) || len(d.Mailings) != 2 {
		t.Error("a mailing without attempts was counted")
	}
	// A server that stands at another place of a later list is the same one.
	d.Learn(cfg, []string{"a0", "b"}, []string{"z", "a"}, []Seen{{}, {}, sample(1, 7, 1), sample(1, 7, 1)}, 0)
	var names []string
	for _, p := range d.Pairs {
		names = append(names, p.Server+p.Site)
	}
	if !slices.Equal(names, []string{"a0a", "ba"}) || d.Validate() != nil {
		t.Errorf("pairs %v, %v", names, d.Validate())
	}
}

// two is a list for two sites over three servers alike.
func two() *partition.Problem {
	p := &partition.Problem{Imbalance: 1.5}
	for _, name := range []string{"x", "y", "z"} {
		p.Servers = append(p.Servers, partition.Server{Name: name, Resources: 1, Processes: 1})
	}
	p.Sites = []partition.Site{{Name: "p", Recipients: 3000}, {Name: "q", Recipients: 3000}}
	return p
}

// The weight of what is known falls from mailing to mailing, and its estimate goes back to what the site's other
// servers show; so does the choice of probes.
func TestOldKnowledgeFades(t *testing.T) {
	cfg := Default()
	var d Database
	names := []string{"x", "y", "z"}
	d.Learn(cfg, names, []string{"p"}, []Seen{sample(100, 10, 1), sample(100, 90, 2), {}}, 0)
	weight, near := math.Inf(1), int64(0)
	for range 20 {
		v := d.Look(two(), cfg)
		if v.Weight[0] >= weight || v.Weight[0] <= 0 {
			t.Fatalf("weight %g after %g", v.Weight[0], weight)
		}
		if v.Cost[0] < near || v.Cost[0] > 90 {
			t.Fatalf("estimate %d ms after %d", v.Cost[0], near)
		}
		weight, near = v.Weight[0], v.Cost[0]
		d.Learn(cfg, names, []string{"p"}, []Seen{{}, sample(100, 90, 2), {}}, 0)
	}
	if near < 85 {
		t.Errorf("after twenty mailings the pair counts for %d ms, want nearly the 90 of the others", near)
	}
	v := d.Look(two(), cfg)
	if got := v.Classes(); !slices.Equal(got[:3], []Class{Unknown, Preferred, Unknown}) {
		t.Errorf("classes %v", got)
	}
}

// [0058]: by hand. Weights are 10: the estimates are (10 x own + mean) / 11 with means 130 and 200.
func TestClasses(t *testing.T) {
	cfg := Default()
	var d Database
	d.Learn(cfg, []string{"x", "y", "z"}, []string{"p", "q"}, []Seen{sample(10, 100, 4), sample(10, 110, 3),
		sample(10, 180, 2), sample(10, 200, 1), sample(10, 200, 2), {}}, 0)
	v := d.Look(two(), cfg)
	if want := []int64{103, 112, 175, 200, 200, 200}; !slices.Equal(v.Cost, want) {
		t.Errorf("estimates %v, want %v", v.Cost, want)
	}
	if got := v.Classes(); fmt.Sprint(got) != "[preferred preferred undesirable preferred preferred unknown]" {
		t.Errorf("classes %v", got)
	}
	cfg.By = "hops" // means 3 and 1.5 hops
	v = d.Look(two(), cfg)
	if want := []int64{39, 30, 21, 10, 20, 15}; !slices.Equal(v.Cost, want) {
		t.Errorf("estimates by hops %v, want %v", v.Cost, want)
	}
	if got := v.Classes(); fmt.Sprint(got) != "[undesirable acceptable preferred preferred undesirable unknown]" {
		t.Errorf("classes by hops %v", got)
	}
}

// A site of which nothing is known goes to all servers, so that the first mailing measures every pair.
func TestWhatIsUnknownIsSpread(t *testing.T) {
	p := two()
	v := new(Database).Look(p, Default())
	p.Cost = v.Cost
	counts, probes, ok := v.Plan(p)
	if !ok || probes != 0 {
		t.Fatalf("%d probes, %v", probes, ok)
	}
	for at, n := range counts {
		if n != 1000 {
			t.Errorf("pair %d has %d of 3,000, want a third", at, n)
		}
	}
}

// [0059]: probes go where least is known: here the third server of p, which was never measured, and then, at q, the one
// that was measured longest ago.
func TestProbesGoWhereLeastIsKnown(t *testing.T) {
	cfg := Default()
	var d Database
	names := []string{"x", "y", "z"}
	d.Learn(cfg, names, []string{"q"}, []Seen{{}, sample(50, 40, 1), {}}, 0)
	d.Learn(cfg, names, []string{"p", "q"}, []Seen{sample(50, 10, 1), sample(50, 80, 1), {}, sample(50, 10, 1), {},
		sample(50, 40, 1)}, 0)
	p := two()
	p.Imbalance = 10 // all to the first server
	v := d.Look(p, cfg)
	p.Cost = v.Cost
	counts, probes, _ := v.Plan(p)
	// 30 probes of each site. p: z is filled to y's 10, then both alike. q: y has 5, z 10.
	if want := []int64{2970, 10, 20, 2970, 18, 12}; probes != 60 || !slices.Equal(counts, want) {
		t.Errorf("got %v with %d probes, want %v with 60", counts, probes, want)
	}
}

// Any plan: every recipient has a server, no server has more than its room, quotas hold, and probes are within the
// share, of all recipients and, but for one, of each site.
func TestPlansKeepToBalanceAndShare(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 59))
		p := &partition.Problem{Imbalance: []float64{1, 1.05, 2, 10}[r.IntN(4)]}
		for i := range 1 + r.IntN(6) {
			p.Servers = append(p.Servers, partition.Server{Name: fmt.Sprint(i), Resources: float64(r.IntN(4)),
				Processes: 1})
		}
		p.Servers[0].Resources = 1
		for i := range 1 + r.IntN(12) {
			p.Sites = append(p.Sites, partition.Site{Name: fmt.Sprint(i), Recipients: r.Int64N(2000)})
		}
		cfg := Config{By: "delay", Probes: []float64{0, 0.01, 0.1}[r.IntN(3)], HalfLife: 1, Memory: 10}
		var d Database
		for range r.IntN(4) {
			var servers, sites []string
			for _, v := range p.Servers {
				servers = append(servers, v.Name)
			}
			var seen []Seen
			for _, v := range p.Sites {
				sites = append(sites, v.Name)
				for range p.Servers {
					seen = append(seen, sample(uint64(r.IntN(3)*r.IntN(100)), r.IntN(1000), 1+r.IntN(9)))
				}
			}
			d.Learn(cfg, servers, sites, seen, 0)
		}
		v := d.Look(p, cfg)
		p.Cost = v.Cost
		if r.IntN(2) == 0 { // quotas of sites that leave a plan
			for range p.Cost {
				p.Quota = append(p.Quota, int64(500+r.IntN(2000)))
			}
			if _, ok := partition.Optimal(p); !ok {
				p.Quota = nil
			}
		}
		counts, probes, ok := v.Plan(p)
		if !ok {
			t.Fatalf("seed %d: no plan", seed)
		}
		plan := partition.Given(p, "proximity", counts)
		plan.Prices = make([]int64, len(p.Servers)) // so that rooms and quotas are verified
		plan.Bound = partition.Bound(p, plan.Prices)
		for _, err := range plan.Verify(p) {
			t.Errorf("seed %d: %v", seed, err)
		}
		if share := float64(p.Total()) * cfg.Probes; float64(probes) > share {
			t.Errorf("seed %d: %d probes, want at most %g", seed, probes, share)
		}
		spread := v.spread(p)
		if best, ok := partition.Optimal(&spread); ok {
			extra := v.probes(&spread, best.Counts)
			for s, site := range p.Sites {
				var of int64
				for _, n := range extra[p.At(s, 0):p.At(s+1, 0)] {
					of += n
				}
				if share := float64(site.Recipients) * cfg.Probes; float64(of) > share+1 {
					t.Errorf("seed %d: site %d has %d probes, want at most %g and one", seed, s, of, share)
				}
			}
		}
	}
}

// what is observed of an attempt: nothing of the witness' own.
type silent struct{ ended int }

func (s *silent) Ended(vt.Time, *mail.Attempt, *mail.Reply, mail.Status) { s.ended++ }
func (s *silent) Interval(vt.Time, mail.Server, engine.Interval)         {}

// Deliveries over fresh connections count, without their look-up. Refusals, kept connections and lost replies do not.
func TestWitnessMeasuresDeliveries(t *testing.T) {
	done := mail.Reply{Took: 80, Code: 250, Stage: mail.StageDot}
	behind := &silent{}
	w := Witness{Observer: behind, Seen: make([]Seen, 2), Way: &mail.Completion{Way: mail.NewWay(30, 12)}}
	for _, e := range []struct {
		conn  mail.Conn
		reply mail.Reply
	}{
		{mail.Fresh, done}, {mail.Reused, done}, {mail.Reset, done},
		{mail.Fresh, mail.Reply{Took: 9, Code: 451, Stage: mail.StageRCPT}},
		{mail.Fresh, mail.Reply{Took: 9, Code: 550, Stage: mail.StageDot}},
		{mail.Fresh, mail.Reply{Took: 9, Fault: mail.Timeout, Stage: mail.StageDot}},
		{mail.Fresh, mail.Reply{Took: 9, Fault: mail.Timeout, Stage: mail.StageConnect}},
	} {
		w.Ended(0, &mail.Attempt{Dest: 1, Conn: e.conn}, &e.reply, mail.Pending)
	}
	w.Way = nil // as in a live run
	w.Ended(0, &mail.Attempt{Dest: 1}, &done, mail.Done)
	if want := (Seen{2, 130, 1, 12}); w.Seen[1] != want || w.Seen[0] != (Seen{}) || behind.ended != 8 {
		t.Errorf("got %v after %d attempts, want %v after 8", w.Seen, behind.ended, want)
	}
}

// Each field of the database is saved, and each impossible value refused.
func TestStateAndBadDatabases(t *testing.T) {
	good := Database{[]Mailing{{7, 12.5, 1}, {1, 3, 0}},
		[]Pair{{"x", "p", 7, 12.5, 4, 2.5, 1}, {"x", "q", 1, 3, 0, 1, 2}}}
	if errs := good.Validate(); errs != nil {
		t.Fatal(errs)
	}
	out := snap.Writer()
	good.State(out)
	in, back := snap.Reader(out.Data()), Database{}
	if back.State(in); in.Err() != nil || fmt.Sprint(back) != fmt.Sprint(good) || back.Digest() != good.Digest() {
		t.Errorf("got %v, %v, want %v", back, in.Err(), good)
	}
	for want, spoil := range map[string]func(*Database){
		"mailings[1].attempts: got 0, want at least 1": func(d *Database) { d.Mailings[1].Attempts = 0 },
		"mailings[0].mean_ms: got NaN, want 0 to 3600000": func(d *Database) {
			d.Mailings[0].Mean = math.NaN()
		},
		`pairs[0].server: got "", want the name of a server`:             func(d *Database) { d.Pairs[0].Server = "" },
		`pairs[0].site: got "", want the name of a destination`:          func(d *Database) { d.Pairs[0].Site = "" },
		"pairs[1].attempts: got 0, want at least 1":                      func(d *Database) { d.Pairs[1].Attempts = 0 },
		"pairs[1].delay_ms: got -1, want 0 to 3600000":                   func(d *Database) { d.Pairs[1].Delay = -1 },
		"pairs[0].hops: got 256, want 0 to 255":                          func(d *Database) { d.Pairs[0].Hops = 256 },
		"pairs[0].weight: got 0, want more than 0, at most 1000000":      func(d *Database) { d.Pairs[0].Weight = 0 },
		"pairs[1].mailing: got 3, want 1 to the 2 mailings":              func(d *Database) { d.Pairs[1].Mailing = 3 },
		`pairs[1]: got "x", "p", want each pair once, in the order of s`: func(d *Database) { d.Pairs[1].Site = "p" },
	} {
		bad := *good.Clone()
		spoil(&bad)
		if errs := bad.Validate(); len(errs) != 1 || errs[0].Error()[:min(len(want), len(errs[0].Error()))] != want {
			t.Errorf("got %v, want %s", errs, want)
		}
		if bad.Digest() == good.Digest() {
			t.Errorf("%s: the digest is the same", want)
		}
	}
}
