package live

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/fault"
)

// A client of another kind talks to the receiver of a script, which ends after its session.
func TestSinkPlaysAScript(t *testing.T) {
	name := filepath.Join(t.TempDir(), "busy.fault")
	text := "source RFC 5321 3.8\nat mail: reply \"421 enough\", close\nexpect T attempts=1 blame=session\n"
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var got []string
	q := Sink{Script: name, Scale: 1, Sessions: 1, Begun: func(_ *fault.Script, hosts []string, _ string) {
		conn, err := net.Dial("tcp", hosts[0])
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		lines := bufio.NewScanner(conn)
		for _, command := range []string{"HELO client.example", "MAIL FROM:<>"} {
			lines.Scan()
			got = append(got, lines.Text())
			fmt.Fprintf(conn, "%s\r\n", command)
		}
		for lines.Scan() {
			got = append(got, lines.Text())
		}
	}}
	r, err := q.Do(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want := "220 mx.fault.example ESMTP|250 2.0.0 ok|421 enough"
	if strings.Join(got, "|") != want || r.Sessions() != 1 {
		t.Errorf("got %q in %d sessions, want %s", got, r.Sessions(), want)
	}
}

// A script that is wrong is invalid, with the place; a port that is taken is the environment's.
func TestSinkRefuses(t *testing.T) {
	name := filepath.Join(t.TempDir(), "wrong.fault")
	if err := os.WriteFile(name, []byte("source x\nat mall: ok\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := (&Sink{Script: name, Scale: 1}).Do(context.Background())
	var e task.Error
	if !errors.As(err, &e) || e.Kind != task.Invalid ||
		!strings.Contains(err.Error(), "wrong.fault:2:4: at: got \"mall\"") {
		t.Errorf("got %v", err)
	}
}
