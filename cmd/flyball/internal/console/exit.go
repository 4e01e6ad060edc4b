package console

import (
	"errors"
	"fmt"
	"os"

	"flyball/cmd/flyball/internal/task"
	"flyball/cmd/flyball/internal/terminal"
)

// Code is an exit code.
type Code int

// The exit codes, as documented in the README.
const (
	Bug          Code = 1
	Usage        Code = 2
	Invalid      Code = 3 // scenario, list or data
	Missed       Code = 4 // an expectation; or no mail of a live run was delivered
	Regression   Code = 5 // found by a gate
	Inconclusive Code = 6 // a gate, or a live run on a slow machine, that could not decide
	Environment  Code = 7 // a port, a disk
	Refused      Code = 8 // for safety
	Interrupt    Code = 130
	Terminated   Code = 143
)

// Exit is an error that carries its exit code.
type Exit struct {
	Code Code
	Err  error
}

func (e Exit) Error() string { return e.Err.Error() }
func (e Exit) Unwrap() error { return e.Err }

// Fail returns an error with an exit code, formatted as by fmt.Errorf.
func Fail(code Code, format string, args ...any) error {
	return Exit{code, fmt.Errorf(format, args...)}
}

// codes are the exit codes of the errors of tasks.
var codes = map[task.Kind]Code{task.Usage: Usage, task.Invalid: Invalid, task.Environment: Environment,
	task.Missed: Missed, task.Undecided: Inconclusive, task.Refused: Refused, task.Disagrees: Bug}

// Coded returns err with its exit code. An error without a kind comes from the
// command line.
func Coded(err error) Exit {
	var e Exit
	var t task.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &t):
		return Exit{codes[t.Kind], err}
	}
	return Exit{Usage, err}
}

// StoppedBy returns the error of a command that a signal stopped: "stopped by
// interrupt", then format, which begins with a blank or a semicolon.
func StoppedBy(by *terminal.Signals, format string, args ...any) error {
	code := Interrupt
	if by.First() != os.Interrupt {
		code = Terminated
	}
	return Fail(code, "stopped by %s"+format, append([]any{by.First()}, args...)...)
}
