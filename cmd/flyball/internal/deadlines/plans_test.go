package deadlines

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/longtest"
	"flyball/reports/planning"
	"flyball/sim/plan"
)

// draw draws what random mailings consist of.
type draw struct{ *rand.Rand }

func (d draw) between(from, to int) int { return from + d.IntN(to-from+1) }

func (d draw) one(of ...string) string { return of[d.IntN(len(of))] }

// planned asks for the plan of a scenario by a deadline.
func planned(t *testing.T, text, deadline string) (task.Source, planning.Row) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "mailing.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	q := DefaultPlan()
	q.From, q.Deadlines, q.Replications = task.Source{Arg: file}, []string{deadline}, leastJudges
	r, err := q.Do(context.Background(), nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	from, _, err := due(q.From, deadline)
	if err != nil {
		t.Fatal(err)
	}
	return from, r.Rows[0]
}

// mailing returns a random mailing, with up to three servers and three providers, and a deadline
// by which a number of processes should be enough, though which is not known: attempts meet
// greylists, failures, caps, buckets and daily limits.
func mailing(d draw) (text, deadline string) {
	var b strings.Builder
	recipients, processes := d.between(300, 1500), d.between(2, 30)
	servers := d.between(1, 3)
	fmt.Fprintf(&b, "schema_version = 1\nname = \"mailing\"\nhorizon = \"30d\"\nseed = %d\n", d.IntN(1e6))
	fmt.Fprintf(&b, "[governor]\nlaw = %q\nstart = 5\ninterval = \"1m\"\ntarget = \"1000000/h\"\n",
		d.one("hold", "patent-dynamic"))
	fmt.Fprintf(&b, "[retry]\nlimit = %d\ndelays = [\"%dm\", \"%dm\"]\n", d.between(8, 20), d.between(2, 8),
		d.between(8, 20))
	for i := range servers {
		fmt.Fprintf(&b, "[[server]]\nname = \"b%d\"\nshare = %d\n", i, d.between(1, 3))
	}
	dot, providers := d.between(5, 60), d.between(1, 3)
	for i := range providers {
		fmt.Fprintf(&b, "[[destination]]\nname = \"p%d\"\ndomain = \"p%d.example\"\nshare = %d\ndot = %s\n", i, i,
			d.between(1, 5), d.one(fmt.Sprintf("\"%ds\"", dot),
				fmt.Sprintf("{ dist = \"lognormal\", median = \"%ds\", sigma = 0.7 }", dot)))
		if d.IntN(3) == 0 {
			fmt.Fprintf(&b, "greylist = { share = %.2f, delay = \"%dm\" }\n", d.Float64(), d.between(1, 6))
		}
		if d.IntN(2) == 0 {
			fmt.Fprintf(&b, "fail = [{ at = \"rcpt\", reply = 451, p = %.3f }]\n", 0.15*d.Float64())
		}
		if d.IntN(4) == 0 {
			fmt.Fprintf(&b, "cap = %d\n", d.between(15, 40))
		}
		if d.IntN(5) == 0 {
			fmt.Fprintf(&b, "bucket = { rate = \"%d/h\", burst = %d }\n", d.between(1000, 10_000), d.between(10, 200))
		}
		if d.IntN(5) == 0 {
			fmt.Fprintf(&b, "allowance = [{ limit = %d, window = \"1h\" }]\n", d.between(500, 5000))
		}
	}
	fmt.Fprintf(&b, "[[campaign]]\nname = \"news\"\nrecipients = %d\nprocesses = 60\nsubset = %d\n", recipients,
		d.between(5, 40))
	if d.IntN(3) == 0 {
		fmt.Fprintf(&b, "[[campaign]]\nname = \"bills\"\nrecipients = %d\nprocesses = 20\npriority = 2\n"+
			"start = \"%dm\"\n", d.between(50, 300), d.between(1, 20))
	}
	attempts := float64(recipients*(dot+1)) / float64(servers*processes)
	return b.String(), fmt.Sprintf("%ds", int((2400+attempts)*(1+d.Float64())))
}

// Of plans that are called feasible, nineteen in twenty are in time in a run that has nothing to do with
// the search or its judgement, counted in the records. Mailings that no number of processes
// brings in time are drawn again.
func TestFeasiblePlansAreInTime(t *testing.T) {
	n := longtest.Or(6, 500)
	d := draw{rand.New(rand.NewPCG(13, 1))}
	kept, asked := 0, 0
	numbers := map[int]int{}
	for plans := 0; plans < n; asked++ {
		text, deadline := mailing(d)
		from, row := planned(t, text, deadline)
		if !row.Feasible {
			continue
		}
		plans++
		numbers[row.Processes]++
		from.Set = append(from.Set, row.Set...)
		s, _, err := from.Load()
		if err != nil {
			t.Fatal(err)
		}
		if share(t, s, 1, 1) == 1 {
			kept++
		}
	}
	t.Logf("%d of %d plans in time, from %d questions with %d different numbers of processes", kept, n, asked,
		len(numbers))
	if least := n * 95 / 100; kept < least {
		t.Errorf("%d of %d plans are in time, want %d or more", kept, n, least)
	}
	if asked > 3*n {
		t.Errorf("%d questions had %d feasible plans, want a third or more", asked, n)
	}
}

