package simulate

import "testing"

// A sentence is cut between words, and only if it is too long.
func TestSentencesAreCutToAWidth(t *testing.T) {
	if got := cutTo("one two three", 12); got != "one two ..." {
		t.Errorf("got %q of a sentence of 13 columns, want 12 with what is left out", got)
	}
	if got := cutTo("one two three", 13); got != "one two three" {
		t.Errorf("got %q, want a sentence that fits as it is", got)
	}
}
