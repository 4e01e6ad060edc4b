package serve

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"flyball/cmd/flyball/internal/kept"
	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/points"
	"flyball/internal/vt"
	"flyball/realrun"
	"flyball/realrun/depot"
	"flyball/realrun/guard"
	"flyball/realrun/names"
	"flyball/storage"
)

// delivering is a B server: it delivers the subsets that it is given.
type delivering struct {
	*member
	number  mail.Server
	runner  *realrun.Runner
	list    mail.List           // of all mailings whose files are here
	stops   *storage.Suppressed // who gets no mail by the store of the site
	whole   chan struct{}       // closed when stops has all that the store has
	letters letters
	kept    *depot.Kept
	broken  chan error    // why the server must end
	brake   *guard.Brake  // nil: the site mails no people
	share   *guard.Caps   // of the caps
	granted chan struct{} // closed when the A server has admitted this one
	work    sync.WaitGroup

	lock     sync.Mutex
	fetches  map[engine.Job]bool   // under way
	fetching context.Context       // of fetches; nil: the server does not run
	said     map[engine.Job]string // why a mailing cannot be had, as it was last logged
}

// openDelivering opens a B server.
func (p *Process) openDelivering(ctx context.Context, m *member) (err error) {
	address, _ := m.of.Address()
	s := &delivering{member: m, number: address.Server, list: mail.ReadList(nil), fetches: map[engine.Job]bool{},
		stops: storage.NewSuppressed(), whole: make(chan struct{}), said: map[engine.Job]string{},
		granted: make(chan struct{}), broken: make(chan error, 1)}
	m.server = s
	if s.kept, err = m.keep(); err != nil {
		return err
	}
	if err := s.again(ctx); err != nil {
		return err
	}
	of := p.site.Scenario
	shows := p.secrets
	t := &realrun.SMTP{Replies: of.ReplyTables(), Letters: &s.letters, Dialogue: of.Dialogue, Scale: 1,
		Security: shows.Security, Domain: p.site.Hello(m.of), Alarm: s.alarms(), Broken: s.breaks,
		Returns: func(r mail.Recipient, t mail.Try, _ string) string {
			return s.letters.Returns(r, t, p.site.ReturnDomain())
		}}
	if t.Resolver, err = leads(p.site, t.Domain, s.letters.domain); err != nil {
		return err
	}
	keeping := realrun.Keeping{Journal: m.journal, Before: m.before, Boot: kept.Boot(), Zero: m.zero(),
		Broken: s.breaks}
	if s.store != nil {
		keeping.Suppressed = s.suppressed
	}
	transport, err := s.bound(t)
	if err != nil {
		return err
	}
	s.runner, err = realrun.NewServer(of, s.number, &s.list, transport, nil, keeping, m)
	if err != nil {
		return task.Fail(task.Invalid, "%s: %w", m.name, err)
	}
	t.Gate = s.runner.Gate
	return m.join(ctx, s.receive)
}

// breaks ends the server.
func (s *delivering) breaks(err error) {
	select {
	case s.broken <- err:
	default:
	}
}

// run runs the server until ctx ends, or its disk or the bus fails. It returns when every attempt has ended whose final
// dot was sent.
func (s *delivering) run(ctx context.Context) error {
	err := together(ctx, s.watchBus, s.untilBroken, s.follow, s.claims, s.deliver, s.letGo, s.prune)
	s.lock.Lock()
	s.fetching = nil // no fetch begins any more
	s.lock.Unlock()
	s.work.Wait()
	return errors.Join(err, s.journal.Err())
}

// untilBroken returns when ctx ends, or why the server must end.
func (s *delivering) untilBroken(ctx context.Context) error {
	select {
	case err := <-s.broken:
		return err
	case <-ctx.Done():
		return nil
	}
}

// deliver makes attempts until ctx ends, once who gets no mail is here.
func (s *delivering) deliver(ctx context.Context) error {
	s.lock.Lock()
	s.fetching = ctx
	s.lock.Unlock()
	if s.store != nil {
		select {
		case <-s.whole:
		case <-ctx.Done():
		}
	}
	if s.brake != nil {
		select {
		case <-s.granted:
		case <-ctx.Done():
		}
	}
	s.runner.Run(ctx, nil)
	return nil
}

