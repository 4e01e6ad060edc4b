package scenarios

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"flyball/internal/conf"
)

// step is one part of a path: a name, or, if that is empty, an index.
type step struct {
	name  string
	index int
}

// parsePath reads a path such as "destination[1].fail[0].p". The second result
// is what is wrong with it, or empty.
func parsePath(path string) ([]step, string) {
	var steps []step
	for _, part := range strings.Split(path, ".") {
		name, indexes, indexed := strings.Cut(part, "[")
		if name == "" || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return nil, fmt.Sprintf("got key %s, want one such as governor.target or destination[0].share", quote(path))
		}
		steps = append(steps, step{name: name})
		if !indexed {
			continue
		}
		for _, index := range strings.Split(indexes, "[") {
			digits, closed := strings.CutSuffix(index, "]")
			i, err := strconv.Atoi(digits)
			if err != nil || !closed || i < 0 {
				return nil, fmt.Sprintf("got index %s, want one such as [0]", quote("["+index))
			}
			steps = append(steps, step{index: i})
		}
	}
	if len(steps) > maxDepth {
		return nil, fmt.Sprintf("nested more than %d deep", maxDepth)
	}
	return steps, ""
}

// apply lays the entries of the command line over the tree, in their order.
func (n *node) apply(set []string) []fault {
	var faults []fault
	for _, entry := range set {
		key, value, ok := strings.Cut(entry, "=")
		key = strings.TrimSpace(key)
		if !ok || key == "" {
			faults = append(faults, fault{set: shorten(entry), text: "want path.to.key=value"})
			continue
		}
		steps, bad := parsePath(key)
		if bad == "" {
			var v *node
			if v, bad = setValue(key, value); bad == "" {
				bad = n.put(steps, v)
			}
		}
		if bad != "" {
			faults = append(faults, fault{set: shorten(key), text: bad})
		}
	}
	return faults
}

// setValue reads value as TOML. What is not TOML, such as 3h or 140000/h, is a
// string, unless it looks as if it was meant to be TOML.
func setValue(key, value string) (*node, string) {
	if !utf8.ValidString(value) {
		return nil, "got a value that is not UTF-8"
	}
	value = strings.TrimSpace(value)
	root, faults := parse([]byte("value = "+value), key)
	if faults == nil && len(root.names) == 1 {
		return root.fields["value"], ""
	}
	if faults != nil && value != "" && strings.IndexByte("\"'[{", value[0]) >= 0 {
		return nil, "got " + quote(value) + ": " + faults[0].text
	}
	return &node{kind: aString, text: value, set: key}, ""
}

// put sets the value at a path. Missing tables on the way are made, missing
// elements of lists are not.
func (n *node) put(path []step, value *node) string {
	at := ""
	for i, s := range path {
		last := i == len(path)-1
		if s.name == "" {
			if n.kind != aList {
				return fmt.Sprintf("%s is %s, want a list for [%d]", at, n.describe(), s.index)
			}
			if s.index >= len(n.items) {
				return fmt.Sprintf("got index %d, want 0 to %d", s.index, len(n.items)-1)
			}
			if last {
				n.items[s.index] = value
				return ""
			}
			n, at = n.items[s.index], conf.Index(at, s.index)
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
		case last && child == nil:
			n.add(s.name, value)
			return ""
		case last:
			n.fields[s.name] = value
			return ""
		case child == nil && path[i+1].name == "":
			hint := ""
			if near := conf.Nearest(s.name, n.names); near != "" {
				hint = fmt.Sprintf(" (did you mean %q?)", near)
			}
			return fmt.Sprintf("got index %d, but the file has no %s%s", path[i+1].index, at, hint)
		case child == nil:
			child = &node{kind: aTable, set: value.set}
			n.add(s.name, child)
		}
		n = child
	}
	return ""
}
