package names

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"flyball/internal/vt"
)

// status is what an answer says about a name and a type.
type status uint8

const (
	found   status = iota // there are records of the type
	noData                // the name exists, without records of the type
	noName                // the name does not exist
	failed                // the server could not or would not find out
	silent                // no answer came in time
	unasked               // this computer could not ask, or nothing listens where the server should
)

// answer is the answer to one question.
type answer struct {
	status     status
	alias      string // where the chain of aliases leads on, if the server did not follow it; else empty
	exchangers []exchanger
	addresses  []netip.Addr
	servers    int     // name servers
	broken     int     // records of the type that cannot be read, and are left out
	ttl        vt.Span // for which the answer holds; 0: for one look-up
}

// exchanger is an MX record.
type exchanger struct {
	preference uint16
	host       string // in lower case, with its last dot
}

// The times for which an answer is kept, whatever it demands.
const (
	mostTTL      = vt.Day         // assumed: resolvers cap at a day or a week
	mostNegative = 3 * vt.Hour    // RFC 2308 5: one to three hours
	failureTTL   = 30 * vt.Second // of a failure; RFC 2308 7.1: at most 5 minutes
	mostAliases  = 8              // in one look-up
	headerSize   = 12             // RFC 1035 4.1.1
	fixedSize    = 10             // of a record, between its name and its data: RFC 1035 4.1.3
	maxMessage   = dns.MaxMsgSize // over TCP
	maxDatagram  = 4096           // without EDNS an answer has at most 512 bytes (RFC 1035 4.2.1)
)

// question is a name, in lower case with its last dot, and a type.
type question struct {
	name string
	kind uint16
}

// match is how a message relates to a question that was asked with an id.
type match uint8

const (
	other     match = iota // something else: to be ignored
	truncated              // the answer, cut: to be asked for over TCP
	whole                  // the answer
)

// read reads a message that came back for q. Records that cannot be read or that
// do not belong to the question are left out.
func read(message []byte, q question, id uint16) (answer, match) {
	if len(message) < headerSize || binary.BigEndian.Uint16(message) != id {
		return answer{}, other
	}
	flags := binary.BigEndian.Uint16(message[2:])
	const response, opcode, cut = 1 << 15, 15 << 11, 1 << 9
	if flags&response == 0 || flags&opcode != 0 {
		return answer{}, other
	}
	rcode := int(flags & 15)
	p := parser{message: message, off: headerSize}
	switch binary.BigEndian.Uint16(message[4:]) {
	case 0: // a server that does not understand the question need not repeat it
		if rcode == dns.RcodeSuccess || rcode == dns.RcodeNameError {
			return answer{}, other
		}
		return answer{status: failed}, whole
	case 1:
		name, ok := p.name()
		if !ok || name != q.name || len(message)-p.off < 4 ||
			binary.BigEndian.Uint16(message[p.off:]) != q.kind ||
			binary.BigEndian.Uint16(message[p.off+2:]) != dns.ClassINET {
			return answer{}, other
		}
		p.off += 4
	default:
		return answer{}, other
	}
	if flags&cut != 0 {
		return answer{}, truncated
	}
	if rcode != dns.RcodeSuccess && rcode != dns.RcodeNameError {
		return answer{status: failed}, whole
	}
	records, ok := p.records(int(binary.BigEndian.Uint16(message[6:])))
	if !ok {
		return answer{status: failed}, whole
	}
	authority, ok := p.records(int(binary.BigEndian.Uint16(message[8:])))
	if !ok {
		authority = nil
	}
	return judge(message, q, rcode, records, authority), whole
}

