package farm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/bus"
)

// site is a coordinator with a broker in this process, and its notes.
type site struct {
	t      *testing.T
	server *bus.Server
	co     *Coordinator
	mu     sync.Mutex
	notes  []string
	got    []string
}

func newSite(t *testing.T, change func(*Coordinating)) *site {
	t.Helper()
	s := &site{t: t}
	var err error
	if s.server, err = bus.Start(bus.ServerConfig{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.server.Close)
	c := Coordinating{Config: Default(), Program: "flyball 1", What: "a test", Gone: true,
		Job:   func(i int) Job { return Job{Spec: fmt.Sprint("spec ", i/3), Part: uint64(i % 3)} },
		Here:  func(int) Do { return func(_ context.Context, i int, _ Job) ([]byte, error) { return record(i), nil } },
		Check: func(_ int, r []byte) error { return wellFormed(r) },
		Note: func(format string, args ...any) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.notes = append(s.notes, fmt.Sprintf(format, args...))
		}}
	c.Silence, c.Batch = 2*time.Second, 20*time.Millisecond
	if change != nil {
		change(&c)
	}
	if s.co, err = Coordinate(s.conn("sweep"), c); err != nil {
		t.Fatal(err)
	}
	return s
}

func wellFormed(r []byte) error {
	if !strings.Contains(string(r), "result of ") {
		return errors.New("no result")
	}
	return nil
}

func (s *site) conn(name string) *bus.Conn {
	s.t.Helper()
	c, err := bus.Dial(context.Background(), bus.Config{Name: name}, s.server)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

// worker returns a worker whose jobs are done by do.
func (s *site) worker(name string, do Do) Working {
	return Working{Name: name, Slots: 2, Program: "flyball 1", Note: func(string, ...any) {},
		Here: func(int) Do { return do }}
}

func honest(_ context.Context, i int, j Job) ([]byte, error) {
	if j.Spec != fmt.Sprint("spec ", i/3) || j.Part != uint64(i%3) {
		return nil, fmt.Errorf("got %v as job %d", j, i)
	}
	time.Sleep(time.Millisecond)
	return record(i), nil
}

// do has jobs done.
func (s *site) do(n int, kept ...[]byte) error {
	for _, k := range kept {
		s.got = append(s.got, string(k))
	}
	ctx, stop := context.WithTimeout(s.t.Context(), time.Minute)
	defer stop()
	return s.co.Do(ctx, n, kept, func(r []byte) error {
		s.got = append(s.got, string(r))
		return nil
	}, func(from int) error {
		s.got = s.got[:from]
		return nil
	})
}

func (s *site) whole(n int) {
	s.t.Helper()
	if len(s.got) != n {
		s.t.Fatalf("got %d results, want %d", len(s.got), n)
	}
	for i, r := range s.got {
		if r != string(record(i)) {
			s.t.Fatalf("job %d: got %q", i, r)
		}
	}
}

// Workers come and go, one dies with its jobs in hand, and the results are those of one process, in order.
func TestWorkersComeAndGo(t *testing.T) {
	s := newSite(t, nil)
	var running sync.WaitGroup
	errs := make([]error, 3)
	for i := range errs {
		running.Go(func() {
			time.Sleep(time.Duration(i) * 30 * time.Millisecond)
			ctx := t.Context()
			if i == 2 {
				var stop context.CancelFunc
				ctx, stop = context.WithTimeout(ctx, 100*time.Millisecond)
				defer stop()
			}
			name := fmt.Sprint("w", i)
			errs[i] = Work(ctx, s.conn(name), s.worker(name, honest))
		})
	}
	running.Go(func() { // it takes a job and is never heard of again
		c := s.conn("dead")
		c.Ask(t.Context(), helloSubject+"dead", encode(hello{Version: version, Program: "flyball 1"}))
		c.Ask(t.Context(), workSubject+"dead", encode(ask{Version: version, Farm: s.co.farm}))
	})
	if err := s.do(400); err != nil {
		t.Fatal(err)
	}
	s.whole(400)
	if err := s.do(200); err != nil { // a second batch, as a search has it
		t.Fatal(err)
	}
	s.whole(600)
	s.co.Close()
	running.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("worker %d: %v", i, err)
		}
	}
	if b := s.co.Barred(); b != nil {
		t.Errorf("honest workers are barred: %v", b)
	}
}

