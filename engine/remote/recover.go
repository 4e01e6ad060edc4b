package remote

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Recover takes the facts of the server before its stop. An attempt that may have been accepted is
// ambiguous.
func (s *Server) Recover(now vt.Time, boot uint64, facts []engine.Fact, out *engine.Outbox) {
	s.now, s.out, s.boot = now, out, boot
	s.machine.BeginAt(now)
	for _, f := range facts {
		switch f := f.(type) {
		case engine.Took:
			s.add(f)
		case engine.Began:
			s.find(f.Subset).point = engine.P600
		case engine.Ended:
			s.find(f.Subset).point = engine.P650
		case engine.Over:
			s.over[f.Job] = true
			for _, v := range s.subsets {
				v.dropped = v.dropped || v.Job == f.Job
			}
		case engine.Barred:
			s.bar(f.Number, engine.Change{Rcpt: f.Rcpt})
		case engine.Unbarred:
			s.bar(f.Number, engine.Change{Rcpt: f.Rcpt, Add: true})
		case engine.Ahead:
		case engine.Intent, engine.Dotted: // see Doubtful
		case engine.Outcome:
			s.settle(f)
		default:
			panic(fmt.Sprintf("remote: server %d: got fact %T, want one of a delivering server",
				s.cfg.Delivery.Server, f))
		}
	}
	for _, v := range Doubtful(boot, facts) {
		o := engine.Outcome{Rcpt: v.Rcpt, Try: v.Try, Status: mail.Pending, Ambiguous: true, Due: now}
		if !s.cfg.Resend {
			o.Status = mail.Held
		}
		s.charge(o)
	}
	if s.cfg.Ahead > 1 {
		s.write(engine.Ahead{Messages: s.cfg.Ahead})
	}
}

// Doubtful returns the attempts without an outcome that may have been accepted, by the facts of a delivering server.
// boot names the time since the last start of its operating system.
func Doubtful(boot uint64, facts []engine.Fact) (all []engine.Intent) {
	open := map[mail.Recipient]intent{}
	for i, f := range facts {
		switch f := f.(type) {
		case engine.Intent: // a stop before the final dot of an earlier one left no outcome
			open[f.Rcpt] = intent{Intent: f, number: i}
		case engine.Dotted:
			if v, ok := open[f.Rcpt]; ok {
				v.dotted = true
				open[f.Rcpt] = v
			}
		case engine.Outcome:
			delete(open, f.Rcpt)
		}
	}
	for _, v := range slices.SortedFunc(maps.Values(open), intent.compare) {
		if v.Boot == boot && !v.dotted {
			continue // the process stopped before the final dot
		}
		all = append(all, v.Intent)
	}
	return all
}

// intent is an attempt without an outcome.
type intent struct {
	engine.Intent
	number int // among all facts
	dotted bool
}

func (v intent) compare(o intent) int { return cmp.Compare(v.number, o.number) }
