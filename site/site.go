// Package site reads site files. A site is a system of servers that mails together ([0023] to [0028]): which stations
// it has, where each keeps its journal and listens, by what messages reach them, and the scenario that they mail by.
// One file describes the whole site, and every computer of the site has the same one. The package opens nothing that
// the file names.
package site

import (
	"cmp"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"flyball/engine"
	"flyball/internal/conf"
	"flyball/internal/mail"
	"flyball/internal/tomlfile"
	"flyball/internal/unit"
	"flyball/internal/vt"
)

// Config is the content of a site file.
type Config struct {
	// version of this format
	SchemaVersion int `toml:"schema_version" range:"1..1" required:"true"`
	// name of the site, with which the subjects of its messages begin: sites of other names may use the same broker
	Name string `toml:"name" required:"true" pattern:"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"`
	// folder with a folder for each station that names none itself; seen from the folder of the site file
	Folder string `toml:"folder" default:"state"`
	// built-in scenario, or file of one: destinations, governors, retries, and a [[server]] for each B server
	Scenario string `toml:"scenario" required:"true"`
	// changes of the scenario, each "path.to.key=value"
	Set []string `toml:"set"`
	// IP:PORT of the SMTP server that takes all mail, on loopback or allowed by outside.allow
	Receiver string `toml:"receiver"`
	// instead of receiver: IP:PORT of a name server, on loopback or allowed, that is asked for the exchangers of each
	// domain
	Resolver string `toml:"resolver"`
	// port of the exchangers that the name server has
	Port int `toml:"port" default:"25" range:"1..65535"`
	// folder with the keys by which stations show each other who they are, as flyball serve keys makes it; on each
	// computer those of its own stations; not given: all stations run in one process
	Keys     string    `toml:"keys"`
	Outside  Outside   `toml:"outside"`
	SMTP     SMTP      `toml:"smtp"`
	Bus      Bus       `toml:"bus"`
	Depot    Depot     `toml:"depot"`
	Sending  Sending   `toml:"sending"`
	Stations []Station `toml:"station" required:"true"`
}

// Outside lets the site mail people. The zero value mails reserved domains on loopback alone.
type Outside struct {
	// file of an allowlist: which receivers, whose mail may go there, and how much; each computer has the same; not
	// given: the site mails reserved domains on loopback
	Allow string `toml:"allow"`
	// with allow: file of promotion records, of which the last one has the law and the resend policy
	Promotion string `toml:"promotion"`
	// what the last record must have as its head; not given: what the file PROMOTION.head says
	Head string `toml:"head"`
	// file with a line for each complaint, which grows; each B server counts the lines of its own computer
	Complaints string `toml:"complaints"`
}

// SMTP is how servers that send mail show themselves to receivers.
type SMTP struct {
	// encryption of sessions: "none", "opportunistic" (where the receiver offers it), "required", or "verified" (with a
	// certificate of its name)
	TLS string `toml:"tls" default:"opportunistic" oneof:"none opportunistic required verified"`
	// file of a user and a password, a line each, that no other user may read
	Login string `toml:"login"`
	// PEM file of the key that signs messages (DKIM)
	DKIM string `toml:"dkim"`
	// name under _domainkey of the author's domain at which the public key is
	Selector string `toml:"selector"`
}

// Bus is by what the stations of several processes reach each other. The zero value is a broker within one process.
type Bus struct {
	// nats://HOST:PORT on loopback, tls://HOST:PORT anywhere, several with commas between them
	URL string `toml:"url"`
	// PEM file of the authorities that sign the certificates of the broker and of other computers
	CA string `toml:"ca"`
	// PEM file of the certificate of this computer, with the addresses at which its stations listen
	Cert string `toml:"cert"`
	// PEM file of the private key of the certificate
	Key string `toml:"key"`
}

// Depot is from where B servers fetch lists and letters ([0041]). The A server runs it.
type Depot struct {
	// IP:PORT at which it listens: outside of loopback it wants the certificate of [bus]
	Listen string `toml:"listen"`
	// bytes of lists and letters that each B server keeps
	Keep unit.Bytes `toml:"keep" default:"10GiB" range:"1MiB..1000GiB"`
}

