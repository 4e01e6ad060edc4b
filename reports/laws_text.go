package reports

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"

	"flyball/scenarios"
)

// Text writes what was measured for a terminal: the goals, the laws, and every
// trial, wins and losses alike.
func (l *Laws) Text(w io.Writer, color bool) error {
	var b strings.Builder
	for i, sentence := range l.Answer() {
		for _, line := range wrap(sentence, columns) {
			if i == 0 {
				line = paint(line, strong, color)
			}
			fmt.Fprintln(&b, line)
		}
	}
	for _, t := range l.tables() {
		if err := t.write(&b, color); err != nil {
			return err
		}
	}
	fmt.Fprintln(&b)
	for _, sentence := range l.explained() {
		for _, line := range wrap(sentence, columns) {
			fmt.Fprintln(&b, line)
		}
	}
	fmt.Fprintf(&b, "\nSuite %.12s, %s half, %s, replications 0 to %d, digest %s\n", l.Suite, l.Half, l.luck(), l.Replications-1, l.Digest)
	if l.Replay != "" {
		fmt.Fprintf(&b, "Run it again: %s\n", l.Replay)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (l *Laws) luck() string {
	if l.Seed == "" {
		return "seeds of the scenarios"
	}
	return "seed " + l.Seed
}

// Answer says how many goals are met, and which law lost least.
func (l *Laws) Answer() []string {
	met, tried := 0, 0
	for _, g := range l.Goals {
		if g.Verdict != notMeasured {
			tried++
		}
		if g.Verdict == isMet {
			met++
		}
	}
	said := []string{fmt.Sprintf("The regulator meets %d of %s that could be measured.", met, plural(uint64(tried), "goal"))}
	if tried == 0 {
		said = []string{"None of the regulator's goals could be measured in this selection."}
	}
	switch all, tuned := l.hindsight(); {
	case tuned == nil:
		said = append(said, fmt.Sprintf("There is no hindsight for lost target-hours to stand by: none of %s was tried.", strings.Join(all, ", ")))
	case len(tuned) < len(all):
		said = append(said, fmt.Sprintf("Hindsight had only %s to choose from.", strings.Join(tuned, ", ")))
	}
	for _, s := range l.Summaries {
		if s.Law != ours || s.Trials == 0 {
			continue
		}
		said = append(said, fmt.Sprintf("It lost %s of the target-hours that the best step of the patent's law lost, chosen for each trial afterwards: fewer in %d of %s, more in %d, at worst %s times as many (%s).",
			s.IAE.words(""), s.Better, plural(uint64(s.Trials), "trial"), s.Worse, times2(s.Worst), s.WorstIn))
	}
	return said
}

// hindsight has the laws of the suite that it may choose, and those of them that
// were tried.
func (l *Laws) hindsight() (all, tried []string) {
	for _, law := range scenarios.Laws() {
		if !law.Tuned() {
			continue
		}
		all = append(all, law.Name)
		if slices.Contains(l.Laws, law.Name) {
			tried = append(tried, law.Name)
		}
	}
	return all, tried
}

func (l *Laws) explained() []string {
	return []string{
		"Lost target-hours: sum of |rate - target| x S / target of the mean course of all replications, judged intervals only, those left out in which the scenario orders that nothing can be reached. They stand by those of hindsight: the law patent-3, -8, -24 or -64 that lost fewest in that trial. Less than 1 is better. Total variation is the mean over the runs. In brackets or after ratios: 95 % intervals (jackknife over the replications, of all scenarios together).",
		"aimd, gradient2 and corr-vegas know no target: they seek what the receivers take.",
	}
}

func (l *Laws) tables() []table {
	return []table{l.goalTable(), l.lawTable(), l.trialTable()}
}

func (l *Laws) goalTable() table {
	t := table{Caption: "Goals of the regulator", Head: []string{"goal", "noise", "want", "measured", "95 % interval", "where", "verdict"}, Left: 1, Words: true}
	for _, g := range l.Goals {
		value, op := "never", map[string]string{"<=": "at most ", ">=": "at least "}[g.Op]
		if g.Measured.Value.Known() {
			value = times2(g.Measured.Value)
		}
		if g.Verdict == notMeasured {
			value = "-"
		}
		t.Rows = append(t.Rows, []string{g.Name, g.Noise, op + plain(g.Limit), value, between2(g.Measured), g.Where, g.Verdict})
	}
	return t
}

func (l *Laws) lawTable() table {
	t := table{Caption: fmt.Sprintf("Laws over %s", plural(uint64(len(l.Trials)), "trial")),
		Head: []string{"law", "lost hours", "95 % interval", "worst", "better", "worse", "variation", "421s", "undelivered", "tries", "above peak", "worst in"}, Left: 1, Words: true}
	for _, s := range l.Summaries {
		t.Rows = append(t.Rows, []string{s.Law, times2(s.IAE.Value), between2(s.IAE), times2(s.Worst), fmt.Sprint(s.Better), fmt.Sprint(s.Worse), times2(s.TV.Value),
			grouped(float64(s.Throttled), 0), grouped(float64(s.Undelivered), 0), times2(s.DFR), percentOf(s.Above), s.WorstIn})
	}
	return t
}

// abridged names of laws, for heads of narrow columns. One with parameters is
// told apart by these, and keeps them.
func abridged(law string) string {
	if strings.Contains(law, ",") {
		return law
	}
	name := strings.NewReplacer("patent-dynamic", "dyn", "patent-", "d=", "gradient2", "grad2", "corr-vegas", "vegas", "regulator", "regul").Replace(law)
	if len(name) > 6 {
		return name[:6]
	}
	return name
}

func (l *Laws) trialTable() table {
	t := table{Caption: "Lost target-hours: those of hindsight, and of every law by those", Head: []string{"scenario", "noise", "best", "hours"}, Left: 1}
	for _, law := range l.Laws {
		t.Head = append(t.Head, abridged(law))
	}
	if slices.Contains(l.Laws, ours) {
		t.Head = append(t.Head, "regul 95 %")
	}
	for _, x := range l.Trials {
		row := []string{x.Scenario, noiseWords(x.Noise), dash(abridged(x.Hindsight)), "-"}
		if x.best != nil {
			row[3] = Num(x.best.iae).plainly()
		}
		interval := ""
		for _, c := range x.Cells {
			row = append(row, times2(c.Ratio.Value))
			if c.Law == ours {
				interval = between2(c.Ratio)
			}
		}
		if slices.Contains(l.Laws, ours) {
			row = append(row, interval)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// times2 is a ratio, with two digits behind the point or three that count.
func times2(n Num) string {
	switch v := float64(n); {
	case !n.Known():
		return "-"
	case v < 10:
		return grouped(v, 2)
	case v < 100:
		return grouped(v, 1)
	default:
		return grouped(v, 0)
	}
}

func between2(e Estimate) string {
	if !e.Low.Known() || !e.High.Known() {
		return "-"
	}
	return times2(e.Low) + " to " + times2(e.High)
}

// Figures draws the mean courses of all laws over one another, for each scenario
// at the middle level of noise.
func (l *Laws) Figures() ([]Figure, error) {
	level := l.Noise[len(l.Noise)/2]
	var drawings []drawing
	for _, t := range l.Trials {
		if t.Noise == level {
			drawings = append(drawings, t.drawing())
		}
	}
	return painted(drawings)
}

// drawing shows the first server. Courses far above all that is needed are cut
// off; the CSV has them.
func (t LawWorld) drawing() drawing {
	end, most := 0.0, t.start
	target := 0.0
	courses := make([][]step, len(t.Cells))
	for i, c := range t.Cells {
		for _, s := range c.steps {
			if s.server != c.steps[0].server {
				continue
			}
			courses[i] = append(courses[i], s)
			end, target = max(end, s.end), max(target, s.target)
			if c.Law == ours {
				most = max(most, float64(s.c.Value))
			}
		}
	}
	if t.Peak.Known() {
		most = max(most, float64(t.Peak))
	}
	cut := func(v Num, most float64) Num {
		if float64(v) > most {
			return missing
		}
		return v
	}
	unit, seconds, ticks := timeAxis(end)
	rates := panel{y: "Deliveries per hour", ticks: ticks, height: 1}
	processes := panel{y: "MTA processes available (C)", x: "time since the start, " + unit, ticks: ticks, height: 1}
	rows := [][]string{strings.Fields("law server t_end_s runs rate_per_h rate_low rate_high available available_low available_high target_per_h")}
	var e Ensemble
	for i, c := range t.Cells {
		ink := 1 + i%6
		thin := vg.Length(0.8)
		if c.Law == ours {
			ink, thin = black, 1.8
		} else if c.Law == "hold" {
			ink = grey
		}
		rates.lines = append(rates.lines, line{label: c.Law, color: ink, dash: i > 6, width: thin,
			points: e.course(courses[i], seconds, func(s step) Num { return cut(s.rate.Value, 2*target) })})
		processes.lines = append(processes.lines, line{color: ink, dash: i > 6, width: thin,
			points: e.course(courses[i], seconds, func(s step) Num { return cut(s.c.Value, 2*most) })})
		for _, s := range c.steps {
			rows = append(rows, []string{c.Law, s.server, plain(s.end), fmt.Sprint(s.rate.N), s.rate.Value.String(), s.rate.Low.String(), s.rate.High.String(),
				s.c.Value.String(), s.c.Low.String(), s.c.High.String(), plain(s.target)})
		}
	}
	if len(courses) > 0 {
		rates.lines = append(rates.lines, line{label: "target", dash: true, points: e.course(courses[0], seconds, func(s step) Num { return Num(s.target) })})
	}
	if t.Peak.Known() {
		processes.lines = append(processes.lines, line{label: "peak of throughput", dash: true, points: level(end/seconds, float64(t.Peak))})
	}
	return drawing{Figure: Figure{Name: t.Scenario, Title: "All laws on " + t.name(), CSV: writeCSV(rows),
		Alt: fmt.Sprintf("%s Above the mean rate of each law against the target over time, below its mean number of available MTA processes.", t.about)},
		height: 6 * vg.Inch, panels: []panel{rates, processes}}
}
