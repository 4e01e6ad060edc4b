package metrics

import (
	"strings"
	"testing"
	"time"
)

// Changes are buffered since the first moment at which the storage server lacked some; a station whose
// changes go to none has no such number.
func TestBuffer(t *testing.T) {
	var b Buffer
	text := func() string {
		var text Text
		b.Add(&text, "d")
		return text.String()
	}
	if got := text(); got != "" {
		t.Errorf("got %s of a station without a storage server", got)
	}
	began := time.Now()
	b.Has(3)
	if b.since.Before(began) || b.since.After(time.Now()) {
		t.Errorf("buffered since %v, want %v", b.since, began)
	}
	b.since = time.Unix(1, 500e6)
	b.Has(4)
	if got := text(); !strings.Contains(got, "flyball_buffered_changes{station=\"d\"} 4\n") ||
		!strings.Contains(got, "flyball_buffered_since_timestamp_seconds{station=\"d\"} 1.5\n") {
		t.Errorf("got %s", got)
	}
	b.Has(0)
	if got := text(); !strings.Contains(got, "flyball_buffered_changes{station=\"d\"} 0\n") ||
		strings.Contains(got, "since_timestamp") {
		t.Errorf("got %s", got)
	}
}
