package task

import (
	"fmt"
	"slices"
	"strings"

	"flyball/engine/partition"
	"flyball/internal/conf"
	"flyball/internal/durable"
	"flyball/internal/input"
	"flyball/internal/rng"
	"flyball/reports/distances"
	"flyball/reports/format"
	"flyball/scenarios"
	"flyball/scenarios/work"
)

// Partition asks for the plans by which strategies divide the lists of a scenario among its servers.
type Partition struct {
	Source
	Strategies []string // all if empty
	Out        string   // file of the plans; empty: none
	Verify     string   // file of plans that are held against the scenario instead; empty: none

	Distances []format.Table // what Proximity knows; set by Do
}

// Partitions are the plans of a scenario: what flyball partition --json prints and --out writes.
type Partitions struct {
	Schema        string           `json:"schema"`
	SchemaVersion int              `json:"schema_version"`
	Scenario      string           `json:"scenario"`
	ScenarioID    string           `json:"scenario_id"` // SHA-256 of the resolved scenario
	Seed          uint64           `json:"seed"`
	Campaigns     []PartedCampaign `json:"campaigns"`
}

// PartedCampaign has the plans for one campaign's list.
type PartedCampaign struct {
	Campaign     string       `json:"campaign"`
	Recipients   int64        `json:"recipients"`
	Servers      []string     `json:"servers"`        // in the order of the scenario, as the columns of counts
	Destinations []string     `json:"destinations"`   // in the order of the scenario, as the rows of counts
	FinishBound  float64      `json:"finish_bound_s"` // no plan at all is done earlier, by predicted times
	Plans        []PartedPlan `json:"plans"`
}

// PartedPlan is the plan of one strategy.
type PartedPlan struct {
	Strategy  string    `json:"strategy"`
	Mean      float64   `json:"mean_ms"`   // predicted time of an attempt
	Imbalance float64   `json:"imbalance"` // most recipients of a server / its fair share
	Finish    []float64 `json:"finish_s"`  // when each server is done, if all its processes are always busy
	Counts    [][]int64 `json:"counts"`    // recipients by destination and server
	Cost      int64     `json:"cost_ms"`   // sum of the times of all attempts
	Prices    []int64   `json:"prices_ms"` // of a place on each server; from them the bound follows; none: no bound
	Bound     int64     `json:"bound_ms"`  // no plan within imbalance and quotas costs less; 0: none
	Gap       float64   `json:"gap"`       // (cost - bound) / bound
	Digest    string    `json:"digest"`    // of counts, prices, cost and bound
}

// schemaOfPartitions is the name of the schema of Partitions.
const schemaOfPartitions = "flyball/partition"

// Do makes the plans, and writes them to Out, or verifies the plans of a file.
func (q *Partition) Do() (*Partitions, error) {
	names := q.Strategies
	for _, name := range names {
		if known := scenarios.Strategies(); !slices.Contains(known, name) {
			return nil, Fail(Usage, "--strategy: got %q, want one of %s%s", name, strings.Join(known, ", "),
				conf.DidYouMean(name, known))
		}
	}
	if q.Verify != "" && (q.Out != "" || len(names) > 0) {
		return nil, Fail(Usage, "--verify: got it with --out or --strategy, want it alone")
	}
	s, _, err := q.Load()
	if err != nil {
		return nil, err
	}
	if q.Verify != "" {
		return q.verify(s)
	}
	if len(names) == 0 {
		names = slices.DeleteFunc(scenarios.Strategies(), func(name string) bool {
			return name == "proximity" && q.Proximity == "" && !s.Dispatch.Learns()
		})
	}
	all := &Partitions{schemaOfPartitions, format.SchemaVersion, s.Name, scenarios.ID(s), s.Seed, nil}
	for i, p := range s.Problems() {
		c := PartedCampaign{Campaign: s.Campaigns[i].Name, Recipients: p.Total(),
			FinishBound: partition.FinishBound(p) / 1000}
		for _, v := range p.Servers {
			c.Servers = append(c.Servers, v.Name)
		}
		for _, v := range p.Sites {
			c.Destinations = append(c.Destinations, v.Name)
		}
		if q.Proximity != "" && i == 0 { // the others differ in nothing
			q.Distances = append(q.Distances, distances.Classes(p, s.Known().Look(p, s.Dispatch.Proximity)))
		}
		for _, name := range names {
			var plan partition.Plan
			var err error
			if name == "proximity" {
				plan, err = work.Learned(s, i, p)
			} else {
				plan, err = work.Plan(name, p, rng.New(s.Seed, 0))
			}
			if err != nil {
				return nil, Fail(Invalid, "%s: campaign %s: %w", q.Arg, c.Campaign, err)
			}
			c.Plans = append(c.Plans, parted(p, &plan))
		}
		all.Campaigns = append(all.Campaigns, c)
	}
	if q.Out != "" {
		raw, err := format.SortedJSON(all)
		if err == nil {
			err = durable.Write(q.Out, raw)
		}
		if err != nil {
			return nil, Unwritten("--out", err)
		}
	}
	return all, nil
}

