package names

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"flyball/internal/mail"
	"flyball/internal/vt"
)

// edited answers with records, of whose packed message a text is replaced.
func edited(old, new string, all ...string) reply {
	return func(asked *dns.Msg, _ string) [][]byte {
		packed := pack(answered(asked, all...))
		if !bytes.Contains(packed[0], []byte(old)) {
			panic(fmt.Sprintf("the message has no %q", old))
		}
		return [][]byte{bytes.Replace(packed[0], []byte(old), []byte(new), 1)}
	}
}

// chain returns the aliases a0 -> a1 -> ... -> an.
func chain(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("a%d.test. 60 IN CNAME a%d.test.", i, i+1))
	}
	return all
}

// changed answers with records, in a message that edit changes.
func changed(edit func(m *dns.Msg), all ...string) reply {
	return func(asked *dns.Msg, _ string) [][]byte {
		m := answered(asked, all...)
		edit(m)
		return pack(m)
	}
}

// as gives the first record, whose type is unknown, another type.
func as(kind uint16) func(*dns.Msg) {
	return func(m *dns.Msg) { m.Answer[0].(*dns.RFC3597).Hdr.Rrtype = kind }
}

// Every misbehaviour of name servers that the catalogue of faults has, with the
// candidates or the class of the end that it must lead to: P for certain never, T for
// maybe later. The domain is d.test if the case names no other.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	noData := nothing(dns.RcodeSuccess, 60, 60)
	mx := records("d.test. 60 IN MX 10 mx.test.")
	two := records("d.test. 60 IN MX 10 m1.test.", "d.test. 60 IN MX 20 m2.test.")
	a := func(host string, n int) reply { return records(fmt.Sprintf("%s. 60 IN A 192.0.2.%d", host, n)) }
	good := zone{"mx.test A": a("mx.test", 1), "mx.test": noData}
	with := func(more zone) zone {
		z := zone{}
		for k, v := range good {
			z[k] = v
		}
		for k, v := range more {
			z[k] = v
		}
		return z
	}
	const isMX = "mx.test 192.0.2.1"
	forged := func(edit func(*dns.Msg)) reply { // a forged answer comes before the right one
		return func(asked *dns.Msg, _ string) [][]byte {
			m := answered(asked, "d.test. 60 IN MX 10 evil.test.")
			edit(m)
			return append(pack(m), pack(answered(asked, "d.test. 60 IN MX 10 mx.test."))...)
		}
	}
	overTCP := func(answer reply) reply { // the answer over UDP is cut
		return func(asked *dns.Msg, network string) [][]byte {
			if network == "udp" {
				m := answered(asked, "d.test. 60 IN MX 10 half.test.")
				m.Truncated = true
				return pack(m)
			}
			return answer(asked, network)
		}
	}
	for _, c := range []struct {
		name, domain string
		zone         zone
		want         string
		asked        string // all questions; empty: not checked
		silent       bool   // the patience is short, since a server keeps silent
	}{
		{name: "D01 the domain does not exist", zone: zone{"d.test A": a("d.test", 9),
			"d.test MX": nothing(dns.RcodeNameError, 60, 60)}, want: "P 5.1.2", asked: "d.test MX"},
		{name: "D01 without an SOA record", zone: zone{"d.test MX": code(dns.RcodeNameError)}, want: "P 5.1.2"},
		{name: "D02 SERVFAIL", zone: zone{"d.test": code(dns.RcodeServerFailure)}, want: "T 4.4.3", asked: "d.test MX"},
		{name: "D02 REFUSED", zone: zone{"d.test": code(dns.RcodeRefused)}, want: "T 4.4.3"},
		{name: "D02 FORMERR", zone: zone{"d.test": code(dns.RcodeFormatError)}, want: "T 4.4.3"},
		{name: "D02 NOTIMP", zone: zone{"d.test": code(dns.RcodeNotImplemented)}, want: "T 4.4.3"},
		{name: "D02 an unknown code", zone: zone{"d.test": code(11)}, want: "T 4.4.3"},
		{name: "D02 a bare header", zone: zone{"d.test": changed(func(m *dns.Msg) {
			m.Rcode, m.Question = dns.RcodeFormatError, nil
		})}, want: "T 4.4.3"},
		{name: "D02 a referral", zone: zone{"d.test": changed(func(m *dns.Msg) {
			m.Ns = answered(m, "test. 60 IN NS ns.test.").Answer
		})}, want: "T 4.4.3"},
		{name: "D02 records beside the point", zone: zone{"d.test": records("x.test. 60 IN MX 10 mx.test.")},
			want: "T 4.4.3"},
		{name: "D02 at the address of the exchanger", zone: zone{"d.test MX": mx,
			"mx.test": code(dns.RcodeServerFailure)}, want: "T 4.4.3"},
		{name: "D02 at the addresses of one family", zone: zone{"d.test MX": mx, "mx.test A": noData,
			"mx.test AAAA": code(dns.RcodeServerFailure)}, want: "T 4.4.3"},
		{name: "D02 at one of two exchangers", zone: zone{"d.test MX": two, "m1.test": code(dns.RcodeServerFailure),
			"m2.test A": a("m2.test", 2), "m2.test": noData}, want: "m2.test 192.0.2.2"},
		{name: "D02 at one, the other does not exist", zone: zone{"d.test MX": two,
			"m1.test": code(dns.RcodeServerFailure)}, want: "T 4.4.3"},
		{name: "D02 at the address of a domain without exchanger", zone: zone{"d.test MX": noData,
			"d.test": code(dns.RcodeServerFailure)}, want: "T 4.4.3"},
		{name: "D03 silence", zone: zone{"d.test": silence}, want: "T 4.4.3 time-out", silent: true,
			asked: "d.test MX, d.test MX"},
		{name: "D03 silence about the exchanger", zone: zone{"d.test MX": mx, "mx.test": silence},
			want: "T 4.4.3 time-out", silent: true},
		{name: "D03 only forged answers", zone: zone{"d.test": changed(func(m *dns.Msg) { m.Id++ },
			"d.test. 60 IN MX 10 mx.test.")}, want: "T 4.4.3 time-out", silent: true},
		{name: "D04 no exchanger", zone: zone{"d.test A": a("d.test", 3), "d.test": noData}, want: "d.test 192.0.2.3"},
		{name: "D04 no exchanger, and no SOA record", zone: zone{"d.test A": a("d.test", 3),
			"d.test": code(dns.RcodeSuccess)}, want: "d.test 192.0.2.3"},
		{name: "D04 no exchanger, over IPv6", zone: zone{"d.test AAAA": records("d.test. 60 IN AAAA 2001:db8::3"),
			"d.test": noData}, want: "d.test 2001:db8::3"},
		{name: "D04 neither exchanger nor address", zone: zone{"d.test": noData}, want: "P 5.4.4",
			asked: "d.test A, d.test AAAA, d.test MX"},
		{name: "D05 no exchanger exists", zone: zone{"d.test MX": two, "d.test A": a("d.test", 9)}, want: "P 5.4.4",
			asked: "d.test MX, m1.test A, m1.test AAAA, m2.test A, m2.test AAAA"},
		{name: "D05 the exchanger has no address", zone: zone{"d.test MX": mx, "mx.test": noData,
			"d.test A": a("d.test", 9)}, want: "P 5.4.4"},
		{name: "D05 one of two does not exist", zone: zone{"d.test MX": two, "m2.test A": a("m2.test", 2)},
			want: "m2.test 192.0.2.2"},
		{name: "D07 an alias", zone: with(zone{"d.test MX": records("d.test. 60 IN CNAME e.test.",
			"e.test. 60 IN MX 10 mx.test.")}), want: isMX, asked: "d.test MX, mx.test A, mx.test AAAA"},
		{name: "D07 records in any order and case", zone: with(zone{"d.test MX": records(
			"E.TEST. 60 IN MX 10 MX.TEST.", "D.test. 60 IN CNAME e.Test.")}), want: isMX},
		{name: "D07 an alias that the server leaves", zone: with(zone{"d.test": records("d.test. 60 IN CNAME e.test."),
			"e.test MX": records("e.test. 60 IN MX 10 mx.test.")}), want: isMX,
			asked: "d.test MX, e.test MX, mx.test A, mx.test AAAA"},
		{name: "D07 an alias of what does not exist", zone: zone{"d.test": changed(func(m *dns.Msg) {
			m.Rcode = dns.RcodeNameError
		}, "d.test. 60 IN CNAME e.test.")}, want: "P 5.1.2"},
		{name: "D07 an alias of a host", zone: zone{"d.test": records("d.test. 60 IN CNAME e.test."),
			"e.test A": a("e.test", 4), "e.test": noData}, want: "d.test 192.0.2.4"},
		{name: "D07 eight aliases", domain: "a0.test", zone: with(zone{"a0.test MX": records(append(chain(8),
			"a8.test. 60 IN MX 10 mx.test.")...)}), want: isMX},
		{name: "D07 nine aliases", domain: "a0.test", zone: with(zone{"a0.test MX": records(append(chain(9),
			"a9.test. 60 IN MX 10 mx.test.")...)}), want: "T 4.4.3"},
		{name: "D07 an alias of itself", zone: zone{"d.test": records("d.test. 60 IN CNAME d.test.")}, want: "T 4.4.3"},
		{name: "D07 a loop of aliases", zone: zone{"d.test": records("d.test. 60 IN CNAME e.test.",
			"e.test. 60 IN CNAME d.test.")}, want: "T 4.4.3"},
		{name: "D07 a loop through the server", zone: zone{"d.test": records("d.test. 60 IN CNAME e.test."),
			"e.test": records("e.test. 60 IN CNAME d.test.")}, want: "T 4.4.3"},
		{name: "D07 an alias without target", zone: zone{"d.test": edited("\x01e\x04test\x00", "\x40e\x04test\x00",
			"d.test. 60 IN CNAME e.test.")}, want: "T 4.4.3"},
		{name: "D09 the exchanger is an alias", zone: zone{"d.test MX": mx, "mx.test A": records(
			"mx.test. 60 IN CNAME h.test.", "h.test. 60 IN A 192.0.2.5"), "mx.test": noData},
			want: "mx.test 192.0.2.5"},
		{name: "D09 the exchanger is an alias of itself", zone: zone{"d.test MX": mx,
			"mx.test": records("mx.test. 60 IN CNAME mx.test.")}, want: "T 4.4.3"},
		{name: "D10 null MX", zone: zone{"d.test MX": records("d.test. 60 IN MX 0 ."), "d.test A": a("d.test", 9)},
			want: "P 5.1.10", asked: "d.test MX"},
		{name: "D10 null MX with a preference", zone: zone{"d.test MX": records("d.test. 60 IN MX 10 .")},
			want: "P 5.1.10"},
		{name: "D10 null MX beside an exchanger", zone: with(zone{"d.test MX": records("d.test. 60 IN MX 0 .",
			"d.test. 60 IN MX 10 mx.test.")}), want: isMX},
		{name: "D10 null MX behind an alias", zone: zone{"d.test MX": records("d.test. 60 IN CNAME e.test.",
			"e.test. 60 IN MX 0 .")}, want: "P 5.1.10"},
		{name: "D12 the exchanger is an address", zone: zone{"d.test MX": records("d.test. 60 IN MX 10 192.0.2.1.")},
			want: "P 5.4.4", asked: "d.test MX"},
		{name: "D12 the exchanger is an address of IPv6", zone: zone{"d.test MX": records(
			"d.test. 60 IN MX 10 2001:db8::1.")}, want: "P 5.4.4", asked: "d.test MX"},
		{name: "D12 the exchanger is an address literal", zone: zone{"d.test MX": records(
			`d.test. 60 IN MX 10 \[192.0.2.1\].`)}, want: "P 5.4.4", asked: "d.test MX"},
		{name: "D12 one of two is an address", zone: with(zone{"d.test MX": records("d.test. 60 IN MX 5 192.0.2.7.",
			"d.test. 60 IN MX 10 mx.test.")}), want: isMX, asked: "d.test MX, mx.test A, mx.test AAAA"},
		{name: "D14 the sender is an exchanger", zone: with(zone{"d.test MX": records("d.test. 60 IN MX 10 mx.test.",
			"d.test. 60 IN MX 20 SENDER.test.", "d.test. 60 IN MX 20 m2.test.", "d.test. 60 IN MX 30 m3.test."),
			"m2.test": a("m2.test", 2), "m3.test": a("m3.test", 3)}), want: isMX},
		{name: "D14 the sender is the best exchanger", zone: zone{"d.test MX": records(
			"d.test. 60 IN MX 10 sender.test.", "d.test. 60 IN MX 20 m2.test."), "m2.test": a("m2.test", 2)},
			want: "P 5.4.6", asked: "d.test MX"},
		{name: "D17 only IPv6", zone: with(zone{"d.test MX": mx, "mx.test A": noData,
			"mx.test AAAA": records("mx.test. 60 IN AAAA 2001:db8::1")}), want: "mx.test 2001:db8::1"},
		{name: "D17 both families in turn", zone: with(zone{"d.test MX": mx,
			"mx.test A":    records("mx.test. 60 IN A 192.0.2.1", "mx.test. 60 IN A 192.0.2.2"),
			"mx.test AAAA": records("mx.test. 60 IN AAAA 2001:db8::1")}),
			want: "mx.test 192.0.2.1, mx.test 2001:db8::1, mx.test 192.0.2.2"},
		{name: "D17 many of one family, one of the other", zone: zone{"d.test MX": two,
			"m1.test A": records("m1.test. 60 IN A 192.0.2.1", "m1.test. 60 IN A 192.0.2.2",
				"m1.test. 60 IN A 192.0.2.3", "m1.test. 60 IN A 192.0.2.4", "m1.test. 60 IN A 192.0.2.5",
				"m1.test. 60 IN A 192.0.2.6"),
			"m2.test AAAA": records("m2.test. 60 IN AAAA 2001:db8::2"), "m1.test": noData, "m2.test": noData},
			want: "m1.test 192.0.2.1, m1.test 192.0.2.2, m1.test 192.0.2.3, m1.test 192.0.2.4, m2.test 2001:db8::2"},
		{name: "D20 an address of three bytes", zone: zone{"d.test MX": mx, "mx.test": noData, "mx.test A": edited(
			"\x00\x04\xc0\x00\x02\x01", "\x00\x03\xc0\x00\x02", "mx.test. 60 IN A 192.0.2.1")}, want: "T 4.4.3"},
		{name: "D20 an address of three bytes before another", zone: with(zone{"d.test MX": mx, "mx.test A": edited(
			"\x00\x04\xc0\x00\x02\x09", "\x00\x03\xc0\x00\x02", "mx.test. 60 IN A 192.0.2.9",
			"mx.test. 60 IN A 192.0.2.1")}), want: isMX},
		{name: "D20 an address of IPv6 of four bytes", zone: with(zone{"d.test MX": mx, "mx.test AAAA": changed(
			as(dns.TypeAAAA), `mx.test. 60 IN TYPE65280 \# 4 c0000209`)}), want: isMX},
		{name: "D20 an exchanger without name", zone: zone{"d.test MX": changed(as(dns.TypeMX),
			`d.test. 60 IN TYPE65280 \# 2 000a`)}, want: "T 4.4.3"},
		{name: "D20 an exchanger with a byte too many", zone: zone{"d.test MX": changed(as(dns.TypeMX),
			`d.test. 60 IN TYPE65280 \# 7 000a026d780000`)}, want: "T 4.4.3"},
		{name: "D20 a label of 64 bytes", zone: with(zone{"d.test MX": edited("\x02m9\x04test\x00",
			"\x42m9\x04test\x00", "d.test. 60 IN MX 10 m9.test.")}), want: "T 4.4.3"},
		{name: "D20 a label of 64 bytes before another exchanger", zone: with(zone{"d.test MX": edited(
			"\x02m9\x04test\x00", "\x42m9\x04test\x00", "d.test. 60 IN MX 5 m9.test.",
			"d.test. 60 IN MX 10 mx.test.")}),
			want: isMX, asked: "d.test MX, mx.test A, mx.test AAAA"},
		{name: "D20 a name that ends in the next record", zone: with(zone{"d.test MX": edited("\x02m9\x04test\x00",
			"\x02m9\x05test\x00", "d.test. 60 IN MX 5 m9.test.", "d.test. 60 IN MX 10 mx.test.")}), want: isMX},
		{name: "D20 a pointer to itself", zone: with(zone{"d.test MX": func(asked *dns.Msg, _ string) [][]byte {
			b := pack(answered(asked, "d.test. 60 IN MX 5 m9.test.", "d.test. 60 IN MX 10 mx.test."))[0]
			at := bytes.Index(b, []byte("\x02m9\x04test\x00"))
			copy(b[at:], []byte{0xc0, byte(at), 0})
			return [][]byte{b}
		}}), want: isMX},
		{name: "D20 NUL in a name", zone: with(zone{"d.test MX": records(`d.test. 60 IN MX 5 m\000x.test.`,
			"d.test. 60 IN MX 10 mx.test.")}), want: isMX, asked: "d.test MX, mx.test A, mx.test AAAA"},
		{name: "D20 NUL in the only name", zone: zone{"d.test MX": records(`d.test. 60 IN MX 5 m\000x.test.`)},
			want: "P 5.4.4"},
		{name: "D20 other bytes in a name", zone: with(zone{"d.test MX": records(`d.test. 60 IN MX 1 m\ x.test.`,
			`d.test. 60 IN MX 2 m\010x.test.`, `d.test. 60 IN MX 3 m\200x.test.`, `d.test. 60 IN MX 4 m\.x.test.`,
			`d.test. 60 IN MX 5 \*.test.`, `d.test. 60 IN MX 6 -m.test.`, "d.test. 60 IN MX 10 mx.test.")}), want: isMX,
			asked: "d.test MX, mx.test A, mx.test AAAA"},
		{name: "D20 more records promised than sent", zone: with(zone{"d.test MX": func(asked *dns.Msg,
			_ string) [][]byte {
			b := pack(answered(asked, "d.test. 60 IN MX 10 mx.test."))[0]
			b[7] = 9
			return [][]byte{b}
		}}), want: "T 4.4.3"},
		{name: "D20 cut in the middle", zone: with(zone{"d.test MX": func(asked *dns.Msg, _ string) [][]byte {
			b := pack(answered(asked, "d.test. 60 IN MX 10 mx.test."))[0]
			return [][]byte{b[:len(b)-3]}
		}}), want: "T 4.4.3"},
		{name: "D20 another class", zone: with(zone{"d.test MX": records("d.test. 60 CH MX 5 evil.test.",
			"d.test. 60 IN MX 10 mx.test.")}), want: isMX},
		{name: "D20 addresses of no host", zone: with(zone{"d.test MX": mx, "mx.test A": records(
			"mx.test. 60 IN A 0.0.0.0", "mx.test. 60 IN A 224.0.0.1", "mx.test. 60 IN A 255.255.255.255",
			"mx.test. 60 IN A 192.0.2.1"),
			"mx.test AAAA": records("mx.test. 60 IN AAAA ::", "mx.test. 60 IN AAAA ff02::1")}), want: isMX},
		{name: "D20 no address of a host", zone: with(zone{"d.test MX": mx, "mx.test A": records(
			"mx.test. 60 IN A 0.0.0.0")}), want: "P 5.4.4"},
		{name: "D20 an address of another host", zone: with(zone{"d.test MX": mx, "mx.test A": records(
			"evil.test. 60 IN A 192.0.2.66", "mx.test. 60 IN A 192.0.2.1")}), want: isMX},
		{name: "cut over UDP", zone: with(zone{"d.test MX": overTCP(mx)}), want: isMX,
			asked: "d.test MX, d.test MX over TCP, mx.test A, mx.test AAAA"},
		{name: "cut over TCP too", zone: zone{"d.test MX": changed(func(m *dns.Msg) { m.Truncated = true },
			"d.test. 60 IN MX 10 mx.test.")}, want: "T 4.4.3"},
		{name: "silence over TCP", zone: zone{"d.test MX": overTCP(silence)}, want: "T 4.4.3"},
		{name: "another id over TCP", zone: zone{"d.test MX": overTCP(changed(func(m *dns.Msg) { m.Id++ },
			"d.test. 60 IN MX 10 mx.test."))}, want: "T 4.4.3"},
		{name: "another question over TCP", zone: zone{"d.test MX": overTCP(changed(func(m *dns.Msg) {
			m.Question[0].Name = "e.test."
		}, "d.test. 60 IN MX 10 mx.test."))}, want: "T 4.4.3"},
		{name: "does not exist, over TCP", zone: zone{"d.test MX": overTCP(code(dns.RcodeNameError))}, want: "P 5.1.2"},
		{name: "another id", zone: with(zone{"d.test MX": forged(func(m *dns.Msg) { m.Id++ })}), want: isMX},
		{name: "another question", zone: with(zone{"d.test MX": forged(func(m *dns.Msg) {
			m.Question[0].Name = "e.test."
		})}), want: isMX},
		{name: "another type", zone: with(zone{"d.test MX": forged(func(m *dns.Msg) {
			m.Question[0].Qtype = dns.TypeA
		})}), want: isMX},
		{name: "another class of question", zone: with(zone{"d.test MX": forged(func(m *dns.Msg) {
			m.Question[0].Qclass = dns.ClassCHAOS
		})}), want: isMX},
		{name: "two questions", zone: with(zone{"d.test MX": forged(func(m *dns.Msg) {
			m.Question = append(m.Question, m.Question[0])
		})}), want: isMX},
		{name: "no question", zone: with(zone{"d.test MX": forged(func(m *dns.Msg) { m.Question = nil })}), want: isMX},
		{name: "no question, does not exist", zone: with(zone{"d.test MX": forged(func(m *dns.Msg) {
			m.Question, m.Rcode = nil, dns.RcodeNameError
		})}), want: isMX},
		{name: "a question in return", zone: with(zone{"d.test MX": forged(func(m *dns.Msg) { m.Response = false })}),
			want: isMX},
		{name: "another operation", zone: with(zone{"d.test MX": forged(func(m *dns.Msg) {
			m.Opcode = dns.OpcodeUpdate
		})}), want: isMX},
		{name: "a short message first", zone: with(zone{"d.test MX": func(asked *dns.Msg, _ string) [][]byte {
			whole := pack(answered(asked, "d.test. 60 IN MX 10 mx.test."))[0]
			return [][]byte{{}, whole[:5], whole[:12], whole[:20], whole}
		}}), want: isMX},
		{name: "an address for a domain", domain: "192.0.2.1", zone: zone{}, want: "P 5.1.2", asked: "-"},
		{name: "an address literal for a domain", domain: "[192.0.2.1]", zone: zone{}, want: "P 5.1.2", asked: "-"},
		{name: "no domain", domain: ".", zone: zone{}, want: "P 5.1.2", asked: "-"},
		{name: "an empty label", domain: "d..test", zone: zone{}, want: "P 5.1.2", asked: "-"},
		{name: "a long label", domain: strings.Repeat("d", 64) + ".test", zone: zone{}, want: "P 5.1.2", asked: "-"},
		{name: "a long domain", domain: strings.Repeat("d.", 125) + "test", zone: zone{}, want: "P 5.1.2", asked: "-"},
		{name: "a domain with a space", domain: "d .test", zone: zone{}, want: "P 5.1.2", asked: "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, c.zone)
			r := ask(s.addr, &clock{}, func(cfg *Config) {
				if c.silent {
					cfg.Patience, cfg.Repeat = 200*time.Millisecond, 110*time.Millisecond
				}
			})
			domain := c.domain
			if domain == "" {
				domain = "d.test"
			}
			if got := words(r.Route(context.Background(), domain, 0, 0)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if asked := strings.Join(s.questions(), ", "); c.asked != "" && asked != strings.Trim(c.asked, "-") {
				t.Errorf("asked %s, want %s", asked, c.asked)
			}
		})
	}
}

