package scenarios

import (
	"reflect"
	"strings"
	"testing"

	"flyball/netmodel/config"
)

// A change is made to a deep copy, which is validated like a file.
func TestChanged(t *testing.T) {
	s, before := rows(t, doubtful)
	text := string(Resolved(s))
	c, err := s.Changed(func(c *Scenario) {
		c.Governor.D = 9
		c.Destinations[0].Dead[0] = config.Dead{Share: 0.4, At: "mail", Reply: 551}
		c.Retry.Delays[0] *= 2
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(Resolved(s)); got != text || len(before) == 0 {
		t.Errorf("the scenario itself is now\n%s", got)
	}
	if c.Destinations[0].Dead[0].Share != 0.4 || c.Governor.D != 9 || !reflect.DeepEqual(c.Network, s.Network) {
		t.Errorf("the copy is %+v", c)
	}
	_, err = s.Changed(func(c *Scenario) {
		c.Governor.Start, c.Destinations[0].Cap, c.Campaigns[0].Processes = 0, -1,
			0
	})
	for _, want := range []string{"governor.start: got 0, want 1 to 1000000",
		"destination[0].cap: got -1, want 0 to 1000000", "campaign[0].processes: got 0, want 1 to 1000000"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
