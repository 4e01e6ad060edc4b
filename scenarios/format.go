package scenarios

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"flyball/internal/tomlfile"
	"flyball/reports/measure"
)

var format = tomlfile.New[Scenario]("governor.target or destination[0].share")

// keys are the declared keys of the file format.
var keys = format.Keys

// Paths returns every key of the file format that has a value, in order. Tables and lists of tables are not among them,
// what stands in them is.
func Paths() []tomlfile.Path { return format.Paths() }

// Resolved returns the scenario as a file that spells out every value in use,
// including defaults. Equal scenarios give equal bytes, and Load reads them.
func Resolved(s *Scenario) []byte { return format.Encode(*s) }

// ID returns the SHA-256 of the resolved scenario in hexadecimal, so it
// identifies a scenario by its content.
func ID(s *Scenario) string {
	sum := sha256.Sum256(Resolved(s))
	return hex.EncodeToString(sum[:])
}

// Schema returns the JSON Schema (draft 2020-12) of a scenario file, for
// editors. It is made from the same tags as Load uses. It accepts everything
// that Load accepts; Load refuses more.
func Schema() []byte {
	root := format.Schema("Flyball scenario", Default())
	expect := root["properties"].(tomlfile.Schema)["expect"].(tomlfile.Schema)
	of := expect["items"].(tomlfile.Schema)["properties"].(tomlfile.Schema)
	of["metric"].(tomlfile.Schema)["pattern"] = "^(" + strings.Join(measure.MetricNames(), "|") + ")$|^(" +
		strings.Join(measure.OfParts(false), "|") + "):."
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(root); err != nil {
		panic(err)
	}
	return out.Bytes()
}
