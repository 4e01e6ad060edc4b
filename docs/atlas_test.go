package docs

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write atlas.md from atlas/atlas.tmpl and the numbers beside it")

// TestAtlas computes the page: every figure and name in it comes from the summary
// of the study, and must fails where its prose no longer agrees with the numbers.
func TestAtlas(t *testing.T) {
	a := readAtlas(t)
	text, err := os.ReadFile("atlas/atlas.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	page, err := template.New("atlas").Funcs(template.FuncMap{
		"must": must, "mul": func(a, b int) int { return a * b }, "list": func(all ...string) []string { return all },
		"percent": percent, "lower": strings.ToLower,
	}).Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := page.Execute(&b, a); err != nil {
		t.Fatalf("%v\nthe numbers have changed: change the prose of docs/atlas/atlas.tmpl", err)
	}
	want := wrapped(b.String())
	if *update {
		if err := os.WriteFile("atlas.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if old, err := os.ReadFile("atlas.md"); err != nil || string(old) != want {
		t.Errorf("atlas.md does not follow from its numbers (%v): go test ./docs -update, and review the diff", err)
	}
}

// wrapped returns the page with its prose broken before column 121. Tables,
// headings, code and figures keep their lines, and so does text in code quotes.
func wrapped(page string) string {
	var out, words []string
	indent := ""
	flush := func() {
		line := ""
		for i, w := range words {
			switch {
			case i == 0:
				line = w
			case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(w) > 120:
				out, line = append(out, line), indent+w
			default:
				line += " " + w
			}
		}
		if len(words) > 0 {
			out = append(out, strings.ReplaceAll(line, "\x00", " "))
		}
		words, indent = nil, ""
	}
	quoted := regexp.MustCompile("`[^`]*`")
	for line := range strings.SplitSeq(page, "\n") {
		keeps := line == "" || strings.HasPrefix(line, "    ") || strings.ContainsAny(line[:1], "|#!<")
		if keeps || strings.HasPrefix(line, "* ") {
			flush()
		}
		if keeps {
			out = append(out, line)
			continue
		}
		if strings.HasPrefix(line, "* ") {
			indent = "  "
		}
		line = quoted.ReplaceAllStringFunc(line, func(s string) string { return strings.ReplaceAll(s, " ", "\x00") })
		words = append(words, strings.FieldsFunc(line, func(r rune) bool { return r == ' ' })...)
	}
	flush()
	return strings.ReplaceAll(strings.Join(out, "\n"), "\x00", " ")
}

// TestAtlasReceivers checks that both studies of the atlas have the same receivers.
func TestAtlasReceivers(t *testing.T) {
	var blocks []string
	for _, name := range []string{"studies/atlas.toml", "studies/atlas-capacity.toml"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(text), "name = \"receiver\"\n")
		block, _, found := strings.Cut(after, "\n]\n")
		if !found {
			t.Fatalf("%s has no receivers", name)
		}
		blocks = append(blocks, block)
	}
	if blocks[0] != blocks[1] {
		t.Error("the receivers of atlas.toml and atlas-capacity.toml differ")
	}
}

func must(holds bool, claim string) (string, error) {
	if !holds {
		return "", fmt.Errorf("no longer true: %s", claim)
	}
	return "", nil
}

func percent(v float64) string { return fmt.Sprintf("%.0f", 100*v) }

// Atlas is the summary of the study (choice.csv), and the rate by the number of
// processes held (capacity.csv).
type Atlas struct {
	Laws, Receivers, Targets []string

	rows  map[place]map[string]string
	held  map[string]float64 // rate by receiver and number of processes
	taken map[string]float64 // greatest rate of each receiver
}

type place struct{ law, receiver, target string }

// known is the law that is given the number of processes that the others have to
// find out. It is never chosen.
const known = "regulator, max 140"