// again takes the mailings that the server had when it stopped: its facts are about them.
func (s *delivering) again(ctx context.Context) error {
	jobs, err := s.kept.Jobs()
	if err != nil {
		return task.Fail(task.Environment, "%s: %w", s.name, err)
	}
	for _, job := range jobs {
		m, err := s.letter(ctx, job)
		if errors.Is(err, depot.ErrAbsent) { // what was damaged here is not in the depot any more
			all, wrong := s.depot.FetchRunning(ctx, -1)
			if wrong == nil && all.Over(job) {
				continue // it is dropped when the server runs
			}
		}
		if err != nil {
			return task.Fail(task.Invalid, "%s: %w", s.name, err)
		}
		s.grow(m)
	}
	return nil
}

// letGo removes lists and letters whose mailings have ended, until ctx ends.
func (s *delivering) letGo(ctx context.Context) error {
	return s.hearsEnds(ctx, func(all depot.Running) error {
		if err := s.runner.Do(func(now vt.Time) { s.runner.Over(now, all.Over) }); err != nil {
			return err
		}
		err := drop(s.kept, all, func(job engine.Job) {
			if m := s.letters.find(job); m != nil {
				m.held.Release()
			}
		})
		if err == nil && s.kept.Idle() {
			_, err = s.kept.Prune(ctx, "")
		}
		return err
	})
}

// prune removes stored lists that no mailing has when they have changed in the store, until ctx ends.
func (s *delivering) prune(ctx context.Context) error {
	known := ""
	return s.repeat(ctx, look, "the storage server does not say which lists have changed",
		func(ctx context.Context) (err error) {
			if !s.kept.Idle() {
				return errIdle
			}
			known, err = s.kept.Prune(ctx, known)
			return err
		})
}

// fixed is a resolver that leads to the receiver at one address.
type fixed netip.AddrPort

func (f fixed) Resolve(context.Context, *mail.Attempt) names.Route {
	return names.Route{To: []names.Candidate{{At: netip.AddrPort(f)}}}
}

// letter returns a mailing whose files are here, or fetches them.
func (s *delivering) letter(ctx context.Context, job engine.Job) (letterOf, error) {
	h, m, err := s.mailing(ctx, s.kept, job)
	if err != nil {
		return letterOf{}, err
	}
	of := letterOf{keys: h.Keys, mailing: m, held: h}
	if h.List != nil {
		of.stored = h.List.Stored
	}
	return of, nil
}

// grow makes the list have the recipients of a mailing. The goroutine that owns the role calls it, or none yet does.
func (s *delivering) grow(m letterOf) {
	dest := make([]mail.Destination, m.mailing.List.Len())
	for r := range dest {
		dest[r] = m.mailing.List.Destination(mail.Recipient(r))
	}
	s.list.Put(m.keys.First, dest)
	s.letters.add(m)
}

// receive takes a message of another station. A subset of a mailing whose files are not here waits until they are: it
// is transferred again. One with places of another mailing is not taken: the depot has this mailing otherwise.
func (s *delivering) receive(m engine.Message) {
	if t, is := m.Body.(engine.Transfer); is {
		switch of := s.letters.find(t.Subset.Job); {
		case of == nil:
			s.fetch(t.Subset.Job)
			return
		case !of.covers(t.Part):
			s.lacks(t.Subset.Job, fmt.Errorf("got a subset with other places than the %d from %d on",
				of.keys.Recipients, of.keys.First))
			return
		}
	}
	s.runner.Receive(m)
}

// lacks logs why a mailing cannot be had, each reason once, since its subsets are transferred again and again.
func (s *delivering) lacks(job engine.Job, why error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if text := why.Error(); s.said[job] != text {
		s.said[job] = text
		s.log.Error("a mailing cannot be had", "job", job, "why", text)
	}
}

// fetch fetches the files of a mailing, unless that is under way.
func (s *delivering) fetch(job engine.Job) {
	s.lock.Lock()
	defer s.lock.Unlock()
	ctx := s.fetching
	if s.fetches[job] || ctx == nil || ctx.Err() != nil {
		return
	}
	s.fetches[job] = true
	s.work.Go(func() {
		m, err := s.letter(ctx, job)
		if err == nil {
			points.Reached("fetched")
			err = s.runner.Do(func(vt.Time) { s.grow(m) })
		}
		s.lock.Lock()
		delete(s.fetches, job)
		s.lock.Unlock()
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, depot.ErrRefused):
			s.breaks(s.in.site.Refused(s.of, err))
		case err != nil:
			s.lacks(job, err)
		default:
			s.log.Info("a mailing is here", "job", job, "recipients", m.keys.Recipients)
		}
	})
}
