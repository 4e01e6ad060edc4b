package realrun_test

import (
	"sync"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/scenarios"
)

// traced compares the traces of a live run with its account, and with the words of its scenario.
type traced struct {
	t    *testing.T
	s    *scenarios.Scenario
	lock sync.Mutex
	ends map[mail.Reply]int // of traces, less the ends of the account
}

func ending(r *mail.Reply) mail.Reply {
	return mail.Reply{Stage: r.Stage, Code: r.Code, Fault: r.Fault, Row: r.Row}
}

func (c *traced) watch(_ vt.Time, _ mail.Attempt, r mail.Reply, _ mail.Status) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.ends[ending(&r)]--
}

func (c *traced) add(v *mail.Trace) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.ends[ending(&v.Reply)]++
	sum := vt.Span(0)
	for stage, took := range v.Stages {
		sum += took
		// Commands that went together have replies behind the one that counts.
		if took < 0 || !c.s.Dialogue.Pipelining && mail.Stage(stage) > max(v.Reply.Stage, mail.StageMAIL) && took > 0 {
			c.t.Errorf("recipient %d ended at %s and spent %v at %s", v.Rcpt, v.Reply.Stage, took, mail.Stage(stage))
		}
	}
	// A stage of the wall's time is rounded when it becomes a time of the run.
	if sum > v.Reply.Took+vt.Span(len(v.Stages))*vt.Microsecond {
		c.t.Errorf("recipient %d: stages took %v, the attempt %v: %+v", v.Rcpt, sum, v.Reply.Took, *v)
	}
	least := vt.Span(0) // what the receiver's path takes; a late reply shortens the next one
	if v.Reply.Stage == mail.StageDot && v.Conn == mail.Fresh {
		least = c.s.Destinations[v.Dest].RTT.Min
	}
	if sum < least || v.Reply.Stage > mail.StageConnect && !v.At.Addr().IsLoopback() {
		c.t.Errorf("recipient %d: stages took %v, at %v", v.Rcpt, sum, v.At)
	}
	if (len(v.Text) > 0) != (v.Reply.Code > 0) {
		c.t.Errorf("recipient %d: got text %q of %+v", v.Rcpt, v.Text, v.Reply)
	}
}

// check fails the test unless each attempt of the account has its trace.
func (c *traced) check() {
	for end, n := range c.ends {
		if n != 0 {
			c.t.Errorf("%+v: got %d more traces than attempts", end, n)
		}
	}
}
