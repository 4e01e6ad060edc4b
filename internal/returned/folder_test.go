package returned

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Every message of the folder that FLYBALL_BOUNCES names ends in one effect, within 20 ms. With a file labels.tsv in
// the folder, 97 % of the deaths are right and 90 % are found.
func TestFolder(t *testing.T) {
	dir := os.Getenv("FLYBALL_BOUNCES")
	if dir == "" {
		t.Skip("FLYBALL_BOUNCES names no folder of returned mail")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no *.eml in %s (%v)", dir, err)
	}
	labels := map[string][]Label{}
	if text, err := os.ReadFile(filepath.Join(dir, "labels.tsv")); err == nil {
		all, err := ReadLabels(string(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range all {
			labels[l.File] = append(labels[l.File], l)
		}
	}
	Read(nil) // reads the rules
	var score Score
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fastest := time.Hour
		var r Returned
		for range 5 { // the machine may be busy
			begin := time.Now()
			r = Read(raw)
			if fastest = min(fastest, time.Since(begin)); fastest < 20*time.Millisecond {
				break
			}
		}
		if fastest > 20*time.Millisecond {
			t.Errorf("%s: took %v, want at most 20ms", name, fastest)
		}
		if problem := sound(r); problem != "" {
			t.Errorf("%s: %s", name, problem)
		}
		score.Add(labels[filepath.Base(name)], r)
	}
	if len(labels) == 0 {
		return
	}
	precision, verdicts := score.Precision(Dead)
	recall, dead := score.Recall(Dead)
	t.Logf("dead: precision %.3f of %d, recall %.3f of %d; %v", precision, verdicts, recall, dead, score.Confusion)
	if precision < 0.97 || recall < 0.9 {
		t.Errorf("dead: precision %.3f, recall %.3f, want 0.97 and 0.9", precision, recall)
	}
	for _, m := range score.Misses {
		t.Log(m)
	}
}

// String returns a miss in a line.
func (m Miss) String() string {
	return fmt.Sprintf("%s %s %s: got %s %s (%s) of %s %s: %s", m.File, m.Reason, m.Effect, m.Got.Effect, m.Got.Reason,
		m.Got.Rule, m.Got.Address, m.Got.Status, m.Got.Text)
}

// sound returns what is wrong with a result, whatever the message: it has one known effect and reason for each
// address.
func sound(r Returned) string {
	if len(r.All) == 0 {
		return "no verdict"
	}
	for _, v := range append(r.All, r.Verdict) {
		if reason := house().reason(v.Reason); reason == nil || reason.Effect != v.Effect || v.Rule == "" {
			return fmt.Sprintf("verdict %+v does not hold together", v)
		}
	}
	return ""
}
