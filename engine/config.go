package engine

import (
	"flyball/internal/conf"
	"flyball/internal/vt"
)

// Retry is the resend policy of a server ([0071]).
type Retry struct {
	Policy    string    `toml:"policy" doc:"how the retry limit moves" oneof:"fixed"`
	Limit     int       `toml:"limit" doc:"times a message is resent before giving up; 0 never resends" range:"0..1000"`
	Delays    []vt.Span `toml:"delays" doc:"wait before each resend; the last one repeats"`
	Bounce    string    `toml:"bounce" doc:"what a 5yz reply does: end the recipient (RFC 5321 4.2.1), or count as any failure ([0071])" oneof:"fail resend"`
	Ambiguous string    `toml:"ambiguous" doc:"what an attempt without reply after the final dot does: hold (never twice) or resend (never none)" oneof:"hold resend"`
}

// DefaultRetry resends ten times ([0073]) over about a day.
func DefaultRetry() Retry {
	return Retry{
		Policy: "fixed",
		Limit:  10, // [0073]: "from ten to five"
		// RFC 5321 4.5.4.1: at least 30 minutes, two tries in the first hour, then every 2 or 3 hours
		Delays:    []vt.Span{30 * vt.Minute, 30 * vt.Minute, 2 * vt.Hour, 3 * vt.Hour},
		Bounce:    "fail", // RFC 5321 4.2.1
		Ambiguous: "hold", // a message is never sent twice unasked
	}
}

// Validate reports every problem.
func (r Retry) Validate() []error {
	var l conf.List
	l.Check(r.Policy == "fixed", "policy", "got %q, want \"fixed\"", r.Policy)
	l.Check(r.Limit >= 0 && r.Limit <= 1000, "limit", "got %d, want 0 to 1000", r.Limit)
	l.Check(r.Limit == 0 || len(r.Delays) > 0, "delays", "got none, want at least one for limit = %d", r.Limit)
	for i, d := range r.Delays {
		l.Check(d >= vt.Millisecond && d <= 30*vt.Day, conf.Index("delays", i), "got %s, want 1ms to 30d", d)
	}
	l.Check(r.Bounce == "fail" || r.Bounce == "resend", "bounce", "got %q, want \"fail\" or \"resend\"", r.Bounce)
	l.Check(r.Ambiguous == "hold" || r.Ambiguous == "resend", "ambiguous", "got %q, want \"hold\" or \"resend\"", r.Ambiguous)
	return l
}
