package inbound

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"flyball/engine"
	"flyball/engine/inbox"
	"flyball/internal/durable"
	"flyball/internal/input"
	"flyball/internal/mail"
	"flyball/internal/returned"
	"flyball/internal/vt"
)

// store keeps returned mail, and what the role makes of it:
//
//	returned                 a line for each message, which the role's facts follow from
//	mail/2026-11-30/ID.eml   the messages of a day
//
// A message is written before its line, and its line before the answer. A message without a line, after a crash, is
// taken up when the server begins: its sender has no answer and sends it again, which counts once.
type store struct {
	cfg     Config
	lock    sync.Mutex
	log     *durable.Log
	role    *inbox.Server
	persons map[string]mail.Recipient // by job and place
	taken   map[string]bool           // files and recipients with a line
	files   map[string]string         // files with a line, by their last name
	alarms  map[string]bool           // by job and reason
	dead    map[string]int            // by job
	day     string                    // on which old mail was last deleted
	broken  error                     // what ends the server
}

const header = "flyball returned mail 1"

// open opens the folder, makes it if it is not there, and takes up what a crash has left.
func open(cfg Config) (*store, error) {
	if err := durable.Files(filepath.Join(cfg.Dir, "mail")).Make(); err != nil {
		return nil, err
	}
	log, lines, err := durable.OpenLog(filepath.Join(cfg.Dir, "returned"), header, true)
	if err != nil {
		return nil, err
	}
	s := &store{cfg: cfg, log: log, persons: map[string]mail.Recipient{}, taken: map[string]bool{},
		files:  map[string]string{},
		alarms: map[string]bool{}, dead: map[string]int{}}
	role := inbox.Default(engine.Address{Role: engine.Bounces})
	role.Hard, role.Soft, role.Push = cfg.Hard, cfg.Soft, 0
	role.Forget = vt.Span(cfg.Forget)
	s.role = inbox.New(role)
	var facts []engine.Fact
	for i, line := range lines.Records {
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			log.Close()
			return nil, fmt.Errorf("%s:%d: %w", filepath.Join(cfg.Dir, "returned"), i+2, err)
		}
		facts = append(facts, s.apply(r)...)
	}
	s.role.Recover(s.now(), 0, facts, &engine.Outbox{})
	if err := s.orphans(); err != nil {
		log.Close()
		return nil, err
	}
	return s, nil
}

func (s *store) close() error { return s.log.Close() }

func (s *store) clock() time.Time {
	if s.cfg.Now != nil {
		return s.cfg.Now()
	}
	return time.Now()
}

func (s *store) now() vt.Time { return vt.Time(s.clock().UnixNano()) }

// apply takes a line over, and returns the role's facts in it.
func (s *store) apply(r Record) (facts []engine.Fact) {
	s.taken[r.File+" "+s.who(r.Job, r.Rcpt)] = true
	s.files[filepath.Base(r.File)] = r.File
	if r.Job == "" {
		return nil
	}
	person := mail.Recipient(r.Person)
	s.persons[s.who(r.Job, r.Rcpt)] = person
	if r.Effect == string(returned.Us) {
		s.alarms[r.Job+" "+r.Reason] = true
	}
	if r.Hard {
		s.dead[r.Job]++
	}
	changes := ""
	if r.Purged {
		changes = engine.PackChanges([]engine.Change{{Rcpt: person}})
	}
	if r.Forgot {
		facts = append(facts, engine.Forgot{Rcpt: person})
	}
	switch {
	case r.Counts:
		facts = append(facts, engine.Counted{Token: r.Token, Rcpt: person, Hard: r.Hard, Changes: changes})
	case r.Asked:
		facts = append(facts, engine.Wanted{Rcpt: person, Token: r.Token, Changes: changes})
	}
	return facts
}

func (s *store) who(job string, rcpt uint32) string { return fmt.Sprintf("%s/%d", job, rcpt) }

