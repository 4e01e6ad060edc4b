package response

import (
	"cmp"
	"math"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
	"time"

	"flyball/internal/longtest"
	"flyball/internal/mail"
)

const browser = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"

var sent = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

// at returns a click, or an open if the link is -1, some seconds after the acceptance.
func at(seconds float64, link int, more ...func(*Response)) Response {
	r := Response{At: sent.Add(time.Duration(seconds * float64(time.Second))), Kind: "click", Link: uint32(link),
		Method: "GET", Agent: browser}
	if link < 0 {
		r.Kind, r.Link = "open", 0
	}
	for _, m := range more {
		m(&r)
	}
	return r
}

func TestJudge(t *testing.T) {
	head := func(r *Response) { r.Method = "HEAD" }
	prefetch := func(r *Response) { r.Prefetch = true }
	agent := func(a string) func(*Response) { return func(r *Response) { r.Agent = a } }
	five := []Response{at(30, 1), at(30.2, 2), at(30.4, 3), at(30.6, 4), at(31, 5)}
	for _, v := range []struct {
		name  string
		all   []Response
		links int
		want  []Reason
	}{
		{"a human reads and clicks", []Response{at(50, -1), at(55, 2), at(58, 3)}, 8, []Reason{NoSign, NoSign, NoSign}},
		{"the same link again and again is not a burst", []Response{at(50, 2), at(50.1, 2), at(50.2, 2), at(50.3, 2),
			at(50.4, 2)}, 8, []Reason{NoSign, NoSign, NoSign, NoSign, NoSign}},
		{"five links within a second", five, 8, []Reason{Burst, Burst, Burst, Burst, Burst}},
		{"five links in more than a second", append(slices.Clone(five[:4]), at(31.1, 5)), 8,
			[]Reason{NoSign, NoSign, NoSign, NoSign, NoSign}},
		{"a burst and what is near it", append([]Response{at(19.9, -1), at(20.5, -1)}, append(slices.Clone(five),
			at(40.9, 1), at(41.2, 1))...), 8,
			[]Reason{NoSign, Burst, Burst, Burst, Burst, Burst, Burst, Burst, NoSign}},
		{"all links of a short letter", []Response{at(30, 1), at(30.5, 2)}, 2, []Reason{Burst, Burst}},
		{"two links of many", []Response{at(30, 1), at(30.5, 2)}, 3, []Reason{NoSign, NoSign}},
		{"the only link", []Response{at(30, 1)}, 1, []Reason{NoSign}},
		{"a trap and what is near it", []Response{at(29, 1), at(39, 0), at(45, 2), at(49.1, 3)}, 8,
			[]Reason{Trap, Trap, Trap, NoSign}},
		{"a trap that is looked at", []Response{at(29, 1), at(30, 0, head)}, 8, []Reason{Trap, Head}},
		{"the request alone", []Response{at(60, 1, head), at(120, 1, prefetch), at(180, 1, agent("")),
			at(240, 1, agent("AcmeBot/1.0")), at(300, -1, agent("Mozilla/5.0 (via ggpht.com GoogleImageProxy)"))}, 8,
			[]Reason{Head, Prefetch, Agent, Agent, NoSign}},
		{"at once", []Response{at(-1, 1), at(1.9, 1), at(2.1, 1), at(9.9, -1), at(10.1, -1)}, 8,
			[]Reason{AtOnce, AtOnce, NoSign, AtOnce, NoSign}},
	} {
		rule := defaultRule()
		for i, got := range rule.Judge(v.all, v.links, sent) {
			if got.Reason != v.want[i] || got.Human != (v.want[i] == NoSign) || got.Accepted != sent {
				t.Errorf("%s: response %d: got %v, want %s", v.name, i, got, v.want[i])
			}
		}
		for i, got := range rule.Judge(v.all, v.links, time.Time{}) {
			if got.Reason == AtOnce || v.want[i] != AtOnce && got.Reason != v.want[i] {
				t.Errorf("%s, acceptance not known: response %d: got %v, want %s", v.name, i, got, v.want[i])
			}
		}
	}
}

// links is the number of links of the simulated letter, besides the trap.
const links = 8

// visitor is a recipient of the simulated letter with its responses, and whether a human made each.
type visitor struct {
	all   []Response
	human []bool
}

func (v *visitor) add(seconds float64, link int, human bool) {
	v.all, v.human = append(v.all, at(seconds, link)), append(v.human, human)
}

