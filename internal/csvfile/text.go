package csvfile

import "strings"

// Text returns s as a text field of a CSV file that is safe to open in a
// spreadsheet: what would be taken for a formula there, because it begins with =
// + - @, a tab or a carriage return, gets an apostrophe in front. So does what
// begins with apostrophes before such a byte, so that Plain finds s again. It is
// for names and words; numbers are written as they are.
func Text(s string) string {
	if isFormula(s) {
		return "'" + s
	}
	return s
}

// Plain returns the text of which Text made s.
func Plain(s string) string {
	if strings.HasPrefix(s, "'") && isFormula(s) {
		return s[1:]
	}
	return s
}

func isFormula(s string) bool {
	s = strings.TrimLeft(s, "'")
	return s != "" && strings.IndexByte("=+-@\t\r", s[0]) >= 0
}
