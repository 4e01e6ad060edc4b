package bounces

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"flyball/cmd/flyball/internal/kept"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/durable"
	"flyball/internal/returned"
	"flyball/internal/vt"
	"flyball/realrun/inbound"
	"flyball/reports/format"
)

// Serve takes the returned mail of live runs, until the context ends.
type Serve struct {
	Listen   string   // HOST:PORT on loopback
	State    string   // folder that keeps what was returned
	Mailings []string // state folders of the live runs
	Domain   string   // of the return paths; empty: any
	Hard     int
	Soft     int
	Pause    int
	Expire   vt.Span // after the date of a mailing, after which its return paths have no effect; 0: never
	Forget   vt.Span // 0: never
	Keep     vt.Span // 0: for ever

	Begun func(addr string)   // called when it listens; may be nil
	Tell  func(inbound.Event) // called with what happens, one call at a time; may be nil
	Warn  func(error)         // called with the reason when a message is not kept, and is refused; may be nil
}

// Do serves until ctx ends or the disk fails.
func (q *Serve) Do(ctx context.Context) error {
	at, err := netip.ParseAddrPort(q.Listen)
	switch {
	case err != nil:
		return task.Fail(task.Usage, "--listen: got %q, want ADDRESS:PORT, such as 127.0.0.1:2526", q.Listen)
	case !at.Addr().Unmap().IsLoopback():
		return task.Fail(task.Refused, "--listen: got %s, want an address on loopback: "+
			"let your own mail server hand over "+
			"what comes to the domain of the return paths", q.Listen)
	case q.State == "":
		return task.Fail(task.Usage, "--state: got none, want the folder that keeps what was returned")
	case len(q.Mailings) == 0:
		return task.Fail(task.Usage, "--mailing: got none, want the state folders of the live runs whose mail returns")
	}
	cfg := inbound.Default(q.State)
	cfg.Domain, cfg.Hard, cfg.Soft, cfg.Pause = q.Domain, q.Hard, q.Soft, q.Pause
	cfg.Forget, cfg.Keep = time.Duration(q.Forget), time.Duration(q.Keep)
	cfg.Tell, cfg.Warn = q.Tell, q.Warn
	for _, dir := range q.Mailings {
		date, key, err := kept.ReturnPaths(dir)
		if err != nil {
			return err
		}
		j := inbound.Job{Name: filepath.Base(filepath.Clean(dir)), Key: key}
		if q.Expire > 0 {
			j.Until = date.Add(time.Duration(q.Expire))
		}
		cfg.Jobs = append(cfg.Jobs, j)
	}
	if errs := cfg.Validate(); errs != nil {
		return task.Fail(task.Usage, "%w", errors.Join(errs...))
	}
	l, err := net.Listen("tcp", q.Listen)
	if err != nil {
		return task.Fail(task.Environment, "--listen: %w", err)
	}
	defer l.Close()
	s, err := inbound.New(cfg)
	if err != nil {
		return unopened(err)
	}
	defer s.Close()
	if q.Begun != nil {
		q.Begun(l.Addr().String())
	}
	if err := s.Serve(ctx, l); err != nil {
		return task.Fail(task.Environment, "--state: %w", err)
	}
	return nil
}

// unopened gives the error of a folder that cannot be used its kind.
func unopened(err error) error {
	if errors.Is(err, durable.ErrLocked) {
		return task.Fail(task.Usage, "--state: got a folder that another server uses, want one at a time")
	}
	return task.Unusable("--state", err)
}

// Kept is what a server for returned mail keeps: what flyball bounce show --json prints.
type Kept struct {
	Schema        string           `json:"schema"`
	SchemaVersion int              `json:"schema_version"`
	Jobs          []Job            `json:"jobs"`     // in the order of their first returned mail
	Returned      []inbound.Record `json:"returned"` // in the order in which it came
}

// Job counts the returned mail of a live run.
type Job struct {
	Job        string   `json:"job"` // name of its state folder
	Dead       int      `json:"dead"`
	Later      int      `json:"later"`
	Us         int      `json:"us"`
	Complaints int      `json:"complaints"`
	Quarantine int      `json:"quarantine"`
	Purged     []uint32 `json:"purged"` // places in the list of recipients that have had enough
	Alarms     []string `json:"alarms"` // reasons for which receivers refuse the sender
}

// Show returns what a folder keeps. The server may be running.
func Show(dir string) (*Kept, error) {
	records, err := inbound.Records(dir)
	switch {
	case task.Damaged(err):
		return nil, task.Fail(task.Invalid, "--state: %w", err)
	case err != nil:
		return nil, task.Unreadable("--state", err)
	}
	out := Kept{Schema: "flyball/returned", SchemaVersion: format.SchemaVersion, Jobs: []Job{}, Returned: records}
	for _, r := range records {
		i := slices.IndexFunc(out.Jobs, func(j Job) bool { return j.Job == r.Job })
		if i < 0 {
			out.Jobs = append(out.Jobs, Job{Job: r.Job, Purged: []uint32{}, Alarms: []string{}})
			i = len(out.Jobs) - 1
		}
		j := &out.Jobs[i]
		switch returned.Effect(r.Effect) {
		case returned.Dead:
			j.Dead++
		case returned.Later:
			j.Later++
		case returned.Us:
			if j.Us++; !slices.Contains(j.Alarms, r.Reason) {
				j.Alarms = append(j.Alarms, r.Reason)
			}
		case returned.Complaint:
			j.Complaints++
		case returned.Quarantine:
			j.Quarantine++
		}
		if r.Purged && !slices.Contains(j.Purged, r.Rcpt) {
			j.Purged = append(j.Purged, r.Rcpt)
		}
	}
	if out.Returned == nil {
		out.Returned = []inbound.Record{}
	}
	return &out, nil
}

// Text writes what is kept for people.
func (k *Kept) Text(w io.Writer, color bool) error {
	jobs := format.Table{Head: []string{"mailing", "dead", "later", "us", "complaints", "quarantine", "purged"},
		Left: 1}
	mails := format.Table{Left: 8, Head: []string{"at (UTC)", "mailing", "recipient", "effect", "reason", "status",
		"address", "file"}}
	for _, j := range k.Jobs {
		jobs.Rows = append(jobs.Rows, []string{j.Job, fmt.Sprint(j.Dead), fmt.Sprint(j.Later), fmt.Sprint(j.Us),
			fmt.Sprint(j.Complaints), fmt.Sprint(j.Quarantine), fmt.Sprint(len(j.Purged))})
	}
	for _, r := range k.Returned {
		mails.Rows = append(mails.Rows, []string{r.At.Format(time.DateTime), r.Job, fmt.Sprint(r.Rcpt), r.Effect,
			r.Reason,
			r.Status, r.Address, r.File})
	}
	if len(k.Jobs) == 0 {
		_, err := fmt.Fprintln(w, "Nothing was returned.")
		return err
	}
	if err := jobs.Write(w, color); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return mails.Write(w, color)
}

// Summary returns what is kept as JSON.
func (k *Kept) Summary() ([]byte, error) { return format.SortedJSON(k) }
