package run

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/format"
	"flyball/reports/internal/handmade"
	"flyball/reports/measure"
	"flyball/reports/runlog"
)

func TestVerdicts(t *testing.T) {
	partial := handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 60, Plant: handmade.Linear, Dfr: 1})
	partial.Partial = true
	pending := handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 60, Plant: handmade.Linear, Dfr: 1})
	pending.Totals.Pending, pending.Totals.Failed = pending.Totals.Failed, 0
	nothing := handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 1, Plant: handmade.Linear, Dfr: 1})
	handmade.ShortOfWork(&nothing.Intervals[0])
	failing := handmade.Run()
	failing.Totals = runlog.Totals{Recipients: 3, Failed: 2, Ambiguous: 1, Attempts: 33}
	outage := handmade.Run(handmade.Course{Start: 200, D: 8, Intervals: 40, Plant: handmade.Linear, Dfr: 1})
	for i := range outage.Intervals {
		row := &outage.Intervals[i].Interval
		c := 200 + 8*float64(i)
		row.Sample.Allocated, row.Decision.Previous, row.Decision.Available = c, c, c+8
		row.Sample.Delivered = uint64(300_000 - 4000*i) // more and more attempts fail
		row.Sample.Attempts = 300_000
	}
	for _, v := range []struct {
		run  *runlog.Run
		want string
	}{
		{handmade.Run(handmade.Course{Start: 140, D: 3, Intervals: 12, Plant: handmade.Linear, Dfr: 1}),
			"Converged: b1 settled within 5 % of 140,000/h from the first interval on, ended at 140,000/h (on " +
				"target) with 140.0 processes."},
		{handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 33, Plant: handmade.Linear, Dfr: 1}),
			"after 31 of 33 intervals (3.9 days), ended at 134,500/h (3.9 % below) with 139.0 processes."},
		{nothing, "Not judged: in no full interval was there work for every process"},
		{failing, "No success in 33 attempts; 3 recipients: 0 delivered, 2 failed (66.7 %), 1 ambiguous (33.3 %); " +
			"the last one ended after 0 s."},
		{partial, "; the run was stopped after 7.5 days."},
		{pending, "pending (2.0 %); the run ended at its horizon of 30 days."},
		{handmade.Run(), "No attempt was made; 0 recipients: 0 delivered, 0 failed; there was nothing to do."},
		{handmade.Run(handmade.Course{Start: 200, D: 8, Intervals: 80, Plant: handmade.Peaked, Dfr: 1},
			handmade.Course{Start: 200, D: 8, Intervals: 80, Plant: handmade.Peaked, Dfr: 1},
			handmade.Course{Start: 40, D: 8, Intervals: 80, Plant: handmade.Linear, Dfr: 1}),
			"The same happened to b2."},
		{outage, ": more attempts fail (1.00 attempts per delivery, then 1.85). It does not see that more processes " +
			"deliver less."},
	} {
		if got := strings.Join(fold(v.run).Answer(), "\n"); !strings.Contains(got, v.want) {
			t.Errorf("got  %s\nwant %s", got, v.want)
		}
	}
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")

