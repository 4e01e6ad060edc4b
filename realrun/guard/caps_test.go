package guard

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/internal/longtest"
	"flyball/realrun/dial"
)

// hours is time that passes while a run waits. Its clock may be set.
type hours struct {
	at  time.Time
	set time.Duration // by how much the clock was set forward
}

func (h *hours) clock() clock {
	return clock{
		now:    func() time.Time { return h.at.Add(h.set) },
		passed: func() time.Duration { return h.at.Sub(time.Unix(0, 0)) },
		wait: func(ctx context.Context, until time.Time) error {
			h.at = h.at.Add(max(0, until.Sub(h.at.Add(h.set))))
			return ctx.Err()
		},
	}
}

// Whatever runs do, together and one after the other, killed or ended: no second and no 24 hours have more attempts
// than the caps.
func TestCapsHoldOverAllRuns(t *testing.T) {
	luck := rand.New(rand.NewPCG(1, 2))
	for range longtest.Or(3, 20) {
		caps := dial.Caps{PerDay: 1 + luck.IntN(300), PerSecond: 1 + luck.IntN(7)}
		file := filepath.Join(t.TempDir(), "allow.toml.used")
		c := &hours{at: time.Unix(1_764_446_400, luck.Int64N(1e9))}
		runs := make([]*Caps, 2)
		var made []time.Time
		spent, killed := 0, 0
		for range longtest.Or(300, 900) {
			i := luck.IntN(len(runs))
			if runs[i] == nil {
				runs[i] = newCaps(file, caps, c.clock())
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
	c := &hours{at: time.Unix(1_764_446_400, 0)}
	caps := dial.Caps{PerDay: 100, PerSecond: 10}
	left := func() int {
		t.Helper()
		n, err := newCaps(file, caps, c.clock()).Left()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	run := newCaps(file, caps, c.clock())
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
	c := &hours{at: time.Unix(1_764_446_400, 0)}
	run := newCaps(filepath.Join(t.TempDir(), "used"), dial.Caps{PerDay: 4, PerSecond: 3}, c.clock())
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
	f := counts{1_764_446_399, []minute{{1_764_446_340, 3}}}
	good := string(f.text())
	f.second += day
	tomorrow := string(f.text())
	for what, text := range map[string]string{"whole": good, "cut": good[:len(good)-1], "empty": "",
		"of another kind": "flyball promotion head 1\n", "twice": good + "1764446340 3\n",
		"taken back": strings.Replace(good, " 3", " -3", 1), "a letter more": good + "x",
		"from tomorrow": tomorrow} {
		file := filepath.Join(t.TempDir(), "used")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		c := &hours{at: time.Unix(1_764_446_400, 0)}
		err := newCaps(file, dial.Caps{PerDay: 9, PerSecond: 1}, c.clock()).Take(t.Context())
		if (err == nil) != (what == "whole") || err != nil && !errors.Is(err, dial.ErrRefused) {
			t.Errorf("%s: %v", what, err)
		}
		if after, _ := os.ReadFile(file); err != nil && string(after) != text {
			t.Errorf("%s: the file was written to", what)
		}
	}
	c := &hours{at: time.Unix(1_764_446_400, 0)}
	missing := filepath.Join(t.TempDir(), "none", "used")
	if err := newCaps(missing, dial.Caps{PerDay: 9, PerSecond: 1}, c.clock()).Take(t.Context()); err == nil {
		t.Error("a permit that is counted nowhere")
	}
}

// Of 10,000 damaged counts none is taken for another one: each is refused.
func TestDamagedCounts(t *testing.T) {
	luck := rand.New(rand.NewPCG(3, 4))
	earlier, f := counts{second: 1_764_440_000}, counts{second: 1_764_446_399}
	for i := range int64(40) {
		f.minutes = append(f.minutes, minute{1_764_440_340 + 60*i*i/15*15, 1 + luck.IntN(500)})
		earlier.minutes = append(earlier.minutes, minute{1_764_360_000 + 60*i, 1 + luck.IntN(500)})
	}
	whole := f.text()
	lines := func(text []byte) [][]byte { return slices.Collect(bytes.Lines(text)) }
	tried := map[string]int{}
	for i := range 10_000 {
		what, text := "", bytes.Clone(whole)
		all := lines(text)
		k, l := luck.IntN(len(all)), luck.IntN(len(all))
		switch i % 7 {
		case 0, 1:
			what = "bits"
			for range 1 + i%7*luck.IntN(3) {
				text[luck.IntN(len(text))] ^= 1 << luck.IntN(8)
			}
		case 2:
			what, text = "cut", text[:luck.IntN(len(text))]
		case 3:
			what, text = "doubled", bytes.Join(slices.Insert(all, k, all[l]), nil)
		case 4:
			what, text = "missing", bytes.Join(slices.Delete(all, k, min(len(all), k+1+luck.IntN(3))), nil)
		case 5:
			what = "reordered"
			all[k], all[l] = all[l], all[k]
			text = bytes.Join(all, nil)
		case 6: // lines of an earlier count, as if a disk had kept a part of it
			what = "mixed"
			old := lines(earlier.text())
			for at := k; at < min(len(old), k+1+luck.IntN(20)); at++ {
				all[at] = old[at]
			}
			text = bytes.Join(all, nil)
		}
		if bytes.Equal(text, whole) || bytes.Equal(text, earlier.text()) {
			continue
		}
		tried[what]++
		if got, ok := parse(text); ok {
			t.Fatalf("%s: got %v, want a refusal of %q", what, got, text)
		}
	}
	for _, what := range []string{"bits", "cut", "doubled", "missing", "reordered", "mixed"} {
		if tried[what] < 1000 {
			t.Errorf("%s: only %d are tried", what, tried[what])
		}
	}
	t.Logf("%v", tried)
}

// A clock that is set while a run goes on counts no attempts, in either direction; one that is set by little does, and
// waits for a second that had none. A run that begins at the wrong time is found out when the clock is right again.
func TestClockIsSet(t *testing.T) {
	for _, v := range []struct {
		by   time.Duration
		want string // "" is a permit
	}{
		{25 * time.Hour, "set from 2025-11-29T20:00:01Z to 2025-11-30T21:00:01Z"},
		{-time.Hour, "set from 2025-11-29T20:00:01Z to 2025-11-29T19:00:01Z"}, {4 * time.Minute, ""},
		{-4 * time.Minute, ""}, {-20 * time.Hour, "set from 2025-11-29T20:00:01Z to 2025-11-29T00:00:01Z"},
	} {
		file := filepath.Join(t.TempDir(), "used")
		begun := time.Unix(1_764_446_400, 0)
		h := &hours{at: begun}
		caps := dial.Caps{PerDay: 12, PerSecond: 2}
		run := newCaps(file, caps, h.clock())
		take := func() error { return run.Take(t.Context()) }
		for range 3 { // of which one is in the second that the run has now
			if err := take(); err != nil {
				t.Fatal(err)
			}
		}
		h.set = v.by
		switch err := take(); {
		case v.want != "" && (!errors.Is(err, dial.ErrRefused) || !strings.Contains(err.Error(), v.want)):
			t.Errorf("set by %s: got %v, want %s", v.by, err, v.want)
		case v.want == "" && err != nil:
			t.Errorf("set by %s: %v", v.by, err)
		case v.want != "" && h.at.Sub(begun) > time.Minute:
			t.Errorf("set by %s: the run waited until %s", v.by, h.at)
		}
		if h.set = 0; take() != nil {
			t.Errorf("set by %s and right again: want a permit", v.by)
		}
		run.Close()
		h.set = 25 * time.Hour
		run = newCaps(file, caps, h.clock())
		if err := take(); err != nil {
			t.Errorf("set by %s, a run a day later: %v", v.by, err)
		}
		run.Close()
		h.set = 0
		run = newCaps(file, caps, h.clock())
		if err := take(); !errors.Is(err, dial.ErrRefused) ||
			!strings.Contains(err.Error(), "one of the clocks is wrong") {
			t.Errorf("a run before the last one: got %v", err)
		}
	}
}
