package keyring

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"flyball/engine"
	"flyball/internal/durable"
	"flyball/internal/mail"
	"flyball/realrun/depot"
)

// After a restart the mailings are there that were there before, without a question to the depot. A damaged file is
// refused.
func TestKeysAreKept(t *testing.T) {
	keys := depot.Keys{Job: 1, Recipients: 2, Secret: mail.Key{1}, Targets: []string{"https://shop.example/"}}
	var got []depot.Keys
	r := &Ring{File: filepath.Join(t.TempDir(), "mailings"),
		Add: func(k depot.Keys) error { got = append(got, k); return nil }}
	if err := r.Open(); err != nil || r.next != 1 || got != nil {
		t.Fatal(err, got)
	}
	text, _ := json.Marshal(keys)
	if err := errors.Join(r.log.Append(text), r.log.Sync(), r.Close()); err != nil {
		t.Fatal(err)
	}
	if err := r.Open(); err != nil || r.next != 2 || !reflect.DeepEqual(got, []depot.Keys{keys}) {
		t.Errorf("got %v, %v, want the keys of mailing 1", got, err)
	}
	r.Close()
	r.Add = func(depot.Keys) error { return errors.New("another one has these places") }
	if err := r.Open(); !errors.Is(err, durable.ErrDamaged) || !errors.Is(err, ErrUntaken) {
		t.Errorf("keys that are not taken: got %v", err)
	}
	text, _ = os.ReadFile(r.File)
	if err := os.WriteFile(r.File, []byte(strings.Replace(string(text), "shop", "evil", 1)+"more\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Open(); !errors.Is(err, durable.ErrDamaged) {
		t.Errorf("a damaged file: got %v", err)
	}
}

// A server has all keys when the depot says so after it was asked, not when it has said so before, and not while the
// depot is away. However many ask at once, the depot has one question, and the next one after a pause.
func TestCompleteIsWhatTheDepotSays(t *testing.T) {
	d, err := depot.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	token := depot.NewToken()
	server, err := d.Serve([]depot.Client{{Name: "c", Role: depot.Returns, Hash: depot.HashToken(token)}}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var known []engine.Job
	r := &Ring{File: filepath.Join(t.TempDir(), "mailings"), Add: func(k depot.Keys) error {
		known = append(known, k.Job)
		return nil
	}, From: &depot.Remote{URL: "http://" + l.Addr().String(), Token: token},
		Warn: func(_ engine.Job, why error) { t.Error(why) }}
	if err := r.Open(); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var questions atomic.Int64
	web := httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(
		func(w http.ResponseWriter, q *http.Request) {
			questions.Add(1)
			server.ServeHTTP(w, q)
		})}}
	defer web.Close()
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	first, cancel := context.WithCancel(ctx)
	r.patience, r.pause = 100*time.Millisecond, 0
	all.Go(func() { r.Answer(first) }) // and nothing fetches: what is in the depot is missing here
	if r.Complete() {
		t.Error("all keys are here while the depot is away")
	}
	cancel()
	all.Wait()
	for range mostAsking {
		r.asks <- make(chan bool, 1)
	}
	if r.Complete() || len(r.asks) != mostAsking {
		t.Errorf("%d wait for an answer, want %d at most", len(r.asks), mostAsking)
	}
	for range mostAsking {
		<-r.asks
	}
	r.patience, r.pause = time.Minute, 300*time.Millisecond
	all.Go(func() { r.Answer(ctx) })
	web.Start()
	var asked sync.WaitGroup
	for range mostAsking {
		asked.Go(func() {
			if !r.Complete() {
				t.Error("Complete is false, want true")
			}
		})
	}
	asked.Wait()
	if n := questions.Load(); n == 0 || n > 3 {
		t.Errorf("the depot was asked %d times, want few times", n)
	}
	if _, err := d.Put(depot.Manifest{Keys: depot.Keys{Job: 1, Recipients: 1, Date: time.Unix(1, 0),
		Secret: mail.Key{1}}}, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	if r.Complete() {
		t.Error("all keys are here of a depot with one more mailing")
	}
	if err := r.Fetch(ctx); err != nil || len(known) != 1 || !r.Complete() {
		t.Errorf("got %v, and mailings %v, want the keys of mailing 1", err, known)
	}
}
