package retry

import "testing"

// Four tries have data: of 10,000 recipients a tenth reaches try 1, 0.09 try 2, 0.0891 try 3 and 0.0887 the seven
// after it, which may yield as much as try 3: 4 of 891, and at most 6 + 2 sqrt 5 = 10.472 with two standard
// deviations. So a limit of 2 loses at most 10.472 x (0.0891 + 7 x 0.0887) / 891 = 0.008345 of the recipients.
func TestTriesWithoutDataMayYieldAsTheLast(t *testing.T) {
	r := Default()
	r.Low = 2
	of := tallies{tries: make([]tally, r.Limit+1)}
	copy(of.tries, []tally{{10000, 1000, 9000}, {1000, 900, 100}, {900, 891, 9}, {891, 887, 4}})
	for lost, want := range map[float64]int{0.0083: 10, 0.0084: 2} {
		if got := of.least(&r, lost); got != want {
			t.Errorf("the least limit that loses at most %g is %d, want %d", lost, got, want)
		}
	}
}
