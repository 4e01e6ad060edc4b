package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Every row of an ensemble is the run that its number names: alone it has the
// same digest and the same numbers.
func TestReplicationsAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	quickly := []string{"run", "-q", "quickstart", "--set", "campaign[0].recipients=20000", "--set", "expect=[]"}
	if code, _, errout := invoke(t, append(quickly, "--replications", "8", "--out", dir)...); code != 0 {
		t.Fatal(errout)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "replications.csv"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil || len(rows) != 9 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range []int{0, 1, 7} {
		_, out, _ := invoke(t, append(quickly, "--replication", rows[row+1][0], "--json", "--out",
			filepath.Join(t.TempDir(), "alone"))...)
		var alone struct {
			Digest      string
			Replication int
			Metrics     map[string]json.Number
		}
		if err := json.Unmarshal([]byte(out), &alone); err != nil {
			t.Fatal(err)
		}
		if alone.Replication != row || alone.Digest != rows[row+1][2] {
			t.Errorf("replication %d has digest %s, alone %d has %s", row, rows[row+1][2], alone.Replication,
				alone.Digest)
		}
		for i, name := range rows[0] {
			if v, ok := alone.Metrics[name]; ok && v.String() != rows[row+1][i] {
				t.Errorf("replication %d: %s is %s, alone %s", row, name, rows[row+1][i], v)
			}
		}
	}
}

// slowly sends an interrupt when a replication has ended.
type slowly struct {
	sync.Mutex
	bytes.Buffer
	sent bool
}

func (s *slowly) Write(p []byte) (int, error) {
	s.Lock()
	defer s.Unlock()
	if !s.sent && bytes.Contains(p, []byte("% after")) {
		s.sent = true
		syscall.Kill(os.Getpid(), syscall.SIGINT)
	}
	return s.Buffer.Write(p)
}

// The first signal keeps the replications that had ended, as they would be in a
// whole ensemble.
func TestSignalLeavesAPartialEnsemble(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	var errout slowly
	quickly := []string{"run", "quickstart", "--set", "campaign[0].recipients=40000", "--set", "expect=[]"}
	code := invokeTo(&out, &errout, append(quickly, "--replications", "200", "--out", filepath.Join(dir, "out")))
	if code != exitInterrupt || !strings.Contains(errout.String(), "is marked partial") ||
		!strings.Contains(out.String(), "PARTIAL") {
		t.Fatalf("exit code %d: %s", code, errout.String())
	}
	raw, err := os.ReadFile(filepath.Join(dir, "out", "replications.csv"))
	if err != nil {
		t.Fatal(err)
	}
	n := bytes.Count(raw, []byte("\n")) - 1
	if n < 10 || n >= 200 {
		t.Fatalf("%d replications are kept", n)
	}
	var summary struct {
		Partial             bool
		Replications, Asked int
	}
	text, _ := os.ReadFile(filepath.Join(dir, "out", "summary.json"))
	if err := json.Unmarshal(text, &summary); err != nil || !summary.Partial || summary.Replications != n {
		t.Errorf("%+v, %v", summary, err)
	}
	if code, _, errout := invoke(t, append(quickly, "-q", "--replications", "10", "--out",
		filepath.Join(dir, "whole"))...); code != 0 {
		t.Fatal(errout)
	}
	whole, _ := os.ReadFile(filepath.Join(dir, "whole", "replications.csv"))
	if !bytes.HasPrefix(raw, whole) {
		t.Error("the first replications are not those of a whole ensemble")
	}
}
