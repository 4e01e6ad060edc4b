package journal

import "flyball/internal/durable"

// Disk is a folder, as a journal needs it: durable.Files, or in tests one that fails or loses its power.
type Disk interface {
	Names() ([]string, error)
	Read(name string) ([]byte, error)
	Create(name string) (durable.Growing, error) // empty, whether or not it was there
	Rename(from, to string) error
	Remove(name string) error // no error if it is not there
	Sync() error              // makes the names of files durable
}
