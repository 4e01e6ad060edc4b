package flyball_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

// A mutant is a mistake that somebody could make: one piece of production code
// replaced. If a check still passes, it does not see that mistake.
type mutant struct {
	name     string
	file     string
	old, new string
}

type check struct {
	name string
	args []string // of go test
}

// checks are what stands against mistakes, cheapest first.
var checks = []check{
	{"scripts", []string{"./engine/...", "-run", "Script"}},
	{"referee", []string{"./engine/...", "-skip", "Script"}},
	{"oracles", []string{"./governor"}},
	{"formulas", []string{"./netmodel", "./internal/..."}},
	{"sink", []string{"./realrun/sink"}},
	{"messages", []string{"./scenarios", "./reports/format", "./reports/compare", "./reports/run", "-run", "Unknown|Many|SetByName|Kind|InWords|Gate|Inconclusive|Differences|Verdicts|EndIsNot|Shaded"}},
	{"search", []string{"./sim/tune"}},
	{"reports", []string{"./scenarios/study", "./reports/..."}},
	{"sim", []string{"./sim", "-skip", "Twin|Golden|Meta|Replic"}},
	{"golden", []string{"./sim", "-run", "Golden"}},
	{"twin", []string{"./sim", "-run", "Twin"}},
	{"verify", []string{"./sim/verify"}},
	{"promotion", []string{"./realrun/promotion"}},
	{"commands", []string{"./cmd/flyball", "-run", "OutIsNot|Terminal|Stranger"}},
}

