// Package requested does the work of the commands about requests: it serves the links and addresses with which
// recipients of live runs ask for something, and shows what they have asked for. It prints nothing.
package requested

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"path/filepath"
	"time"

	"flyball/cmd/flyball/internal/kept"
	"flyball/cmd/flyball/internal/task"
	"flyball/engine/inbox"
	"flyball/internal/durable"
	"flyball/internal/input"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/realrun/dial"
	"flyball/realrun/requests"
	"flyball/realrun/wire"
)

// Serve takes requests of the recipients of live runs, until the context ends.
type Serve struct {
	Web      string   // HOST:PORT on loopback of the pages
	Mail     string   // HOST:PORT on loopback that takes mail; empty: none does
	Mailings []string // state folders of the live runs
	State    string   // folder of the form; empty: there is no form
	Name     string   // of the list, for people
	Domain   string   // of the addresses that take mail; empty: any
	Replies  []string // addresses that take replies
	Delete   []string // words in replies that ask for deletion
	Add      []string // and for addition
	Expire   vt.Span  // after the date of a mailing, after which its links have no effect

	Via        string // HOST:PORT of the mail server that takes mails of this one; empty: none are written
	Allow      string // allowlist of that server and of domains that are mailed
	From       string // of the mails
	URL        string // of the pages, as people have it
	Confirm    bool   // a request by mail is confirmed
	PerNetwork int    // mails per day that a network may ask for
	PerDay     int    // mails per day

	Begun func(web, mail string) // called when it listens; mail is empty if nothing takes it; may be nil
	Tell  func(requests.Event)   // called with what happens; may be nil
}

// check returns an error with everything in the question that makes no sense.
func (q *Serve) check() error {
	var wrong []error
	for _, l := range []struct{ flag, at, hint string }{
		{"--listen", q.Web, "let your own web server, which has a certificate, hand over what comes to the pages"},
		{"--mail", q.Mail, "let your own mail server hand over what comes to the addresses"}} {
		if l.flag == "--mail" && l.at == "" {
			continue
		}
		switch at, err := netip.ParseAddrPort(l.at); {
		case err != nil:
			wrong = append(wrong, task.Fail(task.Usage, "%s: got %q, want ADDRESS:PORT, such as 127.0.0.1:8025", l.flag,
				l.at))
		case !at.Addr().Unmap().IsLoopback():
			wrong = append(wrong, task.Fail(task.Refused, "%s: got %s, want an address on loopback: %s", l.flag, l.at,
				l.hint))
		}
	}
	if len(q.Mailings) == 0 && q.State == "" {
		wrong = append(wrong, task.Fail(task.Usage, "--mailing: got none, and no --state, want the state folders of "+
			"the live runs whose recipients may ask, or the folder of the form"))
	}
	for _, w := range []struct {
		flag  string
		words []string
	}{{"--delete", q.Delete}, {"--add", q.Add}} {
		for _, word := range w.words {
			if !inbox.Word(word) {
				wrong = append(wrong, task.Fail(task.Usage, "%s: got %q, want letters or digits", w.flag, word))
			}
		}
	}
	if q.Via == "" && (q.State != "" || q.Confirm) {
		wrong = append(wrong, task.Fail(task.Usage, "--via: got none, want the mail server that takes the mails of "+
			"the form (--state) and of --confirm"))
	}
	return errors.Join(wrong...)
}

