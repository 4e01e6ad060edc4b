package realrun

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"flyball/internal/durable"
	"flyball/internal/longtest"
	"flyball/internal/points"
	"flyball/internal/rng"
)

// child is the variable of a process that is to be killed: the folder, the address, what becomes of ambiguous attempts,
// recipients, messages of a session ahead, and the point at which the process kills itself, as NAME:NUMBER.
const child = "FLYBALL_TEST_KEPT"

// TestKeptChild is the process that others kill.
func TestKeptChild(t *testing.T) {
	words := strings.Fields(os.Getenv(child))
	if len(words) == 0 {
		t.Skip("it is a part of TestKill")
	}
	n, _ := strconv.Atoi(words[3])
	ahead, _ := strconv.Atoi(words[4])
	if len(words) > 5 {
		points.Kill(words[5])
	}
	l := life{folder: words[0], addr: words[1], ambiguous: words[2], recipients: n, boot: 1,
		ahead: ahead}
	if _, err := l.run(context.Background(), durable.Files(l.folder), nil); err != nil {
		t.Fatal(err)
	}
}

// start starts a process of a mailing.
func (l life) start(t *testing.T, point string) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestKeptChild$", "-test.timeout=60s")
	c.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s %d %d %s", child, l.folder, l.addr, l.ambiguous, l.recipients,
		l.ahead, point))
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// Processes of a mailing are killed at random times and at each point, until it ends. By the receiver's own ledger no
// recipient is missed, and who has two messages had an ambiguous attempt. The long form kills 1,000 times.
func TestKill(t *testing.T) {
	t.Parallel()
	want := longtest.Or(40, 1000)
	count := kills{at: map[string]int{}}
	var together sync.WaitGroup
	for range 4 { // a process waits for its start and for the disk most of the time
		together.Go(func() {
			for number, more := count.next(want); more && !t.Failed(); number, more = count.next(want) {
				count.mailing(t, number)
			}
		})
	}
	together.Wait()
	t.Logf("%d processes of %d mailings were killed, %v: %d ambiguous attempts, %d second messages, none missed",
		count.all, count.mailings, count.at, count.doubts, count.twice)
	for _, point := range steps {
		if count.at[point] < want/10 {
			t.Errorf("%d were killed at %q, want at least %d", count.at[point], point, want/10)
		}
	}
	if count.doubts == 0 {
		t.Error("no process was killed between a final dot and its outcome")
	}
}

// steps are the points at which a process kills itself.
var steps = []string{"written", "durable", "passed", "dot", "replied"}

// kills counts the processes that were killed, and what became of their mailings.
type kills struct {
	lock     sync.Mutex
	all      int
	at       map[string]int // by point; "": at a random time
	mailings int            // that were begun
	doubts   int
	twice    int
}

// next returns the number of the next mailing; false if want processes were killed.
func (k *kills) next(want int) (number int, more bool) {
	k.lock.Lock()
	defer k.lock.Unlock()
	if k.all >= want {
		return 0, false
	}
	k.mailings++
	return k.mailings, true
}

// mailing kills the processes of a mailing until it ends, and checks it.
func (k *kills) mailing(t *testing.T, number int) {
	b := newInbox(t, time.Millisecond)
	defer b.Close()
	l := life{folder: t.TempDir(), addr: b.Addr().String(), ambiguous: []string{"resend", "hold"}[number%2],
		recipients: 600, boot: 1, ahead: []int{1, 6}[number/2%2]}
	for stops := 0; ; stops++ {
		draw := rng.New(1, 0).At(uint64(number), uint32(stops), 1)
		point, wait := "", time.Hour
		switch at := (number + stops) % 6; {
		case stops == 20: // let it end
		case at < len(steps):
			point = fmt.Sprintf("%s:%d", steps[at], 1+draw[1]%60)
		default:
			wait = time.Duration(20+draw[1]%150) * time.Millisecond
		}
		c := l.start(t, point)
		timer := time.AfterFunc(wait, func() { c.Process.Kill() })
		err := c.Wait()
		timer.Stop()
		if err == nil {
			break
		}
		if status := c.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
			t.Errorf("a process ends with %v", err)
			return
		}
		point, _, _ = strings.Cut(point, ":")
		k.lock.Lock()
		k.all++
		k.at[point]++
		k.lock.Unlock()
	}
	r, err := l.run(t.Context(), durable.Files(l.folder), nil)
	if err != nil {
		t.Error(err)
		return
	}
	b.check(t, l, r)
	k.lock.Lock()
	defer k.lock.Unlock()
	k.doubts += len(r.Doubts())
	for _, n := range b.got {
		k.twice += max(0, n-1)
	}
}
