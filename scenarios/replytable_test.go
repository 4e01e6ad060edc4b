package scenarios_test

import (
	"testing"

	"flyball/scenarios"
)

// The scenario reply-table differs from consumer-night in what receivers say and in what the
// sender makes of it, so that a comparison of the two shows what a reply table does.
func TestReplyTableIsTheConsumerNight(t *testing.T) {
	var texts []string
	for _, name := range []string{"consumer-night", "reply-table"} {
		src, _ := scenarios.Builtin(name)
		s, err := scenarios.Load(name, src, nil)
		if err != nil {
			t.Fatal(err)
		}
		rows := len(s.Replies)
		s.Name, s.About, s.Expect, s.Replies = "", "", nil, nil
		for i := range s.Destinations {
			d := &s.Destinations[i]
			rows += len(d.Replies)
			d.Replies = nil
			d.Penalty.Text = ""
			d.Throttle.Text, d.Throttle.Enhanced = "", 0
			d.Greylist.Text, d.Greylist.Enhanced = "", 0
			for k := range d.Allowances {
				d.Allowances[k].Text = ""
			}
			for k := range d.Refuse {
				d.Refuse[k].Text = ""
			}
		}
		if (rows > 0) != (name == "reply-table") {
			t.Errorf("%s has %d rows of a reply table", name, rows)
		}
		texts = append(texts, string(scenarios.Resolved(s)))
	}
	if texts[0] != texts[1] {
		t.Errorf("without words and table reply-table is\n%s\nand consumer-night\n%s", texts[1], texts[0])
	}
}
