package promotion

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// some returns a record as a caller of Add makes it.
func some(by string) Record {
	return Record{By: by, Note: "why \"not\"", Parameters: "[governor]\n",
		Shown: Shown{Scenario: "quickstart", ScenarioID: "00ff", Seed: 1, Replications: 10,
			Digest: "0123", Revision: "flyball v1", Replay: "flyball run quickstart",
			Measures: []Measure{{"dfr", 1, 0.5, 1.5, 0.95}}}}
}

// appended returns a chain with one more record.
func appended(t *testing.T, text []byte, rec Record, at time.Time, lasts time.Duration) ([]byte, Record) {
	t.Helper()
	all, last, err := read(text, "p")
	if err == nil {
		rec, err = rec.next(all, last, at, lasts)
	}
	if err != nil {
		t.Fatal(err)
	}
	return append(bytes.Clone(text), sealed(rec.body())...), rec
}

// chain returns three promotions, each an hour after the last and valid for a day.
func chain(t *testing.T) (text []byte) {
	t.Helper()
	for i, by := range []string{"ann", "bob", "ann"} {
		text, _ = appended(t, text, some(by), noon.Add(time.Duration(i)*time.Hour), 24*time.Hour)
	}
	return text
}

func TestChain(t *testing.T) {
	all, err := Read(chain(t), "p")
	if err != nil || len(all) != 3 || all[2].Number != 3 || all[1].By != "bob" || all[0].Previous != "" ||
		all[2].Previous == all[1].Previous {
		t.Fatalf("%+v, %v", all, err)
	}
	if r, err := InForce(all, noon.Add(25*time.Hour)); err != nil || r.Number != 3 {
		t.Errorf("in force: %+v, %v", r, err)
	}
	if _, err := InForce(all, noon.Add(26*time.Hour)); !errors.Is(err, ErrRefused) ||
		!strings.Contains(err.Error(), "promotion 3 by ann expired") {
		t.Errorf("expired: %v", err)
	}
	if _, err := InForce(all, noon.Add(119*time.Minute)); err != nil {
		t.Errorf("a clock that is a minute behind: %v", err)
	}
	if _, err := InForce(all, noon); !errors.Is(err, ErrRefused) ||
		!strings.Contains(err.Error(), "one of the clocks is wrong") {
		t.Errorf("made in the future: %v", err)
	}
	if _, err := InForce(nil, noon); !errors.Is(err, ErrRefused) {
		t.Errorf("empty: %v", err)
	}
}

