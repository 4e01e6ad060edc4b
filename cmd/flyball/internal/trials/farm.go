package trials

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"flyball/bus"
	"flyball/cmd/flyball/internal/task"
	"flyball/farm"
	"flyball/internal/vt"
	"flyball/internal/zone"
	"flyball/reports/ensemble"
	studies "flyball/reports/study"
	"flyball/scenarios"
	"flyball/scenarios/study"
	"flyball/sim"
)

// Bus is where workers on other machines, or in other processes, are found.
type Bus struct {
	bus.Config        // its Name is made from the machine's
	Listen     string // IP:PORT where this process is a broker itself; instead of a URL
	Program    string // version and revision of this program
	Build      string // SHA-256 of its file, if the revision does not say everything
}

// Used reports whether there is a bus.
func (b *Bus) Used() bool { return b.URL != "" || b.Listen != "" }

// Validate returns an error if the flags contradict each other.
func (b *Bus) Validate() error {
	if b.URL != "" && b.Listen != "" {
		return task.Fail(task.Usage, "--bus, --listen: got both, want the URL of a broker or an address to be one at")
	}
	if !b.Used() && (b.CA != "" || b.Cert != "" || b.Key != "" || b.NKey != "") {
		return task.Fail(task.Usage, "--bus-ca, --bus-cert, --bus-key and --bus-nkey belong to --bus or --listen")
	}
	return nil
}

// check returns an error if the flags contradict each other, or if there are neither workers nor runs here.
func (b *Bus) check(here int) error {
	if here == 0 && b.Used() {
		return b.Validate()
	}
	return errors.Join(task.CheckWorkers(here), b.Validate())
}

// busKind gives an error of a bus or of a coordinator its kind.
func busKind(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, farm.ErrBarred):
		return task.Error{Kind: task.Disagrees, Err: err}
	case errors.Is(err, bus.ErrRefused), errors.Is(err, farm.ErrRefused):
		return task.Error{Kind: task.Refused, Err: err}
	}
	return task.Error{Kind: task.Environment, Err: err}
}

// join connects to the bus, as the broker itself if it listens. role is the beginning of the name on the bus.
func (b *Bus) join(ctx context.Context, role string, note func(string, ...any)) (conn *bus.Conn, end func(), _ error) {
	c := b.Config
	host, _ := os.Hostname() // a name for people
	c.Name = fmt.Sprintf("%s-%s-%d-%.6s", role, bus.PlainName(host), os.Getpid(), bus.NewToken())
	if b.Listen == "" {
		conn, err := bus.Dial(ctx, c, nil)
		if err != nil {
			return nil, nil, busKind(err)
		}
		return conn, conn.Close, nil
	}
	server, err := bus.Start(bus.ServerConfig{Listen: b.Listen, Token: bus.NewToken(), CA: c.CA, Cert: c.Cert,
		Key: c.Key})
	if err != nil {
		return nil, nil, busKind(err)
	}
	note("workers join with: flyball worker --bus %s", server.URL())
	if conn, err = bus.Dial(ctx, bus.Config{Name: c.Name}, server); err != nil {
		server.Close()
		return nil, nil, busKind(err)
	}
	return conn, func() { conn.Close(); server.Close() }, nil
}

// spec is a scenario on the bus, and what is kept of its runs. It names no file: a scenario that takes something from
// one is sent with every value spelled out.
type spec struct {
	ID       string // of the scenario; a worker that reads another one from the text computes by other rules
	Metrics  []string
	Scenario string
	Set      []string // path.to.key=value
	Whole    bool     // all that an ensemble needs is kept, instead of Metrics
}

// point is a run: of a scenario, with settings.
type point struct {
	loaded      *scenarios.Scenario
	id          string
	scenario    int // index into the names of the study
	set         []string
	replication uint64
}

// crew is what workers on a bus are asked to do.
type crew struct {
	what string // in a few words
	own  int    // runs that this process makes at the same time
	kept
	point func(run int) point
	text  func(point) (scenario string, set []string)
	check func(record []byte) error
}

