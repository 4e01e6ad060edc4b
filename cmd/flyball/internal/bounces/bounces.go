// Package bounces does the work of the commands about returned mail: it reads files of it, holds what it reads against
// labels, and serves the return paths of live runs. It prints nothing.
package bounces

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/input"
	"flyball/internal/returned"
	"flyball/reports/format"
)

// Read asks what returned mail says.
type Read struct {
	Paths  []string // files, or folders of them
	Labels string   // file that says what each message means; empty: none
}

// Findings are what returned mail says: what flyball bounce read --json prints.
type Findings struct {
	Schema        string     `json:"schema"`
	SchemaVersion int        `json:"schema_version"`
	Files         []File     `json:"files"` // in the order of the names within each folder
	Agreement     *Agreement `json:"agreement,omitempty"`
}

// File is what the message in a file says.
type File struct {
	File      string    `json:"file"`
	Effect    string    `json:"effect"`    // of the address that outweighs the others, as below
	Address   string    `json:"address"`   // the first address with the effect; empty: the message names none
	Reason    string    `json:"reason"`    // of the effect
	Addresses []Address `json:"addresses"` // all that the message is about, in its order
}

// Address is what a message says of an address.
type Address struct {
	Address  string `json:"address"`  // empty: the message names none
	Original string `json:"original"` // before the message was forwarded, if the message tells
	Effect   string `json:"effect"`   // dead, later, us, complaint or quarantine
	Reason   string `json:"reason"`   // why the message came back
	Status   string `json:"status"`   // enhanced status (RFC 3463), or empty
	Rule     string `json:"rule"`     // that decided
	Text     string `json:"text"`     // that the rule decided by, shortened
}

// Agreement compares verdicts with labels.
type Agreement struct {
	Labels    int          `json:"labels"`    // that have an opinion about a file that was read
	Effects   []Rate       `json:"effects"`   // one for each effect
	Confusion [][]int      `json:"confusion"` // labels by effect of the label and of the verdict, as in effects
	Disagree  []Difference `json:"disagree"`
}

// Rate is how well verdicts and labels agree on an effect.
type Rate struct {
	Effect    string  `json:"effect"`
	Precision float64 `json:"precision"` // share of the verdicts with the effect that the labels agree with; 1 of none
	Verdicts  int     `json:"verdicts"`
	Recall    float64 `json:"recall"` // share of the labels with the effect that the verdicts agree with; 1 of none
	Labels    int     `json:"labels"`
}

// Difference is a label that the verdict does not agree with.
type Difference struct {
	File    string  `json:"file"`
	Label   string  `json:"label"`   // reason of the label
	Wanted  string  `json:"wanted"`  // effect of the label
	Verdict Address `json:"verdict"` // of the reader
}

// Do reads the files. It reads the labels first.
func (q Read) Do() (*Findings, error) {
	var labels map[string][]returned.Label
	if q.Labels != "" {
		text, err := task.ReadFile("--labels", q.Labels, input.Labels)
		if err != nil {
			return nil, err
		}
		all, err := returned.ReadLabels(string(text))
		if err != nil {
			return nil, task.Fail(task.Invalid, "%s: %w", q.Labels, err)
		}
		labels = map[string][]returned.Label{}
		for _, l := range all {
			labels[l.File] = append(labels[l.File], l)
		}
	}
	names, err := q.files()
	if err != nil {
		return nil, err
	}
	out := Findings{Schema: "flyball/bounces", SchemaVersion: format.SchemaVersion}
	var score returned.Score
	for _, name := range names {
		raw, err := task.ReadFile("", name, input.Returned)
		if err != nil {
			return nil, err
		}
		r := returned.Read(raw)
		f := File{File: name, Effect: string(r.Effect), Address: r.Address, Reason: r.Reason}
		for _, v := range r.All {
			f.Addresses = append(f.Addresses, addressOf(v))
		}
		out.Files = append(out.Files, f)
		score.Add(labels[filepath.Base(name)], r)
	}
	if labels != nil {
		out.Agreement = agreement(&score)
	}
	return &out, nil
}

func addressOf(v returned.Verdict) Address {
	return Address{v.Address, v.Original, string(v.Effect), v.Reason, v.Status, v.Rule, v.Text}
}

