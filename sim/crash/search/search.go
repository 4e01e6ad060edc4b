// Package search runs the small world of package crash in many cases, and accounts for what came of them: every single
// stop, every pair of stops that differ, and random cases. A case that breaks a promise is shrunk.
package search

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/sim/crash"
	"flyball/sim/crash/scope"
)

// Search says which cases are run.
type Search struct {
	Config   scope.Config
	Scenario string // what Config is made of, as the user names it
	Single   bool   // every effect, before and after, by every victim and model, back soon and late
	Pairs    bool   // every two stops of any servers that differ, back soon and late
	Random   int    // runs with several crashes, pauses, lost messages and clocks that drift
	Every    int    // singles are at every effect, every second one, ...; at least 1
	Firsts   int    // the first stops of pairs are all that differ, every second one, ...; at least 1
	Seed     uint64
	Workers  int
}

// downs returns how long servers stop.
func (s *Search) downs() []vt.Span { return []vt.Span{s.Config.Soon(), s.Config.Late()} }

// Default returns the whole search of the small scope: 1.9 million runs.
func Default() Search {
	return Search{Config: scope.Small(), Scenario: scope.SmallName, Single: true, Pairs: true,
		Random: 850_000, Every: 1, Firsts: 1, Seed: 1, Workers: runtime.GOMAXPROCS(0)}
}

// Fit leaves stops and random runs out of the search of a large world, so that it takes minutes: about
// 1.5 billion effects in all. The small scope is searched whole.
func (s *Search) Fit() {
	effects := crash.New(s.Config, scope.Case{}).Run().Effects
	firsts := len(crash.Points(s.Config, scope.Case{}))
	s.Every = 1 + 4*int(scope.Models)*(s.Config.Hosts()+1)*effects*effects/200_000_000
	s.Firsts = 1 + 2*firsts*firsts*effects/800_000_000 // each first stop has half of all after it, by two times each
	s.Random = min(s.Random, 500_000_000/effects)
}

// Account is what came of a search.
type Account struct {
	Effects int `json:"effects"`  // of the run in which nothing goes wrong
	Runs    int `json:"runs"`     // runs with faults
	Every   int `json:"every"`    // single stops were at every effect (1), every second one (2), ...
	Firsts  int `json:"firsts"`   // first stops of pairs were all that differ (1), every second one (2), ...
	Failed  int `json:"failed"`   // runs that broke a promise
	Pairs   int `json:"pairs"`    // runs with two stops each
	OfPairs int `json:"of_pairs"` // pairs of stops that these stand for: all others differ in time alone
	crash.Counts

	Classes  []Class   `json:"classes"`  // by kind of effect: how often its own server stopped, before and after it
	Failures []Failure `json:"failures"` // the first runs that broke a promise
}

// Class is a kind of crash.
type Class struct {
	Name string `json:"name"` // before or after, and the effect
	Hits int    `json:"hits"` // stops of the server whose effect it is
}

// Failure is a case that broke a promise.
type Failure struct {
	Case      string     `json:"case"`      // as --case takes it, with all that can be left out left out
	Violation string     `json:"violation"` // the promise that it breaks
	least     scope.Case // what Case is the text of
}

// most is the number of failures that an account keeps.
const most = 10

// Run runs the search. keepGoing is asked now and then, with the number of runs done and in all so far;
// the search ends when it returns false.
func (s *Search) Run(keepGoing func(done, all int) bool) *Account {
	cfg := s.Config
	base := crash.New(cfg, scope.Case{}).Run()
	a := &Account{Effects: base.Effects, Every: s.Every, Firsts: s.Firsts, Failures: []Failure{}}
	defer a.classify(len(base.Hits))
	if base.Violation != "" {
		a.Failed, a.Failures = 1, append(a.Failures, Failure{Violation: base.Violation})
		return a
	}
	var blocks []block
	if s.Single {
		for e := 0; e < base.Effects; e += s.Every {
			blocks = append(blocks, func(a *Account) { s.singles(e+1, a) })
		}
	}
	if s.Pairs {
		firsts := crash.Points(cfg, scope.Case{})
		for i := 0; i < len(firsts); i += s.Firsts {
			blocks = append(blocks, func(a *Account) { s.pairs(firsts[i], a) })
		}
	}
	const each = 250
	for n := 0; n < s.Random; n += each {
		blocks = append(blocks, func(a *Account) {
			for i := n; i < min(n+each, s.Random); i++ {
				x := s.random(uint64(i), base.Effects)
				s.run(&x, a)
			}
		})
	}
	s.each(blocks, a, keepGoing)
	return a
}

// block runs a part of a search for an account.
type block func(*Account)

// each runs blocks side by side and adds what came of them to the account, in their order.
func (s *Search) each(blocks []block, a *Account, keepGoing func(done, all int) bool) {
	parts := make([]Account, len(blocks))
	var next, done atomic.Int64
	var stopped atomic.Bool
	var wait sync.WaitGroup
	for range max(1, s.Workers) {
		wait.Go(func() {
			for !stopped.Load() {
				i := int(next.Add(1)) - 1
				if i >= len(blocks) {
					return
				}
				blocks[i](&parts[i])
				if !keepGoing(int(done.Add(1)), len(blocks)) {
					stopped.Store(true)
				}
			}
		})
	}
	wait.Wait()
	for i := range parts {
		a.add(&parts[i])
	}
}

