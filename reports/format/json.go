package format

import (
	"bytes"
	"encoding/json"
	"fmt"
)

const SchemaVersion = 1

// WithSchema encodes a struct as SortedJSON does, with the name of its schema and SchemaVersion beside its fields.
func WithSchema(schema string, v any) ([]byte, error) {
	tree, err := treeOf(v)
	if err != nil {
		return nil, err
	}
	fields, ok := tree.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: got %T, want a struct", schema, v)
	}
	fields["schema"], fields["schema_version"] = schema, SchemaVersion
	return indented(fields)
}

// SortedJSON encodes a value with all keys in alphabetical order, with empty lists instead
// of null, and with an indent of two blanks.
func SortedJSON(v any) ([]byte, error) {
	tree, err := treeOf(v)
	if err != nil {
		return nil, err
	}
	return indented(tree)
}

// treeOf returns a value as JSON decodes it, with every digit of its numbers.
func treeOf(v any) (tree any, err error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	err = d.Decode(&tree)
	return tree, err
}

func indented(tree any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(tree)
	return b.Bytes(), err
}

// ReadSchema decodes a JSON file of a run folder, if it has the given schema.
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
