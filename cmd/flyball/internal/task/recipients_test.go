package task_test

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"flyball/cmd/flyball/internal/live"
	"flyball/cmd/flyball/internal/task"
)

// fold reads recipients.csv of a run folder and counts rows by status, and tries.
func fold(t *testing.T, dir string) (count map[string]int, tries int, names []string) {
	t.Helper()
	var from io.Reader
	file, err := os.Open(filepath.Join(dir, "recipients.csv"))
	from = file
	if err != nil {
		if file, err = os.Open(filepath.Join(dir, "recipients.csv.gz")); err != nil {
			t.Fatal(err)
		}
		if from, err = gzip.NewReader(file); err != nil {
			t.Fatal(err)
		}
	}
	defer file.Close()
	rows, err := csv.NewReader(from).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	count = map[string]int{}
	for _, row := range rows[1:] {
		n, err := strconv.Atoi(row[4])
		if err != nil {
			t.Fatal(err)
		}
		count[row[3]]++
		tries += n
		names = append(names, row[0])
	}
	return count, tries, names
}

// totals reads what summary.json has of a run.
func totals(t *testing.T, dir string) (sum map[string]int) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	var summary struct{ Totals map[string]int }
	if err := json.Unmarshal(raw, &summary); err != nil {
		t.Fatal(err)
	}
	return summary.Totals
}

// agree holds recipients.csv against the totals of the same folder.
func agree(t *testing.T, dir string) []string {
	t.Helper()
	count, tries, names := fold(t, dir)
	sum := totals(t, dir)
	for _, status := range []string{"delivered", "failed", "suppressed", "pending", "ambiguous"} {
		if count[status] != sum[status] {
			t.Errorf("%s: %d rows are %s, the totals have %d", dir, count[status], status, sum[status])
		}
	}
	if len(names) != sum["recipients"] || tries != sum["attempts"] {
		t.Errorf("%s: %d rows and %d tries, the totals have %d and %d", dir, len(names), tries, sum["recipients"],
			sum["attempts"])
	}
	return names
}

