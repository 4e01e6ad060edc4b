package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"flyball/cmd/flyball/internal/task"
)

// progress shows how far a run is. On a terminal it is a bar with the time left;
// elsewhere a plain line for every tenth after the first second; with --quiet
// nothing.
type progress struct {
	w        io.Writer
	bars     *mpb.Progress
	bar      *mpb.Bar
	tenth    uint64
	began    time.Time
	quietFor time.Duration // a run that ends sooner prints nothing
}

func (a *app) progress(name string) *progress {
	p := &progress{w: a.errout, began: time.Now(), quietFor: a.quietFor}
	switch {
	case a.quiet:
		p.w = io.Discard
	case isTerminal(a.errout) && os.Getenv("CI") == "":
		p.bars = mpb.New(mpb.WithOutput(a.errout), mpb.WithWidth(40), mpb.WithAutoRefresh())
		p.bar = p.bars.AddBar(0, mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name(name+" "), decor.Percentage()),
			mpb.AppendDecorators(decor.Name("left "), decor.AverageETA(decor.ET_STYLE_GO)))
	}
	return p
}

// watch returns a Watch that shows the progress of a task until end is called. Each
// note is a line. With barOnly plain lines are left out, because the notes are enough.
func (a *app) watch(barOnly bool) (w task.Watch, end func()) {
	var p *progress
	stage := ""
	end = func() {
		if p != nil {
			p.end()
		}
		p = nil
	}
	return func(e task.Event) {
		if e.Note != "" {
			var to io.Writer = a.errout
			if p != nil && p.bars != nil {
				to = p.bars // above the bar
			}
			if !a.quiet || e.Warning {
				fmt.Fprintln(to, e.Note)
			}
			return
		}
		if p == nil || e.Stage != stage {
			end()
			p, stage = a.progress(e.Stage), e.Stage
		}
		if !barOnly || p.bar != nil {
			p.at(e.Done, e.Total)
		}
	}, end
}

// at shows that done units of total are done.
func (p *progress) at(done, total uint64) {
	if p.bar != nil {
		p.bar.SetTotal(int64(total), false)
		p.bar.SetCurrent(int64(done))
		return
	}
	tenth, spent := 10*done/max(total, 1), time.Since(p.began)
	if tenth > p.tenth && tenth < 10 && spent >= p.quietFor {
		p.tenth = tenth
		left := time.Duration(float64(spent) * float64(total-done) / float64(done))
		fmt.Fprintf(p.w, "%3d %% after %s, about %s left\n", 10*tenth, spent.Round(100*time.Millisecond),
			left.Round(100*time.Millisecond))
	}
}

// end removes the bar.
func (p *progress) end() {
	if p.bar != nil {
		p.bar.Abort(true)
		p.bars.Wait()
	}
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// colored reports whether standard output takes colour.
func (a *app) colored() bool {
	switch a.color {
	case "always":
		return true
	case "never":
		return false
	}
	return isTerminal(a.stdout) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
