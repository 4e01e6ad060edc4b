package journal

import (
	"math"
	"time"

	"flyball/engine"
	"flyball/internal/points"
	"flyball/internal/vt"
)

// Group writes facts to a Journal in groups, on one goroutine: all facts that are noted until a Write are one record,
// and all records that are written while a Sync is under way become durable by the next one.
type Group struct {
	journal *Journal
	fresh   []Entry // facts that are not in the journal
	open    bool    // there are some among them, apart from marks
	at      vt.Time // of the last fact
	durable uint64  // number of the last record that is durable
	wanted  uint64  // number of the last record that has to be durable soon
	since   time.Time
	syncing bool
	synced  chan Synced
}

// Synced is the end of a Sync.
type Synced struct {
	record uint64
	err    error
}

// NewGroup returns a group for a journal whose last fact is of the time at.
func NewGroup(j *Journal, at vt.Time) *Group {
	return &Group{journal: j, at: at, durable: j.Records(), synced: make(chan Synced, 1)}
}

// Note takes a fact of a role for the next Write. A fact that is about an earlier time than the fact before it, as an
// interval is for which a verdict came late, has the time of the fact before it.
func (g *Group) Note(now vt.Time, role engine.Address, f engine.Fact) {
	g.at = max(g.at, now)
	e := Entry{At: g.at, Role: role, Fact: f}
	g.fresh, g.open = append(g.fresh, e), g.open || !isMark(e)
}

// isMark reports whether an entry is the mark of a final dot, which may be lost with the power.
func isMark(e Entry) bool {
	_, ok := e.Fact.(engine.Dotted)
	return ok
}

// Record returns the number of the record after which all facts that were noted are durable, apart from marks.
func (g *Group) Record() uint64 {
	if g.open {
		return g.journal.Records() + 1
	}
	return g.journal.Records()
}

// Durable returns the number of the last record that is durable.
func (g *Group) Durable() uint64 { return g.durable }

// DropMarks forgets the marks that are not written.
func (g *Group) DropMarks() {
	rest := g.fresh[:0]
	for _, e := range g.fresh {
		if !isMark(e) {
			rest = append(rest, e)
		}
	}
	g.fresh = rest
}

// Write writes all facts that were noted, as one record. It returns 0 if there are none. What cannot be written is
// forgotten: the journal takes nothing any more.
func (g *Group) Write() (record uint64, err error) {
	if len(g.fresh) == 0 {
		return 0, nil
	}
	record, err = g.journal.Write(g.fresh)
	if err == nil {
		points.Reached("written")
		if g.open {
			g.wanted, g.since = record, time.Now()
		}
	}
	g.fresh, g.open = g.fresh[:0], false
	return record, err
}

// soon is when facts become durable on which nothing waits.
const soon = 5 * time.Millisecond

// Sync begins to make everything durable that is written, unless that is under way already. It does so at once if
// something waits for it, or else when Due is 0. Its end comes from Ended.
func (g *Group) Sync(waits bool) {
	if !g.syncing && g.journal.Err() == nil && (waits || g.Due() == 0) {
		g.syncing = true
		go func() {
			record, err := g.journal.Sync()
			g.synced <- Synced{record, err}
		}()
	}
}

// Due returns the time until facts are to be made durable on which nothing waits.
func (g *Group) Due() time.Duration {
	if g.syncing || g.durable >= g.wanted {
		return math.MaxInt64
	}
	return max(0, soon-time.Since(g.since))
}

// Ended returns where the end of each Sync comes from. It is for Take.
func (g *Group) Ended() <-chan Synced { return g.synced }

// Take takes the end of a Sync, and returns its error.
func (g *Group) Take(s Synced) error {
	g.syncing = false
	if s.err == nil {
		g.durable = s.record
		points.Reached("durable")
	}
	return s.err
}

// Last returns the end of a Sync of everything that is written, after the one that is under way; false if all is
// durable, or the journal takes nothing any more.
func (g *Group) Last() (Synced, bool) {
	if !g.syncing && g.durable < g.wanted {
		g.Sync(true)
	}
	if !g.syncing {
		return Synced{}, false
	}
	return <-g.synced, true
}
