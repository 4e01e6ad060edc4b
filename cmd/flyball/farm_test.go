package main

import (
	"bytes"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is flyball in a process of its own.
type process struct {
	*exec.Cmd
	over chan struct{} // closed at its end
	mu   sync.Mutex
	said bytes.Buffer
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.Write(b)
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

func begin(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0])}
	p.Args = append([]string{"flyball"}, args...) // by this name the test is the command
	p.begin(t)
	return p
}

// begin starts the process, which ends with the test.
func (p *process) begin(t *testing.T) {
	t.Helper()
	p.Stdout, p.Stderr, p.over = p, p, make(chan struct{})
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.over)
		p.Wait()
	}()
	t.Cleanup(func() {
		p.Process.Kill()
		<-p.over
	})
}

// ends waits for the process and returns its exit code.
func (p *process) ends(t *testing.T) int {
	t.Helper()
	<-p.over
	return p.ProcessState.ExitCode()
}

// endsWithin reports whether the process ends within a time.
func (p *process) endsWithin(most time.Duration) bool {
	select {
	case <-p.over:
	case <-time.After(most):
	}
	return p.ended()
}

func (p *process) ended() bool {
	select {
	case <-p.over:
		return true
	default:
		return false
	}
}

// until waits until ok; the process must not end before.
func (p *process) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for began := time.Now(); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 3*time.Minute { // the machine may be busy
			t.Fatalf("%s: waited for three minutes: %s", what, p.text())
		}
	}
}

var joining = regexp.MustCompile(`flyball worker --bus (nats://\S+)`)

// url waits for the URL that a sweep prints.
func (p *process) url(t *testing.T) string {
	t.Helper()
	p.until(t, "the URL", func() bool { return joining.MatchString(p.text()) })
	return joining.FindStringSubmatch(p.text())[1]
}

// A study that workers make, of which some are killed, and whose coordinator is killed too and goes on, ends with the
// bytes of one machine.
func TestSweepByWorkers(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{"study.toml": sweepStudy, "world.toml": strings.Replace(sweepWorld,
		"20000", "40000", 1)} {
		if err := os.WriteFile(in(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if code, _, errout := invoke(t, "sweep", "-q", in("study.toml"), "--out", in("whole")); code != 0 {
		t.Fatal(errout)
	}
	sweep := func(more ...string) *process {
		return begin(t, append([]string{"sweep", in("study.toml"), "--out", in("out"), "--jobs", "0", "--listen",
			"127.0.0.1:0"}, more...)...)
	}
	first := sweep()
	url := first.url(t)
	doomed, left := begin(t, "worker", "--jobs", "1", "--bus", url), begin(t, "worker", "--jobs", "2", "--bus", url)
	first.until(t, "runs", func() bool {
		kept, _ := os.ReadFile(in("out.progress"))
		return bytes.Count(kept, []byte("\n")) > 8 && strings.Count(first.text(), "takes part") == 2
	})
	doomed.Process.Kill()
	first.Process.Kill()
	if first.ends(t); first.ProcessState.Success() {
		t.Fatal("the sweep had ended before it was killed: the test tests too little")
	}
	left.Process.Signal(syscall.SIGTERM)
	if code := left.ends(t); code != exitTerminated {
		t.Errorf("a worker that a signal stops: exit code %d: %s", code, left.text())
	}

	// The first results alone, as if the kill had come then: the second sweep cannot end without a worker.
	kept, err := os.ReadFile(in("out.progress"))
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(kept, []byte("\n"))
	if err := os.WriteFile(in("out.progress"), bytes.Join(lines[:8], nil), 0o644); err != nil {
		t.Fatal(err)
	}

	second := sweep("--resume", in("out"))
	url = second.url(t)
	worker := begin(t, "worker", "--jobs", "1", "--bus", url)
	if code := second.ends(t); code != 0 || !strings.Contains(second.text(), "continuing after ") {
		t.Fatalf("exit code %d: %s", code, second.text())
	}
	if code := worker.ends(t); code != 0 {
		t.Errorf("a worker whose sweep has ended: exit code %d: %s", code, worker.text())
	}
	if !maps.Equal(folderIn(t, in("out")), folderIn(t, in("whole"))) {
		t.Error("the files differ from those of one machine")
	}
}

// What a worker or a sweep lacks is said at once, with the code of its kind.
func TestBusErrors(t *testing.T) {
	t.Parallel()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "nats://x@" + free.Addr().String()
	free.Close()
	const study = "../../docs/studies/step.toml"
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"worker"}, exitUsage, "got no --bus"},
		{[]string{"worker", "--bus", nobody}, exitEnvironment, "nothing listens there"},
		{[]string{"worker", "--bus", "nats://192.0.2.1:4222"}, exitRefused, "want tls://192.0.2.1:4222"},
		{[]string{"worker", "--bus", nobody, "--bus-nkey", "none.nk"}, exitEnvironment, "none.nk"},
		{[]string{"worker", "--bus", nobody, "--jobs", "0"}, exitUsage, "--jobs: got 0"},
		{[]string{"sweep", study, "--bus", nobody, "--out", filepath.Join(t.TempDir(), "x")}, exitEnvironment,
			"nothing listens there"},
		{[]string{"sweep", study, "--bus", nobody, "--listen", "127.0.0.1:0"}, exitUsage, "got both"},
		{[]string{"sweep", study, "--jobs", "0"}, exitUsage, "--jobs: got 0"},
		{[]string{"sweep", study, "--bus-nkey", "x"}, exitUsage, "belong to --bus or --listen"},
		{[]string{"laws", "--bus", nobody}, exitEnvironment, "nothing listens there"},
		{[]string{"laws", "--bus", nobody, "--listen", "127.0.0.1:0"}, exitUsage, "got both"},
		{[]string{"laws", "--jobs", "0"}, exitUsage, "--jobs: got 0"},
		{[]string{"run", "quickstart", "--replications", "3", "--bus", nobody}, exitEnvironment,
			"nothing listens there"},
		{[]string{"run", "quickstart", "--bus", nobody}, exitUsage, "want --replications or --precision with them"},
		{[]string{"run", "quickstart", "--bus-ca", "x"}, exitUsage, "want --replications or --precision with them"},
		{[]string{"run", "quickstart", "--replications", "3", "--bus", nobody, "--list", "x.csv"}, exitUsage,
			"workers read no file"},
		{[]string{"sweep", study, "--listen", "0.0.0.0:0", "--out", filepath.Join(t.TempDir(), "x")}, exitRefused,
			"outside of loopback, without certificates"},
	} {
		if code, _, errout := invoke(t, c.args...); code != c.code || !strings.Contains(errout, c.want) {
			t.Errorf("%v: exit code %d: %s\nwant %d and %q", c.args, code, errout, c.code, c.want)
		}
	}
}
