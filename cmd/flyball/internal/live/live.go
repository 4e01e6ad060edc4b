// Package live does what touches the network: it mails a scenario over real SMTP to Flyball's own receivers or to
// others (Run), shows beforehand what that would send (Run.Plan), lets another terminal steer a run, and plays a
// misbehaving receiver (Sink). Its questions are tasks, under the contract of package task, which has the simulated
// runs. The commands call it.
package live

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/cmd/flyball/internal/kept"
	"flyball/cmd/flyball/internal/letters"
	"flyball/cmd/flyball/internal/metrics"
	"flyball/cmd/flyball/internal/promote"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/realrun"
	"flyball/reports/folder"
	"flyball/reports/format"
	"flyball/scenarios"
	"flyball/scenarios/stated"
)

// Run asks for a run of a scenario over real SMTP on loopback.
type Run struct {
	From       task.Source
	List       string          // CSV file of recipients, or list of a store; empty: the scenario's synthetic list
	Suppress   string          // file of addresses and whole domains (*@domain) that are not mailed
	FoldCase   bool            // addresses that differ in upper and lower case only are duplicates
	Template   string          // of the message; empty: a plain one of the scenario's size
	DKIM       string          // SELECTOR=FILE of the key that signs messages; empty: they are not signed
	Promotion  promote.Records // file whose parameters are used; without a file the scenario's own are
	Receiver   string          // IP:PORT of an SMTP server that is allowed; empty: receivers that follow the model
	Resolver   string          // IP:PORT of a name server that is allowed, for receivers that are; empty: the model's
	Port       int             // of the receivers that Resolver leads to
	Outside    Outside
	Security   Security
	Canary     Canary
	Scale      float64 // how many times faster than real time; 0: the scenario's own, or 1 if receivers are foreign
	State      string  // folder that keeps the mailing; empty: none does, and a run that stops cannot go on
	Resume     bool    // go on with the mailing in State
	Ahead      int     // messages of a session whose outcomes need not be durable before the session goes on
	Metrics    string  // IP:PORT on loopback for Prometheus; empty: none
	Keep       task.KeepRecipients
	Attempts   bool // the folder has a table of all attempts
	task.Place      // by default runs/NAME-KEY, KEY from the content
}

// smtpPort is the port of SMTP between servers (RFC 5321 4.5.4.2).
const smtpPort = 25

// Default returns the question about the scenario as it is.
func Default() Run {
	return Run{Keep: task.KeepAuto, Attempts: true, Canary: defaultCanary(), Port: smtpPort, Ahead: 1}
}

// Outcome is a live run that has ended, or was stopped.
type Outcome struct {
	task.Outcome
	GoesOn    bool  // the mailing has not ended, and another run can go on with it
	Cancelled bool  // by realrun cancel
	Broken    error // why the run ended early and its folder is partial; nil if it did not
	Astray    error // set if look-ups led to no receiver that is allowed for the domain
	Books     error // set if the receivers' ledger and the sender's disagree
	Unkept    error // set if this machine was too slow to judge the scenario's expectations
	Nothing   error // set if the run tried to deliver mail and delivered none, and no expectation judges it
}

