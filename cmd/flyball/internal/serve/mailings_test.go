package serve

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/realrun/depot"
	"flyball/site"
)

// A station has all keys when the depot says so after it was asked, not when it has said so before, and not while the
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
	m := &member{name: "c", of: site.Station{Folder: t.TempDir()}, log: quiet(),
		depot: &depot.Remote{URL: "http://" + l.Addr().String(), Token: token}}
	var known []engine.Job
	a, err := m.openMailings(func(k depot.Keys) error { known = append(known, k.Job); return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	var questions atomic.Int64
	web := httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			questions.Add(1)
			server.ServeHTTP(w, r)
		})}}
	defer web.Close()
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	first, cancel := context.WithCancel(ctx)
	a.patience, a.pause = 100*time.Millisecond, 0
	all.Go(func() { a.answer(first) }) // and does not fetch: what is in the depot is missing here
	if a.complete() {
		t.Error("all keys are here while the depot is away")
	}
	cancel()
	all.Wait()
	a.patience, a.pause = time.Minute, 300*time.Millisecond
	all.Go(func() { a.answer(ctx) })
	web.Start()
	var asked sync.WaitGroup
	for range mostWaiters {
		asked.Go(func() {
			if !a.complete() {
				t.Error("complete is false, want true")
			}
		})
	}
	asked.Wait()
	if n := questions.Load(); n == 0 || n > 3 {
		t.Errorf("the depot was asked %d times, want few times", n)
	}
	for range mostWaiters {
		a.waiters <- struct{}{}
	}
	if a.complete() {
		t.Error("one more waits than may")
	}
	for range mostWaiters {
		<-a.waiters
	}
	if _, err := d.Put(depot.Manifest{Keys: depot.Keys{Job: 1, Recipients: 1, Date: time.Unix(1, 0),
		Secret: mail.Key{1}}}, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	if a.complete() {
		t.Error("all keys are here of a depot with one more mailing")
	}
	all.Go(func() { a.fetch(ctx) })
	until(t, "the mailing is here", a.complete)
}
