package live

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	"flyball/engine/remote"
	"flyball/internal/durable"
	"flyball/internal/input"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/realrun"
	"flyball/realrun/control"
	"flyball/realrun/journal"
	"flyball/reports/format"
	"flyball/scenarios"
)

// Status is how far a live run is, or how far the mailing in a folder is that no run uses.
type Status struct {
	Schema        string  `json:"schema"`
	SchemaVersion int     `json:"schema_version"`
	State         string  `json:"state"` // running, paused, stopping or stopped
	Time          float64 `json:"time_s"`
	Recipients    uint64  `json:"recipients"`
	Delivered     uint64  `json:"delivered"`
	Failed        uint64  `json:"failed"`
	Suppressed    uint64  `json:"suppressed"`
	Held          uint64  `json:"held"` // after an ambiguous attempt
	Pending       uint64  `json:"pending"`
	Attempts      uint64  `json:"attempts"`
	Ambiguous     int     `json:"ambiguous_attempts"`

	// Of a run that is under way:
	Rate         float64             `json:"delivered_per_h,omitempty"` // since it began
	Waiting      int                 `json:"waiting_at_gate,omitempty"`
	Servers      []ServerStatus      `json:"servers,omitempty"`
	Destinations []DestinationStatus `json:"destinations,omitempty"`
	LastReply    string              `json:"last_reply,omitempty"`
	Record       string              `json:"record,omitempty"` // of parameters in force, in words
	Out          string              `json:"out,omitempty"`    // an estimate in words of when the mailing is out
}

// ServerStatus is a delivering server of a live run.
type ServerStatus struct {
	Name      string `json:"name"`
	Available int    `json:"available"` // C, rounded down
	Allocated int    `json:"allocated"`
}

// DestinationStatus is a destination of a live run.
type DestinationStatus struct {
	Name     string `json:"name"`
	Deferred uint64 `json:"deferred"` // attempts after which a recipient was to be resent
}

// Text returns the status in lines.
func (s *Status) Text() []string {
	final := s.Recipients - s.Pending
	share := 0.0
	if s.Recipients > 0 {
		share = 100 * float64(final) / float64(s.Recipients)
	}
	lines := []string{fmt.Sprintf("%s after %s: %d of %d recipients are final (%.1f %%): %d delivered, %d failed, "+
		"%d suppressed, %d held; %d attempts, %d ambiguous", s.State, format.Duration(s.Time), final, s.Recipients,
		share, s.Delivered, s.Failed, s.Suppressed, s.Held, s.Attempts, s.Ambiguous)}
	if s.Servers == nil {
		return lines
	}
	line := fmt.Sprintf("%.0f delivered per hour", s.Rate)
	for _, v := range s.Servers {
		line += fmt.Sprintf("; %s: C %d, %d allocated", v.Name, v.Available, v.Allocated)
	}
	lines = append(lines, line)
	var deferred []string
	for _, d := range s.Destinations {
		if d.Deferred > 0 {
			deferred = append(deferred, fmt.Sprintf("%s %d", d.Name, d.Deferred))
		}
	}
	if deferred != nil {
		lines = append(lines, "deferred: "+strings.Join(deferred, ", "))
	}
	if s.LastReply != "" {
		lines = append(lines, "last reply: "+s.LastReply)
	}
	if s.Record != "" {
		lines = append(lines, "parameters: "+s.Record)
	}
	if s.Waiting > 0 {
		lines = append(lines, "waiting at the gate: "+format.Plural(uint64(s.Waiting), "attempt"))
	}
	if s.Out != "" {
		lines = append(lines, s.Out)
	}
	return lines
}

func newStatus(state string, now vt.Time, total uint64, count [mail.Statuses]uint64) *Status {
	return &Status{Schema: "flyball/live-status", SchemaVersion: 1, State: state, Time: now.Seconds(),
		Recipients: total, Delivered: count[mail.Done], Failed: count[mail.Failed], Suppressed: count[mail.Suppressed],
		Held: count[mail.Held], Pending: count[mail.Pending]}
}

// controlled is a live run that others ask.
type controlled struct {
	scenario *scenarios.Scenario
	runner   *realrun.Runner
	ends     *ends
	base     vt.Time // when the run began
	before   uint64  // recipients delivered before
	cancel   func()
	record   func() string // words for the record in force
}