// judge returns what the records of an answer say about q.
func judge(message []byte, q question, rcode int, records, authority []record) (a answer) {
	ttl := mostTTL
	at := q.name
	for hops := 0; q.kind != dns.TypeCNAME; hops++ {
		target, held, ok := aliasOf(message, at, records)
		if !ok {
			break
		}
		if hops == mostAliases || target == "" {
			return answer{status: failed}
		}
		at, ttl = target, min(ttl, held)
	}
	if rcode == dns.RcodeNameError {
		return answer{status: noName, ttl: min(ttl, negative(message, authority))}
	}
	for _, r := range records {
		if r.name != at || r.kind != q.kind {
			continue
		}
		if a.add(message, r) {
			ttl = min(ttl, r.ttl)
		} else {
			a.broken++
		}
	}
	switch {
	case len(a.exchangers)+len(a.addresses)+a.servers > 0:
		a.status, a.ttl = found, ttl
	case a.broken > 0:
		a.status = failed
	case has(authority, dns.TypeSOA):
		a.status, a.ttl = noData, min(ttl, negative(message, authority))
	case at != q.name:
		a.alias, a.ttl = at, ttl
	case has(authority, dns.TypeNS), len(records) > 0: // a referral: the server does not recurse; or beside the point
		a.status = failed
	default:
		a.status = noData
	}
	return a
}

// aliasOf returns the target of the alias that at is, and for how long it holds; the
// target is empty if it cannot be read.
func aliasOf(message []byte, at string, records []record) (target string, ttl vt.Span, ok bool) {
	for _, r := range records {
		if r.kind == dns.TypeCNAME && r.name == at {
			p := parser{message: message[:r.end], off: r.data}
			target, ok := p.name()
			if !ok || p.off != r.end {
				target = ""
			}
			return target, r.ttl, true
		}
	}
	return "", 0, false
}

// add adds a record to the answer; it reports false if its data cannot be read.
func (a *answer) add(message []byte, r record) bool {
	data := message[r.data:r.end]
	switch {
	case r.kind == dns.TypeA && len(data) == 4, r.kind == dns.TypeAAAA && len(data) == 16:
		addr, _ := netip.AddrFromSlice(data)
		a.addresses = append(a.addresses, addr)
		return true
	case r.kind == dns.TypeNS:
		a.servers++
		return true
	case r.kind == dns.TypeMX && len(data) > 2:
		p := parser{message: message[:r.end], off: r.data + 2}
		host, ok := p.name()
		if ok && p.off == r.end {
			a.exchangers = append(a.exchangers, exchanger{binary.BigEndian.Uint16(data), host})
			return true
		}
	}
	return false
}

// negative returns for how long it holds that something does not exist: the lesser of
// the TTL and the MINIMUM of the SOA record (RFC 2308 5), or 0 without one.
func negative(message []byte, authority []record) vt.Span {
	for _, r := range authority {
		if r.kind != dns.TypeSOA || r.end-r.data < 4 {
			continue
		}
		minimum := span(binary.BigEndian.Uint32(message[r.end-4:]))
		return min(r.ttl, minimum, mostNegative)
	}
	return 0
}

func has(records []record, kind uint16) bool {
	for _, r := range records {
		if r.kind == kind {
			return true
		}
	}
	return false
}

// span returns a TTL; one whose first bit is set counts as 0 (RFC 2181 8).
func span(ttl uint32) vt.Span {
	if ttl > 1<<31-1 {
		return 0
	}
	return vt.Span(ttl) * vt.Second
}

// parser reads a message from off on.
type parser struct {
	message []byte
	off     int
}

// record is a record whose data are message[data:end].
type record struct {
	name      string
	kind      uint16
	ttl       vt.Span
	data, end int
}

// name reads a name and returns it in lower case, with its last dot.
func (p *parser) name() (string, bool) {
	name, off, err := dns.UnpackDomainName(p.message, p.off)
	if err != nil || off > len(p.message) {
		return "", false
	}
	p.off = off
	return strings.ToLower(name), true
}

// records reads n records, of which those of another class are left out. It reports
// false if it cannot find where one ends.
func (p *parser) records(n int) ([]record, bool) {
	var all []record
	for range n {
		name, ok := p.name()
		if !ok || len(p.message)-p.off < fixedSize {
			return nil, false
		}
		fixed := p.message[p.off:]
		r := record{name: name, kind: binary.BigEndian.Uint16(fixed), ttl: span(binary.BigEndian.Uint32(fixed[4:])),
			data: p.off + fixedSize}
		r.end = r.data + int(binary.BigEndian.Uint16(fixed[8:]))
		if r.end > len(p.message) {
			return nil, false
		}
		p.off = r.end
		if binary.BigEndian.Uint16(fixed[2:]) == dns.ClassINET {
			all = append(all, r)
		}
	}
	return all, true
}