// Sending is how the A server hands mailings over, and reports.
type Sending struct {
	// MTA processes of a mailing on each B server, if the mailing says nothing else
	Processes int `toml:"processes" default:"40" range:"1..100000"`
	// recipients that a B server with free processes fetches at a time; 0: the list is cut at once
	Chunk int `toml:"chunk" default:"10000" range:"0..100000000"`
	// time between two checks of all subsets
	Check vt.Span `toml:"check" default:"1s" range:"10ms..1m"`
	// for which a B server may deliver after it was heard last
	Lease vt.Span `toml:"lease" default:"5s" range:"100ms..1h"`
	// after which a B server that does not answer is lost, and others take over
	Patience vt.Span `toml:"patience" default:"20s" range:"100ms..1d"`
	// most MTA processes of all mailings; 0: no limit
	Licence int `toml:"licence" range:"0..1000000"`
	// folder for delivery reports; seen from the folder of the site file
	Reports string `toml:"reports" default:"reports"`
	// mail address that gets each delivery report, or http://IP:PORT/... on loopback to which it is posted, once or
	// more
	Notify string `toml:"notify"`
}

// Station is one server of the site.
type Station struct {
	// a sends mailings, b delivers, c takes returned mail, d takes requests, response counts who opens messages and
	// follows links, hybrid stands before c, d and response at a customer's site, storage keeps lists and who gets no
	// mail, governor governs all servers of a scenario with one governor, broker carries messages between processes
	Role string `toml:"role" required:"true" oneof:"a b c d response hybrid storage governor broker"`
	// of role "b": which [[server]] of the scenario it is, from 1 on; of "c", "d", "response" and "hybrid", if there
	// are several: which one it is
	Number int `toml:"number" range:"1..10000"`
	// folder of its journal, which one process at a time may use
	Folder string `toml:"folder"`
	// IP:PORT: role "c" takes returned mail there, "d" shows its pages, "response" takes opens and clicks, "hybrid" all
	// that is of the web, "storage" serves lists, "broker" takes the stations' connections
	Listen string `toml:"listen"`
	// IP:PORT at which role "d" takes requests by mail, and "hybrid" these and returned mail
	Mail string `toml:"mail"`
	// of role "b", and of "a", which mails reports: name of this computer in EHLO, in the sender's domain; not given:
	// the sender's domain
	Hello string `toml:"hello"`
	// of role "d": https://HOST/PATH that a web server passes on to it; letters without List-Unsubscribe get it
	URL string `toml:"url"`
	// mail domain of the return paths of role "c" and of the requests by mail of role "d"
	Domain string `toml:"domain"`
	// of role "storage": its database, sqlite:FILE, which is made if it is not there, or
	// postgres://USER@HOST:PORT/DATABASE; a file is seen from the folder of the site file
	Store string `toml:"store"`
	// of role "c" and "d": IP:PORT at which this station lets the storage server fetch its changes; outside of loopback
	// the certificate of [bus] is needed; not given: the station pushes its changes
	Changes string `toml:"changes"`
	// of role "c", of several the one with the lowest number, which counts: number of returned mails that say that an
	// address is dead after which the recipient gets nothing any more, of one mailing, or of all if the site has a
	// storage server; 0: 2
	Hard int `toml:"hard" range:"1..1000"`
}

// Roles of stations.
const (
	A        = "a"
	B        = "b"
	C        = "c"
	D        = "d"
	Response = "response"
	Hybrid   = "hybrid"
	Storage  = "storage"
	Governor = "governor"
	Broker   = "broker"
)

// Name returns the name of the station in messages, in --role and of its folder: its role and, if it may have one, its
// number, such as a, b1, hybrid or hybrid2.
func (s Station) Name() string {
	if s.Role == B || s.Number != 0 && slices.Contains(numbered, s.Role) {
		return fmt.Sprint(s.Role, s.Number)
	}
	return s.Role
}

// numbered are the roles of which a site may have several stations.
var numbered = []string{B, C, D, Response, Hybrid}

// Keeps reports whether the station keeps something, and so has a folder.
func (s Station) Keeps() bool { return s.Role != Hybrid && s.Role != Broker }

// Port is an address at which a station listens.
type Port struct{ Key, At string } // the key of the station that names it, and its value

