package measure

import (
	"fmt"
	"strings"

	"flyball/reports/format"
)

// Standing is whether a server converged.
type Standing int

const (
	Unplaced Standing = iota // without a judged interval
	Settled
	Held    // below its target at the scenario's max, in a run or in every replication; not a failure
	Waited  // settled but for intervals in which recipients waited for closed destinations; not a failure
	Missing // never settled
)

// Placed is a server with its standing and the words on it.
type Placed struct {
	Server   string
	Standing Standing
	Settled  format.Num // intervals
	// When says when a settled server did, or how long any other was watched; More is the end of a sentence
	// on it alone.
	When, More string
	Waits      int // intervals in which a server that is Waited was short of recipients that it might send to
	// C, Rate and Off, the distance from the target, are of a server that is Held.
	C, Rate, Off string
}

// Verdict is a sentence on whether all servers of a run, or their means over several runs, converged.
type Verdict struct {
	Mean     string // as in "the mean of 20 replications"; empty for one run
	Target   string
	Failed   string // the word if a server did not settle
	Together string // on all servers; may be empty
	Servers  []Placed
}

// NothingJudged returns a sentence on a run, or on several, without a judged interval. About
// is what is therefore not known.
func NothingJudged(several bool, about string) string {
	return fmt.Sprintf("Not judged: in no full interval was there work for every process%s, so nothing is known "+
		"about %s.", inEvery(several), about)
}

func inEvery(several bool) string {
	if several {
		return " in every replication"
	}
	return ""
}

// String returns the sentence. The first word or words say the result.
func (v Verdict) String() string {
	of := map[Standing][]string{}
	last, most := Placed{Settled: -1}, 0
	for _, s := range v.Servers {
		of[s.Standing] = append(of[s.Standing], s.Server)
		if s.Standing == Settled && s.Settled > last.Settled {
			last = s
		}
		most = max(most, s.Waits)
	}
	switch {
	case len(of[Unplaced]) == len(v.Servers):
		return NothingJudged(v.Mean != "", "the governor")
	case len(v.Servers) == 1:
		return v.alone(v.Servers[0])
	}
	word := "Converged"
	var said []string
	if n := len(of[Settled]); n > 0 {
		said = append(said, fmt.Sprintf("%d of %d servers settled within 5 %% of %s each, the last one (%s) %s", n,
			len(v.Servers), v.Target, last.Server, last.When))
	}
	if held := of[Held]; held != nil {
		word = "Held at max, as ordered"
		said = append(said, fmt.Sprintf("%s stayed at max processes, below %s", format.Listed(held), v.Target))
	}
	if waited := of[Waited]; waited != nil {
		word += ", then waited, as ordered"
		said = append(said, fmt.Sprintf("%s settled within 5 %% of %s%s", format.Listed(waited), v.Target,
			but("up to ", most)))
	}
	if never := of[Missing]; never != nil {
		word = v.Failed
		said = append(said, fmt.Sprintf("%s never settled within 5 %% of %s", format.Listed(never), v.Target))
	}
	if unplaced := of[Unplaced]; unplaced != nil {
		said = append(said, format.Listed(unplaced)+" had no full interval with work for every process"+
			inEvery(v.Mean != ""))
	}
	if v.Together != "" {
		said = append(said, v.Together)
	}
	if v.Mean != "" {
		said[0] = "in " + v.Mean + " " + said[0]
	}
	return word + ": " + strings.Join(said, "; ") + "."
}

// alone returns the sentence on the only server.
func (v Verdict) alone(s Placed) string {
	who := v.Mean
	if who == "" {
		who = s.Server
	}
	switch s.Standing {
	case Settled:
		return fmt.Sprintf("Converged: %s settled within 5 %% of %s %s%s.", who, v.Target, s.When, s.More)
	case Held:
		return fmt.Sprintf("C stayed at max = %s, as ordered: with that many processes %s made %s over the last "+
			"quarter (%s, of a target of %s).", s.C, who, s.Rate, s.Off, v.Target)
	}
	if s.Standing == Waited {
		upTo := ""
		if v.Mean != "" {
			upTo = "up to "
		}
		return fmt.Sprintf("Converged, then waited, as ordered: %s settled within 5 %% of %s%s.", who, v.Target,
			but(upTo, s.Waits))
	}
	return fmt.Sprintf("%s: %s never settled within 5 %% of %s %s%s.", v.Failed, who, v.Target, s.When, s.More)
}

// but returns the end of a sentence on a server that waited in a number of intervals.
func but(upTo string, intervals int) string {
	return fmt.Sprintf(" but for %s%s, in which recipients waited for destinations that the sender's own limits or "+
		"reply table kept closed", upTo, format.Plural(uint64(intervals), "interval"))
}
