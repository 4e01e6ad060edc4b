package codec

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"flyball/engine"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/unit"
)

var update = flag.Bool("update", false, "write testdata/messages.txt")

// lorem are values of the fields that are strings.
var lorem = map[string]string{
	"Transfer.Part":   engine.PackParts([]engine.Part{{From: 3, To: 9}, {From: 1 << 30, To: 1 << 31}}),
	"Start.Bars":      engine.PackChanges([]engine.Change{{Rcpt: 7}, {Rcpt: 1<<31 - 1, Add: true}}),
	"Changes.Entries": engine.PackChanges([]engine.Change{{Rcpt: 300, Add: true}}),
	"Returns.Entries": engine.PackReturns([]engine.Returned{{Token: 1<<63 + 5, Rcpt: 7, Hard: true}, {Token: 6,
		Rcpt: 1 << 30}}),
	"Progress.Outcomes": engine.PackOutcomes([]engine.Final{{Rcpt: 5, Status: mail.Done}, {Rcpt: 6, Status: mail.Held,
		Ambiguous: true}}),
	"Reserve.Resends": engine.PackResends([]engine.Resend{{Rcpt: 2, Try: 3, Due: 4}}),
	"Letter.Text":     "Please unsubscribe me.\r\n\x00\xff",
}

// filled returns a message with a body of a type, whose fields all have another value that is in its range.
func filled(t testing.TB, b engine.Body) engine.Message {
	v := reflect.New(reflect.TypeOf(b)).Elem()
	n := 0
	fill(t, v.Type().Name(), v, &n)
	return engine.Message{From: engine.Address{Role: engine.Sender, Server: 1},
		To: engine.Address{Role: engine.Remote, Server: math.MaxUint16}, Number: math.MaxUint64,
		Body: v.Interface().(engine.Body)}
}

func fill(t testing.TB, name string, v reflect.Value, n *int) {
	*n++
	switch {
	case v.Type() == reflect.TypeFor[engine.Checkpoint]():
		v.SetUint(uint64(engine.P650))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Type().Name()+"."+v.Type().Field(i).Name, v.Field(i), n)
		}
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.CanInt():
		v.SetInt(int64(1000 + *n))
	case v.CanUint():
		v.SetUint(uint64(200 + *n))
	case v.CanFloat():
		v.SetFloat(float64(*n) + 0.5)
	case lorem[name] != "":
		v.SetString(lorem[name])
	default:
		t.Fatalf("%s has no text: want it in the table", name)
	}
}

// Every type of bodies of package engine has a number.
func TestEveryBodyHasANumber(t *testing.T) {
	want := map[string]bool{}
	for _, name := range []string{"message.go", "mailing.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), "../"+name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if d, ok := d.(*ast.FuncDecl); ok && d.Name.Name == "body" {
				want[d.Recv.List[0].Type.(*ast.Ident).Name] = true
			}
		}
	}
	for _, b := range bodies[1:] {
		if !want[reflect.TypeOf(b).Name()] {
			t.Errorf("%T has two numbers", b)
		}
		delete(want, reflect.TypeOf(b).Name())
	}
	if len(want) > 0 {
		t.Errorf("%v have no number", want)
	}
}

