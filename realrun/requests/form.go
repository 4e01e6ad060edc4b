package requests

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"flyball/internal/durable"
	"flyball/internal/input"
	"flyball/internal/mail"
)

// Form keeps the requests of people who name an address, in a folder:
//
//	addresses   its key, and a line for each request
//	facts-*     the journal of its desk
//
// The recipients of its desk are the addresses, in the order in which they first asked.
type Form struct {
	*Folder
	Key mail.Key

	lock    sync.Mutex
	log     *durable.Log
	numbers map[string]mail.Recipient // by address in lower case
	names   []string                  // by number
	asked   []request                 // when it was opened
}

// request is a line of the file.
type request struct {
	At      time.Time      `json:"at"`
	Address string         `json:"address"`
	Network string         `json:"network"`
	Rcpt    mail.Recipient `json:"recipient"`
	Add     bool           `json:"add"`
}

const formHeader = "flyball requests 1"

// OpenForm opens the form in a folder, and makes the folder if it is not there. The caller must Close it.
func OpenForm(dir string) (*Form, error) {
	if err := durable.Files(dir).Make(); err != nil {
		return nil, err
	}
	name := filepath.Join(dir, "addresses")
	log, lines, err := durable.OpenLog(name, formHeader, true)
	if err != nil {
		return nil, err
	}
	f := &Form{log: log, numbers: map[string]mail.Recipient{}}
	if err := f.take(name, lines.Records); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	if f.Folder, err = OpenFolder(dir, f.Key, true); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return f, nil
}

// take takes the lines of the file, and writes the first one if there is none.
func (f *Form) take(name string, lines [][]byte) error {
	if len(lines) == 0 {
		rand.Read(f.Key[:]) // never fails
		line, err := json.Marshal(f.Key)
		return errors.Join(err, f.log.Append(line), f.log.Sync())
	}
	key, all, err := readForm(name, lines)
	for _, r := range all {
		f.know(r)
	}
	f.Key, f.asked = key, all
	return err
}

func readForm(name string, lines [][]byte) (key mail.Key, all []request, err error) {
	if err := json.Unmarshal(lines[0], &key); err != nil {
		return key, nil, fmt.Errorf("%s:2: got no key: %w", name, err)
	}
	known := map[string]bool{}
	for i, line := range lines[1:] {
		var r request
		if err := json.Unmarshal(line, &r); err != nil {
			return key, nil, fmt.Errorf("%s:%d: %w", name, i+3, err)
		}
		if n := mail.Recipient(len(known)); r.Rcpt > n || r.Rcpt == n && known[strings.ToLower(r.Address)] {
			return key, nil, fmt.Errorf("%s:%d: got recipient %d, want at most %d", name, i+3, r.Rcpt, n)
		}
		known[strings.ToLower(r.Address)] = true
		all = append(all, r)
	}
	return key, all, nil
}

func (f *Form) know(r request) {
	who := strings.ToLower(r.Address)
	if _, known := f.numbers[who]; !known {
		f.numbers[who] = r.Rcpt
		f.names = append(f.names, r.Address)
	}
}

// add keeps a request, and returns the number of its address.
func (f *Form) add(r request) (mail.Recipient, error) {
	f.lock.Lock()
	defer f.lock.Unlock()
	n, known := f.numbers[strings.ToLower(r.Address)]
	if !known {
		n = mail.Recipient(len(f.names))
	}
	r.Rcpt = n
	line, err := json.Marshal(r)
	if err == nil {
		err = errors.Join(f.log.Append(line), f.log.Sync())
	}
	if err == nil {
		f.know(r)
	}
	return n, err
}

// address returns the address of a number, if a job is the form's; else "".
func (f *Form) address(j Job, n mail.Recipient) string {
	if f == nil || j.Key != f.Key {
		return ""
	}
	f.lock.Lock()
	defer f.lock.Unlock()
	if int(n) >= len(f.names) {
		return ""
	}
	return f.names[n]
}

// Close closes the folder.
func (f *Form) Close() error { return errors.Join(f.Folder.Close(), f.log.Close()) }

// Members returns the addresses that have confirmed a request in the folder of a form, which may be in use: those that
// were added, and those that were deleted, each by the last request that was confirmed.
func Members(dir string) (added, deleted []string, err error) {
	name := filepath.Join(dir, "addresses")
	text, err := input.Read(name, input.Events)
	if err != nil {
		return nil, nil, err
	}
	lines, err := durable.ReadLog(text, name, formHeader)
	if err != nil || len(lines.Records) == 0 {
		return nil, nil, err
	}
	key, all, err := readForm(name, lines.Records)
	if err != nil {
		return nil, nil, err
	}
	now, err := standings(dir, key)
	if err != nil {
		return nil, nil, err
	}
	known := mail.Recipient(0)
	for _, r := range all {
		if r.Rcpt < known {
			continue
		}
		known = r.Rcpt + 1
		if s := now[r.Rcpt]; s.changes == 0 {
			continue
		} else if s.out {
			deleted = append(deleted, r.Address)
		} else {
			added = append(added, r.Address)
		}
	}
	return added, deleted, nil
}

