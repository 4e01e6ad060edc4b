package mail

import "testing"

func TestEnhanced(t *testing.T) {
	for _, text := range []string{"4.7.28", "5.4.5", "4.0.0", "4.7.999", ""} {
		var e Enhanced
		if err := e.UnmarshalText([]byte(text)); err != nil || e.String() != text {
			t.Errorf("%q: got %s, %v", text, e, err)
		}
	}
	if e := Enhanced(4_007_028); e.Class() != 4 || e.Subject() != 7 || e.Detail() != 28 {
		t.Errorf("4.7.28 is %d, %d, %d", e.Class(), e.Subject(), e.Detail())
	}
	for _, text := range []string{"4.7", "4.7.28.1", "2.0.0", "4.7.1000", "4.-7.1", "4.x.1", "421"} {
		var e Enhanced
		if err := e.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: got %s, want an error", text, e)
		}
	}
}
