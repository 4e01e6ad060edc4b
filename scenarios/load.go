package scenarios

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"

	"flyball/internal/conf"
	"flyball/netmodel"
)

// SchemaVersion is the version of the file format that this program reads.
const SchemaVersion = 1

// Default returns the default Scenario. It lacks the parts that only an author
// can supply: a name, destinations and campaigns.
func Default() Scenario {
	s := conf.DefaultOf[Scenario](keys)
	s.Retry.Delays = slices.Clone(s.Retry.Delays)
	s.Servers = []netmodel.Server{netmodel.DefaultServer()}
	return s
}

// Load decodes a scenario: the defaults, then src, then the entries of set, each
// "path.to.key=value". Problems call the file name. The error is of type
// Problems and holds all problems, not only the first one. After a syntax error
// the rest is not checked.
func Load(name string, src []byte, set []string) (*Scenario, error) {
	return LoadWith(name, src, set, nil)
}

// LoadWith decodes a scenario as Load does, and reads the files that it names
// with files.
func LoadWith(name string, src []byte, set []string, files Files) (*Scenario, error) {
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	root, faults := parse(src, nil)
	if faults != nil {
		return nil, report(name, src, faults)
	}
	faults = root.apply(set)
	if other := otherVersion(root); other != nil {
		return nil, report(name, src, other)
	}

	inFile := root.includeTable(files)
	s := Default()
	b := newBinder()
	for _, f := range inFile {
		b.mention("retry.table")
		faults = append(faults, f)
	}
	b.table(root, reflect.ValueOf(&s).Elem(), "")
	faults = append(faults, b.faults...)
	for _, err := range s.Validate() {
		if f := locate(root, err); !b.mentioned(f.key) {
			faults = append(faults, f)
		}
	}
	if faults != nil {
		return nil, report(name, src, faults)
	}
	if n := len(Resolved(&s)); n > MaxSize { // Load must accept the resolved file
		return nil, Problems{{File: name,
			Text: fmt.Sprintf("got %d bytes with every value spelled out, want at most %d (1 MiB)", n, MaxSize)}}
	}
	return &s, nil
}

// otherVersion returns one fault if the file has another schema version: its
// other problems would only mislead.
func otherVersion(root *node) []fault {
	n := root.fields["schema_version"]
	if n == nil {
		return nil
	}
	if v, ok := n.integer(); !ok || v == SchemaVersion {
		return nil
	}
	return []fault{{set: n.set, at: n.at, key: "schema_version",
		text: "scenario version " + shorten(n.text) + ", this program reads 1"}}
}

// locate returns err as a fault at the place of its value in the file, or, if
// the value is a default, of the nearest table around it.
func locate(root *node, err error) fault {
	p, ok := err.(conf.Problem)
	if !ok {
		return fault{text: err.Error()}
	}
	path, bad := parsePath(p.Key)
	if bad != "" {
		panic("a problem with key " + p.Key)
	}
	n := root.find(path)
	return fault{set: n.set, at: n.at, key: p.Key, text: p.Text}
}