// Validate returns an error with everything in the question that makes no sense.
func (q *Run) Validate() error {
	var wrong []error
	if q.Scale != 0 && !(q.Scale >= 0.001 && q.Scale <= 10000) {
		wrong = append(wrong, BadScale(q.Scale))
	}
	wrong = append(wrong, q.Keep.Validate(), q.Outside.validate(q), q.Security.validate(q), metrics.Check(q.Metrics),
		q.Canary.validate(q))
	if q.Receiver != "" && q.Resolver != "" {
		wrong = append(wrong, task.Fail(task.Usage, "--resolver: got --receiver too, want one of them"))
	}
	if q.Resolver != "" && (q.Port < 1 || q.Port > 65535) {
		wrong = append(wrong, task.Fail(task.Usage, "--port: got %d, want 1 to 65535", q.Port))
	}
	if q.Promotion.File == "" && q.Promotion.Head != "" {
		wrong = append(wrong, task.Fail(task.Usage, "--head: got no --promotion, want the file whose last record it "+
			"names"))
	}
	if q.Resume && q.State == "" {
		wrong = append(wrong, task.Fail(task.Usage, "--resume: got no --state, want the folder of the mailing to go "+
			"on with"))
	}
	switch {
	case q.Ahead < 1 || q.Ahead > mostAhead:
		wrong = append(wrong, task.Fail(task.Usage, "--ahead: got %d, want 1 to %d", q.Ahead, mostAhead))
	case q.Ahead > 1 && q.State == "":
		wrong = append(wrong, task.Fail(task.Usage, "--ahead: got no --state, want the folder that keeps the mailing"))
	}
	for _, set := range q.From.Set {
		if q.Promotion.File != "" && (strings.HasPrefix(set, "governor") || strings.HasPrefix(set, "retry")) {
			wrong = append(wrong, task.Fail(task.Usage, "--set %s: got --promotion too, which sets the law and the "+
				"resend policy: want only one of them", set))
		}
	}
	return errors.Join(wrong...)
}

// mostAhead is the most messages of a session that may be without a durable outcome.
const mostAhead = 1000

// errCancelled is why a run ends that another terminal cancels.
var errCancelled = errors.New("cancelled")

// BadScale returns the error of a time scale out of its range.
func BadScale(got float64) error {
	return task.Fail(task.Usage, "--time-scale: got %g, want 0.001 to 10000", got)
}

// scale returns how many times faster than real time the run is. The time of a receiver that is not Flyball's passes as
// fast as the clock, whatever the scenario rehearses.
func (q *Run) scale(s *scenarios.Scenario) float64 {
	if q.foreign() {
		return cmp.Or(q.Scale, 1)
	}
	return cmp.Or(q.Scale, s.TimeScale)
}

