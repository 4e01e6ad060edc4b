// Package serve runs the stations of a site: the servers of a system that mails together ([0023] to [0048]), any
// mixture of them in one process. A Process opens, runs, kills and replaces stations; each role has a file, which is
// named by what the station does. Package sites has all that needs no running station.
package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"flyball/bus"
	"flyball/cmd/flyball/internal/kept"
	"flyball/cmd/flyball/internal/metrics"
	"flyball/cmd/flyball/internal/sites"
	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	governor "flyball/engine/governing"
	"flyball/engine/sender"
	"flyball/internal/durable"
	"flyball/realrun"
	"flyball/realrun/depot"
	"flyball/realrun/guard"
	"flyball/realrun/journal"
	"flyball/realrun/station"
	"flyball/site"
)

// Process has the stations of a site that run in this process.
type Process struct {
	site    *sites.Site
	log     *slog.Logger
	broker  *bus.Server       // within the process; nil: another one is used
	tokens  map[string]string // of stations, for the depot
	clients []depot.Client    // whom the depot knows
	secrets sites.Secrets
	numbers net.Listener // for Prometheus; nil: none

	counting sync.Mutex  // of caps
	caps     *guard.Caps // of this computer; nil: not used

	lock    sync.Mutex // of what follows
	members []*member
	ctx     context.Context // of Run
	fail    context.CancelCauseFunc
	wait    sync.WaitGroup
}

// member is a station that runs in this process, with everything that it has of its own.
type member struct {
	in       *Process
	of       site.Station
	name     string
	log      *slog.Logger
	journal  *journal.Journal
	before   []journal.Entry
	disk     cuttable
	conn     *bus.Conn
	heard    metrics.Heard
	counters []*metrics.Counts // of what has happened, for Prometheus
	buffer   metrics.Buffer
	changes  *depot.Depot    // through which the storage server fetches the changes of this server; nil: it does not
	fetched  net.Listener    // where it does
	next     station.Carrier // to other stations
	depot    *depot.Remote   // of the A server, for a station that may use it
	store    *depot.Remote   // the storage server, for a station that may use it; nil: the site has none
	locals   map[engine.Kind]func(engine.Message)
	server   interface{ run(context.Context) error }
	listens  map[string]string // addresses, by the keys that name them
	ends     []func() error    // what close does, the last first
	stop     context.CancelFunc
	ended    chan struct{}
}

// cuttable is the disk of a journal, until it is cut off as by the end of the process.
type cuttable struct {
	journal.Disk
	cut atomic.Bool
}

// errCut is the error of a disk that was cut off.
var errCut = errors.New("the process was killed")

// Create implements journal.Disk.
func (d *cuttable) Create(name string) (durable.Growing, error) {
	if d.cut.Load() {
		return nil, errCut
	}
	f, err := d.Disk.Create(name)
	return &cutFile{f, d}, err
}

// cutFile is a file of a disk that may be cut off.
type cutFile struct {
	durable.Growing
	disk *cuttable
}

func (f *cutFile) Write(b []byte) (int, error) {
	if f.disk.cut.Load() {
		return 0, errCut
	}
	return f.Growing.Write(b)
}

