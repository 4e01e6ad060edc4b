package ask_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"flyball/sim/ask"
)

// world returns a runner over formulas: processes n and a target, of which the
// second matters only below what the processes can do. Beyond the cap attempts are
// refused, and the mailing ends later.
func world(limit float64, noise float64) ask.Runner {
	return func(jobs []ask.Job) ([]ask.Outcome, error) {
		var all []ask.Outcome
		for _, j := range jobs {
			n, target := float64(j.At[0]+1), 10*float64(j.At[1]+1)
			used := min(n, target/4)
			rate := min(used, limit)
			refused := max(0, used-limit) / max(used, 1)
			r := rand.New(rand.NewPCG(j.Replication, 5))
			end := 100 / (rate - refused) * (1 + noise*r.NormFloat64())
			all = append(all, ask.Outcome{Refused: refused, End: end, Late: max(0, end-20) / end,
				Digest: uint64(math.Float64bits(end))})
		}
		return all, nil
	}
}

func values(n int) (all []string) {
	for i := range n {
		all = append(all, strconv.Itoa(i+1))
	}
	return all
}

// The search finds the knee of a known world, from any start, with noise that is the
// same for all settings, and recommends no more than what is needed.
func TestSearchFindsTheKnee(t *testing.T) {
	for _, limit := range []float64{3, 8, 17} {
		for _, start := range [][2]int{{0, 0}, {15, 7}, {29, 15}} {
			axes := []ask.Axis{{Values: values(30), Start: start[0]}, {Values: values(16), Start: start[1]}}
			q := ask.Question{Axes: axes, Refused: 0.02, Replications: 4}
			a, err := ask.Search(q, world(limit, 0.1))
			if err != nil {
				t.Fatal(err)
			}
			n, target := float64(a.Best.At[0]+1), 10*float64(a.Best.At[1]+1)
			if n != limit || target/4 < limit || target/4 >= limit+2.5 {
				t.Errorf("limit %g from %v: %g processes and target %g, want %g and %g: %d runs", limit, start, n,
					target,
					limit, 4*limit, a.Spent)
			}
			if most := q.Most(); a.Spent > most {
				t.Errorf("%d runs, want at most %d", a.Spent, most)
			}
		}
	}
}

// Refusals count before recipients that are late, these before the end, and an end that
// is earlier by less than 1 % is not worth a higher value.
func TestWhatCountsFirst(t *testing.T) {
	for what, v := range map[string]struct {
		of   func(n float64) ask.Outcome
		want int
	}{
		"refusals": {func(n float64) ask.Outcome {
			return ask.Outcome{Refused: n / 100, Late: 1 - n/100,
				End: 100 - n}
		}, 5},
		"refusals of few": {func(n float64) ask.Outcome {
			return ask.Outcome{Refused: 0.3 - n/100, End: 100 + n/1000}
		}, 25},
		"late": {func(n float64) ask.Outcome { return ask.Outcome{Late: math.Abs(n-7) / 100, End: 100 - n/1000} },
			7},
		"the end": {func(n float64) ask.Outcome { return ask.Outcome{End: max(50, 60-n) - n/1000} }, 10},
	} {
		run := func(jobs []ask.Job) (all []ask.Outcome, err error) {
			for _, j := range jobs {
				o := v.of(float64(j.At[0]))
				o.Digest = uint64(j.At[0])
				all = append(all, o)
			}
			return all, nil
		}
		a, err := ask.Search(ask.Question{Axes: []ask.Axis{{Values: values(30), Start: 20}}, Refused: 0.05,
			Replications: 1}, run)
		if err != nil || a.Best.At[0] != v.want {
			t.Errorf("%s: chose %v, want %d: %v", what, a.Best.At, v.want, err)
		}
	}
}

