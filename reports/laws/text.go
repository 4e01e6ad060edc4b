package laws

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"

	"flyball/internal/vt"
	"flyball/reports/chart"
	"flyball/reports/ensemble"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/scenarios/suite"
)

// Text writes the report for a terminal: the goals, the laws, and every trial, won or
// lost.
func (l *Report) Text(w io.Writer, color bool) error {
	return format.Text{Answer: l.Answer(), Tables: l.tables(), Below: "\n" + format.Paragraphs(l.explained()...),
		Seal: fmt.Sprintf("Suite %.12s, %s half, %s, replications 0 to %d, digest %s", l.Suite, l.Half, l.luck(),
			l.Replications-1, l.Digest), Replay: l.Replay}.Write(w, color)
}

func (l *Report) luck() string {
	if l.Seed == "" {
		return "seeds of the scenarios"
	}
	return "seed " + l.Seed
}

// Answer returns sentences on how many goals are met and how the regulator compares
// with hindsight.
func (l *Report) Answer() []string {
	met, tried := 0, 0
	for _, g := range l.Goals {
		if g.Verdict != notMeasured {
			tried++
		}
		if g.Verdict == isMet {
			met++
		}
	}
	said := []string{fmt.Sprintf("The regulator meets %d of %s that could be measured.", met,
		format.Plural(uint64(tried), "goal"))}
	if tried == 0 {
		said = []string{"None of the regulator's goals could be measured in this selection."}
	}
	switch all, tuned := l.hindsight(); {
	case tuned == nil:
		said = append(said, fmt.Sprintf("Lost target-hours cannot be compared with hindsight: none of %s was tried.",
			strings.Join(all, ", ")))
	case len(tuned) < len(all):
		said = append(said, fmt.Sprintf("Hindsight had only %s to choose from.", strings.Join(tuned, ", ")))
	}
	for _, s := range l.Summaries {
		if s.Law != ours || s.Trials == 0 {
			continue
		}
		said = append(said, fmt.Sprintf("It lost %s of the target-hours that the best step of the patent's law lost, "+
			"chosen for each trial afterwards: fewer in %d of %s, more in %d, at worst %s times as many (%s).",
			s.IAE.Words(""), s.Better, format.Plural(uint64(s.Trials), "trial"), s.Worse, times2(s.Worst), s.WorstIn))
	}
	return append(said, l.disagreement()...)
}

