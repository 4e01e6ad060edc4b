package checklist

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"flyball/reports/ensemble"
	"flyball/reports/internal/handmade"
	"flyball/reports/sensitivity"
	"flyball/scenarios"
)

func loaded(t *testing.T, name string, set ...string) *scenarios.Scenario {
	t.Helper()
	text, ok := scenarios.Builtin(name)
	if !ok {
		t.Fatal(name)
	}
	s, err := scenarios.Load(name, text, set)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The items of STRESS-DES 1.0, Monks et al. 2018, supplement.
const stressItems = "1.1 1.2 1.3 2.1 2.2 2.3 2.4 2.5.1 2.5.2 2.5.3 2.5.4 2.5.5 3.1 3.2 3.3 3.4 4.1 4.2 4.3 5.1 5.2 " +
	"5.3 5.4 6.1"

// itemsOf cuts a checklist at its headings.
func itemsOf(page string) (numbers []string, texts map[string]string) {
	texts = map[string]string{}
	parts := strings.Split(page, "\n### ")
	for _, part := range parts[1:] {
		number, text, _ := strings.Cut(part, " ")
		numbers = append(numbers, number)
		texts[number] = text
	}
	return numbers, texts
}

func TestChecklist(t *testing.T) {
	r := fold(handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 60, Plant: handmade.Contended, Dfr: 1.15}),
		handmade.Expect("dfr", "<", 1))
	s := loaded(t, "quickstart")
	page := string(OfRun(r, s))
	numbers, items := itemsOf(page)
	if got := strings.Join(numbers, " "); got != stressItems {
		t.Errorf("items\n got %s\nwant %s", got, stressItems)
	}
	var open []string
	for _, n := range numbers {
		if strings.Contains(items[n], "**Not stated by the author.**") {
			open = append(open, n)
		}
	}
	// Why, from where and by whom no program can know.
	if want := strings.Fields("1.1 1.3 3.1 3.2 4.3 5.1 6.1"); !slices.Equal(open, want) ||
		!strings.Contains(page, fmt.Sprintf("A person must complete %d of the 24 items: %s.", len(want),
			strings.Join(want, ", "))) {
		t.Errorf("not stated: %v, want %v", open, want)
	}
	for number, want := range map[string]string{
		"1.1": s.About, "1.2": "| settling_intervals_5pct | intervals |", "1.3": "* expected: dfr &lt; 1: missed",
		"2.3": "* `destination[1].greylist.share` of careful: 0.3, instead of 0, which is assumed: no greylisting",
		"2.4": "law patent-dynamic, target 140000/h, interval 3m, from 40 processes; greatest change per interval " +
			"d = 8 processes",
		"2.5.1": "| news | 120,000 | 0s | 500 | 25 |", "2.5.3": "* careful: any number",
		"3.1": "* Brandhorst & Pras: mean 152 ms",
		"3.3": "| `network.dns.miss` |  | lognormal median 22.4ms sigma 1.957 | derived |",
		"3.4": "* `server[0].contention` of b1: 0, no fit", "4.1": "Terminating: the run ends", "4.2": "Horizon 2h",
		"4.3": "Replications: 1 (seed 42)",
		"5.2": "Philox4x32-10", "5.4": "some; 2 s, 50 MiB", "6.1": "\n    flyball run hand-made --seed 42\n",
	} {
		if !strings.Contains(items[number], want) {
			t.Errorf("%s: no %q in\n%s", number, want, items[number])
		}
	}
	if strings.Contains(items["2.3"], "governor.start") || strings.Contains(items["3.4"], "governor.target") {
		t.Error("a default is told as the author's, or a source as an assumption")
	}
}

