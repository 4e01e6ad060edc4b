package task

import (
	"context"
	"errors"
	"io"
	"os"
	"os/user"
	"time"

	"flyball/internal/input"
	"flyball/internal/mail"
	"flyball/realrun/dial"
	"flyball/storage"
)

// ListFile is an open list: a CSV file, or a list of a store.
type ListFile struct {
	io.ReadSeeker
	Suppressed func(mail.Address) bool // of the store, as the list was opened; nil: of no store
	closes     []io.Closer
}

// Close closes the list.
func (l *ListFile) Close() (err error) {
	for _, c := range l.closes {
		err = errors.Join(err, c.Close())
	}
	return err
}

// OpenList opens the list that the user has named with flag: a CSV file, or a place of package storage. An error has
// its kind.
func OpenList(flag, name string) (*ListFile, error) {
	if !storage.IsPlace(name) {
		f, err := Open(flag, name, input.List)
		if err != nil {
			return nil, err
		}
		return &ListFile{ReadSeeker: f, closes: []io.Closer{f}}, nil
	}
	s, p, err := OpenStore(context.Background(), name, false)
	if err != nil {
		return nil, Stored(flag, err)
	}
	if p.List == "" {
		s.Close()
		return nil, Fail(Usage, "%s: got store %s, want a list of it: %s#LIST", flag, Quote(name), name)
	}
	set, err := s.SuppressedIn(context.Background(), p.List)
	if err == nil {
		var text *storage.Text
		if text, err = s.Open(context.Background(), "read", p.List); err == nil {
			return &ListFile{text, set.Has, []io.Closer{text, s}}, nil
		}
	}
	s.Close()
	return nil, Stored(flag, err)
}

// OpenInput opens a file as Open does, and a list as OpenList does.
func OpenInput(flag, name string, k input.Kind) (io.ReadCloser, error) {
	if k != input.List {
		return Open(flag, name, k)
	}
	return OpenList(flag, name)
}

// OpenStore opens the store of a place, and makes one if it is not there and create is set. Its audit names the user
// and the computer.
func OpenStore(ctx context.Context, place string, create bool) (*storage.Store, storage.Place, error) {
	p, err := storage.ParsePlace(place)
	if err != nil {
		return nil, p, err
	}
	s, err := storage.Open(ctx, p, storage.Config{Who: who(), Now: time.Now, Create: create})
	return s, p, err
}

// who returns user@computer.
func who() string {
	name, host := "unknown", "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}

// Stored gives an error of a store its kind.
func Stored(flag string, err error) error {
	if err == nil {
		return nil
	}
	kind := Environment
	for _, v := range []struct {
		err  error
		kind Kind
	}{{storage.ErrPlace, Usage}, {storage.ErrAbsent, Usage}, {storage.ErrExists, Usage}, {storage.ErrOther, Usage},
		{storage.ErrForeign, Invalid}, {storage.ErrDamaged, Invalid}, {storage.ErrUnsafe, Refused},
		{dial.ErrRefused, Refused}} {
		if errors.Is(err, v.err) {
			kind = v.kind
		}
	}
	if flag == "" {
		return Error{kind, err}
	}
	return Fail(kind, "%s: %w", flag, err)
}
