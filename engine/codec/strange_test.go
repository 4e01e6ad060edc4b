package codec

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"flyball/engine"
	"flyball/engine/delivery"
	"flyball/engine/delivery/retry"
	"flyball/engine/remote"
	"flyball/engine/sender"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/replies"
	"flyball/internal/vt"
)

// What another server may send after it was set up otherwise, e.g. for another list, is in range and fits nothing that
// a role has: the role goes on.
func TestRolesTakeStrangeValues(t *testing.T) {
	list := mail.ReadList(make([]mail.Destination, 20))
	cfg := delivery.Config{Retry: retry.Default(), Interval: vt.Minute, Destinations: 1,
		Destination: governor.DefaultDestination(), Messages: 1, Freeing: delivery.DefaultFreeing(),
		Replies: []replies.Table{{{Reaction: "suspend", Scope: "domain", For: vt.Minute}}}}
	for _, kind := range []engine.Kind{engine.Sender, engine.Remote} {
		for seed := range uint64(300) {
			rand := rand.New(rand.NewPCG(seed, 0))
			var role engine.Role
			var out engine.Outbox
			step := vt.Second
			if kind == engine.Sender {
				s := sender.New(sender.Default(2))
				s.Submit(1, engine.Submitted{Job: 1, First: 8, Recipients: 4}, &out)
				role = s
			} else {
				step = vt.Second / 10 // so that leases last
				role = remote.New(remote.Default(cfg), &list, delivery.NewShare(1), silent{})
			}
			now := vt.Time(1)
			for range 30 {
				now += vt.Time(rand.Int64N(int64(step)))
				out.Clear()
				if role.NextWake() <= now {
					role.Wake(now, func(float64) float64 { return 0 }, &out)
					continue
				}
				m, ok := strange(rand, kind)
				if !ok {
					continue
				}
				func() {
					defer func() {
						if why := recover(); why != nil {
							t.Fatalf("seed %d: %v of %v: %+v: %v", seed, Name(m.Body), m.From, m.Body, why)
						}
					}()
					role.Receive(now, m, &out)
				}()
			}
		}
	}
}

// strange returns a message to a role that Decode lets through; false: not this time.
func strange(rand *rand.Rand, to engine.Kind) (m engine.Message, ok bool) {
	var flows []Flow
	for _, f := range Flows {
		if f.Carried() && (f.To == to || to == engine.Remote && f.To == engine.Delivery) {
			flows = append(flows, f)
		}
	}
	f := flows[rand.IntN(len(flows))]
	body := reflect.New(reflect.TypeOf(f.Body)).Elem()
	scatter(rand, body)
	m = engine.Message{From: engine.Address{Role: f.From, Server: mail.Server(rand.IntN(2))},
		To: engine.Address{Role: f.To}, Number: rand.Uint64N(4), Body: body.Interface().(engine.Body)}
	text, err := Encode(m)
	if err == nil {
		m, err = Decode(text)
	}
	return m, err == nil
}

// scatter fills a value with small and a few great numbers.
func scatter(rand *rand.Rand, v reflect.Value) {
	place := func() mail.Recipient { return mail.Recipient(rand.IntN(24)) }
	switch {
	case v.Type() == reflect.TypeFor[engine.Checkpoint]():
		v.SetUint(uint64(checkpoints[rand.IntN(len(checkpoints))]))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			scatter(rand, v.Field(i))
		}
		switch b := v.Addr().Interface().(type) {
		case *engine.Transfer:
			from := place()
			b.Part = engine.PackParts([]engine.Part{{From: from, To: from + 1 + place()}})
			b.Digest = engine.DigestOf(b.Part)
		case *engine.Start:
			b.Bars = engine.PackChanges([]engine.Change{{Rcpt: place()}})
		case *engine.Progress:
			b.Outcomes = engine.PackOutcomes([]engine.Final{{Rcpt: place(), Status: mail.Done}})
		case *engine.Changes:
			b.Entries = engine.PackChanges([]engine.Change{{Rcpt: place()}})
		}
	case v.Kind() == reflect.Bool:
		v.SetBool(rand.IntN(2) == 0)
	case v.CanInt():
		v.SetInt(rand.Int64N(3))
	case v.CanUint():
		v.SetUint(rand.Uint64N(3))
	case v.CanFloat():
		v.SetFloat(float64(rand.IntN(3)))
	case v.Kind() != reflect.String:
		panic(fmt.Sprintf("got a %v", v.Type()))
	}
}
