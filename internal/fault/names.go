package fault

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// Domain is the domain of a script's recipients, and Self the name of its client.
const (
	Domain = "fault.example"
	Self   = "sender.example"
)

// timeToLive is for how many seconds the records of a sound name server hold, and those that name no time.
const timeToLive = 60

// mostDatagram is the most bytes of an answer over UDP (RFC 1035 4.2.1).
const mostDatagram = 512

// Question is where and what the rules of the stage dns are about.
type Question struct {
	Name string // a pattern of names, each with its last dot; empty: all
	Type string // such as MX; empty: all
	Over string // udp or tcp; empty: both
	Time Range  // how often the name server was asked for this name and type, from 1 on
	Sent Range  // how often this very question came, from 1 on: a client repeats it when no answer comes
}

// Answer is a message of a name server.
type Answer struct {
	Code      int // RCODE
	Records   []Record
	Authority []Record
	Wrong     string // what is not as it was asked: one of wrongs; empty: nothing
	Cut       bool   // TC is set
	Old, New  string // bytes of the message and what is there instead; both empty: none
	Short     int    // bytes that are missing at the end
	Promised  int    // number of records in the header; 0: the right one
}

// Record is a record of an answer.
type Record struct {
	dns.RR
	OfAsked bool // its owner is the name that was asked for
}

var wrongs = []string{"id", "name", "type", "class", "none", "two", "response", "operation"}

var codes = map[string]int{"nodata": dns.RcodeSuccess, "nxdomain": dns.RcodeNameError,
	"servfail": dns.RcodeServerFailure, "refused": dns.RcodeRefused}

var ofAnswer = []attribute[Answer]{
	{"code", "the number of a response code, 0 to 15", func(a *Answer, v string) bool {
		n, err := strconv.ParseUint(v, 10, 4)
		a.Code = int(n)
		return err == nil
	}},
	{"wrong", "one of " + strings.Join(wrongs, ", "), func(a *Answer, v string) bool {
		return word(&a.Wrong, v, wrongs...)
	}},
	{"cut", "yes", func(a *Answer, v string) bool { a.Cut = v == "yes"; return a.Cut }},
	{"old", wantBytes, func(a *Answer, v string) bool { return unquoted(&a.Old, v) }},
	{"new", wantBytes, func(a *Answer, v string) bool { return unquoted(&a.New, v) }},
	{"short", "1 to 1000000", func(a *Answer, v string) bool { return number(&a.Short, v) }},
	{"promised", "1 to 65535", func(a *Answer, v string) bool { return number(&a.Promised, v) && a.Promised < 1<<16 }},
	{"soa", `two times in seconds, the TTL of the record and its MINIMUM, such as "60/60"`, func(a *Answer,
		v string) bool {
		ttl, minimum, _ := strings.Cut(v, "/")
		r, ok := records(". " + ttl + " SOA ns.invalid. root.invalid. 1 1 1 1 " + minimum)
		a.Authority = append(a.Authority, r...)
		return ok
	}},
	{"authority", wantRecord, func(a *Answer, v string) bool {
		text := ""
		if !unquoted(&text, v) {
			return false
		}
		r, ok := records(text)
		a.Authority = append(a.Authority, r...)
		return ok
	}},
}

var ofQuestion = []attribute[Rule]{
	{"name", `the pattern of a name below ` + Domain + `, such as "mx1", "@" for it, or "mx*"`, func(r *Rule,
		v string) bool {
		r.Question.Name = full(v)
		_, err := path.Match(v, "")
		return v != "" && err == nil
	}},
	{"type", "one of MX, A, AAAA, NS", func(r *Rule, v string) bool {
		return word(&r.Question.Type, v, "MX", "A", "AAAA", "NS")
	}},
	{"over", "one of udp, tcp", func(r *Rule, v string) bool { return word(&r.Over, v, "udp", "tcp") }},
	{"time", wantRange, func(r *Rule, v string) bool { return numbers(&r.Time, v) }},
	{"sent", wantRange, func(r *Rule, v string) bool { return numbers(&r.Sent, v) }},
}

