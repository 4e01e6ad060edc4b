// Package inbound is the server for returned mail ("C server", [0042] to [0046], [0079]) on a network: it takes mail by
// SMTP at the return paths of mailings, keeps it on the disk before it answers 250, reads what it means, and lets the
// role of package inbox count. A return path is a token that only the mailing can have written; mail to any other
// address is refused and has no effect. It mails nothing, and touches no list by itself: the role's changes go to the
// sending server as messages, if there is one, and events report what else follows.
//
// So the server is a station of the role: its log has the role's facts, which are durable before anything that rests on
// them is sent or answered.
package inbound

import (
	"errors"
	"fmt"
	"time"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/realrun/station"
)

// Config configures a server.
type Config struct {
	Dir    string // folder that keeps what was returned
	Domain string // of the return paths; empty: any
	Jobs   []Job  // whose returned mail is taken

	// Hard and Soft are numbers of returned mails after which a recipient is purged, of addresses that are dead and of
	// others; Soft = 0: never. [0079] purges after more than one.
	Hard, Soft int
	Forget     time.Duration // after which a recipient's returned mails no longer count; 0: never
	Pause      int           // dead addresses of a job that pause it; 0: never
	Keep       time.Duration // how long mail is kept, so that a person can see why; 0: for ever

	// Carrier takes the role's changes to the sending server, and its answers come to Server.Receive. Recipients then
	// have places in the list of all mailings. nil: each job has a list of its own, and nothing is sent.
	Carrier station.Carrier
	Push    time.Duration // after which changes that are not acknowledged are sent again; 0: they wait for engine.Pull
	// Address is of the role, where several servers take returned mail, and Counter the one of these that counts it
	// (inbox.Config). The zero values are Address and this server.
	Address, Counter engine.Address
	// Complete reports whether all mailings are here whose mail can have come back when it is called. It may take a few
	// seconds; nil: they are. Any goroutine may call it.
	Complete func() bool
	// Same returns all places of the person at a place, as inbox.Config has it; nil: each place is a person of its own.
	Same func(mail.Recipient) []mail.Recipient

	MostBytes   int64         // of a message
	Connections int           // at once
	Timeout     time.Duration // of each read and write

	Now  func() time.Time // nil: the clock
	Tell func(Event)      // what has happened, when it is on the disk, in order; may be nil
	Warn func(error)      // why a message could not be kept, and was refused; may be nil
}

// Job is a mailing whose returned mail is taken.
type Job struct {
	Name  string
	Key   mail.Key  // of its return paths
	Until time.Time // after which its return paths have no effect; zero: never

	First mail.Recipient // place of its first recipient in the list of all mailings, with a Carrier
}

// Default returns the configuration of a server that keeps its state in a folder.
func Default(dir string) Config {
	return Config{Dir: dir, Address: Address, Hard: 2, Forget: 90 * 24 * time.Hour, Keep: 30 * 24 * time.Hour,
		Push: time.Second, MostBytes: 10 << 20, Connections: 100, Timeout: 2 * time.Minute}
}

// Validate returns all problems of the configuration.
func (c *Config) Validate() (errs []error) {
	for _, v := range []struct {
		name     string
		n, least int64
	}{{"hard", int64(c.Hard), 1}, {"soft", int64(c.Soft), 0}, {"forget", int64(c.Forget), 0},
		{"pause", int64(c.Pause), 0}, {"keep", int64(c.Keep), 0}, {"push", int64(c.Push), 0},
		{"size", c.MostBytes, 1024},
		{"connections", int64(c.Connections), 1}, {"timeout", int64(c.Timeout), int64(time.Second)}} {
		if v.n < v.least {
			errs = append(errs, fmt.Errorf("%s: got %d, want at least %d", v.name, v.n, v.least))
		}
	}
	if c.Same != nil && c.Carrier == nil {
		errs = append(errs, errors.New("same: got persons without a carrier, whose places they would have"))
	}
	if c.Counter != (engine.Address{}) && c.Carrier == nil {
		errs = append(errs, errors.New("counter: got one without a carrier, which takes returned mail there"))
	}
	names := map[string]bool{}
	for _, j := range c.Jobs {
		if j.Name == "" || names[j.Name] {
			errs = append(errs, fmt.Errorf("job %q: got a name that another job has, or none", j.Name))
		}
		names[j.Name] = true
	}
	return errs
}

// Address names the role of the server.
var Address = engine.Address{Role: engine.Bounces}

// Kind is what an Event tells.
type Kind string

// The kinds of events.
const (
	Took   Kind = "returned" // a message was taken
	Purged Kind = "purged"   // a recipient has had enough of them
	Alarm  Kind = "alarm"    // receivers refuse the sender of a job, for a reason that they have not given before
	Paused Kind = "paused"   // a job has too many dead addresses
)

// Event is what has happened.
type Event struct {
	Kind Kind
	Record
}

// Standing is what a job's returned mail has come to.
type Standing struct {
	Dead   int      // number of returned mails whose address is dead
	Paused bool     // these are enough to pause the job
	Alarms []string // reasons for which receivers refuse the sender
}

// Record is what is kept of a returned message.
type Record struct {
	At      time.Time `json:"at"`
	File    string    `json:"file"` // below the folder, until it is deleted
	Job     string    `json:"job"`
	Rcpt    uint32    `json:"recipient"` // place in the job's list
	Try     uint16    `json:"try"`
	Effect  string    `json:"effect"`
	Reason  string    `json:"reason"`
	Rule    string    `json:"rule"`
	Status  string    `json:"status"`
	Address string    `json:"address"` // that the message names, which its writer may have forged; empty with a carrier
	Text    string    `json:"text"`    // what the message says; empty with a carrier
	Person  uint32    `json:"person"`  // place in the list of all mailings, or number by first return
	Token   uint64    `json:"token"`   // of the message that came back
	Counts  bool      `json:"counts"`  // it counts, and Hard tells how
	Hard    bool      `json:"hard"`
	Forgot  bool      `json:"forgot"` // the recipient's returned mails before it are forgotten
	Purged  bool      `json:"purged"` // the recipient has had enough
	Asked   bool      `json:"asked"`  // it is a complaint, which is a request to be deleted

	Places []mail.Recipient `json:"places,omitempty"` // that are purged, unless these are Person alone

	// By is the name of the server that took the message and has the rest of the record; empty: this one.
	By string `json:"by,omitempty"`
}