// D03: where nothing listens, nothing is certain.
func TestNoServer(t *testing.T) {
	t.Parallel()
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.LocalAddr().String()
	l.Close()
	r := ask(addr, &clock{}, func(c *Config) { c.Patience = time.Second })
	if got := words(r.Route(context.Background(), "d.test", 0, 0)); !strings.HasPrefix(got, "T ") {
		t.Errorf("got %s, want T", got)
	}
}

// A look-up waits while this computer has no descriptor for it, and a lack that lasts is
// not kept as a failure of the name server.
func TestLookupWithoutDescriptors(t *testing.T) {
	t.Parallel()
	s := serve(t, zone{"d.test MX": records("d.test. 60 IN MX 0 .")})
	lacking := 3
	r := ask(s.addr, &clock{}, func(c *Config) {
		connect := c.Dial
		c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if lacking--; lacking >= 0 {
				return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)}
			}
			return connect(ctx, network, addr)
		}
	})
	if got := words(r.Route(context.Background(), "d.test", 0, 0)); got != "P 5.1.10" {
		t.Errorf("got %s, want P 5.1.10", got)
	}
	lacking = 1 << 30
	r.server.patience = 50 * time.Millisecond
	for range 2 {
		if got := words(r.Route(context.Background(), "e.test", 0, 0)); got != "T 4.4.3 time-out" {
			t.Errorf("got %s, want T", got)
		}
	}
	if asked := r.Count().Asked; asked != 3 {
		t.Errorf("%d questions, want each look-up to ask", asked)
	}
}

