package metrics

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"flyball/cmd/flyball/internal/task"
)

// All samples of a name follow its help and its type, as the exposition format of Prometheus wants it, and come from
// loopback alone.
func TestText(t *testing.T) {
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	requests := NewCounts("flyball_requests_total", "What became of requests.", "event", "by")
	requests.Count(0, "left", "mail")
	requests.Count(2, "left", "page")
	requests.Count(1, "left", "page")
	end := Serve(l, func(_ context.Context, text *Text) error {
		for _, station := range []string{"b1", "b2"} {
			text.Counter("flyball_attempts_total", "Attempts that ended.", 1<<60, "station", station, "of", `a"\`+"\n")
			text.Gauge("flyball_paused", "Whether.", 0.5)
		}
		requests.Add(text, "station", "d")
		return nil
	})
	defer end()
	a, err := http.Get("http://" + l.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	got, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	const want = `# HELP flyball_attempts_total Attempts that ended.
# TYPE flyball_attempts_total counter
flyball_attempts_total{station="b1",of="a\"\\\n"} 1152921504606846976
flyball_attempts_total{station="b2",of="a\"\\\n"} 1152921504606846976
# HELP flyball_paused Whether.
# TYPE flyball_paused gauge
flyball_paused 0.5
flyball_paused 0.5
# HELP flyball_requests_total What became of requests.
# TYPE flyball_requests_total counter
flyball_requests_total{station="d",event="left",by="mail"} 0
flyball_requests_total{station="d",event="left",by="page"} 3
`
	if string(got) != want || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Errorf("got %s\n%s, want\n%s", a.Header, got, want)
	}
	var used task.Error
	if _, err := Listen(l.Addr().String()); !errors.As(err, &used) || used.Kind != task.Environment {
		t.Errorf("a port in use: got %v", err)
	}
	for at, kind := range map[string]task.Kind{"192.0.2.1:9100": task.Refused, "0.0.0.0:9100": task.Refused,
		"localhost:9100": task.Usage, "": -1, "[::1]:9100": -1} {
		var wrong task.Error
		err := Check(at)
		if err == nil != (kind == -1) || err != nil && (!errors.As(err, &wrong) || wrong.Kind != kind) {
			t.Errorf("%q: got %v, want kind %v", at, err, kind)
		}
	}
}
