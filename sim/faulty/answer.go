package faulty

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"flyball/internal/vt"
)

// The types of records (RFC 1035 3.2.2, RFC 3596) that mail needs.
const (
	typeA     = 1
	typeNS    = 2
	typeCNAME = 5
	typeSOA   = 6
	typeMX    = 15
	typeAAAA  = 28
)

// question is a name, in lower case and with its last dot, and a type.
type question struct {
	name string
	kind uint16
}

// message returns the bytes of the question with an id (RFC 1035 4.1).
func (q question) message(id uint16) []byte {
	b := binary.BigEndian.AppendUint16(nil, id)
	b = append(b, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0)
	for rest := q.name; rest != "." && rest != ""; {
		n := 0
		for rest[n] != '.' {
			n++
		}
		b = append(append(b, byte(n)), rest[:n]...)
		rest = rest[n+1:]
	}
	b = append(b, 0)
	return append(binary.BigEndian.AppendUint16(b, q.kind), 0, 1)
}

// found is what an answer tells about a question.
type found struct {
	knows     bool // what there is or is not, else nothing is known
	none      bool // there is no such name
	came      bool // an answer
	asked     bool
	alias     string // to which the question has to be put; empty: none
	mx        []exchanger
	addresses []netip.Addr
	odd       bool // a record of the type cannot be read
	holds     vt.Span
}

// exchanger is an MX record.
type exchanger struct {
	preference uint16
	host       string
}

// record is a record of a message.
type record struct {
	name     string
	kind     uint16
	ttl      vt.Span
	from, to int // its data
}

// text is a message that is read.
type text struct {
	b  []byte
	at int
	ok bool
}

// number reads a number of two bytes.
func (t *text) number() int {
	if t.at+2 > len(t.b) {
		t.ok = false
		return 0
	}
	t.at += 2
	return int(t.b[t.at-2])<<8 | int(t.b[t.at-1])
}

// name reads a name (RFC 1035 3.1, 4.1.4): letters in lower case, and what no host name has as a number.
func (t *text) name() (name string) {
	at, size, behind := t.at, 1, -1
	for jumps := 0; ; {
		if at >= len(t.b) {
			t.ok = false
			return ""
		}
		n := int(t.b[at])
		at++
		switch {
		case n == 0:
			if t.at = at; behind >= 0 {
				t.at = behind
			}
			if name == "" {
				return "."
			}
			return name
		case n < 64 && at+n <= len(t.b) && size+n+1 <= 255:
			for _, c := range t.b[at : at+n] {
				switch {
				case 'A' <= c && c <= 'Z':
					name += string(c + 'a' - 'A')
				case 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_':
					name += string(c)
				default:
					name += fmt.Sprintf("\\%03d", c)
				}
			}
			name += "."
			at, size = at+n, size+n+1
		case n >= 192 && at < len(t.b) && jumps < 100:
			if behind < 0 {
				behind = at + 1
			}
			at = (n-192)<<8 | int(t.b[at])
			jumps++
		default:
			t.ok = false
			return ""
		}
	}
}

// section reads n records.
func (t *text) section(n int) (all []record) {
	for range n {
		r := record{name: t.name(), kind: uint16(t.number())}
		class := t.number()
		ttl := uint32(t.number())<<16 | uint32(t.number())
		if ttl < 1<<31 { // RFC 2181 8
			r.ttl = vt.Span(ttl) * vt.Second
		}
		size := t.number()
		r.from, r.to = t.at, t.at+size
		if t.ok = t.ok && r.to <= len(t.b); !t.ok {
			return nil
		}
		if t.at = r.to; class == 1 {
			all = append(all, r)
		}
	}
	return all
}

// readAnswer reads a message as the answer to a question with an id. It reports whether it is one at all, and whether
// it is cut.
func readAnswer(b []byte, q question, id uint16) (f found, is, cut bool) {
	t := text{b: b, ok: true}
	got, flags := t.number(), t.number()
	questions, answers, authority := t.number(), t.number(), t.number()
	t.number()
	if !t.ok || got != int(id) || flags>>11 != 0b10000 { // a response, and to a query
		return f, false, false
	}
	code := flags & 15
	denies := code == 3
	switch {
	case questions == 0 && code != 0 && !denies:
		return found{came: true}, true, false
	case questions != 1:
		return f, false, false
	}
	if name, kind, class := t.name(), t.number(), t.number(); !t.ok || name != q.name || kind != int(q.kind) ||
		class != 1 {
		return f, false, false
	}
	if flags&(1<<9) != 0 {
		return f, true, true
	}
	f.came = true
	if code != 0 && !denies {
		return f, true, false
	}
	all := t.section(answers)
	if !t.ok {
		return f, true, false
	}
	said := t.section(authority)
	return t.judge(q, denies, all, said), true, false
}

// longestHold, longestLack and mostAliases bound what an answer may ask for.
const longestHold, longestLack, mostAliases = vt.Day, 3 * vt.Hour, 8

// judge returns what records say about a question.
func (t *text) judge(q question, denies bool, all, said []record) (f found) {
	f.came = true
	at, holds := q.name, longestHold
	for n := 0; ; n++ {
		i := slices.IndexFunc(all, func(r record) bool { return r.kind == typeCNAME && r.name == at })
		if i < 0 {
			break
		}
		to, ok := t.nameIn(all[i], 0)
		if !ok || n == mostAliases {
			return f
		}
		at, holds = to, min(holds, all[i].ttl)
	}
	lack, ofZone := vt.Span(0), false
	for _, r := range said {
		if r.kind == typeSOA && !ofZone {
			ofZone = true
			if r.to-r.from >= 4 { // RFC 2308 5
				lack = vt.Span(binary.BigEndian.Uint32(t.b[r.to-4:])) * vt.Second
				if lack > vt.Span(1<<31-1)*vt.Second {
					lack = 0
				}
				lack = min(lack, r.ttl, longestLack)
			}
		}
	}
	if denies {
		f.knows, f.none, f.holds = true, true, min(holds, lack)
		return f
	}
	servers := false
	for _, r := range all {
		data := t.b[r.from:r.to]
		if r.name != at || r.kind != q.kind {
			continue
		}
		read := true
		switch to, ok := t.nameIn(r, 2); {
		case r.kind == typeA && len(data) == 4, r.kind == typeAAAA && len(data) == 16:
			a, _ := netip.AddrFromSlice(data)
			f.addresses = append(f.addresses, a)
		case r.kind == typeMX && ok:
			f.mx = append(f.mx, exchanger{binary.BigEndian.Uint16(data), to})
		case r.kind == typeNS:
			servers = true
		default:
			f.odd, read = true, false
		}
		if read {
			holds = min(holds, r.ttl)
		}
	}
	refers := slices.ContainsFunc(said, func(r record) bool { return r.kind == typeNS })
	switch {
	case len(f.mx)+len(f.addresses) > 0 || servers:
		f.knows, f.holds = true, holds
	case f.odd:
	case ofZone:
		f.knows, f.holds = true, min(holds, lack)
	case at != q.name:
		f.knows, f.alias, f.holds = true, at, holds
	default:
		f.knows = !refers && len(all) == 0
	}
	return f
}

// nameIn reads the name that ends the data of a record, after some bytes.
func (t *text) nameIn(r record, after int) (name string, ok bool) {
	if r.to-r.from <= after {
		return "", false
	}
	in := text{b: t.b[:r.to], at: r.from + after, ok: true}
	name = in.name()
	return name, in.ok && in.at == r.to
}
