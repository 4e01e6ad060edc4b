package terminal

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"flyball/cmd/flyball/internal/task"
)

// A line of progress has when the mailing will be out, if that is known. It is found out once for
// each line that is printed.
func TestProgressHasWhenAMailingIsOut(t *testing.T) {
	var to bytes.Buffer
	watch, end := Display{To: &to}.Watch(false)
	asked := 0
	for done, out := range []string{"", "", "out by 05:40 (05:31 to 05:52)", ""} {
		watch(task.Event{Stage: "night", Done: uint64(done), Total: 10, Out: func() string { asked++; return out }})
		watch(task.Event{Stage: "night", Done: uint64(done), Total: 10, Out: func() string { asked++; return out }})
	}
	watch(task.Event{Stage: "night", Done: 4, Total: 10})
	end()
	lines := strings.Split(strings.TrimSpace(to.String()), "\n")
	if len(lines) != 4 || asked != 3 {
		t.Fatalf("asked %d times, want 3, for\n%s", asked, to.String())
	}
	for i, line := range lines {
		want := "left"
		if i == 1 {
			want = "left, out by 05:40 (05:31 to 05:52)"
		}
		if !strings.HasSuffix(line, want) {
			t.Errorf("line %d: got %q, want %q at its end", i, line, want)
		}
	}
}

// The time left of a live run is the one until its estimated end, not the one by which recipients went until now: the
// last ones wait for resends.
func TestProgressOfALiveRunHasTheTimeUntilItsEnd(t *testing.T) {
	var to bytes.Buffer
	watch, end := Display{To: &to}.Watch(false)
	watch(task.Event{Stage: "night", Done: 9, Total: 10, Left: func() time.Duration { return 18 * time.Second },
		Out: func() string { return "out after 48.3 min (42.5 min to 76.8 min)" }})
	end()
	if want := ", about 18s left, out after 48.3 min (42.5 min to 76.8 min)\n"; !strings.HasSuffix(to.String(), want) {
		t.Errorf("got %q, want %q at its end", to.String(), want)
	}
}
