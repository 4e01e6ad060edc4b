package main

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"flyball/internal/input"
)

// open opens a file that the user has named for flag, which is empty for an
// argument. The error has its exit code.
func open(flag, name string, k input.Kind) (*input.File, error) {
	f, err := input.Open(name, k)
	if err != nil {
		return nil, unreadable(flag, err)
	}
	return f, nil
}

// readFile returns the content of a file that the user has named, as open does.
func readFile(flag, name string, k input.Kind) ([]byte, error) {
	text, err := input.Read(name, k)
	if err != nil {
		return nil, unreadable(flag, err)
	}
	return text, nil
}

// unreadable gives the error of a file its exit code: a path that leads nowhere
// is usage; what is there and cannot be taken (a folder, a named pipe, a device,
// too many bytes) is bad input; the rest is this machine's.
func unreadable(flag string, err error) error {
	code := exitEnvironment
	switch {
	case errors.Is(err, input.ErrRefused):
		code = exitInvalid
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		code = exitUsage
	}
	if flag != "" {
		err = fmt.Errorf("%s: %w", flag, err)
	}
	return exit{code, err}
}
