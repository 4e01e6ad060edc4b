package faulty_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/internal/fault"
	"flyball/internal/longtest"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/realrun"
	"flyball/realrun/dial"
	"flyball/realrun/faulty"
	letter "flyball/realrun/message"
	"flyball/realrun/names"
	"flyball/realrun/wire"
	virtual "flyball/sim/faulty"
)

// catalogue reads the scripts below testdata: all of the catalogue and of name servers, and each fourth of the other
// siblings, or all if long tests are asked for. With -short it reads each eighth: the race detector makes plays late,
// so that many are repeated.
func catalogue(t *testing.T) (all []*fault.Script) {
	t.Helper()
	names, err := filepath.Glob("testdata/*/*.fault")
	if err != nil || len(names) < 100 {
		t.Fatalf("%d scripts: %v", len(names), err)
	}
	for i, name := range names {
		if i%4 > 0 && strings.Contains(name, "/siblings/") && !strings.Contains(name, "/dns-") && !longtest.Asked() {
			continue
		}
		if testing.Short() && i%8 > 0 {
			continue
		}
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

// Each script ends on TCP and in the model as it wants: the class of each recipient, the number of attempts and
// sessions, the time of the first attempt, what is blamed, and what the receiver kept. Both end with the same replies.
func TestScripts(t *testing.T) {
	scripts := catalogue(t)
	live, models := make([]play, len(scripts)), make([]fault.Result, len(scripts))
	overslept.begin()
	defer overslept.end()
	var plays sync.WaitGroup
	room := make(chan struct{}, 64)
	for i, s := range scripts {
		plays.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			var err error
			if models[i], err = virtual.Play(s); err != nil {
				t.Error(err)
				return
			}
			live[i] = onTCP(s, models[i], fastest(s))
		})
	}
	plays.Wait()
	for i, s := range scripts {
		t.Run(s.Name, func(t *testing.T) {
			for _, d := range s.Differences(models[i], 0) {
				t.Errorf("model: %s", d)
			}
			// A machine that is late can make a play wrong, so a play that differs is repeated, alone and slower:
			// right once is right.
			p := live[i]
			for _, scale := range slower(s) {
				if len(p.differ) == 0 {
					break
				}
				p = onTCP(s, models[i], scale)
			}
			if len(p.differ) > 0 && p.late > vt.Second/2 {
				t.Skipf("the machine was late by %s of the script's time: %q", p.late, p.differ)
			}
			for _, d := range p.differ {
				t.Errorf("TCP: %s", d)
			}
			for _, d := range p.content {
				t.Error(d)
			}
			if t.Failed() {
				t.Log(p.log)
			}
		})
	}
}

// longest returns the longest time that a script wants an attempt to take, and 10 s at least.
func longest(s *fault.Script) vt.Span {
	most := 10 * vt.Second
	for _, w := range s.Wants {
		most = max(most, w.From)
	}
	return most
}

// fastest returns the scale at which a script is played first: its longest attempt takes 0.6 s or less.
func fastest(s *fault.Script) float64 {
	return max(60, float64(longest(s))/float64(600*vt.Millisecond))
}

// slower returns the scales at which a play is repeated, down to 6 s for the longest attempt.
func slower(s *fault.Script) []float64 {
	least := float64(longest(s)) / float64(6*vt.Second)
	return []float64{max(least, fastest(s)/3), least, least}
}

// met is a reply as a client meets it: a connection that is lost at once may be lost before the greeting or in it.
func met(r mail.Reply) mail.Reply {
	if r.Stage == mail.StageConnect {
		r.Stage = mail.StageBanner
	}
	return r
}

// overslept is what the machine sleeps longer than it was asked to.
var overslept sleeper

type sleeper struct {
	lock  sync.Mutex
	times []time.Time
	late  []time.Duration
	stop  chan struct{}
}

// begin makes the sleeper sleep and measure.
func (s *sleeper) begin() {
	stop := make(chan struct{})
	s.stop = stop
	go func() {
		for {
			due := time.Now().Add(time.Millisecond)
			select {
			case <-time.After(time.Millisecond):
			case <-stop:
				return
			}
			s.lock.Lock()
			s.times, s.late = append(s.times, due), append(s.late, time.Since(due))
			s.lock.Unlock()
		}
	}()
}