func (s *Search) run(x *scope.Case, a *Account) {
	r := crash.New(s.Config, *x).Run()
	a.Runs++
	a.Counts.Add(&r.Counts)
	if r.Violation != "" {
		if a.Failed++; len(a.Failures) < most {
			least := s.shrink(*x)
			broken := crash.New(s.Config, least).Run().Violation
			a.Failures = append(a.Failures, Failure{s.Config.Text(&least), broken, least})
		}
	}
}

func (a *Account) add(p *Account) {
	a.Runs += p.Runs
	a.Pairs += p.Pairs
	a.OfPairs += p.OfPairs
	a.Failed += p.Failed
	a.Counts.Add(&p.Counts)
	a.Failures = append(a.Failures, p.Failures[:min(len(p.Failures), most-len(a.Failures))]...)
}

// classify sets the classes of a number of kinds, before and after their effects.
func (a *Account) classify(n int) {
	a.Classes = []Class{}
	for i := range n {
		c := Class{Name: [2]string{"before: ", "after: "}[i%2] + crash.Kind(i/2).String()}
		if a.Hits != nil {
			c.Hits = a.Hits[i]
		}
		a.Classes = append(a.Classes, c)
	}
}

// singles crashes at one effect.
func (s *Search) singles(effect int, a *Account) {
	for _, after := range []bool{false, true} {
		for victim := scope.All; victim < s.Config.Hosts(); victim++ {
			for m := range scope.Models {
				for _, down := range s.downs() {
					x := scope.Crash{Effect: effect, After: after, Victim: victim, Model: m, Down: down}
					s.run(&scope.Case{Crashes: []scope.Crash{x}}, a)
				}
			}
		}
	}
}

// pairs crashes at two places: the first one, and each later one that differs.
func (s *Search) pairs(first crash.Point, a *Account) {
	for _, first.Down = range s.downs() {
		for _, second := range crash.Points(s.Config, scope.Case{Crashes: []scope.Crash{first.Crash}}) {
			for _, second.Down = range s.downs() {
				s.run(&scope.Case{Crashes: []scope.Crash{first.Crash, second.Crash}}, a)
				a.Pairs++
				a.OfPairs += first.Stands * second.Stands
			}
		}
	}
}

const (
	swarm rng.Purpose = iota + 200
	places
	kindsOfCrash
)

// random returns the case with a number. Each kind of fault is there or not, so that some cases have a few
// kinds often rather than all of them seldom.
func (s *Search) random(number uint64, effects int) (x scope.Case) {
	key := rng.New(s.Seed, number)
	on := key.At(0, 0, swarm)
	size := key.At(1, 0, swarm)
	has := func(bit uint) bool { return on[0]>>bit&1 != 0 }
	share := func(word uint32, most float64) float64 {
		return float64(int(float64(word)/(1<<32)*most*1000)) / 1000
	}
	if has(0) {
		x.Lost = share(size[0], 0.1)
	}
	if has(1) {
		x.Loss = share(size[1], 0.3)
	}
	if has(2) {
		x.Repeat = share(size[2], 0.3)
	}
	if has(3) {
		for h := range s.Config.Servers {
			x.Drift = append(x.Drift, share(key.At(uint64(2+h), 0, swarm)[0], 0.018)-0.009)
		}
	}
	count := 1 + int(rng.Below(on[1], 6))
	for i := range count {
		place := key.At(uint64(i), 0, places)
		kind := key.At(uint64(i), 0, kindsOfCrash)
		c := scope.Crash{Effect: 1 + int(rng.Below(place[0], uint32(effects*3/2))), After: place[1]&1 != 0,
			Victim: int(rng.Below(place[2], uint32(s.Config.Hosts()+2))) + scope.All, Down: s.Config.Soon()}
		if has(4) {
			c.Model = scope.Model(rng.Below(kind[0], uint32(scope.Models)))
		}
		switch {
		case has(5) && kind[1]%3 == 0:
			c.Model, c.Fault = scope.Kill, scope.Pause
		case has(8) && place[3]%3 == 0:
			c.Model, c.Fault = scope.Kill, scope.Cut
		}
		if has(6) && kind[2]%2 == 0 {
			c.Down = s.Config.Late()
		}
		if has(7) && kind[3]%2 == 0 {
			c.Down = (1 + vt.Span(kind[3])%(s.Config.Late()/2/vt.Millisecond)) * vt.Millisecond
		}
		x.Crashes = append(x.Crashes, c)
	}
	scope.Sort(x.Crashes)
	return x
}

// shrink leaves out of a case that breaks a promise what it breaks one without.
func (s *Search) shrink(x scope.Case) scope.Case {
	breaks := func(y scope.Case) bool { return crash.New(s.Config, y).Run().Violation != "" }
	for i := 0; i < len(x.Crashes); {
		y := x
		y.Crashes = slices.Concat(x.Crashes[:i], x.Crashes[i+1:])
		if breaks(y) {
			x = y
		} else {
			i++
		}
	}
	for _, without := range []func(*scope.Case){func(y *scope.Case) { y.Lost = 0 }, func(y *scope.Case) { y.Loss = 0 },
		func(y *scope.Case) { y.Repeat = 0 }, func(y *scope.Case) { y.Drift = nil }} {
		y := x
		if without(&y); breaks(y) {
			x = y
		}
	}
	return x
}
