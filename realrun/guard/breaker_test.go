package guard

import (
	"errors"
	"strings"
	"testing"

	"flyball/internal/mail"
	"flyball/realrun/dial"
)

var (
	one      = []string{"big"}
	taken    = mail.Reply{Code: 250, Stage: mail.StageDot}
	bounced  = mail.Reply{Code: 550, Stage: mail.StageRCPT}
	deferred = mail.Reply{Code: 451, Stage: mail.StageRCPT}
	aborted  = mail.Reply{Fault: mail.Aborted}
)

// The breaker trips at the first attempt with which the share is too great, of the run so far and later of the last
// attempts alone.
func TestBreakerOfBounces(t *testing.T) {
	limits := dial.Breakers{Bounces: 0.1, Refusals: 1, Deferrals: 1, Complaints: 1, After: 20}
	times := func(n int, r mail.Reply) (all []mail.Reply) {
		for range n {
			all = append(all, r)
		}
		return all
	}
	join := func(all ...[]mail.Reply) (one []mail.Reply) {
		for _, a := range all {
			one = append(one, a...)
		}
		return one
	}
	for what, v := range map[string]struct {
		replies []mail.Reply
		trips   int // attempt at which it does; 0: at none
	}{
		"none":                 {times(100, taken), 0},
		"deferrals are none":   {times(100, deferred), 0},
		"aborts are none":      {join(times(18, taken), times(50, aborted)), 0},
		"at the limit":         {join(times(18, taken), times(2, bounced), times(80, taken)), 0},
		"just above":           {join(times(17, taken), times(3, bounced)), 20},
		"all, but few":         {times(19, bounced), 0},
		"all":                  {times(100, bounced), 20},
		"late":                 {join(times(180, taken), times(30, bounced)), 201}, // 21 of the last 200
		"long ago":             {join(times(18, taken), times(2, bounced), times(198, taken), times(20, bounced)), 0},
		"after many good ones": {join(times(5000, taken), times(30, bounced)), 5021},
	} {
		b := NewBreaker(limits, one, nil)
		got := 0
		for i, r := range v.replies {
			if err := b.Saw(&mail.Attempt{}, &r); err != nil {
				got = i + 1
				if !errors.Is(err, dial.ErrRefused) || !strings.Contains(err.Error(), "breakers.bounces: got ") {
					t.Error(err)
				}
				break
			}
		}
		if got != v.trips {
			t.Errorf("%s: trips at attempt %d, want %d", what, got, v.trips)
		}
	}
}

// Complaints are compared with what was delivered.
func TestBreakerOfComplaints(t *testing.T) {
	complaints, lost := 0, error(nil)
	limits := dial.Breakers{Bounces: 1, Refusals: 1, Deferrals: 1, Complaints: 0.02, After: 50}
	b := NewBreaker(limits, one, func() (int, error) { return complaints, lost })
	for n := 1; n <= 200; n++ {
		switch n {
		case 40:
			complaints = 2 // of 50 and more they are too many; of 100 they are not
		case 49:
			complaints = 1
		case 150:
			complaints = 3
		}
		if err := b.Saw(&mail.Attempt{}, &taken); err != nil {
			t.Fatalf("%d of %d: %v", complaints, n, err)
		}
		b.Saw(&mail.Attempt{}, &deferred)
	}
	complaints = 5
	if err := b.Saw(&mail.Attempt{}, &bounced); err != nil {
		t.Errorf("judged without a delivery: %v", err)
	}
	err := b.Saw(&mail.Attempt{}, &taken)
	if want := "breakers.complaints: got 5 about 201 delivered messages, want a share of at most 0.02"; err == nil ||
		!strings.HasSuffix(err.Error(), want) || !errors.Is(err, dial.ErrRefused) {
		t.Errorf("got %v, want %s", err, want)
	}
	complaints, lost = 0, errors.New("lost")
	if err := b.Saw(&mail.Attempt{}, &taken); err != lost {
		t.Errorf("complaints that cannot be read: %v", err)
	}
}

// Refusals of the sender count for all destinations together, deferrals for each one alone; begun again, a breaker has
// forgotten what it saw, complaints too.
func TestBreakersOfRefusalsAndDeferrals(t *testing.T) {
	complaints := 0
	b := NewBreaker(dial.Breakers{Bounces: 1, Refusals: 0.5, Deferrals: 0.5, Complaints: 0.1, After: 4},
		[]string{"big", "100%d"}, func() (int, error) { return complaints, nil })
	blocked := mail.Reply{Code: 421, Stage: mail.StageBanner}
	see := func(d mail.Destination, r mail.Reply) error { return b.Saw(&mail.Attempt{Dest: d}, &r) }
	for range 3 {
		if see(0, taken) != nil || see(1, deferred) != nil {
			t.Fatal("judged before four attempts for one destination")
		}
	}
	want := "breakers.deferrals: got 4 of the last 4 attempts for 100%d deferred, want a share of at most 0.5"
	if err := see(1, deferred); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	b.Again()
	for i, r := range []mail.Reply{taken, blocked, blocked, blocked} {
		err := see(mail.Destination(i%2), r)
		const want = "breakers.refusals: got 3 of the last 4 attempts refused for their sender"
		if (err != nil) != (i == 3) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("attempt %d: got %v, want %s", i, err, want)
		}
	}
	complaints = 7
	b.Again()
	for range 20 {
		if err := see(0, taken); err != nil {
			t.Errorf("complaints from before count: %v", err)
		}
	}
	complaints = 10
	if err := see(0, taken); err == nil || !strings.Contains(err.Error(), "breakers.complaints: got 3 about 21") {
		t.Errorf("got %v", err)
	}
	limits := dial.Breakers{Bounces: 0.5, Refusals: 1, Deferrals: 1, Complaints: 1, After: 4}
	b = NewBreaker(limits, []string{"big"}, nil)
	for range 3 {
		see(0, bounced)
	}
	b.Again()
	for i := range 4 {
		if err := see(0, bounced); (err != nil) != (i == 3) {
			t.Errorf("bounce %d after the return: got %v", i+1, err)
		}
	}
}
