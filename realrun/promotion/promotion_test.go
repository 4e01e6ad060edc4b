package promotion

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// chain is three promotions, each an hour after the last and good for a day.
func chain(t *testing.T) []byte {
	t.Helper()
	var text []byte
	for i, by := range []string{"ann", "bob", "ann"} {
		at := noon.Add(time.Duration(i) * time.Hour)
		var err error
		if text, _, err = Append(bytes.NewReader(text), "p", Record{By: by, At: at, Expires: at.Add(24 * time.Hour), Parameters: "[governor]\n"}); err != nil {
			t.Fatal(err)
		}
	}
	return text
}

func TestChain(t *testing.T) {
	all, err := Read(bytes.NewReader(chain(t)), "p")
	if err != nil || len(all) != 3 || all[2].Number != 3 || all[1].By != "bob" || all[0].Previous != "" || all[2].Previous == all[1].Previous {
		t.Fatalf("%+v, %v", all, err)
	}
	if r, err := InForce(all, noon.Add(25*time.Hour)); err != nil || r.Number != 3 {
		t.Errorf("in force: %+v, %v", r, err)
	}
	if _, err := InForce(all, noon.Add(26*time.Hour)); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "promotion 3 by ann expired") {
		t.Errorf("expired: %v", err)
	}
	if _, err := InForce(all, noon.Add(119*time.Minute)); err != nil {
		t.Errorf("a clock that is a minute behind: %v", err)
	}
	if _, err := InForce(all, noon); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "one of the clocks is wrong") {
		t.Errorf("made in the future: %v", err)
	}
	if _, err := InForce(nil, noon); !errors.Is(err, ErrRefused) {
		t.Errorf("empty: %v", err)
	}
}

// The last record has no later one to seal it: a forged sum, or an end that was
// cut off, shows to who has noted the last one.
func TestHead(t *testing.T) {
	text := chain(t)
	all, err := Read(bytes.NewReader(text), "p")
	if err != nil {
		t.Fatal(err)
	}
	if _, r, err := Append(bytes.NewReader(text[:bytes.LastIndexByte(text[:len(text)-1], '\n')+1]), "p", Record{By: "ann", At: all[2].At, Expires: all[2].Expires, Parameters: "[governor]\n"}); err != nil || r.Sum != all[2].Sum {
		t.Errorf("appended as %s, read as %s: %v", r.Sum, all[2].Sum, err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	body, _, _ := bytes.Cut(bytes.Replace(lines[2], []byte(`"expires":"2026`), []byte(`"expires":"2036`), 1), []byte(sumKey))
	touched, err := Read(bytes.NewReader(slices.Concat(lines[0], lines[1], sealed(body))), "p")
	if err != nil || touched[2].Expires.Equal(all[2].Expires) {
		t.Fatal("the chain alone must not show that the sum was computed anew", err)
	}
	for what, v := range map[string]struct {
		all         []Record
		noted, want string
	}{
		"untouched":  {all, all[2].Sum, ""},
		"capitals":   {all, strings.ToUpper(all[2].Sum), ""},
		"edited":     {touched, all[2].Sum, "p:3: the last record has SHA-256 " + touched[2].Sum + ", want " + all[2].Sum},
		"cut off":    {all[:2], all[2].Sum, "p:2: the last record has SHA-256 " + all[1].Sum + ", want " + all[2].Sum},
		"one behind": {all, all[0].Sum, "p:3: the last record has SHA-256 " + all[2].Sum + ", want " + all[0].Sum + ", which is that of promotion 1: 2 came after it"},
		"emptied":    {nil, all[2].Sum, "p: got no record, want a last one of SHA-256 " + all[2].Sum},
	} {
		got := ""
		if err := CheckHead(v.all, "p", v.noted); err != nil {
			got = err.Error()
		}
		if got != v.want {
			t.Errorf("%s: %q, want %q", what, got, v.want)
		}
	}
}

// Whatever is done to a record but the last, the chain shows it; and the last
// one must be whole.
func TestTampering(t *testing.T) {
	good := chain(t)
	lines := bytes.SplitAfter(good, []byte("\n"))
	for what, v := range map[string]struct {
		text []byte
		want string
	}{
		"another name":   {bytes.Replace(good, []byte(`"by":"bob"`), []byte(`"by":"eve"`), 1), "p:2: the record was changed"},
		"in force":       {bytes.Replace(good, lines[2], bytes.Replace(lines[2], []byte(`"expires":"2026`), []byte(`"expires":"2036`), 1), 1), "p:3: the record was changed"},
		"more at an end": {append(bytes.Clone(good[:len(good)-1]), " {}\n"...), "p:3: the record was changed"},
		"without a sum":  {append(bytes.Clone(good[:len(good)-75]), "}\n"...), "p:3: the record was changed"},
		"one left out":   {append(bytes.Clone(lines[0]), lines[2]...), "p:2: the chain is broken"},
		"first left out": {append(bytes.Clone(lines[1]), lines[2]...), "p:1: the chain is broken: got number 2 after the line of SHA-256 "},
		"no first":       {bytes.Replace(lines[0], []byte(`"number":1`), []byte(`"number":2`), 1), "got number 2 after no line, want number 1 after no line"},
		"twice":          {append(bytes.Clone(good), lines[2]...), "p:4: the chain is broken"},
		"cut short":      {good[:len(good)-1], "p: the last line is cut short"},
		"other schema":   {bytes.Replace(good, []byte("flyball/realrun/promotion"), []byte("flyball/summary"), 1), "p:1: got schema"},
		"unknown key":    {bytes.Replace(good, []byte(`"by"`), []byte(`"buy"`), 1), "p:1: json: unknown field"},
		"no JSON":        {[]byte("x\n"), "p:1: invalid character"},
	} {
		if _, err := Read(bytes.NewReader(v.text), "p"); err == nil || !strings.Contains(err.Error(), v.want) {
			t.Errorf("%s: %v, want %q", what, err, v.want)
		}
		if _, _, err := Append(bytes.NewReader(v.text), "p", Record{}); err == nil {
			t.Errorf("%s: a record is appended", what)
		}
	}
}