// No later record seals the last one: a forged sum, or a missing end, shows only
// by comparison with a noted sum.
func TestHead(t *testing.T) {
	text := chain(t)
	all, err := Read(text, "p")
	if err != nil {
		t.Fatal(err)
	}
	if _, r := appended(t, text[:bytes.LastIndexByte(text[:len(text)-1], '\n')+1], some("ann"), all[2].At,
		24*time.Hour); r.Sum != all[2].Sum {
		t.Errorf("appended as %s, read as %s", r.Sum, all[2].Sum)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	body, _, _ := bytes.Cut(bytes.Replace(lines[2], []byte(`"expires":"2026`), []byte(`"expires":"2027`), 1),
		[]byte(sumKey))
	touched, err := Read(slices.Concat(lines[0], lines[1], sealed(body)), "p")
	if err != nil || touched[2].Expires.Equal(all[2].Expires) {
		t.Fatal("the chain alone must not show that the sum was computed anew", err)
	}
	for what, v := range map[string]struct {
		all         []Record
		noted, want string
	}{
		"untouched": {all, all[2].Sum, ""},
		"capitals":  {all, strings.ToUpper(all[2].Sum), ""},
		"edited": {touched, all[2].Sum, "p:3: the last record has SHA-256 " + touched[2].Sum + ", want " +
			all[2].Sum},
		"cut off": {all[:2], all[2].Sum, "p:2: the last record has SHA-256 " + all[1].Sum + ", want " + all[2].Sum},
		"one behind": {all, all[0].Sum, "p:3: the last record has SHA-256 " + all[2].Sum + ", want " + all[0].Sum +
			", the sum of promotion 1: 2 came after it"},
		"emptied": {nil, all[2].Sum, "p: got no record, want a last one of SHA-256 " + all[2].Sum},
	} {
		got := ""
		if err := checkNoted(v.all, "p", v.noted); err != nil {
			got = err.Error()
		}
		if got != v.want {
			t.Errorf("%s: %q, want %q", what, got, v.want)
		}
	}
}

// The chain shows any change to a record before the last; the last one must be
// complete.
func TestTampering(t *testing.T) {
	good := chain(t)
	lines := bytes.SplitAfter(good, []byte("\n"))
	middle, _, _ := bytes.Cut(lines[1], []byte(sumKey))
	for what, v := range map[string]struct {
		text []byte
		want string
	}{
		"another name": {bytes.Replace(good, []byte(`"by":"bob"`), []byte(`"by":"eve"`), 1),
			"p:2: the record was changed"},
		"in force": {bytes.Replace(good, lines[2], bytes.Replace(lines[2], []byte(`"expires":"2026`),
			[]byte(`"expires":"2036`), 1), 1), "p:3: the record was changed"},
		"more at an end": {append(bytes.Clone(good[:len(good)-1]), " {}\n"...), "p:3: the record was changed"},
		"without a sum":  {append(bytes.Clone(good[:len(good)-75]), "}\n"...), "p:3: the record was changed"},
		"sealed again": {slices.Concat(lines[0], sealed(bytes.Replace(middle, []byte(`"by":"bob"`),
			[]byte(`"by":"eve"`), 1)), lines[2]), "p:3: the chain is broken"},
		"one left out": {append(bytes.Clone(lines[0]), lines[2]...), "p:2: the chain is broken"},
		"first left out": {append(bytes.Clone(lines[1]), lines[2]...),
			"p:1: the chain is broken: got number 2 after the line of SHA-256 "},
		"no first": {bytes.Replace(lines[0], []byte(`"number":1`), []byte(`"number":2`), 1),
			"got number 2 after no line, want number 1 after no line"},
		"twice":     {append(bytes.Clone(good), lines[2]...), "p:4: the chain is broken"},
		"cut short": {good[:len(good)-1], "p: the last line is cut short"},
		"other schema": {bytes.Replace(good, []byte("flyball/promotion"), []byte("flyball/summary"), 1),
			"p:1: got schema"},
		"unknown key": {bytes.Replace(good, []byte(`"by"`), []byte(`"buy"`), 1), "p:1: json: unknown field"},
		"no JSON":     {[]byte("x\n"), "p:1: invalid character"},
	} {
		if _, err := Read(v.text, "p"); err == nil || !strings.Contains(err.Error(), v.want) {
			t.Errorf("%s: %v, want %q", what, err, v.want)
		}
		file := filepath.Join(t.TempDir(), "p")
		os.WriteFile(file, v.text, 0o644)
		if _, err := Add(file, "", some("ann"), func() time.Time { return noon }, time.Hour); err == nil {
			t.Errorf("%s: a record is appended", what)
		}
	}
}

// A forger can compute the sum of a changed record. The record is therefore
// validated when it is read as when it is written. The test changes the last
// record, and one in the middle with all later records sealed again.
func TestResealed(t *testing.T) {
	good := chain(t)
	lines := bytes.SplitAfter(good, []byte("\n"))
	for what, v := range map[string]struct {
		old, new string
		want     string
	}{
		"nothing":              {"", "", ""},
		"no name":              {`"by":"ann"`, `"by":""`, `by: got ""`},
		"colour in a name":     {`"by":"ann"`, `"by":"\u001b[31mann"`, `by: got "\x1b[31mann"`},
		"control in a note":    {`"note":"why`, `"note":"\u0007why`, `note: got "\awhy`},
		"later control":        {`"replay":"flyball`, "\"replay\":\"\u009b2J", `shown.replay: got `},
		"in a measure":         {`"metric":"dfr"`, "\"metric\":\"d\u007ffr\"", `shown.measures[0].metric: got `},
		"in the parameters":    {`"parameters":"`, `"parameters":"#\u001b[2J\n`, `parameters: got `},
		"no end":               {`"expires":"2026-11-25`, `"expires":"2036-11-25`, `expires: got `},
		"ends before":          {`"expires":"2026-11-25`, `"expires":"2026-11-23`, `expires: got `},
		"another zone":         {`:00:00Z","expires"`, `:00:00+00:30","expires"`, `at: got `},
		"parts of a second":    {`:00:00Z","expires"`, `:00:00.5Z","expires"`, `at: got `},
		"few replications":     {`"replications":10`, `"replications":9`, `shown.replications: got 9, want 10 or more`},
		"no parameters":        {`"parameters":"[governor]\n"`, `"parameters":""`, `parameters: got none`},
		"turned measure":       {`"low":0.5`, `"low":2.5`, `shown.measures[0].low: got 2.5, want at most high, 1.5`},
		"no level":             {`"level":0.95`, `"level":95`, `shown.measures[0].level: got 95`},
		"doubled key":          {`"by":"ann"`, `"by":"bob","by":"ann"`, `not written as promote writes it`},
		"key in capitals":      {`"by":"ann"`, `"BY":"ann"`, `not written as promote writes it`},
		"doubled key inside":   {`"seed":1`, `"seed":2,"seed":1`, `not written as promote writes it`},
		"more spaces":          {`"seed":1`, `"seed": 1`, `not written as promote writes it`},
		"spelled out":          {`"by":"ann"`, `"by":"\u0061nn"`, `not written as promote writes it`},
		"empty value left out": {`"seed":1,`, ``, `not written as promote writes it`},
	} {
		for _, at := range []int{0, 2} { // 0: in the middle of the chain
			var text []byte
			for i, line := range lines[:3] {
				body, _, _ := bytes.Cut(line, []byte(sumKey))
				if i == at {
					if v.old != "" && bytes.Count(body, []byte(v.old)) != 1 {
						if at == 2 && strings.Contains(v.old, "2026-11-25") {
							body = bytes.Replace(body, []byte("2026-11-25"), []byte(v.new[len(`"expires":"`):]), 1)
						} else {
							t.Fatalf("%s: %q is not once in %s", what, v.old, body)
						}
					} else {
						body = bytes.Replace(body, []byte(v.old), []byte(v.new), 1)
					}
				}
				if i > 0 {
					before := bytes.SplitAfter(text, []byte("\n"))
					sum := sha256.Sum256(before[len(before)-2])
					from := bytes.Index(body, []byte(`"previous":"`)) + len(`"previous":"`)
					copy(body[from:], hex.EncodeToString(sum[:]))
				}
				text = append(text, sealed(body)...)
			}
			_, err := Read(text, "p")
			if v.want == "" {
				if err != nil || !bytes.Equal(text, good) {
					t.Errorf("sealed again as it was: %v\n%s\n%s", err, text, good)
				}
				continue
			}
			var invalid *Invalid
			if want := fmt.Sprintf("p:%d: ", at+1); !errors.As(err, &invalid) ||
				!strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), v.want) {
				t.Errorf("%s: got %v, want %s%s", what, err, want, v.want)
			}
		}
	}
}

