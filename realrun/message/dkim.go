package message

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Signer signs messages (DKIM, RFC 6376; Ed25519: RFC 8463) for the domain of their author. Safe for concurrent use.
type Signer struct {
	selector  string
	algorithm string
	key       crypto.Signer
	hash      crypto.Hash // for the key; 0 for Ed25519
}

// NewSigner returns a Signer with a private key in PEM. The public key is at selector._domainkey of
// the author's domain.
func NewSigner(selector string, key []byte) (*Signer, error) {
	if selector == "" || strings.ContainsFunc(selector, func(r rune) bool {
		return !isWord(r) && r != '.' ||
			r > '~'
	}) {
		return nil, fmt.Errorf("got selector %q, want a name of letters, digits and hyphens", selector)
	}
	block, _ := pem.Decode(key)
	if block == nil {
		return nil, errors.New("got no PEM, want a private key in PEM (RSA or Ed25519)")
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if block.Type == "RSA PRIVATE KEY" {
		private, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, fmt.Errorf("got a %s: %w; want an RSA or Ed25519 key, PKCS #8 or PKCS #1",
			strings.ToLower(block.Type), err)
	}
	switch k := private.(type) {
	case *rsa.PrivateKey:
		if n := k.N.BitLen(); n < 1024 {
			return nil, fmt.Errorf("got an RSA key of %d bits, want 1024 or more, better 2048 (RFC 8301)", n)
		}
		return &Signer{selector, "rsa-sha256", k, crypto.SHA256}, nil
	case ed25519.PrivateKey:
		return &Signer{selector, "ed25519-sha256", k, 0}, nil
	}
	return nil, fmt.Errorf("got a key of type %T, want RSA or Ed25519", private)
}

// twice are the headers that are signed as often as they are there and once more, so that nothing is added to them.
var twice = []string{"from", "to", "subject", "date", "reply-to", "list-unsubscribe", "list-unsubscribe-post"}

// Sign puts the signature of the message dst[from:], which r has rendered for the run, in front of it. The same message
// has the same signature: its time is the run's.
func (s *Signer) Sign(dst []byte, from int, r *Renderer, run *Run) []byte {
	return s.sign(dst, from, r.t.from.Domain, run.unix)
}

// SignFor is Sign for a message of an author at a domain, with the time of the signature.
func (s *Signer) SignFor(dst []byte, from int, domain string, at time.Time) []byte {
	return s.sign(dst, from, domain, at.Unix())
}

func (s *Signer) sign(dst []byte, from int, domain string, unix int64) []byte {
	message := dst[from:]
	end := bytes.Index(message, []byte("\r\n\r\n")) + len("\r\n")
	var names, signed []byte
	for rest := message[:end]; len(rest) > 0; {
		n := headerEnd(rest)
		name, value, _ := bytes.Cut(rest[:n], []byte(":"))
		name = bytes.ToLower(name)
		names = append(append(names, name...), ':')
		signed = appendRelaxed(append(append(signed, name...), ':'), value)
		signed = append(signed, "\r\n"...)
		rest = rest[n:]
	}
	names = append(names, strings.Join(twice, ":")...)
	body := sha256.Sum256(relaxedBody(message[end+len("\r\n"):]))

	const header = "DKIM-Signature"
	sig := append([]byte(nil), header+": v=1; a="+s.algorithm+"; c=relaxed/relaxed; d="+domain+";\r\n s="+
		s.selector+"; t="...)
	sig = strconv.AppendInt(sig, unix, 10)
	sig = append(foldAt(append(sig, ";\r\n h="...), names, ':'), ";\r\n bh="...)
	sig = append(base64.StdEncoding.AppendEncode(sig, body[:]), ";\r\n b="...)
	signed = append(signed, "dkim-signature:"...)
	signed = appendRelaxed(signed, sig[len(header)+1:])

	sum := sha256.Sum256(signed)
	made, err := s.key.Sign(nil, sum[:], s.hash) // PKCS #1 v1.5 and Ed25519 draw nothing
	if err != nil {
		panic("message: a key that was checked does not sign: " + err.Error())
	}
	sig = append(foldEvery(sig, base64.StdEncoding.AppendEncode(nil, made), 72), "\r\n"...)

	dst = append(dst, sig...)
	copy(dst[from+len(sig):], dst[from:len(dst)-len(sig)])
	copy(dst[from:], sig)
	return dst
}

// headerEnd returns the length of the header at the beginning of head, with the lines that it is folded into.
func headerEnd(head []byte) int {
	n := 0
	for {
		n += bytes.Index(head[n:], []byte("\r\n")) + len("\r\n")
		if n == len(head) || head[n] != ' ' && head[n] != '\t' {
			return n
		}
	}
}

// appendRelaxed appends the value of a header in relaxed form (RFC 6376 3.4.2): unfolded, one space
// for several, none at
// the ends.
func appendRelaxed(dst, value []byte) []byte {
	for i, word := range bytes.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t\r\n", r) }) {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, word...)
	}
	return dst
}

// relaxedBody returns a body in relaxed form (RFC 6376 3.4.4): one space for several, none at the
// end of a line, no empty
// lines at the end.
func relaxedBody(body []byte) []byte {
	out := make([]byte, 0, len(body))
	whole := 0 // length up to the last line that is not empty
	for line := range bytes.Lines(body) {
		line = bytes.TrimRight(line, " \t\r\n")
		space := false
		for _, c := range line {
			if c == ' ' || c == '\t' {
				space = true
				continue
			}
			if space {
				out = append(out, ' ')
			}
			space = false
			out = append(out, c)
		}
		out = append(out, "\r\n"...)
		if len(line) > 0 {
			whole = len(out)
		}
	}
	return out[:whole]
}

// foldAt appends text, folded after a separator where a line would be long.
func foldAt(dst, text []byte, separator byte) []byte {
	line := 0
	for len(text) > 0 {
		n := bytes.IndexByte(text, separator) + 1
		if n == 0 {
			n = len(text)
		}
		if line > 0 && line+n > 70 {
			dst, line = append(dst, "\r\n  "...), 0
		}
		dst, text, line = append(dst, text[:n]...), text[n:], line+n
	}
	return dst
}

// foldEvery appends text in lines of n bytes.
func foldEvery(dst, text []byte, n int) []byte {
	for len(text) > n {
		dst, text = append(append(dst, text[:n]...), "\r\n  "...), text[n:]
	}
	return append(dst, text...)
}
