package live

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"flyball/cmd/flyball/internal/status"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/realrun"
	"flyball/realrun/control"
	"flyball/scenarios"
)

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

func (c *controlled) status() (v *status.Status, err error) {
	err = c.runner.Do(func(now vt.Time) {
		s := c.runner.Status(now)
		state := "running"
		switch {
		case s.Stopping:
			state = "stopping"
		case s.Paused:
			state = "paused"
		}
		v = status.New(state, s.Now, s.Total, s.Count)
		v.Attempts, v.Ambiguous, v.Waiting = s.Attempts, s.Ambiguous, s.Waiting
		if hours := (s.Now.Seconds() - c.base.Seconds()) / 3600; hours > 0 {
			v.Rate = float64(v.Delivered-c.before) / hours
		}
		for i, n := range s.Servers {
			v.Servers = append(v.Servers, status.ServerStatus{Name: c.scenario.Servers[i].Name,
				Available: n.Available, Allocated: n.Allocated})
		}
		for i, n := range s.Deferred {
			v.Destinations = append(v.Destinations, status.DestinationStatus{Name: c.scenario.Destinations[i].Name,
				Deferred: n})
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

// metrics answers with the status in the text format of Prometheus.
func (c *controlled) metrics(w http.ResponseWriter, _ *http.Request) {
	s, err := c.status()
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	s.Metrics(w)
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