// Do serves until ctx ends or a disk fails.
func (q *Serve) Do(ctx context.Context) error {
	if err := q.check(); err != nil {
		return err
	}
	cfg := requests.Default()
	cfg.Domain, cfg.Replies, cfg.Tell = q.Domain, q.Replies, q.Tell
	cfg.Name, cfg.Delete, cfg.Add = q.Name, q.Delete, q.Add
	cfg.Expire, cfg.Confirm, cfg.URL, cfg.From = time.Duration(q.Expire), q.Confirm, q.URL, q.From
	cfg.PerNetwork, cfg.PerDay = q.PerNetwork, q.PerDay
	if err := q.sender(&cfg); err != nil {
		return err
	}
	type mailing struct {
		dir string
		key mail.Key
	}
	var mailings []mailing
	for _, dir := range q.Mailings {
		_, key, err := kept.ReturnPaths(dir)
		if err != nil {
			return err
		}
		cfg.Jobs = append(cfg.Jobs, requests.Job{Name: filepath.Base(filepath.Clean(dir)), Key: key})
		mailings = append(mailings, mailing{dir, key})
	}
	if errs := cfg.Validate(); errs != nil {
		return task.Fail(task.Usage, "%w", errors.Join(errs...))
	}
	web, err := net.Listen("tcp", q.Web)
	if err != nil {
		return task.Fail(task.Environment, "--listen: %w", err)
	}
	defer web.Close()
	var post net.Listener
	at := ""
	if q.Mail != "" {
		if post, err = net.Listen("tcp", q.Mail); err != nil {
			return task.Fail(task.Environment, "--mail: %w", err)
		}
		defer post.Close()
		at = post.Addr().String()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	broken := make(chan error, 1+len(mailings))
	watch := func(f *requests.Folder) {
		if err := f.Failed(); err != nil {
			broken <- err
			cancel()
		}
	}
	if q.State != "" {
		if cfg.Form, err = requests.OpenForm(q.State); err != nil {
			return unopened("--state", err)
		}
		defer cfg.Form.Close()
		go watch(cfg.Form.Folder)
	}
	for i, m := range mailings {
		f, err := requests.OpenFolder(kept.Requests(m.dir), m.key, false)
		if err != nil {
			return unopened("--mailing", err)
		}
		defer f.Close()
		go watch(f)
		cfg.Jobs[i].Desk = f.Desk
	}
	s, err := requests.New(cfg)
	if err != nil {
		return task.Fail(task.Usage, "%w", err)
	}
	if q.Begun != nil {
		q.Begun(web.Addr().String(), at)
	}
	if err := s.Serve(ctx, web, post); err != nil {
		return task.Fail(task.Environment, "%w", err)
	}
	select {
	case err := <-broken:
		return task.Fail(task.Environment, "a folder of requests: %w", err)
	default:
		return nil
	}
}

// unopened gives the error of a folder that cannot be used its kind.
func unopened(flag string, err error) error {
	if errors.Is(err, durable.ErrLocked) {
		return task.Fail(task.Usage, "%s: got a folder that another server uses, want one at a time", flag)
	}
	return task.Unusable(flag, err)
}

// patience is how long the mail server that takes mails may need for each reply.
const patience = time.Minute

// sender gives the configuration a way to send mail, by a mail server that an allowlist allows.
func (q *Serve) sender(cfg *requests.Config) error {
	if q.Via == "" {
		return nil
	}
	var allow *dial.Allowlist
	if q.Allow != "" {
		text, err := input.Read(q.Allow, input.Allowlist)
		if err != nil {
			return task.Unreadable("--allow", err)
		}
		if allow, err = dial.Load(q.Allow, text); err != nil {
			return task.Error{Kind: task.Invalid, Err: err}
		}
	}
	if err := allow.CheckAddress(q.Via); errors.Is(err, dial.ErrRefused) {
		return task.Fail(task.Refused, "--via: %w", err)
	} else if err != nil {
		return task.Fail(task.Usage, "--via: %w", err)
	}
	from, err := mail.ParseAddress(q.From)
	if err != nil {
		return task.Fail(task.Usage, "--from: got %q, want the address that writes mails: %w", q.From, err)
	}
	options := &wire.Options{Name: from.Domain, Patience: func(mail.Stage) time.Duration { return patience },
		Block: patience}
	cfg.Send = func(ctx context.Context, to mail.Address, message []byte) error {
		if err := allow.CheckDomain(to.Domain); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		conn, err := allow.Dial(ctx, "tcp", q.Via)
		if err != nil {
			return err
		}
		c := wire.New(conn, options)
		defer c.Close()
		if r := c.Greet(); r != nil {
			return errors.New(c.Shown())
		}
		if r, _ := c.Send(wire.Envelope{To: to.String()}, message, func() bool { return true }); r.Code != 250 {
			return errors.New(c.Shown())
		}
		c.Leave()
		return nil
	}
	return nil
}
