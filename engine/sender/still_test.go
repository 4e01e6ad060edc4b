package sender

import (
	"reflect"
	"testing"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// A server that recovers what still counts goes on as one that recovers all: it knows the mailings that are reported,
// their bars and how many messages a process delivers in an hour, and has everything of a mailing under way.
func TestStill(t *testing.T) {
	part := func(from, to mail.Recipient) string { return engine.PackParts([]engine.Part{{From: from, To: to}}) }
	outcomes := func(from, to mail.Recipient, s mail.Status) string {
		var all []engine.Final
		for r := from; r < to; r++ {
			all = append(all, engine.Final{Rcpt: r, Status: s})
		}
		return engine.PackOutcomes(all)
	}
	var all []engine.Fact
	for job := engine.Job(1); job <= 3; job++ {
		first := mail.Recipient(10 * (job - 1))
		id := engine.Subset{Job: job, Epoch: 1}
		all = append(all, engine.Submitted{Job: job, First: first, Recipients: 10},
			engine.Reached{Job: job, Checkpoint: engine.P400},
			engine.Planned{Subset: id, Of: 1, Part: part(first, first+10), Processes: 1},
			engine.Imported{Subset: id, First: 1, Outcomes: outcomes(first, first+6, mail.Done)},
			engine.Barred{From: engine.Address{Role: engine.Requests}, Number: uint64(job), Rcpt: first + 1})
		if job < 3 {
			all = append(all, engine.Imported{Subset: id, First: 7, Outcomes: outcomes(first+6, first+10, mail.Failed)},
				engine.Finished{Subset: id, Busy: 10 * vt.Minute},
				engine.Closed{Summary: engine.Summary{Job: job, Delivered: 6, Failed: 4}})
		}
		if job == 1 {
			all = append(all, engine.Reported{Job: job})
		}
	}
	recover := func(facts []engine.Fact) *Server {
		s := New(Default(2))
		var out engine.Outbox
		s.Recover(vt.Time(vt.Hour), 0, facts, &out)
		return s
	}
	rest := Still(all)
	if n := len(all) - len(rest); n != 4 { // five facts of mailing 1 go, and Worked comes
		t.Errorf("%d facts are gone", n)
	}
	again := Still(append(rest[:len(rest):len(rest)], engine.Reported{Job: 2}))
	for i, got := range []*Server{recover(rest), recover(again)} {
		want := recover(all)
		if got.efficiency() != want.efficiency() || got.delivered != want.delivered || want.delivered != 12 {
			t.Errorf("%d: got %v messages an hour, %d in all, want %v and %d", i, got.efficiency(), got.delivered,
				want.efficiency(), want.delivered)
		}
		if len(got.bars) != 3 || !reflect.DeepEqual(got.sources, want.sources) || len(got.jobs) != 3 {
			t.Errorf("%d: got %d bars, the last %v, and %d mailings", i, len(got.bars), got.sources, len(got.jobs))
		}
		a, b := got.find(3), want.find(3)
		if a.left != b.left || a.left != 4 || len(a.subsets) != 1 || a.subsets[0].imported != 6 {
			t.Errorf("%d: got %+v of the mailing under way, want %+v", i, a, b)
		}
		if v := got.find(1); !v.told || v.summary != want.find(1).summary {
			t.Errorf("%d: got %+v of a mailing that is reported", i, v)
		}
	}
}
