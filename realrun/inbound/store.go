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
	"flyball/internal/points"
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
	jobs    *jobs
	role    *inbox.Server
	out     engine.Outbox             // what the role wants; messages wait here until its facts are durable
	persons map[string]mail.Recipient // by job and place
	taken   map[string]bool           // files and recipients with a line
	files   map[string]string         // files with a line, by their last name
	alarms  map[string][]string       // reasons by job
	dead    map[string]int            // by job
	firsts  map[string]mail.Recipient // by job, with a carrier
	changed uint64                    // number of changes of the list
	last    vt.Time
	day     string // on which old mail was last deleted
	broken  error  // what ends the server
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
	s := &store{cfg: cfg, log: log, jobs: &jobs{domain: cfg.Domain}, persons: map[string]mail.Recipient{},
		taken: map[string]bool{}, files: map[string]string{}, alarms: map[string][]string{}, dead: map[string]int{},
		firsts: map[string]mail.Recipient{}}
	role := inbox.Default(cfg.Address)
	role.Counter = cfg.Counter
	role.Hard, role.Soft, role.Push, role.Same = cfg.Hard, cfg.Soft, 0, cfg.Same
	role.Forget = vt.Span(cfg.Forget)
	if cfg.Carrier != nil {
		role.Push = vt.Span(cfg.Push)
	}
	s.role = inbox.New(role)
	var facts []engine.Fact
	for i, line := range lines.Records {
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			log.Close()
			return nil, fmt.Errorf("%s:%d: %w", filepath.Join(cfg.Dir, "returned"), i+2, err)
		}
		if err := s.fits(r.Job, mail.Recipient(r.Person-r.Rcpt)); err != nil {
			log.Close()
			return nil, fmt.Errorf("%s:%d: %w", filepath.Join(cfg.Dir, "returned"), i+2, err)
		}
		s.last = max(s.last, vt.Time(r.At.UnixNano()))
		facts = append(facts, s.apply(r)...)
	}
	s.role.Recover(s.now(), 0, facts, &s.out)
	for _, j := range cfg.Jobs {
		err = errors.Join(err, s.add(j))
	}
	if err == nil {
		err = s.orphans()
	}
	if err != nil {
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

// now returns the time of the role, which never falls.
func (s *store) now() vt.Time {
	s.last = max(s.last, vt.Time(s.clock().UnixNano()))
	return s.last
}

// fits takes the place of a job's first recipient from a line, or from the job, and returns an error if it is another
// one than before: changes that the server made would be other people's.
func (s *store) fits(job string, first mail.Recipient) error {
	if s.cfg.Carrier == nil || job == "" {
		return nil
	}
	before, known := s.firsts[job]
	if known && before != first {
		return fmt.Errorf("job %q begins at place %d and began at place %d before: the folder is of a server without "+
			"a sending server, or of another list", job, first, before)
	}
	s.firsts[job] = first
	return nil
}

// add takes the returned mail of a job from now on.
func (s *store) add(j Job) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	if err := s.fits(j.Name, j.First); err != nil {
		return err
	}
	return s.jobs.add(j)
}

// apply takes a line over, and returns the role's facts in it.
func (s *store) apply(r Record) (facts []engine.Fact) {
	if r.By == "" {
		s.taken[r.File+" "+s.who(r.Job, r.Rcpt)] = true
		s.files[filepath.Base(r.File)] = r.File
		if r.Job == "" {
			return nil
		}
	}
	person := mail.Recipient(r.Person)
	s.persons[s.who(r.Job, r.Rcpt)] = person
	if r.Effect == string(returned.Us) && !slices.Contains(s.alarms[r.Job], r.Reason) {
		s.alarms[r.Job] = append(s.alarms[r.Job], r.Reason)
	}
	if r.Hard {
		s.dead[r.Job]++
	}
	changes := ""
	if r.Purged {
		places := r.Places
		if places == nil {
			places = []mail.Recipient{person}
		}
		var all []engine.Change
		for _, p := range places {
			all = append(all, engine.Change{Rcpt: p})
		}
		changes = engine.PackChanges(all)
		s.changed += uint64(len(all))
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
	err := durable.Files(filepath.Dir(whole)).Make()
	if err == nil {
		err = durable.Write(whole, envelope(paths, raw))
	}
	if err != nil { // nothing rests on the file yet: a full disk may have room for the next one
		if s.cfg.Warn != nil {
			s.cfg.Warn(err)
		}
		return err
	}
	points.Reached("kept")
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
		if s.cfg.Carrier != nil { // lines stay, and a person may be forgotten; the message has both while it is kept
			r.Address, r.Text = "", ""
		}
		who := s.who(r.Job, r.Rcpt)
		if s.taken[file+" "+who] {
			continue // it came again
		}
		person, known := s.persons[who]
		switch {
		case s.cfg.Carrier != nil:
			person = p.job.First + p.rcpt
		case !known:
			person = mail.Recipient(len(s.persons))
		}
		r.Person = uint32(person)
		r.Token = token(r)
		s.ask(&r)
		told = append(told, Event{Took, r})
		if r.Purged {
			told = append(told, Event{Purged, r})
		}
		if r.Effect == string(returned.Us) && !slices.Contains(s.alarms[r.Job], r.Reason) {
			told = append(told, Event{Alarm, r})
		}
		before := s.dead[r.Job]
		if s.apply(r); !s.paused(before) && s.paused(s.dead[r.Job]) {
			told = append(told, Event{Paused, r})
		}
		line, err := json.Marshal(r)
		if err == nil {
			err = s.log.Append(line)
		}
		if err != nil {
			return s.fail(err)
		}
		points.Reached("written")
	}
	if err := s.log.Sync(); err != nil {
		return s.fail(err)
	}
	points.Reached("durable")
	s.send()
	for _, e := range told {
		if s.cfg.Tell != nil {
			s.cfg.Tell(e)
		}
	}
	return nil
}

