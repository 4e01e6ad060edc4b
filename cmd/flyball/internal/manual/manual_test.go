package manual

import "testing"

// Text that begins as a request, or has the character that roff escapes with, stands as it is.
func TestManualEscapes(t *testing.T) {
	var p page
	p.text(".SH no heading\n'nor this\na\\b --flag")
	if want := "\\&.SH no heading\n\\&'nor this\na\\eb \\-\\-flag\n"; p.String() != want {
		t.Errorf("got %q, want %q", p.String(), want)
	}
}
