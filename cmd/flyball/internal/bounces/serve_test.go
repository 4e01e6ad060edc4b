package bounces

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"flyball/internal/durable"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/realrun/inbound"
)

// keep writes the folder of a live run as the run does, and returns it.
func keep(t *testing.T, date time.Time, key mail.Key) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "news")
	if err := durable.Files(dir).Make(); err != nil {
		t.Fatal(err)
	}
	log, _, err := durable.OpenLog(filepath.Join(dir, "mailing"), "flyball mailing 2 abc", true)
	if err != nil {
		t.Fatal(err)
	}
	line, err := json.Marshal(map[string]any{"date": date, "secret": key})
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Append(line); err != nil {
		t.Fatal(err)
	}
	log.Close()
	return dir
}

// The return paths of a live run are known from its folder, until they expire; what came is shown while the server
// runs.
func TestServe(t *testing.T) {
	key, old := mail.Key{1}, mail.Key{2}
	state := filepath.Join(t.TempDir(), "returned")
	q := Serve{Listen: "127.0.0.1:0", State: state, Hard: 1, Expire: 10 * vt.Day,
		Mailings: []string{keep(t, time.Now(), key)}}
	expired := keep(t, time.Now().Add(-11*24*time.Hour), old)
	if err := durable.Files(filepath.Dir(expired)).Rename("news", "old"); err != nil {
		t.Fatal(err)
	}
	q.Mailings = append(q.Mailings, filepath.Join(filepath.Dir(expired), "old"))
	at := make(chan string, 1)
	q.Begun = func(addr string) { at <- addr }
	var events []inbound.Kind
	q.Tell = func(e inbound.Event) { events = append(events, e.Kind) }
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- q.Do(ctx) }()
	var addr string
	select {
	case addr = <-at:
	case err := <-done:
		t.Fatal(err)
	}
	const message = "From: MAILER-DAEMON@there.example\r\nSubject: failure\r\n\r\n<ann@there.example>:\r\n550 " +
		"5.1.1 no such user\r\n"
	send := func(key mail.Key) error {
		c, err := smtp.Dial(addr)
		if err != nil {
			return err
		}
		defer c.Close()
		return c.SendMail("", []string{key.VERP(3, 0, "sender.example")}, strings.NewReader(message))
	}
	if err := send(key); err != nil {
		t.Error(err)
	}
	if err := send(old); err == nil || !strings.Contains(err.Error(), "No such return path") {
		t.Errorf("an expired path: got %v, want a refusal", err)
	}
	k, err := Show(state)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := k.Text(&text, false); err != nil {
		t.Fatal(err)
	}
	if len(k.Jobs) != 1 || k.Jobs[0].Job != "news" || k.Jobs[0].Dead != 1 || len(k.Jobs[0].Purged) != 1 ||
		k.Jobs[0].Purged[0] != 3 || !strings.Contains(text.String(), "ann@there.example") {
		t.Errorf("got %+v\n%s", k.Jobs, text.String())
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(events) != 2 || events[0] != inbound.Took || events[1] != inbound.Purged {
		t.Errorf("got %v, want returned and purged", events)
	}
}
