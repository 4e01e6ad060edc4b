package tomlfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"flyball/internal/conf"
)

// A kitchen has every kind of key.
type kitchen struct {
	Version int       `toml:"version" required:"true" range:"1..1"`
	Name    string    `toml:"name" required:"true" pattern:"^[a-z]+$"`
	Gas     bool      `toml:"gas" default:"true"`
	Heat    float64   `toml:"heat" default:"0.5" range:">0..1"`
	Knob    string    `toml:"knob" oneof:"low high" default:"low"`
	Mark    mark      `toml:"mark" default:"M2"`
	Spice   spice     `toml:"spice" default:"hot level 3"`
	Oven    oven      `toml:"oven"`
	Pots    []pot     `toml:"pot"`
	Marks   []mark    `toml:"marks"`
	Sizes   []float64 `toml:"sizes"`
}

func (kitchen) KeyDoc(key string) (doc, source string) {
	if key == "name" {
		return "on the door", ""
	}
	return "", ""
}

type oven struct {
	Racks   int    `toml:"racks" default:"2" range:"1..9"`
	Rows    []row  `toml:"row"`
	RowFile string `toml:"row_file"`
}

type row struct {
	Depth float64 `toml:"depth" required:"true" range:"0..10"`
	Trays int     `toml:"trays" required:"true" range:"0..5"`
}

type pot struct {
	Name   string `toml:"name" default:"pan"`
	Litres int    `toml:"litres" default:"3" range:"1..50"`
	Lid    lid    `toml:"lid"`
}

type lid struct {
	Glass bool `toml:"glass"`
}

// mark is a number after an M.
type mark int

func (mark) Want() string                   { return `a mark such as "M2"` }
func (mark) Pattern() string                { return `^M[0-9]+$` }
func (m mark) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "M%d", int(m)), nil }

func (m *mark) UnmarshalText(text []byte) error {
	if n, err := fmt.Sscanf(string(text), "M%d", (*int)(m)); n != 1 || err != nil {
		return fmt.Errorf("%q is no mark", text)
	}
	return nil
}

// spice is plain, as text, or a table.
type spice struct {
	Kind  string `toml:"kind" oneof:"plain hot"`
	Level int    `toml:"level"`
}

func (spice) Want() string                  { return `"plain", or a table` }
func (spice) Pattern() string               { return "^plain$" }
func (spice) Noun() string                  { return "taste" }
func (s spice) Short() (string, bool)       { return "plain", s.Kind == "plain" }
func (s *spice) UnmarshalText([]byte) error { *s = spice{Kind: "plain"}; return nil }

var kitchens = New[kitchen]("oven.racks or pot[0].litres")

const small = "version = 1\nname = 'galley'\n"

func read(src string, set []string, files Files) (kitchen, error) {
	k := conf.DefaultOf[kitchen](kitchens.Keys)
	d := kitchens.Read("k.toml", []byte(src), set)
	d.Include("oven.row_file", "oven.row", files)
	d.Decode(&k)
	return k, d.Err()
}

func TestFileIsReadOverTheDefaults(t *testing.T) {
	k, err := read("\xef\xbb\xbf"+small+`heat = 1
mark = "M7"
marks = ["M1", "M2"]
spice = "plain"
sizes = [1, 2.5]
[oven]
racks = 0x3
[[pot]]
[[pot]]
name = "wok"
lid.glass = true
`, []string{"gas=false", "pot[pan].litres=9", "oven.row=[{depth = 1, trays = 2}]"}, nil)
	want := kitchen{Version: 1, Name: "galley", Heat: 1, Knob: "low", Mark: 7, Spice: spice{Kind: "plain"},
		Oven: oven{Racks: 3, Rows: []row{{1, 2}}}, Marks: []mark{1, 2}, Sizes: []float64{1, 2.5},
		Pots: []pot{{"pan", 9, lid{}}, {"wok", 3, lid{true}}}}
	if err != nil || fmt.Sprint(k) != fmt.Sprint(want) {
		t.Fatalf("got  %+v, %v\nwant %+v", k, err, want)
	}
	text := `version = 1
name = "galley"
gas = false
heat = 1.0
knob = "low"
mark = "M7"
spice = "plain"
marks = ["M1", "M2"]
sizes = [1.0, 2.5]

[oven]
racks = 3
row_file = ""

[[oven.row]]
depth = 1.0
trays = 2

[[pot]]
name = "pan"
litres = 9
[pot.lid]
glass = false

[[pot]]
name = "wok"
litres = 3
[pot.lid]
glass = true
`
	if got := string(kitchens.Encode(k)); got != text {
		t.Errorf("got\n%s\nwant\n%s", got, text)
	}
	again, err := read(text, nil, nil)
	if err != nil || fmt.Sprint(again) != fmt.Sprint(want) {
		t.Errorf("read back %+v, %v", again, err)
	}
	for v, want := range map[spice]string{{Kind: "plain"}: "plain", {Kind: "hot"}: `{kind = "hot"}`,
		{"hot", 3}: `{kind = "hot", level = 3}`} {
		if got := kitchens.Inline(v); got != want {
			t.Errorf("%+v: got %s, want %s", v, got, want)
		}
	}
}

