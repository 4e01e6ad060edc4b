package bus

import (
	"strings"

	"github.com/nats-io/nkeys"

	"flyball/internal/input"
)

// ReadPublicKey returns the public half of an nkey, by which a broker knows its owner, from a file.
func ReadPublicKey(name string) (string, error) {
	text, err := input.Read(name, input.Certificate)
	if err != nil {
		return "", unread(err, "the public nkey")
	}
	key := strings.TrimSpace(string(text))
	if !nkeys.IsValidPublicUserKey(key) {
		return "", refused(nil, "the public nkey %s: got no key of a user, want one that begins with U", name)
	}
	return key, nil
}
