package verify

import (
	"math"

	"flyball/engine"
	"flyball/engine/delivery"
	"flyball/governor"
	"flyball/internal/evq"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/netmodel"
	"flyball/netmodel/config"
	"flyball/scenarios"
)

// kernel is sim.World for customers that are not known in advance. It has the
// same machines, network model, queue and order of simultaneous inputs, but
// arrivals may depend on earlier departures. A customer's visit to a node is a
// list of one recipient for that node's machine; the service is an attempt. The
// model "world" checks that sim.World gives the same results.
type kernel struct {
	key      rng.Key
	nodes    []node
	coming   evq.Queue // customers on their way, in lanes of onWay
	onWay    []visit   // node and customer
	freeWays []int
	end      mail.Completion // of the attempt that ended last
	out      engine.Outbox
	now      vt.Time

	visits []visit // in the order of arrival; the index is the recipient
	rows   [][]engine.Interval
	held   [][]vt.Span // time within from..to, by node and number there; the last row is for all nodes together
	from   vt.Time
	to     vt.Time

	arrives func(customer uint32) // called just before a customer joins a node; may send others
	leaves  func(i int, v visit)  // called after visit i; may send the customer on
}

// node is a delivering server with its model of the network.
type node struct {
	machine *delivery.Machine
	model   *netmodel.Model
	ends    evq.Queue
	visits  uint64 // number of visits assigned to the machine
}

// visit is a customer's stay at a node.
type visit struct {
	arrived, began, ended vt.Time
	customer              uint32
	found                 int // customers there before it came
	node                  int
	lost                  bool // refused
}

// mostVisits is many times more than any model needs.
const mostVisits = 1 << 21

func (v visit) sojourn() float64 { return v.ended.Sub(v.arrived).Seconds() }
func (v visit) wait() float64    { return v.began.Sub(v.arrived).Seconds() }

// Purposes of draws. The purposes of the network model and the list are below 64.
const (
	purposeGap rng.Purpose = iota + 64
	purposeStart
	purposeThink
	purposeRoute
	purposeSize
)

// newKernel returns a kernel in the network of a scenario, with the given numbers
// of MTA processes at the nodes.
func newKernel(r run, s *scenarios.Scenario, processes ...int) *kernel {
	k := &kernel{key: rng.New(r.seed, r.replication), to: vt.Never, rows: make([][]engine.Interval, len(processes)),
		held:    make([][]vt.Span, len(processes)+1),
		arrives: func(uint32) {}, leaves: func(int, visit) {}}
	for len(s.Servers) < len(processes) {
		s.Servers = append(s.Servers, config.DefaultServer())
	}
	world := netmodel.NewNetwork(s.Netmodel(), k.key)
	list := mail.SyntheticList(math.MaxInt32, []float64{1}, k.key)
	for i, n := range processes {
		law := s.Governor
		law.Law, law.Start = "hold", float64(n)
		g, err := governor.New(law)
		if err != nil {
			panic(err)
		}
		server := mail.Server(i)
		k.nodes = append(k.nodes, node{machine: delivery.New(s.Engine(server), &list, g, k),
			model: netmodel.NewModel(world, server)})
	}
	return k
}

// send schedules the arrival of a customer at a node.
func (k *kernel) send(at vt.Time, node int, customer uint32) {
	if len(k.freeWays) == 0 {
		k.freeWays = append(k.freeWays, len(k.onWay))
		k.onWay = append(k.onWay, visit{})
	}
	last := len(k.freeWays) - 1
	way := k.freeWays[last]
	k.freeWays = k.freeWays[:last]
	k.onWay[way] = visit{node: node, customer: customer}
	k.coming.Push(at, way)
}

// feed schedules the arrival of customer first at node 0 at a time, and of
// first+1, first+2 and so on after it as a Poisson process with a mean gap in
// seconds.
func (k *kernel) feed(at vt.Time, first uint32, gap float64) {
	newest := first
	k.send(at, 0, newest)
	k.arrives = func(customer uint32) {
		if customer == newest {
			newest++
			k.send(k.now.Add(k.exponential(uint64(newest), purposeGap, gap)), 0, newest)
		}
	}
}

// uniform returns a draw from (0, 1).
func (k *kernel) uniform(entity uint64, p rng.Purpose) float64 {
	return (float64(k.key.At(entity, 0, p)[0]) + 0.5) / (1 << 32)
}

// exponential returns an exponential time in whole microseconds, so that the last
// bits of a logarithm do not matter.
func (k *kernel) exponential(entity uint64, p rng.Purpose, mean float64) vt.Span {
	return seconds(-mean * math.Log(k.uniform(entity, p)))
}

