// Package checklist fills STRESS-DES, the reporting checklist for simulation
// studies, from a scenario and the report of its run or of its replications.
// Items that only a person can answer stay open. The command line calls it.
package checklist

import (
	"fmt"
	"slices"
	"strings"

	"flyball/reports/ensemble"
	"flyball/reports/folder"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/reports/run"
	"flyball/reports/sensitivity"
	"flyball/scenarios"
	"flyball/scenarios/stated"
)

// notStated stands where only a person can answer.
const notStated = "**Not stated by the author.**"

// item is one item of STRESS-DES. Its text is Markdown.
type item struct {
	number, title string
	text          string
}

// facts holds the data of one run, or of several, for a checklist.
type facts struct {
	name, mode, scenarioID, digest, replay string
	host                                   folder.Host
	outputs                                [][4]string // name, unit, definition, value
	expected                               []string
	errors                                 string // of the outputs
	design                                 string
	recipients                             uint64
	account                                string // what became of them
	warmUp                                 string
	ended                                  string
	replications                           string
	sensitivity                            *sensitivity.Report
}

// OfRun answers the items of STRESS-DES, the reporting checklist for
// discrete-event simulations (Monks et al. 2018, doi:10.1080/17477778.2018.1442155),
// in Markdown, as far as the scenario and its run answer them. Items that only a person
// can answer are marked as not stated. S must be the scenario of the run.
func OfRun(r *run.Report, s *scenarios.Scenario) []byte {
	t := facts{
		name: r.Name, mode: r.Mode, scenarioID: r.ScenarioID, digest: r.Digest, replay: r.Replay, host: r.Host,
		errors:     "none is given. One run is one draw of luck: another seed gives other numbers.",
		design:     "One run of one configuration.",
		recipients: r.Totals.Recipients, account: r.Account(), warmUp: "nothing is left out of this one run",
		ended: "The run ended after " + format.Duration(r.EndSec) + ".", sensitivity: r.Sensitivity,
		replications: "Replications: 1 (seed " + r.Luck() + "). Why that is enough: " + notStated,
	}
	for _, m := range measure.Metrics() {
		t.outputs = append(t.outputs, [4]string{m.Name, m.Unit, m.Doc,
			measure.Word(m.Name, format.Num(r.Metric(m.Name)))})
	}
	for _, e := range r.Expectations {
		t.expected = append(t.expected, fmt.Sprintf("%s %s %s: %s", e.Metric, e.Op, format.Given(e.Limit),
			e.Verdict("met", "missed")))
	}
	return t.checklist(s)
}

// OfEnsemble returns the checklist of an ensemble, as OfRun returns it for a run.
func OfEnsemble(e *ensemble.Report, s *scenarios.Scenario) []byte {
	t := facts{
		name: e.Name, mode: e.Mode, scenarioID: e.ScenarioID, digest: e.Digest, replay: e.Replay, host: e.Host,
		errors: "95 % intervals over independent replications: Student's for means, order statistics for " +
			"quantiles. A run that never settles is censored at the horizon, not left out.",
		design:     "Replications of one configuration.",
		recipients: uint64(e.Measure("recipients").Most), account: e.Account(), warmUp: "nothing is left out",
		ended: format.Upper(e.End()) + ".",
		replications: fmt.Sprintf("Independent replications: %d, numbers 0 to %d of seed %d.", e.Replications,
			e.Replications-1, e.Seed),
	}
	if p := e.Precision; p != nil {
		reached := "was reached"
		if !p.Reached {
			reached = "was not reached"
		}
		t.replications += fmt.Sprintf(" They were added at fixed looks until the half width of the interval of %s "+
			"was at most %s of its mean; that %s.", p.Of, format.Percent(p.Goal), reached)
	} else {
		t.replications += " Why that many: " + notStated
	}
	if e.Steady != nil {
		t.warmUp = fmt.Sprintf("%s left out (%s); twice as many for comparison: %d",
			format.Plural(uint64(e.Steady.LeftOut), "interval"), format.Duration(e.Steady.LeftOutSec), e.Steady.Twice)
	}
	for _, m := range ensemble.Measures(s) {
		if _, of := measure.Split(m.Name); of != "" {
			continue
		}
		t.outputs = append(t.outputs, [4]string{m.Name, m.Unit, m.Doc, e.MeasureInWords(m.Name)})
	}
	for _, x := range e.Expectations {
		t.expected = append(t.expected, fmt.Sprintf("%s %s %s: met by %d of %s", x.Metric, x.Op, format.Given(x.Limit),
			x.Met, format.Plural(uint64(e.Replications), "replication")))
	}
	return t.checklist(s)
}

