package run

import (
	"slices"
	"strings"
	"testing"

	"flyball/internal/vt"
	"flyball/reports/folder"
	"flyball/reports/internal/handmade"
	"flyball/reports/measure"
	"flyball/reports/runlog"
)

// A live run whose machine did not keep its time is not judged: no expectation, no cause and no word on the governor.
// Just within the bound it is judged as any other.
func TestTooSlowIsNotJudged(t *testing.T) {
	course := handmade.Course{Start: 40, D: 3, Intervals: 60, Plant: handmade.Contended, Dfr: 1.15}
	for slower, judged := range map[float64]bool{-0.01: true, 0.05: true, 0.051: false, 1: false} {
		ran := handmade.Run(course)
		ran.Mode, ran.Host.Wall = "real", 90*vt.Second
		ran.Host.Pace = runlog.Pace{Scale: 60, Slower: slower}
		r := Fold(ran, []measure.Expectation{handmade.Expect("dfr", "<", 1)}, "")
		text := strings.Join(r.Answer(), "\n")
		if r.TooSlow == judged || (len(r.Expectations) == 1) != judged ||
			strings.Contains(text, "onverge") != judged || strings.HasPrefix(text, "No verdict: ") == judged {
			t.Errorf("slower by %v: too slow %v, %d expectations: %s", slower, r.TooSlow, len(r.Expectations), text)
		}
		page, err := r.HTML(nil)
		if err != nil || strings.Contains(string(page), "settled after") != judged {
			t.Errorf("slower by %v: the page has a table of servers: %v, want %v; %v", slower, !judged, judged, err)
		}
		if slower == 1 && !strings.Contains(text, "too slow for 60 times real time. Attempts and the handling of "+
			"their ends lasted 100.0 % longer than the model gives them; try --time-scale 3.") {
			t.Errorf("got %s", text)
		}
	}
	ran := handmade.Run(course)
	ran.Receiver, ran.Host.Pace = "127.0.0.1:25", runlog.Pace{Scale: 1, Slower: 1}
	if text := Fold(ran, nil, "").Answer()[0]; strings.Contains(text, "model") || strings.Contains(text, "try") {
		t.Errorf("a receiver without a model, at real time: %s", text)
	}
}

// The pace of a live run is on the page and in words; a simulation has none.
func TestPaceInWords(t *testing.T) {
	want := []string{"Wall time: 2 s, at 60 times real time",
		"Lateness of the engine's queue, in the run's time: 3 ms at p50, 40 ms at p99, 250 ms at most",
		"Receivers overslept by 5 ms at p50, 60 ms at p99, 350 ms at most; attempts and the handling of their ends " +
			"lasted 4.0 % longer than the model gives them",
		"Ahead: of each session at most 3 messages had no durable outcome (--ahead)"}
	r := counted()
	page, err := r.HTML(nil)
	if got := r.Pace(); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v\n got %q\nwant %q", err, got, want)
	}
	for _, line := range want {
		if !strings.Contains(strings.ReplaceAll(string(page), "&#39;", "'"), "<li>"+line+"</li>") {
			t.Errorf("the page has no %q", line)
		}
	}
	r.Host.Scale = 0
	if got := r.Pace(); got != nil {
		t.Errorf("a simulation: %q", got)
	}
}

// The simulation of the same run stands beside the live one: its end, its rate and C, in a table, on the figure and in
// the folder.
func TestSimulationBesideLiveRun(t *testing.T) {
	r, short := counted(), counted()
	if got := r.besideTable(12); got.Rows != nil {
		t.Errorf("a run without a simulation: %v", got)
	}
	lines := len(r.convergencePanels()[0].Lines)
	r.Beside = slices.Clone(short.Rows)
	for i := range r.Beside {
		r.Beside[i].Rate *= 2
		r.Beside[i].Available += 100
		r.Beside[i].End += 3600
	}
	for i, row := range r.besideTable(12).Rows {
		s := r.Servers[i]
		var live, sim []measure.Row = measure.RowsOf(r.Rows, s.Name), measure.RowsOf(r.Beside, s.Name)
		if row[0] != s.Name || row[1] != lastEnd(live, 3600) || row[2] != lastEnd(sim, 3600) || row[1] == row[2] ||
			row[3] == row[4] || row[5] == row[6] {
			t.Errorf("%v", row)
		}
	}
	if got := r.besideTable(12).Rows; len(got) != 2 || r.besideTable(1).Caption !=
		"Beside the simulation of the same run (1 of 2 servers)" {
		t.Errorf("%v, %s", got, r.besideTable(1).Caption)
	}
	for i, p := range r.convergencePanels() {
		dashed := 0
		for _, l := range p.Lines {
			if strings.HasSuffix(l.Label, ", simulated") && l.Dash {
				dashed++
			}
		}
		if dashed != 2 || i == 0 && len(p.Lines) != lines+2 {
			t.Errorf("panel %d has %d lines of the simulation, want one of each server", i, dashed)
		}
	}
	dir := t.TempDir()
	if err := Write(folder.Place{Dir: dir, Replace: true}, r, extra()); err != nil {
		t.Fatal(err)
	}
	again, _, err := Read(dir)
	if err != nil || !slices.Equal(intervalsCSV(again.Beside), intervalsCSV(r.Beside)) || again.Beside == nil {
		t.Errorf("read back: %v, %d rows of the simulation, want %d", err, len(again.Beside), len(r.Beside))
	}
}
