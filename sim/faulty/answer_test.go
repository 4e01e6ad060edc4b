package faulty

import (
	"testing"

	"flyball/internal/vt"
)

// FuzzReadAnswer: whatever arrives, the reader does not panic, and takes no answer with another id.
func FuzzReadAnswer(f *testing.F) {
	q := question{"d.test.", typeMX}
	b := q.message(7)
	f.Add(b)
	b[2] |= 0x80
	b[7] = 1
	f.Add(append(b, "\xc0\x0c\x00\x0f\x00\x01\x00\x00\x00\x3c\x00\x07\x00\x05\x02mx\xc0\x0c"...))
	f.Fuzz(func(t *testing.T, message []byte) {
		got, is, _ := readAnswer(message, q, 7)
		if is && (len(message) < 12 || message[0] != 0 || message[1] != 7) {
			t.Fatalf("an answer with another id is taken: %+v", got)
		}
		if got.holds < 0 || got.holds > vt.Day {
			t.Fatalf("kept for %s", got.holds)
		}
	})
}
