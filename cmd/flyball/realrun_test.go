package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"flyball/internal/durable"
)

// stranger is a receiver that is not Flyball's. It takes all mail.
type stranger struct {
	got, sessions atomic.Int32
	refuse        atomic.Bool // every recipient
	refuseFirst   atomic.Int32
	wait          time.Duration // before each message is taken
	// complain, if it has one, is a file to which a complaint about the first message is added.
	complain atomic.Value
	lock     sync.Mutex
	to       map[string]int
	from     []string // envelope senders
}

func (s *stranger) NewSession(*smtp.Conn) (smtp.Session, error) {
	s.sessions.Add(1)
	return s, nil
}

func (s *stranger) Mail(from string, _ *smtp.MailOptions) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.from = append(s.from, from)
	return nil
}
func (s *stranger) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.lock.Lock()
	if s.to == nil {
		s.to = map[string]int{}
	}
	s.to[to]++
	s.lock.Unlock()
	if s.refuse.Load() || s.refuseFirst.Add(-1) >= 0 {
		return &smtp.SMTPError{Code: 550, Message: "unknown"}
	}
	return nil
}
func (s *stranger) Reset()        {}
func (s *stranger) Logout() error { return nil }
func (s *stranger) Data(r io.Reader) error {
	time.Sleep(s.wait)
	if file, _ := s.complain.Swap("").(string); file != "" {
		os.WriteFile(file, []byte("an old one\na new one\n"), 0o644)
	}
	_, err := io.Copy(io.Discard, r)
	if err == nil { // with its final dot
		s.got.Add(1)
	}
	return err
}

// receive starts a stranger at an address of this machine, and returns the address with its port.
func receive(t *testing.T, host string) (*stranger, string) {
	t.Helper()
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	s := &stranger{}
	server := smtp.NewServer(s)
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return s, l.Addr().String()
}

// The time of a receiver of others passes as fast as the clock unless the operator asks for another scale; the
// scenario rehearses at 100 times that.
func TestStrangersKeepTheirOwnTime(t *testing.T) {
	dir := t.TempDir()
	scenario := filepath.Join(dir, "live.toml")
	os.WriteFile(scenario, []byte(oneDestination), 0o644)
	for asked, want := range map[string]string{"": "1", "20": "20"} {
		got, at := receive(t, "127.0.0.1")
		args := []string{"realrun", "-q", scenario, "--receiver", at, "--set", "campaign[0].recipients=3",
			"--out", filepath.Join(dir, "out"+asked)}
		if asked != "" {
			args = append(args, "--time-scale", asked)
		}
		code, out, errout := invoke(t, args...)
		if code != 0 || got.got.Load() != 3 || !strings.Contains(out, "at "+want+" times real time") ||
			!strings.Contains(out, "--time-scale "+want) {
			t.Errorf("--time-scale %q: exit code %d, %d messages, want %s times real time: %s%s", asked, code,
				got.got.Load(), want, out, errout)
		}
	}
}

// Damage in the journal of a mailing is refused with its file and record, and a folder in use with its name.
func TestStateIsGuarded(t *testing.T) {
	dir := t.TempDir()
	scenario, state := filepath.Join(dir, "live.toml"), filepath.Join(dir, "state")
	os.WriteFile(scenario, []byte(oneDestination), 0o644)
	args := []string{"realrun", "-q", scenario, "--set", "campaign[0].recipients=3", "--out", filepath.Join(dir, "out"),
		"--state", state}
	if code, out, errout := invoke(t, args...); code != 0 {
		t.Fatalf("exit code %d: %s%s", code, out, errout)
	}
	held, _, err := durable.OpenLog(filepath.Join(state, "mailing"), "", false)
	if other := new(durable.OtherLog); !errors.As(err, &other) {
		t.Fatal(held, err)
	} else if held, _, err = durable.OpenLog(other.Name, other.Header, false); err != nil {
		t.Fatal(err)
	}
	code, _, errout := invoke(t, append(args, "--resume")...)
	if held.Close(); code != exitUsage || !strings.Contains(errout, state+": got a folder that another run uses") {
		t.Errorf("in use: exit code %d: %s", code, errout)
	}
	name := filepath.Join(state, "facts-00000001")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 4
	os.WriteFile(name, text, 0o600)
	code, _, errout = invoke(t, append(args, "--resume")...)
	if code != exitInvalid || !strings.Contains(errout, name+": record ") {
		t.Errorf("damaged: exit code %d: %s", code, errout)
	}
}

// Whatever becomes of the output, the folder of a live run is written.
func TestOutputFails(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	dir := t.TempDir()
	scenario := filepath.Join(dir, "live.toml")
	os.WriteFile(scenario, []byte(oneDestination), 0o644)
	code := invokeTo(full, io.Discard, []string{"realrun", "-q", scenario,
		"--set", "campaign[0].recipients=3", "--out", filepath.Join(dir, "out")})
	if _, err := os.Stat(filepath.Join(dir, "out", "summary.json")); code != exitEnvironment || err != nil {
		t.Errorf("exit code %d, want %d, and %v", code, exitEnvironment, err)
	}
}

