// Package letters shows what a letter becomes for the rows of a list, and what is wrong with it, before anything is
// sent. Its questions are tasks, under the contract of package task. The commands call it, and package live for what
// a run says of its letter.
package letters

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"flyball/cmd/flyball/internal/kinds"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/durable"
	"flyball/internal/input"
	"flyball/internal/list"
	"flyball/internal/mail"
	"flyball/realrun/mailing"
	"flyball/realrun/message"
	"flyball/scenarios"
)

// Letter asks what a letter becomes for the rows of a list. Nothing is sent.
type Letter struct {
	Template string
	List     string
	FoldCase bool
	DKIM     string      // SELECTOR=FILE of the key that signs; empty: none
	From     task.Source // scenario whose destinations have variants; no Arg: none
}

// Previewed are messages of a letter.
type Previewed struct{ Messages []PreviewedMessage }

// PreviewedMessage is the message of one row.
type PreviewedMessage struct {
	Line    int // of the row
	To      mail.Address
	Message []byte
}

// PreviewedInFolder is how many messages a folder has unless its recipients are named.
const PreviewedInFolder = 10

// errEnough ends the reading of a list.
var errEnough = errors.New("enough")

// Preview renders the messages of the recipients; without any, the messages of the first rows of
// the list, at most most.
func (q *Letter) Preview(recipients []string, most int) (*Previewed, error) {
	var wanted []mail.Address
	for _, r := range recipients {
		a, err := mail.ParseAddress(r)
		if err != nil {
			return nil, task.Fail(task.Usage, "--recipient: got %q, want an address: %w", r, err)
		}
		wanted = append(wanted, a)
	}
	p := &Previewed{}
	why := map[string]string{} // of a rejected address, in lower case
	_, err := q.prove(func(_ *message.Template, proof mailing.Proof) error {
		if recipients != nil && !slices.ContainsFunc(wanted, proof.To.Like) {
			return nil
		}
		p.Messages = append(p.Messages, PreviewedMessage{proof.Line, proof.To, proof.Signed()})
		if len(p.Messages) == most || recipients != nil && len(p.Messages) == len(wanted) {
			return errEnough
		}
		return nil
	}, func(r list.Reject) error {
		if a, err := mail.ParseAddress(r.Email); err == nil && why[strings.ToLower(a.String())] == "" {
			why[strings.ToLower(a.String())] = fmt.Sprintf(": line %d is rejected: %s", r.Line, r.Reason)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, a := range wanted {
		if !slices.ContainsFunc(p.Messages, func(m PreviewedMessage) bool { return m.To.Like(a) }) {
			return nil, task.Fail(task.Invalid, "--recipient: got %s, want a recipient of %s%s", a, q.List,
				why[strings.ToLower(a.String())])
		}
	}
	if len(p.Messages) == 0 {
		return nil, task.Fail(task.Invalid, "%s: got no row that can be mailed, want one", q.List)
	}
	return p, nil
}

// Text writes the messages with the line ends of the system.
func (p *Previewed) Text(w io.Writer) error {
	for _, m := range p.Messages {
		if _, err := w.Write(bytes.ReplaceAll(m.Message, []byte("\r\n"), []byte("\n"))); err != nil {
			return err
		}
	}
	return nil
}

// Publish writes the messages to a new folder, each in a file that begins with the line of its row.
func (p *Previewed) Publish(dir string) error {
	var files []durable.File
	for _, m := range p.Messages {
		safe := strings.Map(func(r rune) rune {
			if r < 0x80 && (r == '@' || r == '.' || r == '-' || r == '+' || r >= '0' && r <= '9' || r >= 'a' &&
				r <= 'z' ||
				r >= 'A' && r <= 'Z') {
				return r
			}
			return '_'
		}, m.To.String())
		files = append(files, durable.File{Path: fmt.Sprintf("%d-%s.eml", m.Line, safe), Data: m.Message})
	}
	err := durable.Folder(dir, files, func() error {
		return task.Fail(task.Usage, "--out: %s: %w, want a new folder", task.Quote(dir), fs.ErrExist)
	})
	var own task.Error
	if err != nil && !errors.As(err, &own) {
		err = task.Error{Kind: task.Environment, Err: err}
	}
	return err
}

// Checked is what was found about a letter.
type Checked struct {
	masters []message.Master
	parts   []string // of each master
	words   []string // about the rows of the list
	doubts  []string
}

// shownRejects is how many rejected rows a check shows.
const shownRejects = 5

// Check finds what the letter becomes, and what is wrong or doubtful about it. An error says why it cannot be sent at
// all.
func (q *Letter) Check() (*Checked, error) {
	var sizes struct{ least, most, sum, leastLine, mostLine, encoded, longest int }
	var rejects []string
	var blocks map[string]int
	c := &Checked{}
	var count list.Count
	letter, err := q.prove(func(_ *message.Template, proof mailing.Proof) error {
		n := len(proof.Message)
		if sizes.sum == 0 || n < sizes.least {
			sizes.least, sizes.leastLine = n, proof.Line
		}
		if n > sizes.most {
			sizes.most, sizes.mostLine = n, proof.Line
		}
		sizes.sum += n
		if bytes.Contains(proof.Message, []byte("\r\nContent-Transfer-Encoding: quoted-printable\r\n")) {
			sizes.encoded++
		}
		for line := range bytes.Lines(proof.Message) {
			sizes.longest = max(sizes.longest, len(line)-len("\r\n"))
		}
		blocks = proof.Blocks
		count.Accepted++
		return nil
	}, func(r list.Reject) error {
		if strings.HasPrefix(r.Reason, "duplicate of ") {
			count.Duplicate++
			return nil
		}
		if count.Rejected++; count.Rejected <= shownRejects {
			rejects = append(rejects, fmt.Sprintf("  line %d: %s: %s", r.Line, r.Email, r.Reason))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.masters, c.doubts = letter.Masters(), letter.Doubts()
	for _, of := range letter.All() {
		c.parts = append(c.parts, of.Parts())
	}
	if q.List == "" {
		return c, nil
	}
	count.In = count.Accepted + count.Rejected + count.Duplicate
	if count.Accepted == 0 {
		return nil, task.Fail(task.Invalid, "%s: got no row that can be mailed, want one\n%s", q.List,
			strings.Join(rejects, "\n"))
	}
	c.words = append(c.words, fmt.Sprintf("List: %d rows = %d accepted + %d rejected + %d duplicate", count.In,
		count.Accepted, count.Rejected, count.Duplicate))
	c.words = append(c.words, rejects...)
	if more := count.Rejected - len(rejects); more > 0 {
		c.words = append(c.words, fmt.Sprintf("  and %d more rows", more))
	}
	c.words = append(c.words, fmt.Sprintf("Messages: %d bytes (line %d) to %d (line %d), in the mean %d; %d in 7 "+
		"bits, %d "+
		"encoded; no line is longer than %d bytes", sizes.least, sizes.leastLine,
		sizes.most, sizes.mostLine, sizes.sum/count.Accepted,
		count.Accepted-sizes.encoded, sizes.encoded, sizes.longest))
	const large = 10_240_000
	if sizes.most > large {
		c.doubts = append(c.doubts, fmt.Sprintf("the message of line %d has %d bytes: many receivers take no more "+
			"than %d",
			sizes.mostLine, sizes.most, large))
	}
	var unused []string
	for condition, rows := range blocks {
		if rows == 0 {
			unused = append(unused, condition+": of no row of the list")
		}
	}
	slices.Sort(unused)
	c.doubts = append(c.doubts, unused...)
	return c, nil
}

// Text writes what was found.
func (c *Checked) Text(w io.Writer) error {
	var out strings.Builder
	for i, m := range c.masters {
		fmt.Fprintf(&out, "Master for %s: %s, %d bytes, SHA-256 %s\n", cmp.Or(m.Network, "all"), c.parts[i],
			len(m.Message), m.Digest)
	}
	for _, line := range c.words {
		fmt.Fprintln(&out, line)
	}
	for _, line := range c.doubts {
		fmt.Fprintf(&out, "Doubtful: %s\n", line)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// prove calls each for the message of every row, and reject for the other rows; it returns the letter.
func (q *Letter) prove(each func(*message.Template, mailing.Proof) error, reject func(list.Reject) error) (
	*message.Template, error) {
	var s *scenarios.Scenario
	if q.From.Arg != "" {
		var err error
		if s, _, err = q.From.Load(); err != nil {
			return nil, err
		}
	}
	// The key and the date are those of no run, so that a preview is the same at any time.
	src := mailing.Source{TemplateName: q.Template, ListName: q.List, FoldCase: q.FoldCase, Date: time.Unix(0, 0)}
	var err error
	if src.Signer, err = Signer(q.DKIM); err != nil {
		return nil, err
	}
	file, err := task.Open("", q.Template, input.Template)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	files, err := input.FolderOf(q.Template)
	if err != nil {
		return nil, task.Unreadable("", err)
	}
	defer files.Close()
	src.Template, src.Files = file, files.Read
	letter, err := mailing.Letter(s, src)
	if err == nil && q.List != "" {
		var rows *task.ListFile
		if rows, err = task.OpenList("--list", q.List); err != nil {
			return nil, err
		}
		defer rows.Close()
		src.List = rows
		_, err = mailing.Prove(s, src, letter, func(p mailing.Proof) error { return each(letter, p) }, reject)
	}
	if err != nil && err != errEnough {
		err = task.Mistaken(err, q.List, kinds.List, kinds.Table)
		return nil, task.Error{Kind: task.Invalid, Err: task.Mistaken(err, q.Template, kinds.Letter,
			kinds.Table)}
	}
	return letter, nil
}

// Signer returns what signs messages by the flag --dkim; nil if it is empty.
func Signer(flag string) (*message.Signer, error) {
	if flag == "" {
		return nil, nil
	}
	selector, file, found := strings.Cut(flag, "=")
	if !found {
		return nil, task.Fail(task.Usage, "--dkim: got %q, want SELECTOR=FILE", flag)
	}
	return ReadSigner("--dkim", selector, file)
}

// ReadSigner returns what signs messages with the key in a file, which a flag or key names.
func ReadSigner(named, selector, file string) (*message.Signer, error) {
	key, err := task.ReadFile(named, file, input.Key)
	if err != nil {
		return nil, err
	}
	s, err := message.NewSigner(selector, key)
	if err != nil {
		return nil, task.Fail(task.Invalid, "%s: %w", named, err)
	}
	return s, nil
}

// MasterWords names the masters of a letter in lines of text.
func MasterWords(masters []message.Master) (lines []string) {
	for _, m := range masters {
		lines = append(lines, fmt.Sprintf("Letter: the master for %s has %d bytes, SHA-256 %s",
			cmp.Or(m.Network, "all"), len(m.Message), m.Digest))
	}
	return lines
}