// Each type of message comes back as it was, with every field, and its bytes never change: servers of other revisions
// send and read them.
func TestMessages(t *testing.T) {
	var golden strings.Builder
	for i, b := range bodies[1:] {
		want := filled(t, b)
		text, err := Encode(want)
		if err != nil {
			t.Errorf("%d: %v", i+1, err)
			continue
		}
		fmt.Fprintf(&golden, "%s %x\n", Name(b), text)
		got, err := Decode(text)
		if err != nil || got != want {
			t.Errorf("%d: got %+v and %v, want %+v", i+1, got, err, want)
		}
		for cut := range text {
			if m, err := Decode(text[:cut]); err == nil {
				t.Errorf("%d: %d of %d bytes are the message %+v", i+1, cut, len(text), m)
			}
		}
		if _, err := Decode(append(text, 0)); err == nil || !strings.Contains(err.Error(), "1 bytes more") {
			t.Errorf("%d: with a byte more: got %v", i+1, err)
		}
	}
	const name = "testdata/messages.txt"
	if *update {
		if err := os.WriteFile(name, []byte(golden.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if golden.String() != string(want) {
		t.Errorf("got\n%swant\n%sA form has changed: want another type, with a number of its own, for another meaning",
			golden.String(), want)
	}
}

// What is wrong with bytes is said in words.
func TestWhatIsNotAMessage(t *testing.T) {
	good, err := Encode(engine.Message{From: engine.Address{Role: engine.Sender},
		To: engine.Address{Role: engine.Remote}, Body: engine.Got{UpTo: 5}})
	if err != nil {
		t.Fatal(err)
	}
	change := func(at int, to byte) []byte { b := bytes.Clone(good); b[at] = to; return b }
	for what, b := range map[string][]byte{
		"the bytes are cut short":              {},
		"version 2, want 1":                    change(0, 2),
		"type 0, want 1 to 25":                 change(1, 0),
		"type 26, want 1 to 25: its sender is": change(1, 26),
		"got role 8, want 0 to 7":              change(2, 8),
		"got: UpTo: the bytes are cut short":   good[:len(good)-1],
		"got 1 bytes more":                     append(bytes.Clone(good), 0),
		"got a message of":                     make([]byte, Most+1),
	} {
		if m, err := Decode(b); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%.20x: got %+v and %v, want %q", b, m, err, what)
		}
	}
}

// A value that no role computes with is neither sent nor taken.
func TestRanges(t *testing.T) {
	terms := engine.Terms{Processes: 1, Size: 1}
	for what, b := range map[string]engine.Body{
		"progress: Checkpoint: got 30":      engine.Progress{Checkpoint: 30},
		"progress: Sent: got -1":            engine.Progress{Sent: -1},
		"progress: Open: got 2147483648":    engine.Progress{Open: 1 << 31},
		"progress: Outcomes: got a packed":  engine.Progress{Outcomes: "1234"},
		"progress: Outcomes: got outcome 0": engine.Progress{Outcomes: "\x00\x00\x00\x01\x00"},
		"progress: Outcomes: got outcome 9": engine.Progress{Outcomes: "\x00\x00\x00\x01\x09"},
		"transfer: got 0 processes":         engine.Transfer{},
		"transfer: Terms: Rate: got NaN": engine.Transfer{Terms: engine.Terms{Processes: 1, Size: 1,
			Rate: unit.PerHour(math.NaN())}},
		"transfer: Part: got the places from 2 to below 2": engine.Transfer{Terms: terms,
			Part: engine.PackParts([]engine.Part{{From: 2, To: 2}})},
		"transfer: Part: got a packed":         engine.Transfer{Terms: terms, Part: "1234567"},
		"start: Echo: got 9223372036854775807": engine.Start{Echo: math.MaxInt64},
		"start: Bars: got a packed":            engine.Start{Bars: "12345"},
		"changes: Entries: got a packed":       engine.Changes{Entries: "1"},
		"report: Sample: Load: got +Inf":       engine.Report{Sample: governor.Sample{Load: math.Inf(1)}},
		"request: Rcpt: got 4294967295":        engine.Request{Rcpt: math.MaxUint32},
		"transfer: got 83886": engine.Transfer{Terms: terms, Part: strings.Repeat(engine.PackParts([]engine.Part{{
			From: 1, To: 2}}), 1<<20)},
	} {
		if _, err := Encode(engine.Message{Body: b}); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("got %v, want %q", err, what)
		}
	}
	b, err := Encode(engine.Message{Body: engine.Progress{}})
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-9] = 30 // the checkpoint
	if m, err := Decode(b); err == nil {
		t.Errorf("%x: got %+v", b, m)
	}
}

func FuzzDecode(f *testing.F) {
	for _, b := range bodies[1:] {
		text, err := Encode(filled(f, b))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			return
		}
		FlowOf(m)
		if again, err := Encode(m); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%s is the message %+v, whose form is %x (%v)", hex.EncodeToString(b), m, again, err)
		}
	})
}