func (s *sleeper) end() { close(s.stop) }

// since returns the longest that was overslept since a time.
func (s *sleeper) since(began time.Time) (most time.Duration) {
	s.lock.Lock()
	defer s.lock.Unlock()
	for i, at := range s.times {
		if !at.Before(began) {
			most = max(most, s.late[i])
		}
	}
	return most
}

// play is how a script ended on TCP.
type play struct {
	fault.Result
	differ  []string
	content []string // what is wrong with the messages that came
	log     string   // the dialogue
	late    vt.Span  // of the machine, in the script's time
}

// onTCP plays a script on TCP, scale times as fast as the clock, and returns what differs from what it wants, or in the
// last replies from the model.
func onTCP(s *fault.Script, model fault.Result, scale float64) play {
	began := time.Now()
	p, err := once(s, scale)
	p.late = vt.Span(float64(overslept.since(began)) * scale)
	if err != nil {
		p.differ = []string{err.Error()}
		return p
	}
	p.differ = s.Differences(p.Result, max(vt.Second, vt.Span(float64(400*vt.Millisecond)*scale)))
	for r, o := range p.Of {
		if s.Job.Processes == 1 && met(o.Last) != met(model.Of[r].Last) {
			p.differ = append(p.differ, fmt.Sprintf("recipient %d: got %+v, the model has %+v", r+1, o.Last,
				model.Of[r].Last))
		}
	}
	return p
}

