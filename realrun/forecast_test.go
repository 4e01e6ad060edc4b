package realrun_test

import (
	"bytes"
	"math"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
	"flyball/realrun"
	"flyball/reports/runlog"
)

// A live mailing of a steady rate has an estimate of its end: on each of two servers, after half of its recipients, the
// rest at the rate of the intervals so far, give or take a tenth of the end. On a busy machine these rates differ: then
// the estimate lies between what the fastest and what the slowest of them give. The estimate of the whole run follows
// from the estimates of its servers, and a replay makes the same ones.
func TestLiveForecast(t *testing.T) {
	t.Parallel()
	s := rehearsal(600)
	s.Governor.Law, s.Governor.Start = "hold", 10
	plain := config.DefaultDestination()
	plain.Name, plain.Domain, plain.Receiver = "plain", "plain.example", "go-smtp"
	plain.Dot = delay.Constant(20 * vt.Second)
	s.Destinations = []config.Destination{plain}
	var journal bytes.Buffer
	j := realrun.NewJournal(&journal)
	known := 0
	_, _, r := seen(t, s, 200, j, func(r *realrun.Runner) {
		if f := r.Forecast(); f.Known() {
			known++
			latest := map[mail.Server]runlog.Forecast{}
			for _, i := range r.Record().Intervals {
				latest[i.Server] = i.Forecast
			}
			for _, v := range latest {
				if f == v && r.Record().Final() >= 300 { // of the one server that is left
					return
				}
			}
			for _, v := range latest {
				if f.Finish < v.Finish || f.High < v.High || f.Low < v.Low {
					t.Errorf("the run is estimated to end at %+v, a server of it at %+v", f, v)
				}
			}
		}
	})
	if known == 0 || r.Forecast().Known() {
		t.Errorf("%d estimates during the run, and %+v when all is final", known, r.Forecast())
	}
	again := replays(t, s, j, &journal, r)
	rows := r.Record().Intervals
	for k, i := range rows {
		if i.Forecast != again.Intervals[k].Forecast {
			t.Errorf("interval %d: the replay estimates %+v, the run %+v", k, again.Intervals[k].Forecast, i.Forecast)
		}
	}
	for server := range s.Servers {
		end, half, sum := vt.Time(0), runlog.Interval{}, uint64(0)
		left, slowest, fastest := 0.0, math.Inf(1), 0.0 // recipients; rates of the intervals up to half, per ns
		for _, i := range rows {
			if int(i.Server) != server {
				continue
			}
			if sum += i.Sample.Delivered; half.End == 0 {
				rate := float64(i.Sample.Delivered) / float64(i.Sample.Span)
				slowest, fastest = min(slowest, rate), max(fastest, rate)
			}
			if sum >= 150 && half.End == 0 {
				half, left = i, float64(300-sum)
			}
			if i.Sample.Delivered > 0 {
				end = i.End
			}
		}
		soon, late := float64(half.End)+left/fastest, float64(half.End)+left/slowest
		if got, most := float64(half.Finish), 0.1*float64(end); !half.Known() || got < soon-most || got > late+most ||
			half.Low > half.Finish || half.High < half.Finish {
			t.Errorf("server %d, at %v: %+v, want an end from %v to %v, or %v off; it was at %v", server, half.End,
				half.Forecast, vt.Time(soon), vt.Time(late), vt.Time(most), end)
		}
	}
}
