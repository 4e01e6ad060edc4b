package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"flyball/cmd/flyball/internal/console"
)

// docs/flyball.1 is what flyball man prints. Rewrite it with -args -update.
func TestManual(t *testing.T) {
	const file = "../../docs/flyball.1"
	code, page, errout := invoke(t, "man")
	if code != 0 {
		t.Fatal(errout)
	}
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if old, err := os.ReadFile(file); err != nil || string(old) != page {
		t.Errorf("%s is not what flyball man prints: go test ./cmd/flyball -run Manual -args -update", file)
	}
	// Every command and flag is there, and no line of a help text is taken for a request of roff.
	plain := strings.NewReplacer(`\-`, "-", `\e`, `\`, `\&`, "").Replace(page)
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if !strings.Contains(plain, "\n"+c.CommandPath()) || !strings.Contains(plain, c.Long) {
			t.Errorf("the manual lacks %s", c.CommandPath())
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" && f.Name != "version" && !strings.Contains(plain, "--"+f.Name) {
				t.Errorf("the manual lacks --%s of %s", f.Name, c.CommandPath())
			}
		})
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(app{&console.App{}}.commands())
	for line := range strings.SplitSeq(page, "\n") {
		request, _, _ := strings.Cut(line, " ")
		known := slices.Contains([]string{".TH", ".SH", ".SS", ".TP", ".PP", ".nf", ".fi"}, request)
		if strings.HasPrefix(line, ".") && !known || strings.HasPrefix(line, "'") {
			t.Errorf("got the request %q", line)
		}
	}
}
