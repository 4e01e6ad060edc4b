package live

import (
	"context"
	"errors"
	"fmt"

	"flyball/cmd/flyball/internal/metrics"
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

// metrics adds the status to a text for Prometheus.
func (c *controlled) metrics(_ context.Context, t *metrics.Text) error {
	s, err := c.status()
	if err == nil {
		s.Metrics(t)
	}
	return err
}

// serve answers requests until end is called: at the socket in a folder, and for the numbers of metrics at an address.
func (c *controlled) serve(dir, numbers string) (end func(), err error) {
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
	if numbers != "" {
		l, err := metrics.Listen(numbers)
		if err != nil {
			end()
			return nil, err
		}
		ends = append(ends, metrics.Serve(l, c.metrics))
	}
	return end, nil
}