func TestUnknownAndWrongKeysOfAFile(t *testing.T) {
	for src, want := range map[string]string{
		"version = ]": "k.toml:1:11: not TOML: ",
		"version = 1": `k.toml:1:1: name: missing, want lower-case letters, digits and ` +
			`hyphens (^[a-z]+$)`,
		small + "heat = 0": "k.toml:3:8: heat: got 0, want more than 0, at most 1",
		small + "gas = 1":  "k.toml:3:7: gas: got 1, want true or false",
		small + "knob = 'hihg'": `k.toml:3:8: knob: got "hihg", want one of low, high (did you mean ` +
			`"high"?)`,
		small + "mark = 'x'":  `k.toml:3:8: mark: "x" is no mark`,
		small + "mark = {}":   `k.toml:3:8: mark: got a table, want a mark such as "M2"`,
		small + "spice = [1]": `k.toml:3:9: spice: got a list, want "plain", or a table`,
		small + "spice = {kind = 'plian'}": `k.toml:3:17: spice.kind: got "plian", want one of plain, hot (did you ` +
			`mean "plain"?)`,
		small + "pot = 3":                 "k.toml:3:7: pot: got 3, want [[pot]] tables",
		small + "oven = 3":                "k.toml:3:8: oven: got 3, want a table",
		small + "[[oven.row]]\ndepth = 1": "k.toml:3:1: oven.row[0].trays: missing, want a whole number 0 to 5",
		small + "litres = 4":              `k.toml:3:1: unknown key "litres", it belongs under [[pot]]`,
		small + "[oven]\nheat = 0.1": `k.toml:4:1: oven: unknown key "heat", it belongs at the top of the ` +
			`file, before the first [table]`,
		small + "[[pot]]\n[pot.lid]\nname=2": `k.toml:5:1: pot[0].lid: unknown key "name", it belongs under [[pot]], ` +
			`before [pot.lid]`,
		"name = 'é' # 1\nversion = 2": "k.toml:1:8: name: got \"é\", want lower-case letters, digits and " +
			"hyphens (^[a-z]+$)\nk.toml:2:11: version: got 2, want 1 to 1",
	} {
		if _, err := read(src, nil, nil); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s:\ngot  %v\nwant %s", src, err, want)
		}
	}
	_, err := read(small, []string{"pot[x]y=3", "oven.rack=3"}, nil)
	var p Problems
	if !errors.As(err, &p) || len(p) != 2 ||
		p[0].Text != `got key "pot[x]y", want one such as oven.racks or pot[0].litres` ||
		p[1] != (Problem{File: "--set", Key: "oven.rack", Text: `unknown key "rack" (did you mean "racks"?)`}) {
		t.Errorf("got %#v", err)
	}
}

func TestRowsOfAnotherFile(t *testing.T) {
	files := func(csv string) Files { return func(string) ([]byte, error) { return []byte(csv), nil } }
	k, err := read(small+"oven.row_file = 'rows.csv'\n", nil, files("trays,depth\n1,2.5\n3,4\n"))
	if err != nil || fmt.Sprint(k.Oven) != "{2 [{2.5 1} {4 3}] }" {
		t.Errorf("got %+v, %v", k.Oven, err)
	}
	_, err = read(small+"oven.row_file = 'rows.csv'\n", nil, files("trays,depth\n1,x\n"))
	if want := `k.toml:3:17: oven.row_file: rows.csv:2:3: got "x", want a number`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	d := kitchens.Read("k.toml", []byte(small+"oven.row_file = 'rows.csv'\n"), nil)
	d.Include("oven.row_file", "oven.row", files("trays\n"))
	none := conf.Problem{Key: "oven.row", Text: "got none"} // since the rows were refused
	if d.Refuse([]error{none}); strings.Contains(d.Err().Error(), none.Text) || d.Sound("oven.row") || !d.Sound("pot") {
		t.Errorf("got %v", d.Err())
	}
	if k, err := read(small+"oven.row_file = 'rows.csv'\n", nil, nil); err != nil || k.Oven.RowFile != "rows.csv" {
		t.Errorf("without files: got %+v, %v", k.Oven, err)
	}
}

func TestSchemaOfAFormat(t *testing.T) {
	text, err := json.Marshal(kitchens.Schema("Kitchen", kitchen{Heat: 0.5, Spice: spice{"hot", 3}}))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"$defs":{"taste":{"anyOf":[{"pattern":"^plain$","type":"string"},{"additionalProperties":false,`,
		`"required":["kind"]`, `"spice":{"$ref":"#/$defs/taste"}`, `"required":["name","version"]`,
		`"mark":{"default":"M0","pattern":"^M[0-9]+$","type":"string"}`,
		`"heat":{"default":0.5,"exclusiveMinimum":0,"maximum":1,"type":"number"}`,
		`"name":{"description":"on the door","pattern":"^[a-z]+$","type":"string"}`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

func TestPathsOfAFormat(t *testing.T) {
	var all []string
	for _, p := range kitchens.Paths() {
		all = append(all, p.Path)
	}
	if got, want := strings.Join(all, " "),
		"version name gas heat knob mark spice oven.racks oven.row[].depth oven.row[].trays oven.row_file pot[].name "+
			"pot[].litres pot[].lid.glass marks sizes"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Many goroutines may read files of one format, as a study does; see go test -race.
func TestFileAtOnce(t *testing.T) {
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			k, err := read(small, []string{"pot=[{}]"}, nil)
			if err != nil || k.Pots[0].Litres != 3 {
				t.Errorf("got %+v, %v", k, err)
			}
			kitchens.Encode(k)
		})
	}
	all.Wait()
}
