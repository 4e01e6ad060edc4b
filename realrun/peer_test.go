package realrun_test

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"testing"
	"time"

	"flyball/engine/delivery/retry"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/peers"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/realrun"
	"flyball/realrun/names"
	"flyball/scenarios"
)

// sinkAt resolves every destination to a receiver of another project.
type sinkAt string

func (s sinkAt) Resolve(context.Context, *mail.Attempt) names.Route {
	return names.Route{To: []names.Candidate{{At: netip.MustParseAddrPort(string(s))}}}
}

// Postfix's own test receiver, which was written independently, refuses and drops
// in every way it can. The client must recognise each.
func TestClientAgainstPostfixSink(t *testing.T) {
	program := peers.Find(t, "/usr/sbin/smtp-sink", "Debian's postfix")
	for _, c := range []struct {
		name     string
		flags    []string
		status   mail.Status
		attempts uint64 // of 40 recipients, with one resend
		reply    mail.Reply
	}{
		{"accepts", nil, mail.Done, 40, mail.Reply{Code: 250, Stage: mail.StageDot}},
		{"no pipelining, no ESMTP", []string{"-p", "-e"}, mail.Done, 40, mail.Reply{Code: 250, Stage: mail.StageDot}},
		{"soft at RCPT", []string{"-r", "rcpt"}, mail.Failed, 80, mail.Reply{Code: 450, Stage: mail.StageRCPT}},
		{"hard at RCPT", []string{"-f", "rcpt"}, mail.Failed, 40, mail.Reply{Code: 500, Stage: mail.StageRCPT}},
		{"soft at MAIL", []string{"-r", "mail"}, mail.Failed, 80, mail.Reply{Code: 450, Stage: mail.StageMAIL}},
		{"hard at DATA", []string{"-f", "data"}, mail.Failed, 40, mail.Reply{Code: 500, Stage: mail.StageDATA}},
		{"hard at dot", []string{"-f", "."}, mail.Failed, 40, mail.Reply{Code: 500, Stage: mail.StageDot}},
		{"drop at RCPT", []string{"-q", "rcpt"}, mail.Failed, 80, mail.Reply{Fault: mail.Drop, Stage: mail.StageRCPT}},
		{"421 and drop at MAIL", []string{"-Q", "mail"}, mail.Failed, 80, mail.Reply{Code: 421, Stage: mail.StageMAIL}},
		{"drop at dot", []string{"-q", "."}, mail.Held, 40, mail.Reply{Fault: mail.Drop, Stage: mail.StageDot}},
		{"soft greeting", []string{"-r", "connect"}, mail.Failed, 80, mail.Reply{Code: 450, Stage: mail.StageBanner}},
	} {
		t.Run(c.name, func(t *testing.T) {
			addr := startSink(t, program, c.flags)
			got, replies := deliverTo(t, sinkAt(addr))
			for r, s := range got.status {
				if s != c.status {
					t.Fatalf("recipient %d ended %v, want %v; replies %v", r, s, c.status, replies)
				}
			}
			var attempts uint64
			for reply, n := range replies {
				attempts += n
				if reply != c.reply {
					t.Errorf("%d attempts ended with %+v, want %+v", n, reply, c.reply)
				}
			}
			if attempts != c.attempts {
				t.Errorf("%d attempts, want %d", attempts, c.attempts)
			}
		})
	}
}

// startSink runs smtp-sink on a free port until the test ends.
func startSink(t *testing.T, program string, flags []string) string {
	t.Helper()
	addr := peers.Free(t)
	if os.Getuid() == 0 {
		flags = append(flags, "-u", "nobody") // it refuses to be root
	}
	cmd := exec.Command(program, append(flags, addr, "100")...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if !peers.Listens(addr) {
		t.Fatalf("smtp-sink does not listen on %s", addr)
	}
	return addr
}

// deliverTo mails 40 recipients over 5 processes with one resend, by a transport that set may change.
func deliverTo(t *testing.T, to realrun.Resolver, set ...func(*realrun.SMTP)) (*outcomes, map[mail.Reply]uint64) {
	t.Helper()
	return deliverUntil(t, to, vt.Hour, set...)
}

// deliverUntil is deliverTo with a horizon.
func deliverUntil(t *testing.T, to realrun.Resolver, horizon vt.Span, set ...func(*realrun.SMTP)) (*outcomes,
	map[mail.Reply]uint64) {
	t.Helper()
	s := rehearsal(40)
	s.Horizon = horizon
	s.Servers, s.Destinations = s.Servers[:1], s.Destinations[:1]
	s.Governor = governor.Default()
	s.Governor.Law, s.Governor.Start = "hold", 5
	s.Retry = retry.Default()
	s.Retry.Limit, s.Retry.Delays = 1, []vt.Span{vt.Second}
	s.Campaigns = []scenarios.Campaign{{Name: "c", Recipients: 40, Processes: 5, Subset: 4}}
	list := s.List(rng.New(s.Seed, 0))
	got, replies := newOutcomes(list.Len()), map[mail.Reply]uint64{}
	watch := func(now vt.Time, a mail.Attempt, r mail.Reply, status mail.Status) {
		got.watch(now, a, r, status)
		r.Took = 0
		replies[r]++
	}
	transport := &realrun.SMTP{Resolver: to, Letters: letters{s, &list}, Dialogue: s.Dialogue, Scale: 20,
		Domain: "sender.example",
		Broken: func(err error) { t.Error(err) }}
	for _, f := range set {
		f(transport)
	}
	r, err := realrun.New(s, &list, 20, transport, watch, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, stopped := r.Run(ctx, nil); stopped {
		t.Fatalf("the run did not end in time: %v", replies)
	}
	return got, replies
}