// simulated runs a scenario into a folder.
func simulated(t *testing.T, ctx context.Context, ask func(*task.Run)) string {
	t.Helper()
	q := task.DefaultRun()
	q.Dir = filepath.Join(t.TempDir(), "run")
	ask(&q)
	out, err := q.Do(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Write(); err != nil {
		t.Fatal(err)
	}
	return q.Dir
}

// Where each recipient ended adds up to the totals: of a run to the end, of one
// that the horizon cuts short with recipients waiting and untried, and of the
// longest kinds of lists.
func TestRecipientsAddUp(t *testing.T) {
	set := []string{"campaign[0].recipients=20000", "retry.limit=2"}
	agree(t, simulated(t, t.Context(), func(q *task.Run) { q.From.Arg, q.From.Set = "quickstart", set }))
	short := simulated(t, t.Context(), func(q *task.Run) {
		q.From.Arg, q.From.Set = "quickstart",
			append(set, "horizon=5m")
	})
	agree(t, short)
	if sum := totals(t, short); sum["pending"] < 1000 {
		t.Errorf("%d recipients are pending: the test tests too little", sum["pending"])
	}
	packed := simulated(t, t.Context(), func(q *task.Run) {
		q.From.Arg, q.From.Set = "quickstart", []string{"horizon=1m"}
	})
	agree(t, packed)

	without := simulated(t, t.Context(), func(q *task.Run) {
		q.From.Arg, q.From.Set, q.Keep = "quickstart", set, task.KeepNo
	})
	if names, _ := filepath.Glob(filepath.Join(without, "recipients*")); names != nil {
		t.Errorf("--recipients no leaves %v", names)
	}
}

const people = `email,name
ann@a.example,Ann
no address,Bob
"""c,d""@b.example",Cy
gone@a.example,Gone
ann@a.example,Ann again
=1@b.example,formula
`

const suppressed = "gone@a.example\n"

const twoDomains = `schema_version = 1
name = "two"
horizon = "1h"
[governor]
law = "hold"
interval = "1m"
start = 2
[[destination]]
name = "a"
domain = "a.example"
[[destination]]
name = "b"
domain = "b.example"
[[campaign]]
name = "n"
recipients = 10
`

// Rows of a list have its addresses, in order, and the suppressed ones in
// between; what was rejected is in rejects.csv and not here.
func TestRecipientsOfAList(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	list, skip, scenario := file("people.csv", people), file("skip.txt", suppressed), file("two.toml", twoDomains)
	want := []string{"ann@a.example", `"c,d"@b.example`, "gone@a.example", "'=1@b.example"}
	got := agree(t, simulated(t, t.Context(), func(q *task.Run) {
		q.From.Arg, q.Recipients.File, q.Recipients.Suppress = scenario, list, skip
	}))
	if !slices.Equal(got, want) {
		t.Errorf("the rows are of %q, want %q", got, want)
	}

	asked := live.Default()
	asked.From.Arg, asked.List, asked.Suppress, asked.Scale, asked.Dir =
		scenario, list, skip, 1000, filepath.Join(t.TempDir(), "live")
	lived, err := asked.Do(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := lived.Write(); err != nil {
		t.Fatal(err)
	}
	if got := agree(t, asked.Dir); !slices.Equal(got, want) {
		t.Errorf("live: the rows are of %q, want %q", got, want)
	}

	// A list that is another one when the addresses are read costs the file, and
	// nothing else.
	q := task.DefaultRun()
	q.From.Arg, q.Recipients.File, q.Dir = scenario, list, filepath.Join(t.TempDir(), "run")
	out, err := q.Do(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	file("people.csv", people+"new@a.example,New\n")
	if err := out.Write(); err == nil || !strings.Contains(err.Error(), "the list has changed") {
		t.Errorf("another list: %v", err)
	}
	totals(t, q.Dir)
}

// A run that was stopped and goes on knows what came before.
func TestRecipientsOfAResumedRun(t *testing.T) {
	set := []string{"campaign[0].recipients=60000"}
	ctx, stop := context.WithCancel(t.Context())
	q := task.DefaultRun()
	q.From.Arg, q.From.Set, q.Dir = "quickstart", set, filepath.Join(t.TempDir(), "part")
	out, err := q.Do(ctx, func(p task.Event) {
		if p.Done > 20000 {
			stop()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Write(); err != nil {
		t.Fatal(err)
	}
	agree(t, q.Dir)
	resumed := simulated(t, t.Context(), func(q2 *task.Run) {
		q2.From.Arg, q2.From.Set, q2.Resume = "quickstart", set,
			q.Dir
	})
	whole := simulated(t, t.Context(), func(q *task.Run) { q.From.Arg, q.From.Set = "quickstart", set })
	agree(t, resumed)
	a, err1 := os.ReadFile(filepath.Join(resumed, "recipients.csv"))
	b, err2 := os.ReadFile(filepath.Join(whole, "recipients.csv"))
	if err1 != nil || err2 != nil || string(a) != string(b) {
		t.Errorf("the resumed run has other recipients: %v, %v, %d and %d bytes", err1, err2, len(a), len(b))
	}
}

func TestKeepRecipients(t *testing.T) {
	for _, c := range []struct {
		k    task.KeepRecipients
		file bool
		n    int
		want string
	}{
		{task.KeepAuto, false, 1_000_000, "true"},
		{task.KeepAuto, false, 1_000_001, "false"},
		{task.KeepAuto, true, 1_000_001, "true"},
		{task.KeepYes, false, 1_000_001, "true"},
		{task.KeepNo, true, 3, "false"},
		{task.KeepYes, false, 200_000_000, "--recipients yes: got 200000000 recipients, want at most 100000000"},
	} {
		keep, err := c.k.Keeps(c.file, c.n)
		got := fmt.Sprint(keep)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s of %d, from a file %v: %s, want %s", c.k, c.n, c.file, got, c.want)
		}
	}
	if err := task.KeepRecipients("maybe").Validate(); err == nil ||
		!strings.Contains(err.Error(), `got "maybe", want one of auto, yes, no`) {
		t.Errorf("got %v", err)
	}
}
