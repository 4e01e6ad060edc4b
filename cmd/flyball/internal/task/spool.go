package task

import (
	"os"

	"flyball/reports/folder"
)

// RejectsFile is the name of the reject file in a run folder.
const RejectsFile = "rejects.csv"

// Spool keeps a file that is too large for memory until the run folder is written. It
// has no name on disk, so it disappears with the program.
type Spool struct{ file *os.File }

func NewSpool() (*Spool, error) {
	file, err := os.CreateTemp("", "flyball-")
	if err == nil {
		err = os.Remove(file.Name())
	}
	if err != nil {
		return nil, Fail(Environment, "temporary file: %w", err)
	}
	return &Spool{file}, nil
}

// Write appends to the file.
func (s *Spool) Write(p []byte) (int, error) { return s.file.Write(p) }

// As returns the file for a run folder; no file if the spool is nil.
func (s *Spool) As(path string) []folder.File {
	if s == nil {
		return nil
	}
	return []folder.File{{Path: path, From: s.file}}
}
