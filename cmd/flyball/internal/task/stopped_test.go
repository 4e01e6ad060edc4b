package task

import "testing"

// Who stops a task reads how far it was, where that is, and how it goes on.
func TestWordsOfStopped(t *testing.T) {
	for want, s := range map[string]Stopped{
		"stopped after 5 runs; nothing is written":                                    {Done: 5},
		"stopped after 5 of 20 runs; nothing is written":                              {Done: 5, Total: 20},
		"stopped after 5 of 20 runs; here has the scenarios whose runs were all done": {5, 20, "here", ""},
		"stopped after 5 of 20 runs, which are kept in here.progress\ngo on with: flyball sweep x": {5, 20,
			"here.progress", "flyball sweep x"},
	} {
		if got := s.Error(); got != want {
			t.Errorf("%+v: got %q, want %q", s, got, want)
		}
	}
}
