package scenarios

import (
	"bytes"
	"fmt"
	"reflect"

	"github.com/BurntSushi/toml"

	"flyball/engine/delivery"
	"flyball/governor"
	"flyball/internal/conf"
)

// Parameters are what is tuned in simulation and promoted to servers that send.
type Parameters struct {
	Governor governor.Config `toml:"governor" doc:"the law and its numbers"`
	Retry    delivery.Retry  `toml:"retry" doc:"the resend policy"`
}

// Parameters of the scenario.
func (s *Scenario) Parameters() Parameters { return Parameters{s.Governor, s.Retry} }

// TOML spells every value out; LoadParameters reads it back.
func (p Parameters) TOML() []byte {
	var out bytes.Buffer
	enc := toml.NewEncoder(&out)
	enc.Indent = ""
	if err := enc.Encode(plain(reflect.ValueOf(p))); err != nil {
		panic(fmt.Sprintf("parameters that cannot be written: %v", err))
	}
	return out.Bytes()
}

// LoadParameters reads a file of the tables [governor] and [retry] and nothing
// else. The error is of type Problems.
func LoadParameters(name string, src []byte) (Parameters, error) {
	p := Parameters{governor.Default(), delivery.DefaultRetry()}
	root, faults := parse(src, nil)
	if faults != nil {
		return p, report(name, src, faults)
	}
	b := newBinder()
	b.table(root, reflect.ValueOf(&p).Elem(), "")
	faults = b.faults
	var l conf.List
	l.Within("governor", p.Governor.Validate())
	l.Within("retry", p.Retry.Validate())
	for _, err := range l {
		if f := locate(root, err); !b.mentioned(f.key) {
			faults = append(faults, f)
		}
	}
	if faults != nil {
		return p, report(name, src, faults)
	}
	return p, nil
}
