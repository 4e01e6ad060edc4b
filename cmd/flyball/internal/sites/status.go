package sites

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"flyball/cmd/flyball/internal/reporting"
	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	"flyball/internal/durable"
	"flyball/internal/mail"
	"flyball/realrun/journal"
	"flyball/reports/format"
	"flyball/site"
)

// Status is how far the mailings of a site are, by the journal of its A server: what flyball serve status --json
// prints.
type Status struct {
	Schema        string          `json:"schema"`
	SchemaVersion int             `json:"schema_version"`
	Site          string          `json:"site"`
	Pending       []string        `json:"pending"` // mailings that the A server has not taken yet
	Mailings      []MailingStatus `json:"mailings"`
	Barred        int             `json:"barred"` // recipients who must get nothing any more
	// what response servers whose folders are on this computer have counted, by mailing
	Responses []Responses `json:"responses"`
}

// MailingStatus is how far a mailing is.
type MailingStatus struct {
	Job        engine.Job `json:"job"`
	State      string     `json:"state"` // pending, prepared, planned, closed or reported
	Recipients int        `json:"recipients"`
	Delivered  int        `json:"delivered"`
	Failed     int        `json:"failed"`
	Held       int        `json:"held"`        // who may have the message, and get it no second time
	Suppressed int        `json:"suppressed"`  // who asked for nothing while the mailing was under way
	NotAllowed int        `json:"not_allowed"` // whose look-up led to no receiver that is allowed
	Ambiguous  int        `json:"ambiguous"`   // who may have a message without a reply, and so another one
	Open       int        `json:"open"`        // who are not final
	Subsets    []Subset   `json:"subsets"`     // in the order of their plans
	// addresses to which the delivery report goes
	Notices []reporting.Notice `json:"notices"`
}

// Subset is a part of a mailing's list on its server.
type Subset struct {
	Plan       uint32 `json:"plan"`
	Server     string `json:"server"`
	Recipients int    `json:"recipients"`
	Imported   int    `json:"imported"` // outcomes
	State      string `json:"state"`    // open, finished or lost
}

// Account is what the journal of an A server has about each recipient of a mailing.
type Account struct {
	engine.Submitted
	Status    []mail.Status // by recipient
	Ambiguous []uint16      // by recipient: attempts that may have left a message beside the last one
	Point     engine.Checkpoint
	Told      bool // who asked for the mailing has its report
	subsets   []*subsetOf
	summary   engine.Summary // of a mailing that is closed
}

// subsetOf is a subset of an account.
type subsetOf struct {
	planned  engine.Planned
	imported int
	state    string
}

// Status returns how far the mailings of the site are. The A server may be running.
func (s *Site) Status() (*Status, error) {
	accounts, barred, err := s.Accounts()
	if err != nil {
		return nil, err
	}
	waiting, err := s.Waiting()
	if err != nil {
		return nil, task.Fail(task.Environment, "the queue of pending messages: %w", err)
	}
	notices, err := reporting.Read(s.Outbox())
	if err != nil {
		return nil, task.Fail(task.Environment, "the reports that are to be sent: %w", err)
	}
	out := &Status{Schema: "flyball/site-status", SchemaVersion: format.SchemaVersion, Site: s.Name,
		Pending: append([]string{}, waiting...), Mailings: []MailingStatus{}, Barred: len(barred)}
	for _, a := range accounts {
		m := a.status()
		m.Notices = append([]reporting.Notice{}, notices[a.Job]...)
		out.Mailings = append(out.Mailings, m)
	}
	out.Responses, err = s.responses()
	return out, err
}

