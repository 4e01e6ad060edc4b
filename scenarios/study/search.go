package study

// Round counts the trials of one round of a search: of a race, or of the local search.
type Round struct {
	Stage   string `json:"stage"`
	Seeds   int    `json:"seeds"` // of each trial that took part
	Entered int    `json:"entered"`
	Worse   int    `json:"dropped_worse"`      // by the paired test
	Missed  int    `json:"dropped_constraint"` // by the test of a constraint
	Same    int    `json:"dropped_same"`       // for the same runs as another trial
	Cut     int    `json:"cut"`                // without a test, because they are in the worse part
	Left    int    `json:"left"`
}

// Verdict is the verdict on the winner of a search by the held-out runs.
type Verdict string

// Verdicts.
const (
	ShownBetter     Verdict = "better"       // in all scenarios, with all constraints met
	ShownBetterHere Verdict = "better here"  // in the scenarios of the search only
	NotShownBetter  Verdict = "not shown"    // nor shown to be worse
	ShownWorse      Verdict = "worse"        //
	MissesLimit     Verdict = "misses limit" // better, but misses a constraint
	NothingBetter   Verdict = "nothing"      // no trial was better than the baseline
)
