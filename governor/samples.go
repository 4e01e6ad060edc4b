package governor

import "slices"

// Unseen are the columns that a law looks at among those that samples lack.
func Unseen(law string, lacking []string) []string {
	l, _ := lawNamed(law)
	return slices.DeleteFunc(slices.Clone(l.Inputs), func(name string) bool { return !slices.Contains(lacking, name) })
}
