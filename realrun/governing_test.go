package realrun

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"flyball/engine"
	"flyball/engine/governing"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/memdisk"
	"flyball/internal/snap"
	"flyball/internal/vt"
	"flyball/realrun/journal"
	"flyball/realrun/station"
	"flyball/reports/runlog"
)

// rising is a governor whose C rises by 2 with each decision.
type rising struct{ c float64 }

func (g *rising) Available() float64  { return g.c }
func (g *rising) State(c *snap.Codec) { c.Fields(&g.c) }
func (g *rising) Decide(governor.Sample) governor.Decision {
	g.c += 2
	return governor.Decision{Available: g.c}
}

// One governor on a server of its own decides for two delivering servers. While it is gone they keep their C, and one
// of them may stop too; then it goes on with what it knew.
func TestGoverningServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := loaded(t, `schema_version = 1
name = "governed"
horizon = "10h"
[governor]
law = "hold"
scope = "cluster"
start = 5
interval = "10s"
[[server]]
name = "b1"
[[server]]
name = "b2"
[[destination]]
name = "d"
domain = "d.example"
[[campaign]]
name = "c"
recipients = 1
`)
		zero := time.Now()
		var local station.Local
		disks := []*memdisk.Disk{memdisk.New(), memdisk.New(), memdisk.New()}
		open := func(i int) (*journal.Journal, []journal.Entry) {
			j, before, err := journal.Open(disks[i], journal.ID{})
			if errors.Is(err, journal.ErrMissing) {
				j, err = journal.Create(disks[i], journal.ID{})
			}
			if err != nil {
				t.Fatal(err)
			}
			return j, before.Entries
		}
		run := func(f func(context.Context)) (stop func()) {
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan struct{})
			go func() { defer close(ended); f(ctx) }()
			return func() { cancel(); <-ended }
		}
		govern := func() (stop func()) {
			role := governing.Keep(governing.New(governing.Config{Servers: 2, Interval: s.Governor.Interval,
				Governor: &rising{10}, Target: func(vt.Time) float64 { return 0 },
				Observer: runlog.NewRecorder(1, nil)}))
			a := engine.Address{Role: engine.Governing}
			j, before := open(2)
			v, err := station.New(station.Config{Address: a, Role: role, Journal: j, Before: before, Carrier: &local,
				Zero: zero})
			if err != nil {
				t.Fatal(err)
			}
			local.Join(a, v.Receive)
			end := run(func(ctx context.Context) { v.Run(ctx) })
			return func() { local.Join(a, nil); end() }
		}
		runners := make([]*Runner, 2)
		deliver := func(i int) (stop func()) {
			j, before := open(i)
			list := mail.ReadList([]mail.Destination{})
			r, err := NewServer(s, mail.Server(i), &list, nil, nil, Keeping{Journal: j, Before: before, Zero: zero,
				Broken: func(err error) { t.Error(err) }}, &local)
			if err != nil {
				t.Fatal(err)
			}
			runners[i] = r
			local.Join(engine.Address{Role: engine.Delivery, Server: mail.Server(i)}, r.Receive)
			return run(func(ctx context.Context) { r.Run(ctx, nil) })
		}
		is := func(what string, want ...int) {
			t.Helper()
			var got []int
			for _, r := range runners {
				r.Do(func(now vt.Time) { got = append(got, r.Status(now).Servers[0].Available) })
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: got C %v, want %v", what, got, want)
			}
		}
		stop := govern()
		ends := []func(){deliver(0), deliver(1)}
		time.Sleep(35 * time.Second)
		is("after 3 intervals", 8, 8)
		stop()
		time.Sleep(30 * time.Second)
		is("without a governor", 8, 8)
		ends[1]()
		time.Sleep(28 * time.Second)
		ends[1] = deliver(1)
		is("begun again without a governor", 8, 8)
		stop = govern()
		time.Sleep(15 * time.Second)
		is("with the governor again", 9, 9)
		ends[0]() // the other one is governed alone for some intervals, with C = 20 and 22
		time.Sleep(20 * time.Second)
		ends[0] = deliver(0)
		time.Sleep(20 * time.Second)
		is("after a server was gone", 13, 13)
		stop()
		ends[0]()
		ends[1]()
	})
}

// Governing returns the governor of a scenario that has one for all servers.
func TestGoverning(t *testing.T) {
	for scope, want := range map[string]bool{"cluster": true, "server": false} {
		s := loaded(t, `schema_version = 1
name = "governed"
horizon = "10h"
governor = {scope = "`+scope+`"}
[[destination]]
name = "d"
domain = "d.example"
[[campaign]]
name = "c"
recipients = 1
`)
		if role, err := Governing(s, nil); err != nil || (role != nil) != want {
			t.Errorf("scope %s: got %v and %v", scope, role, err)
		}
	}
}
