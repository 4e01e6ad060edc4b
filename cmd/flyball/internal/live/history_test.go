package live

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"

	"flyball/cmd/flyball/internal/lists"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/mail"
)

// refusing is an SMTP server that refuses some recipients, and calls back at each.
type refusing struct {
	refused string
	at      func(to string)
}

func (r *refusing) NewSession(*smtp.Conn) (smtp.Session, error) {
	return &refusingSession{heldSession{of: &holding{}}, r}, nil
}

type refusingSession struct {
	heldSession
	by *refusing
}

func (s *refusingSession) Rcpt(to string, o *smtp.RcptOptions) error {
	s.by.at(to)
	if strings.HasPrefix(to, s.by.refused) {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	}
	return s.heldSession.Rcpt(to, o)
}

// The store has what became of each recipient, under one job whether the mailing is stopped or not, and gets what it
// has lost when the mailing goes on; of a person who is forgotten it keeps nothing.
func TestHistory(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	db := filepath.Join(dir, "lists.db")
	place := "sqlite:" + db
	in := lists.Import{Place: place + "#people", File: file("people.csv",
		"email\nann@good.example\nbob@good.example\ncid@good.example\ndan@good.example\n")}
	if _, err := in.Do(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	receiver := smtp.NewServer(&refusing{"bob@", func(to string) {
		if strings.HasPrefix(to, "cid@") {
			cancel() // the message may come all the same
		}
	}})
	go receiver.Serve(listener)
	defer receiver.Close()
	q := Default()
	q.From.Arg, q.List = file("held.toml", heldScenario), place+"#people"
	q.Receiver, q.Dir, q.Keep = listener.Addr().String(), filepath.Join(dir, "run"), task.KeepYes
	q.State = filepath.Join(dir, "state")
	history := func(want string) {
		t.Helper()
		s, _, err := task.OpenStore(t.Context(), place, false)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		jobs, err := s.Jobs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, j := range jobs {
			got += fmt.Sprintf("%d %s %s %d:", j.ID, j.Name, j.State, j.Recipients)
		}
		for _, who := range []string{"ann", "BOB", "cid", "dan"} {
			all, err := s.History(t.Context(), mail.Address{Local: who, Domain: "good.example"})
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range all {
				got += " " + who + " " + m.Outcome
			}
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	out, err := q.Do(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Write(); err != nil {
		t.Fatal(err)
	}
	const whole = "1 held ended 4: ann delivered BOB failed cid delivered dan delivered"
	s, _, err := task.OpenStore(t.Context(), place, false)
	if err != nil {
		t.Fatal(err)
	}
	if jobs, err := s.Jobs(t.Context()); err != nil || len(jobs) != 1 || jobs[0].State != "stopped" ||
		jobs[0].Outcomes["delivered"] > 2 || jobs[0].Outcomes["delivered"] < 1 || jobs[0].Digest == "" {
		t.Errorf("%+v: %v", jobs, err)
	}
	s.Close()
	q.Resume = true
	again := func() {
		t.Helper()
		out, err := q.Do(t.Context(), nil)
		if err == nil {
			err = errors.Join(out.Broken, out.Write())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	again()
	history(whole)
	again() // the mailing is over
	history(whole)
	for _, more := range []string{"", "-wal", "-shm"} {
		os.Remove(db + more)
	}
	file("lists.db", string(before))
	history("")
	again()
	history(whole)
	if _, err := lists.Forget(t.Context(), place, "dan@good.example"); err != nil {
		t.Fatal(err)
	}
	history(strings.TrimSuffix(whole, " dan delivered"))
	for _, who := range []string{"", "bob@good.example"} {
		table, err := lists.History(t.Context(), place, who)
		if err != nil || len(table.Rows) != 1 {
			t.Fatal(table, err)
		}
		row := fmt.Sprint(table.Rows[0])
		want := "ended failed "
		if who == "" {
			want = "ended 4 2 1 0 0]"
		}
		if !strings.Contains(row, want) {
			t.Errorf("got %s", row)
		}
	}
}
