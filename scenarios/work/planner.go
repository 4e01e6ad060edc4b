package work

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"flyball/engine/partition"
	"flyball/engine/proximity"
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
	"flyball/scenarios"
)

// Planner divides the lists of a run that learns ([0056]-[0059]): each campaign's when it begins, by what the attempts
// that ended before have shown.
type Planner struct {
	s      *scenarios.Scenario
	list   *mail.List
	ends   []mail.Recipient
	order  []int // campaigns with recipients, in the order of their starts
	next   int   // the first of order that has no plan
	counts [][]int64
	sent   []uint64 // messages to each server
	probes uint64   // of the plans since the last mailing of known

	known *proximity.Database
	seen  [][]proximity.Seen // since then, by server and destination
}

// NewPlanner returns the planner of a run over a list. The error names a campaign that does not fit on the servers.
func NewPlanner(s *scenarios.Scenario, list *mail.List) (*Planner, error) {
	p := &Planner{s: s, list: grouped(s, list), ends: append([]mail.Recipient{0}, s.Ends(list.Len())...),
		sent: make([]uint64, len(s.Servers)), known: s.Known().Clone()}
	for range s.Servers {
		p.seen = append(p.seen, make([]proximity.Seen, len(s.Destinations)))
	}
	for number, c := range s.Campaigns {
		if p.ends[number] == p.ends[number+1] {
			continue
		}
		p.order = append(p.order, number)
		problem := s.Problem(number, p.list.Groups(number))
		if err := errors.Join(problem.Validate()...); err != nil {
			return nil, fmt.Errorf("campaign %s: %w", c.Name, err)
		}
	}
	slices.SortStableFunc(p.order, func(a, b int) int {
		return cmp.Compare(s.Campaigns[a].Start, s.Campaigns[b].Start)
	})
	return p, nil
}

// List returns the list, in which the campaigns that have a plan can be read.
func (p *Planner) List() *mail.List { return p.list }

// Seen returns the sums of a server's attempts, by destination, which its proximity.Witness adds to.
func (p *Planner) Seen(server int) []proximity.Seen { return p.seen[server] }

// Next returns when Plan is to be called, after all that happens at that time: just before a campaign begins; vt.Never
// if all have a plan.
func (p *Planner) Next() vt.Time {
	if p.next == len(p.order) {
		return vt.Never
	}
	return max(vt.Time(p.s.Campaigns[p.order[p.next]].Start)-1, 0)
}

// Plan returns the parts of the campaigns that begin next.
func (p *Planner) Plan() (all []Arrival) {
	p.learn()
	for now := p.Next(); p.Next() == now && now < vt.Never; p.next++ {
		number := p.order[p.next]
		counts, probes := learned(p.s, number, p.list.Groups(number), p.known)
		p.probes += probes
		p.counts = append(p.counts, counts)
		all = append(all, p.deal(number, counts)...)
	}
	return all
}

// All returns the parts of all campaigns, by what is known now.
func (p *Planner) All() (all []Arrival) {
	for p.Next() < vt.Never {
		all = append(all, p.Plan()...)
	}
	return all
}

// Known returns what the run has learned.
func (p *Planner) Known() *proximity.Database {
	p.learn()
	return p.known
}

func (p *Planner) learn() {
	var servers, sites []string
	for _, v := range p.s.Servers {
		servers = append(servers, v.Name)
	}
	var seen []proximity.Seen
	for d, v := range p.s.Destinations {
		sites = append(sites, v.Name)
		for i := range p.seen {
			seen = append(seen, p.seen[i][d])
		}
	}
	if p.known.Learn(p.s.Dispatch.Proximity, servers, sites, seen, p.probes) {
		p.probes = 0
		for i := range p.seen {
			clear(p.seen[i])
		}
	}
}

// deal returns the parts of a campaign. Their messages are numbered after those of earlier campaigns.
func (p *Planner) deal(number int, counts []int64) []Arrival {
	all := deal(p.s, p.list, number, counts, p.ends[number])
	for i := range all {
		p.sent[all[i].Server]++
		all[i].Number = p.sent[all[i].Server]
	}
	return all
}

// State saves or restores the planner. again is called with the parts of all plans that were restored.
func (p *Planner) State(c *snap.Codec, again func([]Arrival)) {
	c.Fields(&p.next, &p.probes)
	p.known.State(c)
	for i := range p.seen {
		for d := range p.seen[i] {
			p.seen[i][d].State(c)
		}
	}
	snap.Slice(c, &p.counts, func(c *snap.Codec, v *[]int64) { c.Fields(v) })
	if !c.Reading() {
		return
	}
	var all []Arrival
	clear(p.sent)
	for i, counts := range p.counts[:min(len(p.counts), len(p.order))] {
		if len(counts) == len(p.s.Servers)*len(p.s.Destinations) { // else the state is damaged
			all = append(all, p.deal(p.order[i], counts)...)
		}
	}
	p.next = min(max(p.next, 0), len(p.order))
	again(all)
}

// learned returns the recipients of a campaign by destination and server, and the number of probes among them, by what
// is known. The campaign fits on the servers.
func learned(s *scenarios.Scenario, campaign int, groups []int64, known *proximity.Database) (
	counts []int64, probes uint64,
) {
	view := known.Look(s.ProblemWithoutTimes(campaign, groups), s.Dispatch.Proximity)
	counts, probes, ok := view.Plan(s.ProblemAt(campaign, groups, view.Cost))
	if !ok {
		panic("work: a campaign that fits on the servers has no plan")
	}
	return counts, probes
}

// Learned returns the plan of a campaign by what earlier runs learned, with the times of p.
func Learned(s *scenarios.Scenario, campaign int, p *partition.Problem) (partition.Plan, error) {
	if err := errors.Join(p.Validate()...); err != nil {
		return partition.Plan{}, err
	}
	groups := make([]int64, len(p.Sites))
	for d := range groups {
		groups[d] = p.Sites[d].Recipients
	}
	counts, _ := learned(s, campaign, groups, s.Known())
	return partition.Given(p, "proximity", counts), nil
}