// Refusing receivers answer 421 beyond what they take; Slowing ones take
// longer, or make the server do so.
func (Atlas) Refusing() []string {
	return []string{"connection cap", "rate limit", "throttle", "reputation", "two providers"}
}
func (Atlas) Slowing() []string { return []string{"tarpit", "saturation", "own contention"} }

// Open receivers have no limit.
func (a Atlas) Open() []string {
	return slices.DeleteFunc(slices.Clone(a.Receivers), func(r string) bool {
		return slices.Contains(a.Refusing(), r) || slices.Contains(a.Slowing(), r)
	})
}

func readAtlas(t *testing.T) *Atlas {
	a := &Atlas{rows: map[place]map[string]string{}, held: map[string]float64{}, taken: map[string]float64{}}
	add := func(list *[]string, v string) {
		if !slices.Contains(*list, v) {
			*list = append(*list, v)
		}
	}
	for _, r := range records(t, "atlas/choice.csv") {
		add(&a.Laws, r["law"])
		add(&a.Receivers, r["receiver"])
		add(&a.Targets, r["target"])
		a.rows[place{r["law"], r["receiver"], r["target"]}] = r
	}
	for _, r := range records(t, "atlas/capacity.csv") {
		rate, err := strconv.ParseFloat(r["rate_per_h"], 64)
		if err != nil {
			t.Fatal(err)
		}
		a.held[r["receiver"]+" "+r["governor.start"]] = rate
		a.taken[r["receiver"]] = max(a.taken[r["receiver"]], rate)
	}
	if len(a.rows) != len(a.Laws)*len(a.Receivers)*len(a.Targets) || len(a.taken) != len(a.Receivers) {
		t.Fatalf("%d rows and %d receivers", len(a.rows), len(a.taken))
	}
	return a
}

func records(t *testing.T, name string) []map[string]string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil || len(lines) < 2 {
		t.Fatalf("%s: %d lines, %v", name, len(lines), err)
	}
	var all []map[string]string
	for _, line := range lines[1:] {
		r := map[string]string{}
		for i, v := range line {
			r[lines[0][i]] = v
		}
		all = append(all, r)
	}
	return all
}

// value returns the value of a column, NaN where it is undefined.
func (a *Atlas) value(p place, column string) float64 {
	v, err := strconv.ParseFloat(a.rows[p][column], 64)
	if err != nil {
		return math.NaN()
	}
	return v
}

func (a *Atlas) cost(p place) float64 { return a.value(p, "cost") }

// chosen returns the laws that compete.
func (a *Atlas) chosen() []string {
	return slices.DeleteFunc(slices.Clone(a.Laws), func(l string) bool { return l == known })
}

