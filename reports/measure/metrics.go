package measure

import (
	"math"
	"slices"
	"strings"

	"flyball/reports/format"
	"flyball/reports/runlog"
)

// Metric is a result of a run that an [[expect]] can bound. A metric is one row of the
// table below: expectations, studies, the schema, summary.json and reports read the row.
type Metric struct {
	Name, Unit string
	Doc        string // definition; with several servers, the server that counts

	// Exactly one of these four computes the metric: NaN if it is undefined, +Inf for a
	// time that never came; the end is then the horizon.
	Of       func(*Facts) float64              // from the accounts of the run
	OfServer func(Server) float64              // from one server, the one that Worst chooses
	Counted  func(*runlog.Destination) float64 // from the recipients of one destination, or of all together
	Timed    func(Ended) float64               // from when recipients of a campaign, a destination or all became final
	Worst    Choice

	Resolution float64 // smallest difference that counts; see Added
	Signed     bool    // may be below 0, so ratios make no sense; better the nearer it is to 0
	More       bool    // more is better; less is, unless More or Signed
	MayNever   bool    // a time that a run may end before; see Reached
	NoMean     bool    // undefined for a mean over runs, interval by interval
}

// AttemptsPerDelivery is the unit of a delivery failure rate, which is 1 or more.
const AttemptsPerDelivery = "attempts per delivery"

// Choice selects the server whose number is the metric of a run.
type Choice int

const (
	Greatest Choice = iota
	Least
	FarthestFromZero
	OfGreatestSwing // of the server with the greatest swing_processes
)

// Ended is when recipients of a campaign, of a destination, or of the whole run became final.
type Ended struct {
	Ends       *runlog.Ends
	Recipients uint64 // that are not suppressed
	Late       uint64 // of them, final after the deadline, or pending at the end although there was one
}

// Facts are what the metrics of a run are computed from.
type Facts struct {
	Totals   runlog.Totals
	EndHours float64
	Servers  []Server
	Rows     []Row
	Replies  []Reply
	All      *Destination // all recipients together; nil where they were not counted
	// Parts are the destinations and then the campaigns. Their metrics have names such as t90_h:google.
	Parts []Destination
}

// Reply counts the attempts that ended with one reply code; code 0 stands for a missing
// reply.
type Reply struct {
	Code  int
	Count uint64
}

// Destination is what became of the recipients of one destination.
type Destination struct {
	Name   string                `json:"name"`
	Values map[string]format.Num `json:"metrics"` // those that are counted, by name
}

// NewDestination computes the metrics of a destination, or of all together. Late is the number
// of its recipients that missed a deadline.
func NewDestination(name string, d *runlog.Destination, late uint64) Destination {
	values := NewCampaign(Ended{&d.Ends, d.Recipients, late})
	for _, m := range metrics {
		if m.Counted != nil {
			values[m.Name] = format.Num(m.Counted(d))
		}
	}
	return Destination{name, values}
}

// NewCampaign computes the metrics of a campaign by their names.
func NewCampaign(e Ended) map[string]format.Num {
	values := map[string]format.Num{}
	for _, m := range metrics {
		if m.Timed != nil {
			values[m.Name] = format.Num(m.Timed(e))
		}
	}
	return values
}

