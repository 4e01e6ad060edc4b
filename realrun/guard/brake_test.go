package guard

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/internal/mail"
	"flyball/realrun/dial"
)

// The shares of all servers together are the caps, and no two differ by more than one.
func TestSharesAreTheWhole(t *testing.T) {
	for _, c := range []dial.Caps{{PerDay: 5000, PerSecond: 5}, {PerDay: 7, PerSecond: 1}, {PerDay: 1, PerSecond: 3}} {
		for n := 1; n <= 9; n++ {
			var sum dial.Caps
			for i := range n {
				s := Share(c, i, n)
				sum.PerDay += s.PerDay
				sum.PerSecond += s.PerSecond
				if whole := Share(c, 0, n); whole.PerDay-s.PerDay > 1 || whole.PerSecond-s.PerSecond > 1 {
					t.Errorf("%v for %d servers: got %v and %v", c, n, whole, s)
				}
			}
			if sum != c {
				t.Errorf("%v for %d servers: got %v together", c, n, sum)
			}
		}
	}
}

// brakeAt returns a brake on a clock, with caps, whose notes are appended to said.
func brakeAt(dir string, c *hours, caps dial.Caps, said *[]string) *Brake {
	breaker := NewBreaker(dial.Breakers{Bounces: 0.5, Refusals: 1, Deferrals: 1, Complaints: 1, After: 2},
		[]string{"all"}, nil)
	b := NewBrake(filepath.Join(dir, "stopped"), []*Caps{newCaps(filepath.Join(dir, "used"), caps, c.clock())},
		breaker, time.Minute, func(why error) { *said = append(*said, fmt.Sprint(why)) })
	b.now, b.wait = c.clock().now, c.clock().wait
	return b
}

// When the permits of a day are used up, attempts rest until the next one is free, however often they ask and whatever
// was restarted in between.
func TestAttemptsWaitForTheNextDay(t *testing.T) {
	c := &hours{at: time.Unix(1_764_446_400, 0)}
	dir := t.TempDir()
	var said []string
	b := brakeAt(dir, c, dial.Caps{PerDay: 3, PerSecond: 3}, &said)
	var made []time.Time
	for len(made) < 7 {
		began := c.at
		switch err := b.Take(t.Context()); {
		case err == nil:
			made = append(made, c.at)
		case !errors.Is(err, ErrRests):
			t.Fatal(err)
		case c.at.Sub(began) != time.Minute:
			t.Fatalf("rested for %v, want a minute", c.at.Sub(began))
		default:
			c.at = c.at.Add(20 * time.Minute) // less often than in truth
			if len(made) == 3 {               // a restart
				b = brakeAt(dir, c, dial.Caps{PerDay: 3, PerSecond: 3}, &said)
			}
		}
	}
	for i := 3; i < len(made); i++ {
		if gap := made[i].Sub(made[i-3]); gap < 24*time.Hour || gap > 24*time.Hour+30*time.Minute {
			t.Errorf("attempt %d comes %v after attempt %d, want 24 h and little more", i, gap, i-3)
		}
	}
	if last := len(said) - 1; last < 1 || !strings.Contains(said[0], "caps.per_day: got 3 attempts") ||
		said[last] != "<nil>" {
		t.Errorf("got %q, want the reason, and that it is over", said)
	}
}