// Places counts the combinations of receivers and targets, Points the runs.
func (a *Atlas) Places() int { return len(a.Receivers) * len(a.Targets) }
func (a *Atlas) Points() string {
	n := 0
	for p := range a.rows {
		n += int(a.value(p, "points"))
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

func (a *Atlas) best(receiver, target string, weight float64) string {
	least, law := math.Inf(1), ""
	for _, l := range a.chosen() {
		p := place{l, receiver, target}
		if c := a.value(p, "lost") + weight*a.value(p, "vain"); c < least {
			least, law = c, l
		}
	}
	return law
}

func (a *Atlas) Best(receiver, target string) string { return a.best(receiver, target, 1) }

// Moved counts the places where another law is best if attempts in vain have the
// given weight.
func (a *Atlas) Moved(weight float64) int {
	n := 0
	for _, r := range a.Receivers {
		for _, t := range a.Targets {
			if a.best(r, t, weight) != a.Best(r, t) {
				n++
			}
		}
	}
	return n
}

// Standing is a law at some receivers and targets.
type Standing struct {
	Law           string
	Cost          float64 // mean
	Beyond, Worst float64 // what it costs more than the best of the place: mean and greatest
	WorstAt       string
	Wins          int
}

func (a *Atlas) stand(law string, receivers, targets []string) Standing {
	s := Standing{Law: law, Worst: math.Inf(-1)}
	n := float64(len(receivers) * len(targets))
	for _, r := range receivers {
		for _, t := range targets {
			c, best := a.cost(place{law, r, t}), a.Best(r, t)
			beyond := c - a.cost(place{best, r, t})
			s.Cost += c / n
			s.Beyond += beyond / n
			if beyond > s.Worst {
				s.Worst, s.WorstAt = beyond, r+" at "+t
			}
			if law == best {
				s.Wins++
			}
		}
	}
	return s
}

// Ranked returns the laws that compete, the cheapest first.
func (a *Atlas) Ranked(receivers, targets []string) []Standing {
	var all []Standing
	for _, l := range a.chosen() {
		all = append(all, a.stand(l, receivers, targets))
	}
	slices.SortStableFunc(all, func(x, y Standing) int {
		switch {
		case x.Cost < y.Cost:
			return -1
		case x.Cost > y.Cost:
			return 1
		}
		return 0
	})
	return all
}

// Of returns the standing of a law over all receivers and targets.
func (a *Atlas) Of(law string) Standing { return a.stand(law, a.Receivers, a.Targets) }

// Table returns a line for each law.
func (a *Atlas) Table() []string {
	var lines []string
	for _, l := range a.Laws {
		s := a.Of(l)
		wins := strconv.Itoa(s.Wins)
		if l == known {
			wins = "aside"
		}
		line := fmt.Sprintf("| %s | %s | %s | %s | %s (%s)", l, wins, percent(s.Cost), percent(s.Beyond),
			percent(s.Worst), s.WorstAt)
		for _, class := range []string{"stable", "oscillating", "wound up", "collapsed"} {
			line += fmt.Sprintf(" | %d", a.Class(l, class))
		}
		lines = append(lines, line+" |")
	}
	return lines
}

// Class counts the runs without noise that have the class; Quiet counts the runs
// of all classes.
func (a *Atlas) Class(law, class string) int { return a.ClassAt(law, class, a.Receivers) }

func (a *Atlas) ClassAt(law, class string, receivers []string) int {
	n := 0
	for p := range a.rows {
		if p.law == law && slices.Contains(receivers, p.receiver) {
			n += int(a.value(p, class))
		}
	}
	return n
}

func (a *Atlas) Quiet(law string) int {
	n := 0
	for _, class := range []string{"stable", "unsettled", "oscillating", "wound up", "collapsed", "not judged"} {
		n += a.Class(law, class)
	}
	return n
}

// From and To return the targets from, or up to, the given one.
func (a *Atlas) From(target string) []string { return a.Targets[slices.Index(a.Targets, target):] }
func (a *Atlas) To(target string) []string {
	return a.Targets[:slices.Index(a.Targets, target)+1]
}

// Choice returns a line of the table that a newcomer reads first.
func (a *Atlas) Choice(know string, receivers, targets []string) string {
	all := a.Ranked(receivers, targets)
	first := all[0]
	usual := all[slices.IndexFunc(all, func(s Standing) bool { return s.Law == "dynamic" })]
	return fmt.Sprintf("| %s | **%s** | %s | %s (%s), %s (%s) | %s | %s (%s) |", know, first.Law, percent(first.Cost),
		all[1].Law, percent(all[1].Cost), all[2].Law, percent(all[2].Cost), percent(usual.Cost),
		percent(first.Worst), first.WorstAt)
}

// Mean returns the mean cost of a law at the given receivers and targets.
func (a *Atlas) Mean(law string, receivers, targets []string) float64 {
	return a.stand(law, receivers, targets).Cost
}

// Broken returns the least target at which the rates that runs end with are on
// average below half of the possible: the target, or what the receiver takes if
// that is less. It returns "-" if there is none.
func (a *Atlas) Broken(law, receiver string) string {
	for _, t := range a.Targets {
		p := place{law, receiver, t}
		multiple, err := strconv.ParseFloat(t, 64)
		if err != nil {
			panic(err)
		}
		had := 1400 * multiple
		if !slices.Contains(a.Open(), receiver) {
			had = min(had, a.taken[receiver])
		}
		if a.value(p, "rate_per_h") < had/2 {
			return t
		}
	}
	return "-"
}

// BrokenTable returns a table of the receivers at which some law breaks down.
func (a *Atlas) BrokenTable(laws []string) []string {
	lines := []string{"| Receiver | " + strings.Join(laws, " | ") + " |", "|---|" + strings.Repeat("---|", len(laws))}
	for _, r := range a.Receivers {
		var at []string
		for _, l := range laws {
			at = append(at, a.Broken(l, r))
		}
		if slices.ContainsFunc(at, func(t string) bool { return t != "-" }) {
			lines = append(lines, "| "+r+" | "+strings.Join(at, " | ")+" |")
		}
	}
	return lines
}

// Ends returns the rate that runs end with / the target.
func (a *Atlas) Ends(law, receiver, target string) float64 {
	multiple, _ := strconv.ParseFloat(target, 64)
	return a.value(place{law, receiver, target}, "rate_per_h") / (1400 * multiple)
}

// Held returns the rate that the given number of processes gets from a receiver.
func (a *Atlas) Held(receiver, processes string) float64 { return a.held[receiver+" "+processes] }

// Limits returns what those receivers take whose limit is more than 5 % off 1400 messages an hour; it fails at 15 %.
func (a *Atlas) Limits() (string, error) {
	var off []string
	for _, r := range slices.Concat(a.Refusing(), a.Slowing()) {
		miss := math.Abs(a.taken[r]/1400 - 1)
		if miss > 0.15 && r != "two providers" {
			return "", fmt.Errorf("%s takes %.0f messages an hour, not some 1400", r, a.taken[r])
		}
		if miss > 0.05 && r != "two providers" {
			off = append(off, fmt.Sprintf("%s %.0f", r, a.taken[r]))
		}
	}
	return strings.Join(off, ", "), nil
}

// Attempts returns the attempts per delivery of a law, from the share in vain that
// choice.csv has.
func (a *Atlas) Attempts(law, receiver, target string) string {
	return fmt.Sprintf("%.1f", 1/(1-a.value(place{law, receiver, target}, "vain")))
}

// Losses returns the places where a law costs most beyond the best, one for each
// receiver.
func (a *Atlas) Losses(law string, most int) []string {
	type loss struct {
		place
		beyond float64
	}
	var all []loss
	for _, r := range a.Receivers {
		var worst loss
		for _, t := range a.Targets {
			p := place{law, r, t}
			if beyond := a.cost(p) - a.cost(place{a.Best(r, t), r, t}); beyond > worst.beyond {
				worst = loss{p, beyond}
			}
		}
		if worst.beyond >= 0.02 {
			all = append(all, worst)
		}
	}
	slices.SortStableFunc(all, func(x, y loss) int { return int(math.Copysign(1, y.beyond-x.beyond)) })
	var lines []string
	for _, l := range all[:min(most, len(all))] {
		best := a.Best(l.receiver, l.target)
		lines = append(lines, fmt.Sprintf("| %s | %s | %s | %s (%s) |", l.receiver, l.target,
			percent(a.cost(l.place)), best, percent(a.cost(place{best, l.receiver, l.target}))))
	}
	return lines
}

// Near counts the places where a law costs at most a point more than the best.
func (a *Atlas) Near(law string) int {
	n := 0
	for _, r := range a.Receivers {
		for _, t := range a.Targets {
			if a.cost(place{law, r, t}) <= a.cost(place{a.Best(r, t), r, t})+0.01 {
				n++
			}
		}
	}
	return n
}