// Ports returns where the station listens.
func (s Station) Ports() (all []Port) {
	for _, p := range []Port{{"listen", s.Listen}, {"mail", s.Mail}, {"changes", s.Changes}} {
		if p.At != "" {
			all = append(all, p)
		}
	}
	return all
}

// Address returns the address of the station's role in messages of the engine; false for a role that has none.
func (s Station) Address() (engine.Address, bool) {
	switch s.Role {
	case A:
		return engine.Address{Role: engine.Sender}, true
	case B:
		return engine.Address{Role: engine.Remote, Server: mail.Server(s.Number - 1)}, true
	case C:
		return engine.Address{Role: engine.Bounces, Server: s.server()}, true
	case D:
		return engine.Address{Role: engine.Requests, Server: s.server()}, true
	case Governor:
		return engine.Address{Role: engine.Governing}, true
	}
	return engine.Address{}, false
}

// server returns the number of the station in messages; without a number of its own it is the first of its role.
func (s Station) server() mail.Server { return mail.Server(max(s.Number, 1) - 1) }

// Counting returns the station that counts returned mail, of several that take it the one with the lowest number; false
// if there is none.
func (c *Config) Counting() (first Station, is bool) {
	all := c.Of(C)
	if len(all) == 0 {
		return first, false
	}
	return slices.MinFunc(all, func(a, b Station) int { return cmp.Compare(a.Number, b.Number) }), true
}

// Clients returns the stations that have something from the depot, or from the storage server.
func (c *Config) Clients() (all []Station) {
	roles := []string{B, C, D, Response}
	if _, is := c.Named(Storage); is {
		roles = append(roles, A, Storage)
	}
	for _, s := range c.Stations {
		if slices.Contains(roles, s.Role) {
			all = append(all, s)
		}
	}
	return all
}

// Format is the format of site files.
var Format = tomlfile.New[Config]("sending.patience")

// Load reads a site file, which problems call name. The error is of type tomlfile.Problems and has them all. Paths of
// the result are seen from where name is seen.
func Load(name string, src []byte) (*Config, error) {
	c := Default()
	doc := Format.Read(name, src, nil)
	doc.Decode(c)
	doc.Refuse(c.Validate())
	if err := doc.Err(); err != nil {
		return nil, err
	}
	c.Settle(filepath.Dir(name))
	return c, nil
}

// Default returns a site without stations, in which every key has its default.
func Default() *Config {
	c := conf.DefaultOf[Config](Format.Keys)
	return &c
}

// sqlite begins the place of a store in a file.
const sqlite = "sqlite:"

// Settle gives every station a name and a folder, and lets all paths begin at dir.
func (c *Config) Settle(dir string) {
	from := func(path *string) {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
	}
	for i := range c.Stations {
		s := &c.Stations[i]
		if s.Folder == "" && s.Keeps() {
			s.Folder = filepath.Join(c.Folder, s.Name())
		}
		from(&s.Folder)
		if file, is := strings.CutPrefix(s.Store, sqlite); is {
			from(&file)
			s.Store = sqlite + file
		}
	}
	for _, path := range []*string{&c.Folder, &c.Bus.CA, &c.Bus.Cert, &c.Bus.Key, &c.Keys,
		&c.Sending.Reports, &c.Outside.Allow, &c.Outside.Promotion, &c.Outside.Complaints, &c.SMTP.Login,
		&c.SMTP.DKIM} {
		from(path)
	}
	if strings.ContainsAny(c.Scenario, "./") { // built-in scenarios have plain names
		from(&c.Scenario)
	}
}

// Named returns the station with a name; false if there is none.
func (c *Config) Named(name string) (Station, bool) {
	for _, s := range c.Stations {
		if s.Name() == name {
			return s, true
		}
	}
	return Station{}, false
}

// Of returns the stations with a role.
func (c *Config) Of(role string) (all []Station) {
	for _, s := range c.Stations {
		if s.Role == role {
			all = append(all, s)
		}
	}
	return all
}

// Servers returns the number of B servers.
func (c *Config) Servers() int { return len(c.Of(B)) }

