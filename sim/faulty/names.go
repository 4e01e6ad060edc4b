package faulty

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"flyball/internal/fault"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
)

// resolver finds the hosts of a script's domains by its name server: RFC 5321 5.1 and RFC 7505 in virtual time.
type resolver struct {
	receiver *fault.Receiver
	patience vt.Span
	kept     map[question]*answered
	told     []vt.Time // when the name server told what there is or is not
	number   uint16    // of questions
}

// answered is a question that was asked: its answer comes at a time and is kept until another.
type answered struct {
	found
	at, until vt.Time
}

// A failure is kept for failed. The root is asked for if a question has to be repeated, or fails: a name server that
// does not know it either fails for all domains.
const failed = 30 * vt.Second

var root = question{".", typeNS}

// The exchangers that are asked for in all and at once, and the addresses that an attempt tries.
const mostHosts, hostsAtOnce, mostAddresses = 20, 5, 5

// ask puts a question to the name server.
func (r *resolver) ask(now vt.Time, q question) (f found, at vt.Time) {
	if r.receiver.Closed() {
		return found{}, now
	}
	r.number++
	f, at = r.overUDP(now, q, r.number)
	f.asked = true
	if f.knows {
		r.told = append(r.told, at)
	}
	return f, at
}

// overUDP asks over UDP, again after half of the patience, and over TCP if the answer is cut.
func (r *resolver) overUDP(now vt.Time, q question, id uint16) (found, vt.Time) {
	end := now.Add(r.patience)
	var come []event
	for sent := now; sent < end; sent = sent.Add(r.patience / 2) {
		if sent > now && q != root {
			r.get(sent, vt.Never, root)
		}
		t := sent
		for _, a := range r.receiver.Asked(q.message(id), "", "udp") {
			switch a.Verb {
			case fault.Wait:
				t = t.Add(a.For)
			case fault.Send:
				come = append(come, event{t, a.Text})
			}
		}
		slices.SortStableFunc(come, func(a, b event) int { return cmp.Compare(a.at, b.at) })
		for _, e := range come {
			f, is, cut := readAnswer([]byte(e.text), q, id)
			switch {
			case e.at >= min(end, sent.Add(r.patience/2)):
			case is && cut:
				return r.overTCP(max(e.at, sent), end, q, id)
			case is:
				return f, max(e.at, sent)
			}
		}
	}
	return found{}, end
}

func (r *resolver) overTCP(now, end vt.Time, q question, id uint16) (found, vt.Time) {
	for _, a := range r.receiver.Asked(q.message(id), "", "tcp") {
		switch a.Verb {
		case fault.Wait:
			now = now.Add(a.For)
		case fault.Silence:
			return found{}, end
		case fault.Send:
			if now >= end {
				return found{}, end
			}
			f, is, cut := readAnswer([]byte(a.Text), q, id)
			if !is || cut {
				f = found{}
			}
			f.came = true
			return f, now
		}
	}
	return found{came: true}, min(now, end)
}

// get returns the answer to a question and when it is there, at most until end.
func (r *resolver) get(now, end vt.Time, q question) (found, vt.Time) {
	k := r.kept[q]
	if k == nil || now >= k.until {
		if now >= end {
			return found{asked: true}, now
		}
		k = &answered{at: vt.Never, until: vt.Never} // until it is known
		r.kept[q] = k
		k.found, k.at = r.ask(now, q)
		switch {
		case !k.asked:
			k.holds = 0
		case !k.knows, q == root:
			k.holds = failed
		}
		k.until = k.at.Add(k.holds)
	}
	if k.at > end {
		return found{asked: true}, end
	}
	return k.found, max(now, k.at)
}

// follow returns the answer after all aliases.
func (r *resolver) follow(now, end vt.Time, q question) (f found, at vt.Time) {
	for range mostAliases {
		f, now = r.get(now, end, q)
		if f.alias == "" {
			return f, now
		}
		q.name = f.alias
	}
	return found{came: true, asked: true}, now
}

// route is where one attempt may deliver, or how the look-up ended.
type route struct {
	to     []netip.Addr
	fault  mail.Fault
	status string // RFC 3463
	at     vt.Time
}