// Do makes the run, and compares it with the receivers' ledger and, recipient by
// recipient, with a simulation of the same run. If ctx ends, the run stops and is
// marked partial. Do does not write the folder.
func (q *Run) Do(ctx context.Context, watch task.Watch) (*Outcome, error) {
	r, err := q.load()
	if err != nil {
		return nil, err
	}
	scale := q.scale(r.scenario)
	place := task.Attributes(r.scenario, "real", 0)
	if !q.Resume { // a mailing that begins has no folder yet
		if err := q.Check(place, []string{"a new mailing"}); err != nil {
			return nil, err
		}
	}
	if err := q.checkStored(); err != nil {
		return nil, err
	}
	state, err := q.openState(r.scenario)
	if err != nil {
		return nil, err
	}
	defer state.Close()
	own := state.Own()
	settings := []string{own.Name()}
	if q.Resume {
		if err := q.Check(place, settings); err != nil {
			return nil, err
		}
	}
	if err := r.goOn(state); err != nil {
		return nil, err
	}
	if err := q.prepare(r, own, state); err != nil {
		return nil, err
	}
	if err := q.open(r); err != nil {
		return nil, err
	}
	if r.sink != nil {
		defer r.sink.Close()
	}
	if r.ends.store, err = q.openStored(r.mailing); err != nil {
		return nil, err
	}
	defer r.ends.store.Close()
	s, says := r.scenario, r.says
	replay := q.replay(s)
	defer func() {
		if v := recover(); v != nil {
			panic(task.Broken{Value: v, Replay: replay, Stack: debug.Stack()})
		}
	}()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var journal bytes.Buffer
	var inputs *realrun.Journal // a mailing that is kept has a journal of its own
	if state == nil {
		inputs = realrun.NewJournal(&journal)
	}
	transport := &realrun.SMTP{Replies: s.ReplyTables(), Resolver: r.resolver, Letters: r.mailing,
		Dialogue: s.Dialogue, Security: r.security, Key: r.secret, Scale: scale, Allow: r.allow,
		Domain: r.sender(), Broken: cancel, Carries: r.lookups.carries, Paths: q.meter()}
	var refused alarms
	transport.Alarm = refused.add
	began := time.Now()
	runner, err := realrun.New(s, &r.mailing.List, scale, r.outside(transport, cancel), r.ends.watch, inputs)
	if err != nil {
		return nil, task.Error{Kind: task.Invalid, Err: err}
	}
	if f := r.back; f != nil {
		f.state, f.runner, f.stop, runner.Returns = state, runner, cancel, f.returns
	}
	keep, err := q.Keep.Keeps(q.List != "", r.mailing.List.Len())
	if err != nil {
		return nil, err
	}
	if keep {
		runner.KeepOutcomes()
	}
	if r.attempts, err = q.attempts(r); err != nil {
		return nil, err
	}
	if r.attempts != nil {
		transport.Traces, runner.Traced = true, r.attempts.Add
	}
	if state != nil {
		if err := state.Letter(r.mailing); err != nil {
			return nil, err
		}
		if err := state.Barred(r.mailing, q.Suppress); err != nil {
			return nil, err
		}
		isSuppressed, err := q.suppressed(ctx, r, cancel)
		if err != nil {
			return nil, err
		}
		if err := runner.Keep(realrun.Keeping{Journal: state.Journal, Before: state.Before.Entries, Boot: kept.Boot(),
			Late: r.mailing.Late, Ahead: q.Ahead, Broken: cancel, Suppressed: isSuppressed}); err != nil {
			return nil, task.Fail(task.Invalid, "--state: %s: %w", q.State, err)
		}
		if err := r.ends.store.begin(ctx, s.Name, own, state); err != nil {
			return nil, err
		}
		transport.Gate = runner.Gate
		says = append(says, r.ends.goOn(state)...)
		if runner.Forgot() {
			says = append(says, "What the runs before have learned was kept by another version of Flyball: the "+
				"governor begins with its first C, and suspended destinations are tried")
		}
	}
	asked := &controlled{scenario: s, record: r.back.words, runner: runner, ends: r.ends, base: runner.Began(),
		before: runner.Record().Count(mail.Done), cancel: func() { cancel(errCancelled) }}
	endControl, err := asked.serve(q.State, q.Metrics)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	left := func(t vt.Time) time.Duration {
		return time.Duration((t.Seconds()-runner.Began().Seconds())/scale*1e9) - time.Since(start)
	}
	end, stopped := runner.Run(ctx, func(p realrun.Progress) {
		watch.Out(s, p.Final, p.Total, runner.Forecast, left)
	})
	if inputs != nil {
		if err := inputs.Close(); err != nil {
			return nil, err
		}
	}
	endControl()
	unkept := state.Close()
	if r.caps != nil {
		if err := r.caps.Close(); err != nil {
			watch.Warn("%v: permits that were not used count as used", err)
		}
	}

	ended := task.Header(s, scenarios.ID(s), "real", end, stopped)
	ended.Receiver = q.receivers()
	ended.Campaigns = stated.Campaigns(s, r.mailing.List.Len())
	var late uint64
	if state != nil {
		late = runner.Suppressed()
	}
	runner.Record().Fold(ended, uint64(r.mailing.List.Len())+r.mailing.Suppressed, r.mailing.Suppressed+late)
	ended.Host = task.Host(began)
	ended.Host.Pace = r.pace(runner.Late, scale)
	more := append(r.rejects.As(task.RejectsFile), kept.Archived(r.mailing.Masters())...)
	if state != nil {
		for _, run := range runner.Runs()[1:] {
			ended.Stops = append(ended.Stops, run.At)
		}
		if late > 0 {
			says = append(says, fmt.Sprintf("Suppressed since the mailing began: %s, who got nothing",
				format.Plural(late, "recipient")))
		}
		ended.Host.Pace.Ahead = q.Ahead
		words, file := doubts(runner.Doubts(), r.mailing, ended.Servers)
		says, more = append(says, words...), append(more, file...)
	} else {
		more = append(more, folder.File{Path: "journal.txt", Data: journal.Bytes()})
	}
	books, err := r.closeBooks(!stopped && !state.Resumed())
	if err != nil {
		return nil, err
	}
	if books != nil {
		more = append(more, folder.File{Path: "rehearsal.json", Data: books.file()})
	}
	learned := runner.Learned()
	if stopped {
		learned = nil // of a part of the mailing
	}
	file, lessons := task.Learned(s, learned)
	says, more = append(says, lessons...), append(more, file...)
	out := &Outcome{Outcome: *task.NewOutcome(s, r.text, ended, replay, q.Place, settings, more), Books: books.err()}
	out.Report.Record = r.back.words()
	if books != nil {
		out.Report.Beside = books.beside
	}
	if out.Attempts = r.attempts; r.attempts != nil {
		out.Report.Stages = r.attempts.Stages(books.traced())
	}
	if f := out.Recipients; f != nil {
		f.List = &r.mailing.List
		if q.List != "" {
			f.Addresses = r.mailing.Addresses
		}
	}
	out.Words = slices.Concat(says, refused.words(s), r.mailing.Words(), letters.MasterWords(r.mailing.Masters()),
		r.lookups.words(), pathWords(transport.Paths), q.Canary.words(out.Report, r.back), r.back.tells(),
		out.Report.Pace(), books.words())
	if out.Report.TooSlow && out.Unjudged > 0 {
		out.Unkept = task.Fail(task.Undecided, "got a machine too slow for %g times real time, want one that keeps "+
			"it: no verdict on %s", scale, format.Plural(uint64(out.Unjudged), "expectation"))
	}
	if !stopped && len(s.Expect) == 0 {
		out.Nothing = r.ends.nothing()
	}
	out.Astray = r.astray(ended.Totals.Unreached)
	if broken := context.Cause(ctx); broken == errCancelled {
		out.Cancelled = true
	} else if broken != nil && broken != context.Canceled {
		out.Broken = RefusedOr(task.Environment, fmt.Errorf("the run was stopped: %w", broken))
	} else if unkept != nil {
		out.Broken = task.Fail(task.Environment, "--state: %w", unkept)
	}
	if unrecorded := r.ends.store.end(out.state(stopped), learned); out.Broken == nil {
		out.Broken = unrecorded
	}
	out.GoesOn = state != nil && (stopped || out.Broken != nil)
	return out, nil
}

