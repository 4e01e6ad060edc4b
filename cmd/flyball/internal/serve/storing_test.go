package serve

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/cmd/flyball/internal/sites"
	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	"flyball/internal/list"
	"flyball/internal/mail"
	"flyball/realrun/depot"
	"flyball/scenarios"
	"flyball/site"
	"flyball/storage"
)

const storingSite = `schema_version = 1
name = "test"
scenario = "scenario.toml"
receiver = %q

[sending]
chunk = 5
check = "100ms"
lease = "1s"

[[station]]
role = "b"
number = 1

[[station]]
role = "b"
number = 2

[[station]]
role = "storage"
listen = "127.0.0.1:0"
store = "sqlite:lists.db"

[[station]]
role = "c"
listen = "127.0.0.1:0"
domain = "returns.example"
hard = 1

[[station]]
role = "d"
listen = "127.0.0.1:0"

[[station]]
role = "a"
`

const storingScenario = `schema_version = 1
name = "two"
[governor]
law = "hold"
start = 4
[message]
size = "1KiB"
[[server]]
name = "b1"
[[server]]
name = "b2"
[[destination]]
name = "all"
domain = "all.example"
[[campaign]]
name = "news"
recipients = 1
`

// undelivered is a message that says that a mailbox does not exist.
const undelivered = "From: MAILER-DAEMON@all.example\r\nSubject: Undelivered mail\r\nMIME-Version: 1.0\r\n" +
	"Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n" +
	"--b\r\nContent-Type: text/plain\r\n\r\nNo such user.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n" +
	"Reporting-MTA: dns; all.example\r\n\r\nFinal-Recipient: rfc822; %s\r\n" +
	"Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 User unknown\r\n\r\n--b--\r\n"

