package delivery_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"flyball/engine"
	"flyball/engine/delivery"
	"flyball/engine/delivery/retry"
	"flyball/governor"
	"flyball/governor/feedback"
	"flyball/internal/mail"
	"flyball/internal/replies"
	"flyball/internal/script"
	"flyball/internal/unit"
	"flyball/internal/vt"
)

// TestScript plays testdata/*.txt (package script) against a machine. Effects are printed in
// order, with the time in front: the observer's calls, then the actions.
//
//	machine available=3 limit=2 delays=10s,1m interval=3h messages=100
//	        offers=0,2                               messages per connection by destination
//	        bounce=fail ambiguous=hold list=aab      a new machine at time 0; each recipient's destination,
//	                                                 or list=20 for 20 recipients at one destination
//	        send=2:3600/h:60/h:5:1s+9s,...            keys of [destination.send] by destination: connections, rate,
//	                                                 connection_rate, burst, delays
//	        rows=slow:source:10m:0.5,hold::1m,...     reply table of all destinations: reaction, scope, for, share
//	        rows=suspend:source:10m::1@3/1h,...      then return, and behind an @ after/within
//	        servers=2                                number of servers that may react
//	        policy=dfr low=5 dfr_above=7 ...         keys of [retry]; table=0.9/4/7,1/7/5 for its rows
//	        free=at-interval victim=newest shorten=2 keys of [freeing], free being its policy
//	        each=postfix-feedback initial=2 most=9   keys of [governor.destination], each being its law, most its max
//	        positive=1/N cohorts=0 revive=5m parked=4
//	governor 3 2 5                                   C after the next decisions; the last one stays
//	receive from=0 to=10 processes=5 subset=4 priority=1 rate=60/h mailing=1
//	        resends=7:2:10s,8:0:0s                   recipients with the tries that they had and when they are due
//	withdraw                                         recipients in no attempt are taken back
//	complete slot=1 code=250 at=dot [gen=7] [row=1]  gen: of that generation of the slot; row of the reply table
//	react row=1 to=b began=5s                        another server got a reply of destination b
//	complete slot=0-9 fault=drop at=rcpt             ten slots, one after the other
//	        together=true                            a verdict decides its intervals
//	        tell=demand                              intervals are printed with the mean demand
//	advance 10s                                      time passes; wakes that are due come on the way
//	advance report                                   the same, up to the next report
//	verdict interval=0 attempts=10 delivered=4       sums over all servers in the interval
//	sleep 10s                                        time passes without a wake
//	wake
//	stop
//	state
func TestScript(t *testing.T) {
	script.Test(t, func(at *script.Stage) func(string) {
		s := &stage{Stage: at}
		return func(line string) { s.command(strings.Fields(line)) }
	})
}

// stage is a machine with everything it talks to. It is the machine's governor
// and its observer.
type stage struct {
	*script.Stage
	now       vt.Time
	m         *delivery.Machine
	out       engine.Outbox
	received  int                  // reservations
	gens      map[mail.Slot]uint32 // the last attempt of each slot
	available float64
	next      []float64 // decisions to come
	demand    bool      // print the mean demand
}