// A breaker stops all attempts, a restart does not begin them anew, and a person's removal of the file does.
func TestBreakerStaysOpen(t *testing.T) {
	c := &hours{at: time.Unix(1_764_446_400, 0)}
	dir := t.TempDir()
	var said []string
	caps := dial.Caps{PerDay: 1000, PerSecond: 10}
	b := brakeAt(dir, c, caps, &said)
	bounce := func() {
		t.Helper()
		if err := b.Saw(&mail.Attempt{}, &mail.Reply{Code: 550, Stage: mail.StageRCPT}); err != nil {
			t.Fatal(err)
		}
	}
	if bounce(); b.Take(t.Context()) != nil {
		t.Error("one bounce stops")
	}
	bounce()
	for range 2 {
		if err := b.Take(t.Context()); !errors.Is(err, ErrRests) {
			t.Errorf("got %v after too many bounces, want none to be tried", err)
		}
		if why := fmt.Sprint(b.Stopped()); !strings.Contains(why, "breakers.bounces: got 2 of the last 2 attempts") {
			t.Errorf("got %s", why)
		}
		b = brakeAt(dir, c, caps, &said)
	}
	if err := os.Remove(b.File); err != nil {
		t.Fatal(err)
	}
	c.at = c.at.Add(2 * time.Second)
	if err := b.Take(t.Context()); err != nil || b.Stopped() != nil {
		t.Errorf("got %v, %v after the file was removed, want a permit", err, b.Stopped())
	}
	if bounce(); b.Take(t.Context()) != nil {
		t.Error("a bounce before the stop counts after it")
	}
	// A file of a person stops the server too.
	if err := os.WriteFile(b.File, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.at = c.at.Add(2 * time.Second)
	if err := b.Take(t.Context()); !errors.Is(err, ErrRests) {
		t.Errorf("got %v, want no attempt while the file is there", err)
	}
	if err := os.Remove(b.File); err != nil {
		t.Fatal(err)
	}
	c.at = c.at.Add(2 * time.Second)
	if err := b.Take(t.Context()); err != nil {
		t.Errorf("got %v after the file was removed, want a permit", err)
	}
	if bounce(); b.Take(t.Context()) != nil {
		t.Error("a bounce before the stop counts after it in the same process")
	}
	if err := os.WriteFile(b.File, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.at = c.at.Add(2 * time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Take(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v after the end of the process", err)
	}
}

// A server that is killed before it has seen enough attempts, again and again, is stopped by its breaker all the same;
// what a person has ended counts no more, also if the server was down then.
func TestBreakerOverKills(t *testing.T) {
	c := &hours{at: time.Unix(1_764_446_400, 0)}
	dir := t.TempDir()
	var said []string
	var b *Brake
	starts := func() {
		t.Helper()
		b = NewBrake(filepath.Join(dir, "stopped"), nil, NewBreaker(dial.Breakers{Bounces: 0.5, Refusals: 1,
			Deferrals: 0.5, Complaints: 1, After: 4}, []string{"big", "small"}, nil), time.Minute,
			func(why error) { said = append(said, fmt.Sprint(why)) })
		b.now, b.wait = c.clock().now, c.clock().wait
		if err := b.Keep(filepath.Join(dir, "seen")); err != nil {
			t.Fatal(err)
		}
	}
	ends := func(to mail.Destination, r mail.Reply) bool { // of a process that is killed then
		t.Helper()
		starts()
		if err := b.Saw(&mail.Attempt{Dest: to}, &r); err != nil {
			t.Fatal(err)
		}
		return Held(b.File) != nil
	}
	bad, late := mail.Reply{Code: 550, Stage: mail.StageRCPT}, mail.Reply{Code: 451, Stage: mail.StageRCPT}
	for round := range 3 {
		for i := range 4 {
			if got, want := ends(0, bad), i == 3; got != want {
				t.Fatalf("round %d: stopped is %v after %d bounces, want %v", round, got, i+1, want)
			}
		}
		told := len(said)
		if starts(); b.Take(t.Context()) == nil {
			t.Error("an attempt is made after a stop and a start")
		}
		if len(said) != told+1 {
			t.Errorf("round %d: got %q, want the stop to be told after a start", round, said[told:])
		}
		if round == 1 { // the person removes the file while the server is down
			starts()
		}
		if err := os.Remove(b.File); err != nil {
			t.Fatal(err)
		}
		if round == 0 { // the server sees it
			c.at = c.at.Add(2 * time.Second)
			b.closed()
		}
	}
	for i := range 8 { // of two destinations
		if got, want := ends(mail.Destination(i%2), late), i == 6; got != want {
			t.Fatalf("stopped is %v after %d deferrals, want %v", got, i+1, want)
		} else if got {
			break
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "seen"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.Keep(filepath.Join(dir, "seen")); !errors.Is(err, dial.ErrRefused) {
		t.Errorf("got %v for a damaged file, want a refusal", err)
	}
}

// A breaker that goes on from what an earlier one has seen does as the earlier one would. Each of them gets the
// complaints since it began alone.
func TestSeenIsWhole(t *testing.T) {
	limits := dial.Breakers{Bounces: 0.9, Refusals: 0.9, Deferrals: 0.9, Complaints: 0.2, After: 3}
	names := []string{"big", "small"}
	luck := rand.New(rand.NewPCG(1, 2))
	complaints, complained := 0, 0
	begins := func() *Breaker {
		before := complaints
		return NewBreaker(limits, names, func() (int, error) { return complaints - before, nil })
	}
	b, again := begins(), begins()
	for i := range 500 {
		r := []mail.Reply{taken, bounced, deferred}[luck.IntN(3)]
		if r.Class() == mail.Delivered && luck.IntN(4) == 0 {
			complaints++
		}
		a := mail.Attempt{Dest: mail.Destination(luck.IntN(2))}
		if got, want := again.Saw(&a, &r), b.Saw(&a, &r); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("after %d attempts: got %v, want %v", i+1, got, want)
		} else if strings.Contains(fmt.Sprint(got), "complaints") {
			complained++
		}
		if again.bounced.count != b.bounced.count || again.deferred[1].count != b.deferred[1].count ||
			again.delivered != b.delivered {
			t.Fatalf("after %d attempts: got %+v, want %+v", i+1, again.seen(), b.seen())
		}
		if luck.IntN(10) == 0 {
			again = begins()
			again.take(b.seen())
		}
	}
	if complained == 0 {
		t.Error("no share of complaints was too great")
	}
}