// errWhich is the answer to another request.
var errWhich = errors.New("want status, pause, resume or cancel")

// answer answers a request.
func (c *controlled) answer(request string) (any, error) {
	switch request {
	case "status":
	case "pause", "resume":
		if err := c.runner.Do(func(now vt.Time) { c.runner.Pause(now, request == "pause") }); err != nil {
			return nil, err
		}
	case "cancel":
		c.cancel()
	default:
		return nil, errWhich
	}
	return c.status()
}

func (c *controlled) status() (v *Status, err error) {
	err = c.runner.Do(func(now vt.Time) {
		s := c.runner.Status(now)
		state := "running"
		switch {
		case s.Stopping:
			state = "stopping"
		case s.Paused:
			state = "paused"
		}
		v = newStatus(state, s.Now, s.Total, s.Count)
		v.Attempts, v.Ambiguous, v.Waiting = s.Attempts, s.Ambiguous, s.Waiting
		if hours := (s.Now.Seconds() - c.base.Seconds()) / 3600; hours > 0 {
			v.Rate = float64(v.Delivered-c.before) / hours
		}
		for i, n := range s.Servers {
			v.Servers = append(v.Servers, ServerStatus{c.scenario.Servers[i].Name, n.Available, n.Allocated})
		}
		for i, n := range s.Deferred {
			v.Destinations = append(v.Destinations, DestinationStatus{c.scenario.Destinations[i].Name, n})
		}
		if last := c.ends.last; last.Code > 0 {
			v.LastReply = fmt.Sprintf("%d at %s", last.Code, last.Stage)
		} else if last.Fault != mail.NoFault {
			v.LastReply = fmt.Sprintf("%s at %s", last.Fault, last.Stage)
		}
		v.Record = c.record()
		v.Out = task.WhenOut(c.scenario.Clock(), s.Forecast)
	})
	return v, err
}

// metrics returns the status in the text format of Prometheus.
func (c *controlled) metrics(w http.ResponseWriter, _ *http.Request) {
	s, err := c.status()
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	one := func(name, kind, help string) { fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind) }
	one("flyball_recipients", "gauge", "Recipients by status.")
	for _, v := range []struct {
		status string
		n      uint64
	}{{"pending", s.Pending}, {"delivered", s.Delivered}, {"failed", s.Failed}, {"suppressed", s.Suppressed},
		{"held", s.Held}} {
		fmt.Fprintf(w, "flyball_recipients{status=%q} %d\n", v.status, v.n)
	}
	one("flyball_attempts_total", "counter", "Attempts that ended.")
	fmt.Fprintf(w, "flyball_attempts_total %d\n", s.Attempts)
	one("flyball_ambiguous_attempts_total", "counter",
		"Attempts without a reply to the final dot, of a mailing that is kept.")
	fmt.Fprintf(w, "flyball_ambiguous_attempts_total %d\n", s.Ambiguous)
	one("flyball_deferred_total", "counter", "Attempts after which a recipient was to be resent.")
	for _, d := range s.Destinations {
		fmt.Fprintf(w, "flyball_deferred_total{destination=%q} %d\n", d.Name, d.Deferred)
	}
	one("flyball_available_processes", "gauge", "C, rounded down.")
	for _, v := range s.Servers {
		fmt.Fprintf(w, "flyball_available_processes{server=%q} %d\n", v.Name, v.Available)
	}
	one("flyball_allocated_processes", "gauge", "Processes with a subset.")
	for _, v := range s.Servers {
		fmt.Fprintf(w, "flyball_allocated_processes{server=%q} %d\n", v.Name, v.Allocated)
	}
	one("flyball_paused", "gauge", "Whether all final dots are stopped.")
	fmt.Fprintf(w, "flyball_paused %d\n", map[bool]int{true: 1}[s.State == "paused"])
}

// serve answers requests until end is called: at the socket in a folder, and for metrics at an address.
func (c *controlled) serve(dir, metrics string) (end func(), err error) {
	var ends []func()
	end = func() {
		for _, f := range ends {
			f()
		}
	}
	if dir != "" {
		s, err := control.Listen(dir, c.answer)
		if err != nil {
			return nil, task.Fail(task.Environment, "--state: %w", err)
		}
		ends = append(ends, s.Close)
	}
	if metrics != "" {
		l, err := net.Listen("tcp", metrics)
		if err != nil {
			end()
			return nil, task.Fail(task.Environment, "--metrics: %w", err)
		}
		mux := http.NewServeMux()
		mux.HandleFunc("GET /metrics", c.metrics)
		server := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
		go server.Serve(l)
		ends = append(ends, func() { server.Close() })
	}
	return end, nil
}

