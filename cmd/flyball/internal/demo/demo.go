// Package demo shows the whole system of the patent application on one computer, without a file: a mailing over five B
// servers, of which one is killed without a word and replaced, with receivers on loopback, returned mail and recipients
// who ask to get nothing any more. At the end it compares the books of all of them.
package demo

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"flyball/cmd/flyball/internal/serve"
	"flyball/cmd/flyball/internal/sites"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/durable"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/netmodel"
	"flyball/realrun/dial"
	"flyball/realrun/sink"
	"flyball/scenarios"
	"flyball/site"
)

//go:embed demo.toml
var scenario []byte

//go:embed letter.txt
var letter []byte

// Demo asks for a demonstration.
type Demo struct {
	Recipients int
	Seed       uint64
	Folder     string                           // for everything; empty: one that is removed at the end
	Say        func(format string, args ...any) // what happens, for people; nil: it is not told
	Log        io.Writer                        // lines of JSON of the stations; nil: none
}

// Default returns the demonstration of [0062].
func Default() Demo { return Demo{Recipients: 200_000, Seed: 1} }

// least and most bound the number of recipients.
const least, most = 100, 5_000_000

// killed is the B server that is killed.
const killed = "b3"

// play is a demonstration under way.
type play struct {
	Demo
	scenario *scenarios.Scenario
	site     *sites.Site
	process  *serve.Process
	sink     *sink.Sink
	key      mail.Key
	people   *people
	web      *dial.Client
	letter   string // file of the letter
	began    time.Time

	lock  sync.Mutex
	first time.Time // when the first message was accepted
	took  int       // messages that were accepted
}

// Do makes the demonstration. The books are nil if ctx ends before it does.
func (d *Demo) Do(ctx context.Context) (*Books, error) {
	if d.Recipients < least || d.Recipients > most {
		return nil, task.Fail(task.Usage, "--recipients: got %d, want %d to %d", d.Recipients, least, most)
	}
	p := &play{Demo: *d, began: time.Now()}
	if p.Say == nil {
		p.Say = func(string, ...any) {}
	}
	if p.Folder == "" {
		dir, end, err := durable.Scratch()
		if err != nil {
			return nil, task.Error{Kind: task.Environment, Err: err}
		}
		defer end()
		p.Folder = dir
	}
	if err := p.prepare(); err != nil {
		return nil, err
	}
	defer p.sink.Close()
	return p.run(ctx)
}

// prepare makes the site and its receivers.
func (p *play) prepare() (err error) {
	set := []string{fmt.Sprintf("campaign[0].recipients=%d", p.Recipients), fmt.Sprintf("seed=%d", p.Seed)}
	if p.scenario, err = scenarios.Load("demo.toml", scenario, set); err != nil {
		return err
	}
	s := p.scenario
	key := rng.New(s.Seed, 0)
	for i := range p.key { // no other process can send to these receivers, and a seed repeats what it did
		p.key[i] = byte(key.At(uint64(i), 0, keyDraw)[0])
	}
	domains, problems := s.Domains()
	if problems != nil {
		return errors.Join(problems...)
	}
	network := netmodel.NewNetwork(s.Netmodel(), key).With(key, s.Ends(p.Recipients))
	list := s.List(key)
	p.people = newPeople(p, key)
	p.sink, err = sink.Open(sink.Config{Network: network, Servers: len(s.Servers), Receivers: s.Destinations,
		Recipients: p.Recipients, Scale: 1, MaxBytes: 1 << 20, Key: p.key, Reads: p.reads,
		Domain: func(r mail.Recipient) string { return s.Destinations[list.Destination(r)].Domain },
		Find:   domains.Find, Dial: (*dial.Allowlist)(nil).Dial})
	if err != nil {
		return task.Error{Kind: task.Environment, Err: err}
	}
	p.web = (*dial.Allowlist)(nil).HTTP(nil)
	p.letter = filepath.Join(p.Folder, "letter.txt")
	if err := durable.Write(p.letter, letter); err != nil {
		return task.Error{Kind: task.Environment, Err: err}
	}
	p.site = sites.Of(p.config(), s)
	p.site.Leads = p.sink
	return nil
}

