// Package zone returns the civil time of IANA time zones. Its data are part of the
// program, release 2025c, so that neither the machine's own files nor its environment
// decide a result; time.LoadLocation would prefer those. Shells hand Load to the
// packages that need a zone.
package zone

import (
	"archive/zip"
	_ "embed"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"flyball/internal/conf"
)

// data are the compiled zones of the IANA Time Zone Database, which is in the public
// domain, as Go distributes them (lib/time/zoneinfo.zip).
//
//go:embed zoneinfo.zip
var data string

// archive returns the data, opened.
var archive = sync.OnceValue(func() *zip.Reader {
	r, err := zip.NewReader(strings.NewReader(data), int64(len(data)))
	if err != nil {
		panic(err) // the archive is part of the program
	}
	return r
})

// Load returns the civil time of a zone by its IANA name, such as "Europe/Berlin".
func Load(name string) (*time.Location, error) {
	file, err := archive().Open(name)
	if err != nil || strings.HasSuffix(name, "/") {
		var known []string
		for _, f := range archive().File {
			known = append(known, f.Name)
		}
		return nil, fmt.Errorf("got %.60q, want an IANA time zone such as \"Europe/Berlin\"%s", name,
			conf.DidYouMean(name, known))
	}
	rules, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("got %.60q, want an IANA time zone such as \"Europe/Berlin\": %w", name, err)
	}
	return time.LoadLocationFromTZData(name, rules)
}
