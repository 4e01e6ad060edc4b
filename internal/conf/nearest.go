package conf

// Nearest is the known name that is a likely misspelling away from name, or "".
func Nearest(name string, known []string) string {
	if len(name) > 64 {
		return ""
	}
	best, most := "", min(max(1, len(name)/3), len(name)-1)
	for _, k := range known {
		if d := distance(name, k); d <= most {
			best, most = k, d-1
		}
	}
	return best
}

// distance is the number of insertions, deletions and replacements that turn a
// into b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
