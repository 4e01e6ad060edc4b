package remote

import (
	"fmt"

	"flyball/engine"
	"flyball/engine/delivery"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Config configures the server.
type Config struct {
	Delivery delivery.Config
	Sender   engine.Address // the sending server
	Lease    vt.Span        // for which a Start lets the server deliver, from the Progress that it answers
	Hold     vt.Span        // for which processes are kept after Granted
	Batch    int            // most outcomes in a Progress
	Stall    vt.Span        // after which an attempt without a lease is given up: longer than a step takes
	Window   int            // most recipients of a subset who may have the message without an imported outcome
	Resend   bool           // an ambiguous attempt is resent; otherwise its recipient is held

	// Suppressed reports whether a recipient must get nothing, beside those that the sending server bars. It is asked
	// when a recipient is taken and at the gate, and once it has said so it is not asked again. nil: no recipient is.
	Suppressed func(mail.Recipient) bool

	// Ahead is the number of messages of a process whose intents may be durable while their outcomes are not. Over a
	// kept connection an intent is written when its attempt begins, and with it the intents of the Ahead - 1 next
	// recipients of the process. 0: one, and its intent is written at the gate, after all other facts.
	Ahead int

	// Counts means that the server never stops, no lease ends, no recipient is barred, and no attempt comes to the
	// gate: recipients are counted, and not followed one by one.
	Counts bool
}

// Default returns the configuration with the given delivery machine.
func Default(d delivery.Config) Config {
	return Config{Delivery: d, Sender: engine.Address{Role: engine.Sender}, Lease: 5 * vt.Second,
		Hold: 10 * vt.Second, Batch: 1000, Window: 1000, Stall: 15 * vt.Minute}
}

// Validate returns all problems of the configuration.
func (c *Config) Validate() (errs []error) {
	for _, v := range []struct {
		name string
		span vt.Span
	}{{"lease", c.Lease}, {"hold", c.Hold}, {"stall", c.Stall}} {
		if v.span <= 0 {
			errs = append(errs, fmt.Errorf("%s: got %v, want more than 0", v.name, v.span))
		}
	}
	if c.Batch < 1 {
		errs = append(errs, fmt.Errorf("batch: got %d, want at least 1", c.Batch))
	}
	if c.Window < 1 {
		errs = append(errs, fmt.Errorf("window: got %d, want at least 1", c.Window))
	}
	if c.Ahead < 0 {
		errs = append(errs, fmt.Errorf("ahead: got %d, want at least 0", c.Ahead))
	}
	return errs
}
