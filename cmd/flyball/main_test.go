package main

import (
	"errors"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/console"
)

// Scripts wait for disks, timers and each other's processes most of the time, so two run on each processor.
func TestMain(m *testing.M) {
	flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))) // which the command line may change
	testscript.Main(m, map[string]func(){"flyball": main, "starved": starved, "doomed": doomed})
}

var hoard []byte

// starved is flyball while it asks for more memory than there can be.
func starved() {
	abortWhenStarved()
	hoard = make([]byte, 1<<46+len(os.Args))
}

// scriptCommands are the commands of all scripts.
var scriptCommands = map[string]func(*testscript.TestScript, bool, []string){
	"obeys": func(ts *testscript.TestScript, neg bool, args []string) {
		for _, name := range args {
			for _, wrong := range disobeys([]byte(ts.ReadFile(name))) {
				ts.Fatalf("%s: %s", name, wrong)
			}
		}
	},
	"exits": func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < 2 {
			ts.Fatalf("usage: exits CODE COMMAND...")
		}
		want, err := strconv.Atoi(args[0])
		ts.Check(err)
		err = ts.Exec(args[1], args[2:]...)
		got := 0
		var e *exec.ExitError
		if errors.As(err, &e) {
			got = e.ExitCode()
		} else {
			ts.Check(err)
		}
		if got != want {
			ts.Fatalf("exit code %d, want %d", got, want)
		}
	},
}

// The scripts hold stdout, stderr, exit code and files of every command.
// "exits N COMMAND" runs a command that must end with that code; "obeys FILE"
// holds JSON against the published schema that it names. Rewrite with
// go test ./cmd/flyball -args -update.
func TestScripts(t *testing.T) {
	sites, err := filepath.Abs("../../docs/sites")
	if err != nil {
		t.Fatal(err)
	}
	commands := map[string]func(*testscript.TestScript, bool, []string){}
	maps.Copy(commands, siteCommands)
	maps.Copy(commands, scriptCommands)
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		Setup:         func(e *testscript.Env) error { e.Setenv("SITES", sites); return nil },
		UpdateScripts: *update,
		Cmds:          commands,
	})
}

// Files that help texts name are there.
func TestHelpNamesFiles(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, name := range regexp.MustCompile(`docs/[\w./-]*\w`).FindAllString(c.Long+c.Example, -1) {
			if _, err := os.Stat("../../" + name); err != nil {
				t.Errorf("%s: %v", c.CommandPath(), err)
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(app{&console.App{}}.commands())
}
