// Package metrics shows what a process counts to Prometheus: as text, at an address on loopback.
package metrics

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"flyball/cmd/flyball/internal/task"
)

// Text is numbers in the text format of Prometheus (exposition format 0.0.4), where all samples of a name follow each
// other. The zero value is empty.
type Text struct {
	families []*family
}

// family is the samples of a name.
type family struct {
	name, kind, help string
	samples          bytes.Buffer
}

// Counter adds a sample of a number that only grows while the process runs, with pairs of a label and its value.
func (t *Text) Counter(name, help string, n uint64, labels ...string) {
	t.add("counter", name, help, strconv.FormatUint(n, 10), labels)
}

// Gauge adds a sample of a number that grows and shrinks, with pairs of a label and its value.
func (t *Text) Gauge(name, help string, v float64, labels ...string) {
	t.add("gauge", name, help, strconv.FormatFloat(v, 'f', -1, 64), labels)
}

func (t *Text) add(kind, name, help, value string, labels []string) {
	var of *family
	for _, f := range t.families {
		if f.name == name {
			of = f
		}
	}
	if of == nil {
		of = &family{name: name, kind: kind, help: help}
		t.families = append(t.families, of)
	}
	of.samples.WriteString(name)
	for i := 0; i < len(labels); i += 2 {
		between := ","
		if i == 0 {
			between = "{"
		}
		fmt.Fprintf(&of.samples, "%s%s=%q", between, labels[i], labels[i+1])
	}
	if len(labels) > 0 {
		of.samples.WriteString("}")
	}
	fmt.Fprintf(&of.samples, " %s\n", value)
}

// String returns the text.
func (t *Text) String() string {
	var b bytes.Buffer
	for _, f := range t.families {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n%s", f.name, f.help, f.name, f.kind, &f.samples)
	}
	return b.String()
}

// Check returns an error unless an address for metrics is on loopback, or empty.
func Check(at string) error {
	if at == "" {
		return nil
	}
	a, err := netip.ParseAddrPort(at)
	switch {
	case err != nil:
		return task.Fail(task.Usage, "--metrics: got %q, want IP:PORT on loopback, such as 127.0.0.1:9100", at)
	case !a.Addr().Unmap().IsLoopback():
		return task.Fail(task.Refused, "--metrics: got %s, want an address on loopback: the numbers are not for others",
			at)
	}
	return nil
}

// Listen listens at an address, so that one that is in use is known before anything begins that counts.
func Listen(at string) (net.Listener, error) {
	l, err := net.Listen("tcp", at)
	if err != nil {
		return nil, task.Fail(task.Environment, "--metrics: %w", err)
	}
	return l, nil
}

// Serve answers GET /metrics at a listener with what count adds to a text, until end is called.
func Serve(l net.Listener, count func(context.Context, *Text) error) (end func()) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		var t Text
		if err := count(r.Context(), &t); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprint(w, &t)
	})
	server := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	go server.Serve(l)
	return func() {
		server.Close()
		l.Close() // which the server may not know yet
	}
}
