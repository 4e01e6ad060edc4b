package codec

import "flyball/engine"

// Flow is one kind of message: which role sends which body to which.
type Flow struct {
	From engine.Kind
	Body engine.Body // a zero value
	To   engine.Kind
}

// Carried reports whether a flow may go from process to process. What operators and recipients say and hear, they say
// to and hear from the process of the role itself.
func (f Flow) Carried() bool { return carried(f.From) && carried(f.To) }

func carried(k engine.Kind) bool { return k != engine.Operator && k != engine.Recipients }

// Flows are all flows. A role panics at any other message, so a carrier brings it none.
var Flows = []Flow{
	{engine.Operator, engine.Reserve{}, engine.Delivery},
	{engine.Operator, engine.Withdraw{}, engine.Delivery},
	{engine.Operator, engine.Stop{}, engine.Delivery},
	{engine.Delivery, engine.Report{}, engine.Governing},
	{engine.Governing, engine.Verdict{}, engine.Delivery},
	{engine.Delivery, engine.React{}, engine.Delivery},

	{engine.Sender, engine.Hire{}, engine.Remote},
	{engine.Remote, engine.Granted{}, engine.Sender},
	{engine.Sender, engine.Transfer{}, engine.Remote},
	{engine.Sender, engine.Start{}, engine.Remote},
	{engine.Sender, engine.Restart{}, engine.Remote},
	{engine.Sender, engine.Drop{}, engine.Remote},
	{engine.Remote, engine.Progress{}, engine.Sender},
	{engine.Remote, engine.Tally{}, engine.Sender},
	{engine.Sender, engine.Summary{}, engine.Operator},
	{engine.Operator, engine.Got{}, engine.Sender},
	{engine.Operator, engine.Stop{}, engine.Sender},
	{engine.Operator, engine.Stop{}, engine.Remote},

	{engine.Recipients, engine.Returned{}, engine.Bounces},
	{engine.Bounces, engine.Returns{}, engine.Bounces},
	{engine.Bounces, engine.Got{}, engine.Bounces},
	{engine.Recipients, engine.Request{}, engine.Requests},
	{engine.Recipients, engine.Join{}, engine.Requests},
	{engine.Recipients, engine.Letter{}, engine.Requests},
	{engine.Requests, engine.Confirm{}, engine.Recipients},
	{engine.Recipients, engine.Confirmed{}, engine.Requests},
	{engine.Bounces, engine.Changes{}, engine.Sender},
	{engine.Requests, engine.Changes{}, engine.Sender},
	{engine.Sender, engine.Got{}, engine.Bounces},
	{engine.Sender, engine.Got{}, engine.Requests},
	{engine.Sender, engine.Pull{}, engine.Bounces},
	{engine.Sender, engine.Pull{}, engine.Requests},
	{engine.Operator, engine.Stop{}, engine.Bounces},
	{engine.Operator, engine.Stop{}, engine.Requests},
}

// FlowOf returns the flow of a message with a body, and reports whether there is one.
func FlowOf(m engine.Message) (Flow, bool) {
	for _, f := range Flows {
		if f.From == m.From.Role && f.To == m.To.Role && Name(f.Body) == Name(m.Body) {
			return f, true
		}
	}
	return Flow{}, false
}
