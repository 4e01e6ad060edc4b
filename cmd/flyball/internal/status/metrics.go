package status

import (
	"flyball/cmd/flyball/internal/metrics"
	"flyball/internal/mail"
)

// Names and meanings of numbers that a live run and a delivering server of a site have.
const (
	AttemptsTotal  = "flyball_attempts_total"
	AttemptsHelp   = "Attempts that ended."
	AmbiguousTotal = "flyball_ambiguous_attempts_total"
	AmbiguousHelp  = "Attempts without a reply to the final dot, of a mailing that is kept."
	DeferredTotal  = "flyball_deferred_total"
	DeferredHelp   = "Attempts after which a recipient was to be resent."
	Available      = "flyball_available_processes"
	AvailableHelp  = "C, rounded down."
	Allocated      = "flyball_allocated_processes"
	AllocatedHelp  = "Processes with a subset."
	Recipients     = "flyball_recipients"
	RecipientsHelp = "Recipients by status."
)

// Labels are the statuses of recipients as labels of numbers.
var Labels = [mail.Statuses]string{mail.Pending: "pending", mail.Done: "delivered", mail.Failed: "failed",
	mail.Suppressed: "suppressed", mail.Held: "held", mail.Unreached: "not_allowed"}

// Metrics adds the status to a text for Prometheus.
func (s *Status) Metrics(t *metrics.Text) {
	for status, n := range [mail.Statuses]uint64{mail.Pending: s.Pending, mail.Done: s.Delivered, mail.Failed: s.Failed,
		mail.Suppressed: s.Suppressed, mail.Held: s.Held, mail.Unreached: s.NotAllowed} {
		t.Gauge(Recipients, RecipientsHelp, float64(n), "status", Labels[status])
	}
	t.Counter(AttemptsTotal, AttemptsHelp, s.Attempts)
	t.Counter(AmbiguousTotal, AmbiguousHelp, uint64(s.Ambiguous))
	for _, d := range s.Destinations {
		t.Counter(DeferredTotal, DeferredHelp, d.Deferred, "destination", d.Name)
	}
	for _, v := range s.Servers {
		t.Gauge(Available, AvailableHelp, float64(v.Available), "server", v.Name)
		t.Gauge(Allocated, AllocatedHelp, float64(v.Allocated), "server", v.Name)
	}
	paused := 0.0
	if s.State == "paused" {
		paused = 1
	}
	t.Gauge("flyball_paused", "Whether all final dots are stopped.", paused)
}
