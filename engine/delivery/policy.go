package delivery

import (
	"slices"

	"flyball/internal/conf"
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// policies in the order in which choices are listed. A policy stands in a file
// of its own, or of its family.
var policies = []Policy{fixed, alloc, dfr, dfrFn, bothA, bothFn, stage, stageFn, util, utilFn, yield}

// Policy is one way to move the retry limit ([0072]-[0077]), with all that the
// rest of the program needs to know of it: help, schema and validation come
// from here.
//
// A limit stands between Low and Limit and is asked about at every failure, so
// a lowered one ends recipients one by one, each at its next failure, and a
// raised one brings nobody back. A policy has one of follow, stage and own; a
// policy without any keeps Limit.
type Policy struct {
	Name string
	Doc  string   // what the limit goes by, as the end of a sentence that the name begins
	Keys []string // of [retry] that have a meaning under this policy and not under every other

	// follow returns the limit where limit is in force and the load is now, and whether the load asks for the
	// low limit. The limit is of the server or, with the key scope, of each MTA process or of all servers.
	follow func(r *Retry, limit int, now load) (to int, strained bool)
	// stage returns the limit of a campaign by the share of its recipients that remain.
	stage func(r *Retry, remaining float64) int
	// own makes limits that the policy keeps by itself.
	own func(r *Retry) ownLimits
}

// ownLimits are the limits of a policy that keeps them, and what it counts, by
// itself.
type ownLimits interface {
	limit(a *mail.Attempt, r mail.Reply) int // in force for a failure
	count(a *mail.Attempt, r mail.Reply)     // an attempt has ended
	interval(span vt.Span)                   // an interval has ended
	lowest() int                             // the lowest limit in force
	state(*snap.Codec)                       // saves or restores
}

// Policies returns every policy, in the order in which choices are listed.
func Policies() []Policy { return slices.Clone(policies) }

// policyNamed returns the policy of that name, else fixed.
func policyNamed(name string) *Policy {
	i := slices.IndexFunc(policies, func(p Policy) bool { return p.Name == name })
	return &policies[max(i, 0)]
}

func (p *Policy) uses(key string) bool { return slices.Contains(p.Keys, key) }

// ofSomePolicy reports whether a key has a meaning under some policies only.
func ofSomePolicy(key string) bool {
	return slices.ContainsFunc(policies, func(p Policy) bool { return p.uses(key) })
}

// Choices returns the policies and the schedules that a key may name.
func (Retry) Choices(key string) (all []conf.Choice) {
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