func (s *stage) command(words []string) {
	args := map[string]string{}
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		args[key] = value
	}
	number := func(key string, otherwise int) int {
		text, ok := args[key]
		if !ok {
			return otherwise
		}
		n, err := strconv.Atoi(text)
		s.Must(err)
		return n
	}
	switch words[0] {
	case "machine":
		s.machine(args, number)
	case "governor":
		s.next = nil
		for _, w := range words[1:] {
			c, err := strconv.ParseFloat(w, 64)
			s.Must(err)
			s.next = append(s.next, c)
		}
	case "receive":
		s.received++
		var rate unit.PerHour
		if text, ok := args["rate"]; ok {
			s.Must(rate.UnmarshalText([]byte(text)))
		}
		s.m.Receive(s.now, message(number("number", s.received),
			engine.Reserve{From: mail.Recipient(number("from", 0)), To: mail.Recipient(number("to", 0)),
				Processes: number("processes", 1), Subset: number("subset", 1), Priority: number("priority", 0),
				Rate: rate, Mailing: uint32(number("mailing", 0)),
				Resends: engine.PackResends(s.resends(args["resends"]))}),
			&s.out)
		s.perform()
	case "complete":
		first, last, ranged := strings.Cut(args["slot"], "-")
		if !ranged {
			last = first
		}
		from, err := strconv.Atoi(first)
		s.Must(err)
		to, err := strconv.Atoi(last)
		s.Must(err)
		code := 250
		if args["fault"] != "" {
			code = 0
		}
		reply := mail.Reply{Took: vt.Second, Code: uint16(number("code", code)), Stage: mail.StageDot,
			Row: uint16(number("row", 0))}
		if at, ok := args["at"]; ok {
			if reply.Stage, ok = mail.StageNamed(at); !ok {
				s.T.Fatalf("line %d: no stage %q", s.Line, at)
			}
		}
		if fault, ok := args["fault"]; ok {
			if reply.Fault, ok = mail.FaultNamed(fault); !ok {
				s.T.Fatalf("line %d: no fault %q", s.Line, fault)
			}
		}
		for slot := mail.Slot(from); slot <= mail.Slot(to); slot++ {
			gen := uint32(number("gen", int(s.gens[slot])))
			s.m.Complete(s.now, &mail.Completion{Reply: reply, Slot: slot, Gen: gen}, &s.out)
			s.perform()
		}
	case "advance":
		until, reported := vt.Never, false
		if words[1] != "report" {
			until = s.now.Add(s.span(words[1]))
		}
		for s.m.NextWake() <= until && !reported {
			s.now = s.m.NextWake()
			s.m.Wake(s.now, nil, &s.out)
			reported = s.perform() && until == vt.Never
		}
		if until != vt.Never {
			s.now = until
		}
	case "verdict":
		s.m.Receive(s.now, message(number("interval", 0), engine.Verdict{Attempts: uint64(number("attempts", 0)),
			Delivered: uint64(number("delivered", 0))}), &s.out)
		s.perform()
	case "react":
		m := message(0, engine.React{Dest: mail.Destination(args["to"][0] - 'a'),
			Row: uint16(number("row", 1)), Began: vt.Time(s.span(args["began"]))})
		m.From = engine.Address{Role: engine.Delivery, Server: 1}
		s.m.Receive(s.now, m, &s.out)
		s.perform()
	case "sleep":
		s.now = s.now.Add(s.span(words[1]))
	case "wake":
		s.m.Wake(s.now, nil, &s.out)
		s.perform()
	case "withdraw":
		s.m.Receive(s.now, engine.Message{Body: engine.Withdraw{}}, &s.out)
		s.perform()
	case "stop":
		s.m.Receive(s.now, engine.Message{Body: engine.Stop{}}, &s.out)
		s.m.Wake(s.now, nil, &s.out)
		s.perform()
	case "state":
		s.tell("available %d, allocated %d, reservable %d, left %d, next wake %s, done %v",
			s.m.Available(), s.m.Allocated(), s.m.Reservable(), s.m.Left(), s.m.NextWake(), s.m.Done())
	default:
		s.T.Fatalf("line %d: unknown command %q", s.Line, words[0])
	}
}

func (s *stage) machine(args map[string]string, number func(string, int) int) {
	text := func(key, otherwise string) string {
		if v, ok := args[key]; ok {
			return v
		}
		return otherwise
	}
	resends := retry.Default()
	resends.Limit = number("limit", 10)
	resends.Bounce, resends.Ambiguous = text("bounce", resends.Bounce), text("ambiguous", resends.Ambiguous)
	if delays, ok := args["delays"]; ok {
		resends.Delays = nil
		for _, d := range strings.Split(delays, ",") {
			resends.Delays = append(resends.Delays, s.span(d))
		}
	}
	s.moving(&resends, args, number)
	freeing := delivery.DefaultFreeing()
	freeing.Policy, freeing.Victim = text("free", freeing.Policy), text("victim", freeing.Victim)
	freeing.Shorten = number("shorten", 0)
	each := s.each(args, number)
	for _, err := range slices.Concat(resends.Validate(), freeing.Validate(), each.Validate()) {
		s.Must(err)
	}
	var dest []mail.Destination
	if n, err := strconv.Atoi(args["list"]); err == nil {
		dest = make([]mail.Destination, n)
	} else {
		for _, d := range args["list"] {
			dest = append(dest, mail.Destination(d-'a'))
		}
	}
	s.demand = args["tell"] == "demand"
	s.received = 0
	s.now, s.gens, s.next = 0, map[mail.Slot]uint32{}, nil
	s.available = float64(number("available", 1))
	list := mail.ReadList(dest)
	destinations := 1
	for _, d := range dest {
		destinations = max(destinations, int(d)+1)
	}
	var offers []int
	if t, ok := args["offers"]; ok {
		for _, n := range strings.Split(t, ",") {
			number, err := strconv.Atoi(n)
			s.Must(err)
			offers = append(offers, number)
		}
	}
	s.m = delivery.New(delivery.Config{
		Replies: s.rows(args["rows"], destinations), Servers: number("servers", 1), Offers: offers,
		Send: s.send(args["send"]), Retry: resends, Freeing: freeing,
		Destination: each, Destinations: destinations, Messages: number("messages", 100),
		Interval: s.span(text("interval", "3h")),
		Target:   s.targets(args["targets"]), Together: args["together"] == "true"}, &list, s, s)
}