var mutants = []mutant{
	{"one resend too many", "engine/delivery/machine.go", "int(s.attempt.Try) >= m.limitFor(i, r)", "int(s.attempt.Try) > m.limitFor(i, r)"},
	{"one resend too few", "engine/delivery/machine.go", "int(s.attempt.Try) >= m.limitFor(i, r)", "int(s.attempt.Try)+1 >= m.limitFor(i, r)"},
	{"a bounce is resent", "engine/delivery/machine.go", `class == mail.Bounce && retry.Bounce == "fail"`, `class == mail.Bounce && retry.Bounce == "resend"`},
	{"an ambiguous attempt is resent", "engine/delivery/machine.go", `class == mail.Ambiguous && retry.Ambiguous == "hold"`, `class == mail.Ambiguous && retry.Ambiguous == "resend"`},
	{"a resend is lost now and then", "engine/delivery/machine.go", "	place := m.waiting.add(due,", "	if s.attempt.Rcpt%97 == 13 {\n\t\treturn mail.Pending\n\t}\n\tplace := m.waiting.add(due,"},
	{"the second resend uses the first delay", "engine/delivery/schedule.go", "return r.Delays[min(try, len(r.Delays)-1)]", "return r.Delays[min(try/2, len(r.Delays)-1)]"},
	{"a draw is used twice", "netmodel/network.go", "uint32(try), purposeMessage)", "uint32(try)/2, purposeMessage)"},
	{"greylist delay from the word that decides it", "netmodel/network.go", "max(r.greyDelay.at(delay), 1)", "max(r.greyDelay.at(listed+delay&0), 1)"},
	{"the greylist clock starts again at every try", "netmodel/greylist.go", "	if !known {\n", "	if !known || true {\n"},
	{"the greylist clock starts before the reply", "netmodel/receiver.go", "see(m.to, now.Add(e.Took), known)", "see(m.to, now, known)"},
	{"a greylist remembers whom it delivered", "netmodel/receiver.go", "	if accepted {\n", "	if false {\n"},
	{"a greylist forgets whom it let in and did not deliver", "netmodel/receiver.go", "	if accepted {\n", "	if accepted || m.letIn {\n"},
	{"a greylist never forgets", "netmodel/greylist.go", "return seconds(now)-int64(v.last) > forgets", "return false"},
	{"a gap in the greylist hides a clock", "netmodel/greylist.go", "(next-t.home(t.slots[next].who))&mask >= (next-i)&mask", "next < 0"},
	{"deferrals count for the whitelist", "netmodel/receiver.go", "m.letIn && b != nil", "b != nil"},
	{"a message over a refused connection is judged", "netmodel/receiver.go", "case !c.refused && c.fail == ending{}:", "case c.fail == ending{}:"},
	{"a refusal by the throttle takes from the bucket", "netmodel/receiver.go", "if refusal == 0 && b.interval > 0 {", "if b.interval > 0 {"},
	{"a connection is refused before it is known to be lost", "netmodel/receiver.go", "c.refused = down == mail.NoFault && ", "c.refused = "},
	{"a kept connection is as slow as when it was made", "netmodel/receiver.go", "		c.slow = r.slowness(now)\n	}\n", "	}\n"},
	{"all servers share every receiver", "netmodel/receiver.go", "if net.destinations[d].shared && s > 0 {", "if s > 0 {"},
	{"a connection is closed twice", "netmodel/receiver.go", "		c.counted = false\n", ""},
	{"a state leaves the greylist behind", "netmodel/state.go", "	m.greylist.state(c)\n", ""},
	{"live, no message is known to be let in", "realrun/sink/wire.go", "w.end(!e.Ends())", "w.end(false)"},
	{"live, a kept connection asks nothing", "realrun/sink/wire.go", "			if !w.begun {\n", "			if false {\n"},
	{"live, a connection that is closed counts on", "realrun/sink/wire.go", "func(r *netmodel.Receiver, _ vt.Time) { r.Close(&w.conn) }", "func(r *netmodel.Receiver, _ vt.Time) {}"},
	{"a process above C is not freed at its subset's end", "engine/delivery/machine.go", "within := m.allocated-m.leaving <= m.available &&", "within := m.allocated-m.leaving <= m.available+1 &&"},
	{"the allocation is held against one more than C", "engine/delivery/limit.go", "first := m.available\n", "first := m.available + 1\n"},
	{"a limit that is given back does not wait for its time", "engine/delivery/limit.go", "to != l.limit && l.stood >= r.Dwell", "to != l.limit"},
	{"equality asks for the low limit", "engine/delivery/limit.go", "case x > above:", "case x >= above:"},
	{"every destination takes as many messages over a connection", "engine/delivery/machine.go", "int(d) < len(c.Offers) && c.Offers[d] > 0", "int(d) < 0"},
	{"failures on the way count against the recipient", "engine/delivery/yield.go", "r.Stage >= mail.StageRCPT && ", ""},
	{"nobody goes on being tried beyond the limit", "engine/delivery/yield.go", " || int(a.Rcpt)%y.retry.Probe == 0", ""},
	{"tries that nobody has come to yield nothing", "engine/delivery/yield.go", "float64(float64(r.Limit-limit-1) * left[seen])", "float64(float64(r.Limit-limit-1) * left[seen] * 0)"},
	{"a flat yield is good enough to give up", "engine/delivery/yield.go", "float64(2*atMost(tail.delivered)*head.asked)", "float64(0.5*atMost(tail.delivered)*head.asked)"},
	{"the age counts from the last try", "engine/delivery/machine.go", "		s.first = m.firsts[c.due.first]\n", "		s.first = m.interval.accounted\n"},
	{"what comes back is forgotten", "engine/delivery/freeing.go", "		c.back = append(c.back, part{from: s.to - rest, to: s.to})\n", "		c.back = append(c.back, part{from: s.to - rest + 1, to: s.to})\n"},
	{"a process that was told to go counts twice", "engine/delivery/freeing.go", "return m.allocated - m.leaving - m.available", "return m.allocated - m.available"},
	{"a process that was told to go stays", "engine/delivery/freeing.go", "	s.leaving = true\n	m.leaving++\n", ""},
	{"one process too few is allocated", "engine/delivery/machine.go", "c < len(m.campaigns) && m.allocated < m.available; c++ {\n\t\tfor m.allocated < m.available", "c < len(m.campaigns) && m.allocated < m.available; c++ {\n\t\tfor m.allocated < m.available-1"},
	{"the last recipient of a subset is skipped", "engine/delivery/freeing.go", "s.next, s.to = c.next, c.next+n\n", "s.next, s.to = c.next, c.next+max(n-1, 1)\n"},
	{"a full destination has room for one more", "engine/delivery/rooms.go", "r.each[d].busy < r.each[d].limiter.Limit()", "r.each[d].busy <= r.each[d].limiter.Limit()"},
	{"who takes a parked recipient keeps the rest of its subset", "engine/delivery/rooms.go", "			m.giveBack(i) // it", "			// it"},
	{"a dead destination is revived too soon", "engine/delivery/rooms.go", "now.Add(m.rooms.cfg.Revive)", "now.Add(m.rooms.cfg.Revive / 2)"},
	{"P_a is the allocation at the end of the interval", "engine/delivery/interval.go", "Allocated: allocated, Demand", "Allocated: float64(m.allocated), Demand"},
	{"deliveries of the interval's last moment count later", "engine/delivery/machine.go", "	m.account(now)\n	s.busy = false", "	if now >= m.interval.next {\n\t\tm.endInterval(now, nil)\n\t\tm.decide(m.closed.Sample.Attempts, m.closed.Sample.Delivered)\n\t}\n	m.account(now)\n	s.busy = false"},
	{"a new target counts an interval late", "engine/delivery/interval.go", "r.Sample.TargetRate = m.interval.target", "r.Sample.TargetRate = r.target"},
	{"a ramp of the target begins from the first one", "governor/setpoint.go", "to = target + float64(", "to = float64(c.Target) + float64("},
	{"what was missed is forgotten", "governor/faults.go", "s, g.unread = g.unread.and(s), Sample{}", "g.unread = Sample{}"},
	{"a reset loses deliveries alone", "governor/faults.go", "Sample{Span: s.Span, TargetRate", "Sample{Span: s.Span, Timeouts: s.Timeouts, TargetRate"},
	{"the parts of C follow efficiency the whole way", "engine/governing/cluster.go", "e = (w.efficiency + e) / 2", "e = (0*w.efficiency + 2*e) / 2"},
	{"who needs no processes keeps his part", "engine/governing/cluster.go", "room[i] = max(needs[i]-1, 0)", "room[i] = max(needs[i]-1, 1000)"},
	{"the failure rate of a cluster is the server's own", "engine/delivery/machine.go", "	if !m.moves.together {", "	if m.cfg.Together {"},
	{"a repeated reservation is taken again", "engine/delivery/machine.go", "if m.seen.New(v) {", "if m.seen.New(v); true {"},
	{"a verdict on another interval is taken", "engine/delivery/machine.go", "!m.reported || number != uint64(m.closed.number)", "!m.reported"},
	{"what waits for a verdict is not saved", "engine/delivery/state.go", "	if m.reported {\n		m.closed.state(c)\n	}\n", ""},
	{"a report that is missing is waited for until the next one comes", "engine/governing/cluster.go", "	case slices.Contains(c.came, true):\n		c.decide(out)\n", ""},
	{"a verdict that was lost is not given again", "engine/governing/cluster.go", "		c.send(server, out)\n		return\n", "		return\n"},
	{"a resend that is due asks for no process", "engine/delivery/waiting.go", "			campaigns[campaign].ready++\n", ""},
	{"time to the end counts from the start of the run", "reports/runlog/destination.go", "at: v.at}", "at: 0}"},
	{"times to the end are lost at a checkpoint", "reports/runlog/destination.go", "	snap.Slice(c, &f.counts, snap.Int)\n", ""},
	{"resends count as first tries", "reports/runlog/recorder.go", "		d.Resent[s]++", "		d.First[s]++"},
	{"the first attempt begins when it ends", "reports/runlog/outcomes.go", "now.Add(-r.Took)", "now"},
	{"a recipient has had one try less", "reports/runlog/outcomes.go", "uint16(a.Try)+1", "uint16(a.Try)"},
	{"the time by which half are final is rounded down", "reports/runlog/destination.go", "return upTo(b), true", "return upTo(b-1), true"},
	{"d is not scaled by S", "governor/config.go", "return float64(perDay * hours / 24)", "return float64(perDay / 8)"},
	{"U is not applied to the step", "governor/patent.go", "return float64(g.step * utilization)", "return g.step"},
	{"U is taken of the new C", "governor/law.go", "d.Utilization = d.Allocated / g.available", "d.Utilization = d.Allocated / (g.available + g.step)"},
	{"C may fall by twice d", "governor/patent.go", "max(c-d.Step, d.Target)", "max(c-2*d.Step, d.Target)"},
	{"work under way counts as slow work", "governor/governor.go", "return float64(s.Attempts) * float64(s.AttemptTime.Hours()/s.Span.Hours())", "return s.Allocated"},
	{"the first interval of a burst of failures is believed", "governor/regulator.go", "if g.bursts == 1 {", "if g.bursts == 0-1 {"},
	{"C stays where attempts time out", "governor/regulator.go", "wanted = b.ceiling.retreat(c)", "wanted = min(wanted, c)"},
	{"the slope is never learned", "governor/scaling.go", "s.slope = min(max(s.slope+float64(s.both/spread*off), greatestFall), 0)", "s.slope += 0 * off"},
	{"there is no cliff", "governor/ceiling.go", "l.cliff, l.stood, l.wait = l.fell, 0, firstProbe", "l.stood, l.wait = 0, firstProbe"},
	{"C is rounded, not floored", "governor/governor.go", "math.Floor(", "math.Round("},
	{"ties go to the later attempt", "internal/evq/evq.go", "q.seq<<laneBits | uint64(lane)", "(maxSeq-q.seq)<<laneBits | uint64(lane)"},
	{"a wake-up comes before the completion of the same moment", "sim/server.go", "	case s.ends.PeekTime() == now:", "	case s.ends.PeekTime() == now && s.machine.NextWake() != now:"},
	{"a cap admits one more", "netmodel/receiver.go", "s.open >= r.facts.cap", "s.open > r.facts.cap"},
	{"a refused message costs no RSET", "engine/delivery/machine.go", "s.reset = c.Reply.Class() != mail.Delivered", "s.reset = false"},
	{"the load includes attempts that ended", "netmodel/model.go", "	m.busy--\n", "	m.busy -= int(t.gen & 1)\n"},
	{"due times are rounded down", "engine/delivery/waiting.go", "bucket := (due + vt.Time(w.grain) - 1) / vt.Time(w.grain)", "bucket := max(due/vt.Time(w.grain), w.next/vt.Time(w.grain)&0)"},
	{"resends of one moment are taken last first", "engine/delivery/waiting.go", "	if c.empty() {\n		c.first = place\n	} else {\n		w.resends[c.last].link = place\n	}\n	c.last = place", "	if c.empty() {\n		c.last = place\n	}\n	w.resends[place].link = c.first\n	c.first = place"},
	{"time-outs are stretched by load", "netmodel/network.go", "e.Took > patience {", "e.Took > stretched(patience, stretch) {"},
	{"a server that is done is woken at the end of the run", "sim/sim.go", "last = end - 1", "last = end"},
	{"servers of one run share their luck", "netmodel/network.go", "uint64(s)<<48 | uint64(d)<<32", "uint64(s)<<0 | uint64(d)<<32"},
	{"a bucket holds a message more", "netmodel/receiver.go", "full.Sub(now) > b.burst", "full.Sub(now) > b.burst+b.interval"},
	{"points fade as the rate does", "netmodel/receiver.go", "s.points.at(now, b.healTick)", "s.points.at(now, max(b.tick, 1))"},
	{"refused messages are not heard of", "netmodel/receiver.go", "	case refusal != 0:\n", "	case refusal != 0:\n		s.recent.sum--\n"},
	{"a tarpit is overlooked where nothing else happens", "netmodel/model.go", " || v.Tarpit != 0", ""},
	{"weather has no memory", "netmodel/receiver.go", "float64(b.carried*s.weather) + float64", "float64"},
	{"an outage counts against the cap", "netmodel/receiver.go", "c.counted = down == mail.NoFault && !c.refused", "c.counted = !c.refused"},
	{"a kept connection keeps its path", "netmodel/receiver.go", "		c.slow = r.slowness(now)\n	}\n	r.net.reroute(c, now)", "		c.slow = r.slowness(now)\n	}"},
	{"the second server has a receiver of its own", "netmodel/receiver.go", ".shared && s > 0", ".shared && s > 1"},
	{"of servers that share, the last comes first", "sim/sim.go", "at < next && !s.idle()", "(at < next || first != nil && at == next) && !s.idle()"},
	{"servers that share are run apart", "sim/sim.go", "watch != nil || len(s.Servers) > 1 &&", "watch != nil || len(s.Servers) > 2 &&"},
	{"a server that is cut off takes the others with it", "netmodel/receiver.go", "{r.net.servers[r.server].down, b.scheduled}", "{r.net.servers[0].down, b.scheduled}"},
	{"a file has its name before it is on the disk", "internal/durable/durable.go", "		err = f.Sync() // before", "		// before"},
	{"a folder is not written through", "internal/durable/durable.go", "	return d.syncFolder(filepath.Dir(name))\n}\n\nfunc create", "	return nil\n}\n\nfunc create"},
	{"plots are not written through", "internal/durable/folder.go", "for _, in := range folders {", "for _, in := range folders[:1] {"},
	{"a folder is replaced unasked", "internal/durable/folder.go", "if err := mayReplace(); err != nil {", "if err := mayReplace(); err != nil && d == nil {"},
	{"a line of progress fits any log", "internal/durable/log.go", `fmt.Fprintf(h, "%s\n%d\n", header, number)`, `fmt.Fprintf(h, "%d\n", number)`},
	{"a damaged line ends a log in silence", "internal/durable/log.go", "			return Lines{}, &Damage{name, n + 1, err.Error()}\n", "			break\n"},
	{"a line that was cut short stays", "internal/durable/log.go", "l.rewind(int64(len(text) - lines.Torn))", "l.rewind(int64(len(text)))"},
	{"a log that failed goes on", "internal/durable/log.go", "	if l.err != nil {\n		return l.err\n	}\n	if bytes", "	if bytes"},
	{"a log has two writers", "internal/durable/lock.go", "err = flock(f, syscall.LOCK_EX|syscall.LOCK_NB)", "err = flock(f, syscall.LOCK_SH|syscall.LOCK_NB)"},
	{"a lock of a folder is shared", "internal/durable/lock.go", "flock(f, syscall.LOCK_EX); err", "flock(f, syscall.LOCK_SH); err"},
	{"a file may be a byte too large", "internal/input/input.go", "	if int64(n) > b.left {\n", "	if int64(n) > b.left+1 {\n"},
	{"a device is a file", "internal/input/input.go", "if !info.Mode().IsRegular() {", "if !info.Mode().IsRegular() && info.Mode()&fs.ModeDevice == 0 {"},
	{"a chain may lack a record", "realrun/promotion/promotion.go", "case rec.Number != at || rec.Previous != last:", "case rec.Number != at:"},
	{"a record in the middle is sealed again", "realrun/promotion/promotion.go", "if errs := rec.Validate(); errs != nil {\n			return nil", "if errs := rec.Validate(); errs != nil && bytes.HasSuffix(text, line) {\n			return nil"},
	{"a key may stand twice in a record", "realrun/promotion/promotion.go", "case !bytes.Equal(body, rec.body()):", "case len(body) < 2:"},
	{"times fall along a chain", "realrun/promotion/promotion.go", "at > 1 && rec.At.Before(all[at-2].At)", "at > 9 && rec.At.Before(all[at-2].At)"},
	{"a clock that is behind makes an earlier record", "realrun/promotion/promotion.go", "			rec.At = before.At\n", ""},
	{"a promotion holds for ten years", "realrun/promotion/validate.go", "lasts <= Longest", "lasts <= 11*Longest"},
	{"a colour may stand in a note", "realrun/promotion/validate.go", "!strings.ContainsFunc(text, unicode.IsControl)", `key == "note" || !strings.ContainsFunc(text, unicode.IsControl)`},
	{"the head is not compared", "realrun/promotion/store.go", "if slices.Contains(allowed, last) {", "if len(allowed) > 0 || slices.Contains(allowed, last) {"},
	{"no head is a good head", "realrun/promotion/store.go", "case errors.Is(err, fs.ErrNotExist) && len(all) == 0:", "case errors.Is(err, fs.ErrNotExist):"},
	{"a head that was noted is not asked", "realrun/promotion/store.go", `	if head != "" {`, `	if head == "-" {`},
	{"the head is written after the chain alone", "realrun/promotion/store.go", "write(HeadFile(name), headText(before, after))", "write(HeadFile(name), headText(before))"},
	{"the head allows the chain as it was", "realrun/promotion/store.go", "write(HeadFile(name), headText(after))", "write(HeadFile(name), headText(before, after))"},
	{"another run is replaced", "reports/folder/folder.go", "!to.Replace && m.Attributes.differ(a) != nil", "!to.Replace && m.Attributes.differ(m.Attributes) != nil"},
	{"--force deletes what is not ours", "reports/folder/folder.go", "!d.IsDir() && !slices.Contains(ours, name)", "!to.Replace && !d.IsDir() && !slices.Contains(ours, name)"},
	{"another seed is the same run", "reports/folder/folder.go", "	note(a.Seed != b.Seed, \"seed\", a.Seed, b.Seed)\n", ""},
	{"what is no control character is printed", "cmd/flyball/terminal.go", "unicode.IsGraphic(r) && ", "!unicode.IsControl(r) && "},
	{"colours of others pass", "cmd/flyball/terminal.go", "if text[0] == '\\x1b' && colored {", "if text[0] == '\\x1b' {"},
	{"a race tests as if nobody else ran", "sim/tune/race.go", "level = alarm / (float64(s.tests) * float64(s.tests+1) * float64(len(field)-1))", "level = alarm"},
	{"a constraint that is missed counts as met", "sim/tune/race.go", "if !(over <= rounding) {", "if !(over <= 1) {"},
	{"held-out luck is the luck of the search", "sim/tune/judge.go", "study.FirstHeldOut+uint64(k)", "uint64(k)"},
	{"a scenario held out enters the score", "sim/tune/judge.go", "	b := &bench{Tuning: t, run: run}\n	s := &search", "	t.Training = len(t.Names)\n	b := &bench{Tuning: t, run: run}\n	s := &search"},
	{"the loss where the search was counts the scenarios held out", "sim/tune/judge.go", "here := losses(0, b.Training)", "here := losses(0, n)"},
	{"runs that are the same are made again for more seeds", "sim/tune/race.go", "		case as != nil:\n", "		case as != nil && seeds < 0:\n"},
	{"a flat direction is searched", "sim/tune/local.go", "t == nil || t == from ||", "t != from ||"},
	{"one seed shows that a parameter does not matter", "sim/tune/local.go", "range []int{1, n} {", "range []int{1} {"},
	{"a mean of counts has Student's interval, however skewed", "internal/stats/bounded.go", "in.Rare || n < Few || skewed > skewSeen || gathered(x)", "in.Rare || n < Few"},
	{"what was not seen is no worse than what was", "internal/stats/bounded.go", "above = min(above, x[n-1]+reach*(x[n-1]-median))", "above = x[n-1]"},
	{"nothing but zeros is certain", "internal/stats/bounded.go", "	if equal(x) && !in.Rare {\n		i.Low, i.High = math.Inf(-1), math.Inf(1)\n", "	if equal(x) && !in.Rare {\n"},
	{"an interval goes beyond what is possible", "internal/stats/bounded.go", "max(below, x[0]-reach", "min(x[0], x[0]-reach"},
	{"rare events are no worse than what was seen", "internal/stats/bounded.go", "	if !in.Rare || math.IsInf(above, 1) {\n", "	if true {\n"},
	{"weights are counted with the wrong side", "internal/stats/bounded.go", "float64(b/(a+b)*chance[j]) + float64(a/(a+b)*chance[j+1])", "float64(a/(a+b)*chance[j]) + float64(b/(a+b)*chance[j+1])"},
	{"each bound has the whole probability outside", "internal/stats/bounded.go", "gaffke(x, i, in, tail(level))", "gaffke(x, i, in, 2*tail(level))"},
	{"a run that was watched longer settles later than the horizon of all", "reports/ensemble/ensemble.go", "if t >= float64(s.Horizon) {", "if math.IsInf(t, 1) {"},
	{"outages by chance are not expected to be rare", "reports/ensemble/ensemble.go", "Rare: s.OutagesByChance()", "Rare: false"},
	{"settling times that never came have a mean", "reports/ensemble/ensemble.go", "if never := count(values, func(v float64) bool { return math.IsInf(v, 1) }); never > 0 {", "if never := count(values, func(v float64) bool { return math.IsInf(v, 1) }); never < 0 {"},
	{"more are delivered than were mailed", "reports/ensemble/ensemble.go", "in.Most = mailed\n", "in.Most = all\n"},
	{"a list that is not finished has an end", "reports/ensemble/words.go", "	case e.Replications:\n		return \"the end", "	default:\n		return \"the end"},
	{"what is not finished ends at the horizon in a comparison", "reports/compare/compare.go", `m.Name == "end" && s.unfinished`, "false"},
	{"laws that disagree are said to agree", "reports/laws/text.go", "	if len(names) < 2 {", "	if len(names) < 9 {"},
	{"a horizon is the first end of a study", "reports/study/study.go", "|| p.Never[k] > 0 {\n				continue", "{\n				continue"},
	{"the rate of a sweep stands alone", "scenarios/study/design.go", "	s.Metrics = beside(s.Config)\n", ""},
	{"the horizon ends the run a moment early", "sim/server.go", "if next > until {", "if next >= until {"},
	{"a gate passes over what NEW lacks", "reports/compare/gate.go", "Failed: len(c.Uncompared) > 0}", "Failed: false}"},
	{"other luck is left out in silence", "reports/compare/compare.go", `		c.leaveOut(b.Scenario, "BASE has seed`, `		c.note("BASE has seed`},
	{"an inconclusive gate passes", "reports/compare/gate.go", "(allowInconclusive || !v.Inconclusive())", "(allowInconclusive || true)"},
	{"a blind gate passes", "reports/compare/gate.go", "(v.Open || v.Blind > 0)", "v.Open"},
	{"a value and its limit look alike", "reports/format/words.go", "if v == limit || text != Figure(limit) && text != Given(limit) {", "if v == limit || text != Given(limit) {"},
	{"a mean has a digit too many", "reports/format/words.go", "max(0, 3-int(", "max(0, 4-int("},
	{"the horizon is told as the end", "reports/run/words.go", `e.Metric == "end_h" && r.Totals.Pending > 0`, `e.Metric == "end_h" && r.Totals.Pending > 1_000_000`},
	{"an ordered max is a failure", "reports/run/words.go", "governor.AtMax.String()", "governor.AtCeiling.String()"},
	{"a stopped run has failed", "reports/run/words.go", `failed = "Not settled when it was stopped"`, `failed = "Did not converge" + ""`},
	{"the fleet's rate is its first server's", "reports/run/words.go", "rate += float64(s.Rate)", "rate = float64(s.Rate)"},
	{"gaps between campaigns are not shaded", "reports/run/figures.go", "			closed(row.End - row.Hours*3600)\n", "			short = false\n"},
	{"any table is as good as the parent", "scenarios/unknown.go", "	for i, t := range slices.Backward(around) {\n		if _, ok", "	for i, t := range around {\n		if _, ok"},
	{"what stands elsewhere is missing too", "scenarios/unknown.go", "			b.mention(below(t.path, name)) // it is not missing there: it is here\n", ""},
	{"all problems are shown", "scenarios/problem.go", "max(0, len(faults)-mostShown)", "0"},
}

