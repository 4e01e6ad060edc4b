package depot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"flyball/engine"
)

// This file lets lists and letters go whose mailings have ended: a person who is forgotten is in no copy of a list for
// longer than the mailings under way with it. What stays of a mailing is its manifest in the depot, which has its keys.

// End ends a mailing: its parts go that no mailing under way has. It has no effect on one that has ended.
func (d *Depot) End(job engine.Job) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	m, is := d.mailings[job]
	if !is {
		return fmt.Errorf("mailing %d is %w", job, ErrAbsent)
	}
	if !m.Ended {
		m.Ended = true
		if _, err := d.write(nameOf(job), strings.NewReader(string(m.text()))); err != nil {
			return err
		}
		d.mailings[job] = m
	}
	names, err := d.files.Names()
	return errors.Join(err, d.sweep(names))
}

// Running tells which mailings of a depot have ended.
type Running struct {
	Ended int          `json:"ended"` // number of mailings that have
	Next  engine.Job   `json:"next"`  // above the numbers of all mailings
	Jobs  []engine.Job `json:"jobs"`  // mailings that have not ended
}

// Over reports whether a mailing has ended.
func (r *Running) Over(job engine.Job) bool { return job < r.Next && !slices.Contains(r.Jobs, job) }

// Running returns which mailings have ended.
func (d *Depot) Running() (r Running) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for job, m := range d.mailings {
		r.Next = max(r.Next, job+1)
		if m.Ended {
			r.Ended++
		} else {
			r.Jobs = append(r.Jobs, job)
		}
	}
	return r
}

// running answers who asks which mailings have ended. With the parameter ended, a number, it waits a while until
// another number has.
func (s *Server) running(w http.ResponseWriter, r *http.Request) {
	var all Running
	s.until(r, true, polling, func() bool {
		all = s.depot.Running()
		return strconv.Itoa(all.Ended) != r.URL.Query().Get("ended")
	})
	answer(w, all)
}

// recorded takes that the outcomes of a mailing are recorded.
func (s *Server) recorded(w http.ResponseWriter, r *http.Request) {
	m, ok := s.mailing(w, r)
	if !ok {
		return
	}
	if s.Recorded == nil {
		http.Error(w, "this server has no outcomes", http.StatusNotFound)
		return
	}
	if err := s.Recorded(r.Context(), m.Job); err != nil {
		failed(w, err)
		return
	}
	answer(w, struct{}{})
}

// digests answers who asks for the digests of all stored lists. With the parameter than, a text as than returns it, it
// waits a while until they are others.
func (s *Server) digests(w http.ResponseWriter, r *http.Request) {
	if s.Store == nil {
		http.Error(w, "this server has no lists", http.StatusNotFound)
		return
	}
	var all []Digest
	var err error
	s.until(r, true, seldom, func() bool {
		all, err = s.Store.Digests(r.Context())
		return err != nil || than(all) != r.URL.Query().Get("than")
	})
	if err != nil {
		failed(w, err)
		return
	}
	answer(w, all)
}

// than returns a short text by which two sets of digests differ.
func than(all []Digest) string {
	var text []string
	for _, d := range all {
		text = append(text, d.String())
	}
	slices.Sort(text)
	return HashToken(strings.Join(text, " ")).String()
}

// FetchRunning returns which mailings have ended. It waits a while until the number of these is another one than
// known; below 0, it returns at once.
func (r *Remote) FetchRunning(ctx context.Context, known int) (all Running, err error) {
	return all, r.ask(ctx, http.MethodGet, "/running?ended="+strconv.Itoa(known), nil, &all)
}

// Recorded says that all outcomes of a mailing are recorded.
func (r *Remote) Recorded(ctx context.Context, job engine.Job) error {
	return r.ask(ctx, http.MethodPost, fmt.Sprintf("/mailings/%d/recorded", job), nil, &struct{}{})
}

// Drop removes the manifest of a mailing that has ended, and with it the key and all parts that no mailing has whose
// manifest is kept. A stored list stays, if lists are had from a store, until Prune finds it changed, another part
// needs the room, or the folder is opened again.
func (k *Kept) Drop(job engine.Job) error {
	m, err := k.manifest(job, nameOf(job))
	if err := errors.Join(k.files.Remove(nameOf(job)), k.files.Sync()); err != nil {
		return err
	}
	return k.sweep(func(d Digest) bool {
		return err == nil && k.cfg.Lists != nil && m.List != nil && m.List.Digest == d && m.List.Stored != ""
	})
}

// sweep removes the parts that no mailing has whose manifest is kept, and that nothing holds, but for those that become
// idle, or are.
func (k *Kept) sweep(idle func(Digest) bool) error {
	jobs, err := k.Jobs()
	if err != nil {
		return err
	}
	needed := map[Digest]bool{}
	for _, job := range jobs {
		m, err := k.manifest(job, nameOf(job))
		if err != nil {
			return nil // it may need any part; it is fetched again, and then a later call removes what is left
		}
		for _, p := range m.Parts() {
			needed[p.Digest] = true
		}
	}
	return k.remove(func(d Digest, e *entry) bool {
		e.idle = !needed[d] && (e.idle || idle != nil && idle(d))
		return !needed[d] && !e.idle
	})
}

// Idle reports whether stored lists are kept that no mailing has.
func (k *Kept) Idle() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range k.parts {
		if e.idle {
			return true
		}
	}
	return false
}

// Prune removes the stored lists that no mailing has, and that are not in the store as they were. It waits a while
// until the digests of the lists of the store are others than those for which an earlier call has returned known;
// empty: it does not wait.
func (k *Kept) Prune(ctx context.Context, known string) (string, error) {
	var all []Digest
	text, err := k.cfg.Lists.get(ctx, "/digests?than="+known)
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		return known, err
	}
	return than(all), k.remove(func(d Digest, e *entry) bool { return e.idle && !slices.Contains(all, d) })
}

// remove removes those parts that nothing holds and of which gone says so.
func (k *Kept) remove(gone func(Digest, *entry) bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for d, e := range k.parts {
		if e.held > 0 || !gone(d, e) {
			continue
		}
		if err := errors.Join(k.files.Remove(d.String()), k.files.Remove(d.String()+partial)); err != nil {
			return err
		}
		delete(k.parts, d)
	}
	return k.files.Sync()
}