// usable reports whether a name can be the one of a host.
func usable(name string) bool {
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	last := labels[len(labels)-1]
	return len(name) <= 254 && !strings.Contains(name, `\`) && strings.Trim(last, "0123456789") != "" &&
		!slices.ContainsFunc(labels, func(l string) bool {
			return l == "" || len(l) > 63 || strings.HasPrefix(l, "-") || strings.HasSuffix(l, "-")
		})
}

// route looks a domain up for the try of a recipient.
func (r *resolver) route(now vt.Time, domain string, a *mail.Attempt) route {
	began, end := now, now.Add(r.patience)
	domain = strings.ToLower(domain) + "."
	if !usable(domain) {
		return route{fault: mail.NoName, status: "5.1.2", at: now}
	}
	f, now := r.follow(now, end, question{domain, typeMX})
	never := func(status string) route { return route{fault: mail.NoName, status: status, at: now} }
	all := f.mx
	switch {
	case !f.knows:
		return r.unknown(began, now, f)
	case f.none:
		return never("5.1.2")
	case len(all) == 0:
		all = []exchanger{{0, domain}}
	default:
		null := slices.ContainsFunc(all, func(e exchanger) bool { return e.host == "." })
		all = slices.DeleteFunc(slices.Clone(all), func(e exchanger) bool { return e.host == "." })
		if null && len(all) == 0 && !f.odd {
			return never("5.1.10")
		}
		self := 1 << 16
		for _, e := range all {
			if e.host == fault.Self+"." {
				self = min(self, int(e.preference))
			}
		}
		if slices.ContainsFunc(f.mx, func(e exchanger) bool { return int(e.preference) < self }) || self == 1<<16 {
			all = slices.DeleteFunc(all, func(e exchanger) bool { return int(e.preference) >= self || !usable(e.host) })
		} else {
			return never("5.4.6")
		}
		switch {
		case len(all) == 0 && f.odd:
			return r.unknown(began, now, found{came: true, asked: true})
		case len(all) == 0:
			return never("5.4.4")
		}
		all = inOrder(all, f.mx, a)
	}
	return r.addresses(began, now, all)
}

// inOrder returns exchangers by preference, each once, and equal ones by draws, which are those of names in their
// alphabetical order in the whole answer.
func inOrder(all, answer []exchanger, a *mail.Attempt) []exchanger {
	var names []string
	for _, e := range answer {
		names = append(names, e.host)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	draw := func(host string) uint32 {
		key := rng.New(1, 0)
		i, _ := slices.BinarySearch(names, host)
		w, _, _, _ := key.Words(uint64(a.Rcpt), uint32(a.Try), 1<<16+rng.Purpose(i))
		return w
	}
	slices.SortFunc(all, func(a, b exchanger) int {
		return cmp.Or(cmp.Compare(a.preference, b.preference), cmp.Compare(draw(a.host), draw(b.host)),
			strings.Compare(a.host, b.host))
	})
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(e exchanger) bool {
		again := seen[e.host]
		seen[e.host] = true
		return again
	})
}

// addresses returns the route through exchangers.
func (r *resolver) addresses(began, now vt.Time, all []exchanger) route {
	end := began.Add(r.patience)
	to := route{}
	var doubt *found // about an exchanger without address
	if len(all) > mostHosts {
		all, doubt = all[:mostHosts], &found{came: true, asked: true}
	}
	for len(all) > 0 && len(to.to) < mostAddresses {
		batch := all[:min(len(all), hostsAtOnce)]
		all = all[len(batch):]
		asked := now
		for _, e := range batch {
			four, at4 := r.follow(asked, end, question{e.host, typeA})
			six, at6 := r.follow(asked, end, question{e.host, typeAAAA})
			now = max(now, at4, at6)
			before := len(to.to)
			for i := range max(len(four.addresses), len(six.addresses)) {
				for _, family := range [][]netip.Addr{four.addresses, six.addresses} {
					if i < len(family) && reachable(family[i]) {
						to.to = append(to.to, family[i].Unmap())
					}
				}
			}
			if len(to.to) > before {
				continue
			}
			for _, f := range []found{four, six} {
				if !f.knows && (doubt == nil || worse(f) >= worse(*doubt)) {
					doubt = &f
				}
			}
		}
	}
	switch {
	case len(to.to) > 0:
		to.to, to.at = chosen(to.to), now
		return to
	case doubt != nil:
		return r.unknown(began, now, *doubt)
	}
	return route{fault: mail.NoName, status: "5.4.4", at: now}
}

// worse returns how little is known by an answer.
func worse(f found) int {
	switch {
	case !f.asked:
		return 2
	case !f.came:
		return 1
	}
	return 0
}

func reachable(a netip.Addr) bool {
	a = a.Unmap()
	return a.String() != "0.0.0.0" && a.String() != "::" && a.String() != "255.255.255.255" && !a.IsMulticast()
}

// chosen returns the addresses that an attempt may try, the last one of the other family if all are of one.
func chosen(all []netip.Addr) (to []netip.Addr) {
	var rest []netip.Addr
	for _, a := range all {
		switch {
		case slices.Contains(to, a):
		case len(to) < mostAddresses:
			to = append(to, a)
		default:
			rest = append(rest, a)
		}
	}
	for _, a := range rest {
		if !slices.ContainsFunc(to, func(b netip.Addr) bool { return b.Is4() == a.Is4() }) {
			to[mostAddresses-1] = a
		}
	}
	return to
}

// unknown returns the end of a look-up that has found nothing out, with the answer f: the domain's, or the name
// server's own if that has told nothing about any name.
func (r *resolver) unknown(began, now vt.Time, f found) route {
	since := began
	if f.came {
		since = min(since, now.Add(-failed))
	}
	told := slices.ContainsFunc(r.told, func(at vt.Time) bool { return at >= since && at <= now })
	if f.asked && !told {
		control, at := r.get(now, began.Add(r.patience), root)
		told, now = control.knows, at
	}
	end := route{fault: mail.ServFail, status: "4.4.3", at: now}
	switch {
	case !f.asked || !told:
		end.fault = mail.NoResolver
	case !f.came:
		end.fault = mail.Timeout
	}
	return end
}

// hostAt returns the number of the host that has an address; 0 if none has it.
func hostAt(s *fault.Script, at netip.Addr) (number int) {
	if at == netip.IPv6Loopback() {
		return 1
	}
	if n, _ := fmt.Sscanf(at.String(), "127.0.0.%d", &number); n != 1 || number > s.Hosts {
		return 0
	}
	return number
}
