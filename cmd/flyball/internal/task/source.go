package task

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"flyball/cmd/flyball/internal/kinds"
	"flyball/engine/proximity"
	"flyball/internal/conf"
	"flyball/internal/input"
	"flyball/internal/zone"
	"flyball/reports/distances"
	"flyball/reports/folder"
	"flyball/scenarios"
	"flyball/scenarios/suite"
	"flyball/storage"
)

// Source is the origin of a scenario or a study, with the changes to be made in it.
type Source struct {
	Arg   string    // name of a built-in scenario, a path, or - for Stdin
	Set   []string  // path.to.key=value
	Seed  string    // of all draws; empty: the scenario's own
	Stdin io.Reader // may be nil

	Proximity string // file, or list of a store, with what earlier runs have learned; empty: nothing
}

// Load reads and checks the scenario. Text is the file before any change.
func (s *Source) Load() (scenario *scenarios.Scenario, text []byte, err error) {
	name, text, err := s.Read(s.Arg)
	if err != nil {
		return nil, nil, err
	}
	sets := s.Set
	if _, err := ParseSeed(s.Seed); err != nil {
		return nil, nil, err
	}
	if s.Seed != "" {
		sets = append(sets[:len(sets):len(sets)], "seed="+s.Seed)
	}
	scenario, err = scenarios.LoadWith(name, text, sets, OutsideOf(s.Arg))
	if err != nil {
		if wrong := WrongKind(name, text, kinds.Scenario); wrong != nil {
			return nil, nil, wrong
		}
		return nil, nil, Error{Invalid, err}
	}
	scenario, err = s.informed(scenario)
	return scenario, text, err
}

// ParseSeed returns the seed of all draws as --seed gives it, nil if text is empty.
func ParseSeed(text string) (*uint64, error) {
	if text == "" {
		return nil, nil
	}
	seed, err := strconv.ParseUint(text, 0, 63)
	if err != nil {
		return nil, Fail(Usage, "--seed: got %q, want a whole number from 0", text)
	}
	return &seed, nil
}

// informed returns the scenario after the runs that Proximity names.
func (s *Source) informed(scenario *scenarios.Scenario) (*scenarios.Scenario, error) {
	if s.Proximity == "" {
		return scenario, nil
	}
	raw, err := s.learned()
	if err != nil {
		return nil, err
	}
	db, err := distances.Read(raw)
	if err != nil {
		return nil, Fail(Invalid, "%s: %w", s.Proximity, err)
	}
	return scenario.WithKnown(db), nil
}

// learned returns what earlier runs have learned: a file, or what a store keeps of a list.
func (s *Source) learned() ([]byte, error) {
	if !storage.IsPlace(s.Proximity) {
		return ReadFile("--proximity", s.Proximity, input.Proximity)
	}
	store, p, err := OpenStore(context.Background(), s.Proximity, false)
	if err != nil {
		return nil, Stored("--proximity", err)
	}
	defer store.Close()
	if p.List == "" {
		return nil, Fail(Usage, "--proximity: got store %s, want a list of it: %s#LIST", Quote(s.Proximity),
			s.Proximity)
	}
	raw, err := store.Proximity(context.Background(), p.List)
	return raw, Stored("--proximity", err)
}

// Learns returns an error if Proximity is of no use in a run of the scenario.
func (s *Source) Learns(scenario *scenarios.Scenario) error {
	if s.Proximity == "" || scenario.Dispatch.Learns() {
		return nil
	}
	return Fail(Usage, "--proximity: got sender.partition = %q, want \"proximity\"", scenario.Dispatch.Partition)
}

// SettingsOf returns what identifies the knowledge that a run begins with, whatever its file is called.
func SettingsOf(scenario *scenarios.Scenario) []string {
	if digest := scenario.Known().Digest(); digest != "" {
		return []string{"proximity " + digest}
	}
	return nil
}

// Learned returns the file of what a run has learned, and words about it; nothing of a run that does not learn.
func Learned(scenario *scenarios.Scenario, db *proximity.Database) ([]folder.File, []string) {
	if db == nil {
		return nil, nil
	}
	var table strings.Builder
	distances.Mailings(db, len(scenario.Known().Mailings)).Write(&table, false) // a Builder has no errors
	return []folder.File{{Path: distances.FileName, Data: distances.Write(db)}},
		[]string{strings.TrimSuffix(table.String(), "\n")}
}

// OutsideOf returns what the scenario arg may take from outside: files whose paths are
// relative to its folder, and the zones of the program. For a built-in scenario and for
// standard input the paths are relative to the working folder.
func OutsideOf(arg string) scenarios.Outside {
	folder := "."
	if _, builtin := scenarios.Builtin(arg); arg != "-" && !builtin {
		folder = filepath.Dir(arg)
	}
	files := func(name string) ([]byte, error) {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(folder, path)
		}
		return input.Read(path, input.Beside)
	}
	return scenarios.Outside{Files: files, Zones: zone.Load}
}

// Read returns the text of the scenario arg, and its name for error messages.
func (s *Source) Read(arg string) (string, []byte, error) {
	if arg == "-" && s.Stdin != nil {
		text, err := io.ReadAll(input.Scenario.Bound(s.Stdin, "standard input"))
		if err != nil {
			return "", nil, Unreadable("", err)
		}
		return "<stdin>", text, nil
	}
	if text, ok := scenarios.Builtin(arg); ok {
		return arg, text, nil
	}
	if err := WrongFolder(arg, kinds.Scenario); err != nil {
		return "", nil, err
	}
	text, err := input.Read(arg, input.Scenario)
	switch {
	case errors.Is(err, fs.ErrNotExist) && (strings.HasPrefix(arg, "disturbances/") || !strings.ContainsAny(arg, "/.")):
		known := scenarios.Names()
		for _, d := range suite.All() {
			known = append(known, d.Name)
		}
		return "", nil, Fail(Usage, "no scenario or file %q%s (flyball scenario list shows the built-in ones)", arg,
			conf.DidYouMean(arg, known))
	case err != nil:
		return "", nil, Unreadable("", err)
	}
	return arg, text, nil
}

// CommandLine returns the command line that repeats a run.
func (s *Source) CommandLine(command string, seed uint64, more ...string) string {
	words := []string{"flyball", command, Quote(s.Arg)}
	for _, v := range s.Set {
		words = append(words, "--set", Quote(v))
	}
	if s.Proximity != "" {
		words = append(words, "--proximity", Quote(s.Proximity))
	}
	words = append(words, "--seed", fmt.Sprint(seed))
	return strings.Join(append(words, more...), " ")
}

// Quote returns word quoted for a shell, unchanged if it needs no quotes.
func Quote(word string) string {
	plain := func(r rune) bool {
		return strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,@%+[]", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) || r == '[' }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// Entries splits text at commas, except commas within brackets, braces or quotes.
func Entries(text string) []string {
	var all []string
	depth, from := 0, 0
	var quoted rune
	for i, r := range text + "," {
		switch {
		case quoted != 0:
			if r == quoted {
				quoted = 0
			}
		case r == '"' || r == '\'':
			quoted = r
		case r == '[' || r == '{':
			depth++
		case r == ']' || r == '}':
			depth--
		case r == ',' && (depth <= 0 || i == len(text)):
			if e := strings.TrimSpace(text[from:i]); e != "" {
				all = append(all, e)
			}
			from = i + 1
		}
	}
	// a bracket or a quote is left open: the loader reports it
	if rest := strings.TrimSpace(text[min(from, len(text)):]); rest != "" {
		all = append(all, rest)
	}
	return all
}
