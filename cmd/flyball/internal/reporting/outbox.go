package reporting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"flyball/engine"
	"flyball/engine/delivery/retry"
	"flyball/internal/durable"
	"flyball/internal/mail"
	"flyball/internal/pause"
	"flyball/internal/points"
	"flyball/realrun"
	"flyball/realrun/message"
)

// Notice is a report on its way to one address.
type Notice struct {
	To    string    `json:"to"`             // mail address, or http address on loopback
	State string    `json:"state"`          // awaited (the mailing is under way), waiting, sent or failed
	Tries int       `json:"tries"`          // number of tries that have ended
	First time.Time `json:"first,omitzero"` // when the first try began
	Next  time.Time `json:"next,omitzero"`  // when the next try begins
	Why   string    `json:"why,omitempty"`  // why the last try failed
}

// States of a notice.
const (
	awaited = "awaited"
	waiting = "waiting"
	sent    = "sent"
	failed  = "failed"
)

// record is what the folder has of a mailing, as a file.
type record struct {
	SchemaVersion int        `json:"schema_version"`
	Job           engine.Job `json:"job"`
	Token         string     `json:"token"`            // of the messages
	Report        *Report    `json:"report,omitempty"` // nil: the mailing is under way
	Notices       []Notice   `json:"notices"`
}

// changed returns a copy of the record, whose notices are its own.
func (r record) changed() record {
	r.Notices = slices.Clone(r.Notices)
	return r
}

// Outbox keeps reports in a folder until they are sent, and sends them. The fields are set before Open; then any
// goroutine may call the methods.
type Outbox struct {
	Dir     string       // folder of what is to be sent, which is made when there is something; one process has it
	Reports string       // folder of the reports' files
	Sender  string       // domain whose postmaster sends mail
	Retry   retry.Config // by which what has failed is tried again
	// Via returns what takes mail to a domain, with its look-up and its security, and what signs it; without a signer
	// it is not signed.
	Via    func(domain string) (*realrun.SMTP, *message.Signer, error)
	Permit func(context.Context) error // waits until a message may be sent; nil: at once
	Log    *slog.Logger

	lock    sync.Mutex
	records map[engine.Job]record
	more    chan struct{} // there may be something to be sent
}

// Open reads what the folder has. A folder that is not there has nothing.
func (o *Outbox) Open() (err error) {
	o.more = make(chan struct{}, 1)
	o.records, err = read(o.Dir)
	return err
}

// Read returns the notices of all mailings that a folder has, whether a process uses it or not.
func Read(dir string) (map[engine.Job][]Notice, error) {
	records, err := read(dir)
	all := map[engine.Job][]Notice{}
	for job, r := range records {
		all[job] = r.Notices
	}
	return all, err
}

// prefix begins the names of files of records.
const prefix = "mailing-"

func nameOf(job engine.Job) string { return fmt.Sprintf("%s%d.json", prefix, job) }

func read(dir string) (map[engine.Job]record, error) {
	all := map[engine.Job]record{}
	files := durable.Files(dir)
	names, err := files.Names()
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		text, err := files.Read(name)
		var r record
		if err == nil {
			err = json.Unmarshal(text, &r)
		}
		if err == nil && (r.SchemaVersion != 1 || nameOf(r.Job) != name) {
			err = fmt.Errorf("got version %d of mailing %d, want version 1 of the mailing of its name", r.SchemaVersion,
				r.Job)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
		}
		all[r.Job] = r
	}
	return all, nil
}

// keep makes a record durable. The caller has the lock.
func (o *Outbox) keep(r record) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = durable.Files(o.Dir).Make()
	}
	if err == nil {
		err = durable.Write(filepath.Join(o.Dir, nameOf(r.Job)), append(text, '\n'))
	}
	if err == nil {
		o.records[r.Job] = r
	}
	return err
}

// with returns the record with one more address, unless it has it.
func (r record) with(to string) record {
	if to != "" && !slices.ContainsFunc(r.Notices, func(n Notice) bool { return n.To == to }) {
		r = r.changed()
		r.Notices = append(r.Notices, Notice{To: to, State: awaited})
	}
	return r
}

// record returns what there is of a mailing with a key. What another mailing of the same number has left is not its.
func (o *Outbox) record(job engine.Job, key mail.Key) record {
	token := string(key.AppendToken(nil, []byte("report")))
	if r, is := o.records[job]; is && r.Token == token {
		return r
	}
	return record{SchemaVersion: 1, Job: job, Token: token}
}

// Expect keeps the addresses to which the report of a mailing with a key goes. It is durable then. It has no effect if
// there are none, or for a mailing that has some.
func (o *Outbox) Expect(job engine.Job, key mail.Key, to []string) error {
	o.lock.Lock()
	defer o.lock.Unlock()
	r := o.record(job, key)
	if len(r.Notices) > 0 || len(to) == 0 {
		return nil
	}
	for _, v := range to {
		r = r.with(v)
	}
	return o.keep(r)
}

