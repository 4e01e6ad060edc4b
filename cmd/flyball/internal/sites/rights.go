package sites

import (
	"errors"
	"io"
	"path/filepath"

	"flyball/bus"
	"flyball/bus/carrier"
	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	"flyball/site"
)

// Users returns what each station may do on the bus.
func (s *Site) Users() (all []bus.User, err error) {
	for _, v := range s.Stations {
		own := s.Roles(v)
		if own == nil {
			continue
		}
		key, err := bus.ReadPublicKey(filepath.Join(s.Keys, v.Name()+publicFile))
		if err != nil {
			return nil, BusError(err)
		}
		all = append(all, bus.User{NKey: key, Rights: carrier.Rights(s.Name, own...), Name: v.Name()})
	}
	return all, nil
}

// Roles returns the addresses of the roles of a station; none of a broker.
func (s *Site) Roles(v site.Station) []engine.Address {
	a, is := v.Address()
	switch {
	case !is:
		return nil
	case v.Role == site.B:
		return []engine.Address{a, {Role: engine.Delivery, Server: a.Server}}
	}
	return []engine.Address{a}
}

// HasRole reports whether the site has a role with an address.
func (s *Site) HasRole(a engine.Address) bool {
	for _, v := range s.Stations {
		for _, own := range s.Roles(v) {
			if own == a {
				return true
			}
		}
	}
	return false
}

// Rights writes the part of a NATS server's configuration that lets the stations of the site do what they must, and
// nothing else.
func (s *Site) Rights(w io.Writer) error {
	users, err := s.Users()
	if err == nil {
		_, err = io.WriteString(w, bus.Authorization(users))
	}
	return err
}

// BusError gives an error of a bus its kind.
func BusError(err error) error {
	switch {
	case errors.Is(err, bus.ErrRefused):
		return task.Error{Kind: task.Refused, Err: err}
	case errors.Is(err, bus.ErrUnreachable):
		return task.Error{Kind: task.Environment, Err: err}
	}
	return err
}
