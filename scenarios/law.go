package scenarios

import (
	"bytes"
	"reflect"

	"flyball/governor"
	"flyball/internal/conf"
)

// LoadGovernor reads the [governor] table of any TOML file, including a
// scenario, and applies the entries of set, each "governor.key=value". It
// ignores other tables. It refuses scope = "cluster", because it has no servers
// to divide C among. The error is of type Problems.
func LoadGovernor(name string, src []byte, set []string) (governor.Config, error) {
	law := governor.Default()
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	root, faults := parse(src, nil)
	if faults != nil {
		return law, report(name, src, faults)
	}
	faults = root.apply(set)
	table := root.fields["governor"]
	if table == nil || table.kind != aTable {
		hint := ""
		for _, name := range root.names {
			if conf.Nearest(name, []string{"governor"}) != "" {
				hint = "; " + quote(name) + " is none"
			}
		}
		faults = append(faults, fault{key: "governor", text: "missing, want a [governor] table" + hint})
		return law, report(name, src, faults)
	}
	b := newBinder()
	b.table(table, reflect.ValueOf(&law).Elem(), "governor")
	faults = append(faults, b.faults...)
	var l conf.List
	l.Within("governor", law.Validate())
	l.Check(law.Scope != "cluster", "governor.scope",
		"got \"cluster\", want \"server\": samples are of one server, and C is not divided here")
	for _, err := range l {
		if f := locate(root, err); !b.mentioned(f.key) {
			faults = append(faults, f)
		}
	}
	if faults != nil {
		return law, report(name, src, faults)
	}
	return law, nil
}