// A worker of another revision, of another build, or with other messages is refused at the door, with the reason, and
// gets no job.
func TestAnotherRevisionIsRefused(t *testing.T) {
	s := newSite(t, func(c *Coordinating) { c.Build = "abc" })
	for want, change := range map[string]func(*Working){
		"got flyball 2, want flyball 1":   func(w *Working) { w.Program = "flyball 2" },
		"got the build def, want abc":     func(w *Working) { w.Build = "def" },
		"got the build , want abc":        func(w *Working) { w.Build = "" },
		"must be the same file":           func(w *Working) { w.Build = "x" },
		"results of two revisions do not": func(w *Working) { w.Program = "flyball" },
	} {
		w := s.worker("w", func(context.Context, int, Job) ([]byte, error) { panic("it has a job") })
		w.Build = "abc"
		change(&w)
		err := Work(t.Context(), s.conn("w"), w)
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	c := s.conn("raw")
	answer, err := c.Ask(t.Context(), helloSubject+"raw", encode(hello{Version: 2, Program: "flyball 1", Build: "abc"}))
	if err != nil || !strings.Contains(string(answer), "got version 2 of the messages, want 1") {
		t.Errorf("got %s, %v", answer, err)
	}
	// who was not welcomed gets nothing
	answer, err = c.Ask(t.Context(), workSubject+"raw", encode(ask{Version: version, Farm: s.co.farm}))
	if err != nil || !strings.Contains(string(answer), `"State":"hello"`) {
		t.Errorf("got %s, %v", answer, err)
	}
}

// A worker that computes wrongly, one whose results make no sense, and one on which everything fails are shut out by
// name, and what they did is done again.
func TestWrongWorkers(t *testing.T) {
	for want, do := range map[string]Do{
		"is false: got": func(_ context.Context, i int, _ Job) ([]byte, error) {
			return fmt.Appendf(nil, "false result of %d", i), nil
		},
		"makes no sense: no result": func(context.Context, int, Job) ([]byte, error) { return []byte("?"), nil },
		"fails there and not here: internal error: broken": func(context.Context, int, Job) ([]byte, error) {
			panic("broken")
		},
		"fails there and not here: " + tooLarge: func(context.Context, int, Job) ([]byte, error) {
			return make([]byte, 470_000), nil
		},
	} {
		s := newSite(t, nil)
		out := make(chan error, 2)
		wrong := s.conn("wrong")
		go func() { out <- Work(t.Context(), wrong, s.worker("wrong", do)) }()
		good := s.conn("good")
		go func() { out <- Work(t.Context(), good, s.worker("good", honest)) }()
		if err := s.do(300); err != nil {
			t.Fatal(err)
		}
		s.whole(300)
		s.co.Close()
		for range 2 {
			if err := <-out; err != nil && (!errors.Is(err, ErrBarred) || !strings.Contains(err.Error(), want)) {
				t.Errorf("got %v, want %q", err, want)
			}
		}
		if b := s.co.Barred(); len(b) != 1 || b[0].Name != "wrong" || !strings.Contains(b[0].Why, want) {
			t.Errorf("barred are %v, want %q", b, want)
		}
		if all := strings.Join(s.notes, "\n"); !strings.Contains(all, "worker wrong is shut out") {
			t.Errorf("notes are %s", all)
		}
	}
}

// A result that no message can carry is made by the coordinator, which says so once. It shuts no worker out.
func TestLargeResults(t *testing.T) {
	do := func(_ context.Context, i int, _ Job) ([]byte, error) {
		if i%10 != 3 {
			return record(i), nil
		}
		return append(record(i), make([]byte, mostRecord)...), nil
	}
	s := newSite(t, func(c *Coordinating) { c.Here = func(int) Do { return do } })
	out := make(chan error, 1)
	worker := s.conn("worker")
	go func() { out <- Work(t.Context(), worker, s.worker("worker", do)) }()
	if err := s.do(40); err != nil {
		t.Fatal(err)
	}
	s.co.Close()
	if err := <-out; err != nil {
		t.Error(err)
	}
	for i, r := range s.got {
		if want, _ := do(t.Context(), i, Job{}); r != string(want) {
			t.Errorf("job %d: got %d bytes, want %d", i, len(r), len(want))
		}
	}
	if b, all := s.co.Barred(), strings.Join(s.notes, "\n"); len(b) > 0 || len(s.got) != 40 ||
		strings.Count(all, tooLarge) != 1 {
		t.Errorf("barred are %v, %d results, notes are %s", b, len(s.got), all)
	}
}

// Records of an earlier process are made again in part: if one of them is false, all of them are made again.
func TestRecordsOfAnEarlierProcess(t *testing.T) {
	for _, lies := range []bool{false, true} {
		s := newSite(t, func(c *Coordinating) { c.Own = 1 })
		var kept [][]byte
		for i := range 100 {
			r := record(i)
			if lies {
				r = fmt.Appendf(nil, "false result of %d", i)
			}
			kept = append(kept, r)
		}
		if err := s.do(150, kept...); err != nil {
			t.Fatal(err)
		}
		s.whole(150)
		if b := s.co.Barred(); (len(b) == 1 && b[0].Name == Earlier) != lies {
			t.Errorf("false records: %v, barred %v", lies, b)
		}
	}
}

// A job that panics here panics where its result is waited for.
func TestPanicsHere(t *testing.T) {
	s := newSite(t, func(c *Coordinating) {
		c.Own = 2
		c.Here = func(int) Do {
			return func(_ context.Context, i int, _ Job) ([]byte, error) {
				if i == 7 {
					panic("job 7")
				}
				return record(i), nil
			}
		}
	})
	defer func() {
		if v := recover(); v != "job 7" {
			t.Errorf("got %v", v)
		}
	}()
	s.do(50)
	t.Error("it returned")
}

// No message of a stranger makes the coordinator or a worker panic, or is taken for what it is not.
func FuzzMessages(f *testing.F) {
	f.Add(encode(hello{Version: version, Program: "p"}))
	f.Add(encode(welcome{Version: version, Farm: "f", Silence: 1}))
	f.Add(encode(ask{Version: version, Farm: "f", Results: []Result{{1, []byte("result of 1"), ""},
		{Number: -1, Failed: "x"}}}))
	f.Add(encode(give{Version: version, State: stateWork, Specs: []string{"s"}, Jobs: []given{{1, 0, 2}}}))
	f.Add([]byte(`{"Version":1,"Farm":"f","Slot":4096}`))
	f.Add([]byte(`{} {}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c := &Coordinator{Coordinating: Coordinating{Config: Default(), Program: "p",
			Job:   func(i int) Job { return Job{Spec: "s"} },
			Check: func(_ int, r []byte) error { return wellFormed(r) }}, farm: "f", ledger: newLedger(Default()),
			welcomed: map[string]bool{"w": true}, told: map[string]bool{}, changed: make(chan struct{}, 1)}
		c.ledger.Add(4)
		c.hello("w", text)
		c.work("w", text)
		for {
			i, r, ok := c.ledger.Next()
			if !ok {
				break
			}
			if wellFormed(r) != nil {
				t.Fatalf("job %d: got %q", i, r)
			}
		}
		var g give
		if decode(text, &g) == nil {
			for _, j := range g.Jobs {
				_ = g.Specs[j.Spec]
			}
		}
		decode(text, new(welcome))
	})
}

// What a job costs that takes no time, with a specification of 3 KB, and what a message: broker, coordinator and eight
// workers in one process, over loopback.
func BenchmarkJobs(b *testing.B) {
	server, err := bus.Start(bus.ServerConfig{Listen: "127.0.0.1:0", Token: "x"})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	conn := func(name string) *bus.Conn {
		c, err := bus.Dial(b.Context(), bus.Config{Name: name, URL: server.URL()}, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(c.Close)
		return c
	}
	text := strings.Repeat("x = \"y\"\n", 400)
	c := Coordinating{Config: Default(), Job: func(i int) Job { return Job{Spec: fmt.Sprint(text, i)} }, Gone: true,
		Here:  func(int) Do { return func(_ context.Context, i int, _ Job) ([]byte, error) { return record(i), nil } },
		Check: func(_ int, r []byte) error { return wellFormed(r) }, Note: func(string, ...any) {}}
	co, err := Coordinate(conn("sweep"), c)
	if err != nil {
		b.Fatal(err)
	}
	var running sync.WaitGroup
	for i := range 8 {
		name := fmt.Sprint("w", i)
		running.Go(func() {
			Work(b.Context(), conn(name), Working{Name: name, Slots: 1, Note: c.Note, Here: func(int) Do {
				return func(_ context.Context, i int, _ Job) ([]byte, error) { return record(i), nil }
			}})
		})
	}
	b.ResetTimer()
	none := func(int) error { return nil }
	if err := co.Do(b.Context(), b.N, nil, func([]byte) error { return nil }, none); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	st := co.Stats()
	b.ReportMetric(float64(st.Handling.Nanoseconds())/float64(st.Messages), "ns/message")
	b.ReportMetric(float64(st.Results)/float64(st.Messages), "results/message")
	co.Close()
	running.Wait()
}
