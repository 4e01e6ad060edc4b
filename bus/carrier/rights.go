package carrier

import (
	"fmt"
	"slices"

	"flyball/bus"
	"flyball/engine"
	"flyball/engine/codec"
)

// Rights returns what a process with the given roles may do on a site's bus, which is what the table of flows has for
// them and no more: publish what the roles send, under their own addresses, and subscribe to what is sent to them.
func Rights(site string, own ...engine.Address) (r bus.Rights) {
	for _, a := range own {
		for _, f := range codec.Flows {
			if f.Carried() && f.From == a.Role {
				r.Publish = append(r.Publish, path(site, f.To, "*", f.From, fmt.Sprint(a.Server), f.Body))
			}
			if f.Carried() && f.To == a.Role {
				r.Subscribe = append(r.Subscribe, pattern(site, f, a))
			}
		}
	}
	for _, all := range []*[]string{&r.Publish, &r.Subscribe} {
		slices.Sort(*all)
		*all = slices.Compact(*all)
	}
	return r
}

// subject returns where a message of a flow is published.
func subject(site string, from engine.Address, f codec.Flow, to engine.Address) string {
	return path(site, f.To, fmt.Sprint(to.Server), f.From, fmt.Sprint(from.Server), f.Body)
}

// pattern returns what a role subscribes to for a flow: it may come from any server.
func pattern(site string, f codec.Flow, own engine.Address) string {
	return path(site, f.To, fmt.Sprint(own.Server), f.From, "*", f.Body)
}

// path returns a subject: to whom first, so that a person can watch one role, then from whom, then what.
func path(site string, to engine.Kind, toServer string, from engine.Kind, fromServer string, b engine.Body) string {
	if b == nil {
		return ""
	}
	return fmt.Sprintf("flyball.site.%s.%v.%s.%v.%s.%s", site, to, toServer, from, fromServer, codec.Name(b))
}