const (
	wantBytes  = `bytes such as "\x02mx"`
	wantRecord = `a record of a zone file such as "@ 60 MX 10 mx1", with @ for the name that was asked for`
)

func unquoted(to *string, v string) bool {
	text, err := strconv.Unquote(v)
	*to = text
	return err == nil && v[0] == '"'
}

// records reads a record as a zone file has it, or several by $GENERATE. Relative names are below Domain, and @ is the
// name that is asked for.
func records(text string) (all []Record, ok bool) {
	zone := dns.NewZoneParser(strings.NewReader(text+"\n"), Domain+".", "")
	zone.SetDefaultTTL(timeToLive)
	for rr, more := zone.Next(); more; rr, more = zone.Next() {
		if len(all) == 1000 {
			return nil, false
		}
		all = append(all, Record{rr, strings.HasPrefix(text, "@ ") || strings.Contains(text, " @ ")})
	}
	return all, zone.Err() == nil && len(all) > 0
}

// lasting returns the record by which it holds for a minute that something does not exist.
func lasting() []Record {
	all, _ := records(Domain + ". SOA ns.invalid. root.invalid. 1 1 1 1 60")
	return all
}

// full returns a name of a script, or a pattern of names, with its last dot and in lower case.
func full(name string) string {
	switch {
	case name == "@":
		return Domain + "."
	case strings.HasSuffix(name, "."):
		return strings.ToLower(name)
	}
	return strings.ToLower(name) + "." + Domain + "."
}

// Resolves reports whether the script has a name server, which a client has to ask for its hosts.
func (s *Script) Resolves() bool {
	return slices.ContainsFunc(s.Rules, func(r Rule) bool { return r.Stage == DNS })
}

// OverIPv6 reports whether an address of IPv6, ::1, is one of the first host.
func (s *Script) OverIPv6() bool {
	return slices.ContainsFunc(s.Rules, func(r Rule) bool {
		return slices.ContainsFunc(r.Actions, func(a Action) bool {
			return slices.ContainsFunc(a.Records, func(r Record) bool {
				address, ok := r.RR.(*dns.AAAA)
				return ok && address.AAAA.IsLoopback()
			})
		})
	})
}

// Closed reports whether nothing listens where the name server should.
func (s *Script) Closed() bool {
	return slices.ContainsFunc(s.Rules, func(r Rule) bool { return r.Stage == DNS && r.Actions[0].Verb == Refuse })
}

// asked is what a name server has counted.
type asked struct {
	times map[string]int  // by name and type
	known map[string]*one // questions by whence they came, and their ids
}

// one is one question.
type one struct {
	name       string
	time, sent int
}

