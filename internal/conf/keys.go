package conf

import (
	"encoding"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Key is one key of a config: everything that a struct field declares about it. Help, schema, defaults, validation,
// the tables in docs and the list of assumptions all come from here. The comment above the field, which go generate
// writes into a method KeyDoc of the struct, gives what the key means and, on a last line that begins with
// "Source: ", how sure the number is and why: "measured: ...", "derived: ...", "assumed: ..."; "scenario" for what
// only the author of a scenario can choose; none for names, orders and reply codes. All else are tags:
//
//	toml      name in a file. "name,omitdefault": a resolved file leaves the key out at its default, so that
//	          files written before the key was added keep their identity
//	default   value if a file does not give the key, as in a file but without quotes; none: zero
//	range     least and greatest value, "0..1" or ">0s..30d" where the least is excluded
//	oneof     the words that the value is one of
//	pattern   regular expression that the value matches
//	required  "true": a file must give the key
//	unit      "processes": a number of MTA processes; "moment": a point in time, which a file gives as a time after
//	          the start or, if the start has a date, as a clock time
type Key struct {
	Index       int // index of the struct field
	Name        string
	Doc         string
	Type        reflect.Type
	Default     string
	Low, High   string // the range as written; empty: none
	Open        bool   // Low is excluded
	OneOf       []string
	Pattern     string
	Required    bool
	OmitDefault bool
	Unit        string
	Status      string // the part of source before ": "
	Source      string

	low, high float64
	pattern   *regexp.Regexp
	usual     reflect.Value // the default
}

// documented is a config with comments above its keys. KeyDoc returns them without line breaks.
type documented interface {
	KeyDoc(key string) (doc, source string)
}

// Choice is a word that the value of a key may be, and what the word means.
type Choice struct{ Name, Doc string }

// chooser is a config with keys whose words are in a table of the program instead of
// a tag. Choices returns nil for any other key.
type chooser interface{ Choices(key string) []Choice }

// Keys is what the tags of a struct, and of all structs in it, declare. Keys do
// not change after Declare.
type Keys struct {
	root  reflect.Type
	known map[reflect.Type][]Key
	usual map[reflect.Type]reflect.Value

	patterns patterns
}

// patterns are compiled patterns by their text. Many keys have the same, and to compile one takes long.
type patterns map[string]*regexp.Regexp

func (p patterns) compile(text string) *regexp.Regexp {
	if p[text] == nil {
		p[text] = regexp.MustCompile(text)
	}
	return p[text]
}

// Declare reads the tags of T. It panics if a tag cannot be read, which is a
// mistake in the program.
func Declare[T any]() *Keys {
	k := &Keys{reflect.TypeFor[T](), map[reflect.Type][]Key{}, map[reflect.Type]reflect.Value{}, patterns{}}
	k.visit(k.root)
	return k
}

func (k *Keys) visit(t reflect.Type) {
	switch {
	case t.Kind() == reflect.Slice:
		k.visit(t.Elem())
	case t.Kind() == reflect.Struct && k.known[t] == nil:
		k.known[t] = read(t, k.patterns)
		for i := range t.NumField() {
			if t.Field(i).IsExported() {
				k.visit(t.Field(i).Type)
			}
		}
		for i, key := range k.known[t] {
			if usual, ok := k.usual[key.Type]; ok && key.Default == "" {
				k.known[t][i].usual = usual
			}
		}
		k.usual[t] = k.defaults(t)
	}
}

// Of returns the keys of a struct type, in the order of its fields.
func (k *Keys) Of(t reflect.Type) []Key {
	if all, ok := k.known[t]; ok {
		return all
	}
	return read(t, patterns{})
}

// Default returns the defaults of a struct type. The caller must not change
// what its slices hold.
func (k *Keys) Default(t reflect.Type) reflect.Value {
	if v, ok := k.usual[t]; ok {
		return v
	}
	other := &Keys{t, map[reflect.Type][]Key{}, map[reflect.Type]reflect.Value{}, patterns{}}
	other.visit(t)
	if v, ok := other.usual[t]; ok {
		return v
	}
	return reflect.Zero(t)
}

// DefaultOf returns the defaults of T, which must be in what k declares.
func DefaultOf[T any](k *Keys) T { return k.Default(reflect.TypeFor[T]()).Interface().(T) }

// read returns the keys of a struct type: its exported fields that have a toml
// tag.
func read(t reflect.Type, compiled patterns) []Key {
	all := make([]Key, 0, t.NumField())
	zero := reflect.Zero(t).Interface()
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		name, option, _ := strings.Cut(tag.Get("toml"), ",")
		if name == "" {
			continue
		}
		key := Key{Index: i, Name: name, Type: t.Field(i).Type, Default: tag.Get("default"),
			Pattern: tag.Get("pattern"), Required: tag.Get("required") == "true", OmitDefault: option == "omitdefault",
			OneOf: strings.Fields(tag.Get("oneof")), Unit: tag.Get("unit")}
		if d, ok := zero.(documented); ok {
			doc, source := d.KeyDoc(name)
			key.Doc = doc
			key.Status, key.Source, _ = strings.Cut(source, ": ")
		}
		if c, ok := zero.(chooser); ok {
			key.choose(c.Choices(name))
		}
		if len(key.OneOf) == 0 {
			key.OneOf = nil
		}
		if key.Pattern != "" {
			key.pattern = compiled.compile(key.Pattern)
		}
		key.readRange(t, tag.Get("range"))
		key.usual = reflect.New(key.Type).Elem()
		if key.Default != "" {
			if err := set(key.usual, key.Default); err != nil {
				panic(fmt.Sprintf("conf: default %q of %s of %s: %v", key.Default, name, t, err))
			}
		}
		all = append(all, key)
	}
	return all
}

