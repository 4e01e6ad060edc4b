package serve

import (
	"cmp"
	"slices"
	"sort"
	"sync/atomic"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/realrun/depot"
	"flyball/realrun/mailing"
)

// letters has the messages of all mailings of a B server, by the places of the list of all mailings. A mailing
// with a higher number has higher places.
type letters struct {
	all atomic.Pointer[[]letterOf] // in the order of their numbers
}

// letterOf is a mailing with its places.
type letterOf struct {
	keys    depot.Keys
	mailing *mailing.Mailing
	stored  string // name of its list in the store; empty: of no store
	held    *depot.Held
}

// add adds a mailing.
func (l *letters) add(m letterOf) {
	var all []letterOf
	if before := l.all.Load(); before != nil {
		all = slices.Clone(*before)
	}
	all = append(all, m)
	slices.SortFunc(all, func(a, b letterOf) int { return cmp.Compare(a.keys.Job, b.keys.Job) })
	l.all.Store(&all)
}

// find returns a mailing whose files are here; nil: they are not.
func (l *letters) find(job engine.Job) *letterOf {
	if all := l.all.Load(); all != nil {
		for i := range *all {
			if m := &(*all)[i]; m.keys.Job == job {
				return m
			}
		}
	}
	return nil
}

// covers reports whether all places of a part of the list are the mailing's.
func (m *letterOf) covers(part string) bool {
	for _, p := range engine.UnpackParts(part) {
		if !m.keys.Has(p.From) || !m.keys.Has(p.To-1) {
			return false
		}
	}
	return true
}

// of returns the mailing with a place, and the recipient's place in the mailing's own list.
func (l *letters) of(r mail.Recipient) (*letterOf, mail.Recipient) {
	all := *l.all.Load()
	i := sort.Search(len(all), func(i int) bool { return all[i].keys.First > r }) - 1
	if i < 0 || !all[i].keys.Has(r) {
		panic("serve: a recipient of no mailing that is here")
	}
	return &all[i], r - all[i].keys.First
}

// Letter implements realrun.Letters.
func (l *letters) Letter(r mail.Recipient, body []byte) (string, []byte) {
	m, own := l.of(r)
	return m.mailing.Letter(own, body)
}

// domain returns the domain of a recipient.
func (l *letters) domain(r mail.Recipient) string {
	m, own := l.of(r)
	return m.mailing.Address(own).Domain
}

// Returns is the return path of a try for a recipient.
func (l *letters) Returns(r mail.Recipient, t mail.Try, domain string) string {
	m, own := l.of(r)
	return m.keys.Secret.VERP(own, t, domain)
}
