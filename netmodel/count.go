package netmodel

import (
	"flyball/internal/mail"
	"flyball/netmodel/config"
	"flyball/netmodel/limits"
)

// counting is what a receiver takes for one sender: what it counts together.
type counting uint8

const (
	byAddress  counting = iota // a source address
	byBlock                    // the servers of a netblock, with all their addresses
	byFleet                    // all servers
	byDomain                   // a sending domain, from any address
	byCustomer                 // an account of campaigns, from any address
)

// countings are the names of countings in scenarios.
var countings = map[string]counting{"block": byBlock, "fleet": byFleet, "domain": byDomain, "account": byCustomer}

// countingOf returns by what the limits of a destination are counted.
func countingOf(d config.Destination) counting {
	if d.Shared {
		return byFleet
	}
	return countings[d.By]
}

// countedBy returns by what an allowance of a destination with a counting is counted: by
// the destination's, or by what takes more together.
func countedBy(a limits.Allowance, of counting) counting {
	if by := countings[a.Scope]; by > of {
		return by
	}
	return of
}

// block returns the number of the netblock of a server, and gives the next number to one that
// is new.
func block(s config.Server, known map[string]int) int {
	name := "name " + s.Block
	if s.Block == "" {
		name = "server " + s.Name
	}
	if _, ok := known[name]; !ok {
		known[name] = len(known)
	}
	return known[name]
}

// sender is one of those that a receiver counts apart.
type sender struct {
	of     mail.Destination // the destination whose receivers count
	rule   int              // the number of the allowance that counts; ofState or ofGreylist for all else
	by     counting
	server mail.Server // by address
	number int         // of the address, the netblock, the domain or the account
}

const (
	ofState = -1 - iota
	ofGreylist
)

// sender returns whom a receiver of the destination d takes the server s for: at one of the
// server's addresses or, by domain or account, with one of these.
func (net *Network) sender(s mail.Server, d mail.Destination, rule int, by counting, number int) sender {
	v := sender{of: net.destinations[d].of, rule: rule, by: by}
	switch by {
	case byAddress:
		v.server, v.number = s, number
	case byBlock:
		v.number = net.servers[s].block
	case byDomain, byCustomer:
		v.number = number
	}
	return v
}

// accounts holds what receivers remember, each by whom it is about.
type accounts struct {
	states  map[sender]*ReceiverState
	windows map[sender]*limits.Window
	greys   map[sender]*acquaintance
}

func newAccounts() accounts {
	return accounts{map[sender]*ReceiverState{}, map[sender]*limits.Window{}, map[sender]*acquaintance{}}
}

// receivers returns the receivers of server s by destination.
func (a accounts) receivers(net *Network, s mail.Server) []Receiver {
	all := make([]Receiver, len(net.destinations))
	for i := range all {
		d, facts := mail.Destination(i), &net.destinations[i]
		r := Receiver{net: net, facts: facts, server: s, dest: d}
		if net.pools > 1 {
			r.turns = make([]uint32, net.pools)
		}
		// Postgrey looks a client up by its netblock (/24), and so finds another address of it.
		r.grey = a.grey(net.sender(s, d, ofGreylist, max(facts.by, byBlock), 0))
		for n := range net.servers[s].addresses {
			r.states = append(r.states, a.state(net.sender(s, d, ofState, facts.by, n), facts.behaviour))
		}
		if b := facts.behaviour; b != nil {
			for rule := range b.allowances {
				v := &b.allowances[rule]
				var windows []*limits.Window
				number := net.servers[s].addresses
				switch v.by {
				case byDomain:
					number = net.domains
				case byCustomer:
					number = net.accounts
				}
				for n := range number {
					windows = append(windows, a.window(net.sender(s, d, rule, v.by, n), &v.Quota))
				}
				r.windows = append(r.windows, windows)
			}
		}
		all[i] = r
	}
	return all
}

func (a accounts) state(of sender, b *behaviour) *ReceiverState {
	if a.states[of] == nil {
		a.states[of] = &ReceiverState{}
		if b != nil {
			a.states[of].bucket = b.bucket
		}
	}
	return a.states[of]
}

func (a accounts) grey(of sender) *acquaintance {
	if a.greys[of] == nil {
		a.greys[of] = &acquaintance{}
	}
	return a.greys[of]
}

func (a accounts) window(of sender, q *limits.Quota) *limits.Window {
	if a.windows[of] == nil {
		a.windows[of] = q.Window()
	}
	return a.windows[of]
}

// Joint reports whether what one server does may change how receivers treat the others.
func (net *Network) Joint() bool {
	for d := range net.destinations {
		if _, joint := net.ReceiversOf(mail.Destination(d)); joint {
			return true
		}
	}
	return false
}

// ReceiversOf returns the destination whose receivers take the mail of d, and whether they
// count several servers together.
func (net *Network) ReceiversOf(d mail.Destination) (of mail.Destination, joint bool) {
	v := &net.destinations[d]
	joint = v.by != byAddress
	if v.behaviour != nil {
		for _, a := range v.behaviour.allowances {
			joint = joint || a.by != byAddress
		}
	}
	return v.of, joint
}

// Receivers returns the receivers at time 0, by server and destination. What counts
// several servers or destinations together has one state for them.
func (net *Network) Receivers() [][]Receiver {
	all, common := make([][]Receiver, len(net.servers)), newAccounts()
	for s := range all {
		all[s] = common.receivers(net, mail.Server(s))
	}
	return all
}

// receivers returns the receivers of server s by destination, as if it were the
// only server.
func (net *Network) receivers(s mail.Server) []Receiver { return newAccounts().receivers(net, s) }