func (t facts) checklist(s *scenarios.Scenario) []byte {
	sections := []struct {
		title string
		items []item
	}{
		{"1. Objectives", t.objectives(s)}, {"2. Logic", t.logic(s)}, {"3. Data", t.data(s)},
		{"4. Experimentation", t.experimentation(s)}, {"5. Implementation", t.implementation()},
		{"6. Code access", t.access()},
	}
	var open []string
	count := 0
	for _, section := range sections {
		for _, i := range section.items {
			count++
			if strings.Contains(i.text, notStated) {
				open = append(open, i.number)
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# STRESS-DES checklist: %s

Strengthening the Reporting of Empirical Simulation Studies, discrete-event simulation (Monks et al. 2018,
doi:10.1080/17477778.2018.1442155), filled from the scenario and the run in this folder. Sections of the model are in
docs/model.md. A person must complete %d of the %d items: %s.
`, t.name, len(open), count, strings.Join(open, ", "))
	if t.mode == "real" {
		b.WriteString("\nThis run was not a simulation: the engine delivered over real SMTP. What is said of the " +
			"network is what its receivers were asked to do.\n")
	}
	for _, section := range sections {
		fmt.Fprintf(&b, "\n## %s\n", section.title)
		for _, i := range section.items {
			fmt.Fprintf(&b, "\n### %s %s\n\n%s\n", i.number, i.title, strings.Trim(i.text, "\n"))
		}
	}
	return []byte(b.String())
}

func (t facts) objectives(s *scenarios.Scenario) []item {
	purpose := notStated
	if s.About != "" {
		purpose = markdown(s.About) + "\n\nBackground of the study: " + notStated
	}
	outputs := "Calculated at the end, from the ends of all attempts and from all intervals of the governor.\n\n| " +
		"Output | Unit | Definition | Value |\n|---|---|---|---|\n"
	for _, o := range t.outputs {
		outputs += cells(o[:]...)
	}
	aims := fmt.Sprintf("(a) Scenario `%s`. Why this one: %s\n\n", t.name, notStated)
	for _, e := range t.expected {
		aims += "* expected: " + markdown(e) + "\n"
	}
	aims += "\n(b) " + t.design
	if t.sensitivity != nil {
		aims += fmt.Sprintf(" Around it each of %s is halved and doubled, one at a time, under the same draws "+
			"(`sensitivity.csv`).",
			format.Plural(uint64(len(t.sensitivity.Rows)), "number"))
	}
	return []item{
		{"1.1", "Purpose of the model", purpose}, {"1.2", "Model outputs", outputs + "\nErrors: " + t.errors},
		{"1.3", "Experimentation aims", aims + "\n\n(c) Nothing is optimised."},
	}
}

func (t facts) logic(s *scenarios.Scenario) []item {
	changed := ""
	for _, a := range s.Assumptions() {
		if a.Status == scenarios.ByAuthor {
			changed += fmt.Sprintf("* `%s`%s: %s, %s\n", a.Key, ofName(a.Of), markdown(a.Value), markdown(a.Source))
		}
	}
	if changed == "" {
		changed = "Nothing: all numbers are the defaults."
	}
	g := s.Governor
	algorithms := fmt.Sprintf("Governor of each server: law %s, target %s, interval %s, from %g processes; greatest "+
		"change per interval d = %g processes (step = %q). The laws are in section 7.4, retries and the order of "+
		"service in 7.3, the time of an attempt in 7.1.",
		g.Law, g.Target, g.Interval, g.Start, g.Step(), g.StepMode)
	if retry := s.Retry.Spelled(); retry.Limit == 0 {
		algorithms += "\n\nNothing is resent."
	} else {
		var delays []string
		for _, d := range retry.Delays {
			delays = append(delays, d.String())
		}
		algorithms += fmt.Sprintf("\n\nResends: at most %d, after %s (the last repeats). bounce = %q, ambiguous = %q.",
			retry.Limit, strings.Join(delays, ", "), retry.Bounce, retry.Ambiguous)
		if retry.Policy != "fixed" {
			algorithms += fmt.Sprintf(" The limit moves by policy %q.", retry.Policy)
		}
		if retry.MaxAge > 0 {
			algorithms += fmt.Sprintf(" None is resent later than %s after its first try.", retry.MaxAge)
		}
		if retry.GreylistDelay > 0 {
			algorithms += fmt.Sprintf(" The first after 450 or 451 to RCPT comes after %s.", retry.GreylistDelay)
		}
	}

	if f := s.Freeing; !f.Idle("victim") {
		algorithms += fmt.Sprintf("\n\nProcesses beyond C are freed: %s, %s first, after %d more recipients of their "+
			"subsets.", f.Policy, f.Victim, f.Shorten)
	}

	entities := fmt.Sprintf("%s, each with a destination, a number of tries and a state (section 2), in %s:\n\n| "+
		"Campaign | Recipients | Handed over at | Processes wanted of each server | Subset |\n|---|---|---|---|---|\n",
		format.Plural(t.recipients, "recipient"), format.Plural(uint64(len(s.Campaigns)), "campaign"))
	for _, c := range s.Campaigns {
		entities += fmt.Sprintf("| %s | %s | %s | %s | %s |\n", markdown(c.Name),
			format.Grouped(float64(c.Recipients), 0), c.Start, format.Grouped(float64(c.Processes), 0),
			format.Grouped(float64(c.Subset), 0))
	}
	resources := fmt.Sprintf("MTA processes: of each server as many as its governor makes available, %g at the "+
		"start. Used by attempts. Servers: %s.\n\nConnections that a destination allows each server:\n\n",
		g.Start, markdown(strings.Join(serverNames(s), ", ")))
	for i, r := range stated.Receivers(s) {
		limit := "any number"
		if r.Cap > 0 {
			limit = fmt.Sprint(r.Cap)
		}
		resources += fmt.Sprintf("* %s: %s\n", markdown(s.Destinations[i].Name), limit)
	}
	return []item{
		{"2.1", "Base model overview diagram",
			`    list of a campaign -> subset of an MTA process -> attempt -> delivered | failed | ambiguous
                               ^                     |
                               |                     v  deferral, bounce if it is resent
                               +--- due <------- waiting for a resend

    attempt: look-up -> connect -> banner -> EHLO -> MAIL -> RCPT -> DATA -> dot     (any stage may end it)

    governor: every S, deliveries and allocated processes -> C, the processes available from now on`},
		{"2.2", "Base model logic", "Sections 3 and 7 of docs/model.md."},
		{"2.3", "Scenario logic", "As in the base model. The numbers that differ from its defaults:\n\n" + changed},
		{"2.4", "Algorithms", algorithms},
		{"2.5.1", "Entities", entities},
		{"2.5.2", "Activities", "An attempt: one try of one MTA process to deliver to one recipient, in the stages " +
			"of 2.1 (sections 3, 7.1, 7.2). Waiting for a resend (section 7.3)."},
		{"2.5.3", "Resources", resources},
		{"2.5.4", "Queues", `* untried recipients of a campaign: in the order of the list, in subsets
* resends that are due: by due time, then in the order of their failures; before untried recipients
* campaigns that want processes: in the order of their arrival
* free MTA processes: the last freed is taken first

No queue has a limit. Recipients do not renege or change queues; a recipient leaves at the retry limit.`},
		{"2.5.5", "Entry and exit points",
			"Lists are handed over whole at the times in 2.5.1, so arrivals are not random. Recipients leave as " +
				"delivered, failed or ambiguous; at the horizon the others are pending. " + t.account},
	}
}

func (t facts) data(s *scenarios.Scenario) []item {
	all := s.Assumptions()
	var sources []string
	assumed := ""
	parameters := "| Parameter | Of | Value | Status | Source |\n|---|---|---|---|---|\n"
	for _, a := range all {
		if (a.Status == scenarios.Measured || a.Status == scenarios.Derived) &&
			!slices.Contains(sources, "* "+markdown(a.Source)) {
			sources = append(sources, "* "+markdown(a.Source))
		}
		if a.Status == scenarios.Assumed {
			assumed += fmt.Sprintf("* `%s`%s: %s, %s\n", a.Key, ofName(a.Of), markdown(a.Value), markdown(a.Source))
		}
		parameters += fmt.Sprintf("| `%s` | %s | %s | %s | %s |\n", a.Key, markdown(a.Of), markdown(a.Value), a.Status,
			markdown(a.Source))
	}
	hangs := "How far the answer moves with them: run again with `--sensitivity`."
	if t.sensitivity != nil {
		hangs = markdown(t.sensitivity.Answer())
	}
	return []item{
		{"3.1", "Data sources", "Of the defaults in use (Table 1 and numbers in brackets: US 2005/0091323 A1):\n\n" +
			strings.Join(sources, "\n") +
			"\n\nOf the author's own values, with sample size and dates: " + notStated},
		{"3.2", "Pre-processing", "Distributions are used as quantile tables of 1,024 knots and 1,024 more in the " +
			"last cell, in whole microseconds (section 4). How the author's own values were found: " + notStated},
		{"3.3", "Input parameters", constancy(s) +
			" Draws are independent of one another, except that a recipient is dead or greylisted at every try alike " +
			"and a connection keeps its round-trip time.\n\n" + parameters},
		{"3.4", "Assumptions", fmt.Sprintf("%s. Known lies of the model: the last columns of the tables in "+
			"docs/model.md. Assumed:\n\n%s\n%s", format.Upper(run.Sureness(all)), assumed, hangs)},
	}
}

// constancy returns a sentence on what changes during a run.
func constancy(s *scenarios.Scenario) string {
	text := "No parameter changes during a run"
	if len(s.Governor.Changes) > 0 {
		text += " but the target, as the scenario says"
	}
	if s.HasBehaviour() {
		text += ", but what an attempt meets changes with time and with what receivers have seen before (sections " +
			"7.1 and 7.6)"
	}
	return text + "."
}

func (t facts) experimentation(s *scenarios.Scenario) []item {
	kind := "Terminating or non-terminating: " + notStated
	switch s.Analysis.Kind {
	case scenarios.Terminating:
		kind = "Terminating: the run ends when the last recipient is final, or at the horizon. Without a warm-up: " +
			"the rate is judged by full intervals with work for every process."
	case scenarios.SteadyState:
		kind = "Non-terminating. Warm-up: " + startUp(s.Analysis.WarmUp) + "; " + t.warmUp + "."
	}
	return []item{
		{"4.1", "Initialisation", kind +
			"\n\nAt the start no process is allocated, no connection is open, nothing waits (section 5). Nothing of " +
			"that is drawn."},
		{"4.2", "Run length", fmt.Sprintf("Horizon %s, time unit 1 ns. %s", s.Horizon, t.ended)},
		{"4.3", "Estimation approach", t.replications},
	}
}

func startUp(w scenarios.WarmUp) string {
	text, err := w.MarshalText()
	if err != nil || w == scenarios.AutoWarmUp {
		return "to be found by MSER-5"
	}
	return string(text)
}

func (t facts) implementation() []item {
	speed := ""
	if t.host.AttemptsPerSec.Known() {
		speed = fmt.Sprintf(", %s attempts a second", format.Grouped(float64(t.host.AttemptsPerSec), 0))
	}
	return []item{
		{"5.1", "Software or programming language",
			fmt.Sprintf("Flyball, compiled by %s; its libraries and their versions are in go.mod. Revision and "+
				"operating system: %s", markdown(t.host.Go), notStated)},
		{"5.2", "Random sampling", "Philox4x32-10 (Salmon et al., SC11), inversion. Each draw is named by seed, " +
			"replication, entity, try and purpose (section 4), so the same attempt has the same luck in every " +
			"configuration: common random numbers."},
		{"5.3", "Model execution", "Next event, in order of time, then ends of attempts by the order in which the " +
			"attempts began, arrivals of lists, wake-ups (section 3). One run uses one thread."},
		{"5.4", "System specification", fmt.Sprintf("%s; %s, %s of memory%s.", markdown(t.host.CPU),
			format.Duration(t.host.Wall), megabytes(t.host.MaxRSS), speed)},
	}
}

func (t facts) access() []item {
	return []item{{"6.1", "Computer model sharing statement",
		fmt.Sprintf("This folder holds the scenario as it was given (`scenario.toml`) and with every value "+
			"(`scenario.resolved.toml`, SHA-256 %s). The run is made again by\n\n    %s\n\nand is the same if its "+
			"digest is %s. Licence of the program: Apache-2.0. Where model and program can be had, with a DOI: %s",
			t.scenarioID, t.replay, t.digest, notStated)}}
}

func megabytes(n int64) string { return format.Grouped(float64(n)/(1<<20), 0) + " MiB" }

func ofName(of string) string {
	if of == "" {
		return ""
	}
	return " of " + markdown(of)
}

func serverNames(s *scenarios.Scenario) []string {
	var all []string
	for _, v := range s.Servers {
		all = append(all, v.Name)
	}
	return all
}

// cells returns a row of a table.
func cells(all ...string) string {
	row := "|"
	for _, c := range all {
		row += " " + markdown(c) + " |"
	}
	return row + "\n"
}

// markdown escapes text and puts it on one line.
func markdown(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	s = strings.NewReplacer(`\`, `\\`, "|", `\|`, "*", `\*`, "`", "\\`", "<", "&lt;").Replace(s)
	if s != "" && strings.Contains("#-+>", s[:1]) {
		s = `\` + s
	}
	return s
}
