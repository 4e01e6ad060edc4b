package sites

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"flyball/bus"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/durable"
	"flyball/internal/input"
	"flyball/realrun/depot"
	"flyball/site"
)

// Files of a station in the folder of keys, behind its name. A computer has the secrets of its own stations alone. The
// computer of the broker has all public keys, and the computers of the A server and the storage server all hashes. One
// whose changes the storage server fetches has the hash of the storage server.
const (
	seedFile   = ".nkey"  // secret, by which it connects to the broker
	publicFile = ".pub"   // by which the broker knows it
	tokenFile  = ".token" // secret, by which it fetches from the depot
	hashFile   = ".hash"  // by which the depot knows the token
)

// MakeKeys makes the keys of all stations of a site that have none. It returns the names of these.
func (s *Site) MakeKeys() (made []string, err error) {
	if s.Keys == "" {
		return nil, task.Fail(task.Usage, "%s: keys: got none, want the folder in which keys are to be", s.File)
	}
	if err := durable.Files(s.Keys).Make(); err != nil {
		return nil, task.Fail(task.Environment, "keys: %w", err)
	}
	for _, v := range s.Stations {
		if !v.Keeps() {
			continue
		}
		switch err := s.makeKeys(v); {
		case errors.Is(err, fs.ErrExist):
		case err != nil:
			return made, task.Fail(task.Environment, "keys: %w", err)
		default:
			made = append(made, v.Name())
		}
	}
	return made, nil
}

// makeKeys makes the keys of a station. The last file that it makes is the one that later calls look for.
func (s *Site) makeKeys(v site.Station) (err error) {
	at := func(kind string) string { return filepath.Join(s.Keys, v.Name()+kind) }
	if _, err := os.Stat(at(tokenFile)); err == nil {
		return fs.ErrExist
	}
	if s.Roles(v) != nil {
		seed, public := bus.NewKey()
		err = errors.Join(secret(at(seedFile), []byte(seed)), durable.Write(at(publicFile), []byte(public+"\n")))
	}
	token := depot.NewToken()
	return errors.Join(err, durable.Write(at(hashFile), fmt.Appendf(nil, "%x\n", sha256.Sum256([]byte(token)))),
		secret(at(tokenFile), []byte(token)))
}

// secret writes a file that no other user may read.
func secret(name string, text []byte) error {
	if err := durable.Write(name, nil); err != nil {
		return err
	}
	if err := os.Chmod(name, 0o600); err != nil {
		return err
	}
	return durable.Write(name, text)
}

// Token returns the token of a station for the depot.
func (s *Site) Token(v site.Station) (string, error) {
	text, err := key(s.tokenFile(v), input.Key)
	return string(text), err
}

// key reads a file of the folder of keys.
func key(file string, k input.Kind) ([]byte, error) {
	text, err := input.Read(file, k)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, task.Fail(task.Environment, "keys: %w (flyball serve keys makes it)", err)
	case errors.Is(err, input.ErrRefused):
		return nil, task.Fail(task.Refused, "keys: %w", err)
	case err != nil:
		return nil, task.Fail(task.Environment, "keys: %w", err)
	}
	return text, nil
}

// tokenFile returns the file of the token of a station.
func (s *Site) tokenFile(v site.Station) string { return filepath.Join(s.Keys, v.Name()+tokenFile) }

// Refused returns the error of a station that another server refuses, or that refuses that server, with the file in
// which is what does not fit.
func (s *Site) Refused(v site.Station, err error) error {
	file := s.tokenFile(v)
	if errors.As(err, new(*tls.CertificateVerificationError)) {
		file = s.Bus.CA
	}
	return task.Fail(task.Refused, "%s: %w", file, err)
}

// DepotClients returns the stations that use the depot or the store, by the hashes of their tokens: those with some
// roles; without roles all.
func (s *Site) DepotClients(roles ...string) (all []depot.Client, err error) {
	for _, v := range s.Clients() {
		if len(roles) > 0 && !slices.Contains(roles, v.Role) {
			continue
		}
		text, err := key(filepath.Join(s.Keys, v.Name()+hashFile), input.Certificate)
		if err != nil {
			return nil, err
		}
		c := depot.Client{Name: v.Name(), Role: depot.Role(v.Role)}
		if err := c.Hash.UnmarshalText(text[:max(0, len(text)-1)]); err != nil {
			return nil, task.Fail(task.Invalid, "keys: %s: %w", v.Name()+hashFile, err)
		}
		all = append(all, c)
	}
	return all, nil
}