// What the author left out is said to be left out.
func TestChecklistSaysWhatIsMissing(t *testing.T) {
	r := fold(handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 60, Plant: handmade.Contended, Dfr: 1.15}))
	s := loaded(t, "quickstart")
	s.About, s.Analysis.Kind = "", ""
	_, items := itemsOf(string(OfRun(r, s)))
	if strings.Count(items["1.1"], "\n") != 3 || !strings.HasPrefix(items["1.1"],
		"Purpose of the model\n\n**Not stated by the author.**\n") ||
		!strings.Contains(items["4.1"], "non-terminating: **Not stated by the author.**") {
		t.Errorf("%q\n%q", items["1.1"], items["4.1"])
	}
	if !strings.Contains(items["3.4"], "run again with `--sensitivity`") {
		t.Error("3.4 does not say how to find the sensitivity")
	}
	var err error
	if r.Sensitivity, err = sensitivity.Read([]byte(handmade.Sensitivity)); err != nil {
		t.Fatal(err)
	}
	if _, items = itemsOf(string(OfRun(r, s))); !strings.Contains(items["3.4"], "hangs most on destination[0].dot") ||
		!strings.Contains(items["1.3"], "each of 7 numbers is halved and doubled") {
		t.Errorf("%s\n%s", items["1.3"], items["3.4"])
	}
	r.Mode = "real"
	if !strings.Contains(string(OfRun(r, s)), "This run was not a simulation") {
		t.Error("a live run is told as a simulation")
	}
}

// Whatever the author writes, tables stay tables and no line becomes a heading.
func TestChecklistIsMarkdown(t *testing.T) {
	s := loaded(t, "throttling-provider")
	s.About = "# a | b\n## 9. New section\n| x | `y` <script>"
	s.Destinations[0].Name, s.Servers[0].Name, s.Campaigns[0].Name = "a|b", "<b>1", "`c`"
	page := string(OfRun(fold(handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 20, Plant: handmade.Contended,
		Dfr: 1.15})), s))
	heads := regexp.MustCompile(`(?m)^#+ .*$`).FindAllString(page, -1)
	if len(heads) != 1+6+24 {
		t.Errorf("%d headings: %q", len(heads), heads)
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "<b>") {
		t.Error("markup")
	}
	columns, rows := 0, 0
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "|") {
			columns = 0
			continue
		}
		n := strings.Count(line, "|") - strings.Count(line, `\|`)
		if columns == 0 {
			columns = n
		}
		if rows++; n != columns {
			t.Errorf("%d cells, want %d: %s", n-1, columns-1, line)
		}
	}
	if rows < 60 {
		t.Errorf("%d rows", rows)
	}
}

func TestChecklistOfAnEnsemble(t *testing.T) {
	s := loaded(t, "quickstart")
	var runs []ensemble.Observation
	for i := range 12 {
		one := handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 60, Plant: handmade.Contended,
			Dfr: 1.1 + float64(i)/100})
		one.Replication = uint64(i)
		runs = append(runs, ensemble.Observe(fold(one, handmade.Expect("dfr", "<", 1.15))))
	}
	e := ensemble.Gather(s, runs, ensemble.Asked{Replications: 12}, handmade.Run().Host,
		"flyball run quickstart --replications 12")
	numbers, items := itemsOf(string(OfEnsemble(e, s)))
	if got := strings.Join(numbers, " "); got != stressItems {
		t.Errorf("items %s", got)
	}
	for number, want := range map[string]string{
		"1.2": "Student's for means", "1.3": "* expected: dfr &lt; 1.15: met by 5 of 12 replications",
		"4.3": "Independent replications: 12, numbers 0 to 11 of seed 42. Why that many: **Not stated by the author.**",
	} {
		if !strings.Contains(items[number], want) {
			t.Errorf("%s: no %q in\n%s", number, want, items[number])
		}
	}
	if !regexp.MustCompile(`\| dfr \| .* \| 1\.15\d* \(1\.1\d+ to 1\.1\d+\) \|`).MatchString(items["1.2"]) {
		t.Errorf("no interval of dfr in\n%s", items["1.2"])
	}
}