// coordinate begins to give out runs.
func (b *Bus) coordinate(ctx context.Context, of crew, watch task.Watch) (*farm.Coordinator, func(), error) {
	conn, end, err := b.join(ctx, "sweep", watch.Note)
	if err != nil {
		return nil, nil, err
	}
	var seed [8]byte
	rand.Read(seed[:]) // never fails
	c := farm.Coordinating{Config: farm.Default(), Program: b.Program, Build: b.Build, What: of.what,
		Gone: b.Listen != "", Own: of.own, Note: watch.Warn}
	c.Seed = binary.LittleEndian.Uint64(seed[:])
	var last *scenarios.Scenario
	var text string
	c.Job = func(run int) farm.Job {
		p := of.point(run)
		if p.loaded != last {
			v := spec{ID: p.id, Metrics: of.metrics, Whole: of.whole}
			v.Scenario, v.Set = of.text(p)
			raw, err := json.Marshal(v)
			if err != nil {
				panic(err)
			}
			last, text = p.loaded, string(raw)
		}
		return farm.Job{Spec: text, Part: p.replication} // a scenario has 1 MiB at most, and room in a message
	}
	c.Here = func(int) farm.Do {
		one := runner{kept: of.kept}
		return func(ctx context.Context, run int, _ farm.Job) ([]byte, error) {
			p := of.point(run)
			defer func() { // a broken invariant is described by the number of the run
				if v := recover(); v != nil {
					if b, ok := v.(sim.Broken); ok {
						b.Replication = uint64(run)
						v = b
					}
					panic(v)
				}
			}()
			return one.run(ctx, p.loaded, p.replication)
		}
	}
	c.Check = func(_ int, record []byte) error { return of.check(record) }
	co, err := farm.Coordinate(conn, c)
	if err != nil {
		end()
		return nil, nil, busKind(err)
	}
	return co, func() { co.Close(); end() }, nil
}

// coordinate begins to give out the runs of a study.
func (q *Study) coordinate(ctx context.Context, s *study.Study, watch task.Watch,
	point func(run int) point) (*farm.Coordinator, func(), error) {
	return q.Bus.coordinate(ctx, crew{what: "study " + s.Name, own: q.Workers, kept: kept{metrics: s.Metrics},
		point: point, text: q.textOf, check: func(record []byte) error {
			_, err := s.Runs([][]byte{record})
			return err
		}}, watch)
}

// textOf returns the text of a point's scenario and its settings; if it takes something from a file, it has every value
// spelled out.
func (q *Study) textOf(p point) (scenario string, set []string) {
	if q.files.Load() {
		return string(scenarios.Resolved(p.loaded)), nil
	}
	return string(q.texts[p.scenario]), p.set
}

// farmed makes the runs of a sweep that are still missing on the bus, until ctx ends.
func (q *Study) farmed(ctx context.Context, s *study.Study, log *progressLog, watch task.Watch) error {
	each, total := uint64(s.Replications), len(s.Points)*s.Replications
	defer task.BrokenRun(q.broken(s))
	co, end, err := q.coordinate(ctx, s, watch, func(run int) point {
		p := s.Points[uint64(run)/each]
		return point{p.Loaded, p.ID, p.Scenario, s.Settings(p), uint64(run) % each}
	})
	if err != nil {
		return err
	}
	defer end()
	defer task.ManyRuns()()
	err = co.Do(ctx, total, log.records(), func(record []byte) error {
		log.read(s, record)
		watch.At(s.Name, uint64(len(log.runs)), uint64(total))
		return log.err
	}, log.keep)
	switch {
	case log.err != nil:
		return task.Fail(task.Environment, "--out: %w", log.err)
	case ctx.Err() != nil: // stopped
		return nil
	}
	tellStats(co, watch)
	return busKind(err)
}

