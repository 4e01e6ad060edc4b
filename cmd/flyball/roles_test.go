package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/list"
	"flyball/internal/longtest"
	"flyball/internal/mail"
	"flyball/internal/testport"
	"flyball/realrun/response"
	"flyball/storage"
)

// whole watches a site with a station of each role, and two of B, C and D: what returns and who leaves or follows a
// link comes to a hybrid, the list is one of the storage server, and one governor has both B servers.
type whole struct {
	*fleet
	store     *storage.Store
	responses string // folder of the response server

	lock    sync.Mutex
	clock   int                                // number of the last birth or suppression
	born    map[string]int                     // by station
	gone    map[mail.Recipient]int             // who is suppressed in the store, since when
	known   map[mail.Recipient]map[string]bool // by which B servers: a process of each began after the suppression
	clicks  map[mail.Recipient]*click
	killed  []time.Time // the response server
	c       float64     // that the governor decided last
	decided int
}

// click is what became of a recipient's click.
type click struct {
	asked    int
	answered time.Time
}

const everyRole = `
[[station]]
role = "c"
number = 2
listen = %q
domain = "returns.example"

[[station]]
role = "d"
number = 2
listen = %q

[[station]]
role = "governor"

[[station]]
role = "response"
listen = %q

[[station]]
role = "storage"
listen = %q
store = "sqlite:lists.db"

[[station]]
role = "hybrid"
listen = %q
mail = %q
`

// rising raises C by two each interval: its target is out of reach.
const rising = `law = "patent-damped"
scope = "cluster"
start = 6
max = 20
target = "1000000000/h"
step = "explicit"
d = 2
interval = "1s"
`

// shop is where the link of the letter leads.
const shop = "https://shop.example/1"

