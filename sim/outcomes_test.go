package sim

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/runlog"
	"flyball/scenarios"
	"flyball/scenarios/stated"
	"flyball/scenarios/work"
)

// The outcome of each recipient, and the counts of each destination, equal an
// account of every attempt that the test keeps. The scenario has two servers,
// three destinations and two campaigns that begin at different times.
func TestOutcomes(t *testing.T) {
	const recipients = 4000
	for _, horizon := range []vt.Span{vt.Day, 13 * vt.Minute} { // all are final, and many are not
		s := eventful(recipients)
		s.Horizon = horizon
		for i := range s.Campaigns {
			s.Campaigns[i].Deadline = 12*vt.Minute + vt.Second*vt.Span(i)
		}
		n := s.Recipients()
		want := make([]runlog.Outcome, n)
		starts := make([]vt.Time, n)
		dest := make([]mail.Destination, n)
		campaign := make([]int, n)
		tallies := map[vt.Time]runlog.Tally{} // by second, of destination 0
		for _, a := range work.Arrivals(s, n) {
			for r := a.Reserve.From; r < a.Reserve.To; r++ {
				starts[r], campaign[r] = a.At, a.Campaign
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
			if a.Dest == 0 {
				second := now / vt.Time(vt.Second)
				tallies[second] = counted(tallies[second], r, status)
			}
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
		run := runlog.Run{Campaigns: stated.Campaigns(s, n)}
		w.Record().Fold(&run, uint64(n), 0)
		checkCampaigns(t, s, &run, want, campaign)
		checkCourse(t, run.Course, tallies)
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
			if got.Tried() != tried || got.FirstTryShare() != float64(first)/float64(tried) ||
				got.Final() != uint64(len(times)) ||
				got.Count(mail.Done) != final[mail.Done] || got.Count(mail.Failed) != final[mail.Failed] ||
				got.Count(mail.Held) != final[mail.Held] {
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
				if exact := times[rank-1]; at < exact || float64(at-exact) > max(0.004*float64(exact),
					float64(17*vt.Millisecond)) {
					t.Errorf("destination %d: %g are final after %v, want %v", d, q, at, exact)
				}
			}
		}
		all := runlog.Together(run.ByDestination)
		totals := run.Totals
		if all.Count(mail.Done) != totals.Delivered || all.Count(mail.Failed) != totals.Failed ||
			all.Count(mail.Held) != totals.Ambiguous || all.Resends() != totals.Resends {
			t.Errorf("destinations together have %+v, the totals are %+v", all, totals)
		}
		if (totals.Pending > 0) != (horizon < vt.Day) {
			t.Errorf("horizon %v: %d pending: the test tests too little", horizon, totals.Pending)
		}
	}
}

// counted returns c with one more attempt. Codes that refuse the sender are written out here.
func counted(c runlog.Tally, r mail.Reply, s mail.Status) runlog.Tally {
	early := r.Stage == mail.StageBanner || r.Stage == mail.StageEHLO || r.Stage == mail.StageMAIL
	switch {
	case r.Code == 421, early && (r.Code/100 == 4 || r.Code/100 == 5):
		c.Refused++
	case s == mail.Done:
		c.Delivered++
	case s == mail.Failed:
		c.Failed++
	case s == mail.Held:
		c.Ambiguous++
	default:
		c.Deferred++
	}
	return c
}

// checkCampaigns holds when the recipients of each campaign became final against the outcomes.
func checkCampaigns(t *testing.T, s *scenarios.Scenario, run *runlog.Run, outcomes []runlog.Outcome, campaign []int) {
	t.Helper()
	for c := range run.Campaigns {
		got := &run.Campaigns[c]
		var ends []vt.Time
		var recipients, missed uint64
		for i, v := range outcomes {
			if campaign[i] != c {
				continue
			}
			recipients++
			if v.Status != mail.Pending {
				ends = append(ends, v.End)
			}
			if v.Status == mail.Pending || v.End > vt.Time(s.Campaigns[c].Deadline) {
				missed++
			}
		}
		if got.Recipients != recipients || got.Missed() != missed || got.Ends.Count() != uint64(len(ends)) {
			t.Errorf("campaign %d: %d recipients, %d missed the deadline, %d final; want %d, %d, %d", c, got.Recipients,
				got.Missed(), got.Ends.Count(), recipients, missed, len(ends))
		}
		slices.Sort(ends)
		for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 1} {
			rank := int(math.Ceil(q * float64(recipients)))
			at, reached := got.Ends.At(q, recipients)
			if reached != (rank <= len(ends)) {
				t.Errorf("campaign %d: %g of %d recipients final: %v, of %d", c, q, recipients, reached, len(ends))
			}
			if !reached {
				continue
			}
			exact := ends[rank-1]
			off := max(0.004*float64(exact-got.Start), float64(17*vt.Millisecond))
			if at < exact || float64(at-exact) > off {
				t.Errorf("campaign %d: %g are final at %v, want %v", c, q, at, exact)
			}
			if q == 1 && rank == len(ends) && at != exact {
				t.Errorf("campaign %d: all are final at %v, want exactly %v", c, at, exact)
			}
		}
	}
}

// checkCourse holds the attempts of destination 0 over time against counts by second.
func checkCourse(t *testing.T, course runlog.Course, seconds map[vt.Time]runlog.Tally) {
	t.Helper()
	if n := len(course.Steps); n < 32 || n > 129 || course.Step%vt.Second != 0 {
		t.Fatalf("%d steps of %v", n, course.Step)
	}
	want := make([]runlog.Tally, len(course.Steps))
	for at, c := range seconds {
		v := &want[int64(at)/int64(course.Step/vt.Second)]
		*v = runlog.Tally{Delivered: v.Delivered + c.Delivered, Deferred: v.Deferred + c.Deferred,
			Refused: v.Refused + c.Refused, Failed: v.Failed + c.Failed, Ambiguous: v.Ambiguous + c.Ambiguous}
	}
	for k, step := range course.Steps {
		if step[0] != want[k] {
			t.Errorf("step %d of %v: %+v, want %+v", k, course.Step, step[0], want[k])
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
	a, b := runlog.Run{Campaigns: stated.Campaigns(s, 1250)}, runlog.Run{Campaigns: stated.Campaigns(s, 1250)}
	whole.Record().Fold(&a, 1250, 0)
	second.Record().Fold(&b, 1250, 0)
	if !reflect.DeepEqual(a.Campaigns, b.Campaigns) || !reflect.DeepEqual(a.Course, b.Course) {
		t.Error("the resumed run has other campaigns, or another course")
	}
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
