package format

import (
	"bytes"
	"encoding/json"
	"fmt"
)

const SchemaVersion = 1

// SortedJSON encodes a value with all keys in the order of the alphabet and
// lists never null, two blanks deep.
func SortedJSON(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // every digit stays
	var tree any
	if err := d.Decode(&tree); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err = e.Encode(tree)
	return b.Bytes(), err
}

// ReadSchema decodes a JSON file of ours, after a look at what it says it is.
func ReadSchema(raw []byte, schema string, into any) error {
	var head struct {
		Schema  string `json:"schema"`
		Version int    `json:"schema_version"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return err
	}
	if head.Schema != schema || head.Version != SchemaVersion {
		return fmt.Errorf("got schema %q version %d, want %q version %d", head.Schema, head.Version, schema,
			SchemaVersion)
	}
	return json.Unmarshal(raw, into)
}