// uses has, for each key of a station beside role, the roles that have a use for it.
var uses = []struct {
	key   string
	of    func(*Station) bool // whether the station gives it
	roles []string
}{
	{"number", func(s *Station) bool { return s.Number != 0 }, numbered},
	{"folder", func(s *Station) bool { return s.Folder != "" }, []string{A, B, C, D, Response, Storage, Governor,
		Broker}},
	{"listen", func(s *Station) bool { return s.Listen != "" }, []string{C, D, Response, Hybrid, Storage, Broker}},
	{"mail", func(s *Station) bool { return s.Mail != "" }, []string{D, Hybrid}},
	{"domain", func(s *Station) bool { return s.Domain != "" }, []string{C, D}},
	{"store", func(s *Station) bool { return s.Store != "" }, []string{Storage}},
	{"changes", func(s *Station) bool { return s.Changes != "" }, []string{C, D}},
	{"hard", func(s *Station) bool { return s.Hard != 0 }, []string{C}},
	{"hello", func(s *Station) bool { return s.Hello != "" }, []string{A, B}},
	{"url", func(s *Station) bool { return s.URL != "" }, []string{D}},
}

// Validate returns all problems of the configuration that show without a look at anything that it names.
func (c *Config) Validate() []error {
	var l conf.List
	c.Sending.check(&l)
	for i := range c.Stations {
		c.Stations[i].check(&l, conf.Index("station", i))
	}
	c.together(&l)
	c.receivers(&l)
	if c.Depot.Listen != "" {
		checkPort(&l, "depot.listen", c.Depot.Listen)
	}
	b := c.Bus
	l.Check((b.Cert == "") == (b.Key == ""), "bus.cert", "got one of certificate and key, want both or neither")
	l.Check(b.Cert == "" || b.CA != "", "bus.ca", "got none, want the authorities by which computers of the site know "+
		"each other's certificates")
	if c.Bus.URL != "" {
		l.Check(c.Keys != "", "keys", "got none, want a folder of keys: messages go by a broker")
		l.Check(c.Depot.Listen != "", "depot.listen", "got none, want IP:PORT: B servers fetch lists there")
	}
	return l
}

// receivers checks where mail goes, and how.
func (c *Config) receivers(l *conf.List) {
	l.Check(c.Receiver != "" || c.Resolver != "", "receiver", "got none and no resolver, want one of them")
	l.Check(c.Receiver == "" || c.Resolver == "", "resolver", "got a receiver too, want one of them")
	for _, p := range []struct{ key, text string }{{"receiver", c.Receiver}, {"resolver", c.Resolver}} {
		if p.text != "" {
			checkPort(l, p.key, p.text)
		}
	}
	o, v := c.Outside, c.SMTP
	for _, p := range []struct{ key, text string }{{"promotion", o.Promotion}, {"complaints", o.Complaints}} {
		l.Check(p.text == "" || o.Allow != "", "outside."+p.key, "got %q, want outside.allow too", p.text)
	}
	l.Check(o.Head == "" || o.Promotion != "", "outside.head", "got one, want outside.promotion too")
	l.Check((v.DKIM == "") == (v.Selector == ""), "smtp.selector", "got %q and the key %q, want both or none",
		v.Selector, v.DKIM)
}

// together checks the stations among each other.
func (c *Config) together(l *conf.List) {
	names, folders, ports := map[string]bool{}, map[string]bool{}, map[string]bool{}
	most := 0
	for i, s := range c.Stations {
		at := conf.Index("station", i)
		name := s.Name()
		l.Check(!names[name], at+".role", "got a second %s, want one", name)
		names[name] = true
		if s.Folder != "" {
			folder := filepath.Clean(s.Folder)
			l.Check(!folders[folder], at+".folder", "got %q, which another station has, want another", s.Folder)
			folders[folder] = true
		}
		for _, p := range s.Ports() {
			if a, err := netip.ParseAddrPort(p.At); err == nil && a.Port() != 0 {
				l.Check(!ports[a.String()], at+"."+p.Key, "got %q, where another station listens, want another", p.At)
				ports[a.String()] = true
			}
		}
		_, stores := c.Named(Storage)
		l.Check(s.Changes == "" || stores, at+".changes", "got %q and no station storage, want one that fetches them",
			s.Changes)
		if s.Role == B {
			most = max(most, s.Number)
		}
	}
	for _, role := range []string{A, "b1"} {
		l.Check(len(c.Stations) == 0 || names[role], "station", "got no station %s, want one", role)
	}
	c.banks(l)
	c.behind(l)
	for n := 2; n < most && n < 1000; n++ {
		l.Check(names[fmt.Sprint(B, n)], "station", "got no station b%d below b%d, want the numbers without a gap", n,
			most)
	}
}

