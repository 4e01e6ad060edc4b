package sim

import (
	"math"
	"slices"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/runlog"
)

// The outcome of each recipient, and the counts of each destination, equal an
// account of every attempt that the test keeps. The scenario has two servers,
// three destinations and two campaigns that begin at different times.
func TestOutcomes(t *testing.T) {
	const recipients = 4000
	for _, horizon := range []vt.Span{vt.Day, 13 * vt.Minute} { // all are final, and many are not
		s := eventful(recipients)
		s.Horizon = horizon
		n := s.Recipients()
		want := make([]runlog.Outcome, n)
		starts := make([]vt.Time, n)
		dest := make([]mail.Destination, n)
		for _, a := range s.Arrivals(n) {
			for r := a.Reserve.From; r < a.Reserve.To; r++ {
				starts[r] = a.At
			}
		}
		watched, err := New(s, 0, nil, func(now vt.Time, a mail.Attempt, r mail.Reply, status mail.Status) {
			v := &want[a.Rcpt]
			if v.Tries == 0 {
				v.First = now.Add(-r.Took)
			}
			v.End, v.Status, v.Server, v.Code, v.Stage, v.Fault = now, status, a.Server, r.Code, r.Stage, r.Fault
			v.Tries++
			dest[a.Rcpt] = a.Dest
		})
		if err != nil {
			t.Fatal(err)
		}
		watched.Run(nil)

		w, err := New(s, 0, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.Workers = 2
		w.KeepOutcomes()
		w.Run(nil)
		var run runlog.Run
		w.Record().Fold(&run, uint64(n), 0)
		if run.Digest != watched.Record().Digest() {
			t.Errorf("to keep outcomes makes another run")
		}
		for i, v := range run.Outcomes {
			if v != want[i] {
				t.Fatalf("recipient %d: %+v, want %+v", i, v, want[i])
			}
		}

		for d := range run.ByDestination {
			got := &run.ByDestination[d]
			var times []vt.Span
			var tried, first uint64
			var final [mail.Statuses]uint64
			for i, v := range want {
				if v.Tries == 0 || int(dest[i]) != d {
					continue
				}
				tried++
				if v.Status == mail.Done && v.Tries == 1 {
					first++
				}
				if v.Status != mail.Pending {
					final[v.Status]++
					times = append(times, v.End.Sub(starts[i]))
				}
			}
			if got.Tried() != tried || got.FirstTryShare() != float64(first)/float64(tried) || got.Final() != uint64(len(times)) ||
				got.Count(mail.Done) != final[mail.Done] || got.Count(mail.Failed) != final[mail.Failed] || got.Count(mail.Held) != final[mail.Held] {
				t.Errorf("destination %d: %+v, want %d tried, %d at first, %v", d, got, tried, first, final)
			}
			slices.Sort(times)
			for _, q := range []float64{0.01, 0.5, 0.9, 0.95, 1} {
				rank := int(math.Ceil(q * float64(tried)))
				at, reached := got.TimeToFinal(q, tried)
				if reached != (rank <= len(times)) {
					t.Errorf("destination %d: %g of %d recipients final: %v, of %d", d, q, tried, reached, len(times))
				}
				if !reached {
					continue
				}
				if exact := times[rank-1]; at < exact || float64(at-exact) > max(0.004*float64(exact), float64(17*vt.Millisecond)) {
					t.Errorf("destination %d: %g are final after %v, want %v", d, q, at, exact)
				}
			}
		}
		all := runlog.Together(run.ByDestination)
		totals := run.Totals
		if all.Count(mail.Done) != totals.Delivered || all.Count(mail.Failed) != totals.Failed || all.Count(mail.Held) != totals.Ambiguous || all.Resends() != totals.Resends {
			t.Errorf("destinations together have %+v, the totals are %+v", all, totals)
		}
		if (totals.Pending > 0) != (horizon < vt.Day) {
			t.Errorf("horizon %v: %d pending: the test tests too little", horizon, totals.Pending)
		}
	}
}

// A run that was stopped keeps the outcomes of its recipients.
func TestOutcomesAfterACheckpoint(t *testing.T) {
	s := eventful(1000)
	whole, err := New(s, 0, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	whole.KeepOutcomes()
	whole.Run(nil)
	first, _ := New(s, 0, nil, nil)
	first.KeepOutcomes()
	for first.events() < whole.events()/2 && first.step(first.horizon) {
	}
	second, err := Resume(s, 0, nil, nil, first.save())
	if err != nil {
		t.Fatal(err)
	}
	second.Run(nil)
	if !slices.Equal(second.outcomes(), whole.outcomes()) {
		t.Error("the resumed run has other outcomes")
	}
	var a, b runlog.Run
	whole.Record().Fold(&a, 1250, 0)
	second.Record().Fold(&b, 1250, 0)
	for d := range a.ByDestination {
		for _, q := range []float64{0.1, 0.5, 0.9} {
			x, _ := a.ByDestination[d].TimeToFinal(q, a.ByDestination[d].Tried())
			y, _ := b.ByDestination[d].TimeToFinal(q, b.ByDestination[d].Tried())
			if x != y || x == 0 {
				t.Errorf("destination %d: %g are final after %v, in the resumed run %v", d, q, x, y)
			}
		}
	}
}