// once plays a script on TCP. It also returns the dialogue.
func once(s *fault.Script, scale float64) (play, error) {
	var lock sync.Mutex
	var log strings.Builder
	receiver, err := faulty.Listen(s, faulty.Ports{}, scale, func(line string) {
		lock.Lock()
		defer lock.Unlock()
		fmt.Fprintln(&log, line)
	})
	if err != nil {
		return play{}, err
	}
	defer receiver.Close()
	question := virtual.Scenario(s)
	list := question.List(rng.New(question.Seed, 0))
	result := fault.Result{Of: make([]fault.Outcome, s.Job.Recipients)}
	var broken error
	look := &lookups{receiver: receiver, status: map[mail.Recipient]string{}}
	if s.Resolves() {
		look.Resolver = resolver(receiver, question.Dialogue.Timeouts.DNS, scale)
	}
	transport := &realrun.SMTP{Resolver: look, Carries: look.carries, Letters: letters{s}, Dialogue: question.Dialogue,
		Scale: scale, Domain: "sender.example", Broken: func(err error) { broken = err },
		Security: wire.Security{Encryption: wire.Encryption(max(0, slices.Index(wire.Encryptions, s.Job.TLS))),
			Roots: receiver.Roots()}}
	if s.Job.Login {
		transport.Security.Login = &wire.Login{User: "sender", Password: "secret"}
	}
	run, err := realrun.New(question, &list, scale, transport, virtual.Watch(&result), nil)
	if err != nil {
		return play{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, stopped := run.Run(ctx, nil); stopped {
		err = errors.New("the run did not end within a minute")
	}
	receiver.Close()
	result.Sessions, result.Visited = receiver.Sessions(), receiver.Visited()
	result.Questions = receiver.Questions()
	for i := range result.Of {
		if result.Of[i].Last.Stage == mail.StageDNS {
			result.Of[i].Status = look.status[mail.Recipient(i)]
		}
	}
	p := play{Result: result, log: log.String()}
	for i := range result.Of {
		to := virtual.Address(s, mail.Recipient(i))
		result.Of[i].Kept = receiver.Kept(to)
		_, sent := letters{s}.Letter(mail.Recipient(i), nil)
		for _, m := range receiver.Messages(to) {
			if m.Bare > 0 {
				p.content = append(p.content, fmt.Sprintf("recipient %d: %d line ends of the message are bare", i+1,
					m.Bare))
			}
			if s.Job.Pipelining && m.Digest == sha256.Sum256(nil) { // for no recipient, see RFC 2920 3.1
				continue
			}
			if m.Digest != sha256.Sum256(lines(sent)) {
				p.content = append(p.content, fmt.Sprintf("recipient %d: another message came than was sent", i+1))
			}
		}
	}
	return p, errors.Join(err, broken)
}

// lines returns a message with CRLF at the end of each line, also at those that end otherwise.
func lines(message []byte) []byte {
	text := strings.ReplaceAll(string(message), "\r\n", "\n")
	text = strings.TrimSuffix(strings.ReplaceAll(text, "\r", "\n"), "\n")
	return []byte(strings.ReplaceAll(text, "\n", "\r\n") + "\r\n")
}

// lookups resolves domains by the name server of a script, or without one every domain to the hosts of a receiver, in
// their order.
type lookups struct {
	*names.Resolver
	receiver *faulty.Receiver
	lock     sync.Mutex
	status   map[mail.Recipient]string // of look-ups that led nowhere
}

// resolver asks the name server of a receiver, as a live run does.
func resolver(r *faulty.Receiver, patience vt.Span, scale float64) *names.Resolver {
	began, at := time.Now(), netip.MustParseAddrPort(r.Addr(1))
	wait := time.Duration(float64(patience) / scale)
	return names.New(names.Config{Server: r.Names(), Dial: (*dial.Allowlist)(nil).Dial, Luck: rng.New(1, 0),
		Own: []string{fault.Self}, Port: at.Port(),
		Now:      func() vt.Time { return vt.Time(float64(time.Since(began)) * scale) },
		ID:       func(context.Context) uint16 { return uint16(rand.Uint32()) },
		Patience: wait, Repeat: wait / 2})
}

func (l *lookups) Resolve(ctx context.Context, a *mail.Attempt) (route names.Route) {
	if l.Resolver == nil {
		for host := 1; host <= l.receiver.Hosts; host++ {
			at := netip.MustParseAddrPort(l.receiver.Addr(host))
			route.To = append(route.To, names.Candidate{Host: faulty.Name, At: at})
		}
		return route
	}
	route = l.Route(ctx, virtual.DomainOf(l.receiver.Script, a.Rcpt), a.Rcpt, a.Try)
	l.lock.Lock()
	defer l.lock.Unlock()
	l.status[a.Rcpt], _, _ = strings.Cut(route.Why, " ")
	return route
}

func (l *lookups) carries(_ context.Context, a *mail.Attempt, _ names.Candidate, first mail.Recipient) bool {
	return virtual.DomainOf(l.receiver.Script, a.Rcpt) == virtual.DomainOf(l.receiver.Script, first)
}

// letters are the messages of a script's job.
type letters struct{ *fault.Script }

func (l letters) Letter(r mail.Recipient, body []byte) (string, []byte) {
	to := virtual.Address(l.Script, r)
	if l.Job.UTF8 == "domain" { // as a list is read
		if a, err := mail.ParseAddress(fmt.Sprintf("r%d@fäult.example", r)); err == nil {
			to = a.String()
		}
	}
	body = fmt.Appendf(body, "To: <%s>\r\nSubject: a fault\r\n", virtual.Address(l.Script, r))
	switch {
	case l.Job.Body != "":
		return to, append(body, l.Job.Body...)
	case l.Job.UTF8 == "body": // as mailings are rendered
		_, body = l.rendered(r)
	default:
		body = append(body, "\r\nHello.\r\n"...)
	}
	for len(body) < int(l.Job.Size) {
		body = append(body, "A line like all the others, up to the size that was asked for.\r\n"...)
	}
	return to, body
}

// rendered returns a message with words beyond ASCII.
func (l letters) rendered(r mail.Recipient) (to mail.Address, message []byte) {
	to = mail.Address{Local: fmt.Sprint("r", r), Domain: "fault.example"}
	template, err := letter.Parse("words", []byte("From: a <a@sender.example>\nSubject: Wörter\n\nWörter\n"), nil)
	if err != nil {
		panic(err)
	}
	renderer, err := template.Bind(nil)
	if err != nil {
		panic(err)
	}
	message, err = renderer.Render(nil, nil, letter.Meta{To: to, Recipient: r,
		Run: letter.NewRun(mail.Key{}, time.Time{})})
	if err != nil {
		panic(err)
	}
	return to, message
}
