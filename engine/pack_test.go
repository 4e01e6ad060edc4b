package engine

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/vt"
)

// What is packed is unpacked as it was, with the largest values too, and takes the bytes that it should.
func TestPacked(t *testing.T) {
	luck := rand.New(rand.NewPCG(1, 2))
	word := func() mail.Recipient {
		return []mail.Recipient{0, 1, 255, 256, 1<<32 - 1, mail.Recipient(luck.Uint32())}[luck.IntN(6)]
	}
	for n := range 200 {
		var parts []Part
		var resends []Resend
		var finals []Final
		var changes []Change
		for range n % 7 {
			parts = append(parts, Part{word(), word()})
			resends = append(resends, Resend{word(), mail.Try(luck.Uint32()), vt.Time(luck.Int64())})
			finals = append(finals, Final{word(), mail.Status(luck.IntN(int(mail.Statuses))), luck.IntN(2) == 0})
			changes = append(changes, Change{word() >> 1, luck.IntN(2) == 0})
		}
		for _, v := range []struct {
			packed  string
			each    int
			got, of any
		}{
			{PackParts(parts), 8, UnpackParts(PackParts(parts)), parts},
			{PackResends(resends), 14, UnpackResends(PackResends(resends)), resends},
			{PackOutcomes(finals), 5, UnpackOutcomes(PackOutcomes(finals)), finals},
			{PackChanges(changes), 4, UnpackChanges(PackChanges(changes)), changes},
		} {
			if !reflect.DeepEqual(v.got, v.of) || len(v.packed) != v.each*(n%7) {
				t.Fatalf("%+v is unpacked as %+v, from %d bytes", v.of, v.got, len(v.packed))
			}
		}
	}
}

// The published values of FNV-1a.
func TestDigest(t *testing.T) {
	for s, want := range map[string]uint64{"": 0xcbf29ce484222325, "a": 0xaf63dc4c8601ec8c,
		"foobar": 0x85944171f73967e8} {
		if got := DigestOf(s); got != want {
			t.Errorf("%q: got %x, want %x", s, got, want)
		}
	}
}