// newWhole returns a newSite that has all roles, and starts it with its mailing.
func newWhole(t *testing.T, recipients int, takes, patience time.Duration) *whole {
	t.Helper()
	w := &whole{fleet: newSite(t, recipients, takes, patience), born: map[string]int{}, gone: map[mail.Recipient]int{},
		known: map[mail.Recipient]map[string]bool{}, clicks: map[mail.Recipient]*click{}}
	dir := filepath.Dir(w.file)
	edit(t, filepath.Join(dir, "scenario.toml"), "name = \"two\"\n", "name = \"two\"\nhorizon = \"5h\"\n",
		"law = \"hold\"\nstart = 10\n", rising)
	edit(t, filepath.Join(dir, "letter.txt"), "Subject: News\n", "Subject: News\nHTML: page.html\n"+
		"Responses: https://news.example clicks\n")
	page := fmt.Sprintf("<html><body><p>See <a href=%q>one</a>.</p></body></html>", shop)
	if err := os.WriteFile(filepath.Join(dir, "page.html"), []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	web, post := testport.Free(t), testport.Free(t)
	file, err := os.OpenFile(w.file, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = fmt.Fprintf(file, everyRole, testport.Free(t), testport.Free(t), testport.Free(t), testport.Free(t),
			web, post)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	w.ledger.returns, w.ledger.leave, w.ledger.came = post, web, w.came
	w.stations = append(w.stations, "c2", "d2", "governor", "response", "storage", "hybrid")
	w.responses = filepath.Join(dir, "state", "response")
	w.imports(filepath.Join(dir, "people.csv"))
	w.submit = []string{"serve", "submit", w.file, "--list", "store:people", "--letter", filepath.Join(dir,
		"letter.txt")}
	w.watch = w.sees
	w.fleet.gone = func(r mail.Recipient) bool {
		w.lock.Lock()
		defer w.lock.Unlock()
		return w.gone[r] > 0
	}
	for _, v := range [][]string{{"serve", "keys", w.file}, w.submit} {
		if v[1] == "submit" {
			for _, name := range w.stations {
				w.start(name)
			}
			w.within(time.Minute, "the storage server", func() bool {
				return strings.Contains(w.running["storage"].text(), "begins")
			})
		}
		if p := begin(t, v...); p.ends(t) != 0 {
			t.Fatal(p.text())
		}
	}
	return w
}

// imports opens the store of the site, and imports the list.
func (w *whole) imports(people string) {
	w.t.Helper()
	var err error
	at := "sqlite:" + filepath.Join(filepath.Dir(w.file), "lists.db")
	if w.store, _, err = task.OpenStore(w.t.Context(), at, true); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { w.store.Close() })
	rows, err := os.Open(people)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	if _, _, err := w.store.Import(w.t.Context(), storage.Import{Name: "people", File: rows, FileName: "people.csv",
		Reject: func(list.Reject) error { return nil }}); err != nil {
		w.t.Fatal(err)
	}
}

func addressOf(r mail.Recipient) mail.Address {
	a, err := mail.ParseAddress(fmt.Sprintf("r%d@all.example", r))
	if err != nil {
		panic(err)
	}
	return a
}

// suppress suppresses one more recipient who has no message yet, by the last place of the list.
func (w *whole) suppress() {
	w.t.Helper()
	w.lock.Lock()
	r := mail.Recipient(w.recipients - 1 - 20*len(w.gone))
	w.lock.Unlock()
	if int(r) < w.recipients/2 || w.ledger.count(r) > 0 {
		return
	}
	if _, err := w.store.Suppress(w.t.Context(), []list.Entry{{Address: addressOf(r)}}); err != nil {
		w.t.Fatal(err)
	}
	w.lock.Lock()
	defer w.lock.Unlock()
	w.clock++
	w.gone[r], w.known[r] = w.clock, map[string]bool{}
}

// sees notes that a station begins or was killed.
func (w *whole) sees(name string, begins bool) {
	w.lock.Lock()
	defer w.lock.Unlock()
	if begins {
		w.clock++
		w.born[name] = w.clock
		return
	}
	switch name {
	case "b1", "b2":
		for r, since := range w.gone {
			if since < w.born[name] {
				w.known[r][name] = true
			}
		}
	case "response":
		w.killed = append(w.killed, time.Now())
	case "governor":
		w.governs(decided(w.t, w.running[name].text()))
	}
}

// governs compares what a governor decided with what the one before did: C never falls by more than the last decision,
// which may not be durable.
func (w *whole) governs(all []float64) {
	if w.decided += len(all); len(all) == 0 {
		return
	}
	if all[0] < w.c-2 {
		w.t.Errorf("the governor went on with C = %v, want %v or more", all[0], w.c-2)
	}
	w.c = all[len(all)-1]
}

var toFollow = regexp.MustCompile(`https://news\.example(/c/[a-z0-9]+)`)

// came takes each message. No server that began after a suppression sends to who is suppressed.
func (w *whole) came(r mail.Recipient, message string) {
	w.lock.Lock()
	defer w.lock.Unlock()
	if len(w.known[r]) == 2 {
		w.t.Errorf("recipient %d has a message of a server that began after the suppression was confirmed", r)
	}
	if r%20 != 7 || w.clicks[r] != nil {
		return
	}
	c := &click{}
	w.clicks[r] = c
	found := toFollow.FindStringSubmatch(strings.ReplaceAll(message, "=\r\n", ""))
	if found == nil {
		w.t.Errorf("recipient %d has no link", r)
		return
	}
	w.ledger.asking.Add(1)
	go func() {
		for w.t.Context().Err() == nil {
			w.lock.Lock()
			c.asked++
			w.lock.Unlock()
			if err := follow("http://" + w.ledger.leave + found[1]); err == nil {
				w.lock.Lock()
				c.answered = time.Now()
				w.lock.Unlock()
				w.ledger.asking.Add(-1)
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
}

// follow follows a link that leads to the shop.
func follow(link string) error {
	q, err := http.NewRequest(http.MethodGet, link, nil)
	if err != nil {
		return err
	}
	q.Header.Set("User-Agent", "Mozilla/5.0")
	q.Close = true
	a, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	io.Copy(io.Discard, a.Body)
	if to := a.Header.Get("Location"); a.StatusCode != http.StatusFound || to != shop {
		return fmt.Errorf("got %s to %q", a.Status, to)
	}
	return nil
}

// promised is the time after which a click that was answered is recorded, whatever happens then: 200 ms, and what a
// busy computer needs to write that down.
const promised = 10 * time.Second

// judgeRoles judges what the stations keep that no report has: the store, the clicks and C.
func (w *whole) judgeRoles() {
	w.t.Helper()
	w.within(longtest.Or(time.Minute, 5*time.Minute), "the report", w.reported)
	w.within(time.Minute, "the answers of the hybrid", func() bool { return w.ledger.asking.Load() == 0 })
	taken := w.ledger.taken()
	w.within(time.Minute, "the store has all", func() bool {
		in, err := w.store.SuppressedIn(w.t.Context(), "people")
		if err != nil {
			w.t.Fatal(err)
		}
		for r := range taken {
			if !in.Has(addressOf(r)) {
				return false
			}
		}
		jobs, err := w.store.Jobs(w.t.Context())
		if err != nil || len(jobs) != 1 {
			w.t.Fatal(jobs, err)
		}
		return jobs[0].State == "ended" && jobs[0].Outcomes["delivered"]+jobs[0].Outcomes["suppressed"] == w.recipients
	})
	var recorded map[mail.Recipient]int
	w.within(time.Minute, "the clicks of the response server that runs", func() bool {
		recorded = map[mail.Recipient]int{}
		if err := response.Read(w.responses, func(j response.Judged) {
			recorded[mail.Recipient(j.Response.Rcpt)]++
		}); err != nil {
			w.t.Fatal(err)
		}
		last := slices.MaxFunc(append(w.killed, time.Time{}), time.Time.Compare)
		for r, c := range w.clicks {
			if recorded[r] == 0 && c.answered.After(last) {
				return false
			}
		}
		return true
	})
	lost, late := 0, 0
	for r, c := range w.clicks {
		if recorded[r] > c.asked {
			w.t.Errorf("recipient %d followed a link %d times, and %d are recorded", r, c.asked, recorded[r])
		}
		if recorded[r] > 0 {
			continue
		}
		if lost++; !slices.ContainsFunc(w.killed, func(k time.Time) bool {
			return !k.Before(c.answered) && k.Sub(c.answered) < promised
		}) {
			late++
		}
	}
	w.t.Logf("%d clicks, %d lost by kills, %d of these too late; %d suppressed in the store; C is %v after %d "+
		"decisions", len(w.clicks), lost, late, len(w.gone), w.c, w.decided)
	if late > 0 || len(w.clicks) == 0 || len(w.clicks) == lost {
		w.t.Errorf("got %d clicks, %d lost and %d of these long after their answer, want none of these", len(w.clicks),
			lost, late)
	}
	if len(w.gone) == 0 || w.decided == 0 {
		w.t.Errorf("got %d suppressions and %d decisions, want some", len(w.gone), w.decided)
	}
}