// tellStats says what a coordinator has done.
func tellStats(co *farm.Coordinator, watch task.Watch) {
	if st := co.Stats(); st.Messages > 0 {
		watch.Note("%d workers made %d runs; %d messages, each handled in %s", st.Workers, st.Results, st.Messages,
			(st.Handling / time.Duration(st.Messages)).Round(time.Microsecond))
	}
}

// kept is what is kept of a run.
type kept struct {
	metrics []string
	whole   bool // all that an ensemble needs, instead of metrics
}

// runner makes one run at a time, and keeps networks from one to the next.
type runner struct {
	kept
	batches sim.Batches
}

// run makes a run and returns its record. The error is one of ctx, or says why
// the scenario cannot run.
func (r *runner) run(ctx context.Context, s *scenarios.Scenario, replication uint64) (record []byte, _ error) {
	own := new(task.Recipients) // a synthetic list
	_, err := sim.RunBatch(&r.batches, []sim.Job{{Scenario: s, Replication: replication}}, 1,
		func(_ uint64, world *sim.World, end vt.Time) []byte {
			report := task.Observe(s, own, replication, world, end)
			if r.whole {
				return ensemble.Observe(report).Record()
			}
			return study.Run(studies.RunOf(report, r.metrics)).Record()
		},
		func(run []byte) { record = run }, task.Going(ctx))
	if err == nil && record == nil {
		err = context.Cause(ctx)
	}
	return record, err
}

// Worker makes runs for the sweeps on a bus.
type Worker struct {
	Bus
	Workers int // runs at the same time
}

// Validate returns an error if the question makes no sense.
func (q *Worker) Validate() error {
	var none error
	if q.URL == "" {
		none = task.Fail(task.Usage, "worker: got no --bus, want the URL that flyball sweep --listen has printed, or "+
			"the URL of another broker")
	}
	return errors.Join(task.CheckWorkers(q.Workers), none)
}

// Do makes runs until ctx ends, or until the sweep ends whose broker ends with it.
func (q *Worker) Do(ctx context.Context, watch task.Watch) (struct{}, error) {
	if err := q.Validate(); err != nil {
		return struct{}{}, err
	}
	conn, end, err := q.join(ctx, "worker", watch.Note)
	if err != nil {
		return struct{}{}, err
	}
	defer end()
	defer task.ManyRuns()()
	err = farm.Work(ctx, conn, farm.Working{Name: conn.Name(), Slots: q.Workers, Program: q.Program, Build: q.Build,
		Note: watch.Warn, Here: func(int) farm.Do { return new(stranger).run }})
	return struct{}{}, busKind(err)
}

// stranger makes runs that another process has specified.
type stranger struct {
	text   string // of the specification that is loaded
	loaded *scenarios.Scenario
	loads  int
	runner
}

// compared is how many scenarios are loaded for one whose ID is compared: to find an ID takes longer than to load.
const compared = 16

func (w *stranger) run(ctx context.Context, _ int, j farm.Job) ([]byte, error) {
	if w.loaded == nil || w.text != j.Spec {
		var s spec
		if err := json.Unmarshal([]byte(j.Spec), &s); err != nil {
			return nil, err
		}
		noFiles := scenarios.Outside{Zones: zone.Load} // zones are data of the program
		loaded, err := scenarios.LoadWith("the scenario", []byte(s.Scenario), s.Set, noFiles)
		if err != nil {
			return nil, fmt.Errorf("the scenario is refused: %s", strings.ReplaceAll(err.Error(), "\n", "; "))
		}
		if w.loads++; w.loads%compared == 1 {
			if id := scenarios.ID(loaded); id != s.ID {
				return nil, fmt.Errorf("scenario %.12s is %.12s here: its text has another meaning", s.ID, id)
			}
		}
		w.text, w.loaded, w.kept = j.Spec, loaded, kept{s.Metrics, s.Whole}
	}
	return w.runner.run(ctx, w.loaded, j.Part)
}
