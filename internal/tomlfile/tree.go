package tomlfile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Limits of a file. They are checked before any recursion, so that no
// file can exhaust memory or stack.
const (
	MaxSize  = 1 << 20
	maxDepth = 20
)

// node is a value of the file together with its place. The file is a tree of
// nodes, not a map, so that every problem has a line and column.
type node struct {
	kind   kind
	text   string // a string's value; anything else as written
	at     int    // byte offset of the value; of a table, of its header
	keyAt  int    // byte offset of its key
	set    *entry // entry of --set that it came from; nil: the file
	closed bool   // complete as written: nothing may be added to it
	header bool   // opened by a [header] of its own
	dotted bool   // made by a dotted key

	names  []string // of a table, in the order of the file
	fields map[string]*node
	items  []*node // of a list
}

type kind uint8

const (
	aString kind = iota
	anInteger
	aFloat
	aBool
	aDate
	aList
	aTable
)

// describe returns the value as text for "got ...".
func (n *node) describe() string {
	switch n.kind {
	case aString:
		return "string " + Quote(n.text)
	case aDate:
		return "the date " + n.text
	case aList:
		return "a list"
	case aTable:
		return "a table"
	}
	return shorten(n.text)
}

func (n *node) add(name string, child *node) {
	if n.fields == nil {
		n.fields = map[string]*node{}
	}
	n.names = append(n.names, name)
	n.fields[name] = child
}

// find returns the node at a path such as "destination[1].fail[0].p", or the
// nearest existing table or list around it.
func (n *node) find(path []step) *node {
	for _, s := range path {
		var child *node
		if s.name != "" {
			child = n.fields[s.name]
		} else if s.index < len(n.items) {
			child = n.items[s.index]
		}
		if child == nil {
			break
		}
		n = child
	}
	return n
}

// reader builds the tree of one file. The parser handles the syntax; the reader
// checks that no key is given twice and that nothing is added to a closed table.
type reader struct {
	p      unstable.Parser
	src    []byte
	set    *entry
	root   *node
	faults []fault
}

