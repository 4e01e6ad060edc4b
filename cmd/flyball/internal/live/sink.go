package live

import (
	"context"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/fault"
	"flyball/internal/input"
	"flyball/realrun/faulty"
)

// Sink plays a misbehaving receiver on loopback, for a client that is to be tried.
type Sink struct {
	Script   string  // file
	Port     int     // of the first host, the others have the next ones; 0: free ones
	Names    int     // port of the name server; 0: a free one
	Scale    float64 // the script's time passes so much faster than the clock's
	Sessions int     // after which it ends; 0: with ctx alone
	// Begun is called with the script, the addresses of its hosts and that of its name server, empty without one, and
	// Heard with each line of each dialogue; both may be nil. Several goroutines call Heard.
	Begun func(s *fault.Script, hosts []string, names string)
	Heard func(line string)
}

// Do plays the receiver until its sessions are over or ctx ends, and returns it.
func (q *Sink) Do(ctx context.Context) (*faulty.Receiver, error) {
	text, err := task.ReadFile("--script", q.Script, input.Fault)
	if err != nil {
		return nil, err
	}
	s, err := fault.Parse(q.Script, text)
	if err != nil {
		return nil, task.Fail(task.Invalid, "%w", err)
	}
	r, err := faulty.Listen(s, faulty.Ports{Hosts: q.Port, Names: q.Names}, q.Scale, q.Heard)
	if err != nil {
		return nil, task.Fail(task.Environment, "%w", err)
	}
	defer r.Close()
	if q.Begun != nil {
		var hosts []string
		for host := range s.Hosts {
			hosts = append(hosts, r.Addr(host+1))
		}
		q.Begun(s, hosts, r.Names())
	}
	r.Wait(ctx, q.Sessions)
	return r, nil
}
