package delivery

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"flyball/engine/delivery/retry"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// slowWaiting is the twin of waiting: a slice, sorted by due time in whole
// grains, first in first out among equals.
type slowWaiting struct {
	grain vt.Span
	all   []slowResend
}

type slowResend struct {
	due vt.Time
	r   resend
}

func (w *slowWaiting) add(due vt.Time, r resend) {
	if rest := due % vt.Time(w.grain); rest != 0 {
		due += vt.Time(w.grain) - rest
	}
	w.all = append(w.all, slowResend{due, r})
	slices.SortStableFunc(w.all, func(a, b slowResend) int { return int(a.due - b.due) })
}

func (w *slowWaiting) next() vt.Time {
	if len(w.all) == 0 {
		return vt.Never
	}
	return w.all[0].due
}

func (w *slowWaiting) release(now vt.Time) (due []resend) {
	for len(w.all) > 0 && w.all[0].due <= now {
		due = append(due, w.all[0].r)
		w.all = w.all[1:]
	}
	return due
}

// The ring of buckets agrees with the sorted slice: the same resends in the same
// order at the same times, over many turns of the ring, with steps of time
// from less than a grain to more than a turn.
func TestWaitingAgainstSortedSlice(t *testing.T) {
	for name, delays := range map[string][]vt.Span{
		"one short delay":                     {vt.Millisecond},
		"grain of 1 ms":                       {10 * vt.Second, 32 * vt.Second},
		"delays of 37 ms":                     {37 * vt.Millisecond, 37 * vt.Millisecond},
		"default":                             retry.Default().Delays,
		"30 days and a moment":                {vt.Millisecond, vt.Second, 30 * vt.Day},
		"longest in a round number of grains": {32768 * vt.Millisecond},
		"one more than that":                  {32768*vt.Millisecond + 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 3))
			longest := slices.Max(delays)
			w := newWaiting(slices.Max(delays))
			slow := slowWaiting{grain: w.grain}
			if off := float64(w.grain) - float64(longest)/32768; w.grain%vt.Millisecond != 0 ||
				math.Abs(off) >= float64(vt.Millisecond) {
				t.Fatalf("grain %s for a longest delay of %s", w.grain, longest)
			}
			campaigns := make([]campaign, 2)
			var now vt.Time
			for i := range 6000 {
				for range r.IntN(4) {
					e := resend{rcpt: mail.Recipient(i), try: mail.Try(r.IntN(9)), campaign: uint32(r.IntN(2))}
					delay := delays[r.IntN(len(delays))]
					w.add(now.Add(delay), e)
					slow.add(now.Add(delay), e)
				}
				if w.next != slow.next() {
					t.Fatalf("step %d: next is %s, want %s", i, w.next, slow.next())
				}
				switch r.IntN(4) { // as a shell would, exactly at the due time; or late, or too early
				case 0:
					now += vt.Time(r.Int64N(int64(longest)/20 + 2))
				case 1:
					now += vt.Time(r.Int64N(int64(w.grain)))
				case 2:
					if w.next != vt.Never {
						now = max(now, w.next)
					}
				case 3:
					if r.IntN(50) == 0 {
						now += vt.Time(longest) * 5 / 2
					}
				}
				w.release(now, campaigns)
				for _, want := range slow.release(now) {
					c := &campaigns[want.campaign].due
					if c.empty() {
						t.Fatalf("step %d, %s: nothing is due, want %+v", i, now, want)
					}
					got := w.take(c)
					if got.link = 0; got != want {
						t.Fatalf("step %d, %s: %+v is due, want %+v", i, now, got, want)
					}
				}
				for c := range campaigns {
					if !campaigns[c].due.empty() {
						t.Fatalf("step %d, %s: more is due than the slice has", i, now)
					}
				}
			}
			if turn := vt.Time(len(w.buckets)) * vt.Time(w.grain); now < 3*turn {
				t.Errorf("only %s passed, the ring turns in %s: the test tests too little", now, turn)
			}
		})
	}
}

// Memory depends on the number of waiting recipients, not on past ones.
func TestPlacesAreUsedAgain(t *testing.T) {
	w := newWaiting(vt.Second)
	campaigns := make([]campaign, 1)
	var now vt.Time
	for range 1000 {
		for i := range 10 {
			w.add(now.Add(vt.Second), resend{rcpt: mail.Recipient(i)})
		}
		now = w.next
		w.release(now, campaigns)
		for !campaigns[0].due.empty() {
			w.take(&campaigns[0].due)
		}
	}
	if n := len(w.resends); n != 11 {
		t.Errorf("%d places for 10 that wait at a time, want 11 with the one that is not used", n)
	}
}