// A look-up ends with the run, however patient it is.
func TestCancel(t *testing.T) {
	t.Parallel()
	s := serve(t, zone{"d.test": silence})
	for _, apart := range []bool{false, true} {
		r := ask(s.addr, &clock{}, func(c *Config) { c.Patience, c.Apart = time.Hour, apart })
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan Route)
		go func() { ended <- r.Route(ctx, "d.test", 0, 0) }()
		cancel()
		if got := words(<-ended); !strings.HasPrefix(got, "T ") {
			t.Errorf("got %s, want T", got)
		}
	}
}

// D15: of 200 exchangers with 50 addresses each, five addresses are candidates, and
// no more than a few exchangers are asked for.
func TestManyExchangers(t *testing.T) {
	t.Parallel()
	var all []string
	z := zone{}
	for i := range 200 {
		host := fmt.Sprintf("m%03d.test", i)
		all = append(all, fmt.Sprintf("d.test. 60 IN MX %d %s.", i, host))
		var of []string
		for n := range 50 {
			of = append(of, fmt.Sprintf("%s. 60 IN A 10.0.%d.%d", host, i, n))
		}
		z[host+" A"], z[host] = large(of), nothing(dns.RcodeSuccess, 60, 60)
	}
	z["d.test MX"] = large(all)
	z["e.test MX"] = large(func() (e []string) { // none of these exists
		for i := range 200 {
			e = append(e, fmt.Sprintf("e.test. 60 IN MX %d n%03d.test.", i, i))
		}
		return e
	}())
	s := serve(t, z)
	r := ask(s.addr, &clock{}, nil)
	want := "m000.test 10.0.0.0, m000.test 10.0.0.1, m000.test 10.0.0.2, m000.test 10.0.0.3, m000.test 10.0.0.4"
	if got := words(r.Route(context.Background(), "d.test", 0, 0)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if n := len(s.questions()); n > 2+3*atOnce {
		t.Errorf("%d questions for five candidates", n)
	}
	// Where none of the exchangers that are asked for exists, another might.
	if got := words(r.Route(context.Background(), "e.test", 0, 0)); got != "T 4.4.3" {
		t.Errorf("got %s, want T 4.4.3", got)
	}
	if n := len(s.questions()); n > 2+2*mostExchangers {
		t.Errorf("%d questions", n)
	}
}

// large answers with records, over UDP cut to 512 bytes.
func large(all []string) reply {
	return func(asked *dns.Msg, network string) [][]byte {
		m := answered(asked, all...)
		if network == "udp" {
			m.Truncate(dns.MinMsgSize)
		}
		return pack(m)
	}
}

// D16: each of four equal exchangers comes first for about a quarter of the
// recipients. The order belongs to the recipient and the try, not to the order of the
// server's answer; an exchanger of another preference keeps its place.
func TestEqualExchangers(t *testing.T) {
	t.Parallel()
	all := []string{"d.test. 0 IN MX 20 last.test.", "d.test. 0 IN MX 10 m1.test.", "d.test. 0 IN MX 10 m2.test.",
		"d.test. 0 IN MX 10 m3.test.", "d.test. 0 IN MX 10 m4.test.", "d.test. 0 IN MX 30 m4.test."}
	z := zone{"d.test MX": records(all...)}
	for i, host := range []string{"last.test", "m1.test", "m2.test", "m3.test", "m4.test"} {
		z[host+" A"] = records(fmt.Sprintf("%s. 86400 IN A 192.0.2.%d", host, i))
		z[host] = nothing(dns.RcodeSuccess, 86400, 86400)
	}
	s := serve(t, z)
	r := ask(s.addr, &clock{}, nil)
	const recipients = 400
	first, orders := map[string]int{}, map[string]int{}
	var one []string
	for n := range recipients {
		route := r.Route(context.Background(), "d.test", mail.Recipient(n), 0)
		if len(route.To) != 5 || route.To[4].Host != "last.test" {
			t.Fatalf("got %s, want four equal exchangers and then last.test", words(route))
		}
		first[route.To[0].Host]++
		orders[words(route)]++
		one = append(one, words(route))
	}
	for host, n := range first { // 400 x 1/4 +- 5 standard deviations
		if n < 57 || n > 143 {
			t.Errorf("%s comes first for %d of %d recipients, want about a quarter", host, n, recipients)
		}
	}
	if len(first) != 4 || len(orders) != 24 {
		t.Errorf("%d exchangers come first, in %d orders; want 4 and 24", len(first), len(orders))
	}
	turned := slices.Clone(all)
	slices.Reverse(turned)
	s.set("d.test MX", records(turned...))
	other := 0
	for n := range recipients {
		if got := words(r.Route(context.Background(), "d.test", mail.Recipient(n), 0)); got != one[n] {
			t.Fatalf("recipient %d: got %s, want %s, whatever the order of the answer", n, got, one[n])
		}
		if words(r.Route(context.Background(), "d.test", mail.Recipient(n), 1)) != one[n] {
			other++
		}
	}
	if other < recipients*3/4 {
		t.Errorf("%d of %d recipients have another order at the second try, want 23 of 24", other, recipients)
	}
}

// D18, D21, D22: answers hold for their TTL and no longer than the caps; TTL 0 is for
// one look-up. A change is seen after that.
func TestTimeToLive(t *testing.T) {
	t.Parallel()
	soa := func(rcode int, ttl, minimum uint32) reply { return nothing(rcode, ttl, minimum) }
	for _, c := range []struct {
		name  string
		reply reply
		held  vt.Span
	}{
		{"D21 TTL 300", records("d.test. 300 IN MX 0 ."), 300 * vt.Second},
		{"D18 TTL 0", records("d.test. 0 IN MX 0 ."), 0},
		{"a TTL of 30 days", records("d.test. 2592000 IN MX 0 ."), vt.Day},
		{"the greatest TTL", records("d.test. 2147483647 IN MX 0 ."), vt.Day},
		{"a TTL with the first bit", records("d.test. 4294967295 IN MX 0 ."), 0},
		{"the lesser TTL of two", records("d.test. 300 IN MX 0 .", "d.test. 60 IN MX 0 ."), vt.Minute},
		{"the TTL of an alias", records("d.test. 30 IN CNAME e.test.", "e.test. 300 IN MX 0 ."), 30 * vt.Second},
		{"D22 NXDOMAIN", soa(dns.RcodeNameError, 600, 700), 600 * vt.Second},
		{"D22 NXDOMAIN, MINIMUM", soa(dns.RcodeNameError, 700, 600), 600 * vt.Second},
		{"D22 NXDOMAIN for 68 years", soa(dns.RcodeNameError, 1<<31-1, 1<<31-1), 3 * vt.Hour},
		{"D22 NXDOMAIN without SOA", code(dns.RcodeNameError), 0},
		{"D22 no exchanger for 68 years", soa(dns.RcodeSuccess, 1<<31-1, 1<<31-1), 3 * vt.Hour},
		{"D22 SERVFAIL", code(dns.RcodeServerFailure), 30 * vt.Second},
		{"D22 SERVFAIL with an SOA record", soa(dns.RcodeServerFailure, 1<<31-1, 1<<31-1), 30 * vt.Second},
		{"D20 only what cannot be read", edited("\x01x\x00", "\x41x\x00", "d.test. 86400 IN MX 5 x."), 30 * vt.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, zone{"d.test MX": c.reply})
			var now clock
			r := ask(s.addr, &now, nil)
			asks := func() bool {
				r.Route(context.Background(), "d.test", 0, 0)
				return slices.Contains(s.questions(), "d.test MX")
			}
			if !asks() {
				t.Fatal("the first look-up does not ask")
			}
			if c.held > 0 {
				now.pass(c.held - 1)
				if asks() {
					t.Errorf("asked again before %s are over", c.held)
				}
				now.pass(1)
			}
			if !asks() {
				t.Errorf("not asked again after %s", c.held)
			}
		})
	}
}

