// Package faulty plays scripts of misbehaving receivers (package fault) in virtual time: the delivery machine, and a
// client that walks the dialogue of package mail over connections that take no time. It is what a client of SMTP has
// to do, written apart from the one that realrun has, so that each checks the other.
package faulty

import (
	"fmt"

	"flyball/engine"
	"flyball/engine/delivery"
	"flyball/engine/delivery/retry"
	"flyball/governor"
	"flyball/internal/evq"
	"flyball/internal/fault"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/reports/runlog"
	"flyball/scenarios"
	"flyball/scenarios/work"
)

// Scenario returns the scenario of a script's job: a resend comes 10 s after a failure.
func Scenario(s *fault.Script) *scenarios.Scenario {
	d := config.DefaultDestination()
	d.Name, d.Domain = "fault", "fault.example"
	g := governor.Default()
	g.Law, g.Start = "hold", float64(s.Job.Processes)
	resends := retry.Default()
	resends.Limit, resends.Delays = s.Job.Tries-1, []vt.Span{10 * vt.Second}
	if s.Job.Resend {
		resends.Ambiguous = "resend"
	}
	dialogue := mail.DefaultDialogue()
	dialogue.Messages, dialogue.Pipelining = s.Job.Messages, s.Job.Pipelining
	return &scenarios.Scenario{Name: s.Name, Seed: 1, Horizon: s.Job.Until, Stages: "collapsed",
		Dispatch: scenarios.Default().Dispatch, Governor: g, Retry: resends, Message: scenarios.Message{Size: 2 << 10},
		Dialogue: dialogue, Network: config.DefaultPaths(), Servers: []config.Server{config.DefaultServer()},
		Destinations: []config.Destination{d},
		Campaigns: []scenarios.Campaign{{Name: "c", Recipients: s.Job.Recipients, Processes: s.Job.Processes,
			Subset: max(1, s.Job.Recipients/s.Job.Processes)}}}
}

// Address returns the address of a recipient of a script's job.
func Address(s *fault.Script, r mail.Recipient) string {
	switch s.Job.UTF8 {
	case "local":
		return fmt.Sprintf("ü%d@fault.example", r)
	case "domain":
		return fmt.Sprintf("r%d@xn--fult-loa.example", r)
	}
	return fmt.Sprintf("r%d@%s", r, DomainOf(s, r))
}

// DomainOf returns the domain of a recipient of a script's job.
func DomainOf(s *fault.Script, r mail.Recipient) string {
	if s.Job.Domains == 0 {
		return fault.Domain
	}
	return fmt.Sprintf("do%d.%s", int(r)%s.Job.Domains+1, fault.Domain)
}

// Watch returns a function that notes how attempts end in a result.
func Watch(result *fault.Result) runlog.Watch {
	return func(_ vt.Time, a mail.Attempt, r mail.Reply, _ mail.Status) {
		o := &result.Of[a.Rcpt]
		if o.Attempts == 0 {
			o.Took = r.Took
		}
		o.Attempts = int(a.Try) + 1 // some are not counted
		o.Last, o.Class, o.Blame = r, fault.ClassOf(&r), fault.BlameOf(&r)
		o.Last.Took = 0
	}
}

// Play plays a script. An attempt is decided when it begins, also what the receiver does in it; so the sessions of
// several processes count in the order in which attempts begin.
func Play(s *fault.Script) (fault.Result, error) {
	question := Scenario(s)
	list := question.List(rng.New(question.Seed, 0))
	gov, err := governor.New(question.Governor)
	if err != nil {
		return fault.Result{}, err
	}
	result := fault.Result{Of: make([]fault.Outcome, s.Job.Recipients)}
	machine := delivery.New(question.Engine(0), &list, gov, runlog.NewRecorder(1, Watch(&result)))
	c := newClient(s, question.Dialogue)
	var out engine.Outbox
	var ends evq.Queue
	replies := map[mail.Slot]mail.Completion{}
	for _, a := range work.Arrivals(question, list.Len()) {
		machine.Receive(a.At, a.Message(), &out)
	}
	for now := vt.Time(0); ; {
		for _, slot := range out.Close {
			c.hangUp(now, slot)
		}
		for i := range out.Start {
			a := &out.Start[i]
			reply := c.deliver(now, a)
			replies[a.Slot] = mail.Completion{Reply: reply, Slot: a.Slot, Gen: a.Gen}
			ends.Push(now.Add(reply.Took), int(a.Slot))
		}
		out.Clear()
		now = min(ends.PeekTime(), machine.NextWake())
		switch {
		case machine.Done() || now > vt.Time(question.Horizon):
			result.Sessions, result.Visited = c.receiver.Sessions(), c.receiver.Visited()
			result.Questions = c.receiver.Questions()
			for i := range result.Of {
				if result.Of[i].Last.Stage == mail.StageDNS {
					result.Of[i].Status = c.status[mail.Recipient(i)]
				}
				result.Of[i].Kept = c.receiver.Kept(Address(s, mail.Recipient(i)))
			}
			return result, nil
		case ends.PeekTime() <= now:
			_, slot := ends.Pop()
			end := replies[mail.Slot(slot)]
			machine.Complete(now, &end, &out)
		default:
			machine.Wake(now, func(float64) float64 { return 0 }, &out)
		}
	}
}
