package storage

import (
	"strings"

	"flyball/internal/csvfile"
)

// appendRow appends a row in the normal form of stored lists: fields separated by commas, in quotes where something in
// them would end them or be taken for the form of the file, and LF at the end. What csvfile reads of it are the same
// fields; a spreadsheet may take a field for a formula, which csvfile.Text would prevent and which would change it.
func appendRow(dst []byte, fields []string) []byte {
	for i, field := range fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		if !strings.ContainsAny(field, ",;|\t\"\r\n\ufeff") && !(field == "" && len(fields) == 1) {
			dst = append(dst, field...)
			continue
		}
		dst = append(dst, '"')
		for j := range len(field) {
			switch field[j] {
			case '"':
				dst = append(dst, '"')
			case '\n':
				if j > 0 && field[j-1] == '\r' { // a reader drops the CR before an LF
					dst = append(dst, '\r')
				}
			}
			dst = append(dst, field[j])
		}
		dst = append(dst, '"')
	}
	return append(dst, '\n')
}

// fits reports whether a row in normal form can be read again.
func fits(row []byte) bool { return len(row) <= csvfile.MaxRow }
