package delivery_test

import (
	"testing"

	"flyball/engine"
	"flyball/engine/delivery"
	"flyball/engine/delivery/retry"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// shortWorld answers every attempt after a second.
type shortWorld struct {
	m      *delivery.Machine
	ends   []mail.Completion // in the order of their times
	at     []vt.Time
	answer func(now vt.Time, a mail.Attempt) mail.Reply
	limits map[int]int // by interval
	failed map[mail.Recipient]mail.Try
	out    engine.Outbox
}

func (w *shortWorld) Available() float64 { return 1000 }
func (w *shortWorld) Decide(governor.Sample) governor.Decision {
	return governor.Decision{Previous: 1000, Available: 1000}
}
func (w *shortWorld) Interval(_ vt.Time, _ mail.Server, i engine.Interval) {
	w.limits[i.Number] = i.RetryLimit
}
func (w *shortWorld) Ended(_ vt.Time, a *mail.Attempt, _ *mail.Reply, s mail.Status) {
	if s == mail.Failed {
		w.failed[a.Rcpt] = a.Try
	}
}

func (w *shortWorld) begin(now vt.Time) {
	for _, a := range w.out.Start {
		r := w.answer(now, a)
		r.Took = vt.Second
		w.ends, w.at = append(w.ends, mail.Completion{Reply: r, Slot: a.Slot, Gen: a.Gen}),
			append(w.at, now.Add(vt.Second))
	}
	w.out.Clear()
}

// until runs the machine up to a time.
func (w *shortWorld) until(t vt.Time) {
	for {
		next := w.m.NextWake()
		if len(w.at) > 0 && w.at[0] <= next {
			next = w.at[0]
			if next > t {
				return
			}
			w.m.Complete(next, &w.ends[0], &w.out)
			w.ends, w.at = w.ends[1:], w.at[1:]
		} else {
			if next > t {
				return
			}
			w.m.Wake(next, nil, &w.out)
		}
		w.begin(next)
	}
}

// Three in ten recipients are dead and are given up after two resends. From the
// fourth day the receiver accepts them at the sixth try. The few recipients that
// keep the high limit show this, and the limit rises again within the day and a
// half that six tries take. From the eighth day on the receiver is as before, and
// the limit falls again once the counts have faded.
func TestYieldNoticesThatTheWorldChanges(t *testing.T) {
	const day = vt.Time(vt.Day)
	resends := retry.Default()
	resends.Policy, resends.Low, resends.Memory = "yield", 2, 2*vt.Day
	w := &shortWorld{limits: map[int]int{}, failed: map[mail.Recipient]mail.Try{}}
	w.answer = func(now vt.Time, a mail.Attempt) mail.Reply {
		if a.Rcpt%10 >= 3 || a.Try >= 5 && now >= 4*day && now < 8*day {
			return mail.Reply{Stage: mail.StageDot, Code: 250}
		}
		return mail.Reply{Stage: mail.StageRCPT, Code: 450}
	}
	const each, lists = 500, 20 * 8 // every three hours for twenty days
	list := mail.ReadList(make([]mail.Destination, each*lists))
	w.m = delivery.New(delivery.Config{Retry: resends, Messages: 1, Interval: vt.Hour}, &list, w, w)
	for i := range lists {
		now := vt.Time(i) * vt.Time(3*vt.Hour)
		w.until(now)
		w.m.Receive(now, message(i+1, engine.Reserve{From: mail.Recipient(i * each), To: mail.Recipient((i + 1) * each),
			Processes: 1000, Subset: 10}), &w.out)
		w.begin(now)
	}
	w.until(22 * day)
	on := func(day float64) int { return w.limits[int(day*24)] }
	if on(0.2) != 10 || on(2) != 2 || on(4) != 2 {
		t.Errorf("limits %d, %d, %d on the first days, want 10, then 2", on(0.2), on(2), on(4))
	}
	if on(5.5) < 5 || on(8) < 5 {
		t.Errorf("limits %d, %d when the sixth try is accepted, want 5 or more", on(5.5), on(8))
	}
	if on(19) != 2 {
		t.Errorf("limit %d at the end, want 2 again", on(19))
	}
	for r, try := range w.failed {
		if r%20 == 0 && try != 10 {
			t.Errorf("recipient %d, one of those that are tried on, fails at try %d", r, try)
		}
	}
	if !w.m.Done() {
		t.Errorf("%d recipients are left", w.m.Left())
	}
}