// send reads the sender's own policies: 2:3600/h:60/h:5:1s+9s,0:0/h:0/h:1.
func (s *stage) send(text string) (all []mail.Send) {
	for one := range strings.SplitSeq(text, ",") {
		var v mail.Send
		words := strings.Split(one, ":")
		if words[0] != "" {
			var err error
			v.Connections, err = strconv.Atoi(words[0])
			s.Must(err)
			s.Must(v.Rate.UnmarshalText([]byte(words[1])))
			s.Must(v.ConnectionRate.UnmarshalText([]byte(words[2])))
			v.Burst, err = strconv.Atoi(words[3])
			s.Must(err)
		}
		if len(words) > 4 {
			for d := range strings.SplitSeq(words[4], "+") {
				v.Delays = append(v.Delays, s.span(d))
			}
		}
		all = append(all, v)
	}
	return all
}

// rows reads slow:source:10m:0.5,hold::1m, the table of each destination.
func (s *stage) rows(text string, destinations int) []replies.Table {
	var table replies.Table
	for one := range strings.SplitSeq(text, ",") {
		one, after, _ := strings.Cut(one, "@")
		words := append(strings.Split(one, ":"), "", "", "", "")
		r := replies.Row{Reaction: words[0], Scope: words[1]}
		if words[2] != "" {
			r.For = s.span(words[2])
		}
		if words[3] != "" {
			var err error
			r.Share, err = strconv.ParseFloat(words[3], 64)
			s.Must(err)
		}
		if words[4] != "" {
			var err error
			r.Return, err = strconv.Atoi(words[4])
			s.Must(err)
		}
		if after != "" {
			number, within, _ := strings.Cut(after, "/")
			var err error
			r.After, err = strconv.Atoi(number)
			s.Must(err)
			r.Within = s.span(within)
		}
		table = append(table, r)
	}
	if text == "" {
		return nil
	}
	return slices.Repeat([]replies.Table{table}, destinations)
}

// targets reads 0s/100,25m/200: a target from a time on.
func (s *stage) targets(text string) func(vt.Time) float64 {
	if text == "" {
		return nil
	}
	return func(now vt.Time) (target float64) {
		for _, step := range strings.Split(text, ",") {
			at, rate, _ := strings.Cut(step, "/")
			if now >= vt.Time(s.span(at)) {
				var err error
				target, err = strconv.ParseFloat(rate, 64)
				s.Must(err)
			}
		}
		return target
	}
}

// each is the law of every destination.
func (s *stage) each(args map[string]string, number func(string, int) int) governor.Destination {
	d := governor.DefaultDestination()
	if law, ok := args["each"]; ok {
		d.Law = law
	}
	d.Initial, d.Max, d.Parked = number("initial", d.Initial), number("most", d.Max), number("parked", d.Parked)
	for key, v := range map[string]*feedback.Amount{"positive": &d.Positive, "negative": &d.Negative} {
		if t, ok := args[key]; ok {
			s.Must(v.UnmarshalText([]byte(t)))
		}
	}
	if t, ok := args["cohorts"]; ok {
		c, err := strconv.ParseFloat(t, 64)
		s.Must(err)
		d.Cohorts = c
	}
	if t, ok := args["revive"]; ok {
		d.Revive = s.span(t)
	}
	return d
}

// moving sets the policy that moves the limit, and the greatest age.
func (s *stage) moving(r *retry.Config, args map[string]string, number func(string, int) int) {
	text := func(v *string, key string) {
		if t, ok := args[key]; ok {
			*v = t
		}
	}
	float := func(v *float64, key string) {
		if t, ok := args[key]; ok {
			x, err := strconv.ParseFloat(t, 64)
			s.Must(err)
			*v = x
		}
	}
	text(&r.Policy, "policy")
	text(&r.When, "when")
	text(&r.Scope, "scope")
	text(&r.Schedule, "schedule")
	float(&r.LoadAbove, "load_above")
	float(&r.LoadBelow, "load_below")
	float(&r.DFRAbove, "dfr_above")
	float(&r.DFRBelow, "dfr_below")
	float(&r.Late, "late")
	float(&r.Loss, "loss")
	r.Low, r.Processes = number("low", r.Low), number("processes", r.Processes)
	r.MinAttempts, r.Dwell = number("min_attempts", r.MinAttempts), number("dwell", r.Dwell)
	r.RestoreAfter = number("restore_after", r.RestoreAfter)
	r.Probe = number("probe", r.Probe)
	r.Inverse = args["inverse"] == "true"
	if t, ok := args["memory"]; ok {
		r.Memory = s.span(t)
	}
	if t, ok := args["max_age"]; ok {
		r.MaxAge = s.span(t)
	}
	if t, ok := args["greylist_delay"]; ok {
		r.GreylistDelay = s.span(t)
	}
	if t, ok := args["table"]; ok {
		for _, text := range strings.Split(t, ",") {
			var row retry.Row
			_, err := fmt.Sscanf(text, "%g/%g/%d", &row.Allocated, &row.DFR, &row.Limit)
			s.Must(err)
			r.Table = append(r.Table, row)
		}
	}
}

