package guard

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/realrun/dial"
)

// The servers of a site are admitted with the same files, one clock, and the counts that they had, also after a restart
// of the register.
func TestRegister(t *testing.T) {
	file := filepath.Join(t.TempDir(), "admitted")
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	same := map[string]string{"allow": "1"}
	claim := func(server, counts, allow string, off time.Duration) error {
		r, err := OpenRegister(file, 2, same, func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Admit(server, Claim{counts, now.Add(off), map[string]string{"allow": allow}})
		return err
	}
	for _, v := range []struct {
		after          time.Duration
		server, counts string
		allow          string
		off            time.Duration
		want           string
	}{
		{0, "b1", "x", "2", 0, "allow: got 2, want 1"},
		{0, "b1", "x", "1", 6 * time.Minute, "by the clock of b1"},
		{0, "b1", "x", "1", -6 * time.Minute, "by the clock of b1"},
		{0, "b1", "x", "1", 4 * time.Minute, ""},
		{0, "b2", "y", "1", 0, ""},
		{time.Second, "b1", "z", "1", 0, "got another folder than that with the counts of b1"},
		{23 * time.Hour, "b1", "z", "1", 0, "wait until 2026-03-02T12:03:00Z"},
		{time.Second, "b1", "x", "1", 0, ""},
		{24*time.Hour + 2*time.Minute, "b1", "z", "1", 0, "got another folder"},
		{time.Minute, "b1", "z", "1", 0, ""},
	} {
		now = now.Add(v.after)
		err := claim(v.server, v.counts, v.allow, v.off)
		if v.want == "" && err != nil || v.want != "" && (!errors.Is(err, dial.ErrRefused) ||
			!strings.Contains(err.Error(), v.want)) {
			t.Errorf("%+v: got %v", v, err)
		}
	}
}

// While servers come and go, no 24 hours have more attempts than the caps, though each server counts by itself and
// makes as many attempts as it may; a day after the last change all of the caps are used.
func TestRegisterDividesWhileServersComeAndGo(t *testing.T) {
	const per, perDay, all = 100, 6, 5 * 6                // caps of a day, and times at which servers make attempts
	plans := map[int][]int{1: {2, 3, 2}, 4: {1, 4, 2, 3}} // by times between two changes
	for step, plan := range plans {
		file := filepath.Join(t.TempDir(), "admitted")
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		var made [all][4]int // by time and server
		lastDay := func(at int) (n int) {
			for _, servers := range made[max(0, at-perDay+1) : at+1] {
				for _, k := range servers {
					n += k
				}
			}
			return n
		}
		for at := range made {
			n := plan[min(at/step, len(plan)-1)]
			r, err := OpenRegister(file, n, nil, func() time.Time { return now })
			if err != nil {
				t.Fatal(err)
			}
			for i := range n {
				g, err := r.Admit(fmt.Sprint("b", i), Claim{Counts: fmt.Sprint(i), Now: now})
				if err != nil {
					t.Fatal(err)
				}
				left := g.Least(dial.Caps{PerDay: per, PerSecond: 10}, i).PerDay
				for _, servers := range made[max(0, at-perDay+1):at] {
					left -= servers[i]
				}
				made[at][i] = max(0, left)
			}
			if n := lastDay(at); n > per {
				t.Errorf("%v every %d times: got %d attempts in the day up to time %d", plan, step, n, at)
			}
			now = now.Add(24 * time.Hour / perDay)
		}
		if n := lastDay(all - 1); n != per {
			t.Errorf("%v every %d times: got %d attempts on the last day, want %d", plan, step, n, per)
		}
	}
}

// A server without a part of the caps makes no attempt, and makes some once it has one.
func TestLimit(t *testing.T) {
	c, err := Open(filepath.Join(t.TempDir(), "used"), dial.Caps{PerDay: 5, PerSecond: 100})
	if err != nil {
		t.Fatal(err)
	}
	c.Limit(dial.Caps{})
	if err := c.Take(t.Context()); !errors.Is(err, dial.ErrRefused) {
		t.Errorf("got %v, want none allowed", err)
	}
	c.Limit(dial.Caps{PerDay: 1, PerSecond: 100})
	if err := c.Take(t.Context()); err != nil {
		t.Error(err)
	}
}
