package realrun

import (
	"bytes"
	"testing"

	"flyball/internal/vt"
)

// A load is read back from the journal to the last bit.
func TestJournalKeepsEveryDigit(t *testing.T) {
	var b bytes.Buffer
	j := NewJournal(&b)
	j.loaded(vt.Time(7), 1, 0.1234567890123456)
	if err := j.Close(); err != nil || b.String() != "l 7 1 0.1234567890123456\n" {
		t.Errorf("%v, %q", err, b.String())
	}
}