// disagreement returns a sentence if different laws are best in lost target-hours, in
// the mean end and in attempts per delivery. Only laws that finished every trial have an
// end. Ends that differ by less than 1 % count as equal.
func (l *Report) disagreement() []string {
	var said, names []string
	best := func(of func(Summary) format.Num, alike float64, says string, value func(format.Num) string) {
		least, most, name := format.Missing, format.Missing, ""
		for _, s := range l.Summaries {
			v := of(s)
			if v.Known() && !(least <= v) {
				least, name = v, s.Law
			}
			if v.Known() && !(most >= v) {
				most = v
			}
		}
		if name == "" || float64(most) <= (1+alike)*float64(least) {
			return
		}
		said = append(said, fmt.Sprintf(says, name, value(least)))
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	best(func(s Summary) format.Num { return s.IAE.Value }, 0,
		"%s loses the fewest target-hours (%s times those of hindsight)", times2)
	best(Summary.finished, 0.01, "%s ends first (after %s h in the mean)", times2)
	best(func(s Summary) format.Num { return s.DFR }, 0.01, "%s needs the fewest attempts per delivery (%s)", times2)
	if len(names) < 2 {
		return nil
	}
	return []string{"Which law is best depends on what is asked: " + strings.Join(said, ", ") + "."}
}

// finished returns the mean end of a law that finished every trial; missing for any other,
// whose end is the horizon in some trial.
func (s Summary) finished() format.Num {
	if s.Unfinished > 0 {
		return format.Missing
	}
	return s.End
}

// hindsight returns the laws of the suite that hindsight may choose from, and those of
// them that were tried.
func (l *Report) hindsight() (all, tried []string) {
	for _, law := range suite.Laws() {
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

func (l *Report) explained() []string {
	return []string{
		"Lost target-hours: sum of |rate - target| x S / target of the mean course of all replications, judged " +
			"intervals only, without those in which the scenario puts the target out of reach. They are divided by " +
			"those of hindsight: the law patent-3, -8, -24 or -64 that lost fewest in that trial. Less than 1 is " +
			"better. Total variation is the mean over the runs. In brackets or after ratios: 95 % intervals " +
			"(jackknife over the replications, of all scenarios together).",
		"The end is when the last recipient ended, in the mean over all trials; > where recipients are pending at " +
			"the horizon of some, which stands for their end. Tries are attempts per delivery.",
		"aimd, gradient2 and corr-vegas have no target: they look for the rate that the receivers accept.",
	}
}

func (l *Report) tables() []format.Table {
	return []format.Table{l.goalTable(), l.lawTable(), l.trialTable()}
}

func (l *Report) goalTable() format.Table {
	t := format.Table{Caption: "Goals of the regulator", Head: []string{"goal", "noise", "want", "measured",
		"95 % interval", "where", "verdict"}, Left: 1, Words: true}
	for _, g := range l.Goals {
		value, op := "never", map[string]string{"<=": "at most ", ">=": "at least "}[g.Op]
		if g.Measured.Value.Known() {
			value = times2(g.Measured.Value)
		}
		if g.Verdict == notMeasured {
			value = "-"
		}
		t.Rows = append(t.Rows, []string{g.Name, g.Noise, op + format.Plain(g.Limit), value, between2(g.Measured),
			g.Where, g.Verdict})
	}
	return t
}

func (l *Report) lawTable() format.Table {
	t := format.Table{Caption: fmt.Sprintf("Laws over %s", format.Plural(uint64(len(l.Trials)), "trial")),
		Head: []string{"law", "lost hours", "95 % interval", "worst", "better", "worse", "variation", "421s",
			"undelivered", "tries", "end h", "above peak", "worst in"}, Left: 1, Words: true}
	for _, s := range l.Summaries {
		t.Rows = append(t.Rows, []string{s.Law, times2(s.IAE.Value), between2(s.IAE), times2(s.Worst),
			fmt.Sprint(s.Better), fmt.Sprint(s.Worse), times2(s.TV.Value),
			format.Grouped(float64(s.Throttled), 0), format.Grouped(float64(s.Undelivered), 0), times2(s.DFR),
			s.end(len(l.Trials)), format.PercentOf(s.Above), s.WorstIn})
	}
	return t
}

// end returns the mean end in hours; a lower bound if some trial of the law is not
// finished, "not finished" if none is.
func (s Summary) end(trials int) string {
	switch {
	case s.Unfinished == trials:
		return "not finished"
	case s.Unfinished > 0:
		return ">" + times2(s.End)
	}
	return times2(s.End)
}

// abridged returns a short name of a law for the head of a narrow column. A law with
// parameters keeps them, because they distinguish it.
func abridged(law string) string {
	if strings.Contains(law, ",") {
		return law
	}
	name := strings.NewReplacer("patent-dynamic", "dyn", "patent-", "d=", "gradient2", "grad2", "corr-vegas", "vegas",
		"regulator", "regul").Replace(law)
	if len(name) > 6 {
		return name[:6]
	}
	return name
}

func (l *Report) trialTable() format.Table {
	t := format.Table{Caption: "Lost target-hours of hindsight, and of each law / hindsight",
		Head: []string{"scenario", "noise", "best", "hours"}, Left: 1}
	for _, law := range l.Laws {
		t.Head = append(t.Head, abridged(law))
	}
	if slices.Contains(l.Laws, ours) {
		t.Head = append(t.Head, "regul 95 %")
	}
	for _, x := range l.Trials {
		row := []string{x.Scenario, noiseWords(x.Noise), format.Dash(abridged(x.Hindsight)), "-"}
		if x.best != nil {
			row[3] = format.Num(x.best.iae).Plainly()
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

// times2 writes a ratio with two decimals, or with three significant digits.
func times2(n format.Num) string {
	switch v := float64(n); {
	case !n.Known():
		return "-"
	case v < 10:
		return format.Grouped(v, 2)
	case v < 100:
		return format.Grouped(v, 1)
	default:
		return format.Grouped(v, 0)
	}
}

func between2(e measure.Estimate) string {
	if !e.Low.Known() || !e.High.Known() {
		return "-"
	}
	return times2(e.Low) + " to " + times2(e.High)
}

// Figures draws the mean courses of all laws over one another, for each scenario
// at the middle level of noise.
func (l *Report) Figures() ([]chart.Figure, error) {
	level := l.Noise[len(l.Noise)/2]
	var drawings []chart.Drawing
	for _, t := range l.Trials {
		if t.Noise == level {
			drawings = append(drawings, t.drawing())
		}
	}
	return chart.PaintAll(drawings)
}

// drawing shows the first server. Courses far above all that is needed are cut
// off; the CSV has them.
func (t Trial) drawing() chart.Drawing {
	end, most := 0.0, t.start
	target := 0.0
	courses := make([][]ensemble.MeanPoint, len(t.Cells))
	for i, c := range t.Cells {
		for _, s := range c.steps {
			if s.Server != c.steps[0].Server {
				continue
			}
			courses[i] = append(courses[i], s)
			end, target = max(end, s.End), max(target, s.Target)
			if c.Law == ours {
				most = max(most, float64(s.C.Value))
			}
		}
	}
	if t.Peak.Known() {
		most = max(most, float64(t.Peak))
	}
	cut := func(v format.Num, most float64) format.Num {
		if float64(v) > most {
			return format.Missing
		}
		return v
	}
	unit, seconds, ticks := chart.TimeAxis(end, vt.Clock{})
	rates := chart.Panel{Y: "Deliveries per hour", Ticks: ticks, Height: 1}
	processes := chart.Panel{Y: "MTA processes available (C)", X: "time since the start, " + unit, Ticks: ticks,
		Height: 1}
	rows := [][]string{strings.Fields("law server t_end_s runs rate_per_h rate_low rate_high available available_low " +
		"available_high target_per_h")}
	var e ensemble.Report
	for i, c := range t.Cells {
		ink := 1 + i%6
		thin := vg.Length(0.8)
		if c.Law == ours {
			ink, thin = chart.Black, 1.8
		} else if c.Law == "hold" {
			ink = chart.Grey
		}
		rates.Lines = append(rates.Lines, chart.Line{Label: c.Law, Color: ink, Dash: i > 6, Width: thin,
			Points: e.Line(courses[i], seconds, func(s ensemble.MeanPoint) format.Num {
				return cut(s.Rate.Value,
					2*target)
			})})
		processes.Lines = append(processes.Lines, chart.Line{Color: ink, Dash: i > 6, Width: thin,
			Points: e.Line(courses[i], seconds, func(s ensemble.MeanPoint) format.Num {
				return cut(s.C.Value,
					2*most)
			})})
		for _, s := range c.steps {
			rows = append(rows, []string{c.Law, s.Server, format.Plain(s.End), fmt.Sprint(s.Rate.N),
				s.Rate.Value.String(), s.Rate.Low.String(), s.Rate.High.String(),
				s.C.Value.String(), s.C.Low.String(), s.C.High.String(), format.Plain(s.Target)})
		}
	}
	if len(courses) > 0 {
		rates.Lines = append(rates.Lines, chart.Target("target",
			e.Line(courses[0], seconds, func(s ensemble.MeanPoint) format.Num { return format.Num(s.Target) })))
	}
	if t.Peak.Known() {
		processes.Lines = append(processes.Lines, chart.Line{Label: "peak of throughput", Dash: true,
			Points: chart.Level(end/seconds, float64(t.Peak))})
	}
	return chart.Drawing{Figure: chart.Figure{Name: t.Scenario, Title: "All laws on " + t.name(),
		CSV: format.WriteCSV(rows),
		Alt: fmt.Sprintf("%s Above the mean rate of each law against the target over time, below its mean number of "+
			"available MTA processes.", t.about)},
		Height: 6 * vg.Inch, Panels: []chart.Panel{rates, processes}}
}