// banks checks that several stations for returned mail, or for requests, look like one from outside.
func (c *Config) banks(l *conf.List) {
	first, _ := c.Counting()
	taken, domains := map[engine.Address]bool{}, map[string]string{}
	for i, s := range c.Stations {
		if s.Role != C && s.Role != D {
			continue
		}
		at := conf.Index("station", i)
		a, _ := s.Address()
		l.Check(!taken[a] || s.Number == 0, at+".number", "got %d, want another: a station %s has it, given or not",
			s.Number, s.Role)
		taken[a] = true
		domain, other := domains[s.Role]
		l.Check(!other || s.Domain == domain, at+".domain", "got %q, want %q as of the other station %s", s.Domain,
			domain, s.Role)
		if s.Role == C || s.Domain != "" {
			domains[s.Role] = s.Domain
		}
		l.Check(s.Hard == 0 || s.Role != C || s.Number == first.Number, at+".hard", "got %d, want it of station %s, "+
			"which counts what all take", s.Hard, first.Name())
	}
}

// behind checks that hybrids stand before something.
func (c *Config) behind(l *conf.List) {
	returns, d := c.Of(C), c.Of(D)
	byMailD := slices.ContainsFunc(d, func(s Station) bool { return s.Mail != "" })
	byMail := false // a hybrid hands over mail
	for i, s := range c.Stations {
		if s.Role != Hybrid {
			continue
		}
		at := conf.Index("station", i)
		l.Check(len(c.Of(Response))+len(d) > 0, at+".listen", "got a hybrid and no station response or d, want one "+
			"that it stands before")
		l.Check(s.Mail == "" || len(returns) > 0 || byMailD, at+".mail", "got a value and no "+
			"station that takes mail, want a station c, or d with mail")
		byMail = byMail || s.Mail != ""
	}
	for i, s := range c.Stations {
		l.Check(!byMail || s.Role != D || s.Mail == "" || s.Domain != "", conf.Index("station", i)+".domain",
			"got none, want the domain of the requests by mail: a hybrid takes mail for no other one")
	}
}

func (s *Sending) check(l *conf.List) {
	l.Check(s.Lease > s.Check, "sending.lease", "got %v, want more than the check of %v: it would end before it is "+
		"renewed", s.Lease, s.Check)
	l.Check(s.Patience > s.Lease+s.Lease/50, "sending.patience", "got %v, want more than the lease of %v: a server "+
		"may deliver until then", s.Patience, s.Lease)
}

func (s *Station) check(l *conf.List, at string) {
	if s.Role == "" {
		return // it is missing
	}
	for _, u := range uses {
		uses := slices.Contains(u.roles, s.Role)
		l.Check(uses || !u.of(s), at+"."+u.key, "got a value, want none: role %q has no use for it", s.Role)
		if uses && (u.key == "listen" || u.key == "store" || u.key == "number" && s.Role == B) {
			l.Check(u.of(s), at+"."+u.key, "missing, want one for role %q", s.Role)
		}
	}
	for _, p := range s.Ports() {
		checkPort(l, at+"."+p.Key, p.At)
	}
	for _, d := range []struct{ key, text string }{{".domain", s.Domain}, {".hello", s.Hello}} {
		a, err := mail.ParseAddress("postmaster@" + d.text)
		l.Check(d.text == "" || err == nil && a.Domain == d.text, at+d.key, "got %q, want a mail domain in lower "+
			"case, such as returns.example", d.text)
	}
	host, isWeb := strings.CutPrefix(s.URL, "https://")
	l.Check(s.URL == "" || isWeb && strings.Index(host, "/") > 0 && !strings.ContainsAny(host, "?#{} "), at+".url",
		"got %q, want an address such as https://news.example/u", s.URL)
}

func checkPort(l *conf.List, key, text string) {
	_, err := netip.ParseAddrPort(text)
	l.Check(err == nil, key, "got %q, want IP:PORT, such as 127.0.0.1:2525", text)
}
