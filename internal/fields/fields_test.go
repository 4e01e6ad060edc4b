package fields

import (
	"encoding/hex"
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
