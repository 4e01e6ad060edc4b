package runlog

import (
	"flyball/internal/hist"
	"flyball/internal/vt"
)

// Run is a finished (or interrupted) run, as reports read it. Everything in it
// is a function of scenario, seed and revision, except Host.
type Run struct {
	Name         string
	About        string
	ScenarioID   string // SHA-256 of the resolved scenario
	Seed         uint64
	Replication  uint64    // of the seed; 0 is the run without a replication number
	Mode         string    // "sim" or "real"
	List         string    // digest of the list of a simulation, unless it is the scenario's own
	Known        string    // digest of what earlier runs had learned about distances; empty: nothing
	Receiver     string    // of a live run: address of a receiver that does not follow the model
	Partial      bool      // stopped before its end
	Stops        []vt.Time // of a live mailing: when its runs stopped and others went on
	Digest       uint64
	Horizon      vt.Span
	End          vt.Time // when the last recipient ended, or the horizon
	Clock        vt.Clock
	TargetRate   float64 // of each governor, messages per hour
	Law          string
	Totals       Totals
	Servers      []string // with one governor for all, the last one stands for all of them together
	OneGovernor  bool     // of all servers
	Destinations []string
	Receivers    []Receiver // by destination; nil where the scenario's receivers are not known
	Sender       Sender
	Campaigns    []Campaign
	Intervals    []Interval
	Replies      []ReplyCount
	Readings     []Read // by destination, row, stage and code
	Latency      hist.Hist

	ByDestination []Destination // statuses of recipients, by destination
	Course        Course        // attempts over time
	LastFirst     vt.Time       // end of the last first try
	Outcomes      Outcomes      // of each recipient; nil where they were not kept
	Control       *Control      // what the sender's own servers did; nil without a sending server

	Host Host
}

// Control is what the sender's own servers did in a run with a sending server.
type Control struct {
	Mailings   []Mailing
	Faults     []Fault
	Messages   uint64 // between servers
	Duplicates uint64 // messages that a receiver accepted beyond the first to a recipient
	Ambiguous  uint64 // attempts whose final dot was sent, and whose reply is not known
	Returned   uint64 // messages that came back
	Asked      uint64 // requests to get nothing any more
	Unwanted   uint64 // messages to recipients who had asked to get nothing any more
	Suppressed uint64 // recipients who got nothing because of a request or of returned mail
}

// Mailing is what the sending server did for a campaign.
type Mailing struct {
	Name     string
	Planned  vt.Time // when its list was first cut; vt.Never: it was not
	Reported vt.Time // when it was reported; vt.Never: it was not
	Subsets  int     // parts of the list that were planned for servers
	Plans    int     // one for the list, or for each chunk or each day; and one for each lost part
	Lost     int     // parts whose servers were lost
	Moved    uint64  // recipients of lost servers who were given to others

	Suppressed uint64 // recipients who got nothing because of a request or of returned mail
}

// Fault is something that happened to one of the sender's own servers.
type Fault struct {
	Server, Kind string
	At           vt.Time
	For          vt.Span // 0: for good
}

// Totals account for every recipient:
// Recipients = Delivered + Failed + Suppressed + Pending + Ambiguous + Unreached.
type Totals struct {
	Recipients uint64 `json:"recipients"`
	Delivered  uint64 `json:"delivered"`
	Failed     uint64 `json:"failed"`
	Suppressed uint64 `json:"suppressed"`
	Pending    uint64 `json:"pending"`
	Ambiguous  uint64 `json:"ambiguous"`
	Unreached  uint64 `json:"not_allowed,omitempty"` // whom no allowed way leads to: not tried, or not again
	Attempts   uint64 `json:"attempts"`
	Resends    uint64 `json:"resends"` // attempts after a recipient's first
}

// Balanced reports whether every recipient is accounted for.
func (t Totals) Balanced() bool {
	return t.Recipients == t.Delivered+t.Failed+t.Suppressed+t.Pending+t.Ambiguous+t.Unreached
}

// Host is the time and memory that a run used on the machine that made it; never compared.
type Host struct {
	Wall    vt.Span
	MaxRSS  int64 // bytes
	Go, CPU string
	Pace    Pace // of a live run
}

// Pace is how well this machine kept the time of a live run.
type Pace struct {
	Scale     float64  // how many times faster than real time the run was; 0: it was not live
	Late      Lateness // of the handling of completions and wake-ups
	Overslept Lateness // of the answers of receivers that follow the model
	// Slower is by what share of the time that the model gives the attempts, or with a receiver that is not Flyball's
	// of the time that they took, they and the handling of their ends lasted longer.
	Slower float64
	Ahead  int // most messages of a session without a durable outcome; 0: the mailing was not kept
}

// Lateness holds quantiles of virtual time.
type Lateness struct{ P50, P99, Max vt.Span }

// NewLateness returns the quantiles of h.
func NewLateness(h hist.Hist) Lateness {
	return Lateness{h.Quantile(0.5), h.Quantile(0.99), h.Quantile(1)}
}

// MostSlower is the greatest share by which a run may be slower than its model and still be judged: what it shows
// beyond that is the machine that it ran on. It is the band in which a rate counts as settled.
const MostSlower = 0.05

// TooSlow reports whether the machine was too slow for the scale of the run.
func (p Pace) TooSlow() bool { return p.Slower > MostSlower }
