package bus

import (
	"fmt"
	"strings"
)

// User is the public half of an nkey, and what its owner may do.
type User struct {
	NKey   string
	Rights Rights
	Name   string // of the owner, for people
}

// Rights are the subjects that a client may use. A list that is empty allows none.
type Rights struct{ Publish, Subscribe []string }

// nothing is the list of a client with no right to any subject: an empty one would allow all.
var nothing = []string{"$flyball.nothing"}

// allowed returns the list by which a broker allows some subjects and no others.
func allowed(subjects []string) []string {
	if len(subjects) == 0 {
		return nothing
	}
	return subjects
}

// Authorization returns the part of a NATS server's configuration that allows each user its rights and nothing else.
func Authorization(users []User) string {
	var b strings.Builder
	b.WriteString("authorization {\n  users = [\n")
	for _, u := range users {
		fmt.Fprintf(&b, "    # %s\n    { nkey: %s, permissions: {\n", strings.ReplaceAll(u.Name, "\n", " "), u.NKey)
		for _, v := range []struct {
			what     string
			subjects []string
		}{{"publish", u.Rights.Publish}, {"subscribe", u.Rights.Subscribe}} {
			fmt.Fprintf(&b, "        %s: { allow: [\n", v.what)
			for _, s := range allowed(v.subjects) {
				fmt.Fprintf(&b, "          %q\n", s)
			}
			b.WriteString("        ] }\n")
		}
		b.WriteString("    } }\n")
	}
	fmt.Fprintf(&b, "  ]\n}\nmax_payload: %d\n", MostPayload)
	return b.String()
}
