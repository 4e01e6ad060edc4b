package guard

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/internal/longtest"
	"flyball/realrun/dial"
)

// clock is time that passes while a run waits.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }
func (c *clock) wait(ctx context.Context, until time.Time) error {
	if until.After(c.at) {
		c.at = until
	}
	return ctx.Err()
}

// Whatever runs do, together and one after the other, killed or ended: no second and no 24 hours have more attempts
// than the caps.
func TestCapsHoldOverAllRuns(t *testing.T) {
	luck := rand.New(rand.NewPCG(1, 2))
	for range longtest.Or(3, 20) {
		caps := dial.Caps{PerDay: 1 + luck.IntN(300), PerSecond: 1 + luck.IntN(7)}
		file := filepath.Join(t.TempDir(), "allow.toml.used")
		c := &clock{time.Unix(1_764_446_400, luck.Int64N(1e9))}
		runs := make([]*Caps, 2)
		var made []time.Time
		spent, killed := 0, 0
		for range longtest.Or(300, 900) {
			i := luck.IntN(len(runs))
			if runs[i] == nil {
				runs[i] = newCaps(file, caps, c.now, c.wait)
			}
			switch luck.IntN(40) {
			case 0:
				runs[i], killed = nil, killed+1
				continue
			case 1:
				if err := runs[i].Close(); err != nil {
					t.Fatal(err)
				}
				runs[i] = nil
				continue
			case 2:
				c.at = c.at.Add(time.Duration(luck.Int64N(int64(5 * time.Second))))
			case 3:
				c.at = c.at.Add(time.Duration(luck.Int64N(int64(3 * time.Hour))))
			}
			err := runs[i].Take(t.Context())
			switch {
			case errors.Is(err, dial.ErrRefused):
				if spent++; !strings.Contains(err.Error(), "caps.per_day: got ") {
					t.Fatal(err)
				}
				c.at = c.at.Add(time.Duration(luck.Int64N(int64(12 * time.Hour))))
			case err != nil:
				t.Fatal(err)
			default:
				made = append(made, c.at)
			}
		}
		for _, w := range []struct {
			span time.Duration
			most int
		}{{time.Second, caps.PerSecond}, {24 * time.Hour, caps.PerDay}} {
			from := 0
			for i, at := range made {
				for at.Sub(made[from]) >= w.span {
					from++
				}
				if n := i - from + 1; n > w.most {
					t.Fatalf("%+v: %d attempts within %s before %s", caps, n, w.span, at)
				}
			}
		}
		if killed == 0 || len(made) < 30 {
			t.Errorf("%d attempts, %d kills: the test tests too little", len(made), killed)
		}
	}
}

// A run that ends gives back what it did not use; one that is killed loses the rest of one second.
func TestPermitsComeBack(t *testing.T) {
	file := filepath.Join(t.TempDir(), "used")
	c := &clock{time.Unix(1_764_446_400, 0)}
	caps := dial.Caps{PerDay: 100, PerSecond: 10}
	left := func() int {
		t.Helper()
		n, err := newCaps(file, caps, c.now, c.wait).Left()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	run := newCaps(file, caps, c.now, c.wait)
	for range 3 {
		if err := run.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := left(); n != 90 {
		t.Errorf("%d attempts are left while a run goes on, want 90: its second is counted before it is used", n)
	}
	if err := run.Close(); err != nil || left() != 97 {
		t.Errorf("%v, %d attempts are left after 3 of 100", err, left())
	}
	c.at = c.at.Add(24*time.Hour + time.Minute)
	if n := left(); n != 100 {
		t.Errorf("%d attempts are left a day later, want 100", n)
	}
}

// When the day's permits are used up, the error has the time of the next one, and at that time there is one.
func TestCapOfADay(t *testing.T) {
	c := &clock{time.Unix(1_764_446_400, 0)}
	run := newCaps(filepath.Join(t.TempDir(), "used"), dial.Caps{PerDay: 4, PerSecond: 3}, c.now, c.wait)
	for range 4 {
		if err := run.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want := "caps.per_day: got 4 attempts within 24 hours, want at most 4: the next one may be made at " +
		"2025-11-30T20:01:00Z"
	if err := run.Take(t.Context()); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	c.at = time.Unix(1_764_446_400+day+59, 0)
	if err := run.Take(t.Context()); err == nil {
		t.Error("a permit a second too early")
	}
	c.at = time.Unix(1_764_446_400+day+60, 0)
	if err := run.Take(t.Context()); err != nil {
		t.Error(err)
	}
}

// A count that cannot be trusted or kept permits nothing.
func TestCapsThatCannotBeKept(t *testing.T) {
	good := "flyball attempts 1\nsecond 1764446399\n1764446340 3\n"
	for what, text := range map[string]string{"whole": good, "cut": good[:len(good)-1], "empty": "",
		"of another kind": "flyball promotion head 1\n", "twice": good + "1764446340 3\n",
		"taken back": strings.Replace(good, " 3", " -3", 1), "a letter more": good + "x",
		"from tomorrow": strings.Replace(good, "1764446399", "1764532799", 1)} {
		file := filepath.Join(t.TempDir(), "used")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		c := &clock{time.Unix(1_764_446_400, 0)}
		err := newCaps(file, dial.Caps{PerDay: 9, PerSecond: 1}, c.now, c.wait).Take(t.Context())
		if (err == nil) != (what == "whole") || err != nil && !errors.Is(err, dial.ErrRefused) {
			t.Errorf("%s: %v", what, err)
		}
		if after, _ := os.ReadFile(file); err != nil && string(after) != text {
			t.Errorf("%s: the file was written to", what)
		}
	}
	c := &clock{time.Unix(1_764_446_400, 0)}
	missing := filepath.Join(t.TempDir(), "none", "used")
	if err := newCaps(missing, dial.Caps{PerDay: 9, PerSecond: 1}, c.now, c.wait).Take(t.Context()); err == nil {
		t.Error("a permit that is counted nowhere")
	}
}