// stored returns the store of a site in a folder, with the list people.
func stored(t *testing.T, dir, rows string) *storage.Store {
	t.Helper()
	store, _, err := task.OpenStore(t.Context(), "sqlite:"+filepath.Join(dir, "lists.db"), true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	if _, _, err := store.Import(t.Context(), storage.Import{Name: "people", File: strings.NewReader(rows),
		FileName: "people.csv", Reject: func(list.Reject) error { return nil }}); err != nil {
		t.Fatal(err)
	}
	return store
}

// A mailing of a stored list goes to those whom the store does not suppress (figures 5 and 6). Who leaves at the D
// server, or whose mail returns to the C server, is suppressed in the store, and gets nothing of the next mailing; the
// store has what became of each recipient, and B servers fetch the list from it once. Then no server keeps a list or
// a letter, but for B servers the list until it changes in the store.
func TestStorageServer(t *testing.T) {
	receiver, at := takesMail(t)
	dir := t.TempDir()
	write(t, dir, "scenario.toml", storingScenario)
	file := write(t, dir, "site.toml", fmt.Sprintf(storingSite, at))
	const people = 12
	who := func(i int) string { return fmt.Sprintf("r%d@all.example", i) }
	rows := "email\n"
	for i := range people {
		rows += who(i) + "\n"
	}
	store := stored(t, dir, rows)
	address := func(i int) mail.Address {
		a, err := mail.ParseAddress(who(i))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if _, err := store.Suppress(t.Context(), []list.Entry{{Address: address(3)}}); err != nil {
		t.Fatal(err)
	}
	s, err := sites.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Metrics = "127.0.0.1:0"
	p := play(t, s)
	key := mail.Key{1}
	mails := func(job int, secret mail.Key) {
		t.Helper()
		if _, err := s.Submit(sites.Submission{List: "store:people", Secret: secret}); err != nil {
			t.Fatal(err)
		}
		reported(t, dir, job)
	}
	mails(1, key)
	for i := range people {
		if n := receiver.count(who(i)); n != 1 && i != 3 || n != 0 && i == 3 {
			t.Errorf("recipient %d: got %d messages", i, n)
		}
	}

	asks(t, p.Listens("d", "listen"), key, mail.ToLeave, 0)
	until(t, "returned mail is taken", func() bool {
		return sendBack(p.Listens("c", "listen"), receiver.got[who(1)].from, fmt.Sprintf(undelivered, who(1))) == nil
	})
	until(t, "the store has who left and whose mail returned", func() bool {
		in, err := store.SuppressedIn(t.Context(), "people")
		return err == nil && in.Has(address(0)) && in.Has(address(1))
	})
	if all, err := store.Suppressed(t.Context()); err != nil || all.Has(address(0)) || !all.Has(address(1)) {
		t.Errorf("who left one list left all, or a dead address is not dead for all: %v", err)
	}

	mails(2, mail.Key{2})
	for i := range people {
		if want := map[bool]int{true: 1, false: 2}[i < 2]; receiver.count(who(i)) != want && i != 3 {
			t.Errorf("recipient %d: got %d messages, want %d", i, receiver.count(who(i)), want)
		}
	}
	until(t, "the store has the outcomes", func() bool {
		jobs, err := store.Jobs(t.Context())
		return err == nil && len(jobs) == 2 && jobs[1].State == "ended" && jobs[0].List == "people" &&
			jobs[0].Outcomes["delivered"] == people-1 && jobs[1].Outcomes["delivered"] == people-3 &&
			jobs[1].Outcomes["suppressed"] == 3
	})
	showsFigures(t, p.Process, people)
	// parts returns the numbers of lists and letters in folders of A, B and storage server.
	parts := func() (n [3]int) {
		for i, folder := range []string{"a/depot", "b1/kept", "storage/kept"} {
			all, err := os.ReadDir(filepath.Join(dir, "state", folder))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range all {
				if _, err := depot.ParseDigest(e.Name()); err == nil {
					n[i]++
				}
			}
		}
		return n
	}
	until(t, "B servers alone have the list", func() bool { return parts() == [3]int{0, 1, 0} })
	if _, err := store.Forget(t.Context(), address(5)); err != nil {
		t.Fatal(err)
	}
	until(t, "no server has the list", func() bool { return parts() == [3]int{} })
	p.end()
	d, err := depot.Open(filepath.Join(dir, "state", "storage", "depot"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	entries, err := d.Audit()
	if err != nil {
		t.Fatal(err)
	}
	had := map[string]int{}
	for _, e := range entries {
		if strings.Contains(e.What, "/parts/") {
			had[e.Who]++
		}
	}
	if had["b1"] != 1 || had["b2"] != 1 {
		t.Errorf("got %v requests for the list, want one of each B server", had)
	}
}

// Returned mail adds up over mailings where a storage server has who is at which place: the address is dead with the
// second message, of whichever mailing it is, and not with the first one that comes again, over a stop of the C server.
func TestReturnedMailOfTwoMailings(t *testing.T) {
	receiver, at := takesMail(t)
	dir := t.TempDir()
	write(t, dir, "scenario.toml", storingScenario)
	s, err := sites.Load(write(t, dir, "site.toml", strings.Replace(fmt.Sprintf(storingSite, at), "hard = 1", "", 1)),
		nil)
	if err != nil {
		t.Fatal(err)
	}
	p := play(t, s)
	store, _, err := task.OpenStore(t.Context(), "sqlite:"+filepath.Join(dir, "lists.db"), false)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	dead := func() (n int) {
		v, err := store.Suppressed(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if v.Has(mail.Address{Local: fmt.Sprintf("r%d", i), Domain: "all.example"}) {
				n |= 1 << i
			}
		}
		return n
	}
	back := func(key mail.Key, all ...int) {
		t.Helper()
		for _, r := range all {
			until(t, "returned mail is taken", func() bool {
				return returns(p.Listens("c", "listen"), key, r, 0) == nil
			})
		}
	}
	for i, list := range []string{"email\nr0@all.example\nr1@all.example\nr2@all.example\n",
		"email\nr2@all.example\nr1@all.example\nr0@all.example\n"} {
		if _, err := s.Submit(sites.Submission{List: write(t, dir, "people.csv", list),
			Secret: mail.Key{byte(i + 1)}}); err != nil {
			t.Fatal(err)
		}
		until(t, "each has the message", func() bool {
			return receiver.count("r0@all.example")+receiver.count("r1@all.example")+
				receiver.count("r2@all.example") == 3*(i+1)
		})
	}
	back(mail.Key{1}, 0, 1, 1)
	p.Kill("c")
	if err := p.Replace("c"); err != nil {
		t.Fatal(err)
	}
	back(mail.Key{2}, 2) // who has another place in this mailing
	back(mail.Key{1}, 1)
	until(t, "the address of two returned messages is dead", func() bool { return dead() == 1 })
	c, _ := s.Named("c")
	until(t, "the store has all returned mail", func() bool {
		n, err := store.Taken(t.Context(), c.Name()+" of site "+s.Name)
		return err == nil && n == 3
	})
	if got := dead(); got != 1 {
		t.Errorf("got dead recipients %b, want 1: one message came three times", got)
	}
}

// A mailing stays as it is until the storage server has its outcomes. Then its list goes; if the A server is killed
// before the role knows that, the mailing ends when the role asks again, though the storage server repeats nothing.
func TestMailingEndsOnce(t *testing.T) {
	dir := t.TempDir()
	of := &sites.Site{Config: &site.Config{}, Scenario: &scenarios.Scenario{}}
	of.Stations, of.Sending.Reports = []site.Station{{Role: site.Storage}}, filepath.Join(dir, "reports")
	begin := func() *sending {
		files, err := depot.Open(filepath.Join(dir, "depot"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { files.Close() })
		s := &sending{member: &member{in: &Process{site: of}, log: quiet()}, files: files,
			recorded: map[engine.Job]bool{}}
		if err := s.openOutbox(); err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := begin()
	keys := depot.Keys{Job: 1, Recipients: 1, Date: time.Now(), Secret: mail.Key{1}}
	_, err := s.files.Put(depot.Manifest{Keys: keys},
		&depot.Content{Name: "people.csv", From: strings.NewReader("email\nann@all.example\n")}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	given := map[engine.Job]bool{}
	for _, recorded := range []bool{false, true} {
		s.recorded[1] = recorded
		ended, err := s.end(engine.Summary{Job: 1}, given)
		if m, _ := s.files.Mailing(1); err != nil || ended != recorded || m.Ended != recorded {
			t.Errorf("recorded %v: got %v, %v, and in the depot %v", recorded, ended, err, m.Ended)
		}
	}
	s.files.Close()
	if ended, err := begin().end(engine.Summary{Job: 1}, map[engine.Job]bool{}); err != nil || !ended {
		t.Errorf("after a stop: got %v, %v", ended, err)
	}
}
