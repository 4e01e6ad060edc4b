package task

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"flyball/internal/durable"
	"flyball/internal/input"
	"flyball/realrun/journal"
)

// Open opens a file that the user has named with flag, which is empty for an argument.
// An error has its kind.
func Open(flag, name string, k input.Kind) (*input.File, error) {
	f, err := input.Open(name, k)
	if err != nil {
		return nil, Unreadable(flag, err)
	}
	return f, nil
}

// ReadFile returns the content of a file that the user has named, as Open does.
func ReadFile(flag, name string, k input.Kind) ([]byte, error) {
	text, err := input.Read(name, k)
	if err != nil {
		return nil, Unreadable(flag, err)
	}
	return text, nil
}

// Unreadable gives the error of reading a file its kind: Usage for a path that does not
// exist; Invalid for what is refused (a folder, a named pipe, a device, too many
// bytes); Environment for the rest.
func Unreadable(flag string, err error) error {
	code := Environment
	switch {
	case errors.Is(err, input.ErrRefused):
		code = Invalid
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		code = Usage
	}
	if flag != "" {
		err = fmt.Errorf("%s: %w", flag, err)
	}
	return Error{code, err}
}

// Unusable gives an error of what a station, or the folder of a flag, keeps its kind: Invalid for what is damaged or
// another's; Environment for the rest.
func Unusable(of string, err error) error {
	kind := Environment
	if Damaged(err) {
		kind = Invalid
	}
	return Fail(kind, "%s: %w", of, err)
}

// Damaged reports whether an error is about files that a server keeps and that are damaged or another's.
func Damaged(err error) bool {
	return errors.Is(err, durable.ErrDamaged) || errors.As(err, new(*durable.OtherLog)) ||
		errors.Is(err, journal.ErrDamaged) || errors.Is(err, journal.ErrOther)
}
