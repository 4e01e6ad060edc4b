package scenarios

import (
	"flyball/engine/delivery/retry"
	"flyball/governor"
	"flyball/internal/conf"
	"flyball/internal/tomlfile"
	"flyball/internal/vt"
)

// Parameters are the settings that are tuned in simulation and promoted to
// sending servers.
type Parameters struct {
	// the law and its numbers
	Governor governor.Config `toml:"governor"`
	// the resend policy
	Retry retry.Config `toml:"retry"`
}

var parametersFormat = tomlfile.New[Parameters]("governor.target")

// Parameters returns the governor and retry settings of the scenario.
func (s *Scenario) Parameters() Parameters { return Parameters{s.Governor, s.Retry} }

// TOML returns a file with every value spelled out; LoadParameters reads it.
func (p Parameters) TOML() []byte { return parametersFormat.Encode(p) }

// LoadParameters decodes a file that has only the tables [governor] and
// [retry]. The error is of type tomlfile.Problems.
func LoadParameters(name string, src []byte) (Parameters, error) {
	p := Parameters{governor.Default(), retry.Default()}
	doc := parametersFormat.Read(name, src, nil)
	doc.Decode(&p)
	doc.Moments(func(text string) (vt.Span, error) { return 0, errNoClock(text) })
	var l conf.List
	l.Within("governor", p.Governor.Validate())
	l.Within("retry", p.Retry.Validate())
	doc.Refuse(l)
	return p, doc.Err()
}

// Tried returns the scenario with the trial t of its law: each server begins with the scenario's own and returns to
// t.Before. Servers must not share a governor.
func (s *Scenario) Tried(t governor.Canary) *Scenario {
	c := *s
	c.canary = &t
	return &c
}
