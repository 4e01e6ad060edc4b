package promotion

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"flyball/internal/peers"
	"flyball/scenarios"
)

// exported returns what is exported for a system from parameters.
func exported(t *testing.T, system, parameters string, measures ...Measure) string {
	t.Helper()
	r := some("ann")
	r.Parameters, r.Shown.Measures = parameters, measures
	_, r = appended(t, nil, r, noon, 24*60*60*1e9)
	p, err := scenarios.LoadParameters("p", []byte(parameters))
	if err != nil {
		t.Fatal(err)
	}
	return string(Export(system, r, p))
}

const fed = `[governor]
target = "90000/h"
start = 40
[governor.destination]
law = "postfix-feedback"
initial = 3
max = 17
positive = "1/sqrt N"
negative = "0.5/N"
cohorts = 1.5
[retry]
limit = 5
delays = ["10m", "1h", "30m"]
`

// The shaping file of KumoMTA is TOML of options that its manual has, with the numbers of the record.
func TestExportForKumoMTA(t *testing.T) {
	for _, v := range []struct {
		measures []Measure
		most     int64
	}{{nil, 40}, {[]Measure{{"available_final", 33.6, 30, 36, 0.95}}, 34}, {[]Measure{{"dfr", 1.2, 1, 2, 0.95}}, 40}} {
		text := exported(t, "kumomta", fed, v.measures...)
		var got map[string]map[string]any
		if err := toml.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		site := got["default"]
		if len(got) != 1 || len(site) != 3 || site["connection_limit"] != int64(17) ||
			site["additional_connection_limits"].(map[string]any)["flyball"] != v.most ||
			site["additional_message_rate_throttles"].(map[string]any)["flyball"] != "90000/h" {
			t.Errorf("got %v in\n%s", got, text)
		}
		// 10 min, then an hour, then half an hour three times: 160 min.
		queue := map[string]map[string]map[string]string{}
		_, comment, _ := strings.Cut(text, "# queues.toml")
		_, comment, _ = strings.Cut(comment, "\n")
		if err := toml.Unmarshal([]byte(strings.ReplaceAll(comment, "# ", "")), &queue); err != nil {
			t.Fatalf("%v in\n%s", err, comment)
		}
		if q := queue["queue"]["default"]; q["retry_interval"] != "600 seconds" ||
			q["max_retry_interval"] != "3600 seconds" || q["max_age"] != "9600 seconds" {
			t.Errorf("got %v", q)
		}
	}
	if text := exported(t, "kumomta", "[governor]\n[retry]\n"); strings.Contains(text, "\nconnection_limit") {
		t.Errorf("a limit of a destination without a law for it:\n%s", text)
	}
}

// Each line for Postfix has a parameter and a value that Postfix's own reader takes and gives back.
func TestExportForPostfix(t *testing.T) {
	text := exported(t, "postfix", fed)
	want := map[string]string{"initial_destination_concurrency": "3", "default_destination_concurrency_limit": "17",
		"default_destination_concurrency_positive_feedback":   "1/sqrt_concurrency",
		"default_destination_concurrency_negative_feedback":   "0.5/concurrency",
		"default_destination_concurrency_failed_cohort_limit": "2", "minimal_backoff_time": "600s",
		"maximal_backoff_time": "3600s", "queue_run_delay": "300s", "maximal_queue_lifetime": "9600s"}
	got := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, is := strings.Cut(strings.TrimSpace(line), " = "); is && key[0] != '#' {
			got[key] = value
		}
	}
	compare := func(who string, got map[string]string) {
		for key, value := range want {
			if got[key] != value {
				t.Errorf("%s: %s is %q, want %q in\n%s", who, key, got[key], value, text)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: got %v, want %v", who, got, want)
		}
	}
	compare("written", got)
	if !strings.Contains(text, "postconf -F 'smtp/unix/process_limit=40'") {
		t.Errorf("no limit of processes in\n%s", text)
	}
	once := exported(t, "postfix", "[retry]\nlimit = 0\n")
	if !strings.Contains(once, "\nmaximal_queue_lifetime = 0s") {
		t.Errorf("a recipient that is tried once:\n%s", once)
	}

	postconf := peers.Find(t, "/usr/sbin/postconf", "Debian's postfix")
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "main.cf"), []byte(text), 0o644)
	os.WriteFile(filepath.Join(dir, "master.cf"), []byte("smtp unix - - n - 100 smtp\n"), 0o644)
	out, err := exec.Command(postconf, "-c", dir, "-n").CombinedOutput()
	if err != nil || strings.Contains(string(out), "warning") {
		t.Fatalf("postconf: %v: %s", err, out)
	}
	got = map[string]string{}
	for line := range strings.Lines(string(out)) {
		if key, value, is := strings.Cut(strings.TrimSpace(line), " = "); is && key != "config_directory" {
			got[key] = value
		}
	}
	compare("postconf", got)
	if out, err := exec.Command(postconf, "-c", dir, "-F", "smtp/unix/process_limit=40").CombinedOutput(); err != nil {
		t.Errorf("postconf -F: %v: %s", err, out)
	}
	if master, _ := os.ReadFile(filepath.Join(dir, "master.cf")); !strings.Contains(string(master), "40") {
		t.Errorf("the limit of processes is not in %s", master)
	}
}