// Accounts returns what the journal of the A server has about all mailings, and the places of the recipients who must
// get nothing any more.
func (s *Site) Accounts() (all []*Account, barred map[mail.Recipient]bool, err error) {
	v, _ := s.Named(site.A)
	had, err := journal.Read(durable.Files(v.Folder), s.JournalID(v))
	switch {
	case errors.Is(err, journal.ErrMissing), errors.Is(err, fs.ErrNotExist): // it has not run yet
		return nil, nil, nil
	case task.Damaged(err):
		return nil, nil, task.Fail(task.Invalid, "%s/%w", v.Folder, err)
	case err != nil:
		return nil, nil, task.Fail(task.Environment, "%s: %w", v.Name(), err)
	}
	barred = map[mail.Recipient]bool{}
	for _, e := range had.Entries {
		switch f := e.Fact.(type) {
		case engine.Barred:
			barred[f.Rcpt] = true
		case engine.Unbarred:
			delete(barred, f.Rcpt)
		case engine.Submitted:
			all = append(all, &Account{Submitted: f, Status: make([]mail.Status, f.Recipients),
				Ambiguous: make([]uint16, f.Recipients)})
		default:
			if i := slices.IndexFunc(all, func(a *Account) bool { return a.Job == jobOf(f) }); i >= 0 {
				all[i].add(f)
			}
		}
	}
	slices.SortFunc(all, func(a, b *Account) int { return cmp.Compare(a.Job, b.Job) })
	return all, barred, nil
}

// jobOf returns the mailing that a fact is about.
func jobOf(f engine.Fact) engine.Job {
	switch f := f.(type) {
	case engine.Reached:
		return f.Job
	case engine.Planned:
		return f.Subset.Job
	case engine.Imported:
		return f.Subset.Job
	case engine.Finished:
		return f.Subset.Job
	case engine.Closed:
		return f.Summary.Job
	case engine.Reported:
		return f.Job
	}
	return 0
}

// add takes the next fact of the mailing.
func (a *Account) add(f engine.Fact) {
	switch f := f.(type) {
	case engine.Reached:
		a.Point = max(a.Point, f.Checkpoint)
	case engine.Planned:
		a.Point = max(a.Point, engine.P450)
		if lost := a.find(f.Instead); lost != nil && lost.state == "open" && f.Subset.Number+1 == uint32(f.Of) {
			lost.state = "lost"
			a.doubt(lost.planned.Part)
		}
		a.subsets = append(a.subsets, &subsetOf{planned: f, state: "open"})
	case engine.Imported:
		v := a.find(f.Subset)
		for _, o := range engine.UnpackOutcomes(f.Outcomes) {
			a.Status[o.Rcpt-a.First] = o.Status
			if o.Ambiguous {
				a.Ambiguous[o.Rcpt-a.First]++
			}
			v.imported++
		}
	case engine.Finished:
		a.find(f.Subset).state = "finished"
	case engine.Closed:
		a.Point, a.summary = engine.P699, f.Summary
	case engine.Reported:
		a.Told = true
	}
}

// doubt counts the recipients of a lost server who are not final: they may have the message.
func (a *Account) doubt(part string) {
	for _, p := range engine.UnpackParts(part) {
		for r := p.From; r < p.To; r++ {
			if a.Status[r-a.First] == mail.Pending {
				a.Ambiguous[r-a.First]++
			}
		}
	}
}

func (a *Account) find(id engine.Subset) *subsetOf {
	for _, v := range a.subsets {
		if v.planned.Subset == id {
			return v
		}
	}
	return nil
}

// Count returns the number of recipients with a status.
func (a *Account) Count(s mail.Status) (n int) {
	for _, v := range a.Status {
		if v == s {
			n++
		}
	}
	return n
}

// Doubtful returns the number of recipients who may have a message without a reply, and so another one.
func (a *Account) Doubtful() (n int) {
	for _, v := range a.Ambiguous {
		if v > 0 {
			n++
		}
	}
	return n
}

// PerServer returns the number of recipients that each server was first given.
func (a *Account) PerServer(servers int) []int {
	all := make([]int, servers)
	for _, v := range a.subsets {
		if v.planned.Instead == (engine.Subset{}) {
			all[v.planned.Server] += count(v.planned.Part)
		}
	}
	return all
}

