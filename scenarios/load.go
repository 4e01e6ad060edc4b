package scenarios

import (
	"fmt"
	"slices"

	"flyball/governor"
	"flyball/internal/conf"
	"flyball/internal/tomlfile"
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
// tomlfile.Problems and holds all problems, not only the first one. After a
// syntax error the rest is not checked.
func Load(name string, src []byte, set []string) (*Scenario, error) {
	return LoadWith(name, src, set, nil)
}

// LoadWith decodes a scenario as Load does, and reads the files that it names
// with files: the scenario equals one with their content written out.
func LoadWith(name string, src []byte, set []string, files tomlfile.Files) (*Scenario, error) {
	doc := format.Read(name, src, set)
	if v, text, ok := doc.Integer("schema_version"); ok && v != SchemaVersion {
		doc.RefuseAll(conf.Problem{Key: "schema_version",
			Text: "scenario version " + text + ", this program reads 1"})
	}
	doc.Include("retry.table_file", "retry.table", files)
	s := Default()
	doc.Decode(&s)
	doc.Refuse(s.Validate())
	if err := doc.Err(); err != nil {
		return nil, err
	}
	if n := len(Resolved(&s)); n > tomlfile.MaxSize { // Load must accept the resolved file
		return nil, tomlfile.Problems{{File: name,
			Text: fmt.Sprintf("got %d bytes with every value spelled out, want at most %d (1 MiB)", n,
				tomlfile.MaxSize)}}
	}
	return &s, nil
}

// LoadGovernor reads the [governor] table of any TOML file, including a
// scenario, and applies the entries of set, each "governor.key=value". It
// ignores other tables. It refuses scope = "cluster", because it has no servers
// to divide C among. The error is of type tomlfile.Problems.
func LoadGovernor(name string, src []byte, set []string) (governor.Config, error) {
	law := governor.Default()
	doc := format.Read(name, src, set)
	doc.DecodeTable("governor", &law)
	var l conf.List
	l.Within("governor", law.Validate())
	l.Check(law.Scope != "cluster", "governor.scope",
		"got \"cluster\", want \"server\": samples are of one server, and C is not divided here")
	doc.Refuse(l)
	return law, doc.Err()
}
