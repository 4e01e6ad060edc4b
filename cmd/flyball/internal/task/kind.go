package task

import (
	"io"
	"os"
	"path/filepath"
	"strings"

	"flyball/cmd/flyball/internal/kinds"
	"flyball/internal/input"
	"flyball/internal/tomlfile"
	"flyball/scenarios"
)

// readers holds, for each kind of file, a hint at the commands that read it.
var readers = map[kinds.Kind]string{
	kinds.Scenario:   "flyball run, realrun and validate read it",
	kinds.Study:      "flyball sweep and tune read it, and sweep --dry-run checks it",
	kinds.Law:        "flyball govern reads it",
	kinds.Promotions: "flyball realrun --promotion and flyball promote --check read it",
	kinds.List:       "flyball run --list and flyball realrun --list read it",
	kinds.Intervals:  "flyball govern --samples reads it",
	kinds.Letter:     "flyball realrun --template reads it",
	aFolder:          "flyball report, compare and promote read it",
}

const aFolder kinds.Kind = "the folder of a run"

// WrongKind returns an error if the text of a file looks like another kind than want, with the command that reads that
// kind. It returns nil if the text looks like want or like no known kind. It is called only for a file that was found
// invalid, so that a wrong guess never refuses a valid file.
func WrongKind(name string, text []byte, want kinds.Kind) error {
	kind := kinds.Of(text)
	if kind == want || kind == kinds.Any {
		return nil
	}
	return RefuseKind(Invalid, name, kind, want)
}

// RefuseKind returns the error of kind how that name is of one kind where another is
// wanted, with the command that reads what it is.
func RefuseKind(how Kind, name string, kind, want kinds.Kind) error {
	reader := ""
	if by, ok := readers[kind]; ok {
		reader = "; " + by
	}
	return Fail(how, "%s: got %s, want %s%s", name, kind, want, reader)
}

// WrongFolder returns an error if path is a folder where a file is wanted, nil otherwise.
func WrongFolder(path string, want kinds.Kind) error {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return nil
	}
	kind := aFolder
	if _, err := os.Stat(filepath.Join(path, "manifest.json")); err != nil {
		kind = "a folder"
	}
	return RefuseKind(Invalid, path, kind, want)
}

// WrongFile returns an error if path is a file or a built-in scenario where the folder of a run is wanted; nil if path
// is a folder or does not exist.
func WrongFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		if _, ok := scenarios.Builtin(path); ok {
			return RefuseKind(Usage, path, kinds.Scenario, aFolder)
		}
		return nil
	case info.IsDir():
		return nil
	case filepath.Base(path) == "summary.json" || filepath.Base(path) == "manifest.json":
		return Fail(Usage, "%s: got a file, want %s: %s", path, aFolder, filepath.Dir(path))
	}
	return RefuseKind(Usage, path, kindOfFile(path), aFolder)
}

// kindOfFile returns the kind that the beginning of a file looks like.
func kindOfFile(path string) kinds.Kind {
	kind := kinds.Any
	if f, err := input.Open(path, input.List); err == nil {
		text, _ := io.ReadAll(io.LimitReader(f, tomlfile.MaxSize))
		f.Close()
		kind = kinds.Of(text)
	}
	if kind == kinds.Any {
		kind = "a file"
	}
	return kind
}

// Mistaken returns err, the error of reading the file at path, or a better one if the file is clearly of a kind not in
// want: a refused list or letter may be another kind of file.
func Mistaken(err error, path string, want ...kinds.Kind) error {
	if err == nil || path == "" || path == "-" {
		return err
	}
	kind := kindOfFile(path)
	if strings.HasPrefix(string(kind), "a file") && kind != kinds.Promotions {
		return err
	}
	for _, w := range want {
		if kind == w {
			return err
		}
	}
	return RefuseKind(Invalid, path, kind, want[0])
}