// seconds returns s seconds, rounded to whole microseconds.
func seconds(s float64) vt.Span { return vt.Span(math.Round(s*1e6)) * vt.Microsecond }

// number returns a draw from a distribution over 0, 1, 2 and so on.
func (k *kernel) number(entity uint64, p rng.Purpose, of func(n int) float64) int {
	n := 0
	for u := k.uniform(entity, p) - of(0); u > 0 && n < 1e6; u -= of(n) {
		n++
	}
	return n
}

// runUntil handles events until holds returns true.
func (k *kernel) runUntil(holds func() bool) {
	for !holds() {
		k.step()
	}
}

// step handles the next event.
func (k *kernel) step() {
	// the first nodes at which an attempt ends, or a wake-up of the machine is due
	ends, wakes := &k.nodes[0], &k.nodes[0]
	for i := range k.nodes {
		n := &k.nodes[i]
		if n.ends.PeekTime() < ends.ends.PeekTime() {
			ends = n
		}
		if n.machine.NextWake() < wakes.machine.NextWake() {
			wakes = n
		}
	}
	next := min(ends.ends.PeekTime(), k.coming.PeekTime(), wakes.machine.NextWake())
	k.account(next)
	k.now = next
	n, out := wakes, &k.out
	out.Clear()
	switch next { // as in sim
	case ends.ends.PeekTime():
		n = ends
		at, slot := n.ends.Pop()
		if n.model.Handle(at, mail.Slot(slot), &n.ends, &k.end) {
			n.machine.Complete(next, &k.end, out)
		}
	case k.coming.PeekTime():
		_, way := k.coming.Pop()
		v := k.onWay[way]
		k.freeWays = append(k.freeWays, way)
		k.arrives(v.customer)
		n = &k.nodes[v.node]
		rcpt := mail.Recipient(len(k.visits))
		k.visits = append(k.visits, visit{arrived: next, ended: vt.Never, customer: v.customer,
			found: int(n.machine.Left()), node: v.node})
		if len(k.visits) > mostVisits {
			panic("customers come and do not leave")
		}
		n.visits++
		n.machine.Receive(next, engine.Message{Number: n.visits,
			Body: engine.Reserve{From: rcpt, To: rcpt + 1, Processes: 1, Subset: 1}}, out)
	default:
		n.machine.Wake(next, nil, out)
	}
	for _, slot := range out.Close {
		n.model.HangUp(slot)
	}
	for i := range out.Start {
		n.model.Begin(next, &out.Start[i], &n.ends)
	}
}

// account adds the time from now to next, within from..to, to the present number
// of customers at each node.
func (k *kernel) account(next vt.Time) {
	span := min(next, k.to).Sub(max(k.now, k.from))
	if span <= 0 {
		return
	}
	all := 0
	for i := range k.nodes {
		n := int(k.nodes[i].machine.Left())
		all += n
		k.hold(i, n, span)
	}
	k.hold(len(k.nodes), all, span)
}

func (k *kernel) hold(row, n int, span vt.Span) {
	for len(k.held[row]) <= n {
		k.held[row] = append(k.held[row], 0)
	}
	k.held[row][n] += span
}

// Ended records the end of a visit; the machines call it.
func (k *kernel) Ended(now vt.Time, a *mail.Attempt, r *mail.Reply, s mail.Status) {
	v := &k.visits[a.Rcpt]
	v.began, v.ended, v.lost = now.Add(-r.Took), now, s != mail.Done
	k.leaves(int(a.Rcpt), *v)
}

// Interval records an interval; the machines call it.
func (k *kernel) Interval(_ vt.Time, s mail.Server, i engine.Interval) {
	k.rows[s] = append(k.rows[s], i)
}

// timeShare returns the share of the time from..to with n customers at a node.
func (k *kernel) timeShare(node, n int) float64 {
	if n >= len(k.held[node]) {
		return 0
	}
	return k.held[node][n].Seconds() / k.to.Sub(k.from).Seconds()
}

// meanHeld returns the time-average of customers at a node.
func (k *kernel) meanHeld(node int) float64 {
	var sum float64
	for n, span := range k.held[node] {
		sum += float64(n) * span.Seconds()
	}
	return sum / k.to.Sub(k.from).Seconds()
}

// meanAllocated returns P_a of a node by the intervals of its machine: the mean
// over all whole intervals within from..to.
func (k *kernel) meanAllocated(node int) float64 {
	var sum float64
	var n int
	at := vt.Time(0)
	for _, i := range k.rows[node] {
		if at >= k.from && at.Add(i.Sample.Span) <= k.to && !i.Partial {
			sum += i.Sample.Allocated
			n++
		}
		at = at.Add(i.Sample.Span)
	}
	return sum / float64(n)
}
