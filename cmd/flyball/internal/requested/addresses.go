package requested

import (
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/csvfile"
	"flyball/internal/input"
	"flyball/internal/mail"
)

// addresses returns the addresses of recipients, whose places rise, by the table of recipients in a run folder.
func addresses(dir string, all []mail.Recipient) (found []string, err error) {
	name := filepath.Join(dir, "recipients.csv")
	file, err := input.Open(name, input.RunFile)
	if errors.Is(err, fs.ErrNotExist) {
		name += ".gz"
		file, err = input.Open(name, input.RunFile)
	}
	if err != nil {
		return nil, task.Unreadable("--run", err)
	}
	defer file.Close()
	var text io.Reader = file
	if strings.HasSuffix(name, ".gz") {
		if text, err = gzip.NewReader(file); err != nil {
			return nil, task.Fail(task.Invalid, "--run: %s: %w", name, err)
		}
	}
	rows := csvfile.NewReader(text, name)
	place := mail.Recipient(0)
	for first := true; len(found) < len(all); first = false {
		ok, err := rows.Next()
		switch {
		case err != nil:
			return nil, task.Fail(task.Invalid, "--run: %w", err)
		case !ok:
			return nil, task.Fail(task.Invalid, "--run: %s: got %d recipients, want %d or more: the folder of a "+
				"run of "+
				"the mailing", name, place, all[len(found)]+1)
		case first && (rows.Len() < 2 || string(rows.Field(0)) != "recipient" ||
			string(rows.Field(1)) != "destination"):
			return nil, task.Fail(task.Invalid, "--run: %w", rows.Fault(0, "got no table of recipients"))
		case first || len(rows.Field(1)) == 0: // suppressed before the mailing began, and without a place
			continue
		case place == all[len(found)]:
			address := string(rows.Field(0))
			if len(address) > 1 && address[0] == '\'' && strings.IndexByte("=+-@", address[1]) >= 0 {
				address = address[1:] // what makes it safe in a spreadsheet
			}
			found = append(found, address)
		}
		place++
	}
	return found, nil
}
