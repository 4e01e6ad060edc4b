package fields

import (
	"encoding/hex"
	"math"
	"reflect"
	"strings"
	"testing"
)

type pair struct {
	Small int8
	Count uint16
}

type all struct {
	Pair  pair
	Sure  bool
	Rate  float64
	Words string
}

// The form is that of encoding/binary, worked out by hand.
func TestForm(t *testing.T) {
	want := all{pair{-2, 300}, true, 0.5, "ab"}
	b := Append(nil, reflect.ValueOf(want))
	if got := hex.EncodeToString(b); got != "03"+"ac02"+"01"+"3fe0000000000000"+"026162" {
		t.Errorf("got %s", got)
	}
	var got all
	r := Reader{Rest: append(b, 9)}
	if r.Value(reflect.ValueOf(&got).Elem()); r.Err != nil || got != want || len(r.Rest) != 1 {
		t.Errorf("got %+v, %v, rest %v", got, r.Err, r.Rest)
	}
}

// Slices, maps and pointers come back as they were, nil or empty, and no length makes a reader take memory for what is
// not there.
func TestSeveral(t *testing.T) {
	type several struct {
		Some, Empty, None []pair
		Map, NoMap        map[string]float64
		Sure, Unsure      *bool
	}
	yes := true
	want := several{Some: []pair{{1, 2}, {3, 4}}, Empty: []pair{}, Map: map[string]float64{"b": math.Inf(1), "a": 2},
		Sure: &yes}
	b := Append(nil, reflect.ValueOf(want))
	var got several
	r := Reader{Rest: b}
	if r.Value(reflect.ValueOf(&got).Elem()); r.Err != nil || !reflect.DeepEqual(got, want) || len(r.Rest) > 0 {
		t.Errorf("got %+v, %v, want %+v", got, r.Err, want)
	}
	for cut := range b {
		var got several
		if r := (Reader{Rest: b[:cut]}); true {
			if r.Value(reflect.ValueOf(&got).Elem()); r.Err == nil {
				t.Errorf("%d of %d bytes are a value", cut, len(b))
			}
		}
	}
	for text, want := range map[string]string{
		"ffffffffffffffffff01": "Some: the bytes are cut short",
		"0302020202":           "Empty: the bytes are cut short",
		"000000" + "03" + "0162" + "0000000000000000" + "0161" + "0000000000000000": `Map: got the key "a" after "b"`,
		"00000000" + "00" + "02": "Sure: got 2, want 0 or 1",
	} {
		raw, _ := hex.DecodeString(text)
		var got several
		r := Reader{Rest: raw}
		if r.Value(reflect.ValueOf(&got).Elem()); r.Err == nil || !strings.HasPrefix(r.Err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, r.Err, want)
		}
	}
}

// What is not the form of a value is said with the field that it should be.
func TestWhatIsNotAValue(t *testing.T) {
	for text, want := range map[string]string{
		"":           "Pair: Small: the bytes are cut short",
		"80":         "Pair: Small: the bytes are cut short",
		"8002":       "Pair: Small: got 128, want 8 bits",
		"0280808004": "Pair: Count: got 8388608, want at most 65535",
		"028000":     "Pair: Count: got a number that is not in its shortest form",
		"02ffffffffffffffffff7f": "Pair: Count: got a number that is not in its shortest form of at most 64 " +
			"bits",
		"020102":                           "Sure: got 2, want 0 or 1",
		"0201013fe000":                     "Rate: the bytes are cut short",
		"0201013fe00000000000000361":       "Words: the bytes are cut short",
		"0201013fe0000000000000ffffffff0f": "Words: the bytes are cut short",
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		var got all
		r := Reader{Rest: b}
		if r.Value(reflect.ValueOf(&got).Elem()); r.Err == nil || !strings.HasPrefix(r.Err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, r.Err, want)
		}
	}
}
