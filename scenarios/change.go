package scenarios

import (
	"errors"
	"reflect"
)

// With returns a copy of the scenario with entries of --set applied. The error
// is of type tomlfile.Problems.
func (s *Scenario) With(set ...string) (*Scenario, error) {
	from := Outside{}
	if s.domains != nil { // the only file that is not spelled out in the resolved scenario
		from.Files = func(string) ([]byte, error) { return s.domains.text, nil }
	}
	return LoadWith(s.Name, Resolved(s), set, from)
}

// Changed returns a deep copy of s on which change was called; s stays as it is.
// The error joins all problems that Validate finds in the copy.
func (s *Scenario) Changed(change func(*Scenario)) (*Scenario, error) {
	c := deepCopy(reflect.ValueOf(*s)).Interface().(Scenario)
	change(&c)
	if err := errors.Join(c.Validate()...); err != nil {
		return nil, err
	}
	return &c, nil
}

// deepCopy returns v with slices of its own, at every depth.
func deepCopy(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch {
	case v.Kind() == reflect.Slice && !v.IsNil():
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(deepCopy(v.Index(i)))
		}
	case v.Kind() == reflect.Struct:
		for _, k := range keys.Of(v.Type()) {
			out.Field(k.Index).Set(deepCopy(v.Field(k.Index)))
		}
	}
	return out
}
