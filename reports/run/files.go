package run

import (
	"strconv"

	"flyball/reports/format"
	"flyball/reports/measure"
)

// Summary returns the content of summary.json.
func (r *Report) Summary() ([]byte, error) {
	metrics := map[string]format.Num{}
	for name, v := range r.Metrics() {
		if _, of := measure.Split(name); of == "" { // destinations and campaigns have their own
			metrics[name] = format.Num(v)
		}
	}
	return format.WithSchema("flyball/summary", struct {
		Metrics map[string]format.Num `json:"metrics"`
		*Report
	}{metrics, r})
}

// intervalColumns are the columns of intervals.csv. They include all that a replay of
// the governor needs, see recorded.Read.
var intervalColumns = [...]string{"server", "interval", "t_end_s", "hours", "delivered", "attempts", "rate_per_h",
	"allocated_mean", "efficiency", "utilization", "available_prev", "target_available", "step", "available", "dfr",
	"retry_limit", "flags", "partial", "draining", "freed", "handed_back",
	"retries", "deferrals", "bounces", "refusals", "timeouts", "attempt_s", "lookup_s", "hops", "target_per_h",
	"demand_mean", "load", "finish_s", "finish_low_s", "finish_high_s"}

func intervalsCSV(of []measure.Row) []byte {
	rows := [][]string{intervalColumns[:]}
	for _, i := range of {
		rows = append(rows, []string{
			i.Server, strconv.Itoa(i.Number), format.Plain(i.End), format.Plain(i.Hours),
			strconv.FormatUint(i.Delivered, 10),
			strconv.FormatUint(i.Attempts, 10), i.Rate.String(), i.Allocated.String(), i.Efficiency.String(),
			i.Utilization.String(), i.Previous.String(), i.Wanted.String(), i.Step.String(), i.Available.String(),
			i.DFR.String(), strconv.Itoa(i.RetryLimit), i.Flags, strconv.FormatBool(i.Partial),
			strconv.FormatBool(i.Draining),
			strconv.FormatUint(i.Freed, 10), strconv.FormatUint(i.HandedBack, 10),
			strconv.FormatUint(i.Retries, 10), strconv.FormatUint(i.Deferrals, 10), strconv.FormatUint(i.Bounces, 10),
			strconv.FormatUint(i.Refusals, 10),
			strconv.FormatUint(i.Timeouts, 10), i.AttemptTime.String(), i.LookupTime.String(), i.Hops.String(),
			i.Target.String(),
			i.Demand.String(), i.Load.String(), i.Finish.String(), i.FinishLow.String(), i.FinishHigh.String(),
		})
	}
	return format.WriteCSV(rows)
}

func readIntervals(raw []byte) ([]measure.Row, error) {
	fields, err := format.ReadCSV(raw, intervalColumns[:])
	if err != nil {
		return nil, err
	}
	var rows []measure.Row
	for f := range fields.Each {
		rows = append(rows, measure.Row{
			Server: f.Text(), Number: int(f.Whole()), End: float64(f.Num()), Hours: float64(f.Num()),
			Delivered: f.Whole(),
			Attempts:  f.Whole(), Rate: f.Num(), Allocated: f.Num(), Efficiency: f.Num(),
			Utilization: f.Num(), Previous: f.Num(), Wanted: f.Num(), Step: f.Num(), Available: f.Num(),
			DFR: f.Num(), RetryLimit: int(f.Whole()), Flags: f.Text(), Partial: f.Yes(), Draining: f.Yes(),
			Freed: f.Whole(), HandedBack: f.Whole(),
			Conditions: measure.Conditions{Retries: f.Whole(), Deferrals: f.Whole(), Bounces: f.Whole(),
				Refusals: f.Whole(), Timeouts: f.Whole(), AttemptTime: f.Num(), LookupTime: f.Num(), Hops: f.Num()},
			Target: f.Num(), Demand: f.Num(), Load: f.Num(),
			Finish: f.Num(), FinishLow: f.Num(), FinishHigh: f.Num(),
		})
	}
	return rows, fields.Err
}

var latencyColumns = [...]string{"from_s", "to_s", "attempts"}

func (r *Report) latencyCSV() []byte {
	rows := [][]string{latencyColumns[:]}
	for _, b := range r.Bars {
		rows = append(rows, []string{format.Plain(b.From), format.Plain(b.To), strconv.FormatInt(b.Count, 10)})
	}
	return format.WriteCSV(rows)
}

func readLatency(raw []byte) ([]Bar, error) {
	fields, err := format.ReadCSV(raw, latencyColumns[:])
	if err != nil {
		return nil, err
	}
	var bars []Bar
	for f := range fields.Each {
		b := Bar{From: float64(f.Num()), To: float64(f.Num()), Count: int64(f.Whole())}
		if !(b.From > 0 && b.From <= b.To) {
			f.Bad("a line with 0 < from_s <= to_s")
		}
		bars = append(bars, b)
	}
	return bars, fields.Err
}