func count(part string) (n int) {
	for _, p := range engine.UnpackParts(part) {
		n += int(p.To - p.From)
	}
	return n
}

func (a *Account) status() MailingStatus {
	m := MailingStatus{Job: a.Job, Recipients: len(a.Status), Delivered: a.Count(mail.Done),
		Failed: a.Count(mail.Failed), Held: a.Count(mail.Held), Suppressed: a.Count(mail.Suppressed),
		NotAllowed: a.Count(mail.Unreached), Ambiguous: a.Doubtful(), Open: a.Count(mail.Pending), Subsets: []Subset{}}
	if sum := a.summary; a.Told && len(a.subsets) == 0 { // the journal has nothing else of it any more
		m.Delivered, m.Failed, m.Held, m.Suppressed = int(sum.Delivered), int(sum.Failed), int(sum.Held),
			int(sum.Suppressed)
		m.NotAllowed, m.Ambiguous, m.Open = 0, int(sum.Ambiguous), 0
	}
	switch {
	case a.Told:
		m.State = "reported"
	case a.Point == engine.P699:
		m.State = "closed"
	case a.Point >= engine.P450:
		m.State = "planned"
	case a.Point > 0:
		m.State = "prepared"
	default:
		m.State = "pending"
	}
	for _, v := range a.subsets {
		m.Subsets = append(m.Subsets, Subset{Plan: v.planned.Subset.Epoch,
			Server:     site.Station{Role: site.B, Number: int(v.planned.Server) + 1}.Name(),
			Recipients: count(v.planned.Part), Imported: v.imported, State: v.state})
	}
	return m
}

// Text writes the status for people.
func (s *Status) Text(w io.Writer, color bool) error {
	if _, err := fmt.Fprintf(w, "Site %s: %s pending, %s barred\n", s.Site,
		format.Plural(uint64(len(s.Pending)), "mailing"), format.Plural(uint64(s.Barred), "recipient")); err != nil {
		return err
	}
	all := format.Table{Caption: "Mailings:", Left: 2, Head: []string{"mailing", "state", "recipients", "delivered",
		"failed", "held", "suppressed", "not allowed", "open", "ambiguous"}}
	parts := format.Table{Caption: "Subsets:", Left: 3, Head: []string{"mailing", "server", "state", "plan",
		"recipients", "imported"}}
	told := format.Table{Caption: "Reports:", Left: 3, Words: true, Head: []string{"mailing", "to", "state", "tries",
		"why it was not sent"}}
	for _, m := range s.Mailings {
		for _, n := range m.Notices {
			told.Rows = append(told.Rows, []string{fmt.Sprint(m.Job), n.To, n.State, fmt.Sprint(n.Tries), n.Why})
		}
		row := []string{fmt.Sprint(m.Job), m.State}
		for _, n := range []int{m.Recipients, m.Delivered, m.Failed, m.Held, m.Suppressed, m.NotAllowed, m.Open,
			m.Ambiguous} {
			row = append(row, fmt.Sprint(n))
		}
		all.Rows = append(all.Rows, row)
		for _, v := range m.Subsets {
			parts.Rows = append(parts.Rows, []string{fmt.Sprint(m.Job), v.Server, v.State, fmt.Sprint(v.Plan),
				fmt.Sprint(v.Recipients), fmt.Sprint(v.Imported)})
		}
	}
	if err := all.Write(w, color); err != nil {
		return err
	}
	if err := parts.Write(w, color); err != nil {
		return err
	}
	if told.Rows != nil {
		if err := told.Write(w, color); err != nil {
			return err
		}
	}
	if len(s.Responses) == 0 {
		return nil
	}
	return s.responsesTable().Write(w, color)
}

// Summary returns the status as JSON.
func (s *Status) Summary() ([]byte, error) { return format.SortedJSON(s) }
