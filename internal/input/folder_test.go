package input

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A folder has its own regular files and nothing else.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{
		os.MkdirAll(in("in/below"), 0o700), os.WriteFile(in("secret"), []byte("secret"), 0o600),
		os.WriteFile(in("in/a"), []byte("1234"), 0o600), os.WriteFile(in("in/below/b"), nil, 0o600),
		os.Symlink("../secret", in("in/out")), os.Symlink(in("secret"), in("in/far")), os.Symlink("a", in("in/near")),
		os.Symlink("..", in("in/up")), syscall.Mkfifo(in("in/pipe"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	f, err := FolderOf(in("in/letter.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, v := range []struct{ name, want string }{
		{"a", "1234 <nil>"}, {"near", "1234 <nil>"}, {"below/b", " <nil>"},
		{"below", " is not a regular file"}, {"pipe", " is not a regular file"},
		{"none", " no such file or directory"},
		{"out", " path escapes from parent"}, {"far", " path escapes from parent"},
		{"up/secret", " path escapes from parent"}, {"../secret", " want a name in the same folder, or below it"},
		{in("secret"), " want a name in the same folder, or below it"},
		{"below/../a", " want a name in the same folder, or below it"},
		{"", " want a name in the same folder, or below it"},
	} {
		data, err := f.Read(v.name, 4)
		if got := fmt.Sprintf("%s %v", data, err); got != v.want {
			t.Errorf("%s: %s, want %s", v.name, got, v.want)
		}
	}
	if _, err := f.Read("a", 3); fmt.Sprint(err) != "has more than 3 bytes" {
		t.Error(err)
	}
}

// A key that others may read is refused; other files may be read by anybody.
func TestKeysArePrivate(t *testing.T) {
	name := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(name, []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode := range fs.FileMode(0o1000) {
		if mode&0o400 == 0 {
			continue // its owner cannot read it
		}
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		_, err := Read(name, Key)
		if private := mode&0o077 == 0; (err == nil) != private || !private && !errors.Is(err, ErrRefused) {
			t.Errorf("mode %04o: %v", mode, err)
		}
		if _, err := Read(name, Template); err != nil {
			t.Errorf("a template of mode %04o: %v", mode, err)
		}
	}
}