// D21: mail follows an exchanger that moves as soon as the TTL is over.
func TestExchangerMoves(t *testing.T) {
	t.Parallel()
	noData := nothing(dns.RcodeSuccess, 60, 60)
	s := serve(t, zone{"d.test MX": records("d.test. 60 IN MX 10 old.test."),
		"old.test A": records("old.test. 60 IN A 192.0.2.1"),
		"new.test A": records("new.test. 60 IN A 192.0.2.2"), "old.test": noData, "new.test": noData})
	var now clock
	r := ask(s.addr, &now, nil)
	route := func() string { return words(r.Route(context.Background(), "d.test", 0, 0)) }
	if got := route(); got != "old.test 192.0.2.1" {
		t.Fatalf("got %s", got)
	}
	s.set("d.test MX", records("d.test. 60 IN MX 10 new.test."))
	now.pass(59 * vt.Second)
	if got := route(); got != "old.test 192.0.2.1" {
		t.Errorf("within the TTL: got %s, want the old exchanger", got)
	}
	now.pass(vt.Second)
	if got := route(); got != "new.test 192.0.2.2" {
		t.Errorf("after the TTL: got %s, want the new exchanger", got)
	}
}

// D18: look-ups of one domain at the same time share one question, whatever its TTL;
// with Apart each has its own.
func TestSharedLookup(t *testing.T) {
	t.Parallel()
	const most = 20
	for _, apart := range []bool{false, true} {
		var s *nameServer
		var r *Resolver
		open := make(chan struct{})
		s = serve(t, zone{"d.test MX": func(asked *dns.Msg, _ string) [][]byte {
			<-open
			return records("d.test. 0 IN MX 0 .")(asked, "")
		}})
		r = ask(s.addr, &clock{}, func(c *Config) { c.Apart = apart })
		var looking sync.WaitGroup
		for n := range most {
			looking.Go(func() {
				if got := words(r.Route(context.Background(), "d.test", mail.Recipient(n), 0)); got != "P 5.1.10" {
					t.Errorf("got %s", got)
				}
			})
		}
		for !apart { // until all wait for the one question
			if c := r.Count(); c.Asked+c.Shared == most {
				break
			}
			time.Sleep(time.Millisecond)
		}
		close(open)
		looking.Wait()
		want := 1
		if apart {
			want = most
		}
		if n := len(s.questions()); n != want {
			t.Errorf("apart %t: %d questions for %d look-ups, want %d", apart, n, most, want)
		}
	}
}