// simulated draws the responses of a recipient. Three of ten have a scanner, whose time after the acceptance is as in
// 836 measured bursts of five links or more: 0.5 % within 10 s, 2.2 % within 20 s, 66 % within a minute, 28 % within
// five, and the rest, by assumption, within an hour. Nine of ten scanners follow a link that people do not see (also
// measured). By assumption one of ten takes 5 to 15 s for its links, and all of them call themselves a browser. 15 % of
// recipients click, by assumption: the first time after a log-normal time with a median of three hours, on one to four
// links, at least 0.8 s apart, and one of twenty twice on the same.
func simulated(r *rand.Rand) (v visitor) {
	lognormal := func(median, sigma float64) float64 { return median * math.Exp(sigma*r.NormFloat64()) }
	if r.Float64() < 0.3 {
		from, to := 300.0, 3600.0
		switch u := r.Float64(); {
		case u < 0.005:
			from, to = 0, 10
		case u < 0.027:
			from, to = 10, 20
		case u < 0.687:
			from, to = 20, 60
		case u < 0.967:
			from, to = 60, 300
		}
		begin, takes := from+r.Float64()*(to-from), r.Float64()
		if r.Float64() < 0.1 {
			takes = 5 + 10*r.Float64()
		}
		followed := r.Perm(links)[:5+r.IntN(links-4)]
		for i, link := range followed {
			v.add(begin+takes*float64(i)/float64(len(followed)-1), link+1, false)
		}
		if r.Float64() < 0.9 {
			v.add(begin+takes*(0.3+0.4*r.Float64()), 0, false)
		}
		if r.Float64() < 0.5 {
			v.add(begin-3*r.Float64(), -1, false)
		}
	}
	if r.Float64() < 0.15 {
		now := lognormal(3*3600, 1.8)
		v.add(now, -1, true)
		for _, link := range r.Perm(links)[:1+r.IntN(4)] {
			now += 0.8 + lognormal(15, 1)
			v.add(now, link+1, true)
			if r.Float64() < 0.05 {
				v.add(now+0.3, link+1, true)
			}
		}
	}
	order := make([]int, len(v.all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return v.all[a].At.Compare(v.all[b].At) })
	sorted := visitor{}
	for _, i := range order {
		sorted.all, sorted.human = append(sorted.all, v.all[i]), append(sorted.human, v.human[i])
	}
	return sorted
}

// score counts clicks on links that people see.
type score struct{ caught, machines, lost, humans int }

func (s *score) add(r *Response, human bool, v *Verdict) {
	switch {
	case r.Kind != "click" || r.Link == 0:
	case human:
		if s.humans++; !v.Human {
			s.lost++
		}
	default:
		if s.machines++; !v.Human {
			s.caught++
		}
	}
}

// check demands the floors, and that enough was simulated.
func (s *score) check(t *testing.T, least int) {
	t.Helper()
	caught, lost := float64(s.caught)/float64(s.machines), float64(s.lost)/float64(s.humans)
	t.Logf("%.2f %% of %d machine clicks are caught, %.3f %% of %d human clicks are lost", 100*caught, s.machines,
		100*lost, s.humans)
	if caught < 0.95 || lost > 0.01 || s.machines < least || s.humans < least {
		t.Errorf("got %+v, want 95 %% caught, 1 %% lost and at least %d of both", *s, least)
	}
}

// simulationSeed begins the luck of simulated recipients.
const simulationSeed = 20261130

// Of clicks whose makers are known, at least 95 % of the machines' are caught and at most 1 % of the humans' are lost;
// on other luck too.
func TestSimulatedClicks(t *testing.T) {
	for seed := range uint64(longtest.Or(3, 50)) {
		luck := rand.New(rand.NewPCG(simulationSeed, seed))
		rule, s := defaultRule(), score{}
		for range 20_000 {
			v := simulated(luck)
			for i, got := range rule.Judge(v.all, links, sent) {
				s.add(&v.all[i], v.human[i], &got)
			}
		}
		s.check(t, 6000)
	}
}

// The server judges as the rule does, from the requests alone, and once each.
func TestSimulatedRequests(t *testing.T) {
	const recipients = 2000
	type request struct {
		Response
		human bool
	}
	var all []request
	luck := rand.New(rand.NewPCG(simulationSeed, 0))
	for rcpt := range uint32(recipients) {
		v := simulated(luck)
		for i, r := range v.all {
			r.Rcpt = rcpt
			all = append(all, request{r, v.human[i]})
		}
	}
	slices.SortStableFunc(all, func(a, b request) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
	clock, truth, s := sent, map[uint64]bool{}, score{}
	judged := map[uint64]int{}
	cfg := Default(t.TempDir())
	cfg.Batch = 1000
	cfg.Now = func() time.Time { return clock }
	cfg.Tell = func(j Judged) {
		judged[j.Response.Number]++
		s.add(&j.Response, truth[j.Response.Number], &j.Verdict)
	}
	server := started(t, cfg, recipients)
	for i, r := range all {
		clock = r.At
		server.ServeHTTP(httptest.NewRecorder(), get(t, r.Kind, mail.Recipient(r.Rcpt), r.Link))
		if truth[uint64(i+1)] = r.human; i%500 == 499 || i == len(all)-1 {
			if i == len(all)-1 {
				clock = clock.Add(time.Hour)
			}
			flushed(t, server)
		}
	}
	for i := range all {
		if judged[uint64(i+1)] != 1 {
			t.Fatalf("response %d of %d is judged %d times", i+1, len(all), judged[uint64(i+1)])
		}
	}
	s.check(t, 600)
	read := 0
	if err := Read(cfg.Dir, func(j Judged) {
		if read++; truth[j.Response.Number] && j.Verdict.Reason != NoSign && j.Response.Rcpt >= recipients {
			t.Error(j)
		}
	}); err != nil || read != len(all) {
		t.Errorf("%d of %d are read, %v", read, len(all), err)
	}
	if len(server.store.recent) != 0 || len(server.store.held) != 0 {
		t.Errorf("%d responses are still in memory", len(server.store.recent))
	}
}

// The seconds of a rule are bounded, and its links are several.
func TestRuleIsValidated(t *testing.T) {
	bad := Rule{Links: 1, Within: -1, Around: time.Hour}
	if errs := bad.Validate(); len(errs) != 3 {
		t.Error(errs)
	}
	cfg := Default(t.TempDir())
	if errs := cfg.Validate(); errs != nil {
		t.Error(errs)
	}
	cfg = Config{Rule: bad}
	if errs := cfg.Validate(); len(errs) != 5+3 {
		t.Error(errs, strconv.Itoa(len(errs)))
	}
}