// metrics has every metric, in the order of names: MetricNamed searches by halves. Judged
// intervals are the whole intervals in which every available process had work. The target
// is the target in force in each interval.
var metrics = []Metric{
	{Name: "ambiguous", Unit: "recipients", Doc: "final dot sent, no reply known, not resent", Resolution: 1,
		Of: func(f *Facts) float64 { return float64(f.Totals.Ambiguous) }},
	{Name: "attempts", Unit: "attempts", Doc: "all attempts that ended", Resolution: 1,
		Of: func(f *Facts) float64 { return float64(f.Totals.Attempts) }},
	{Name: "available_final", Unit: "processes", Doc: "C after the last judged interval; least of all servers",
		Resolution: 1,
		OfServer:   func(s Server) float64 { return float64(s.AvailableFinal) }, Worst: Least, NoMean: true},
	{Name: "deferrals", Unit: "attempts", Doc: "attempts that a 4yz reply ended", Resolution: 1,
		Of: func(f *Facts) float64 { return f.replies(func(code int) bool { return code/100 == 4 }) }},
	{Name: "delivered", Unit: "recipients", Doc: "delivered", Resolution: 1, More: true,
		Of: func(f *Facts) float64 { return float64(f.Totals.Delivered) }},
	{Name: "delivered_share", Unit: "1", Doc: "delivered / recipients", Resolution: 0.001, More: true,
		Of: func(f *Facts) float64 { return float64(format.Ratio(f.Totals.Delivered, f.Totals.Recipients)) }},
	{Name: "dfr", Unit: AttemptsPerDelivery, Doc: "delivery failure rate ([0071])",
		Of: func(f *Facts) float64 { return float64(format.Ratio(f.Totals.Attempts, f.Totals.Delivered)) }},
	{Name: EndMetric, Unit: "h", Resolution: 0.001, MayNever: true,
		Doc: "when the last recipient ended, or the horizon; a run that leaves recipients pending misses every " +
			"expectation",
		Of: func(f *Facts) float64 { return f.EndHours }},
	{Name: "failed", Unit: "recipients", Doc: "bounced, or given up at the retry limit", Resolution: 1,
		Of: func(f *Facts) float64 { return float64(f.Totals.Failed) }},
	{Name: "first_try_share", Unit: "1", Doc: "recipients delivered at the first try / recipients tried",
		Resolution: 0.001, More: true,
		Counted: func(d *runlog.Destination) float64 { return d.FirstTryShare() }},
	{Name: "iae_target_hours", Unit: "h",
		Doc: "sum of |rate - target| x S / target, of each interval against the target in force in it; greatest " +
			"of all servers",
		OfServer: func(s Server) float64 { return s.IAE }, Resolution: 0.001},
	{Name: "ise_target_hours", Unit: "h", Doc: "sum of ((rate - target) / target)^2 x S; greatest of all servers",
		OfServer: func(s Server) float64 { return s.ISE }, Resolution: 0.001},
	{Name: "itae_target_hours2", Unit: "h2",
		Doc: "sum of |rate - target| x S x t / target, t hours after the first judged interval began; greatest " +
			"of all servers",
		OfServer: func(s Server) float64 { return s.ITAE }, Resolution: 0.001},
	{Name: "late_recipients", Unit: "recipients", Resolution: 1,
		Doc:   "final after the deadline of their campaign, or pending at the end; of a destination, final after it",
		Timed: func(e Ended) float64 { return float64(e.Late) }},
	{Name: "overshoot", Unit: "1", Doc: "greatest (rate - target) / target, 0 or more; greatest of all servers",
		OfServer: func(s Server) float64 { return s.Overshoot }, Resolution: 0.001},
	{Name: "peak_available", Unit: "processes", Doc: "greatest C of any server at any time", Resolution: 1,
		Of: (*Facts).peak},
	{Name: "pending", Unit: "recipients", Doc: "not finished at the end", Resolution: 1,
		Of: func(f *Facts) float64 { return float64(f.Totals.Pending) }},
	{Name: "rate_per_h", Unit: "messages/h",
		Doc:      "mean rate over the last quarter of the judged intervals; least of all servers",
		OfServer: func(s Server) float64 { return float64(s.Rate) }, Worst: Least, Resolution: 1, More: true},
	{Name: "recipients", Unit: "recipients", Doc: "length of all lists", Resolution: 1, More: true,
		Of: func(f *Facts) float64 { return float64(f.Totals.Recipients) }},
	{Name: "refused_share", Unit: "1", Resolution: 0.001,
		Doc: "attempts with which the receiver refused the sender (421 at any stage, 4yz or 5yz before RCPT) / " +
			"attempts",
		Counted: func(d *runlog.Destination) float64 { return float64(format.Ratio(d.Refusals(), d.Attempts())) }},
	{Name: "retries_per_recipient", Unit: "attempts", Doc: "resends / recipients that are not suppressed",
		Resolution: 1,
		Of: func(f *Facts) float64 {
			return float64(format.Ratio(f.Totals.Resends, f.Totals.Recipients-f.Totals.Suppressed))
		}},
	{Name: SettlingMetric2, Unit: "intervals",
		Doc:      "passed before the rate stayed within 2 % of the target; as " + SettlingMetric,
		OfServer: func(s Server) float64 { return orNever(s.Settling2) }, Resolution: 1, MayNever: true},
	{Name: SettlingMetric, Unit: "intervals",
		Doc: "passed before the rate stayed within 5 % of the target in force, counted from the last change of the " +
			"target or else from " +
			"the start; greatest of all servers; a server that never settles misses every expectation",
		OfServer: func(s Server) float64 { return orNever(s.Settling5) }, Resolution: 1, MayNever: true},
	{Name: "steady_state_error", Unit: "1",
		Doc: "(rate_per_h - mean target of the same intervals) / that target, of the server that is farthest " +
			"off, with its sign",
		OfServer: func(s Server) float64 { return float64(s.SteadyStateError) }, Worst: FarthestFromZero,
		Resolution: 0.001, Signed: true},
	{Name: "suppressed", Unit: "recipients",
		Doc:        "got nothing: on the suppression list, or after a request or returned mail",
		Resolution: 1, Of: func(f *Facts) float64 { return float64(f.Totals.Suppressed) }},
	{Name: "swing_period_intervals", Unit: "intervals",
		Doc: "twice the mean distance of the changes of sign of swing; of the server that swings most; undefined " +
			"with fewer than three, " +
			"or below one process",
		OfServer: func(s Server) float64 { return float64(s.SwingPeriod) }, Worst: OfGreatestSwing, Resolution: 1,
		More: true},
	{Name: "swing_processes", Unit: "processes",
		Doc: "peak to peak of C over the last half of the judged intervals, less its trend; greatest of all " +
			"servers",
		OfServer: func(s Server) float64 { return float64(s.Swing) }, Resolution: 1},
	{Name: "t50_h", Unit: "h", Resolution: 0.001, MayNever: true,
		Doc: "from the start of the run until half of the recipients were final: delivered, failed or given up; " +
			"known to 0.4 %",
		Timed: func(e Ended) float64 { return e.hours(0.50) }},
	{Name: "t90_h", Unit: "h", Doc: "as t50_h, 90 % of the recipients", Resolution: 0.001, MayNever: true,
		Timed: func(e Ended) float64 { return e.hours(0.90) }},
	{Name: "t99_h", Unit: "h", Doc: "as t50_h, 99 % of the recipients", Resolution: 0.001, MayNever: true,
		Timed: func(e Ended) float64 { return e.hours(0.99) }},
	{Name: "throttled", Unit: "attempts", Doc: "attempts that a 421 reply ended: the receiver closes, as at its cap",
		Resolution: 1,
		Of:         func(f *Facts) float64 { return f.replies(func(code int) bool { return code == 421 }) }},
	{Name: "time_to_final_p50_h", Unit: "h", Resolution: 0.001, MayNever: true,
		Doc: "from the start of its campaign to its final status, half of the recipients tried took that long at " +
			"most",
		Counted: func(d *runlog.Destination) float64 { return timeToFinal(d, 0.50) }},
	{Name: "time_to_final_p95_h", Unit: "h", Resolution: 0.001, MayNever: true,
		Doc:     "as time_to_final_p50_h, 95 % of the recipients tried",
		Counted: func(d *runlog.Destination) float64 { return timeToFinal(d, 0.95) }},
	{Name: "total_variation", Unit: "processes", Doc: "sum of all changes of C; greatest of all servers",
		OfServer: func(s Server) float64 { return s.TotalVariation }, Resolution: 1},
}

