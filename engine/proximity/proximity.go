// Package proximity learns, over several mailings, how far sites are from delivering servers, and plans the next
// mailing by it ([0056]-[0059]). Nothing is sent for the sake of measuring: a Witness takes down how long the sender's
// own attempts took. A Database keeps that for each pair of server and site. Old knowledge loses weight, and a bounded
// share of each mailing's recipients, the probes, goes over other servers than the plan wants, where knowledge is
// least.
//
//	Witness    witness.go    what one server's attempts of a mailing showed
//	Database   database.go   what is known of each pair, and how it ages
//	View       plan.go       what is known of the pairs of one list: estimates, classes, and the plan with its probes
package proximity

import "flyball/internal/conf"

// Config is how distances are learned.
type Config struct {
	// what counts as distance: the measured time of an attempt from the connection to the reply, or hops alone, of
	// which each counts as 10 ms ([0056])
	By string `toml:"by" oneof:"delay hops" default:"delay"`
	// most recipients of a campaign that are sent over other servers than the plan wants, to measure from there / all
	// its recipients ([0059])
	// Source: assumed: they cost less than one percent where a wrong server takes twice as long
	Probes float64 `toml:"probes" range:"0..0.1" default:"0.01"`
	// mailings after which what was measured weighs half as much
	// Source: assumed: distances may shift between any two mailings
	HalfLife float64 `toml:"half_life" range:">0..1000" default:"1"`
	// attempts for which all that was measured before weighs at most
	// Source: assumed: a dozen probes then outweigh what was believed before distances shifted
	Memory int `toml:"memory" range:"1..1000000" default:"10"`
}

var keys = conf.Declare[Config]()

// Default returns the Config of a scenario that sets no key.
func Default() Config { return conf.DefaultOf[Config](keys) }

// Validate reports every problem.
func (c Config) Validate() []error {
	var l conf.List
	keys.Check(&l, c)
	return l
}