// paused reports whether a job with a number of dead addresses is to pause.
func (s *store) paused(dead int) bool { return s.cfg.Pause > 0 && dead >= s.cfg.Pause }

// standing returns what concerns a campaign.
func (s *store) standing(job string) Standing {
	s.lock.Lock()
	defer s.lock.Unlock()
	return Standing{s.dead[job], s.paused(s.dead[job]), slices.Clone(s.alarms[job])}
}

// send sends what the role wants to be sent. All facts are durable on which it rests.
func (s *store) send() {
	for _, m := range s.out.Send {
		if s.cfg.Carrier != nil {
			s.cfg.Carrier.Send(m)
		}
	}
	s.out.Clear()
}

// hear gives the role the messages of the sending server, and wakes it if it is time.
func (s *store) hear(all []engine.Message) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.broken != nil {
		return
	}
	for _, m := range all {
		has := uint64(0)
		switch b := m.Body.(type) {
		case engine.Returns:
			if err := s.takeOver(m); err != nil {
				s.fail(err)
				return
			}
			continue
		case engine.Got:
			if m.From.Role != engine.Bounces {
				has = b.UpTo
			}
		case engine.Pull:
			has = b.UpTo
		}
		if has > s.changed {
			s.fail(fmt.Errorf("%s: %v has %d changes of this server, which has made %d: it is not the folder that "+
				"these came from", s.cfg.Dir, m.From, has, s.changed))
			return
		}
		s.role.Receive(s.now(), m, &s.out)
	}
	if now := s.now(); s.role.NextWake() <= now {
		s.role.Wake(now, nil, &s.out)
	}
	s.send()
}

// ask gives the role the message, and takes its facts into the record. A delay is not the end of a message, so it does
// not count.
func (s *store) ask(r *Record) {
	m := engine.Message{To: s.cfg.Address}
	switch rcpt := mail.Recipient(r.Person); {
	case r.Effect == string(returned.Dead) || r.Effect == string(returned.Later) && r.Reason != "delayed":
		m.Body = engine.Returned{Token: r.Token, Rcpt: rcpt, Hard: r.Effect == string(returned.Dead)}
	case r.Effect == string(returned.Complaint):
		m.Body = engine.Request{Rcpt: rcpt, Token: r.Token}
	default:
		return
	}
	s.role.Receive(s.now(), m, &s.out)
	for _, f := range s.out.Write {
		s.has(r, f)
	}
	s.out.Write = s.out.Write[:0]
}

// has takes a fact into the record.
func (s *store) has(r *Record, f engine.Fact) {
	changes := ""
	switch f := f.(type) {
	case engine.Counted:
		r.Counts, r.Hard, changes = true, f.Hard, f.Changes
	case engine.Wanted:
		r.Asked, changes = true, f.Changes
	case engine.Forgot:
		r.Forgot = true
	}
	all := engine.UnpackChanges(changes)
	if r.Purged = len(all) > 0; r.Purged && s.cfg.Same != nil {
		for _, c := range all {
			r.Places = append(r.Places, c.Rcpt)
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
				if p.job = s.jobs.find(job); p.job != nil {
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