// TestMutants plants each mistake and runs the checks against it. It takes
// minutes, so it runs when asked: FLYBALL_MUTANTS=1 stops at the first check
// that sees a mutant, FLYBALL_MUTANTS=all runs every check against every mutant.
func TestMutants(t *testing.T) {
	mode := os.Getenv("FLYBALL_MUTANTS")
	if mode == "" {
		t.Skip("set FLYBALL_MUTANTS=1 to plant mistakes and see them caught; it takes minutes")
	}
	caught := make([]string, len(mutants))
	known := caughtLast(t)
	t.Run("planted", func(t *testing.T) {
		for i, m := range mutants {
			t.Run(m.name, func(t *testing.T) {
				t.Parallel() // to build a test uses less than one core for much of its time
				caught[i] = catch(t, m, known[m.name], mode == "all")
			})
		}
	})
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "mistake\twhere\tcaught by")
	for i, m := range mutants {
		fmt.Fprintf(table, "%s\t%s\t%s\n", m.name, m.file, caught[i])
	}
	table.Flush()
	t.Logf("\n%s", out.String())
	if file := os.Getenv("FLYBALL_MUTANTS_OUT"); file != "" {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// caughtLast tells by which check a mutant was caught when the results were
// last written. To ask that one first saves building the cheaper ones that pass.
func caughtLast(t *testing.T) map[string]string {
	table, err := os.ReadFile("docs/results/mutants.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{}
	for _, m := range mutants {
		for line := range strings.Lines(string(table)) {
			if strings.HasPrefix(line, m.name+"  ") {
				known[m.name] = line[strings.LastIndex(line, "  ")+2 : len(line)-1]
			}
		}
	}
	return known
}

// catch runs the checks against a mutant, first the one named, until one sees
// it or all of them, and names those that did.
func catch(t *testing.T, m mutant, first string, all bool) string {
	overlay := plant(t, m)
	var caught []string
	asked := slices.Clone(checks)
	if i := slices.IndexFunc(checks, func(c check) bool { return c.name == first }); i > 0 {
		asked = slices.Insert(slices.Delete(asked, i, i+1), 0, checks[i])
	}
	for _, c := range asked {
		args := append([]string{"test", "-count=1", "-vet=off", "-failfast", "-timeout=120s", "-overlay=" + overlay}, c.args...)
		check := exec.Command("go", args...)
		check.Env = append(os.Environ(), "FLYBALL_SEED=") // always the same random scenarios: what they catch is no luck
		output, err := check.CombinedOutput()
		switch {
		case err == nil:
			continue
		case strings.Contains(string(output), "[build failed]"):
			t.Fatalf("%s does not compile:\n%s", m.name, output)
		}
		caught = append(caught, c.name)
		if !all {
			break
		}
	}
	if caught == nil {
		t.Errorf("nothing catches: %s (%s)", m.name, m.file)
		return "NOTHING"
	}
	return strings.Join(caught, ", ")
}

// plant writes the mutated file beside the tree and tells the compiler to take
// it instead. Every mutant must still fit the code.
func plant(t *testing.T, m mutant) (overlay string) {
	t.Helper()
	src, err := os.ReadFile(m.file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(src), m.old); n != 1 {
		t.Fatalf("mutant %q: %s has %d places like %q, want 1: the code has moved on, move the mutant", m.name, m.file, n, m.old)
	}
	dir := t.TempDir()
	mutated := filepath.Join(dir, filepath.Base(m.file))
	if err := os.WriteFile(mutated, []byte(strings.Replace(string(src), m.old, m.new, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	original, err := filepath.Abs(m.file)
	if err != nil {
		t.Fatal(err)
	}
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {original: mutated}})
	if err != nil {
		t.Fatal(err)
	}
	overlay = filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, replace, 0o644); err != nil {
		t.Fatal(err)
	}
	return overlay
}

// Mutants that no longer fit the code are found at once, not in the slow run.
func TestMutantsFitTheCode(t *testing.T) {
	for _, m := range mutants {
		plant(t, m)
	}
}
