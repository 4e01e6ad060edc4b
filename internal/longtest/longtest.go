// Package longtest divides the tests: what each save asks for, and what is
// asked for before a change lands. Tests alone import it.
package longtest

import "os"

// Variable is the environment variable that asks for the long tests, if it has
// any value.
const Variable = "FLYBALL_LONG"

// Asked reports whether the long tests are asked for.
func Asked() bool { return os.Getenv(Variable) != "" }

// Or returns long if the long tests are asked for, else quick. The same
// assertions hold for both: what differs is how much is tried.
func Or[T any](quick, long T) T {
	if Asked() {
		return long
	}
	return quick
}
