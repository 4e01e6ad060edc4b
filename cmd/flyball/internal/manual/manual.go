// Package manual prints the help of all commands as one page of a manual. The command
// line calls it.
package manual

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Page returns the manual page of root and all commands below it in the language of man(7). It has the help texts
// unchanged, line by line.
func Page(root *cobra.Command) []byte {
	var p page
	p.line(`.TH FLYBALL 1 "" flyball "User Commands"`)
	p.line(".SH NAME")
	p.text("flyball - " + lowerFirst(root.Short))
	p.line(".SH SYNOPSIS")
	p.verbatim(root.Use + " [ARGUMENT...] [FLAG...]")
	p.line(".SH DESCRIPTION")
	p.verbatim(root.Long)
	p.line(".SH GLOBAL FLAGS")
	p.flags(root.PersistentFlags())
	p.line(".SH COMMANDS")
	p.commands(root)
	p.line(".SH EXIT STATUS")
	p.verbatim(exitCodes)
	p.line(".SH EXAMPLES")
	p.verbatim(root.Example)
	return []byte(p.String())
}

// exitCodes are those of all commands; each lists its own.
const exitCodes = `  0   success
  1   internal error
  2   usage
  3   invalid scenario, list or data
  4   expectation missed
  5   a gate that did not pass
  7   environment: a port, a disk
  8   refused for safety
130   stopped by SIGINT
143   stopped by SIGTERM`

// page is the text of a manual page.
type page struct{ strings.Builder }

// line adds a line of man(7).
func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// text adds text, escaped for man(7).
func (p *page) text(text string) {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			line = `\&` + line
		}
		p.line("%s", line)
	}
}

// verbatim adds text whose lines are not filled.
func (p *page) verbatim(text string) {
	p.line(".nf")
	p.text(strings.Trim(text, "\n"))
	p.line(".fi")
}

// commands adds all commands below c.
func (p *page) commands(c *cobra.Command) {
	for _, sub := range c.Commands() {
		if !sub.IsAvailableCommand() {
			continue
		}
		_, use, _ := strings.Cut(sub.Use, " ")
		p.line(".SS")
		p.text(strings.TrimSpace(sub.CommandPath() + " " + use))
		about := sub.Long
		if about == "" {
			about = sub.Short + "."
		}
		p.verbatim(about)
		if sub.Example != "" {
			p.line(".PP")
			p.verbatim(sub.Example)
		}
		p.flags(sub.LocalNonPersistentFlags())
		p.commands(sub)
	}
}

// flags adds a paragraph for each flag that help shows.
func (p *page) flags(f *pflag.FlagSet) {
	f.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		kind, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		p.line(".TP")
		p.text(strings.TrimSpace(name + " " + kind))
		if d := f.DefValue; d != "" && d != "false" && d != "[]" && d != "0" && f.Name != "jobs" {
			usage += " (default " + d + ")"
		}
		p.text(usage)
	})
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