// parted returns a plan as it is written.
func parted(p *partition.Problem, plan *partition.Plan) PartedPlan {
	v := PartedPlan{Strategy: plan.Strategy, Mean: plan.Mean(p), Imbalance: plan.Imbalance(p), Cost: plan.Cost,
		Prices: plan.Prices, Bound: plan.Bound, Digest: plan.Digest()}
	if plan.Prices != nil {
		v.Gap = plan.Gap()
	}
	for _, ms := range plan.Finish(p) {
		v.Finish = append(v.Finish, ms/1000)
	}
	for row := range slices.Chunk(plan.Counts, len(p.Servers)) {
		v.Counts = append(v.Counts, row)
	}
	return v
}

// verify holds the plans of a file against the scenario.
func (q *Partition) verify(s *scenarios.Scenario) (*Partitions, error) {
	raw, err := ReadFile("--verify", q.Verify, input.Beside)
	if err != nil {
		return nil, err
	}
	wrong := func(format string, args ...any) error {
		return Fail(Invalid, "%s: "+format, append([]any{q.Verify}, args...)...)
	}
	var all Partitions
	if err := format.ReadSchema(raw, schemaOfPartitions, &all); err != nil {
		return nil, wrong("%w", err)
	}
	if id := scenarios.ID(s); all.ScenarioID != id {
		return nil, wrong("scenario_id: got %.16q, want %.16q: the plans are of another scenario", all.ScenarioID, id)
	}
	problems := s.Problems()
	if len(all.Campaigns) != len(problems) {
		return nil, wrong("campaigns: got %d, want %d", len(all.Campaigns), len(problems))
	}
	for i, c := range all.Campaigns {
		for j, v := range c.Plans {
			where := conf.Index("campaigns", i) + "." + conf.Index("plans", j)
			plan := partition.Plan{Strategy: v.Strategy, Counts: slices.Concat(v.Counts...), Prices: v.Prices,
				Bound: v.Bound, Cost: v.Cost}
			if errs := plan.Verify(problems[i]); len(errs) > 0 {
				return nil, wrong("%s.%w", where, errs[0])
			}
			if got := plan.Digest(); got != v.Digest {
				return nil, wrong("%s.digest: got %q, want %q: counts, prices, cost or bound were changed", where,
					v.Digest, got)
			}
			again := parted(problems[i], &plan)
			if fmt.Sprint(again) != fmt.Sprint(v) {
				return nil, wrong("%s: got %s, want what follows from its counts", where, v.Strategy)
			}
		}
		if bound := partition.FinishBound(problems[i]) / 1000; bound != c.FinishBound {
			return nil, wrong("%s.finish_bound_s: got %g, want %g", conf.Index("campaigns", i), c.FinishBound, bound)
		}
	}
	return &all, nil
}

// Tables returns the plans in words, a table for each campaign.
func (p *Partitions) Tables() (all []format.Table) {
	for _, c := range p.Campaigns {
		t := format.Table{Left: 1, Head: []string{"strategy", "mean attempt", "imbalance", "first done", "all done",
			"beyond the bound"}}
		t.Caption = fmt.Sprintf("Campaign %s: %s recipients over %d servers; no plan is done before %s", c.Campaign,
			format.Grouped(float64(c.Recipients), 0), len(c.Servers), format.Duration(c.FinishBound))
		for _, v := range c.Plans {
			last := slices.Max(v.Finish)
			t.Rows = append(t.Rows, []string{v.Strategy, format.Grouped(v.Mean, 0) + " ms",
				format.Grouped(v.Imbalance, 3), format.Duration(slices.Min(v.Finish)), format.Duration(last),
				format.Percent(last/max(c.FinishBound, 1e-9) - 1)})
		}
		all = append(all, t)
	}
	return all
}

// Proofs returns a sentence about each plan with prices.
func (p *Partitions) Proofs() (all []string) {
	for _, c := range p.Campaigns {
		for _, v := range c.Plans {
			if len(v.Prices) > 0 {
				all = append(all, fmt.Sprintf("Campaign %s, %s: mean %.3f ms; no plan within imbalance and quotas is "+
					"below %.3f ms (gap %.3f %%).", c.Campaign, v.Strategy, v.Mean,
					float64(v.Bound)/float64(max(c.Recipients, 1)), 100*v.Gap))
			}
		}
	}
	return all
}