// state returns in a word how a mailing is left, for who asks later.
func (o *Outcome) state(stopped bool) string {
	switch {
	case o.Cancelled:
		return "cancelled"
	case stopped || o.Broken != nil:
		return "stopped"
	}
	return "ended"
}

// replay returns the command that asks for the same, with more flags.
func (q *Run) replay(s *scenarios.Scenario, more ...string) string {
	words := q.words(q.scale(s))
	if q.Promotion.Head != "" {
		words = append(words, "--head", string(q.Promotion.Head))
	}
	return q.From.CommandLine("realrun", s.Seed, append(words, more...)...)
}

// words returns the flags that decide the content of the run folder.
func (q *Run) words(scale float64) []string {
	words := []string{"--time-scale", fmt.Sprint(scale)}
	for _, f := range []struct{ name, value string }{{"--list", q.List}, {"--suppress", q.Suppress},
		{"--template", q.Template}, {"--dkim", q.DKIM}, {"--receiver", q.Receiver}, {"--resolver", q.Resolver},
		{"--tls", q.Security.TLS}, {"--login", q.Security.Login}, {"--allow", q.Outside.Allow},
		{"--promotion", q.Promotion.File}} {
		if f.value != "" {
			words = append(words, f.name, task.Quote(f.value))
		}
	}
	if q.Resolver != "" {
		words = append(words, "--port", strconv.Itoa(q.Port))
	}
	if q.FoldCase {
		words = append(words, "--fold-case")
	}
	return slices.Concat(words, q.Canary.flagged(), q.Keep.Flags(), task.AttemptsFlag(q.Attempts, true))
}