// config returns the site: everything listens at free ports of loopback.
func (p *play) config() *site.Config {
	c := site.Default()
	c.Name, c.Folder = "demo", p.Folder
	c.Sending.Chunk = 0 // the list is cut at once, as in [0062]
	c.Sending.Reports = filepath.Join(p.Folder, "reports")
	c.Stations = append(c.Stations, site.Station{Role: site.A})
	for i := range p.scenario.Servers {
		c.Stations = append(c.Stations, site.Station{Role: site.B, Number: i + 1})
	}
	c.Stations = append(c.Stations, site.Station{Role: site.C, Listen: "127.0.0.1:0", Hard: 1},
		site.Station{Role: site.D, Listen: "127.0.0.1:0"})
	c.Settle("")
	return c
}

// reads tells that a message is accepted.
func (p *play) reads(r mail.Recipient) func(from string, message []byte) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.took++; p.took == 1 {
		p.first = time.Now()
	}
	return p.people.reads(r)
}

func (p *play) accepted() int {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.took
}

// run runs the site until its mailing is reported.
func (p *play) run(ctx context.Context) (*Books, error) {
	to := p.Log
	if to == nil {
		to = io.Discard
	}
	process, err := serve.Open(ctx, p.site, slog.New(slog.NewJSONHandler(to, nil)))
	if err != nil {
		return nil, err
	}
	p.process = process
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ended := make(chan error, 1)
	go func() {
		ended <- process.Run(ctx)
		stop(errors.New("the stations have ended"))
	}()
	p.Say("A site of one A server and %d B servers runs in this process; messages between them go by a broker without "+
		"a port", len(p.scenario.Servers))
	err = p.direct(ctx)
	stop(nil)
	if wrong := <-ended; wrong != nil {
		err = wrong
	}
	p.people.wait()
	if wrong := process.Close(); err == nil {
		err = wrong
	}
	if err != nil {
		return nil, err
	}
	return p.books()
}

// direct has the mailing submitted, a server killed and replaced, and waits for the report.
func (p *play) direct(ctx context.Context) error {
	early, stop := context.WithCancel(ctx)
	defer stop()
	if _, err := p.site.Submit(sites.Submission{Synthetic: true, Letter: p.letter, Secret: p.key}); err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	fell, back, asks, shown := time.Time{}, false, false, time.Now()
	report := filepath.Join(p.site.Sending.Reports, "mailing-1.json")
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		n := p.accepted()
		if n > 0 && !asks {
			asks = true
			p.people.busy.Go(func() { p.people.leaveEarly(early) })
		}
		switch {
		case fell.IsZero() && n > p.Recipients*2/5:
			fell = time.Now()
			p.process.Kill(killed)
			p.Say("%6.1f s  %s is killed without a word, after %d of %d messages", p.since(), killed, n, p.Recipients)
		case !back && !fell.IsZero() && time.Since(fell) > absent:
			back = true
			if err := p.process.Replace(killed); err != nil {
				return err
			}
			p.Say("%6.1f s  %s goes on from its journal", p.since(), killed)
		}
		if time.Since(shown) > 5*time.Second {
			shown = time.Now()
			p.Say("%6.1f s  %d of %d messages are accepted", p.since(), n, p.Recipients)
		}
		if _, err := os.Stat(report); err == nil {
			p.Say("%6.1f s  the mailing is reported", p.since())
			return nil
		}
	}
}

// absent is how long the killed server is away.
const absent = 2 * time.Second

func (p *play) since() float64 { return time.Since(p.began).Seconds() }

const (
	keyDraw rng.Purpose = iota + 200
	peopleDraw
)
