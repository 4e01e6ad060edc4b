package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"flyball/cmd/flyball/internal/console"
)

// flagsOf returns what the flags of a command line are, and the command with its argument.
func flagsOf(t *testing.T, words []string) (*cobra.Command, string, map[string]string) {
	t.Helper()
	c, rest, err := app{&console.App{}}.commands().Find(words)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ParseFlags(rest); err != nil {
		t.Fatalf("%q: %v", words, err)
	}
	if c.Flags().NArg() != 1 {
		t.Fatalf("%q: got arguments %q, want one", words, c.Flags().Args())
	}
	all := map[string]string{}
	c.Flags().Visit(func(f *pflag.Flag) { all[f.Name] = f.Value.String() })
	return c, c.Flags().Arg(0), all
}

// The command with which a mailing goes on has every flag of the command that began it, each alone and all together,
// and a shell reads their values as they were.
func TestGoOnHasEveryFlag(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip(err)
	}
	var all [][]string
	c, _, _ := flagsOf(t, []string{"realrun", "x"})
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" {
			return
		}
		n := len(all)
		for _, v := range map[string][]string{"bool": {"true"}, "float64": {"2.5", "1e-3"}, "int": {"2525"},
			"share":  {"5%"},
			"string": {"it's a file", "-x", "$HOME/*", ""}, "stringArray": {`destination[0].name="a b"`},
		}[f.Value.Type()] {
			all = append(all, []string{"--" + f.Name + "=" + v})
		}
		if len(all) == n {
			t.Errorf("--%s: the test has no value of type %s", f.Name, f.Value.Type())
		}
	})
	together := []string{"--set=a=b", "--set=c=[1, 2]"}
	for _, one := range all {
		together = append(together, one...)
	}
	for _, flags := range append(all, together) {
		args := []string{"quickstart"}
		if len(flags) > 1 {
			args = []string{"-", "my week's.toml"}
		}
		for _, arg := range args {
			began := append([]string{"realrun", arg}, flags...)
			c, _, want := flagsOf(t, began)
			goOn := console.Again(c, arg, "resume")
			out, err := exec.Command(sh, "-c", `printf '%s\n' `+goOn).Output()
			if err != nil {
				t.Fatal(err)
			}
			words := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
			_, gotArg, got := flagsOf(t, words[1:])
			if want["resume"] = "true"; words[0] != "flyball" || gotArg != arg {
				t.Errorf("%q: got %q of %q, want flyball of %q", began, words, gotArg, arg)
			}
			for name, value := range want {
				if got[name] != value {
					t.Errorf("%q: got --%s %q, want %q: %s", began, name, got[name], value, goOn)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%q: got %v, want %v", began, got, want)
			}
		}
	}
}

// Whatever a flag of any command does not take is answered by its name, what it got and what it wants, in words of
// ours.
func TestBadFlags(t *testing.T) {
	refused := func(c *cobra.Command, name string, args ...string) string {
		err := console.FlagError(c, c.ParseFlags(args))
		if err == nil || !strings.HasPrefix(err.Error(), "--"+name+": got ") ||
			!strings.Contains(err.Error(), ", want ") || strings.Contains(err.Error(), "strconv") ||
			strings.Contains(err.Error(), "pars") {
			t.Errorf("%s %q: got %v, want --%s: got ..., want ...", c.CommandPath(), args, err, name)
			return ""
		}
		return err.Error()
	}
	values := 0
	var each func(c *cobra.Command)
	each = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			each(sub)
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.NoOptDefVal == "" {
				refused(c, f.Name, "--"+f.Name)
			}
			if f.Value.Set("abc") != nil { // only a flag of text takes it
				values++
				if strings.Contains(refused(c, f.Name, "--"+f.Name+"=abc"), "want another value") {
					t.Errorf("%s --%s: type %s has no words for what it wants", c.CommandPath(), f.Name, f.Value.Type())
				}
			}
			if strings.HasPrefix(f.Value.Type(), "int") || strings.HasPrefix(f.Value.Type(), "uint") {
				refused(c, f.Name, "--"+f.Name+"=99999999999999999999")
			}
		})
	}
	each(app{&console.App{}}.commands())
	if values < 50 {
		t.Errorf("tried %d values, want those of all commands", values)
	}
	if code, _, errout := invoke(t, "realrun", "quickstart", "--time-scale", "abc"); code != exitUsage ||
		errout != "flyball: --time-scale: got \"abc\", want a number\n" {
		t.Errorf("exit code %d: %s", code, errout)
	}
}