// Better returns which values of the metric are better: less, more or nearer 0.
func (m Metric) Better() string {
	switch {
	case m.Signed:
		return "nearer 0"
	case m.More:
		return "more"
	}
	return "less"
}

// Added returns what is added to both sides of the ratio of a and b, so that 0 can be compared and small numbers
// count for little: the resolution if one of them lies below it, else 0.
func Added(resolution, a, b float64) float64 {
	if min(a, b) >= resolution {
		return 0
	}
	return resolution
}

// hours returns the hours from the start of the run until the share q of the recipients was
// final, +Inf if it never was, NaN without recipients.
func (e Ended) hours(q float64) float64 {
	if e.Recipients == 0 {
		return math.NaN()
	}
	at, reached := e.Ends.At(q, e.Recipients)
	if !reached {
		return math.Inf(1)
	}
	return at.Seconds() / 3600
}

// timeToFinal returns the hours within which the share q of the recipients
// tried became final, +Inf if fewer did, NaN if none was tried.
func timeToFinal(d *runlog.Destination, q float64) float64 {
	if d.Tried() == 0 {
		return math.NaN()
	}
	t, reached := d.TimeToFinal(q, d.Tried())
	if !reached {
		return math.Inf(1)
	}
	return t.Hours()
}

// orNever returns n, +Inf if it is missing.
func orNever(n format.Num) float64 {
	if !n.Known() {
		return math.Inf(1)
	}
	return float64(n)
}

