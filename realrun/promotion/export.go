package promotion

import (
	"fmt"
	"math"
	"strings"
	"time"

	"flyball/engine/delivery/retry"
	"flyball/internal/vt"
	"flyball/scenarios"
)

// Systems are the mail systems for which Export writes shaping.
func Systems() []string { return []string{"kumomta", "postfix"} }

// Export returns shaping for another mail system, one of Systems, that comes as near to the parameters p of record r as
// fixed settings can: what a law moves is set to where it ended in the runs that were shown, or else to where it
// starts. Comments name what the system cannot do.
func Export(system string, r Record, p scenarios.Parameters) []byte {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# From promotion %d of %s by %s, until %s, shown on %s.", r.Number, r.At.Format(time.RFC3339), r.By,
		r.Expires.Format(time.RFC3339), r.Shown.Scenario)
	line("# Its record has SHA-256 %s.", r.Sum)
	line("# These settings are fixed. Law %s moves the number of processes to keep to %s a server; it does",
		p.Governor.Law, p.Governor.Target)
	line("# not go with them, and they are as good as the days on which the record was shown.")
	if system == "postfix" {
		postfix(line, r, p)
	} else {
		kumomta(line, r, p)
	}
	return []byte(b.String())
}

// kumomta writes shaping.toml, and the options of queues as a comment. Sources: KumoMTA reference manual,
// make_egress_path and make_queue_config: connection_limit, additional_connection_limits,
// additional_message_rate_throttles ("quantity/period"), retry_interval (doubled at each attempt), max_retry_interval,
// max_age.
func kumomta(line func(string, ...any), r Record, p scenarios.Parameters) {
	line("")
	line("# shaping.toml")
	line(`["default"]`)
	line("additional_connection_limits = { \"flyball\" = %d }", r.processes(p))
	line("additional_message_rate_throttles = { \"flyball\" = \"%d/h\" }", int(math.Round(float64(p.Governor.Target))))
	if d := p.Governor.Destination; d.Law == "postfix-feedback" {
		line("connection_limit = %d", d.Max)
	}
	first, last, age := waits(p.Retry)
	line("")
	line("# queues.toml: an interval that doubles from the first wait to the longest, for the age of %d resends",
		p.Retry.Limit)
	line("# [queue.default]")
	line("# retry_interval = '%d seconds'", seconds(first))
	line("# max_retry_interval = '%d seconds'", seconds(last))
	line("# max_age = '%d seconds'", seconds(age))
}

// postfix writes lines of main.cf, and the limit of processes as a command. Sources: postconf(5):
// default_destination_concurrency_limit, initial_destination_concurrency,
// default_destination_concurrency_positive_feedback and _negative_feedback,
// default_destination_concurrency_failed_cohort_limit, minimal_backoff_time, maximal_backoff_time,
// queue_run_delay (at most minimal_backoff_time), maximal_queue_lifetime; qmgr(8): the wait is the age of the message
// within these bounds; postconf(1): -F.
func postfix(line func(string, ...any), r Record, p scenarios.Parameters) {
	line("# The processes of the server: postconf -F 'smtp/unix/process_limit=%d'", r.processes(p))
	line("# Postfix has no rate of a server, only a delay between deliveries to one destination.")
	line("")
	if d := p.Governor.Destination; d.Law == "postfix-feedback" {
		line("initial_destination_concurrency = %d", d.Initial)
		line("default_destination_concurrency_limit = %d", d.Max)
		feedback := strings.NewReplacer("/sqrt N", "/sqrt_concurrency", "/N", "/concurrency")
		line("default_destination_concurrency_positive_feedback = %s", feedback.Replace(d.Positive.String()))
		line("default_destination_concurrency_negative_feedback = %s", feedback.Replace(d.Negative.String()))
		line("default_destination_concurrency_failed_cohort_limit = %d", int(math.Ceil(d.Cohorts)))
	}
	first, last, age := waits(p.Retry)
	line("minimal_backoff_time = %ds", seconds(first))
	line("maximal_backoff_time = %ds", seconds(last))
	line("queue_run_delay = %ds", min(300, seconds(first)))
	line("maximal_queue_lifetime = %ds", seconds(age))
}

// processes returns the number of processes where the law ended in the runs that were shown, or else where it starts.
func (r Record) processes(p scenarios.Parameters) int {
	n := p.Governor.Start
	for _, m := range r.Shown.Measures {
		if m.Metric == "available_final" && m.Value >= 1 {
			n = m.Value
		}
	}
	if p.Governor.Max >= 1 {
		n = min(n, p.Governor.Max)
	}
	return int(math.Round(n))
}

// waits returns the first wait before a resend, the longest one, and the age at which a recipient is given up.
func waits(c retry.Config) (first, last, age vt.Span) {
	c = c.Spelled()
	if len(c.Delays) == 0 {
		return 5 * vt.Minute, vt.Hour, 5 * vt.Day
	}
	for i := range c.Limit {
		wait := c.Delays[min(i, len(c.Delays)-1)]
		last = max(last, wait)
		age += wait
	}
	first = c.Delays[0]
	last = max(last, first)
	if c.MaxAge > 0 && (age == 0 || c.MaxAge < age) {
		age = c.MaxAge
	}
	return first, last, age
}

func seconds(d vt.Span) int64 { return int64((d + vt.Second - 1) / vt.Second) }
