package governing

import (
	"fmt"
	"testing"

	"flyball/engine"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// rising is a governor whose C rises by 2 with each decision.
type rising struct{ c float64 }

func (g *rising) Available() float64  { return g.c }
func (g *rising) State(c *snap.Codec) { c.Fields(&g.c) }
func (g *rising) Decide(governor.Sample) governor.Decision {
	g.c += 2
	return governor.Decision{Available: g.c}
}

func keepRising() *Kept {
	return Keep(New(Config{Servers: 2, Interval: vt.Hour, Governor: &rising{10}, Target: noTarget, Observer: quiet{}}))
}

// A cluster that is stopped after any input goes on as one that is not: the same verdicts, and a report that came
// before the stop is not lost.
func TestKeptAfterAnyStop(t *testing.T) {
	inputs := func(each func(i int, act func(k *Kept, out *engine.Outbox))) {
		i := 0
		for hour := range uint64(4) {
			for server := range mail.Server(2) {
				now := vt.Time(vt.Hour * vt.Span(hour+1))
				each(i, func(k *Kept, out *engine.Outbox) {
					k.Receive(now, engine.Message{From: engine.Address{Role: engine.Delivery, Server: server},
						Number: hour + 7*uint64(server),
						Body:   engine.Report{Ended: now, Wanted: int(hour) * int(server+1)}}, out)
				})
				i++
			}
		}
	}
	verdicts := func(stop int) (all string) {
		k := keepRising()
		var facts []engine.Fact
		inputs(func(i int, act func(*Kept, *engine.Outbox)) {
			var out engine.Outbox
			act(k, &out)
			facts = append(facts, out.Write...)
			all += fmt.Sprintln(out.Send)
			if i == stop {
				k = keepRising()
				k.Recover(0, 0, facts, &engine.Outbox{})
			}
		})
		return all
	}
	want := verdicts(-1)
	for stop := range 8 {
		if got := verdicts(stop); got != want {
			t.Errorf("stopped after input %d:\n%swant\n%s", stop, got, want)
		}
	}
	k := keepRising() // another version kept it
	k.Recover(0, 0, []engine.Fact{engine.Learned{Form: 99, State: "x"}}, &engine.Outbox{})
	if k.Part(0) != 5 {
		t.Errorf("got C %d from another form, want that of the beginning", k.Part(0))
	}
}

// The end of one server decides nothing for the others.
func TestKeptDropsPartialReports(t *testing.T) {
	k := keepRising()
	var out engine.Outbox
	k.Receive(1, engine.Message{From: engine.Address{Role: engine.Delivery}, Body: engine.Report{Partial: true,
		Ended: vt.Time(vt.Hour)}}, &out)
	if k.NextWake() != vt.Time(vt.Hour) || len(out.Write)+len(out.Send) > 0 {
		t.Errorf("got %v and the next wake at %v", out, k.NextWake())
	}
}

// A server that counts its intervals differently, since it was stopped for a while, decides with the others all the
// same, and gets its verdict under its own number.
func TestKeptCountsIntervalsByTheirEnds(t *testing.T) {
	k := keepRising()
	var out engine.Outbox
	for server, number := range []uint64{4, 2} {
		now := vt.Time(5*vt.Hour + vt.Span(server)*vt.Second)
		k.Receive(now, engine.Message{From: engine.Address{Role: engine.Delivery, Server: mail.Server(server)},
			Number: number, Body: engine.Report{Ended: now}}, &out)
	}
	if len(out.Send) != 2 || out.Send[0].Number != 4 || out.Send[1].Number != 2 ||
		out.Send[0].Body.(engine.Verdict).Available+out.Send[1].Body.(engine.Verdict).Available != 12 {
		t.Errorf("got %v, want one decision, C = 12, with each server's own number", out.Send)
	}
}

// Servers whose journals began on other days decide together: their times differ by whole intervals, and a little by
// their clocks.
func TestKeptHasServersOfOtherTimes(t *testing.T) {
	k := keepRising()
	var out engine.Outbox
	for server, ended := range []vt.Time{vt.Time(2 * vt.Hour), vt.Time(700 * vt.Hour)} {
		now := vt.Time(5*vt.Hour + vt.Span(1-2*server)*vt.Second)
		k.Receive(now, engine.Message{From: engine.Address{Role: engine.Delivery, Server: mail.Server(server)},
			Number: uint64(server), Body: engine.Report{Ended: ended}}, &out)
	}
	if len(out.Send) != 2 || k.NextWake() != vt.Time(6*vt.Hour) {
		t.Errorf("got %v and the next wake at %v, want one decision and 6h", out.Send, k.NextWake())
	}
}