// checkMetrics returns an error unless an address for metrics is on loopback.
func checkMetrics(at string) error {
	if at == "" {
		return nil
	}
	a, err := netip.ParseAddrPort(at)
	switch {
	case err != nil:
		return task.Fail(task.Usage, "--metrics: got %q, want IP:PORT on loopback, such as 127.0.0.1:9100", at)
	case !a.Addr().Unmap().IsLoopback():
		return task.Fail(task.Refused, "--metrics: got %s, want an address on loopback: the numbers are not for others",
			at)
	}
	return nil
}

// Control asks about the mailing in a folder, or for a change of the run that uses it.
type Control struct {
	Dir     string
	Request string // status, pause, resume or cancel
}

// Do asks the run. Without a run, the status is what the journal has.
func (q *Control) Do(context.Context) (*Status, error) {
	var s Status
	err := control.Ask(q.Dir, q.Request, &s)
	switch {
	case err == nil:
		return &s, nil
	case errors.Is(err, control.ErrNone) && q.Request == "status":
		return q.stopped()
	case errors.Is(err, control.ErrNone):
		return nil, task.Fail(task.Environment, "%s: %w: realrun --resume begins one", q.Dir, err)
	case errors.Is(err, fs.ErrNotExist):
		return nil, task.Fail(task.Usage, "%w", err)
	}
	return nil, task.Fail(task.Environment, "%s: %w", q.Dir, err)
}

// stopped returns the status of a mailing that no run uses.
func (q *Control) stopped() (*Status, error) {
	name := filepath.Join(q.Dir, "mailing")
	text, err := input.Read(name, input.Progress)
	if err != nil {
		return nil, task.Fail(task.Usage, "%w: want the folder of realrun --state", err)
	}
	head, _, _ := strings.Cut(string(text), "\n")
	sum, _ := strings.CutPrefix(head, header)
	var digest journal.ID
	if raw, err := hex.DecodeString(sum); err != nil || copy(digest[:], raw) != len(digest) || len(raw) != len(digest) {
		return nil, task.Fail(task.Invalid, "%s:1: got %q, want the header of a mailing", name, head)
	}
	lines, err := durable.ReadLog(text, name, head)
	if err != nil {
		return nil, task.Error{Kind: task.Invalid, Err: err}
	}
	mailing, err := readMailing(lines)
	if err != nil {
		return nil, task.Fail(task.Invalid, "%s%w", name, err)
	}
	c, err := journal.Read(durable.Files(q.Dir), mailing.id(digest))
	if err != nil && !errors.Is(err, journal.ErrMissing) {
		return nil, task.Fail(task.Invalid, "%s: %w", q.Dir, err)
	}
	var total uint64
	var now vt.Time
	var attempts uint64
	ambiguous := 0
	status := map[mail.Recipient]mail.Status{}
	facts := map[mail.Server][]engine.Fact{} // of each delivering server
	for _, e := range c.Entries {
		now = max(now, e.At)
		if e.Role.Role == engine.Remote {
			facts[e.Role.Server] = append(facts[e.Role.Server], e.Fact)
		}
		switch f := e.Fact.(type) {
		case engine.Submitted:
			total += uint64(f.Recipients)
		case engine.Outcome:
			attempts++
			if status[f.Rcpt] = f.Status; f.Ambiguous {
				ambiguous++
			}
		}
	}
	for _, of := range facts { // what a run that goes on finds ambiguous
		n := len(remote.Doubtful(boot(), of))
		attempts, ambiguous = attempts+uint64(n), ambiguous+n
	}
	var count [mail.Statuses]uint64
	for _, s := range status {
		count[s]++
	}
	count[mail.Pending] = total - uint64(len(status)) + count[mail.Pending]
	s := newStatus("stopped", now, cmp.Or(total, uint64(len(status))), count)
	s.Attempts, s.Ambiguous = attempts, ambiguous
	return s, nil
}
