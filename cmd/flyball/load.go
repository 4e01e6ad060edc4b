package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"flyball/internal/conf"
	"flyball/internal/input"
	"flyball/scenarios"
)

type flagT = pflag.Flag

// source is where a scenario comes from and what was changed in it.
type source struct {
	arg  string
	sets []string
	seed string
}

func (s *source) flags(c *cobra.Command) {
	c.Flags().StringArrayVar(&s.sets, "set", nil, "change one value: path.to.key=value; elements by index or name, such as destination[big].cap (repeatable)")
	c.Flags().StringVar(&s.seed, "seed", "", "seed of all luck; the scenario's own if not given")
}

// load reads a scenario: a built-in name, a path, or - for standard input.
func (a *app) load(s *source) (*scenarios.Scenario, []byte, error) {
	name, text, err := a.read(s.arg)
	if err != nil {
		return nil, nil, err
	}
	sets := s.sets
	if s.seed != "" {
		if _, err := strconv.ParseUint(s.seed, 0, 63); err != nil {
			return nil, nil, fail(exitUsage, "--seed: got %q, want a whole number from 0", s.seed)
		}
		sets = append(sets[:len(sets):len(sets)], "seed="+s.seed)
	}
	scenario, err := scenarios.LoadWith(name, text, sets, filesBeside(s.arg))
	if err != nil {
		if wrong := wrongKind(name, text, scenarios.AScenario); wrong != nil {
			err = wrong
		}
		return nil, nil, exit{exitInvalid, err}
	}
	return scenario, text, nil
}

// filesBeside reads files by their paths from the folder of a scenario; of a
// built-in one, or one from standard input, from the working folder.
func filesBeside(arg string) scenarios.Files {
	folder := "."
	if _, builtin := scenarios.Builtin(arg); arg != "-" && !builtin {
		folder = filepath.Dir(arg)
	}
	return func(name string) ([]byte, error) {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(folder, path)
		}
		return input.Read(path, input.Scenario)
	}
}

// read finds the text of a scenario and the name that its problems carry.
func (a *app) read(arg string) (string, []byte, error) {
	if arg == "-" {
		text, err := io.ReadAll(input.Scenario.Bound(a.in, "standard input"))
		if err != nil {
			return "", nil, unreadable("", err)
		}
		return "<stdin>", text, nil
	}
	if text, ok := scenarios.Builtin(arg); ok {
		return arg, text, nil
	}
	if err := wrongFolder(arg, scenarios.AScenario); err != nil {
		return "", nil, err
	}
	text, err := input.Read(arg, input.Scenario)
	switch {
	case errors.Is(err, fs.ErrNotExist) && (strings.HasPrefix(arg, "disturbances/") || !strings.ContainsAny(arg, "/.")):
		known := scenarios.Names()
		for _, d := range scenarios.Disturbances() {
			known = append(known, d.Name)
		}
		return "", nil, fail(exitUsage, "no scenario or file %q%s (flyball scenario list shows the built-in ones)", arg, conf.DidYouMean(arg, known))
	case err != nil:
		return "", nil, unreadable("", err)
	}
	return arg, text, nil
}

// commandLine is the command that makes a run again.
func (s *source) commandLine(command string, seed uint64, more ...string) string {
	words := []string{"flyball", command, quote(s.arg)}
	for _, v := range s.sets {
		words = append(words, "--set", quote(v))
	}
	words = append(words, "--seed", fmt.Sprint(seed))
	return strings.Join(append(words, more...), " ")
}

// quote makes a word safe to paste into a shell.
func quote(word string) string {
	plain := func(r rune) bool {
		return strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,@%+[]", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) || r == '[' }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
