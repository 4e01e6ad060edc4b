package measure

import (
	"testing"

	"flyball/reports/format"
)

func TestEstimatesInWords(t *testing.T) {
	for _, c := range []struct {
		x    Estimate
		want string
	}{
		{Estimate{Value: 139_430.4, Low: 139_345.2, High: 139_515.6}, "139,430/h (139,345 to 139,516)"},
		{Estimate{Value: 1.09525, Low: 1.09483, High: 1.09567}, "1.09525/h (1.09483 to 1.09567)"},
		{Estimate{Value: -0.6, Low: -12, High: 11}, "-1/h (-12 to 11)"},
		{Estimate{Value: 12, Low: 12, High: 12}, "12/h"},
		// equal values, summed
		{Estimate{Value: 904.8333333333334, Low: 904.8333333333331, High: 904.8333333333336}, "904.8/h"},
		{Estimate{Value: 12, Low: format.Missing, High: format.Missing}, "12/h"},
		{Estimate{Value: format.Missing, Low: format.Missing, High: format.Missing}, "undefined"},
	} {
		if got := c.x.Words("/h"); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}
