package engine

import (
	"fmt"
	"strings"

	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Words returns a fact or the body of a message of a mailing in words, with packed lists
// unpacked. Others are printed by %v.
func Words(v any) string {
	switch v := v.(type) {
	case Submitted:
		from := ""
		if v.First > 0 {
			from = fmt.Sprintf(" from r%d on", v.First)
		}
		s := fmt.Sprintf("job %d submitted: %d recipients%s, due %v", v.Job, v.Recipients, from, clock(v.Due))
		if v.Deadline > 0 {
			s += fmt.Sprintf(", deadline %v", clock(v.Deadline))
		}
		if v.Account > 0 {
			s += fmt.Sprintf(", account %d", v.Account)
		}
		return s
	case Reached:
		return fmt.Sprintf("job %d reached %v", v.Job, v.Checkpoint)
	case Planned:
		s := fmt.Sprintf("%v of %d planned for server %d: %s", v.Subset, v.Of, v.Server, partWords(v.Part))
		if v.Instead != (Subset{}) {
			s += fmt.Sprintf(", instead of plan %d, subset %d", v.Instead.Epoch, v.Instead.Number)
		}
		return s
	case Imported:
		return fmt.Sprintf("%v imported from %d on: %s", v.Subset, v.First, outcomeWords(v.Outcomes))
	case Finished:
		return fmt.Sprintf("%v finished", v.Subset)
	case Tallied:
		return "tallied: " + bodyWords(v.Tally)
	case Closed:
		return "closed: " + Words(v.Summary)
	case Reported:
		return fmt.Sprintf("job %d reported", v.Job)
	case Worked:
		return fmt.Sprintf("%d delivered in %v of attempts by subsets that are forgotten", v.Delivered, v.Busy)
	case Over:
		return fmt.Sprintf("job %d is over", v.Job)
	case Barred:
		return fmt.Sprintf("r%d barred, number %d of %v", v.Rcpt, v.Number, v.From)
	case Unbarred:
		return fmt.Sprintf("r%d barred no longer, number %d of %v", v.Rcpt, v.Number, v.From)
	case Took:
		return fmt.Sprintf("%v taken: %s, %s", v.Subset, partWords(v.Part), termsWords(v.Terms))
	case Began:
		return fmt.Sprintf("%v begun", v.Subset)
	case Ahead:
		return fmt.Sprintf("%d messages ahead", v.Messages)
	case Intent:
		return fmt.Sprintf("intent r%d, try %d, boot %d", v.Rcpt, v.Try, v.Boot)
	case Dotted:
		return fmt.Sprintf("dot r%d, try %d", v.Rcpt, v.Try)
	case Outcome:
		s := fmt.Sprintf("outcome r%d, try %d: %v", v.Rcpt, v.Try, v.Status)
		if v.Ambiguous {
			s += ", ambiguous"
		}
		if v.Status == mail.Pending {
			s += fmt.Sprintf(", due %v", clock(v.Due))
		}
		return s
	case Ended:
		return fmt.Sprintf("%v ended", v.Subset)
	case Counted:
		return "counted: " + Words(Returned{v.Token, v.Rcpt, v.Hard}) + madeWords(v.Changes)
	case Forgot:
		return fmt.Sprintf("returned mail of r%d is forgotten", v.Rcpt)
	case Wanted:
		if v.Changes == "" {
			return requestWords(v.Rcpt, v.Add, "asked") + ", not confirmed"
		}
		return requestWords(v.Rcpt, v.Add, "asked") + madeWords(v.Changes)
	case Agreed:
		return fmt.Sprintf("r%d confirmed request %d", v.Rcpt, v.Token) + madeWords(v.Changes)
	}
	return bodyWords(v)
}

func bodyWords(v any) string {
	switch v := v.(type) {
	case Hire:
		return fmt.Sprintf("hire %d processes for job %d", v.Processes, v.Job)
	case Granted:
		return fmt.Sprintf("granted %d processes for job %d", v.Processes, v.Job)
	case Transfer:
		return fmt.Sprintf("transfer %v: %s, %s", v.Subset, partWords(v.Part), termsWords(v.Terms))
	case Start:
		s := fmt.Sprintf("start %v, echo %v, %d imported", v.Subset, clock(v.Echo), v.Imported)
		if v.Bars != "" {
			s += fmt.Sprintf(", bars from %d on: %s", v.First, changeWords(v.Bars))
		}
		return s
	case Drop:
		return fmt.Sprintf("drop %v", v.Subset)
	case Restart:
		return fmt.Sprintf("restart %v after %d moves", v.Subset, v.Moves)
	case Progress:
		s := fmt.Sprintf("progress %v: %v, sent %v, %d ended", v.Subset, v.Checkpoint, clock(v.Sent), v.Ended)
		if v.Outcomes != "" {
			s += fmt.Sprintf(", from %d on: %s", v.First, outcomeWords(v.Outcomes))
		}
		if v.Barred > 0 {
			s += fmt.Sprintf(", %d barred", v.Barred)
		}
		return s
	case Tally:
		return fmt.Sprintf("%v: %d delivered, %d failed, %d held", v.Subset, v.Delivered, v.Failed, v.Held)
	case Summary:
		s := fmt.Sprintf("summary of job %d: %d delivered, %d failed, %d held, %d suppressed, %d ambiguous", v.Job,
			v.Delivered, v.Failed, v.Held, v.Suppressed, v.Ambiguous)
		if v.Late > 0 {
			s += fmt.Sprintf(", late by %v", clock(vt.Time(v.Late)))
		}
		return s
	case Changes:
		return fmt.Sprintf("changes from %d on: %s", v.First, changeWords(v.Entries))
	case Got:
		return fmt.Sprintf("got up to %d", v.UpTo)
	case Returned:
		kind := "soft"
		if v.Hard {
			kind = "hard"
		}
		return fmt.Sprintf("%s return %d of r%d", kind, v.Token, v.Rcpt)
	case Returns:
		var all []string
		for _, r := range UnpackReturns(v.Entries) {
			all = append(all, bodyWords(r))
		}
		return fmt.Sprintf("returns from %d on: %s", v.First, strings.Join(all, ", "))
	case Request:
		return requestWords(v.Rcpt, false, "asks")
	case Join:
		return requestWords(v.Rcpt, true, "asks")
	case Letter:
		return fmt.Sprintf("letter of r%d: %q", v.Rcpt, v.Text)
	case Confirm:
		return "confirm that " + requestWords(v.Rcpt, v.Add, "asks")
	case Confirmed:
		return fmt.Sprintf("r%d confirms request %d", v.Rcpt, v.Token)
	case Pull:
		return fmt.Sprintf("pull changes after %d", v.UpTo)
	}
	return fmt.Sprintf("%v", v)
}

func termsWords(t Terms) string {
	s := fmt.Sprintf("%d processes", t.Processes)
	if t.Priority != 0 {
		s += fmt.Sprintf(", priority %d", t.Priority)
	}
	if t.Rate != 0 {
		s += fmt.Sprintf(", %v", t.Rate)
	}
	return s
}

// clock returns a time in whole milliseconds.
func clock(t vt.Time) vt.Span { return vt.Span(t) - vt.Span(t)%vt.Millisecond }

func partWords(s string) string {
	var all []string
	for _, p := range UnpackParts(s) {
		if p.To == p.From+1 {
			all = append(all, fmt.Sprintf("r%d", p.From))
		} else {
			all = append(all, fmt.Sprintf("r%d-r%d", p.From, p.To-1))
		}
	}
	if all == nil {
		return "nothing"
	}
	return strings.Join(all, " ")
}

func outcomeWords(s string) string {
	var all []string
	for _, f := range UnpackOutcomes(s) {
		one := fmt.Sprintf("r%d %v", f.Rcpt, f.Status)
		if f.Ambiguous {
			one += " (ambiguous)"
		}
		all = append(all, one)
	}
	return strings.Join(all, ", ")
}

// changeWords has a plus before a recipient who is added.
func changeWords(s string) string {
	var all []string
	for _, c := range UnpackChanges(s) {
		all = append(all, fmt.Sprintf("%sr%d", map[bool]string{true: "+"}[c.Add], c.Rcpt))
	}
	return strings.Join(all, " ")
}

func madeWords(changes string) string {
	if changes == "" {
		return ""
	}
	return "; changes: " + changeWords(changes)
}

func requestWords(r mail.Recipient, add bool, asks string) string {
	return fmt.Sprintf("r%d %s to be %s", r, asks, map[bool]string{false: "deleted", true: "added"}[add])
}
