package scenarios

import (
	"cmp"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"flyball/internal/conf"
)

// mostHints is the number of unknown keys of a file that get a hint. A hint is costly: it compares the key with the
// keys of all tables. The number exceeds mostShown because the problems to show are chosen later, by their place.
const mostHints = 4 * mostShown

// mostOwners is the number of tables that a hint may name. A key that more tables have gets no such hint.
const mostOwners = 3

// hint returns a suggestion for a key that the innermost open table does not have, with its leading comma or
// parenthesis. The commonest slip in TOML is a key after the wrong header, so the tables around come first, nearest
// first. A key of --set names its table, so only that table counts.
func (b *binder) hint(name string, inFile bool) string {
	if b.hints++; b.hints > mostHints {
		return ""
	}
	here := b.open[len(b.open)-1]
	around := b.open[:len(b.open)-1]
	if !inFile {
		around = nil
	}
	for i, t := range slices.Backward(around) {
		if _, ok := fieldNamed(t.fields, name); ok {
			b.mention(below(t.path, name)) // it is not missing there: it is here
			return ", it belongs " + b.place(i)
		}
	}
	if near := conf.Nearest(name, names(here.fields)); near != "" {
		b.mention(below(here.path, near))
		return conf.DidYouMean(name, names(here.fields))
	}
	if owners := b.owners(name); inFile && owners != nil {
		return ", it belongs under " + strings.Join(owners, " or ")
	}
	for i, t := range slices.Backward(around) {
		if near := conf.Nearest(name, names(t.fields)); near != "" {
			b.mention(below(t.path, near))
			return " (did you mean \"" + near + "\" " + b.place(i) + "?)"
		}
	}
	return ", known here: " + list(names(here.fields))
}

// place returns where in the file a key of open table i belongs: before the header that ends that table.
func (b *binder) place(i int) string {
	if i == 0 {
		return "at the top of the file, before the first [table]"
	}
	at := "under " + header(b.open[i].path)
	if next := b.open[i+1]; next.header {
		at += ", before " + header(next.path)
	}
	return at
}

// header returns the header that opens the table at a path: "[governor]", or "[[destination.fail]]" for an element of
// a list.
func header(path string) string {
	plain := regexp.MustCompile(`\[\d+\]`).ReplaceAllString(path, "")
	if strings.HasSuffix(path, "]") {
		return "[[" + plain + "]]"
	}
	return "[" + plain + "]"
}

// owners returns the headers of the tables that have the key and are nearest to the innermost open table; nil if there
// are none or more than mostOwners.
func (b *binder) owners(name string) []string {
	here := b.open[len(b.open)-1].path
	type owner struct {
		header string
		near   int // the greater, the nearer
	}
	var all []owner
	var walk func(t reflect.Type, path string)
	walk = func(t reflect.Type, path string) {
		for _, f := range fieldsOf(t) {
			if f.name == name && path != "" {
				all = append(all, owner{header(path), shared(here, path)})
			}
			switch {
			case isText(f.typ):
			case f.typ.Kind() == reflect.Struct:
				walk(f.typ, below(path, f.name))
			case f.typ.Kind() == reflect.Slice && f.typ.Elem().Kind() == reflect.Struct:
				walk(f.typ.Elem(), conf.Index(below(path, f.name), 0))
			}
		}
	}
	walk(b.file, "")
	slices.SortStableFunc(all, func(x, y owner) int { return cmp.Compare(y.near, x.near) })
	var nearest []string
	for _, o := range all {
		if o.near == all[0].near {
			nearest = append(nearest, o.header)
		}
	}
	if len(nearest) > mostOwners {
		return nil
	}
	return nearest
}

// shared returns how many names two paths have in common at their beginning.
func shared(a, b string) int {
	n := 0
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for n < min(len(x), len(y)) && x[n] != "" && bare(x[n]) == bare(y[n]) {
		n++
	}
	return n
}

// bare returns a step of a path without its index.
func bare(step string) string {
	name, _, _ := strings.Cut(step, "[")
	return name
}