// replies returns the number of attempts whose reply code fits accepts.
func (f *Facts) replies(fits func(code int) bool) (n float64) {
	for _, r := range f.Replies {
		if fits(r.Code) {
			n += float64(r.Count)
		}
	}
	return n
}

// peak returns the greatest C of any row, NaN without rows.
func (f *Facts) peak() float64 {
	peak := format.Missing
	for _, row := range f.Rows {
		for _, c := range []format.Num{row.Previous, row.Available} {
			if c.Known() && !(c <= peak) {
				peak = c
			}
		}
	}
	return float64(peak)
}

// Metrics returns every metric, by name.
func Metrics() []Metric { return slices.Clone(metrics) }

// MetricNamed returns the metric called name, of a run or of a part of it (see Split), and
// whether there is one. Whether a run has the part depends on its scenario.
func MetricNamed(name string) (Metric, bool) {
	whole, of := Split(name)
	i, found := slices.BinarySearchFunc(metrics, whole, func(m Metric, name string) int {
		if m.Name < name {
			return -1
		} else if m.Name > name {
			return 1
		}
		return 0
	})
	if !found || of != "" && metrics[i].Timed == nil && metrics[i].Counted == nil || strings.HasSuffix(name, ":") {
		return Metric{}, false
	}
	m := metrics[i]
	m.Name = name
	return m, true
}

// Split returns the parts of a name such as t90_h:google, the metric t90_h of the campaign or the destination google.
// Of is empty for the metric of a whole run.
func Split(name string) (metric, of string) {
	metric, of, _ = strings.Cut(name, ":")
	return metric, of
}

// OfParts returns the names of the metrics that each campaign and each destination has, or each destination alone.
func OfParts(campaign bool) []string {
	var all []string
	for _, m := range metrics {
		if m.Timed != nil || m.Counted != nil && !campaign {
			all = append(all, m.Name)
		}
	}
	return all
}

// MetricNames returns the names of all metrics in their order.
func MetricNames() []string {
	var all []string
	for _, m := range metrics {
		all = append(all, m.Name)
	}
	return all
}

// Compute returns all metrics of a run by name.
func (f *Facts) Compute() map[string]float64 {
	values := WorstOf(f.Servers)
	for _, m := range metrics {
		switch {
		case m.Of != nil:
			values[m.Name] = m.Of(f)
		case m.Counted != nil, m.Timed != nil:
			values[m.Name] = f.counted(m, f.All)
			for i := range f.Parts {
				if _, has := f.Parts[i].Values[m.Name]; has {
					values[m.Name+":"+f.Parts[i].Name] = f.counted(m, &f.Parts[i])
				}
			}
		}
	}
	return values
}

// counted returns a metric of all recipients together, or of a part of them. In a file both a time that never
// came and an undefined number are missing; the other counts of the run decide which.
func (f *Facts) counted(m Metric, of *Destination) float64 {
	if of == nil {
		return math.NaN()
	}
	v, ok := of.Values[m.Name]
	refused, counts := of.Values["refused_share"]
	tried := f.Totals.Attempts > 0 && (!counts || refused.Known()) // undefined without attempts
	if ok && !v.Known() && m.MayNever && tried {
		return math.Inf(1)
	}
	return float64(v)
}

// WorstOf returns the metrics of single servers, each from the server that the Choice of
// the metric selects. If a server was never judged, all of them except the signed ones
// are undefined.
func WorstOf(servers []Server) map[string]float64 {
	values := map[string]float64{}
	for _, m := range metrics {
		if m.OfServer != nil {
			values[m.Name] = m.worst(servers)
		}
	}
	return values
}

// worst returns the metric from the server that counts.
func (m Metric) worst(servers []Server) float64 {
	if m.Worst == OfGreatestSwing {
		swing, _ := MetricNamed("swing_processes")
		worst := swing.worst(servers)
		for _, s := range slices.Backward(servers) {
			if float64(s.Swing) == worst {
				return m.OfServer(s)
			}
		}
		return math.NaN()
	}
	worst := math.NaN()
	for _, s := range servers {
		v := m.OfServer(s)
		if m.Worst != FarthestFromZero && (s.Judged == 0 || math.IsNaN(v)) {
			return math.NaN() // if one server is unknown, so is the worst
		}
		switch {
		case math.IsNaN(worst),
			m.Worst == Greatest && v > worst,
			m.Worst == Least && v < worst,
			m.Worst == FarthestFromZero && !(math.Abs(v) <= math.Abs(worst)):
			worst = v
		}
	}
	return worst
}
