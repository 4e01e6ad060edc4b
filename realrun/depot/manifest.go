// Package depot carries mailings to the servers that deliver them ([0041]). A Depot keeps a list, a letter and its
// attachments, each part under its SHA-256, and one manifest for each mailing, and serves them to clients that show a
// token; Kept is what a delivering server has of it: parts that were fetched, checked and retained.
//
// A part is used by nothing before its content has its digest. Every access is written to an audit before it is
// answered.
package depot

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"time"

	"flyball/engine"
	"flyball/internal/conf"
	"flyball/internal/mail"
	"flyball/realrun/mailing"
)

// Errors of a depot. Each is wrapped with what was found.
var (
	ErrDamaged = errors.New("damaged")            // a part that does not have its digest
	ErrExists  = errors.New("exists already")     // a mailing of this number, with another content
	ErrAbsent  = errors.New("not there")          // a mailing, a part
	ErrRefused = errors.New("refused for safety") // a client without the right, a connection that is not safe
	ErrFull    = errors.New("no room")            // for a part beside those that mailings under way need
)

// Digest is the SHA-256 of a part.
type Digest [sha256.Size]byte

// ParseDigest returns the digest of a text of 64 hexadecimal digits, in lower case.
func ParseDigest(text string) (d Digest, err error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(d) || hex.EncodeToString(raw) != text {
		return d, fmt.Errorf("got %.80q, want a SHA-256: 64 hexadecimal digits in lower case", text)
	}
	return Digest(raw), nil
}

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText implements encoding.TextMarshaler.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Digest) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDigest(string(text))
	return err
}

// Part is a file of a mailing.
type Part struct {
	Name   string `json:"name"` // of an attachment: as the letter names it; of another part: in messages
	Digest Digest `json:"digest"`
	Size   int64  `json:"size"` // bytes
	// Stored is the name of the list in the site's store, from where the part is had first; empty: of no store
	Stored string `json:"stored,omitempty"`
}

// version is the version of a manifest's form.
const version = 1

// Keys is what servers need that look at what comes back of a mailing, but do not deliver it.
type Keys struct {
	Job        engine.Job     `json:"job"`
	First      mail.Recipient `json:"first"`      // place of the first recipient (engine.Submitted)
	Recipients uint32         `json:"recipients"` // number of places
	Date       time.Time      `json:"date"`       // of all messages
	Secret     mail.Key       `json:"secret"`     // of return paths and of what else recipients send back
	// Targets are where counted links of the letter lead, link 1 first; a server that counts responses alone gets them
	// with the keys.
	Targets []string `json:"targets,omitempty"`
}

// Has reports whether a place is one of the mailing's.
func (k Keys) Has(r mail.Recipient) bool {
	return r >= k.First && r-k.First < mail.Recipient(k.Recipients)
}

// Manifest describes a mailing: all that decides who gets which message. It has the key of the mailing, so that only a
// server that delivers may have it.
type Manifest struct {
	Version int `json:"version"`
	Keys
	Rows        string       `json:"rows"` // mailing.Mailing.Digest, by which all servers number the recipients alike
	FoldCase    bool         `json:"fold_case,omitempty"`
	Terms       engine.Terms `json:"terms"`
	List        *Part        `json:"list,omitempty"`        // nil: the scenario's synthetic list
	Suppression *Part        `json:"suppression,omitempty"` // by which recipients are numbered; nil: there was none
	Letter      []Part       `json:"letter,omitempty"`      // template first, then its files; nil: the default one
	Ended       bool         `json:"ended,omitempty"`       // the depot has no parts of the mailing any more
}

// Parts returns all parts.
func (m *Manifest) Parts() (all []Part) {
	for _, p := range []*Part{m.List, m.Suppression} {
		if p != nil {
			all = append(all, *p)
		}
	}
	return append(all, m.Letter...)
}

// Validate returns an error with everything that makes no sense.
func (m *Manifest) Validate() error {
	var l conf.List
	l.Check(m.Version == version, "version", "got %d, want %d", m.Version, version)
	l.Check(m.Job > 0, "job", "got 0, want a number from 1 on")
	l.Check(m.Recipients > 0 && uint64(m.First)+uint64(m.Recipients) <= math.MaxUint32, "recipients",
		"got %d from %d on, want some, and places below 2^32", m.Recipients, m.First)
	l.Check(m.Secret != mail.Key{}, "secret", "got none, want the key of the mailing")
	l.Check(!m.Date.IsZero(), "date", "got none, want the date of the messages")
	for _, p := range m.Parts() {
		l.Check(p.Size >= 0, "size", "%s: got %d bytes", p.Name, p.Size)
		l.Check(p.Digest != Digest{}, "digest", "%s: got none", p.Name)
	}
	names := map[string]bool{}
	for i, p := range m.Letter {
		l.Check(fs.ValidPath(p.Name) && !names[p.Name], conf.Index("letter", i),
			"got name %.80q, want the name of one file in the letter's folder", p.Name)
		names[p.Name] = true
	}
	if len(l) > 0 {
		return fmt.Errorf("manifest of mailing %d: %w", m.Job, errors.Join(l...))
	}
	return nil
}

// text returns the manifest as a depot keeps it.
func (m *Manifest) text() []byte {
	text, err := json.Marshal(m)
	if err != nil {
		panic(err) // it has values only
	}
	return append(text, '\n')
}

// parse reads a manifest.
func parse(text []byte) (m Manifest, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("got no manifest: %w", err)
	}
	return m, m.Validate()
}

// Digest returns the SHA-256 of the manifest.
func (m *Manifest) Digest() Digest { return sha256.Sum256(m.text()) }

// Check returns an error unless a server numbers the recipients of a mailing as the manifest has them.
func (m *Manifest) Check(of *mailing.Mailing) error {
	if of.List.Len() != int(m.Recipients) || of.Digest() != m.Rows {
		return fmt.Errorf("mailing %d: got %d recipients of digest %s, want %d of %s: this server has another "+
			"scenario or allowlist", m.Job, of.List.Len(), of.Digest(), m.Recipients, m.Rows)
	}
	return nil
}