// Asked returns what the name server does with a question that came from somewhere over UDP or TCP: Send with the
// bytes of a message, Wait, Silence, Close or Reset. A question that comes again from there with its id is the same
// one. It returns nil for another message than a question.
func (r *Receiver) Asked(message []byte, from, over string) []Action {
	q := new(dns.Msg)
	if q.Unpack(message) != nil || len(q.Question) != 1 || q.Response {
		return nil
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	name, kind := strings.ToLower(q.Question[0].Name), dns.TypeToString[q.Question[0].Qtype]
	whence := from + " " + over + " " + strconv.Itoa(int(q.Id)) + " " + name + " " + kind
	this := r.asked.known[whence]
	if this == nil {
		if over == "udp" { // over TCP it is asked once more
			r.asked.times[name+" "+kind]++
		}
		this = &one{name: name, time: r.asked.times[name+" "+kind]}
		r.asked.known[whence] = this
	}
	this.sent++
	actions := []Action{{Verb: OK}}
	for _, v := range r.Rules {
		if v.Stage == DNS && (v.Name == "" || matches(v.Name, name)) && (v.Type == "" || v.Type == kind) &&
			(v.Over == "" || v.Over == over) && v.Time.Contains(this.time) && v.Sent.Contains(this.sent) {
			actions = v.Actions
			break
		}
	}
	var all []Action
	for _, a := range actions {
		switch a.Verb {
		case OK:
			a = Action{Verb: Send, Text: string(r.sound(q, over)), Times: 1}
		case Respond:
			a = Action{Verb: Send, Text: string(a.Answer.message(q, over)), Times: 1}
		}
		all = append(all, a)
	}
	return all
}

// Questions returns how many questions about domains have come; one over TCP after one over UDP is another.
func (r *Receiver) Questions() (n int) {
	r.lock.Lock()
	defer r.lock.Unlock()
	for _, this := range r.asked.known {
		if this.name != "." {
			n++
		}
	}
	return n
}

func matches(pattern, name string) bool {
	ok, _ := path.Match(pattern, name)
	return ok
}

// sound returns the answer of a sound name server: the hosts are the exchangers of each domain, in their order, and
// have the addresses 127.0.0.1, 127.0.0.2 and so on.
func (s *Script) sound(q *dns.Msg, over string) []byte {
	name, kind := strings.ToLower(q.Question[0].Name), q.Question[0].Qtype
	a := Answer{}
	label, rest, _ := strings.Cut(name, ".")
	host, numbered := 0, false
	if rest == Domain+"." && len(label) > 2 {
		numbered = number(&host, label[2:]) && strconv.Itoa(host) == label[2:]
	}
	text := ""
	switch {
	case name == "." && kind == dns.TypeNS:
		text = "@ NS a.root-servers.net."
	case name == Domain+".", numbered && label[:2] == "do" && host <= s.Job.Domains:
		if kind == dns.TypeMX {
			text = "$GENERATE 1-" + strconv.Itoa(s.Hosts) + " @ MX $ mx$"
		}
	case numbered && label[:2] == "mx" && host <= s.Hosts:
		if kind == dns.TypeA {
			text = "@ A 127.0.0." + strconv.Itoa(host)
		}
	default:
		a.Code = dns.RcodeNameError
	}
	if text == "" {
		a.Authority = lasting()
	} else {
		a.Records, _ = records(text)
	}
	return a.message(q, over)
}

// message returns the bytes of the answer to a question. It is cut over UDP if it has no room there, as is
// every answer that asks for that.
func (a *Answer) message(q *dns.Msg, over string) []byte {
	m := new(dns.Msg)
	m.SetRcode(q, a.Code)
	m.RecursionAvailable, m.Truncated = true, a.Cut
	owned := func(all []Record) (rrs []dns.RR) {
		for _, r := range all {
			rr := dns.Copy(r.RR)
			if r.OfAsked {
				rr.Header().Name = q.Question[0].Name
			}
			rrs = append(rrs, rr)
		}
		return rrs
	}
	m.Answer, m.Ns = owned(a.Records), owned(a.Authority)
	m.Question = slices.Clone(m.Question)
	switch a.Wrong {
	case "id":
		m.Id++
	case "name":
		m.Question[0].Name = "other." + Domain + "."
	case "type":
		m.Question[0].Qtype = dns.TypeTXT
	case "class":
		m.Question[0].Qclass = dns.ClassCHAOS
	case "none":
		m.Question = nil
	case "two":
		m.Question = append(m.Question, m.Question[0])
	case "response":
		m.Response = false
	case "operation":
		m.Opcode = dns.OpcodeUpdate
	}
	m.Compress = a.Old == ""
	if over == "udp" && a.Old == "" && m.Len() > mostDatagram {
		m.Truncate(mostDatagram)
		m.Truncated = true
	}
	packed, err := m.Pack()
	if err != nil {
		return nil
	}
	if a.Old != "" {
		packed = []byte(strings.Replace(string(packed), a.Old, a.New, 1))
	}
	if a.Promised > 0 {
		packed[6], packed[7] = byte(a.Promised>>8), byte(a.Promised)
	}
	return packed[:max(0, len(packed)-a.Short)]
}

// fits reports whether the bytes that the answer changes are in it.
func (a *Answer) fits() bool {
	q := new(dns.Msg)
	q.SetQuestion(Domain+".", dns.TypeMX)
	unchanged := *a
	unchanged.Old = "\x00" // not compressed
	unchanged.New = "\x00"
	packed := unchanged.message(q, "tcp")
	return packed != nil && strings.Contains(string(packed), a.Old)
}