func screen(t *testing.T, r *Report, color bool) string {
	t.Helper()
	var b strings.Builder
	if err := r.Text(&b, color); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A crowded run: many servers, outcomes, intervals and flags.
func crowded(intervals int) *runlog.Run {
	var courses []handmade.Course
	for i := range 8 {
		courses = append(courses, handmade.Course{Start: 40, D: 1 + float64(i), Intervals: intervals,
			Plant: handmade.Contended, Dfr: 1.15})
	}
	r := handmade.Run(courses...)
	r.About = strings.Repeat("A sentence that is told at some length. ", 6)
	r.Partial = true
	for i := range r.Intervals {
		r.Intervals[i].Decision.Flags =
			[]governor.Flags{governor.UtilizationAbove1 | governor.StepLimitUp | governor.NarrativeViolation,
				governor.First | governor.StepLimitUp, governor.StepLimitDown,
				governor.NarrativeViolation | governor.Idle}[i/8%4]
	}
	for code := 400; code < 430; code++ {
		r.Replies = append(r.Replies, runlog.ReplyCount{Destination: 1, Stage: mail.StageRCPT, Code: code, Count: 5})
	}
	return r
}

func TestTextFitsTheScreen(t *testing.T) {
	var many []measure.Expectation
	for _, m := range measure.Metrics() {
		many = append(many, handmade.Expect(m.Name, "<", 1_000_000))
	}
	for _, r := range []*Report{fold(crowded(60), many...), fold(handmade.Run(handmade.Course{Start: 40, D: 3,
		Intervals: 60, Plant: handmade.Contended, Dfr: 1.15})), fold(handmade.Run())} {
		plain, colored := screen(t, r, false), screen(t, r, true)
		if escapes.MatchString(plain) || !escapes.MatchString(colored) ||
			escapes.ReplaceAllString(colored, "") != plain {
			t.Error("colour changes more than the colour")
		}
		for line := range strings.Lines(plain) {
			line = strings.TrimSuffix(line, "\n")
			if utf8.RuneCountInString(line) > format.Columns || strings.TrimRight(line, " ") != line {
				t.Errorf("%d columns: %q", len(line), line)
			}
			if strings.ContainsFunc(line, func(c rune) bool { return c > 126 || c < 32 }) {
				t.Errorf("not plain ASCII: %q", line)
			}
		}
		if lines := strings.Count(plain, "\n"); lines > 67+len(many) {
			t.Errorf("%d lines", lines)
		}
	}
}

func TestTextSaysWhatMatters(t *testing.T) {
	got := screen(t, fold(handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 60, Plant: handmade.Contended,
		Dfr: 1.15}), handmade.Expect("settling_intervals_5pct", "<=", 40), handmade.Expect("dfr", "<", 1.1)), false)
	rest := got
	for _, want := range []string{ // in this order
		"hand-made (simulated)\n", "\nConverged: b1 settled", "\n1.15 attempts per delivery; ",
		"\nGovernor of b1: patent-damped, target 140,000/h (12 of 60 intervals)\n", "\n  0      3.0   45,922 ",
		"\n 59    180.0  140,000 ",
		"\nexample      250      dot      delivered  20,542,701  87.0 %\n", "timeout  connect  deferral",
		"\nExpectations: 1 of 2 missed\n", "32  ok\n", "1.150  MISSED\n",
		"\nSeed 42, digest 0123456789abcdef, scenario 3f786850e387\nRun it again: flyball run hand-made --seed 42\n",
	} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("no %q after that in\n%s", want, got)
		}
		rest = "\n" + after
	}
	if got := screen(t, fold(handmade.Run(handmade.Course{Start: 40, D: 1, Intervals: 9, Plant: handmade.Linear,
		Dfr: 1}), handmade.Expect("settling_intervals_5pct", "<=", 40)), false); !strings.Contains(got,
		"<= 40  never  MISSED") {
		t.Errorf("no \"never\" in\n%s", got)
	}
}

func TestSampledIntervals(t *testing.T) {
	rows := func(n, judged int) []measure.Row {
		var rows []measure.Row
		for i := range n {
			rows = append(rows, measure.Row{Number: i, Draining: i >= judged})
		}
		return rows
	}
	for _, v := range []struct {
		rows []measure.Row
		most int
		want []int
	}{
		{rows(0, 0), 4, nil},
		{rows(3, 3), 4, []int{0, 1, 2}},
		{rows(100, 100), 4, []int{0, 33, 66, 99}},
		{rows(100, 40), 4, []int{0, 19, 39, 99}},
		{rows(100, 0), 4, []int{0, 99}},
		{rows(100, 1), 4, []int{0, 99}},
	} {
		var got []int
		for _, r := range sampled(v.rows, v.most) {
			got = append(got, r.Number)
		}
		if !slices.Equal(got, v.want) {
			t.Errorf("%d rows: got %v, want %v", len(v.rows), got, v.want)
		}
	}
}

func TestLivePartialRunIsMarked(t *testing.T) {
	r := handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 60, Plant: handmade.Contended, Dfr: 1.15})
	r.Mode, r.Partial = "real", true
	r.Intervals[59].Partial = true
	r.Intervals[59].Sample.Span = vt.Hour
	got := screen(t, fold(r), false)
	if !strings.Contains(got, "(real SMTP)") || !strings.Contains(got, "\nPARTIAL: ") ||
		!regexp.MustCompile(`(?m)^ 59 .* - +- +- +partial$`).MatchString(got) {
		t.Error(got)
	}
}

