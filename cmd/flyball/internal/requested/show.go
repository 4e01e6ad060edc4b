package requested

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"flyball/cmd/flyball/internal/kept"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/mail"
	"flyball/realrun/requests"
	"flyball/reports/format"
)

// Show asks what recipients have asked for.
type Show struct {
	Mailings []string // state folders of live runs
	State    string   // folder of the form; empty: none
	Run      string   // folder of a run of the one mailing, which has its addresses; empty: none
}

// Shown is what recipients have asked for: what flyball request show --json prints.
type Shown struct {
	Schema        string    `json:"schema"`
	SchemaVersion int       `json:"schema_version"`
	Mailings      []Mailing `json:"mailings"`
	Added         []string  `json:"added"`   // addresses that the form added, and that have confirmed it
	Deleted       []string  `json:"deleted"` // addresses that the form deleted, and that have confirmed it

	list bool // Text is a suppression list
}

// Mailing is what the recipients of a live run have asked for.
type Mailing struct {
	Mailing string           `json:"mailing"` // name of its state folder
	Left    []mail.Recipient `json:"left"`    // places in its list of those who have left and not returned
	// their addresses, with --run
	Addresses []string `json:"addresses,omitempty"`
}

// Do reads the folders. Servers and runs may be using them.
func (q Show) Do() (*Shown, error) {
	if len(q.Mailings) == 0 && q.State == "" {
		return nil, task.Fail(task.Usage, "--mailing: got none, and no --state, want the folders that are shown")
	}
	if q.Run != "" && len(q.Mailings) != 1 {
		return nil, task.Fail(task.Usage, "--run: got %d mailings, want the one whose run it is", len(q.Mailings))
	}
	out := &Shown{Schema: "flyball/requests", SchemaVersion: format.SchemaVersion, Mailings: []Mailing{},
		Added: []string{}, Deleted: []string{}}
	for _, dir := range q.Mailings {
		_, key, err := kept.ReturnPaths(dir)
		if err != nil {
			return nil, err
		}
		gone, err := requests.ReadFolder(kept.Requests(dir), key)
		if err != nil {
			return nil, unread("--mailing", err)
		}
		m := Mailing{Mailing: filepath.Base(filepath.Clean(dir)), Left: []mail.Recipient{}}
		m.Left = append(m.Left, gone.All()...)
		if q.Run != "" {
			if m.Addresses, err = addresses(q.Run, m.Left); err != nil {
				return nil, err
			}
			out.list = true
		}
		out.Mailings = append(out.Mailings, m)
	}
	if q.State == "" {
		return out, nil
	}
	added, deleted, err := requests.Members(q.State)
	if err != nil {
		return nil, unread("--state", err)
	}
	out.Added, out.Deleted = append(out.Added, added...), append(out.Deleted, deleted...)
	return out, nil
}

// unread gives the error of a folder that cannot be read its kind.
func unread(flag string, err error) error {
	if task.Damaged(err) {
		return task.Fail(task.Invalid, "%s: %w", flag, err)
	}
	return task.Unreadable(flag, err)
}

// Text writes what was asked for, for people.
func (s *Shown) Text(w io.Writer, color bool) error {
	if s.list {
		_, err := io.WriteString(w, strings.Join(append([]string{"email"}, s.Mailings[0].Addresses...), "\n")+"\n")
		return err
	}
	t := format.Table{Head: []string{"mailing", "left", "recipients"}, Left: 1}
	for _, m := range s.Mailings {
		const most = 10
		text := fmt.Sprint(m.Left[:min(len(m.Left), most)])
		if text = text[1 : len(text)-1]; len(m.Left) > most {
			text += " ..."
		}
		t.Rows = append(t.Rows, []string{m.Mailing, fmt.Sprint(len(m.Left)), text})
	}
	if len(t.Rows) > 0 {
		if err := t.Write(w, color); err != nil {
			return err
		}
	}
	for _, list := range []struct {
		what string
		all  []string
	}{{"added", s.Added}, {"deleted", s.Deleted}} {
		for _, a := range list.all {
			if _, err := fmt.Fprintf(w, "%s %s\n", list.what, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// Summary returns what was asked for as JSON.
func (s *Shown) Summary() ([]byte, error) { return format.SortedJSON(s) }
