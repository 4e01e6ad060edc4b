package realrun

import (
	"testing"

	"flyball/engine"
	"flyball/engine/proximity"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/scenarios"
)

// What a live run learns of distances is the time of attempts without their look-ups,
// and the hops that are known.
func TestLookupsAreNoDistance(t *testing.T) {
	s, err := scenarios.Load("late.toml", []byte(late), []string{`sender.partition="proximity"`})
	if err != nil {
		t.Fatal(err)
	}
	list := s.List(rng.New(s.Seed, 0))
	r, _, _, err := newRoles(s, &list, nil)
	if err != nil {
		t.Fatal(err)
	}
	var started []mail.Attempt
	r.perform = func(_ mail.Server, out *engine.Outbox) { started = append(started, out.Start...) }
	for _, a := range r.plan(1) {
		r.assign(1, a)
	}
	if len(started) != 2 {
		t.Fatalf("%d attempts start, want 2", len(started))
	}
	for i, a := range started {
		r.complete(vt.Time(10*vt.Second), 0, mail.Completion{Slot: a.Slot, Gen: a.Gen,
			Reply: mail.Reply{Code: 250, Stage: mail.StageDot, Took: 5 * vt.Second},
			Way:   mail.NewWay(vt.Span(i+1)*vt.Second, 7*i)})
	}
	want := proximity.Seen{Attempts: 2, Time: 7 * vt.Second, Traced: 1, Hops: 7}
	if got := r.planner.Seen(0)[0]; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
