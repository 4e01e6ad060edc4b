package terminal

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"flyball/cmd/flyball/internal/task"
)

// Display shows the progress of tasks.
type Display struct {
	To       io.Writer
	Quiet    bool          // show warnings only
	QuietFor time.Duration // how long progress in lines waits for its first line
}

// Progress shows how far a run is. On a terminal it is a bar with the time left, by the estimate of a live run's end or
// else by the pace until now;
// elsewhere a plain line for every tenth, after QuietFor; with Quiet nothing.
type Progress struct {
	w        io.Writer
	bars     *mpb.Progress
	bar      *mpb.Bar
	out      atomic.Value // string: when a mailing will be out; empty if that is not known
	left     atomic.Int64 // real time until then in nanoseconds; 0 if that is not known
	asked    time.Time    // when that was found out
	tenth    uint64
	began    time.Time
	quietFor time.Duration // a run that ends sooner prints nothing
}

// Start shows the progress of a run called name, until End.
func (d Display) Start(name string) *Progress {
	p := &Progress{w: d.To, began: time.Now(), quietFor: d.QuietFor}
	p.out.Store("")
	switch {
	case d.Quiet:
		p.w = io.Discard
	case Is(d.To) && os.Getenv("CI") == "":
		p.bars = mpb.New(mpb.WithOutput(d.To), mpb.WithWidth(40), mpb.WithAutoRefresh())
		byPace := decor.AverageETA(decor.ET_STYLE_GO)
		p.bar = p.bars.AddBar(0, mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name(name+" "), decor.Percentage()),
			mpb.AppendDecorators(decor.Name("left "), decor.Any(func(s decor.Statistics) string {
				if left := time.Duration(p.left.Load()); left > 0 {
					return left.Round(time.Second).String()
				}
				text, _ := byPace.Decor(s)
				return text
			}),
				decor.Any(func(decor.Statistics) string { return p.out.Load().(string) })))
	}
	return p
}

// Watch returns a Watch that shows the progress of a task until end is called. Each
// note is a line. With barOnly plain lines are left out, because the notes are enough.
func (d Display) Watch(barOnly bool) (w task.Watch, end func()) {
	var p *Progress
	stage := ""
	end = func() {
		if p != nil {
			p.End()
		}
		p = nil
	}
	return func(e task.Event) {
		if e.Note != "" {
			to := d.To
			if p != nil && p.bars != nil {
				to = p.bars // above the bar
			}
			if !d.Quiet || e.Warning {
				fmt.Fprintln(to, e.Note)
			}
			return
		}
		if p == nil || e.Stage != stage {
			end()
			p, stage = d.Start(e.Stage), e.Stage
		}
		if !barOnly || p.bar != nil {
			p.At(e)
		}
	}, end
}

// At shows how much is done, how much time is left, and when a mailing will be out.
func (p *Progress) At(e task.Event) {
	done, total, out, left := e.Done, e.Total, e.Out, e.Left
	if out == nil {
		out = func() string { return "" }
	}
	if left == nil {
		left = func() time.Duration { return 0 }
	}
	if p.bar != nil {
		p.bar.SetTotal(int64(total), false)
		p.bar.SetCurrent(int64(done))
		if now := time.Now(); now.Sub(p.asked) > 100*time.Millisecond {
			p.asked = now
			p.out.Store(lead(out()))
			p.left.Store(int64(left()))
		}
		return
	}
	tenth, spent := 10*done/max(total, 1), time.Since(p.began)
	if tenth > p.tenth && tenth < 10 && spent >= p.quietFor {
		p.tenth = tenth
		byPace := time.Duration(float64(spent) * float64(total-done) / float64(done))
		fmt.Fprintf(p.w, "%3d %% after %s, about %s left%s\n", 10*tenth, spent.Round(100*time.Millisecond),
			cmp.Or(left(), byPace).Round(100*time.Millisecond), lead(out()))
	}
}

// lead returns words as one more part of a line, nothing if there are none.
func lead(words string) string {
	if words == "" {
		return ""
	}
	return ", " + words
}

// End removes the bar.
func (p *Progress) End() {
	if p.bar != nil {
		p.bar.Abort(true)
		p.bars.Wait()
	}
}

// Is reports whether a reader or a writer is a terminal.
func Is(w any) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// ColourChoices are the choices for colour.
var ColourChoices = []string{"auto", "always", "never"}

// Colored reports whether a choice gives colour to what is written to w.
func Colored(choice string, w io.Writer) bool {
	switch choice {
	case "always":
		return true
	case "never":
		return false
	}
	return Is(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
