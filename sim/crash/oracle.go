package crash

import (
	"fmt"

	"flyball/engine"
	"flyball/internal/mail"
)

// oracle sees everything, and checks what must always hold.
type oracle struct {
	w         *World
	violation string
	rcpts     []truth
	servers   map[engine.Subset]mail.Server    // of subsets whose plan is in force, or was
	parts     map[engine.Subset]engine.Planned // that are neither finished nor lost
	imported  map[engine.Subset]uint64         // number of outcomes
	bars      [2]uint64                        // number of the last bar, from C and from D
	barred    []engine.Change                  // in their order
	changes   [2][]engine.Change               // of the servers for returned mail and for requests
	tokens    map[uint64]bool                  // of returned mail
	over      bool                             // what other schemes break on the way is their nature
	under     int                              // final dots, returned mail and requests that are on their way
	each      []seen
	today     struct{ day, recipients int } // of the account
}

// truth is what became of a recipient, and what the sending server has of it.
type truth struct {
	accepts int             // messages that its receiver accepted
	from    int             // host whose message was accepted first
	refused bool            // by its receiver
	of      engine.Subset   // the newest one with the recipient
	by      uint32          // number of the plan under which its end was imported
	status  mail.Status     // as imported
	losses  int             // plans that it was in when its server was lost
	hard    int             // hard returned mails of the person, since its last deletion
	soft    int             // soft ones
	wants   map[uint64]bool // requests, by token; true: to be confirmed
	told    [3]bool         // a question for confirmation came, by token
	ended   bool            // a delivering server has given it up, or sent it nothing as it was barred
	doubts  int             // ambiguous attempts
	barred  bool
}

func (o *oracle) begin(w *World) {
	n := w.cfg.Recipients
	*o = oracle{w: w, rcpts: make([]truth, n), servers: map[engine.Subset]mail.Server{},
		parts: map[engine.Subset]engine.Planned{}, imported: map[engine.Subset]uint64{}, tokens: map[uint64]bool{},
		under: w.cfg.Requests}
	for i := range w.cfg.Requests {
		o.rcpts[w.cfg.Asker(i)].wants = map[uint64]bool{}
	}
	o.each = make([]seen, len(w.hosts))
	for h := 1; h <= w.cfg.Servers; h++ {
		o.each[h] = seen{rows: make([]seenRow, n), slots: make([]mail.Recipient, w.cfg.Processes),
			dots:   make([][]mail.Recipient, w.cfg.Processes),
			points: map[engine.Subset]engine.Checkpoint{}}
	}
}

// fail records a violation. Only Ours keeps all promises.
func (o *oracle) fail(format string, args ...any) {
	if o.violation == "" && (o.w.cfg.Scheme.Intends() || o.over) {
		o.violation = fmt.Sprintf(format, args...)
	}
}

// durable checks facts that have become durable.
func (o *oracle) durable(h *host, facts []engine.Fact) {
	for _, f := range facts {
		switch {
		case h.number == 0:
			o.ofSender(f)
		case h.number <= o.w.cfg.Servers:
			o.ofRemote(h, f)
		default:
			o.ofInbox(f)
		}
	}
}

// planned reports whether a plan with the subset is in force, or was.
func (o *oracle) planned(s engine.Subset) bool {
	_, ok := o.servers[s]
	return ok
}

// holder returns the host with the right to deliver to a recipient, by the newest plan that is in force; 0: none.
func (o *oracle) holder(r mail.Recipient) int {
	if of := o.rcpts[r].of; o.planned(of) {
		return 1 + int(o.servers[of])
	}
	return 0
}