// A run is asked, paused, resumed and ended from another terminal, and its folder after its end; another run goes on.
func TestControl(t *testing.T) {
	dir := t.TempDir()
	scenario, state := filepath.Join(dir, "live.toml"), filepath.Join(dir, "state")
	os.WriteFile(scenario, []byte(oneDestination), 0o644)
	args := []string{"realrun", "-q", scenario, "--set", "campaign[0].recipients=3000", "--set",
		"campaign[0].processes=2", "--out", filepath.Join(dir, "out"), "--state", state}
	ended := make(chan int)
	go func() {
		var errout strings.Builder
		ended <- invokeTo(io.Discard, &errout, args)
	}()
	ask := func(command, want string) string {
		t.Helper()
		code, out, errout := invoke(t, "realrun", command, state)
		if code != 0 || !strings.HasPrefix(out, want) {
			t.Fatalf("%s: exit code %d: %s%s", command, code, out, errout)
		}
		return out
	}
	for running := false; !running; {
		_, out, _ := invoke(t, "realrun", "status", state)
		running = strings.HasPrefix(out, "running") && strings.Contains(out, "last reply: 250 at dot")
	}
	ask("pause", "paused after ")
	ask("status", "paused after ")
	ask("resume", "running after ")
	ask("cancel", "")
	if code := <-ended; code != exitTerminated {
		t.Errorf("exit code %d, want %d", code, exitTerminated)
	}
	if out := ask("status", "stopped after "); !strings.Contains(out, " of 3000 recipients are final") ||
		!strings.Contains(out, ", 0 ambiguous") {
		t.Errorf("got %s", out)
	}
	ask("top", "stopped after ")
	if code, _, errout := invoke(t, "realrun", "pause", state); code != exitEnvironment || !strings.Contains(errout,
		"no run is under way") {
		t.Errorf("exit code %d: %s", code, errout)
	}
	if code, _, errout := invoke(t, "realrun", "status", dir); code != exitUsage || !strings.Contains(errout,
		"want the folder of realrun --state") {
		t.Errorf("exit code %d: %s", code, errout)
	}
	if code, _, errout := invoke(t, "realrun", scenario, "--metrics", "192.0.2.1:9100"); code != exitRefused ||
		!strings.Contains(errout, "--metrics: got 192.0.2.1:9100") {
		t.Errorf("exit code %d: %s", code, errout)
	}
}

// begun begins a mailing that is kept and cancels it when some recipients are final.
func begun(t *testing.T, state string, args ...string) {
	t.Helper()
	ended := make(chan int)
	go func() {
		ended <- invokeTo(io.Discard, io.Discard, args)
	}()
	for cancelled := false; !cancelled; {
		if _, out, _ := invoke(t, "realrun", "status", state); strings.Contains(out, "last reply: 250 at dot") {
			_, out, _ = invoke(t, "realrun", "cancel", state)
			cancelled = out != ""
		}
		select {
		case code := <-ended:
			if code != exitTerminated {
				t.Fatalf("exit code %d, want %d", code, exitTerminated)
			}
			return
		default:
		}
	}
	<-ended
}

// The folder of a mailing that went on is about the whole mailing: its intervals have all attempts, and so do its
// tables, and the interval with the stop is marked.
func TestTheFolderHasAllRuns(t *testing.T) {
	dir := t.TempDir()
	scenario, state, out := filepath.Join(dir, "live.toml"), filepath.Join(dir, "state"), filepath.Join(dir, "out")
	os.WriteFile(scenario, []byte(oneDestination), 0o644)
	args := []string{"realrun", "-q", scenario, "--set", "campaign[0].recipients=3000", "--set",
		"campaign[0].processes=2", "--out", out, "--state", state}
	begun(t, state, args...)
	code, text, errout := invoke(t, append(args, "--resume")...)
	if code != 0 || !strings.Contains(text, "was stopped and went on 1 time, the last time after ") {
		t.Errorf("exit code %d: %s%s", code, text, errout)
	}
	var summary struct {
		Totals   struct{ Attempts, Delivered uint64 }
		Outcomes []struct{ Count uint64 }
		Stops    []float64 `json:"stops_s"`
	}
	raw, err := os.ReadFile(filepath.Join(out, "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &summary); err != nil {
		t.Fatal(err)
	}
	rows := table(t, filepath.Join(out, "intervals.csv"))
	var attempts, delivered, outcomes uint64
	marked := 0
	for _, row := range rows {
		attempts, delivered = attempts+number(t, row["attempts"]), delivered+number(t, row["delivered"])
		if strings.Contains(row["flags"], "went-on") {
			marked++
		}
	}
	for _, o := range summary.Outcomes {
		outcomes += o.Count
	}
	if n := summary.Totals; n.Delivered != 3000 || attempts != n.Attempts || delivered != n.Delivered ||
		outcomes != n.Attempts || len(summary.Stops) != 1 || marked != 1 {
		t.Errorf("got %d attempts and %d delivered in intervals, %d outcomes, %d of %v marked, want those of %+v",
			attempts, delivered, outcomes, marked, summary.Stops, n)
	}
}

// table reads the rows of a CSV file by the names of its columns.
func table(t *testing.T, name string) (rows []map[string]string) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range all[1:] {
		row := map[string]string{}
		for i, column := range all[0] {
			row[column] = line[i]
		}
		rows = append(rows, row)
	}
	return rows
}

func number(t *testing.T, text string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