func (s *stage) span(text string) vt.Span {
	d, err := vt.ParseSpan(text)
	s.Must(err)
	return d
}

func (s *stage) tell(format string, args ...any) {
	fmt.Fprintf(&s.Told, "%-6s %s\n", s.now, fmt.Sprintf(format, args...))
}

// perform prints the machine's actions, but only the first of many attempts. It
// returns whether the machine has sent a report.
func (s *stage) perform() (reported bool) {
	for _, slot := range s.out.Close {
		s.tell("slot %d hangs up", slot)
	}
	for i, a := range s.out.Start {
		s.gens[a.Slot] = a.Gen
		switch {
		case i >= 6 && i < len(s.out.Start)-1:
		case i >= 6:
			s.tell("... and %d more, up to slot %d", len(s.out.Start)-6, a.Slot)
		default:
			s.tell("slot %d starts r%d, try %d, %s to %c", a.Slot, a.Rcpt, a.Try, a.Conn, 'a'+rune(a.Dest))
		}
	}
	for _, m := range s.out.Send {
		if r, ok := m.Body.(engine.React); ok {
			s.tell("tells server %d: row %d at %c, to an attempt of %s", m.To.Server, r.Row,
				'a'+rune(r.Dest), r.Began)
			continue
		}
		r := m.Body.(engine.Report)
		s.tell("reports interval %d: %d delivered of %d attempts", m.Number, r.Sample.Delivered, r.Sample.Attempts)
	}
	reported = slices.ContainsFunc(s.out.Send, func(m engine.Message) bool { return m.To.Role == engine.Governing })
	s.out.Clear()
	return reported
}

func (s *stage) Available() float64 { return s.available }

func (s *stage) Decide(governor.Sample) governor.Decision {
	d := governor.Decision{Previous: s.available}
	if len(s.next) > 0 {
		s.available, s.next = s.next[0], s.next[1:]
	}
	d.Available = s.available
	return d
}

func (s *stage) Ended(now vt.Time, a *mail.Attempt, r *mail.Reply, status mail.Status) {
	end := strconv.Itoa(int(r.Code))
	if r.Fault != mail.NoFault {
		end = r.Fault.String()
	}
	s.tell("slot %d ended r%d, try %d: %s at %s, %s", a.Slot, a.Rcpt, a.Try, end, r.Stage, status)
}

func (s *stage) Interval(now vt.Time, _ mail.Server, i engine.Interval) {
	var notes string
	if i.Partial {
		notes += ", partial"
	}
	if i.Draining {
		notes += ", draining"
	}
	if i.TargetRate > 0 {
		notes += fmt.Sprintf(", target %g", i.TargetRate)
		if !i.Partial {
			notes += fmt.Sprintf(", then %g", i.Sample.TargetRate)
		}
	}
	if s.demand {
		notes += fmt.Sprintf(", %.6g wanted", i.Sample.Demand)
	}
	if i.Freed > 0 {
		notes += fmt.Sprintf(", %d freed, %d handed back", i.Freed, i.HandedBack)
	}
	s.tell("interval %d: %s, %d delivered of %d attempts, %.6g allocated, C %g -> %g, retry limit %d%s", i.Number,
		i.Sample.Span,
		i.Sample.Delivered, i.Sample.Attempts, i.Sample.Allocated, i.Decision.Previous, i.Decision.Available,
		i.RetryLimit, notes)
	for d, v := range i.Destinations {
		s.tell("  %c: limit %d, the mean of %d attempts %.4g, %.4g under way, %d parked", 'a'+rune(d), v.Limit,
			v.Attempts, float64(v.Limits)/float64(max(v.Attempts, 1)), v.Busy, v.Parked)
	}
}

// resends reads recipients with their tries and due times: 7:2:10s,8:0:0s.
func (s *stage) resends(text string) (all []engine.Resend) {
	for part := range strings.SplitSeq(text, ",") {
		if words := strings.Split(part, ":"); len(words) == 3 {
			rcpt, err := strconv.Atoi(words[0])
			s.Must(err)
			try, err := strconv.Atoi(words[1])
			s.Must(err)
			var due vt.Span
			s.Must(due.UnmarshalText([]byte(words[2])))
			all = append(all, engine.Resend{Rcpt: mail.Recipient(rcpt), Try: mail.Try(try), Due: vt.Time(due)})
		}
	}
	return all
}