// Give gives the report of a mailing with a key: to its file, whose path it returns, and to the addresses of the
// mailing and the one that is also named. It is durable then. A report that was given before is the one that stands.
func (o *Outbox) Give(report Report, key mail.Key, also string) (file string, err error) {
	o.lock.Lock()
	defer o.lock.Unlock()
	r := o.record(report.Job, key)
	if r.Report != nil {
		report = *r.Report
	} else if r = r.with(also).changed(); len(r.Notices) > 0 {
		r.Report = &report
		for i := range r.Notices {
			r.Notices[i].State = waiting
		}
		if err := o.keep(r); err != nil {
			return "", err
		}
		points.Reached("addressed")
	}
	if err := durable.Files(o.Reports).Make(); err != nil {
		return "", err
	}
	file = filepath.Join(o.Reports, report.FileName())
	if err := durable.Write(file, report.JSON()); err != nil {
		return "", err
	}
	select {
	case o.more <- struct{}{}:
	default:
	}
	return file, nil
}

// place is a notice of the outbox.
type place struct {
	job engine.Job
	i   int
}

// open returns the notices that wait, and the records that they are of.
func (o *Outbox) open() map[place]record {
	o.lock.Lock()
	defer o.lock.Unlock()
	all := map[place]record{}
	for job, r := range o.records {
		for i, n := range r.Notices {
			if n.State == waiting {
				all[place{job, i}] = r
			}
		}
	}
	return all
}

// Run sends what waits until ctx ends, each notice by itself: an address that does not answer holds up no other one.
func (o *Outbox) Run(ctx context.Context) error {
	var wait sync.WaitGroup
	defer wait.Wait()
	begun := map[place]bool{}
	for {
		for at, r := range o.open() {
			if !begun[at] {
				begun[at] = true
				wait.Go(func() { o.deliver(ctx, at, r) })
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-o.more:
		}
	}
}

// deliver tries to send a notice until it is sent, given up, or ctx ends.
func (o *Outbox) deliver(ctx context.Context, at place, r record) {
	n := r.Notices[at.i]
	log := o.Log.With("job", at.job, "to", n.To)
	for n.State == waiting && pause.For(ctx, time.Until(n.Next)) == nil {
		began := time.Now()
		end, why, untried := o.try(ctx, &r, at.i)
		if ctx.Err() != nil && (untried != nil || end.Class() != mail.Delivered) {
			return // a stop is not a failure: it is tried again
		}
		if untried != nil {
			n.later(o.Retry, untried, time.Now())
		} else if n.after(o.Retry, &end, why, began, time.Now()); n.State == sent {
			points.Reached("told")
		}
		err := o.note(at, r.Token, n)
		if err != nil {
			log.Error("what became of a report cannot be kept: it is sent again after a restart", "why", err)
		}
		for err != nil && pause.For(ctx, rewrite) == nil {
			err = o.note(at, r.Token, n)
		}
		switch n.State {
		case sent:
			log.Info("a report is sent", "tries", n.Tries)
		case failed:
			log.Error("a report cannot be sent", "tries", n.Tries, "why", n.Why)
		default:
			log.Warn("a report is not sent yet", "next", n.Next, "why", n.Why)
		}
	}
}

// rewrite is how long it takes until what could not be written is written again.
const rewrite = time.Second

// note makes the state of a notice durable, of a mailing with a token.
func (o *Outbox) note(at place, token string, n Notice) error {
	o.lock.Lock()
	defer o.lock.Unlock()
	r := o.records[at.job].changed()
	if r.Token != token {
		return nil // a mailing that begins anew has taken its number
	}
	r.Notices[at.i] = n
	return o.keep(r)
}

// later puts a try off that could not begin, for as long as a resend policy waits before the first resend. It does not
// count: with a permit the report is sent, however late.
func (n *Notice) later(policy retry.Config, why error, now time.Time) {
	policy = policy.Spelled()
	n.Why = why.Error()
	n.Next = now.Add(time.Duration(policy.Delay(policy.Delays, 0, &mail.Reply{Fault: mail.Drop}))).UTC().Round(
		time.Millisecond)
}

// after counts a try that has begun and ended, by a resend policy as if it were a recipient's. A message that may have
// come is sent again: its ID tells who gets it twice that it is one.
func (n *Notice) after(policy retry.Config, end *mail.Reply, why string, began, ended time.Time) {
	if n.Tries++; n.Tries == 1 {
		n.First = began.UTC().Round(time.Millisecond)
	}
	n.Next, n.Why = time.Time{}, why
	policy = policy.Spelled()
	class := end.Class()
	switch {
	case class == mail.Delivered:
		n.State, n.Why = sent, ""
		return
	case class == mail.Bounce && policy.Bounce == "fail", end.Fault == mail.NotAllowed, n.Tries > policy.Limit:
		n.State = failed
		return
	}
	delay := policy.Delay(policy.Delays, mail.Try(n.Tries-1), end)
	n.Next = ended.Add(time.Duration(delay)).UTC().Round(time.Millisecond)
	if policy.MaxAge > 0 && n.Next.Sub(n.First) > time.Duration(policy.MaxAge) {
		n.State, n.Next = failed, time.Time{}
	}
}
