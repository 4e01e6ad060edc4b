package depot

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"

	"flyball/internal/conf"
)

// Role is what a client of a depot is.
type Role string

// The roles of clients.
const (
	Sending    Role = "a"        // a sending server
	Delivering Role = "b"        // a delivering server
	Returns    Role = "c"        // a server of returned mail
	Requests   Role = "d"        // a server of requests
	Responses  Role = "response" // a server that counts responses
	Storing    Role = "storage"  // a server that keeps lists
	Operator   Role = "operator" // who looks after the depot
)

// Roles are all of them.
var Roles = []Role{Sending, Delivering, Returns, Requests, Responses, Storing, Operator}

// Right is something that a client may do, and which roles may.
type Right struct {
	Method, Path string // as http.ServeMux has them
	What         string
	May          []Role
	// Daily has the audit have one entry of a client for a path and a day: clients ask for it again and again, whether
	// there is something new or not. Who reads a list or a letter has an entry each time.
	Daily bool
}

// Rights are everything that a client may do at all ([0053]). What is not in it is refused, whatever is there.
var Rights = []Right{
	{"GET", "/mailings/{job}", "have the manifest of a mailing", []Role{Sending, Delivering, Storing}, false},
	{"GET", "/mailings/{job}/keys", "have the keys of a mailing", []Role{Sending, Delivering, Returns, Requests,
		Responses, Storing}, true},
	{"GET", "/mailings/{job}/outcomes", "have the outcomes of a mailing", []Role{Storing}, true},
	{"POST", "/mailings/{job}/recorded", "say that the outcomes of a mailing are recorded", []Role{Storing},
		true},
	{"GET", "/running", "ask which mailings have ended", []Role{Delivering, Storing}, true},
	{"GET", "/parts/{digest}", "have a part", []Role{Sending, Delivering, Storing}, false},
	{"GET", "/lists/{list}", "have a list by its name", []Role{Sending}, false},
	{"GET", "/digests", "ask which lists have not changed", []Role{Delivering}, true},
	{"GET", "/suppression", "have the suppression", []Role{Delivering}, true},
	{"GET", "/changes", "have the buffered changes of lists", []Role{Storing}, true},
	{"GET", "/taken", "ask which of its changes are taken", []Role{Returns, Requests}, true},
	{"POST", "/changes", "change lists", []Role{Returns, Requests}, true}, // the store's audit has each
	{"POST", claims, "be admitted", []Role{Delivering}, true},
	{"GET", "/audit", "have the audit", []Role{Operator}, false},
}

// claims is the path of claims.
const claims = "/claims"

// Client is who may use a depot.
type Client struct {
	Name string // in the audit; such as b2
	Role Role
	Hash Digest // of the token
}

// NewToken draws a token, which a client keeps in a file that no other user may read.
func NewToken() string { return rand.Text() + rand.Text() }

// leastToken is the least length of a token in bytes: 26 letters and digits of rand.Text are 130 bits.
const leastToken = 26

// checkToken returns an error for a token that may be guessed.
func checkToken(token string) error {
	if len(token) < leastToken || !conf.Plain(token) || strings.ContainsAny(token, " \t") {
		return fmt.Errorf("got a token of %d bytes, want %d or more, without spaces", len(token), leastToken)
	}
	return nil
}

// HashToken returns what a depot keeps of a token.
func HashToken(token string) Digest { return sha256.Sum256([]byte(token)) }

// validateClients returns an error with everything about clients that makes no sense.
func validateClients(all []Client) error {
	var l conf.List
	names, hashes := map[string]bool{}, map[Digest]bool{}
	for i, c := range all {
		at := conf.Index("client", i)
		l.Check(c.Name != "" && conf.Plain(c.Name) && !names[c.Name], at+".name", "got %.80q, want a name of its own",
			c.Name)
		l.Check(slices.Contains(Roles, c.Role), at+".role", "got %.80q, want one of %v", c.Role, Roles)
		l.Check(c.Hash != Digest{} && !hashes[c.Hash], at+".token", "want a token of its own")
		names[c.Name], hashes[c.Hash] = true, true
	}
	return errors.Join(l...)
}

// find returns the client of a token. It compares all of them, so that its time tells nothing about any.
func find(all []Client, token string) (found Client, ok bool) {
	hash := HashToken(token)
	for _, c := range all {
		if subtle.ConstantTimeCompare(c.Hash[:], hash[:]) == 1 {
			found, ok = c, true
		}
	}
	return found, ok
}
