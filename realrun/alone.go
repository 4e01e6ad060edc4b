package realrun

import (
	"fmt"

	"flyball/engine"
	"flyball/engine/governing"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/realrun/journal"
	"flyball/realrun/station"
	"flyball/reports/runlog"
	"flyball/scenarios"
	"flyball/scenarios/stated"
)

// mostProcesses is the greatest number of MTA processes of a server that keeps its facts.
const mostProcesses = 1 << 14

// NewServer returns delivering server number of a scenario as a station of its own: the sending server and all other
// roles are elsewhere. Their messages come by Receive, and messages for them go to carrier once the facts are durable
// on which they rest. The list has the recipients of all mailings whose subsets the server may have; see Mail. The
// scenario's campaigns are ignored. Run goes on until its context ends, in real time: since time zero of the journal by
// the clock on the wall, and never before the last fact. The final dot of each attempt must ask Gate. watch may be nil.
func NewServer(s *scenarios.Scenario, number mail.Server, list *mail.List, t Transport, watch runlog.Watch, k Keeping,
	carrier station.Carrier) (*Runner, error) {
	if int(number) >= len(s.Servers) {
		return nil, fmt.Errorf("scenario %s: got server %d, want one of %d", s.Name, number, len(s.Servers))
	}
	address := engine.Address{Role: engine.Remote, Server: number}
	clock, opened, err := station.ClockOf(address, k.Before, k.Zero)
	if err != nil {
		return nil, err
	}
	if opened == nil {
		k.Before = k.Before[1:]
	}
	list.Put(end(k.Before), nil) // of a mailing that has ended the list is not needed any more
	roles := &roles{here: []mail.Server{number}, elsewhere: carrier, machines: make([]engine.Trier, len(s.Servers)),
		shared: runlog.NewRecorder(len(s.Destinations), nil)}
	for range s.Servers {
		rec := runlog.NewRecorder(len(s.Destinations), watch)
		rec.Sends(stated.Sending(s, true))
		roles.records = append(roles.records, rec)
	}
	r := newRunner(s, roles, list, 1, t, nil, mostProcesses)
	r.horizon = vt.Never
	if r.base, err = roles.keep(s, list, nil, 1, k, clock.Now(), opened); err != nil {
		return nil, err
	}
	roles.kept.gate.asks = make(chan ask, cap(r.ended))
	return r, nil
}

// end returns the place after the last one of the subsets that entries have.
func end(entries []journal.Entry) (end mail.Recipient) {
	for _, e := range entries {
		if f, ok := e.Fact.(engine.Took); ok {
			for _, p := range engine.UnpackParts(f.Part) {
				end = max(end, p.To)
			}
		}
	}
	return end
}

// Receive gives a role of this process a message from elsewhere. Any goroutine may call it, and it does not block: a
// message for which there is no room is lost.
func (r *Runner) Receive(m engine.Message) {
	if r.roles.has(m.To) {
		r.inbox.Put(m)
	}
}

// Mail adds a mailing to the list: the destinations of its recipients, whose places begin with first. It comes before
// a Transfer of them. Only a function of Do may call it.
func (r *Runner) Mail(first mail.Recipient, to []mail.Destination) { r.list.Put(first, to) }

// Governing returns the role that governs all servers of a scenario, for a station of its own; nil if each server
// governs itself. It observes the intervals of all servers together; observer may be nil.
func Governing(s *scenarios.Scenario, observer engine.Observer) (engine.Durable, error) {
	if observer == nil {
		observer = runlog.NewRecorder(len(s.Destinations), nil)
	}
	_, cluster, err := s.Governors(observer, new(roles).nearly)
	if err != nil || cluster == nil {
		return nil, err
	}
	return governing.Keep(cluster), nil
}