// parse reads src, which is TOML from its first byte to its last, into a tree.
func parse(src []byte, set *entry) (*node, []fault) {
	if len(src) > MaxSize {
		return nil, []fault{{set: set, text: fmt.Sprintf("got %d bytes, want at most %d (1 MiB)", len(src), MaxSize)}}
	}
	if !utf8.Valid(src) {
		at := 0
		for {
			r, size := utf8.DecodeRune(src[at:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			at += size
		}
		return nil, []fault{{set: set, at: at, text: fmt.Sprintf("byte 0x%02x is not UTF-8", src[at])}}
	}
	r := reader{src: src, set: set, root: &node{kind: aTable, set: set}}
	r.p.Reset(src)
	r.read()
	return r.root, r.faults
}

func (r *reader) read() {
	table := r.root
	for r.p.NextExpression() {
		e := r.p.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = r.header(e)
		case unstable.KeyValue:
			r.keyValue(table, e, 1)
		}
		if n := len(r.faults); n >= mostShown-1 {
			r.refuse(r.faults[n-1].at, "too many problems: the rest is not read")
			return
		}
	}
	var err *unstable.ParserError
	if errors.As(r.p.Error(), &err) {
		r.refuse(int(r.p.Range(err.Highlight).Offset), "not TOML: %s", err.Message)
	}
}

func (r *reader) refuse(at int, format string, args ...any) {
	r.faults = append(r.faults, fault{set: r.set, at: at, text: fmt.Sprintf(format, args...)})
}

func (r *reader) refuseTwice(at int, name string, first *node) {
	r.faults = append(r.faults, fault{set: r.set, at: at, see: first, text: Quote(name) + " is given twice"})
}

// header opens the table of [a.b] or [[a.b]].
func (r *reader) header(e *unstable.Node) *node {
	keys := keysOf(e)
	at := int(keys[0].Raw.Offset)
	for at > 0 && strings.IndexByte("[ \t", r.src[at-1]) >= 0 {
		at--
	}
	at += len(r.src[at:]) - len(bytes.TrimLeft(r.src[at:], " \t"))
	parent, ok := r.walk(r.root, keys, at, 0, false)
	if !ok {
		return &node{kind: aTable}
	}
	last := keys[len(keys)-1]
	name := string(last.Data)
	t := &node{kind: aTable, at: at, keyAt: int(last.Raw.Offset), set: r.set, header: true}
	old := parent.fields[name]
	switch {
	case e.Kind == unstable.ArrayTable && old == nil:
		parent.add(name, &node{kind: aList, at: at, keyAt: t.keyAt, set: r.set, items: []*node{t}})
	case e.Kind == unstable.ArrayTable && old.kind == aList && !old.closed:
		old.items = append(old.items, t)
	case e.Kind == unstable.Table && old == nil:
		parent.add(name, t)
	case e.Kind == unstable.Table && old.kind == aTable && !old.closed && !old.header && !old.dotted:
		old.header, old.at = true, at // until now only implied by [a.b.c]
		return old
	default:
		r.refuseTwice(t.keyAt, name, old)
	}
	return t
}

// keyValue adds a.b = value to a table.
func (r *reader) keyValue(table *node, e *unstable.Node, depth int) {
	keys := keysOf(e)
	at := int(keys[0].Raw.Offset)
	table, ok := r.walk(table, keys, at, depth, true)
	if !ok {
		return
	}
	last := keys[len(keys)-1]
	name := string(last.Data)
	if old := table.fields[name]; old != nil {
		r.refuseTwice(int(last.Raw.Offset), name, old)
		return
	}
	valueAt := int(last.Raw.Offset + last.Raw.Length)
	for strings.IndexByte(" \t=", r.src[valueAt]) >= 0 {
		valueAt++
	}
	child := r.value(e.Value(), valueAt, depth+len(keys)-1)
	child.keyAt = int(last.Raw.Offset)
	table.add(name, child)
}

// walk follows all parts of a key but the last and creates missing tables. A
// dotted key may add only to tables made by dotted keys; a header may add to all
// tables that are not closed. It returns false if it refused the key.
func (r *reader) walk(n *node, keys []unstable.Node, at, depth int, dotted bool) (*node, bool) {
	if depth+len(keys) > maxDepth {
		r.tooDeep(at)
		return nil, false
	}
	for _, k := range keys[:len(keys)-1] {
		name := string(k.Data)
		child := n.fields[name]
		if child == nil {
			child = &node{kind: aTable, at: at, keyAt: int(k.Raw.Offset), set: r.set, dotted: dotted}
			n.add(name, child)
		}
		if child.kind == aList && !child.closed && !dotted {
			child = child.items[len(child.items)-1]
		}
		if child.kind != aTable || child.closed || dotted && !child.dotted {
			r.faults = append(r.faults, fault{set: r.set, at: int(k.Raw.Offset), see: child,
				text: Quote(name) + " is complete as given, nothing can be added"})
			return nil, false
		}
		n = child
	}
	return n, true
}

func (r *reader) tooDeep(at int) { r.refuse(at, "nested more than %d deep", maxDepth) }

// value copies a value out of the parser. The parser gives no place for a list
// inside a list, so the inner list gets the place of the outer one.
func (r *reader) value(v *unstable.Node, at, depth int) *node {
	n := &node{at: at, keyAt: at, set: r.set, text: string(v.Data), closed: true}
	switch v.Kind {
	case unstable.String:
		n.kind = aString
	case unstable.Integer:
		n.kind = anInteger
	case unstable.Float:
		n.kind = aFloat
	case unstable.Bool:
		n.kind = aBool
	case unstable.Array, unstable.InlineTable:
		n.kind = aList
		if v.Kind == unstable.InlineTable {
			n.kind = aTable
		}
		n.text = ""
		if depth >= maxDepth {
			r.tooDeep(at)
			return n
		}
		n.closed = false // while it is being filled
		for it := v.Children(); it.Next() && len(r.faults) < mostShown-1; {
			child := it.Node()
			switch {
			case n.kind == aTable:
				r.keyValue(n, child, depth+1)
			case child.Raw.Length == 0:
				n.items = append(n.items, r.value(child, at, depth+1))
			default:
				n.items = append(n.items, r.value(child, int(child.Raw.Offset), depth+1))
			}
		}
		n.closed = true
	default:
		n.kind = aDate
	}
	return n
}

// keysOf copies the parts of a dotted key.
func keysOf(e *unstable.Node) []unstable.Node {
	var keys []unstable.Node
	for it := e.Key(); it.Next(); {
		keys = append(keys, *it.Node())
	}
	return keys
}
