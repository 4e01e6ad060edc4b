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

// Parameters are the settings that are tuned in simulation and promoted to
// sending servers.
type Parameters struct {
	Governor governor.Config `toml:"governor" doc:"the law and its numbers"`
	Retry    delivery.Retry  `toml:"retry" doc:"the resend policy"`
}

// Parameters returns the governor and retry settings of the scenario.
func (s *Scenario) Parameters() Parameters { return Parameters{s.Governor, s.Retry} }

// TOML returns a file with every value spelled out; LoadParameters reads it.
func (p Parameters) TOML() []byte {
	var out bytes.Buffer
	enc := toml.NewEncoder(&out)
	enc.Indent = ""
	if err := enc.Encode(plain(reflect.ValueOf(p))); err != nil {
		panic(fmt.Sprintf("parameters that cannot be written: %v", err))
	}
	return out.Bytes()
}

// LoadParameters decodes a file that has only the tables [governor] and
// [retry]. The error is of type Problems.
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
