package realrun_test

import (
	"bytes"
	"math"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel"
	"flyball/netmodel/delay"
	"flyball/realrun"
	"flyball/reports/runlog"
)

// A live mailing of a steady rate has an estimate of its end: on each of two servers, at half of
// its recipients, within a tenth of the end that its own record has; a pause of the computer moves
// both, so what the second half took longer or shorter than the first is allowed too. The
// estimate of the whole run is that of its servers, and a replay makes the same ones.
func TestLiveForecast(t *testing.T) {
	t.Parallel()
	s := rehearsal(600)
	s.Governor.Law, s.Governor.Start = "hold", 10
	plain := netmodel.DefaultDestination()
	plain.Name, plain.Domain, plain.Receiver = "plain", "plain.example", "go-smtp"
	plain.Dot = delay.Constant(20 * vt.Second)
	s.Destinations = []netmodel.Destination{plain}
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
		for _, i := range rows {
			if int(i.Server) != server {
				continue
			}
			if sum += i.Sample.Delivered; sum >= 150 && half.End == 0 {
				half = i
			}
			if i.Sample.Delivered > 0 {
				end = i.End
			}
		}
		pause := math.Abs(float64(end - 2*half.End))
		if miss := math.Abs(float64(half.Finish - end)); !half.Known() || miss > 0.1*float64(end)+pause ||
			half.Low > half.Finish || half.High < half.Finish {
			t.Errorf("server %d, at %v: %+v, want an end at %v", server, half.End, half.Forecast, end)
		}
	}
}