// choose sets the words of a key from a table, and adds their meaning to its doc.
func (key *Key) choose(choices []Choice) {
	var means []string
	for _, c := range choices {
		key.OneOf = append(key.OneOf, c.Name)
		if c.Doc != "" {
			means = append(means, c.Name+" "+c.Doc)
		}
	}
	if len(means) > 0 {
		key.Doc += ": " + strings.Join(means, "; ")
	}
}

func (key *Key) readRange(t reflect.Type, text string) {
	if text == "" {
		return
	}
	low, high, ok := strings.Cut(text, "..")
	low, key.Open = strings.CutPrefix(low, ">")
	key.Low, key.High = low, high
	of := key.Type
	if of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	for _, end := range []struct {
		text string
		v    *float64
	}{{low, &key.low}, {high, &key.high}} {
		v := reflect.New(of).Elem()
		if err := set(v, end.text); err != nil || !ok {
			panic(fmt.Sprintf("conf: range %q of %s of %s: %v", text, key.Name, t, err))
		}
		*end.v, _ = numeric(v)
	}
}

// defaults fills a struct: each key with its default, each struct with its own.
func (k *Keys) defaults(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	for _, key := range k.known[t] {
		v.Field(key.Index).Set(key.usual)
	}
	return v
}

// set reads a value from a tag: text as its type reads it, a list between
// commas, a table as its first value and then names and values ("gamma mean
// 80ms shape 2").
func set(v reflect.Value, text string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		err := u.UnmarshalText([]byte(text))
		if err == nil || v.Kind() != reflect.Struct {
			return err
		}
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		return nil
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		v.SetBool(b)
		return err
	case reflect.Int:
		i, err := strconv.ParseInt(text, 10, 64)
		v.SetInt(i)
		return err
	case reflect.Uint64:
		i, err := strconv.ParseUint(text, 10, 64)
		v.SetUint(i)
		return err
	case reflect.Float64:
		x, err := strconv.ParseFloat(text, 64)
		v.SetFloat(x)
		return err
	case reflect.Slice:
		for part := range strings.SplitSeq(text, ", ") {
			one := reflect.New(v.Type().Elem()).Elem()
			if err := set(one, part); err != nil {
				return err
			}
			v.Set(reflect.Append(v, one))
		}
		return nil
	case reflect.Struct:
		return setTable(v, strings.Fields(text))
	}
	return fmt.Errorf("no way to read a %s", v.Type())
}

func setTable(v reflect.Value, words []string) error {
	keys := read(v.Type(), patterns{})
	if len(words)%2 == 0 {
		return fmt.Errorf("got %d words, want the first value, then names and values", len(words))
	}
	words = append([]string{keys[0].Name}, words...)
	for ; len(words) > 0; words = words[2:] {
		i := slices.IndexFunc(keys, func(k Key) bool { return k.Name == words[0] })
		if i < 0 {
			return fmt.Errorf("unknown key %q", words[0])
		}
		if err := set(v.Field(keys[i].Index), words[1]); err != nil {
			return err
		}
	}
	return nil
}

// numeric returns a number, a time, a rate or a size as a float.
func numeric(v reflect.Value) (float64, bool) {
	switch v.Kind() {
	case reflect.Int, reflect.Int64:
		return float64(v.Int()), true
	case reflect.Uint64:
		return float64(v.Uint()), true
	case reflect.Float64:
		return v.Float(), true
	}
	return 0, false
}

// Bounds returns the range of a key that has one, as numbers: times in
// nanoseconds, rates per hour, sizes in bytes.
func (key Key) Bounds() (low, high float64) { return key.low, key.high }

// Moment reports whether the values of the key are points in time.
func (key Key) Moment() bool { return key.Unit == "moment" }

// InRange reports whether x is in the range of the key, if it has one.
func (key Key) InRange(x float64) bool {
	return key.Low == "" || x <= key.high && (x > key.low || x == key.low && !key.Open)
}