// files returns the files that the paths name. Of a folder these are its files *.eml, or, if it has none, all of it and
// of the folders new and cur in it (a maildir), but for names that begin with a full stop.
func (q Read) files() (all []string, err error) {
	for _, path := range q.Paths {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return nil, task.Unreadable("", err)
		case !info.IsDir():
			all = append(all, path)
			continue
		}
		mails, others, err := listed(path)
		for _, sub := range []string{"new", "cur"} {
			if info, bad := os.Stat(filepath.Join(path, sub)); err == nil && bad == nil && info.IsDir() {
				var m, o []string
				m, o, err = listed(filepath.Join(path, sub))
				others = append(append(others, m...), o...)
			}
		}
		switch {
		case err != nil:
			return nil, task.Unreadable("", err)
		case len(mails) > 0:
			all = append(all, mails...)
		case len(others) > 0:
			all = append(all, others...)
		default:
			return nil, task.Fail(task.Usage, "%s: got a folder without files, want returned mail", path)
		}
	}
	return all, nil
}

// listed returns the files of a folder, those of mail and the others, in the order of their names.
func listed(dir string) (mails, others []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		switch name := filepath.Join(dir, e.Name()); {
		case e.IsDir() || strings.HasPrefix(e.Name(), "."):
		case strings.EqualFold(filepath.Ext(name), ".eml"):
			mails = append(mails, name)
		default:
			others = append(others, name)
		}
	}
	return mails, others, err
}

func agreement(s *returned.Score) *Agreement {
	a := Agreement{Labels: s.Labels, Disagree: []Difference{}}
	for i, e := range returned.Effects {
		r := Rate{Effect: string(e)}
		r.Precision, r.Verdicts = s.Precision(e)
		r.Recall, r.Labels = s.Recall(e)
		a.Effects = append(a.Effects, r)
		a.Confusion = append(a.Confusion, slices.Clone(s.Confusion[i][:]))
	}
	for _, m := range s.Misses {
		a.Disagree = append(a.Disagree, Difference{m.File, m.Reason, string(m.Effect), addressOf(m.Got)})
	}
	return &a
}

// Text writes the findings for people.
func (f *Findings) Text(w io.Writer, color bool) error {
	t := format.Table{Head: []string{"file", "effect", "reason", "status", "rule", "address"}, Left: 6}
	for _, file := range f.Files {
		for _, a := range file.Addresses {
			t.Rows = append(t.Rows, []string{file.File, a.Effect, a.Reason, a.Status, a.Rule, a.Address})
		}
	}
	if err := t.Write(w, color); err != nil || f.Agreement == nil {
		return err
	}
	return f.Agreement.text(w, color)
}

func (a *Agreement) text(w io.Writer, color bool) error {
	percent := func(share float64, of int) string {
		if of == 0 {
			return "-"
		}
		return fmt.Sprintf("%.1f %%", 100*share)
	}
	rates := format.Table{Caption: fmt.Sprintf("%d labels", a.Labels), Left: 1,
		Head: []string{"effect", "precision", "verdicts", "recall", "labels"}}
	grid := format.Table{Caption: "Labels (rows) and verdicts (columns)", Head: []string{"label"}, Left: 1}
	for i, r := range a.Effects {
		rates.Rows = append(rates.Rows, []string{r.Effect, percent(r.Precision, r.Verdicts), fmt.Sprint(r.Verdicts),
			percent(r.Recall, r.Labels), fmt.Sprint(r.Labels)})
		grid.Head = append(grid.Head, r.Effect)
		row := []string{r.Effect}
		for _, n := range a.Confusion[i] {
			row = append(row, fmt.Sprint(n))
		}
		grid.Rows = append(grid.Rows, row)
	}
	miss := format.Table{Caption: "Labels that the verdict does not agree with", Left: 6,
		Head: []string{"file", "label", "wanted", "effect", "rule", "text"}}
	for _, d := range a.Disagree {
		text := d.Verdict.Text[:min(len(d.Verdict.Text), 80)]
		miss.Rows = append(miss.Rows, []string{d.File, d.Label, d.Wanted, d.Verdict.Effect, d.Verdict.Rule,
			strings.ToValidUTF8(text, "")})
	}
	for _, t := range []format.Table{rates, grid, miss} {
		var buf bytes.Buffer
		if err := t.Write(&buf, color); err != nil {
			return err
		}
		if buf.Len() > 0 {
			if _, err := fmt.Fprintf(w, "\n%s", buf.Bytes()); err != nil {
				return err
			}
		}
	}
	return nil
}

// Summary returns the findings as JSON.
func (f *Findings) Summary() ([]byte, error) { return format.SortedJSON(f) }