// The cache has room for a number of answers, and keeps those that are used.
func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	asked := map[string]int{}
	var now clock
	c := newCache(now.now, func(_ context.Context, q question) answer {
		asked[q.name]++
		return answer{status: found, ttl: vt.Hour}
	})
	get := func(name string) { c.get(context.Background(), question{name, dns.TypeMX}) }
	for i := range mostEntries + 10 {
		get(fmt.Sprint(i))
		if i%1000 == 0 {
			get("used")
		}
	}
	if len(c.kept) != mostEntries || c.recent.Len() != mostEntries {
		t.Errorf("%d answers kept, %d in order, want %d", len(c.kept), c.recent.Len(), mostEntries)
	}
	get("used")
	get("0")
	if asked["used"] != 1 || asked["0"] != 2 {
		t.Errorf("what is used was asked for %d times, what is not %d times; want 1 and 2", asked["used"], asked["0"])
	}
}

// FuzzAnswer: whatever arrives, the reader neither fails nor takes a name or an
// address that no host can have for a candidate; what has another id is ignored.
func FuzzAnswer(f *testing.F) {
	seed := func(m *dns.Msg) {
		for _, b := range pack(m) {
			f.Add(b)
		}
	}
	asked := new(dns.Msg)
	asked.SetQuestion("d.test.", dns.TypeMX)
	asked.Id = 7
	seed(asked)
	seed(answered(asked, "d.test. 60 IN MX 10 mx.test.", "d.test. 60 IN MX 20 m2.test."))
	seed(answered(asked, "d.test. 60 IN CNAME e.test.", "e.test. 60 IN MX 0 ."))
	compressed := answered(asked, "d.test. 60 IN MX 10 mx.d.test.", "d.test. 60 IN MX 20 m2.d.test.")
	compressed.Compress = true
	seed(compressed)
	f.Add(nothing(dns.RcodeNameError, 60, 60)(asked, "")[0])
	asked.SetQuestion("d.test.", dns.TypeA)
	asked.Id = 7
	seed(answered(asked, "d.test. 60 IN A 192.0.2.1"))
	f.Fuzz(func(t *testing.T, message []byte) {
		for _, kind := range []uint16{dns.TypeMX, dns.TypeA, dns.TypeAAAA} {
			a, m := read(message, question{"d.test.", kind}, 7)
			if m != other && (len(message) < headerSize || message[0] != 0 || message[1] != 7) {
				t.Fatalf("an answer with another id is taken: %+v", a)
			}
			if a.ttl < 0 || a.ttl > mostTTL {
				t.Fatalf("kept for %s", a.ttl)
			}
			if m == whole && a.alias == "" && (a.status == found) != (len(a.exchangers)+len(a.addresses) > 0) {
				t.Fatalf("status %d with %+v", a.status, a)
			}
			for _, e := range a.exchangers {
				if hostname(e.host) && net.ParseIP(strings.TrimSuffix(e.host, ".")) != nil {
					t.Fatalf("the address %s is the name of a host", e.host)
				}
			}
			for _, addr := range a.addresses {
				if !addr.IsValid() || addr.Is4() != (kind == dns.TypeA) {
					t.Fatalf("got %s for type %d", addr, kind)
				}
			}
		}
	})
}