// path is a return path that a job has written.
type path struct {
	job  *Job
	rcpt mail.Recipient
	try  mail.Try
}

// path returns the return path of an address, or false if no job has written it or its time is over.
func (c *Config) path(address string, now time.Time) (path, bool) {
	address = strings.ToLower(address)
	if _, domain, ok := strings.Cut(address, "@"); !ok || c.Domain != "" && !strings.EqualFold(domain, c.Domain) {
		return path{}, false
	}
	for i := range c.Jobs {
		j := &c.Jobs[i]
		if r, t, ok := j.Key.ParseVERP(address); ok {
			return path{j, r, t}, j.Until.IsZero() || now.Before(j.Until)
		}
	}
	return path{}, false
}

// take keeps a message to return paths, and lets the role count it. When it returns without an error, the message and
// what follows from it are on the disk.
func (s *store) take(paths []path, raw []byte) error {
	sum := sha256.Sum256(raw)
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.broken != nil {
		return s.broken
	}
	at := s.clock().UTC().Round(0)
	s.broken = s.expire(at)
	name := fmt.Sprintf("%x.eml", sum[:16])
	file := filepath.Join("mail", at.Format(time.DateOnly), name)
	if known := s.files[name]; known != "" { // it has come before, maybe on another day
		file = known
	}
	whole := filepath.Join(s.cfg.Dir, file)
	if err := durable.Files(filepath.Dir(whole)).Make(); err != nil {
		return s.fail(err)
	}
	if err := durable.Write(whole, envelope(paths, raw)); err != nil {
		return s.fail(err)
	}
	return s.record(paths, raw, file, at)
}

// fail ends the server: what it keeps can no longer be trusted to be on the disk.
func (s *store) fail(err error) error {
	s.broken = err
	return err
}

// returnTo is the field in which a file keeps the return paths that its message came to.
const returnTo = "X-Flyball-Return: "

// envelope returns a message with its return paths in front.
func envelope(paths []path, raw []byte) []byte {
	var b []byte
	for _, p := range paths {
		b = fmt.Appendf(b, "%s%s %d %d\n", returnTo, p.job.Name, p.rcpt, p.try)
	}
	return append(b, raw...)
}

// record writes the lines of a message that is on the disk, and tells of it.
func (s *store) record(paths []path, raw []byte, file string, at time.Time) error {
	verdict := returned.Read(raw)
	var told []Event
	for _, p := range paths {
		r := Record{At: at, File: file, Job: p.job.Name, Rcpt: uint32(p.rcpt), Try: uint16(p.try),
			Effect: string(verdict.Effect), Reason: verdict.Reason, Rule: verdict.Rule, Status: verdict.Status,
			Address: verdict.Address, Text: verdict.Text}
		who := s.who(r.Job, r.Rcpt)
		if s.taken[file+" "+who] {
			continue // it came again
		}
		person, known := s.persons[who]
		if !known {
			person = mail.Recipient(len(s.persons))
		}
		r.Person = uint32(person)
		r.Token = token(r)
		s.ask(&r)
		told = append(told, Event{Took, r})
		if r.Purged {
			told = append(told, Event{Purged, r})
		}
		if r.Effect == string(returned.Us) && !s.alarms[r.Job+" "+r.Reason] {
			told = append(told, Event{Alarm, r})
		}
		before := s.dead[r.Job]
		if s.apply(r); s.cfg.Pause > 0 && before < s.cfg.Pause && s.dead[r.Job] >= s.cfg.Pause {
			told = append(told, Event{Paused, r})
		}
		line, err := json.Marshal(r)
		if err == nil {
			err = s.log.Append(line)
		}
		if err != nil {
			return s.fail(err)
		}
	}
	if err := s.log.Sync(); err != nil {
		return s.fail(err)
	}
	for _, e := range told {
		if s.cfg.Tell != nil {
			s.cfg.Tell(e)
		}
	}
	return nil
}

