package scenarios

import (
	"fmt"
	"reflect"
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
func parsePath(path string) ([]step, string) {
	var steps []step
	for rest := path; ; {
		end := strings.IndexAny(rest+".", ".[")
		name := rest[:end]
		if name == "" || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return nil, fmt.Sprintf("got key %s, want one such as governor.target or destination[0].share", quote(path))
		}
		steps = append(steps, step{name: name})
		for rest = rest[end:]; strings.HasPrefix(rest, "["); {
			inside, after, closed := strings.Cut(rest[1:], "]")
			i, err := strconv.Atoi(inside)
			switch {
			case !closed || inside == "" || err == nil && i < 0:
				return nil, fmt.Sprintf("got %s, want an index such as [0], or a name such as [big]",
					quote(rest[:len(rest)-len(after)]))
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
			return nil, fmt.Sprintf("got key %s, want one such as governor.target or destination[0].share", quote(path))
		}
		rest = rest[1:]
	}
}

// apply sets the entries of the command line in the tree, in their order.
func (n *node) apply(set []string) []fault {
	var faults []fault
	for _, given := range set {
		key, value, ok := strings.Cut(given, "=")
		key = strings.TrimSpace(key)
		if !ok || key == "" {
			faults = append(faults, fault{set: &entry{typed: shorten(given)}, text: "want path.to.key=value"})
			continue
		}
		from := &entry{typed: key, path: key}
		steps, bad := parsePath(key)
		if bad == "" {
			var v *node
			if v, bad = setValue(from, value); bad == "" {
				bad = n.put(steps, v)
			}
		}
		if bad != "" {
			faults = append(faults, fault{set: &entry{typed: shorten(key)}, text: bad})
		}
	}
	return faults
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
		return nil, "got " + quote(value) + ": " + faults[0].text
	}
	return &node{kind: aString, text: value, set: from}, ""
}

// put sets the value at a path and completes its entry. It creates missing tables on the way, but not missing elements
// of lists. The result describes what is wrong, or is empty.
func (n *node) put(path []step, value *node) string {
	at := ""
	for i, s := range path {
		last := i == len(path)-1
		if s.name == "" {
			if n.kind != aList {
				return fmt.Sprintf("%s is %s, want a list for %s", at, n.describe(), s)
			}
			if s.element != "" {
				var bad string
				if s.index, bad = n.named(at, s.element); bad != "" {
					return bad
				}
			}
			if s.index >= len(n.items) {
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
		at = below(at, s.name)
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

// named returns the index of the element called name in the list at path, or a description of what is wrong. An element
// without a name of its own has the default name of its kind, as a server does.
func (n *node) named(path, name string) (int, string) {
	var known []string
	for i, item := range n.items {
		called := defaultName(path)
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
	return 0, fmt.Sprintf("no %s is called %s, want one of %s%s", path, quote(name), shorten(list(known)),
		conf.DidYouMean(name, known))
}

// defaultName returns the default name of the elements of the list at path; empty if they have none.
func defaultName(path string) string {
	f, ok := fieldNamed(fieldsOf(reflect.TypeFor[Scenario]()), path)
	if !ok || f.typ.Kind() != reflect.Slice || f.typ.Elem().Kind() != reflect.Struct {
		return ""
	}
	element := newElement(f.typ.Elem())
	name, ok := fieldNamed(fieldsOf(element.Type()), "name")
	if !ok {
		return ""
	}
	return element.Field(name.index).String()
}
