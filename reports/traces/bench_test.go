package traces

import (
	"os"
	"testing"
)

// The figure of docs/performance.md: what a row costs.
func BenchmarkAdd(b *testing.B) {
	file, err := os.CreateTemp(b.TempDir(), "")
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	book := NewBook(file, Names{Servers: names.Servers, Destinations: names.Destinations})
	a := attempt("4.2.1 slowly, please")
	for b.Loop() {
		book.Add(a)
	}
}
