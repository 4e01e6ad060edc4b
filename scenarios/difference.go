package scenarios

import (
	"fmt"
	"strings"
)

// Difference is a key whose value differs between two Parameters, as files write it; empty where one does not have the
// key.
type Difference struct{ Key, From, To string }

// Differences returns the keys in which p and to differ, in the order of the file.
func (p Parameters) Differences(to Parameters) (all []Difference) {
	keys, from := values(p.TOML())
	more, other := values(to.TOML())
	for _, key := range more {
		if _, there := from[key]; !there {
			keys = append(keys, key)
		}
	}
	for _, key := range keys {
		if from[key] != other[key] {
			all = append(all, Difference{key, from[key], other[key]})
		}
	}
	return all
}

// values returns the values of a file that Encode wrote, by their paths, and the paths in order.
func values(text []byte) (paths []string, all map[string]string) {
	all = map[string]string{}
	tables := map[string]int{}
	table := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if name, list := strings.CutPrefix(line, "[["); list {
			name = strings.TrimSuffix(name, "]]")
			table = fmt.Sprintf("%s[%d].", name, tables[name])
			tables[name]++
			continue
		}
		if name, is := strings.CutPrefix(line, "["); is {
			table = strings.TrimSuffix(name, "]") + "."
			continue
		}
		if key, value, is := strings.Cut(line, " = "); is {
			paths = append(paths, table+key)
			all[table+key] = value
		}
	}
	return paths, all
}
