package scope

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"flyball/internal/vt"
)

// key is a key of the line "world" of a script.
type key struct {
	name  string
	value any // a pointer to a field of Config
}

func (c *Config) keys() []key {
	return []key{{"recipients", &c.Recipients}, {"mailings", &c.Mailings}, {"servers", &c.Servers},
		{"processes", &c.Processes}, {"licence", &c.Licence}, {"daily", &c.Daily}, {"chunk", &c.Chunk},
		{"window", &c.Window}, {"ahead", &c.Ahead}, {"seed", &c.Seed}, {"due", &c.Due}, {"deadline", &c.Deadline},
		{"deferred", &c.Deferred}, {"refused", &c.Refused},
		{"returned", &c.Returned}, {"requests", &c.Requests}, {"asks", &c.Asks}, {"joins", &c.Joins},
		{"confirm", &c.Confirm}, {"couples", &c.Couples}, {"pull", &c.Pull}, {"message", &c.Message}, {"open", &c.Open},
		{"accept", &c.Accept}, {"answer", &c.Answer}, {"commit", &c.Commit}, {"hang", &c.Hang},
		{"stall", &c.Stall}, {"batch", &c.Batch}, {"check", &c.Check},
		{"lease", &c.Lease}, {"patience", &c.Patience}, {"horizon", &c.Horizon}, {"scheme", &c.Scheme}}
}

// Set sets the value of a key, such as "recipients" or "due".
func (c *Config) Set(name, text string) (err error) {
	all := c.keys()
	i := slices.IndexFunc(all, func(k key) bool { return k.name == name })
	if i < 0 {
		return fmt.Errorf("got key %q", name)
	}
	switch v := all[i].value.(type) {
	case *int:
		*v, err = strconv.Atoi(text)
	case *uint64:
		*v, err = strconv.ParseUint(text, 10, 64)
	case *float64:
		*v, err = strconv.ParseFloat(text, 64)
	case *bool:
		*v, err = strconv.ParseBool(text)
	case *vt.Span:
		err = v.UnmarshalText([]byte(text))
	case *Scheme:
		var ok bool
		if *v, ok = SchemeNamed(text); !ok {
			err = fmt.Errorf("want one of %s", strings.Join(SchemeNames(), ", "))
		}
	}
	if err != nil {
		return fmt.Errorf("%s: got %q: %w", name, text, err)
	}
	return nil
}

// Words returns the keys that differ from Quiet, as the line "world" has them.
func (c *Config) Words() (text string) {
	quiet := Quiet()
	plain := quiet.keys()
	for i, k := range c.keys() {
		if now := valueOf(k.value); now != valueOf(plain[i].value) {
			text += " " + k.name + "=" + now
		}
	}
	return text
}

func valueOf(v any) string {
	switch v := v.(type) {
	case *int:
		return strconv.Itoa(*v)
	case *uint64:
		return strconv.FormatUint(*v, 10)
	case *float64:
		return strconv.FormatFloat(*v, 'g', -1, 64)
	case *bool:
		return strconv.FormatBool(*v)
	case *vt.Span:
		return v.String()
	}
	return v.(*Scheme).String()
}
