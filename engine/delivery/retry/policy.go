package retry

import (
	"slices"

	"flyball/internal/conf"
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// policies are listed in the order of choices in help and schema.
var policies = []Policy{fixed, alloc, dfr, dfrFn, bothA, bothFn, stage, stageFn, util, utilFn, yield}

// Policy is one way to move the retry limit ([0072]-[0077]). Help, schema and
// validation are derived from it.
//
// A limit is between Low and Limit and applies at every failure. So a lowered
// limit ends recipients one by one, each at its next failure, and a raised limit
// restores no recipient. A policy has one of follow, stage and own; a policy
// without any keeps Limit.
type Policy struct {
	Name string
	Doc  string   // what the limit depends on, as the end of a sentence that the name begins
	Keys []string // keys of [retry] that this policy uses and some other does not

	// follow returns the new limit, given the present limit and the load now, and whether the load needs the
	// low limit. The limit applies to the server or, with the key scope, to each MTA process or all servers.
	follow func(r *Config, limit int, now load) (to int, strained bool)
	// stage returns the limit of a campaign, given the share of its recipients that remain.
	stage func(r *Config, remaining float64) int
	// own returns limits that the policy keeps itself.
	own func(r *Config) ownLimits
}

// ownLimits are the limits, and their counts, of a policy that keeps its own.
type ownLimits interface {
	limit(a *mail.Attempt, r *mail.Reply) int // returns the limit in force for a failure
	// count counts an attempt that has ended, with what becomes of its recipient; see Limits.Count
	count(a *mail.Attempt, r *mail.Reply, fate mail.Class)
	interval(span vt.Span) // adjusts the limits at the end of an interval
	lowest() int           // returns the lowest limit in force
	state(*snap.Codec)     // saves or restores
}

// Policies returns every policy, in the order in which choices are listed.
func Policies() []Policy { return slices.Clone(policies) }

// policyNamed returns the policy called name, else fixed.
func policyNamed(name string) *Policy {
	i := slices.IndexFunc(policies, func(p Policy) bool { return p.Name == name })
	return &policies[max(i, 0)]
}

func (p *Policy) uses(key string) bool { return slices.Contains(p.Keys, key) }

// ofSomePolicy reports whether only some policies use the key.
func ofSomePolicy(key string) bool {
	return slices.ContainsFunc(policies, func(p Policy) bool { return p.uses(key) })
}

// Choices returns the policies and the schedules that a key may name.
func (Config) Choices(key string) (all []conf.Choice) {
	switch key {
	case "policy":
		for _, p := range policies {
			all = append(all, conf.Choice{Name: p.Name, Doc: p.Doc})
		}
	case "schedule":
		for _, name := range scheduleNames {
			all = append(all, conf.Choice{Name: name})
		}
	}
	return all
}

var fixed = Policy{Name: "fixed", Doc: "keeps the limit"}
