package console

import (
	"runtime/debug"
	"strings"
)

// Build is what version --json prints.
type Build struct {
	Head
	Version  string `json:"version"`            // of the module, (devel) if it has none
	Revision string `json:"revision,omitempty"` // of the clone that flyball was built from
	Modified bool   `json:"modified"`           // that clone had changes which are not in the revision
	Go       string `json:"go"`                 // compiler
}

// Version names the program, its revision and the compiler.
func Version() string {
	info, _ := debug.ReadBuildInfo()
	return BuildOf(info).words()
}

// BuildOf reads what the linker left in the program; nil if it left nothing.
func BuildOf(info *debug.BuildInfo) Build {
	b := Build{Head: HeadOf("version")}
	if info == nil {
		return b
	}
	b.Version, b.Go = info.Main.Version, info.GoVersion
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (b Build) words() string {
	words := []string{"flyball"}
	for _, w := range []string{b.Version, b.Revision, b.Go} {
		if w != "" {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}
