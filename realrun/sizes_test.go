package realrun_test

import (
	"testing"
	"time"

	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/netmodel"
	"flyball/realrun/mailing"
	"flyball/scenarios"
)

// The messages of a live run have the sizes that the model draws for them: around 4 and around 40 kB in two campaigns.
func TestLettersHaveTheSizesOfTheModel(t *testing.T) {
	s, err := scenarios.Load("sizes.toml", []byte("schema_version = 1\nname = \"sizes\"\n"+
		"[message]\nsize = \"40kB\"\nsize_sigma = 0.5\n[[destination]]\nname = \"d\"\ndomain = \"d.example\"\n"+
		"[[campaign]]\nname = \"short\"\nrecipients = 100\nsize = \"4kB\"\n"+
		"[[campaign]]\nname = \"long\"\nrecipients = 100\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	key := rng.New(s.Seed, 0)
	m, err := mailing.New(s, key, mailing.Source{Date: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	m.Sizes = netmodel.NewNetwork(s.Netmodel(), key).Size
	longest, above := 0, 0
	for r := range mail.Recipient(200) {
		_, body := m.Letter(r, []byte("before"))
		got, want := len(body)-len("before"), int(m.Sizes(r))
		if got < want-2 || got > want { // a line of two bytes would be empty
			t.Errorf("recipient %d has %d bytes, want %d", r, got, want)
		}
		if longest = max(longest, want); got > 13_000 {
			above++
		}
	}
	if above < 90 || above > 110 {
		t.Errorf("%d messages of more than 13,000 bytes, want some 100", above)
	}
	if m.Size() != longest {
		t.Errorf("the longest has %d bytes, want %d", m.Size(), longest)
	}
}