// Runs that are stopped when they are sure to miss their bar change no answer, and cost less.
func TestStoppedRunsChangeNoAnswer(t *testing.T) {
	for _, limit := range []float64{3, 8, 17} {
		for _, replications := range []int{1, 3} {
			axes := []ask.Axis{{Values: values(30), Start: 12}, {Values: values(16), Start: 7}}
			q := ask.Question{Axes: axes, Refused: 0.02, Replications: replications}
			whole := world(limit, 0.05)
			full, err := ask.Search(q, whole)
			if err != nil {
				t.Fatal(err)
			}
			stopped := 0
			a, err := ask.Search(q, func(jobs []ask.Job) ([]ask.Outcome, error) {
				all, _ := whole(jobs)
				for i, o := range all {
					if b := jobs[i].Bar; b != nil && b.Missed(o.Refused, o.Late, o.End) {
						all[i] = ask.Outcome{Lost: true}
						stopped++
					}
				}
				return all, nil
			})
			if err != nil || !slices.Equal(a.Best.At, full.Best.At) {
				t.Errorf("limit %g: chose %v, want %v as without stops: %v", limit, a.Best.At, full.Best.At, err)
			}
			if stopped < 5 {
				t.Errorf("limit %g: %d of %d runs stopped, want more", limit, stopped, a.Spent)
			}
		}
	}
}

// A run misses its bar only if it is sure to: fewer refusals above the limit count first.
func TestBar(t *testing.T) {
	within := ask.Bar{Limit: 0.02, Outcome: ask.Outcome{Refused: 0.01, Late: 0.1, End: 10}}
	above := ask.Bar{Limit: 0.02, Outcome: ask.Outcome{Refused: 0.3, Late: 0.1, End: 10}}
	for _, v := range []struct {
		bar                *ask.Bar
		refused, late, end float64
		want               bool
	}{
		{&within, 0, 0, 9, false}, {&within, 0.06, 0, 1, true}, {&within, 0.04, 0, 1, false},
		{&within, 0, 0.14, 1, true}, {&within, 0, 0.12, 1, false},
		{&within, 0, 0.1, 10.2, false}, {&within, 0, 0.1, 10.4, true}, {&within, 0, 0.05, 99, false},
		{&above, 0.34, 0, 1, true}, {&above, 0.32, 0, 1, false}, {&above, 0, 1, 99, false},
	} {
		if got := v.bar.Missed(v.refused, v.late, v.end); got != v.want {
			t.Errorf("refused %g, late %g, end %g against %+v: %t, want %t", v.refused, v.late, v.end, *v.bar, got,
				v.want)
		}
	}
}

// Coarse values come first, and all values between them after.
func TestCoarseValuesFirst(t *testing.T) {
	var coarse []int
	for i := 0; i < 500; i += 20 {
		coarse = append(coarse, i)
	}
	for _, knee := range []int{3, 77, 260, 471} {
		tried := 0
		a, err := ask.Search(ask.Question{Axes: []ask.Axis{{Values: values(500), Coarse: coarse, Start: 100}},
			Replications: 1}, func(jobs []ask.Job) (all []ask.Outcome, err error) {
			for _, j := range jobs {
				tried++
				end := 1000 + math.Abs(float64(j.At[0]-knee))*20
				all = append(all, ask.Outcome{End: end, Digest: uint64(j.At[0])})
			}
			return all, nil
		})
		if err != nil || a.Best.At[0] != knee || tried > 40 || tried != a.Spent {
			t.Errorf("chose %d of %d runs, want %d: %v", a.Best.At[0], tried, knee, err)
		}
	}
}

// An axis that changes nothing is reported, and its lowest value taken.
func TestFlatAxis(t *testing.T) {
	run := func(jobs []ask.Job) (all []ask.Outcome, err error) {
		for _, j := range jobs {
			all = append(all, ask.Outcome{End: math.Abs(float64(j.At[0])-9) + 50, Digest: uint64(j.At[0])})
		}
		return all, nil
	}
	a, err := ask.Search(ask.Question{Axes: []ask.Axis{{Values: values(20), Start: 2}, {Values: values(20), Start: 7}},
		Replications: 2}, run)
	if err != nil || !slices.Equal(a.Flat, []bool{false, true}) || !slices.Equal(a.Alike, []bool{false, true}) ||
		a.Best.At[1] != 0 {
		t.Errorf("flat %v, alike %v, chose %v: %v", a.Flat, a.Alike, a.Best.At, err)
	}
	if a.Best.At[0] != 9 { // 8 would end 2 % later
		t.Errorf("chose %v, want 9", a.Best.At)
	}
}

func TestErrorsOfTheRunner(t *testing.T) {
	want := errors.New("full disk")
	_, err := ask.Search(ask.Question{Axes: []ask.Axis{{Values: values(3)}}, Replications: 1},
		func([]ask.Job) ([]ask.Outcome, error) { return nil, fmt.Errorf("run: %w", want) })
	if !errors.Is(err, want) {
		t.Errorf("error %v", err)
	}
}