// Absent reports whether v can only mean that the key is not given: it is zero and
// the tags of the key forbid that.
func (key Key) Absent(v reflect.Value) bool {
	if g, ok := v.Interface().(interface{ Given() bool }); ok {
		return !g.Given()
	}
	switch v.Kind() {
	case reflect.String:
		return v.String() == "" && !key.Allows("")
	case reflect.Int:
		return v.Int() == 0 && !key.InRange(0)
	case reflect.Float64:
		return v.Float() == 0 && !key.InRange(0)
	}
	return false
}

// Allows reports whether a string is one of the words, or matches the pattern.
func (key Key) Allows(s string) bool {
	if key.OneOf != nil {
		return slices.Contains(key.OneOf, s)
	}
	return key.pattern == nil || key.pattern.MatchString(s)
}

// IsDefault reports whether v is the default of the key. Empty and nil lists are
// equal.
func (key Key) IsDefault(v reflect.Value) bool {
	if v.Kind() == reflect.Slice && v.Len() == 0 && key.usual.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(v.Interface(), key.usual.Interface())
}

// Within returns the range in words: "0 to 1", or "more than 0, at most 1".
func (key Key) Within() string {
	if key.Open {
		return "more than " + key.Low + ", at most " + key.High
	}
	return key.Low + " to " + key.High
}

// idler is a config with keys that have no meaning beside its other values.
type idler interface{ Idle(key string) bool }

// switchable is a table for something that may be switched off by its own
// values.
type switchable interface{ Off() bool }

// Idle reports whether a key of the struct v has no meaning beside the other
// values of v, so that a resolved file leaves the key out.
func (key Key) Idle(v reflect.Value) bool {
	field := v.Field(key.Index)
	if key.OmitDefault && key.IsDefault(field) {
		return true
	}
	if s, ok := field.Interface().(switchable); ok && s.Off() {
		return true
	}
	i, ok := v.Interface().(idler)
	return ok && i.Idle(key.Name)
}

// Check adds a problem to l for each value in the struct v, and in structs and
// lists in it, that the tags forbid. For a struct with a method Validate, its
// problems are added instead. Keys named in except are left out. Zero means that a
// key is not given if the key is idle, or has no default and is not required.
func (k *Keys) Check(l *List, v any, except ...string) {
	k.check(l, reflect.ValueOf(v), "", false, except)
}

func (k *Keys) check(l *List, v reflect.Value, path string, idle bool, except []string) {
	for _, key := range k.Of(v.Type()) {
		if !slices.Contains(except, key.Name) {
			k.value(l, key, v.Field(key.Index), path+key.Name, idle || key.Idle(v))
		}
	}
}

func (k *Keys) value(l *List, key Key, v reflect.Value, path string, idle bool) {
	if (idle || key.Default == "" && !key.Required && v.Kind() != reflect.Struct) && v.IsZero() {
		return
	}
	if c, ok := v.Interface().(interface{ Validate() []error }); ok {
		l.Within(path, c.Validate())
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if k.known[v.Type()] != nil {
			k.check(l, v, path+".", idle, nil)
		}
	case reflect.Slice:
		element := key
		element.Required = true
		for i := range v.Len() {
			k.value(l, element, v.Index(i), Index(path, i), false)
		}
	case reflect.String:
		if key.OneOf != nil {
			l.Check(key.Allows(v.String()), path, "got %q, want one of %s", v.String(), strings.Join(key.OneOf, ", "))
		}
	default:
		if x, ok := numeric(v); ok {
			l.Check(key.InRange(x), path, "got %v, want %s", v.Interface(), key.Within())
		}
	}
}

// CheckIdle adds a problem for each key of the struct v that has no meaning
// beside the other values of v and is neither zero nor at its default. The
// function why returns the reason, such as `law = "hold" has no use for it`, or
// nothing for a key that may be set all the same.
func (k *Keys) CheckIdle(l *List, v any, why func(key string) string) {
	s := reflect.ValueOf(v)
	usual := k.Default(s.Type())
	for _, key := range k.Of(s.Type()) {
		value := s.Field(key.Index)
		unset := value.IsZero() || key.IsDefault(value) || reflect.DeepEqual(value.Interface(),
			usual.Field(key.Index).Interface())
		if i, ok := v.(idler); ok && !unset && i.Idle(key.Name) {
			if reason := why(key.Name); reason != "" {
				l.Check(false, key.Name, "got a value, want none: %s", reason)
			}
		}
	}
}

// Scale multiplies the numbers of the struct v, and of structs and lists in it,
// whose keys are chosen. The struct must be settable.
func (k *Keys) Scale(v reflect.Value, factor float64, chosen func(Key) bool) {
	for _, key := range k.Of(v.Type()) {
		switch field := v.Field(key.Index); {
		case field.Kind() == reflect.Float64 && chosen(key):
			field.SetFloat(field.Float() * factor)
		case field.Kind() == reflect.Struct:
			k.Scale(field, factor, chosen)
		case field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct:
			for i := range field.Len() {
				k.Scale(field.Index(i), factor, chosen)
			}
		}
	}
}