// budget is what mails of a day may still be written.
type budget struct {
	lock  sync.Mutex
	day   uint32
	spent map[string]int
}

// spend takes a mail to an address, which a network asks for, out of the day's budget. It returns what the budget has
// too many of, and "" if there is room.
func (b *budget) spend(cfg *Config, at time.Time, address, network string) (why string) {
	b.lock.Lock()
	defer b.lock.Unlock()
	if d := today(at); b.spent == nil || d != b.day { // a clock may be set back: another day, and not one without end
		b.day, b.spent = d, map[string]int{}
	}
	limits := []struct {
		what string
		most int
	}{{"all", cfg.PerDay}, {"network " + network, cfg.PerNetwork}, {"address " + strings.ToLower(address),
		cfg.PerAddress}}
	for _, l := range limits {
		if l.what == "network " {
			continue // a request by mail
		}
		if b.spent[l.what] >= l.most {
			return l.what
		}
	}
	for _, l := range limits {
		b.spent[l.what]++
	}
	return ""
}

// showForm shows the form.
func (s *Server) showForm(w http.ResponseWriter, _ *http.Request) { s.ask(w, http.StatusOK, "", "") }

func (s *Server) ask(w http.ResponseWriter, code int, text, address string) {
	key := &s.cfg.Form.Key
	stamp := key.AppendTicket(nil, mail.Ticket{Purpose: mail.ToFill, Job: key.Mark(),
		Number: uint32(s.cfg.now().Unix())})
	if text == "" {
		text = "You get a mail with a link that confirms what you ask for."
	}
	answer(w, code, page{Title: "Mail of " + s.cfg.Name, Text: text, Ask: &ask{string(stamp), address}})
}

// filled returns how long ago a form was shown; false if it was not, or more than a day ago.
func (s *Server) filled(stamp string) (time.Duration, bool) {
	t, ok := mail.ParseTicket(stamp, func(mark uint32) (mail.Key, bool) {
		return s.cfg.Form.Key, mark == s.cfg.Form.Key.Mark()
	})
	took := time.Duration(s.cfg.now().Unix()-int64(t.Number)) * time.Second
	return took, ok && t.Purpose == mail.ToFill && took <= day
}

// takeForm takes a form that was filled in. The answer does not depend on the address.
func (s *Server) takeForm(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBody))
	given, bad := url.ParseQuery(string(body))
	add := given.Get("ask") == "add"
	if err != nil || bad != nil || !add && given.Get("ask") != "delete" {
		s.ask(w, http.StatusBadRequest, "Please fill in the form.", "")
		return
	}
	address, err := mail.ParseAddress(strings.TrimSpace(given.Get("address")))
	if err != nil {
		s.ask(w, http.StatusBadRequest, "Please give a mail address, such as ann@there.example.", given.Get("address"))
		return
	}
	took, ok := s.filled(given.Get("stamp"))
	if !ok || took < s.cfg.Fill {
		s.ask(w, http.StatusBadRequest, "That was too quick, or too slow, to be you. Please send it again.",
			address.String())
		return
	}
	req := request{At: s.cfg.now().UTC().Round(0), Address: address.String(), Network: network(peer(r)), Add: add}
	drop := func(why string) {
		s.cfg.tell(Event{Kind: Dropped, By: "form", Address: req.Address, Network: req.Network, Why: why})
	}
	if given.Get("website") != "" {
		drop("a field that people do not see is filled in")
	} else if !s.later(func(ctx context.Context) {
		if why := s.budget.spend(&s.cfg, req.At, req.Address, req.Network); why != "" {
			drop("more than the budget of " + why)
			return
		}
		if err := s.asks(ctx, req, address); err != nil {
			s.cfg.tell(Event{Kind: Unsent, By: "form", Address: req.Address, Why: err.Error()})
		}
	}) {
		later(w)
		return
	}
	answer(w, http.StatusOK, page{Title: "Look into your mail", Text: "If the address can get mail of " + s.cfg.Name +
		", a mail with a link is on its way to it. What you ask for counts when you have confirmed it there."})
}

// asks keeps a request of the form, and then mails the ticket that confirms it.
func (s *Server) asks(ctx context.Context, req request, to mail.Address) error {
	f := s.cfg.Form
	n, err := f.add(req)
	if err != nil {
		return err
	}
	if err := f.Ask(ctx, n, req.Add); err != nil {
		return err
	}
	purpose := byte(mail.ToQuit)
	if req.Add {
		purpose = mail.ToJoin
	}
	s.cfg.tell(Event{Kind: Asked, Rcpt: &n, By: "form", Address: req.Address, Network: req.Network})
	return s.mailTicket(ctx, Job{Key: f.Key, Desk: f.Desk}, purpose, n, to)
}

// peer returns the address of a client: that which a proxy on this computer names last, if it came by one.
func peer(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !at.Addr().Unmap().IsLoopback() {
		return at.Addr()
	}
	all := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	if a, err := netip.ParseAddr(strings.TrimSpace(all[len(all)-1])); err == nil {
		return a
	}
	return at.Addr()
}
