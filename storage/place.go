package storage

import (
	"fmt"
	"net/url"
	"strings"
)

// Place is where a store is, and a list in it.
type Place struct {
	File string // of SQLite; empty: of PostgreSQL
	URL  string // of PostgreSQL
	List string // empty: the store as a whole
}

// IsPlace reports whether text names a store and not a file.
func IsPlace(text string) bool {
	return strings.HasPrefix(text, "sqlite:") || strings.HasPrefix(text, "postgres:") ||
		strings.HasPrefix(text, "postgresql:")
}

// ParsePlace reads sqlite:FILE or postgres://USER@HOST:PORT/DATABASE, and #LIST behind it. A URL may have no password,
// since names of lists stand in run folders. Errors wrap ErrPlace.
func ParsePlace(text string) (p Place, err error) {
	const want = "want sqlite:FILE or postgres://USER@HOST:PORT/DATABASE, and #LIST behind it for a list"
	at, list, named := strings.Cut(text, "#")
	if named && !validName(list) {
		return p, fmt.Errorf("%w: got list %q, want a name of 1 to 100 letters, digits and any of \"-_.\"", ErrPlace,
			list)
	}
	p.List = list
	if file, ok := strings.CutPrefix(at, "sqlite:"); ok {
		p.File = strings.TrimPrefix(file, "//")
		if p.File == "" {
			return p, fmt.Errorf("%w: got no file in %q, %s", ErrPlace, text, want)
		}
		return p, nil
	}
	u, err := url.Parse(at)
	switch {
	case err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Opaque != "":
		return p, fmt.Errorf("%w: got %q, %s", ErrPlace, shown(at), want)
	case hasPassword(u):
		return p, fmt.Errorf("%w: got a password in the place of a store, want it in ~/.pgpass or PGPASSFILE: places "+
			"stand in run folders", ErrPlace)
	}
	p.URL = at
	return p, nil
}

func hasPassword(u *url.URL) bool {
	_, has := u.User.Password()
	return has || u.Query().Has("password")
}

// shown returns a text that was no URL without what may be a password.
func shown(text string) string {
	scheme, _, _ := strings.Cut(text, ":")
	return scheme + ":..."
}

// validName reports whether a list may have a name. Names stand in command lines, audit entries and file names.
func validName(name string) bool {
	for _, c := range name {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.", c)) {
			return false
		}
	}
	return len(name) >= 1 && len(name) <= 100
}

// Store returns the place of the store as a whole.
func (p Place) Store() string {
	if p.File != "" {
		return "sqlite:" + p.File
	}
	return p.URL
}

// String returns the text that ParsePlace reads.
func (p Place) String() string {
	if p.List == "" {
		return p.Store()
	}
	return p.Store() + "#" + p.List
}