// impossible returns a random mailing with a limit that cannot take the mail of provider by the deadline, however
// many processes there are, and the limits that may be named as the one that binds.
func impossible(d draw) (text, deadline, provider string, limits []plan.Limit) {
	var b strings.Builder
	recipients, hours := d.between(600, 2500), d.between(1, 6)
	servers, factor := d.between(1, 2), 0.4+0.45*d.Float64()
	fmt.Fprintf(&b, "schema_version = 1\nname = \"late\"\nhorizon = \"30d\"\nseed = %d\n", d.IntN(1e6))
	fmt.Fprintf(&b, "[governor]\nlaw = %q\nstart = 5\ninterval = \"1m\"\ntarget = \"1000000/h\"\n",
		d.one("hold", "patent-dynamic"))
	fmt.Fprintf(&b, "[retry]\nlimit = %d\ndelays = [\"%dm\", \"%dm\"]\n", d.between(8, 20), d.between(2, 8),
		d.between(8, 20))
	for i := range servers {
		fmt.Fprintf(&b, "[[server]]\nname = \"b%d\"\n", i)
	}
	binds := d.IntN(3)
	provider = fmt.Sprintf("p%d", binds)
	shares := []int{d.between(2, 5), d.between(2, 5), d.between(2, 5)}
	each := factor * float64(recipients*shares[binds]) / float64(shares[0]+shares[1]+shares[2]) / float64(servers)
	for i, share := range shares {
		dot := d.between(1, 3)
		if i != binds {
			fmt.Fprintf(&b, "[[destination]]\nname = \"p%d\"\ndomain = \"p%d.example\"\nshare = %d\ndot = \"%ds\"\n", i,
				i, share, dot)
			fmt.Fprintf(&b, "fail = [{ at = \"rcpt\", reply = 451, p = %.3f }]\n", 0.05*d.Float64())
			if d.IntN(2) == 0 {
				fmt.Fprintf(&b, "allowance = [{ limit = %d }]\n", d.between(3000, 9000))
			}
			continue
		}
		var limit string
		switch d.IntN(4) {
		case 0:
			limit = fmt.Sprintf("allowance = [{ limit = %d }]", int(each))
			limits = []plan.Limit{plan.Quota}
		case 1:
			burst := min(d.between(1, 50), int(each/2))
			limit = fmt.Sprintf("bucket = { rate = \"%d/h\", burst = %d }", max(1, (int(each)-burst)/hours), burst)
			limits = []plan.Limit{plan.Bucket}
		case 2: // an attempt takes dot or longer
			most := d.between(1, 4)
			dot = max(1, int(float64(most*hours*3600)/each))
			limit = fmt.Sprintf("cap = %d\nthrottle = { soft = \"%d/h\", hard = \"%d/h\" }", most,
				int(each)/hours*4, int(each)/hours*8)
			limits = []plan.Limit{plan.Cap, plan.Rate}
		case 3:
			burst := min(d.between(1, 50), int(each/2))
			limit = fmt.Sprintf("send = { rate = \"%d/h\", burst = %d }", max(1, (int(each)-burst)/hours), burst)
			limits = []plan.Limit{plan.Own}
		}
		fmt.Fprintf(&b, "[[destination]]\nname = \"p%d\"\ndomain = \"p%d.example\"\nshare = %d\ndot = \"%ds\"\n%s\n", i,
			i, share, dot, limit)
	}
	fmt.Fprintf(&b, "[[campaign]]\nname = \"news\"\nrecipients = %d\nprocesses = 40\nsubset = %d\n", recipients,
		d.between(5, 40))
	return b.String(), fmt.Sprintf("%dh", hours), provider, limits
}

// Mailings that are late by construction are called infeasible, and the limit that was put there is named
// with its provider, in 98 of 100.
func TestInfeasibleQuestionsNameWhatBinds(t *testing.T) {
	n := longtest.Or(30, 500)
	d := draw{rand.New(rand.NewPCG(13, 2))}
	refused, named, proven := 0, 0, 0
	for range n {
		text, deadline, provider, limits := impossible(d)
		_, row := planned(t, text, deadline)
		if row.Feasible {
			t.Logf("feasible with %d processes, by %s:\n%s", row.Processes, deadline, text)
			continue
		}
		refused++
		if row.Proof != nil {
			proven++
		}
		if row.Provider == provider && slices.Contains(limits, plan.Limit(row.Limit)) {
			named++
			continue
		}
		if named+5 > refused {
			t.Logf("%q of %q binds, want %q of %q, by %s:\n%s", row.Limit, row.Provider, limits, provider, deadline,
				text)
		}
	}
	t.Logf("%d of %d are refused, %d of them proven; %d name what binds", refused, n, proven, named)
	if least := n * 98 / 100; refused < least || named < least {
		t.Errorf("%d of %d are refused and %d name what binds, want %d or more", refused, n, named, least)
	}
}
