package console

import (
	"errors"
	"fmt"
	"strings"

	"flyball/cmd/flyball/internal/task"
	"flyball/cmd/flyball/internal/terminal"
	"flyball/reports/run"
)

// Publish prints the report, writes its folder, and returns an error with the exit
// code. It prints first, so that the answer is not lost if the disk is full.
func (a *App) Publish(out *task.Outcome, to *Output, stop *terminal.Signals) error {
	shown := a.show(out, to)
	if err := errors.Join(shown, out.Write()); err != nil { // the folder has what a full or closed output has not
		return err
	}
	if !to.JSON {
		fmt.Fprintf(a.Out, "Folder: %s\n", out.Dir)
	}
	if report := out.Report; stop.First() != nil && report.Partial {
		goOn := ""
		if report.Mode == "sim" {
			goOn = fmt.Sprintf("\ngo on with: %s --resume %s", report.Replay, task.Quote(out.Dir))
		}
		return StoppedBy(stop, "; the folder %s is marked partial%s", out.Dir, goOn)
	}
	return missed(out.Report)
}

func (a *App) show(out *task.Outcome, to *Output) error {
	out.Report.Explain = to.Explain
	if err := a.Print(out.Report, to.JSON); err != nil || to.JSON {
		return err
	}
	for _, line := range out.Words {
		fmt.Fprintln(a.Out, line)
	}
	if out.Unjudged > 0 && !out.Report.TooSlow {
		fmt.Fprintf(a.Out, "%d more expectations do not apply to this kind of run\n", out.Unjudged)
	}
	return nil
}

// missed returns an error that lists the missed expectations, nil if all were met.
func missed(r *run.Report) error {
	var all []string
	for _, e := range r.Expectations {
		if !e.Met() {
			is, want := r.Words(e)
			all = append(all, fmt.Sprintf("%s is %s, want %s", e.Metric, is, want))
		}
	}
	if all == nil {
		return nil
	}
	return Fail(Missed, "%d of %d expectations missed: %s", len(all), len(r.Expectations), strings.Join(all, "; "))
}
