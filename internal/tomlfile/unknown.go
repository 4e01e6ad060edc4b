package tomlfile

import (
	"cmp"
	"reflect"
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
func (d *Document) hint(name string, inFile bool) string {
	if d.hints++; d.hints > mostHints {
		return ""
	}
	here := d.open[len(d.open)-1]
	around := d.open[:len(d.open)-1]
	if !inFile {
		around = nil
	}
	for i, t := range slices.Backward(around) {
		if _, ok := keyNamed(t.keys, name); ok {
			d.mention(conf.Below(t.path, name)) // it is not missing there: it is here
			return ", it belongs " + d.place(i)
		}
	}
	if near := conf.Nearest(name, names(here.keys)); near != "" {
		d.mention(conf.Below(here.path, near))
		return conf.DidYouMean(name, names(here.keys))
	}
	if owners := d.owners(name); inFile && owners != nil {
		return ", it belongs under " + strings.Join(owners, " or ")
	}
	for i, t := range slices.Backward(around) {
		if near := conf.Nearest(name, names(t.keys)); near != "" {
			d.mention(conf.Below(t.path, near))
			return " (did you mean \"" + near + "\" " + d.place(i) + "?)"
		}
	}
	return ", known here: " + list(names(here.keys))
}

// place returns where in the file a key of open table i belongs: before the header that ends that table.
func (d *Document) place(i int) string {
	if i == 0 {
		return "at the top of the file, before the first [table]"
	}
	at := "under " + header(d.open[i].path)
	if next := d.open[i+1]; next.header {
		at += ", before " + header(next.path)
	}
	return at
}

// header returns the header that opens the table at a path: "[governor]", or "[[destination.fail]]" for an element of
// a list.
func header(path string) string {
	plain := index.ReplaceAllString(path, "")
	if strings.HasSuffix(path, "]") {
		return "[[" + plain + "]]"
	}
	return "[" + plain + "]"
}

// owners returns the headers of the tables that have the key and are nearest to the innermost open table; nil if there
// are none or more than mostOwners.
func (d *Document) owners(name string) []string {
	here := d.open[len(d.open)-1].path
	type owner struct {
		header string
		near   int // the greater, the nearer
	}
	var all []owner
	var walk func(t reflect.Type, path string)
	walk = func(t reflect.Type, path string) {
		for _, k := range d.format.Keys.Of(t) {
			at := conf.Below(path, k.Name)
			if k.Name == name && path != "" {
				all = append(all, owner{header(path), shared(here, path)})
			}
			switch {
			case isTable(k.Type):
				walk(k.Type, at)
			case isTables(k.Type):
				walk(k.Type.Elem(), conf.Index(at, 0))
			}
		}
	}
	walk(d.format.root, "")
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
