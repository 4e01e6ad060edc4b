package tomlfile

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"flyball/internal/conf"
)

// entry is one entry of --set.
type entry struct {
	typed string // its path as typed, such as "destination[big].cap"
	path  string // with an index in the place of each name, such as "destination[0].cap"
}

// step is one part of a path: a key of a table, or, if name is empty, an element of a list, by its index or by its own
// name.
type step struct {
	name    string
	index   int
	element string // its name; empty: by index
}

// parsePath parses a path such as "destination[1].fail[0].p" or "destination[big].cap". The second result describes
// what is wrong with the path; it is empty if nothing is.
func (f *Format) parsePath(path string) ([]step, string) {
	var steps []step
	for rest := path; ; {
		end := strings.IndexAny(rest+".", ".[")
		name := rest[:end]
		if name == "" || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return nil, fmt.Sprintf("got key %s, want one such as %s", Quote(path), f.example)
		}
		steps = append(steps, step{name: name})
		for rest = rest[end:]; strings.HasPrefix(rest, "["); {
			inside, after, closed := strings.Cut(rest[1:], "]")
			i, err := strconv.Atoi(inside)
			switch {
			case !closed || inside == "" || err == nil && i < 0:
				return nil, fmt.Sprintf("got %s, want an index such as [0], or a name such as [big]",
					Quote(rest[:len(rest)-len(after)]))
			case err == nil:
				steps = append(steps, step{index: i})
			default:
				steps = append(steps, step{element: inside})
			}
			rest = after
		}
		if len(steps) > maxDepth {
			return nil, fmt.Sprintf("nested more than %d deep", maxDepth)
		}
		if rest == "" {
			return steps, ""
		}
		if rest[0] != '.' {
			return nil, fmt.Sprintf("got key %s, want one such as %s", Quote(path), f.example)
		}
		rest = rest[1:]
	}
}

// apply sets the entries of the command line in the tree, in their order.
func (d *Document) apply(set []string) {
	for _, given := range set {
		key, value, ok := strings.Cut(given, "=")
		key = strings.TrimSpace(key)
		if !ok || key == "" {
			d.faults = append(d.faults, fault{set: &entry{typed: shorten(given)}, text: "want path.to.key=value"})
			continue
		}
		from := &entry{typed: key, path: key}
		steps, bad := d.format.parsePath(key)
		if bad == "" {
			var v *node
			if v, bad = setValue(from, value); bad == "" {
				bad = d.put(steps, v)
			}
		}
		if bad != "" {
			d.faults = append(d.faults, fault{set: &entry{typed: shorten(key)}, text: bad})
		}
	}
}

// setValue parses value as TOML. A text that is not TOML, such as 3h or
// 140000/h, becomes a string, unless its first character shows that it was
// meant to be TOML. The second result describes what is wrong, or is empty.
func setValue(from *entry, value string) (*node, string) {
	if !utf8.ValidString(value) {
		return nil, "got a value that is not UTF-8"
	}
	value = strings.TrimSpace(value)
	root, faults := parse([]byte("value = "+value), from)
	if faults == nil && len(root.names) == 1 {
		return root.fields["value"], ""
	}
	if faults != nil && value != "" && strings.IndexByte("\"'[{", value[0]) >= 0 {
		return nil, "got " + Quote(value) + ": " + faults[0].text
	}
	return &node{kind: aString, text: value, set: from}, ""
}

// put sets the value at a path and completes its entry. It creates missing tables on the way, but not missing elements
// of lists. The result describes what is wrong, or is empty.
func (d *Document) put(path []step, value *node) string {
	n, at := d.root, ""
	for i, s := range path {
		last := i == len(path)-1
		if s.name == "" {
			if n.kind != aList {
				return fmt.Sprintf("%s is %s, want a list for %s", at, n.describe(), s)
			}
			if s.element != "" {
				var bad string
				if s.index, bad = d.named(n, at, s.element); bad != "" {
					return bad
				}
			}
			switch {
			case len(n.items) == 0:
				return fmt.Sprintf("got [%d], but %s is empty", s.index, at)
			case s.index >= len(n.items):
				return fmt.Sprintf("got index %d, want 0 to %d", s.index, len(n.items)-1)
			}
			at = conf.Index(at, s.index)
			if last {
				value.set.path = at
				n.items[s.index] = value
				return ""
			}
			n = n.items[s.index]
			continue
		}
		switch n.kind {
		case aTable:
		case aList:
			return fmt.Sprintf("%s is a list of %d, want an index such as %s[0].%s", at, len(n.items), at, s.name)
		default:
			return fmt.Sprintf("%s is %s, want a table for %s", at, n.describe(), s.name)
		}
		child := n.fields[s.name]
		at = conf.Below(at, s.name)
		switch {
		case last:
			value.set.path = at
			if child == nil {
				n.add(s.name, value)
			}
			n.fields[s.name] = value
			return ""
		case child == nil && path[i+1].name == "":
			return fmt.Sprintf("got %s, but the file has no %s%s", path[i+1], at, conf.DidYouMean(s.name, n.names))
		case child == nil:
			child = &node{kind: aTable, set: value.set}
			n.add(s.name, child)
		}
		n = child
	}
	return ""
}

// String returns the step as it is written in a path.
func (s step) String() string {
	switch {
	case s.name != "":
		return s.name
	case s.element != "":
		return "[" + s.element + "]"
	}
	return fmt.Sprintf("[%d]", s.index)
}

// named returns the index of the element called name in n, the list at path, or a description of what is wrong. An
// element without a name of its own has the default name of its kind.
func (d *Document) named(n *node, path, name string) (int, string) {
	var known []string
	for i, item := range n.items {
		called := d.format.defaultName(path)
		if given := item.fields["name"]; given != nil && given.kind == aString {
			called = given.text
		}
		if called == name {
			return i, ""
		}
		if called != "" {
			known = append(known, called)
		}
	}
	if known == nil {
		return 0, fmt.Sprintf("got %s[%s], want an index such as %s[0]: none of its %d elements has a name", path,
			shorten(name), path, len(n.items))
	}
	return 0, fmt.Sprintf("no %s is called %s, want one of %s%s", path, Quote(name), shorten(list(known)),
		conf.DidYouMean(name, known))
}

// defaultName returns the default name of the elements of the top-level list at path; empty if they have none.
func (f *Format) defaultName(path string) string {
	k, ok := keyNamed(f.Keys.Of(f.root), path)
	if !ok || !isTables(k.Type) {
		return ""
	}
	element := f.Element(k.Type.Elem())
	name, ok := keyNamed(f.Keys.Of(element.Type()), "name")
	if !ok {
		return ""
	}
	return element.Field(name.Index).String()
}
