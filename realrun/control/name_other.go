//go:build !linux

package control

import (
	"fmt"
	"os"
	"path/filepath"
)

// mostName is the longest name of a socket on macOS and the BSDs, in bytes.
const mostName = 103

// short returns the name of the socket in a folder, until it is released. Only Linux has a shorter one, so a long name
// is an error.
func short(dir string) (name string, release func(), err error) {
	if _, err := os.Stat(dir); err != nil {
		return "", nil, err
	}
	if name = filepath.Join(dir, socket); len(name) > mostName {
		return "", nil, fmt.Errorf("%s: got a name of %d bytes for the socket that answers realrun status, want at "+
			"most %d on this system: a shorter folder, or one named from the working directory", name, len(name),
			mostName)
	}
	return name, func() {}, nil
}
