package conf_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"flyball/internal/conf"
)

type pump struct {
	Kind  string  `toml:"kind" default:"gear"`
	Rate  float64 `toml:"rate" default:"2.5" range:">0..10" unit:"litres"`
	Spare int     `toml:"spare,omitdefault" range:"1..9"`
	Steps []int   `toml:"steps" default:"1, 2" range:"1..5"`
	Extra []int   `toml:"extra" range:"1..5"`
	Valve valve   `toml:"valve"`
	Taps  []valve `toml:"tap"`
}

type valve struct {
	Width float64 `toml:"width" default:"4" range:"1..8" required:"true"`
	Shut  bool
}

func (v valve) Off() bool { return v.Shut }

func (pump) KeyDoc(key string) (doc, source string) {
	switch key {
	case "kind":
		return "how it works", ""
	case "rate":
		return "litres a second", "measured: by bucket"
	}
	return "", ""
}

func (pump) Choices(key string) []conf.Choice {
	if key == "kind" {
		return []conf.Choice{{Name: "gear", Doc: "turns"}, {Name: "piston", Doc: "strokes"}}
	}
	return nil
}

func (p pump) Idle(key string) bool { return key == "steps" && p.Kind == "gear" }

func TestKeysDeclare(t *testing.T) {
	keys := conf.Declare[pump]()
	got := conf.DefaultOf[pump](keys)
	if want := (pump{Kind: "gear", Rate: 2.5, Steps: []int{1, 2}, Valve: valve{Width: 4}}); !reflect.DeepEqual(got,
		want) {
		t.Errorf("defaults %+v, want %+v", got, want)
	}
	all := keys.Of(reflect.TypeFor[pump]())
	if k := all[0]; k.Doc != "how it works: gear turns; piston strokes" ||
		!slices.Equal(k.OneOf, []string{"gear", "piston"}) {
		t.Errorf("%+v", k)
	}
	if k := all[1]; k.Status != "measured" || k.Source != "by bucket" || k.Within() != "more than 0, at most 10" ||
		k.InRange(0) || !k.InRange(10) {
		t.Errorf("%+v", k)
	}
	v := reflect.ValueOf(pump{Kind: "gear", Valve: valve{Shut: true}})
	var idle []string
	for _, k := range all {
		if k.Idle(v) {
			idle = append(idle, k.Name)
		}
	}
	if want := []string{"spare", "steps", "valve"}; !slices.Equal(idle, want) {
		t.Errorf("idle %v, want %v", idle, want)
	}
}

// Zero means that a key is not given if the key has no default or is idle.
func TestKeysCheck(t *testing.T) {
	keys := conf.Declare[pump]()
	for _, c := range []struct {
		p    pump
		want string
	}{
		{pump{Kind: "gear", Rate: 1, Valve: valve{Width: 1}}, "[]"},
		{pump{Kind: "gear", Rate: 1, Valve: valve{Shut: true}}, "[]"},
		{pump{Kind: "gear", Rate: 1, Valve: valve{Shut: true, Width: 9}}, "[valve.width: got 9, want 1 to 8]"},
		{pump{Kind: "jet", Rate: 0, Spare: 10},
			`[kind: got "jet", want one of gear, piston rate: got 0, want more than 0, at most 10 spare: got 10, ` +
				`want 1 to 9 valve.width: got 0, want 1 to 8]`},
		{pump{Kind: "piston", Rate: 1, Extra: []int{0}, Steps: []int{1, 6}, Valve: valve{Width: 1},
			Taps: []valve{{Width: 2}, {}}},
			"[steps[1]: got 6, want 1 to 5 extra[0]: got 0, want 1 to 5 tap[1].width: got 0, want 1 to 8]"},
	} {
		var l conf.List
		keys.Check(&l, c.p)
		if got := fmt.Sprint([]error(l)); got != c.want {
			t.Errorf("%+v: got  %s\nwant %s", c.p, got, c.want)
		}
	}
	var l conf.List
	keys.CheckIdle(&l, pump{Kind: "gear", Steps: []int{3}}, func(string) string { return "gears have none" })
	keys.CheckIdle(&l, pump{Kind: "gear", Steps: []int{1, 2}},
		func(string) string { return "never: it is the default" })
	if got := fmt.Sprint([]error(l)); got != "[steps: got a value, want none: gears have none]" {
		t.Error(got)
	}
}

// Only what is chosen is multiplied, in lists and tables too.
func TestKeysScale(t *testing.T) {
	keys := conf.Declare[pump]()
	p := pump{Rate: 2, Valve: valve{Width: 3}, Taps: []valve{{Width: 5}}}
	keys.Scale(reflect.ValueOf(&p).Elem(), 4, func(k conf.Key) bool { return k.Unit == "litres" || k.Name == "width" })
	if p.Rate != 8 || p.Valve.Width != 12 || p.Taps[0].Width != 20 {
		t.Errorf("%+v", p)
	}
}
