// Package inbound is the server for returned mail ("C server", [0042] to [0046], [0079]) on a network: it takes mail by
// SMTP at the return paths of mailings, keeps it on the disk before it answers 250, reads what it means, and lets the
// role of package inbox count. A return path is a token that only the mailing can have written; mail to any other
// address is refused and has no effect. It sends nothing, and touches no list by itself: it reports what follows.
package inbound

import (
	"fmt"
	"time"

	"flyball/internal/mail"
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

	MostBytes   int64         // of a message
	Connections int           // at once
	Timeout     time.Duration // of each read and write

	Now  func() time.Time // nil: the clock
	Tell func(Event)      // what has happened, when it is on the disk, in order; may be nil
}

// Job is a mailing whose returned mail is taken.
type Job struct {
	Name  string
	Key   mail.Key  // of its return paths
	Until time.Time // after which its return paths have no effect; zero: never
}

// Default returns the configuration of a server that keeps its state in a folder.
func Default(dir string) Config {
	return Config{Dir: dir, Hard: 2, Forget: 90 * 24 * time.Hour, Keep: 30 * 24 * time.Hour, MostBytes: 10 << 20,
		Connections: 100, Timeout: 2 * time.Minute}
}

// Validate returns all problems of the configuration.
func (c *Config) Validate() (errs []error) {
	for _, v := range []struct {
		name     string
		n, least int64
	}{{"hard", int64(c.Hard), 1}, {"soft", int64(c.Soft), 0}, {"forget", int64(c.Forget), 0},
		{"pause", int64(c.Pause), 0}, {"keep", int64(c.Keep), 0}, {"size", c.MostBytes, 1024},
		{"connections", int64(c.Connections), 1}, {"timeout", int64(c.Timeout), int64(time.Second)}} {
		if v.n < v.least {
			errs = append(errs, fmt.Errorf("%s: got %d, want at least %d", v.name, v.n, v.least))
		}
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
	Address string    `json:"address"` // that the message names, which its writer may have forged
	Text    string    `json:"text"`
	Person  uint32    `json:"person"` // number of the recipient among all jobs, by the first returned mail
	Token   uint64    `json:"token"`  // of the message that came back
	Counts  bool      `json:"counts"` // it counts, and Hard tells how
	Hard    bool      `json:"hard"`
	Forgot  bool      `json:"forgot"` // the recipient's returned mails before it are forgotten
	Purged  bool      `json:"purged"` // the recipient has had enough
	Asked   bool      `json:"asked"`  // it is a complaint, which is a request to be deleted
}