// ask gives the role the message, and takes its facts into the record. A delay is not the end of a message, so it does
// not count.
func (s *store) ask(r *Record) {
	m := engine.Message{To: engine.Address{Role: engine.Bounces}}
	switch rcpt := mail.Recipient(r.Person); {
	case r.Effect == string(returned.Dead) || r.Effect == string(returned.Later) && r.Reason != "delayed":
		m.Body = engine.Returned{Token: r.Token, Rcpt: rcpt, Hard: r.Effect == string(returned.Dead)}
	case r.Effect == string(returned.Complaint):
		m.Body = engine.Request{Rcpt: rcpt, Token: r.Token}
	default:
		return
	}
	var out engine.Outbox
	s.role.Receive(s.now(), m, &out)
	for _, f := range out.Write {
		switch f := f.(type) {
		case engine.Counted:
			r.Counts, r.Hard, r.Purged = true, f.Hard, f.Changes != ""
		case engine.Wanted:
			r.Asked, r.Purged = true, f.Changes != ""
		case engine.Forgot:
			r.Forgot = true
		}
	}
}

// token returns the number of the message that came back.
func token(r Record) uint64 {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%d", r.Job, r.Rcpt, r.Try))
	return binary.BigEndian.Uint64(sum[:])
}

// orphans takes up the messages on the disk that have no line.
func (s *store) orphans() error {
	files, err := filepath.Glob(filepath.Join(s.cfg.Dir, "mail", "*", "*.eml"))
	if err != nil {
		return err
	}
	slices.Sort(files)
	for _, name := range files {
		file, err := filepath.Rel(s.cfg.Dir, name)
		if err != nil || s.files[filepath.Base(name)] != "" {
			continue
		}
		text, err := input.Read(name, input.Returned)
		if err != nil {
			return err
		}
		var paths []path
		for {
			line, rest, ok := strings.Cut(string(text), "\n")
			given, is := strings.CutPrefix(line, returnTo)
			if !ok || !is {
				break
			}
			var job string
			var p path
			if n, _ := fmt.Sscan(given, &job, &p.rcpt, &p.try); n == 3 {
				if i := slices.IndexFunc(s.cfg.Jobs, func(j Job) bool { return j.Name == job }); i >= 0 {
					p.job = &s.cfg.Jobs[i]
					paths = append(paths, p)
				}
			}
			text = []byte(rest)
		}
		if len(paths) == 0 {
			continue // of a job that this server no longer has
		}
		if err := s.record(paths, text, file, s.clock().UTC().Round(0)); err != nil {
			return err
		}
	}
	return nil
}

// expire deletes the mail of days that are to be kept no longer, once a day.
func (s *store) expire(now time.Time) error {
	today := now.Format(time.DateOnly)
	if s.cfg.Keep == 0 || s.day == today {
		return nil
	}
	s.day = today
	oldest := now.Add(-s.cfg.Keep).Format(time.DateOnly)
	days, err := os.ReadDir(filepath.Join(s.cfg.Dir, "mail"))
	for _, d := range days {
		if _, bad := time.Parse(time.DateOnly, d.Name()); bad != nil || d.Name() >= oldest {
			continue
		}
		dir := filepath.Join(s.cfg.Dir, "mail", d.Name())
		files, bad := os.ReadDir(dir)
		for _, f := range files {
			bad = errors.Join(bad, os.Remove(filepath.Join(dir, f.Name())))
		}
		err = errors.Join(err, bad, os.Remove(dir))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Records returns what a folder keeps, in the order in which it came. The server may be running.
func Records(dir string) (all []Record, err error) {
	name := filepath.Join(dir, "returned")
	text, err := input.Read(name, input.Events)
	if err != nil {
		return nil, err
	}
	lines, err := durable.ReadLog(text, name, header)
	if err != nil {
		return nil, err
	}
	for _, line := range lines.Records {
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, r)
	}
	return all, nil
}