// Times do not fall along a chain. With a clock that is a little behind, a record
// gets the time of the previous one; with a clock far behind, it is refused.
func TestTimesDoNotFall(t *testing.T) {
	first, _ := appended(t, nil, some("ann"), noon, time.Hour)
	for _, v := range []struct {
		after, want time.Duration
	}{{0, 0}, {1500 * time.Millisecond, time.Second}, {-time.Second, 0}, {-skew, 0}} {
		text, r := appended(t, first, some("bob"), noon.Add(v.after), time.Hour)
		if want := noon.Add(v.want); !r.At.Equal(want) || !r.Expires.Equal(want.Add(time.Hour)) {
			t.Errorf("%v: at %s until %s, want %s", v.after, r.At, r.Expires, want)
		}
		if _, err := Read(text, "p"); err != nil {
			t.Errorf("%v: %v", v.after, err)
		}
	}
	all, last, _ := read(first, "p")
	if _, err := some("bob").next(all, last, noon.Add(-skew-time.Second), time.Hour); !errors.Is(err, ErrRefused) ||
		!strings.Contains(err.Error(), "one of the clocks is wrong") {
		t.Errorf("a clock that is far behind: %v", err)
	}
	r, err := some("bob").next(all, last, noon, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	r.At, r.Expires = r.At.Add(-time.Second), r.Expires.Add(-time.Second)
	if _, err := Read(append(first, sealed(r.body())...), "p"); err == nil ||
		!strings.HasPrefix(err.Error(), "p:2: at: got 2026-11-24T11:59:59Z, want a time not before") {
		t.Errorf("read: %v", err)
	}
}
