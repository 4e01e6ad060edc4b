package faulty_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/engine/delivery/retry"
	"flyball/governor"
	"flyball/internal/fault"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/netmodel"
	"flyball/realrun"
	"flyball/realrun/faulty"
	"flyball/realrun/names"
	"flyball/scenarios"
)

// catalogue reads all scripts below testdata.
func catalogue(t *testing.T) (all []*fault.Script) {
	t.Helper()
	names, err := filepath.Glob("testdata/*/*.fault")
	if err != nil || len(names) < 100 {
		t.Fatalf("%d scripts: %v", len(names), err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := fault.Parse(name, text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// Each script ends on TCP as it wants: the class of each recipient, the number of attempts and sessions, the time of
// the first attempt, what is blamed, and what the receiver kept.
func TestScriptsOnTCP(t *testing.T) {
	scripts := catalogue(t)
	differ := make([][]string, len(scripts))
	var plays sync.WaitGroup
	room := make(chan struct{}, 64)
	for i, s := range scripts {
		plays.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			differ[i] = onTCP(s)
		})
	}
	plays.Wait()
	for i, s := range scripts {
		t.Run(s.Name, func(t *testing.T) {
			if why, known := wrong[s.Name]; known {
				if len(differ[i]) == 0 {
					t.Logf("is right, and in the list of what is known to be wrong: %s", why)
				}
				return
			}
			for _, d := range differ[i] {
				t.Error(d)
			}
		})
	}
}

// onTCP plays a script on TCP and returns what differs. A machine that is late can make a play wrong, so a play that
// differs is repeated, slower: right once is right.
func onTCP(s *fault.Script) (differ []string) {
	longest := max(s.Wants[0].To, 10*vt.Second)
	if longest > vt.Day { // no end
		longest = s.Wants[0].From
	}
	scale := max(60, float64(longest)/float64(600*vt.Millisecond))
	for try := range 4 {
		if wrong[s.Name] != "" && try > 0 {
			break
		}
		result, log, err := play(s, scale)
		if err != nil {
			return []string{err.Error()}
		}
		late := vt.Span(float64(150*vt.Millisecond) * scale)
		if differ = s.Differences(result, late); len(differ) == 0 {
			return nil
		}
		differ = append(differ, log)
		scale /= 3
	}
	return differ
}

// play plays a script on TCP once. It also returns the dialogue.
func play(s *fault.Script, scale float64) (fault.Result, string, error) {
	var lock sync.Mutex
	var log strings.Builder
	receiver, err := faulty.Listen(s, scale, func(line string) {
		lock.Lock()
		defer lock.Unlock()
		fmt.Fprintln(&log, line)
	})
	if err != nil {
		return fault.Result{}, "", err
	}
	defer receiver.Close()
	question := scenario(s)
	list := question.List(rng.New(question.Seed, 0))
	result := fault.Result{Of: make([]fault.Outcome, s.Job.Recipients)}
	watch := func(_ vt.Time, a mail.Attempt, r mail.Reply, _ mail.Status) {
		o := &result.Of[a.Rcpt]
		if o.Attempts == 0 {
			o.Took = r.Took
		}
		o.Attempts = int(a.Try) + 1 // some are not counted
		o.Class, o.Blame = fault.ClassOf(&r), fault.BlameOf(&r)
	}
	var broken error
	transport := &realrun.SMTP{Resolver: hosts{receiver}, Letters: letters{s}, Dialogue: question.Dialogue,
		Scale: scale, Domain: "sender.example", Broken: func(err error) { broken = err }}
	run, err := realrun.New(question, &list, scale, transport, watch, nil)
	if err != nil {
		return fault.Result{}, "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, stopped := run.Run(ctx, nil); stopped {
		err = errors.New("the run did not end within a minute")
	}
	receiver.Close()
	result.Sessions = receiver.Sessions()
	for i := range result.Of {
		result.Of[i].Kept = receiver.Kept(letters{s}.address(mail.Recipient(i)))
	}
	return result, log.String(), errors.Join(err, broken)
}

// scenario returns the scenario of a script's job.
func scenario(s *fault.Script) *scenarios.Scenario {
	d := netmodel.DefaultDestination()
	d.Name, d.Domain = "fault", "fault.example"
	g := governor.Default()
	g.Law, g.Start = "hold", float64(s.Job.Processes)
	resends := retry.Default()
	resends.Limit, resends.Delays = s.Job.Tries-1, []vt.Span{10 * vt.Second}
	if s.Job.Resend {
		resends.Ambiguous = "resend"
	}
	dialogue := mail.DefaultDialogue()
	dialogue.Messages = s.Job.Messages
	return &scenarios.Scenario{Name: s.Name, Seed: 1, Horizon: s.Job.Until, Stages: "collapsed",
		Dispatch: scenarios.Default().Dispatch, Governor: g, Retry: resends, Message: scenarios.Message{Size: 2 << 10},
		Dialogue: dialogue, Network: netmodel.DefaultPaths(), Servers: []netmodel.Server{netmodel.DefaultServer()},
		Destinations: []netmodel.Destination{d},
		Campaigns: []scenarios.Campaign{{Name: "c", Recipients: s.Job.Recipients, Processes: s.Job.Processes,
			Subset: max(1, s.Job.Recipients/s.Job.Processes)}}}
}

// hosts resolves every destination to the hosts of a receiver, in their order.
type hosts struct{ *faulty.Receiver }

func (r hosts) Resolve(context.Context, *mail.Attempt) (route names.Route) {
	for host := 1; host <= r.Hosts; host++ {
		route.To = append(route.To, names.Candidate{Host: faulty.Name, At: netip.MustParseAddrPort(r.Addr(host))})
	}
	return route
}

// letters are the messages of a script's job.
type letters struct{ *fault.Script }

func (l letters) address(r mail.Recipient) string {
	switch l.Job.UTF8 {
	case "local":
		return fmt.Sprintf("ü%d@fault.example", r)
	case "domain":
		return fmt.Sprintf("r%d@xn--fult-loa.example", r)
	}
	return fmt.Sprintf("r%d@fault.example", r)
}

func (l letters) Letter(r mail.Recipient, body []byte) (string, []byte) {
	to := l.address(r)
	if l.Job.UTF8 == "domain" { // as a list is read
		if a, err := mail.ParseAddress(fmt.Sprintf("r%d@fäult.example", r)); err == nil {
			to = a.String()
		}
	}
	body = fmt.Appendf(body, "To: <%s>\r\nSubject: a fault\r\n", l.address(r))
	switch {
	case l.Job.Body != "":
		return to, append(body, l.Job.Body...)
	case l.Job.UTF8 == "body":
		body = append(body, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"+
			"Content-Transfer-Encoding: 8bit\r\n\r\nWörter\r\n"...)
	default:
		body = append(body, "\r\nHello.\r\n"...)
	}
	for len(body) < int(l.Job.Size) {
		body = append(body, "A line like all the others, up to the size that was asked for.\r\n"...)
	}
	return to, body
}

// wrong has the scripts whose outcome is known to be wrong, with the reason.
var wrong = map[string]string{
	"E02":          "no new session begins with HELO",
	"M06":          "SIZE is not read",
	"M08":          "SMTPUTF8 is not read",
	"S01-required": noTLS, "S02": noTLS, "S02-words": noTLS, "S02-required": noTLS, "S05": noTLS, "S06-name": noTLS,
	"S06-verified": noTLS,
	"T04":          "a reply that waits is not read when a write fails",
	"T06":          "the time for DATA is for the whole message",
	"T07":          "the time for DATA is for the whole message",
}

const noTLS = "STARTTLS is not used"
