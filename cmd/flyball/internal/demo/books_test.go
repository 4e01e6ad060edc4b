package demo

import (
	"strings"
	"testing"

	"flyball/realrun/sink"
)

// Each book that says something else than the others is named, and books that agree are not.
func TestBooksAreCompared(t *testing.T) {
	for _, v := range []struct {
		wrong  func(*Books)
		expect string
	}{
		{func(*Books) {}, ""},
		{func(b *Books) { b.Ledger.Missing = 1 }, "no receiver has their message"},
		{func(b *Books) { b.Ledger.Duplicates = 1 }, "a second message"},
		{func(b *Books) { b.Ledger.Unknown = 1 }, "do not count as delivered"},
		{func(b *Books) { b.Kept = 1 }, "2 recipients count as suppressed, and 1 of these have left"},
		{func(b *Books) { b.Barred++ }, "bars 6 recipients, want 3 who left and 2 whose mail was returned"},
		{func(b *Books) { b.Failed++ }, "101 recipients are final, want 100"},
		{func(b *Books) { b.Late = patience + 1 }, "after the D server confirmed that none comes"},
	} {
		b := &Books{Recipients: 100, Delivered: 90, Failed: 7, Suppressed: 2, Held: 1, Barred: 5, Returned: 2, Left: 3,
			Spared: 2, Kept: 2, Late: patience, Ledger: sink.Account{Accepted: 90}}
		v.wrong(b)
		b.judge()
		var text strings.Builder
		b.Text(&text, false)
		if got := strings.Join(b.wrong, "; "); !strings.Contains(got, v.expect) || len(b.wrong) > 1 ||
			(b.Err() == nil) != (v.expect == "") {
			t.Errorf("got %q, %v, want %q", got, b.Err(), v.expect)
		}
		if strings.Contains(text.String(), "\n\n\n") || !strings.Contains(text.String(), v.expect) {
			t.Errorf("got the text %q", text.String())
		}
	}
}