// Every note that a row can have is explained.
func TestNotesAreExplained(t *testing.T) {
	text, err := os.ReadFile("../../docs/files.md")
	if err != nil {
		t.Fatal(err)
	}
	_, notes, _ := strings.Cut(string(text), "\n## Notes in the interval table\n")
	for f := governor.First; f.String() != ""; f <<= 1 {
		if !regexp.MustCompile(`(?m)^\|[^|]*\b` + f.String() + `\b[^|]*\|`).MatchString(notes) {
			t.Errorf("%s: no line in docs/files.md", f)
		}
		if !slices.ContainsFunc(terms, func(v [2]string) bool { return v[0] == f.String() }) {
			t.Errorf("%s: --explain does not explain it", f)
		}
	}
}

// keptAt40 is a server whose C is kept at 40 by the scenario's max, or by the law alone.
func keptAt40(flag governor.Flags) *runlog.Run {
	r := handmade.Run(handmade.Course{Start: 40, D: 0.001, Intervals: 12, Plant: handmade.Linear, Dfr: 1})
	for i := range r.Intervals {
		d := &r.Intervals[i].Interval.Decision
		d.Previous, d.Available, d.Flags = 40, 40, flag
	}
	return r
}

// A limit that was ordered does not count as a failure, a stopped run has not failed yet, and several servers have a
// sum.
func TestVerdictsSayWhatHappened(t *testing.T) {
	stopped := keptAt40(0)
	stopped.Partial = true
	two := handmade.Run(handmade.Course{Start: 140, D: 3, Intervals: 12, Plant: handmade.Linear, Dfr: 1},
		handmade.Course{Start: 140, D: 3, Intervals: 12, Plant: handmade.Linear, Dfr: 1})
	for _, x := range []struct {
		run  *runlog.Run
		want string // the beginning, or a part after ...
	}{
		{keptAt40(governor.AtMax), "C stayed at max = 40, as ordered: with that many processes b1 made 40,010/h over " +
			"the last quarter (71.4 % below, of a target of 140,000/h)."},
		{keptAt40(governor.AtMax | governor.First), "C stayed at max = 40, as ordered: "},
		{keptAt40(governor.AtCeiling), "Did not converge: b1 never settled"},
		{keptAt40(0), "Did not converge: b1 never settled"},
		{stopped, "Not settled when it was stopped: b1 never settled"},
		{two, "...; together they made 280,000/h of 280,000/h over the last quarter."},
	} {
		got := fold(x.run).verdict()
		if part, ok := strings.CutPrefix(x.want, "..."); ok && !strings.Contains(got, part) || !ok &&
			!strings.HasPrefix(got, x.want) {
			t.Errorf("got  %s\nwant %s", got, x.want)
		}
	}
}

// The end of a run that is not finished is not told as its end.
func TestEndIsNotTheHorizon(t *testing.T) {
	ended := keptAt40(0)
	expected := []measure.Expectation{handmade.Expect("end_h", "<=", ended.End.Seconds()/3600),
		handmade.Expect("dfr", "<", 2)}
	r := fold(ended, expected...)
	if is, _ := r.Words(r.Expectations[0]); strings.Contains(is, "pending") || !r.OK() ||
		r.Metric("end_h") != ended.End.Seconds()/3600 {
		t.Errorf("nothing is pending: %s", is)
	}
	ended.Totals.Pending, ended.Totals.Recipients = 536, ended.Totals.Recipients+536
	r = fold(ended, expected...)
	if is, want := r.Words(r.Expectations[0]); is != "not finished, 536 recipients pending" ||
		want != fmt.Sprintf("<= %g", ended.End.Seconds()/3600) || r.Expectations[0].Met() {
		t.Errorf("got %s, want %s", is, want)
	}
	if v := r.Metric("end_h"); !math.IsInf(v, 1) {
		t.Errorf("the end of what is not finished is %g h", v)
	}
	if is, _ := r.Words(r.Expectations[1]); strings.Contains(is, "pending") || !r.Expectations[1].Met() {
		t.Errorf("a failure rate is not an end: %s", is)
	}
}
