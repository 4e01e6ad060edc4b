package realrun_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"flyball/internal/mail"
	"flyball/realrun"
)

// form is the message of a benchmark, the same for each recipient.
type form []byte

func (f form) Letter(_ mail.Recipient, body []byte) (string, []byte) {
	return "recipient@provider.example", append(body, f...)
}

// TestBenchLive compares the client with Postfix's smtp-source, which sends nothing but what it has
// prepared and keeps nothing. Both send to one smtp-sink in turn, with as many sessions and messages
// as long. It prints the median ratio of each case and then the least of them.
func TestBenchLive(t *testing.T) {
	if os.Getenv("FLYBALL_BENCH_LIVE") == "" {
		t.Skip("set FLYBALL_BENCH_LIVE=1, or make bench-live: it takes a minute and wants a free machine")
	}
	const size, rounds = 4 << 10, 5
	source := peer(t, "/usr/sbin/smtp-source", "Debian's postfix")
	addr := startSink(t, peer(t, "/usr/sbin/smtp-sink", "Debian's postfix"), nil)
	message := append([]byte("Subject: a benchmark\r\n\r\n"), bytes.Repeat([]byte(string(bytes.Repeat([]byte("x"), 78))+
		"\r\n"), size/80)...)[:size-2]
	message = append(message, "\r\n"...)
	least := 0.0
	for _, c := range []struct {
		sessions, messages int
		reused             bool
	}{{100, 20_000, true}, {100, 10_000, false}, {10, 20_000, true}, {10, 10_000, false}} {
		var own, other []float64
		var ownTime, otherTime time.Duration // of processors
		for range rounds {
			before := processorTime()
			own = append(own, float64(c.messages)/sendTo(t, addr, message, c.sessions, c.messages, c.reused).Seconds())
			ownTime += processorTime() - before
			args := []string{"-s", strconv.Itoa(c.sessions), "-m", strconv.Itoa(c.messages), "-l", strconv.Itoa(size)}
			if c.reused {
				args = append(args, "-d")
			}
			began := time.Now()
			run := exec.Command(source, append(args, addr)...)
			if text, err := run.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			otherTime += run.ProcessState.UserTime() + run.ProcessState.SystemTime()
			other = append(other, float64(c.messages)/time.Since(began).Seconds())
		}
		ratios := make([]float64, rounds)
		for i := range own {
			ratios[i] = own[i] / other[i]
		}
		how := "one connection per message"
		if c.reused {
			how = "connections reused"
		}
		ratio := median(ratios)
		each := time.Duration(rounds * c.messages)
		fmt.Printf("%3d sessions, 4 KiB, %-26s %6.0f messages/s, smtp-source %6.0f: %.2f (%.2f to %.2f); "+
			"processor time %v and %v a message\n", c.sessions, how+":", median(own), median(other), ratio,
			slices.Min(ratios), slices.Max(ratios), (ownTime / each).Round(100*time.Nanosecond),
			(otherTime / each).Round(100*time.Nanosecond))
		if least == 0 || ratio < least {
			least = ratio
		}
	}
	fmt.Printf("ratio %.2f\n", least)
}

// processorTime returns what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// sendTo sends messages over sessions and returns how long that takes.
func sendTo(t *testing.T, addr string, message []byte, sessions, messages int, reused bool) time.Duration {
	t.Helper()
	dialogue := mail.DefaultDialogue()
	dialogue.Pipelining = true
	transport := &realrun.SMTP{Resolver: sinkAt(addr), Letters: form(message), Dialogue: dialogue, Scale: 1,
		Domain: "sender.example", Broken: func(err error) { t.Error(err) }}
	var next, failed atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for slot := range sessions {
		all.Go(func() {
			p := transport.Process(0, mail.Slot(slot))
			for conn := mail.Fresh; ; {
				n := next.Add(1)
				if n > int64(messages) {
					break
				}
				r := p.Deliver(context.Background(), mail.Attempt{Rcpt: mail.Recipient(n), Conn: conn})
				if r.Class() != mail.Delivered {
					failed.Add(1)
				}
				if conn = mail.Fresh; reused {
					conn = mail.Reused
				}
			}
			p.HangUp()
		})
	}
	all.Wait()
	took := time.Since(began)
	if failed.Load() > 0 {
		t.Errorf("%d of %d messages were not delivered", failed.Load(), messages)
	}
	return took
}
