package sites

import (
	"context"
	"errors"
	"fmt"
	"io"

	"flyball/cmd/flyball/internal/task"
	"flyball/realrun/depot"
	"flyball/site"
)

// inStore begins the name of a list of the site's store on the command line.
const inStore = "store:"

// storedList returns the text of a list of the site's store: from the storage server, or, of a site in one process,
// from the store itself.
func (s *Site) storedList(name string) ([]byte, error) {
	v, is := s.Named(site.Storage)
	if !is {
		return nil, task.Fail(task.Usage, "--list: got %s%s, want a CSV file: the site has no station of role storage",
			inStore, name)
	}
	if s.Keys == "" {
		f, err := task.OpenList("--list", v.Store+"#"+name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		text, err := io.ReadAll(f)
		return text, task.Stored("--list", err)
	}
	a, _ := s.Named(site.A)
	token, err := s.Token(a)
	if err != nil {
		return nil, err
	}
	from, err := s.Remote(v.Listen, token)
	if err != nil {
		return nil, err
	}
	text, err := from.FetchList(context.Background(), name)
	switch {
	case errors.Is(err, depot.ErrAbsent):
		return nil, task.Fail(task.Usage, "--list: %w", err)
	case errors.Is(err, depot.ErrRefused):
		return nil, fmt.Errorf("--list: %w", s.Refused(a, err))
	case err != nil:
		return nil, task.Fail(task.Environment, "--list: %w", err)
	}
	return text, nil
}
