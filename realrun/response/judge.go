package response

import (
	"fmt"
	"strings"
	"time"
)

// Reason is why a response is a machine's, or a human's.
type Reason string

// The reasons, the first that applies.
const (
	Head     Reason = "head"     // the request was no GET
	Prefetch Reason = "prefetch" // it says that it fetches in advance
	Agent    Reason = "agent"    // its agent says that it is a program, or does not say what it is
	Trap     Reason = "trap"     // within Around of it, the recipient's trap was followed
	Burst    Reason = "burst"    // within Around of it, more links were followed at a time than a human can
	AtOnce   Reason = "at-once"  // it came sooner after the acceptance than a human reads
	NoSign   Reason = "no-sign"  // none of these: a human
)

// version is the Rule of verdicts; a rule that decides differently has another one.
const version = 1

// Rule is by what responses are judged. Its values follow from measured scanners (docs/responses.md): 836 bursts of
// five links or more within a second came, but for 2.7 %, 20 s or more after the message, so a short time since the
// acceptance alone finds few of them.
type Rule struct {
	Links  int           // of a burst; of a campaign with fewer links: all of them, if they are at least two
	Within time.Duration // length of a burst
	Around time.Duration // of a burst or a trap: before and after it, all of the recipient's responses are a machine's

	OpenAtOnce, ClickAtOnce time.Duration // since the acceptance
}

// defaultRule returns the rule as it is meant to be used.
func defaultRule() Rule {
	return Rule{Links: 5, Within: time.Second, Around: 10 * time.Second, OpenAtOnce: 10 * time.Second,
		ClickAtOnce: 2 * time.Second}
}

// Validate returns all problems of the rule.
func (r *Rule) Validate() (errs []error) {
	if r.Links < 2 {
		errs = append(errs, fmt.Errorf("links: got %d, want at least 2", r.Links))
	}
	for _, v := range []struct {
		name string
		d    time.Duration
	}{{"within", r.Within}, {"around", r.Around}, {"open at once", r.OpenAtOnce}, {"click at once", r.ClickAtOnce}} {
		if v.d < 0 || v.d > time.Minute {
			errs = append(errs, fmt.Errorf("%s: got %v, want 0s to 1m", v.name, v.d))
		}
	}
	return errs
}

// Judge returns the verdict on each of the responses of one recipient, which are in the order of their times; links is
// the number of links of the campaign, and accepted when its message was accepted, zero if that is not known. The
// verdict on a response is final when all that came within Around of it are given.
func (r *Rule) Judge(all []Response, links int, accepted time.Time) []Verdict {
	signs := r.signs(all, links)
	out := make([]Verdict, len(all))
	for i, v := range all {
		reason := r.alone(&v, accepted)
		if reason == NoSign || reason == AtOnce {
			for _, s := range signs {
				if !v.At.Before(s.from.Add(-r.Around)) && !v.At.After(s.to.Add(r.Around)) {
					reason = s.reason
					break
				}
			}
		}
		out[i] = Verdict{v.Number, reason == NoSign, reason, version, accepted}
	}
	return out
}

// sign is a time in which a machine was at work.
type sign struct {
	from, to time.Time
	reason   Reason
}

// signs returns the traps that were followed, and the bursts.
func (r *Rule) signs(all []Response, links int) (traps []sign) {
	want := min(r.Links, max(links, 2))
	var bursts []sign
	for i, v := range all {
		if v.Kind != "click" {
			continue
		}
		if v.Link == 0 {
			traps = append(traps, sign{v.At, v.At, Trap})
			continue
		}
		seen := map[uint32]bool{}
		for _, w := range all[i:] {
			if w.At.Sub(v.At) > r.Within {
				break
			}
			if w.Kind == "click" && w.Link > 0 {
				if seen[w.Link] = true; len(seen) >= want {
					bursts = append(bursts, sign{v.At, w.At, Burst})
					break
				}
			}
		}
	}
	return append(traps, bursts...)
}

// alone judges a response by itself.
func (r *Rule) alone(v *Response, accepted time.Time) Reason {
	soon := r.OpenAtOnce
	if v.Kind == "click" {
		soon = r.ClickAtOnce
	}
	switch {
	case v.Method != "GET":
		return Head
	case v.Prefetch:
		return Prefetch
	case isProgram(v.Agent):
		return Agent
	case !accepted.IsZero() && v.At.Sub(accepted) < soon:
		return AtOnce
	}
	return NoSign
}

// programs are in the agents of programs that are not made for people.
var programs = []string{"bot", "crawler", "spider", "scanner", "headless", "curl/", "wget/", "python-",
	"go-http-client", "java/", "okhttp", "libwww", "axios/"}

// isProgram reports whether an agent says that it is a program. The proxies through which readers of webmail fetch
// pictures are none, since a person has them fetched.
func isProgram(agent string) bool {
	agent = strings.ToLower(agent)
	for _, p := range programs {
		if strings.Contains(agent, p) {
			return true
		}
	}
	return agent == ""
}
