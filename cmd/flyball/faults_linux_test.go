package main

import (
	"math"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// room lets the files of a station grow up to a size, as a disk does that is full then.
func (f *fleet) room(name string, bytes uint64) {
	f.t.Helper()
	limit := unix.Rlimit{Cur: bytes, Max: math.MaxUint64}
	if err := unix.Prlimit(f.running[name].Process.Pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
		f.t.Fatal(err)
	}
}

// A full disk loses nothing, and leaves no message in doubt. A takes no mailing until there is room; C and D go on, and
// tell who comes to come again; a B server ends before it has no room for what must be written of its messages, and
// goes on when it is started again.
func TestSiteOnFullDisk(t *testing.T) {
	t.Parallel()
	const all, little = math.MaxUint64, 100 << 10
	f := newFleet(t, 1000, 20*time.Millisecond, time.Hour, func(f *fleet, name string) {
		switch name {
		case "a", "b1", "d":
			f.room(name, little)
		case "c":
			f.room(name, 64)
		}
	})
	f.within(time.Minute, "a mailing that is not taken", func() bool {
		return strings.Contains(f.running["a"].text(), "a mailing cannot be taken")
	})
	if n := f.ledger.all(); n > 0 {
		t.Errorf("%d messages of a mailing that is not taken", n)
	}
	f.room("a", all)
	f.within(time.Minute, "the end of b1", f.running["b1"].ended)
	if code := f.running["b1"].ProcessState.ExitCode(); code != 7 {
		t.Errorf("b1 ends with exit code %d, want 7: %s", code, f.running["b1"].text())
	}
	f.start("b1")
	f.within(time.Minute, "the report", f.reported)
	if n := len(f.ledger.taken()); n > 0 {
		t.Errorf("C and D have taken something of %d recipients without room for it", n)
	}
	for _, name := range []string{"c", "d"} {
		if f.running[name].ended() {
			t.Errorf("%s ended: %s", name, f.running[name].text())
			f.start(name)
		}
		f.room(name, all)
	}
	if n := f.judge(); n > 0 {
		t.Errorf("%d recipients are ambiguous, want none", n)
	}
}