// Open opens the stations of a site that run here. The caller must Close the process.
func Open(ctx context.Context, s *sites.Site, log *slog.Logger) (*Process, error) {
	p := &Process{site: s, log: log}
	if err := p.open(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *Process) open(ctx context.Context) (err error) {
	if p.secrets, err = p.site.Secrets(); err != nil {
		return err
	}
	if err := p.site.CheckIdentity(); err != nil {
		return err
	}
	if p.site.Metrics != "" { // a port in use is known before a station changes anything
		if p.numbers, err = metrics.Listen(p.site.Metrics); err != nil {
			return err
		}
	}
	if err := errors.Join(p.openTokens(), p.openBroker()); err != nil {
		return err
	}
	here := slices.Clone(p.site.Here)
	slices.SortStableFunc(here, func(a, b site.Station) int { return cmp.Compare(turn(a), turn(b)) })
	for _, v := range here {
		if v.Role == site.Broker {
			continue
		}
		m, err := p.openMember(ctx, v)
		if err != nil {
			return err
		}
		p.members = append(p.members, m)
	}
	return nil
}

// turn returns when a station is opened: those that others ask where they listen first, and those that ask last.
func turn(v site.Station) int {
	switch {
	case v.Role == site.A:
		return 0
	case v.Changes != "":
		return 1
	case v.Role == site.Storage:
		return 2
	case v.Role == site.Hybrid:
		return 4
	}
	return 3
}

// openMember opens a station: its folder, its journal, its connection, and its role.
func (p *Process) openMember(ctx context.Context, v site.Station) (*member, error) {
	m := &member{in: p, of: v, name: v.Name(), locals: map[engine.Kind]func(engine.Message){},
		listens: map[string]string{}}
	m.log = p.log.With("station", m.name)
	var err error
	if v.Keeps() {
		err = m.lockFolder()
	}
	if _, speaks := v.Address(); err == nil && speaks && v.Role != site.C { // which keeps its facts itself
		err = m.openJournal()
	}
	if err == nil {
		err = m.seesDepots()
	}
	if err == nil {
		err = opens[v.Role](p, ctx, m)
	}
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

// opens has what opens a station of each role.
var opens = map[string]func(*Process, context.Context, *member) error{
	site.A: (*Process).openSending, site.B: (*Process).openDelivering, site.C: (*Process).openReturning,
	site.D: (*Process).openRequesting, site.Governor: (*Process).openGoverning,
	site.Response: (*Process).openResponding, site.Hybrid: (*Process).openHybrid,
	site.Storage: (*Process).openStoring}

// lockFolder makes the folder of the station, and lets no other process use it.
func (m *member) lockFolder() error {
	if err := durable.Files(m.of.Folder).Make(); err != nil {
		return task.Fail(task.Environment, "%s: %w", m.name, err)
	}
	lock, err := durable.TryLockFolder(m.of.Folder)
	switch {
	case errors.Is(err, durable.ErrLocked):
		return task.Fail(task.Environment, "%s: %s: got a folder that another process uses, want one at a time", m.name,
			m.of.Folder)
	case err != nil:
		return task.Fail(task.Environment, "%s: %w", m.name, err)
	}
	m.closes(func() error { lock.Release(); return nil })
	return nil
}

// openJournal reads the journal of the station, or begins one.
func (m *member) openJournal() (err error) {
	m.disk.Disk = durable.Files(m.of.Folder)
	id := m.in.site.JournalID(m.of)
	if still := stills[m.of.Role]; still != nil {
		if err := journal.Rewrite(&m.disk, id, still); err != nil && !task.Damaged(err) && !errors.Is(err,
			journal.ErrMissing) {
			m.log.Warn("the journal is not rewritten", "why", err)
		}
	}
	var had journal.Contents
	if m.journal, had, err = journal.Open(&m.disk, id); errors.Is(err, journal.ErrMissing) {
		m.journal, err = journal.Create(&m.disk, id)
	}
	switch {
	case task.Damaged(err):
		return task.Fail(task.Invalid, "%s: %s/%w", m.name, m.of.Folder, err)
	case err != nil:
		return task.Fail(task.Environment, "%s: %w", m.name, err)
	}
	if had.Torn > 0 {
		m.log.Warn("the end of the journal was torn, and is cut off", "bytes", had.Torn)
	}
	m.before = had.Entries
	m.closes(m.journal.Close)
	return nil
}

// stills has what says which facts of a station still count, by its role. The requests at a D server are few, and
// all of them count.
var stills = map[string]func([]journal.Entry) []journal.Entry{site.A: station.Still(sender.Still),
	site.B: realrun.Still, site.Governor: station.Still(governor.Still)}

// openStation opens the shell of the station's role, whose facts the journal has. Time zero of a new journal is zero,
// or now.
func (m *member) openStation(role engine.Durable, zero time.Time) (*station.Station, error) {
	address, _ := m.of.Address()
	s, err := station.New(station.Config{Address: address, Role: role, Journal: m.journal, Before: m.before,
		Boot: kept.Boot(), Carrier: m, Zero: zero})
	if err != nil {
		return nil, task.Fail(task.Invalid, "%s: %w", m.name, err)
	}
	return s, nil
}

// closes has close call f.
func (m *member) closes(f func() error) { m.ends = append(m.ends, f) }

// close closes everything that the station has.
func (m *member) close() (err error) {
	for _, f := range slices.Backward(m.ends) {
		err = errors.Join(err, f())
	}
	m.ends = nil
	return err
}

// local has f get the messages for roles of a kind that no station has.
func (m *member) local(k engine.Kind, f func(engine.Message)) { m.locals[k] = f }

// Send implements station.Carrier.
func (m *member) Send(e engine.Message) {
	switch f := m.locals[e.To.Role]; {
	case m.disk.cut.Load():
	case f != nil:
		f(e)
	default:
		m.next.Send(e)
	}
}

// Run runs all stations until ctx ends, or one of them fails: then all others end too.
func (p *Process) Run(ctx context.Context) error {
	if v, _ := p.site.Named(site.Broker); p.site.IsHere(site.Broker) {
		p.log.Info("begins", "station", v.Name(), "listen", v.Listen)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p.lock.Lock()
	p.ctx, p.fail = ctx, cancel
	for _, m := range p.members {
		p.start(m)
	}
	p.lock.Unlock()
	if p.numbers != nil {
		defer metrics.Serve(p.numbers, p.Count)()
		p.log.Info("shows its numbers", "metrics", "http://"+p.numbers.Addr().String()+"/metrics")
	}
	<-ctx.Done()
	p.wait.Wait()
	if err := context.Cause(ctx); err != context.Canceled {
		return err
	}
	return nil
}

// start runs a station on a goroutine of its own. The caller has the lock.
func (p *Process) start(m *member) {
	ctx, stop := context.WithCancel(p.ctx)
	m.stop, m.ended = stop, make(chan struct{})
	m.log.Info("begins", "facts", len(m.before))
	m.before = nil
	p.wait.Go(func() {
		defer close(m.ended)
		switch err := m.server.run(ctx); {
		case m.disk.cut.Load():
		case err != nil:
			m.log.Error("ends", "why", err)
			p.fail(failed(m.name, err))
		default:
			m.log.Info("ends")
		}
	})
}

// failed returns why a station has ended. An error without a kind is of this computer.
func failed(name string, err error) error {
	if errors.As(err, new(task.Error)) {
		return fmt.Errorf("%s: %w", name, err)
	}
	return task.Fail(task.Environment, "%s: %w", name, err)
}

// Kill ends a station as the end of its process would: from this moment on nothing of it comes to the disk or to other
// stations, whatever it was doing.
func (p *Process) Kill(name string) {
	p.lock.Lock()
	defer p.lock.Unlock()
	i := slices.IndexFunc(p.members, func(m *member) bool { return m.name == name })
	m := p.members[i]
	m.disk.cut.Store(true)
	m.stop()
	<-m.ended
	p.members = slices.Delete(p.members, i, i+1)
	m.close() // what it would still write is lost
	m.log.Warn("was killed")
}

// Replace lets a station that was killed go on from its folder.
func (p *Process) Replace(name string) error {
	p.lock.Lock()
	defer p.lock.Unlock()
	v, _ := p.site.Named(name)
	m, err := p.openMember(p.ctx, v)
	if err == nil {
		p.members = append(p.members, m)
		p.start(m)
	}
	return err
}

// Close closes all stations.
func (p *Process) Close() (err error) {
	for _, m := range slices.Backward(p.members) {
		err = errors.Join(err, m.close())
	}
	if p.caps != nil {
		err = errors.Join(err, p.caps.Close())
	}
	if p.numbers != nil {
		p.numbers.Close() // which Run may have done
	}
	if p.broker != nil {
		p.broker.Close()
	}
	return err
}

// together runs all until ctx ends, or one fails: then the others end too, and its error is returned.
func together(ctx context.Context, all ...func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wait sync.WaitGroup
	var lock sync.Mutex
	var first error
	for _, run := range all {
		wait.Go(func() {
			if err := run(ctx); err != nil {
				lock.Lock()
				defer lock.Unlock()
				if first == nil {
					first = err
				}
				cancel(err)
			}
		})
	}
	wait.Wait()
	return first
}
