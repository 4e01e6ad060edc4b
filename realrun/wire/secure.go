package wire

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net"
	"slices"
	"time"

	"flyball/internal/mail"
)

// Encryption is when a session is encrypted by STARTTLS (RFC 3207).
type Encryption uint8

const (
	Clear         Encryption = iota // never
	Opportunistic                   // where the receiver can, with any certificate
	Required                        // always, with any certificate; else no message is sent
	Verified                        // always, with a receiver that has proved its name; else no message is sent
)

// Encryptions are the names of Encryption.
var Encryptions = []string{"none", "opportunistic", "required", "verified"}

func (e Encryption) String() string { return Encryptions[e] }

// Security is how sessions are protected.
type Security struct {
	Encryption Encryption
	Roots      *x509.CertPool         // of Verified; nil: those of this computer
	Sessions   tls.ClientSessionCache // nil: each handshake is a whole one
	Login      *Login                 // nil: none
}

// Login is what a sender proves itself with (RFC 4954).
type Login struct{ User, Password string }

// secure encrypts the session and logs in, as far as that is asked for. It returns nil, or the
// reply that ends the attempt.
func (c *Client) secure() *mail.Reply {
	if r := c.encrypt(); r != nil {
		return r
	}
	return c.login()
}

// encrypt encrypts the session, and introduces the sender again within it: what was offered before
// is forgotten (RFC 3207 4.2).
func (c *Client) encrypt() *mail.Reply {
	how := c.options.Encryption
	if how == Clear {
		return nil
	}
	if !c.Offer.StartTLS {
		return c.unencrypted(nil)
	}
	r := c.command(mail.StageEHLO, 2, "STARTTLS")
	switch {
	case r != nil && r.Fault == mail.NoFault && r.Code != 421: // the session goes on
		return c.unencrypted(nil)
	case r == nil && c.in.from < c.in.to: // words that would be taken for words within TLS
		r = c.fails(mail.StageEHLO, errGarbled)
	case r == nil:
		r = c.handshake(how)
	}
	if r != nil {
		return c.unencrypted(r)
	}
	return c.hello()
}

// handshake begins TLS. It returns nil, or the reply that ends the session.
func (c *Client) handshake(how Encryption) *mail.Reply {
	c.socket.SetDeadline(time.Now().Add(c.options.Patience(mail.StageEHLO)))
	conn := tls.Client(c.socket, &tls.Config{ServerName: c.options.Host, InsecureSkipVerify: how != Verified,
		RootCAs: c.options.Roots, ClientSessionCache: c.options.Sessions, MinVersion: tls.VersionTLS12})
	if err := conn.Handshake(); err != nil {
		return c.fails(mail.StageEHLO, err)
	}
	c.conn, c.in.src, c.encrypted = conn, conn, true
	return nil
}

// unencrypted returns how the attempt ends where the session, which ended with the reply end, could
// not be encrypted, or goes on if end is nil: nil if it can go on so.
func (c *Client) unencrypted(end *mail.Reply) *mail.Reply {
	if c.options.Encryption == Opportunistic {
		c.Bare = end != nil
		return end
	}
	return c.refuse(mail.StageEHLO, 454, "4.7.0 encryption is "+c.options.Encryption.String()+
		", and the receiver has none that will do")
}

// login proves who the sender is. The password goes over an encrypted connection, or over loopback.
func (c *Client) login() *mail.Reply {
	l := c.options.Login
	if l == nil {
		return nil
	}
	tcp, ok := c.socket.RemoteAddr().(*net.TCPAddr)
	encode := base64.StdEncoding.EncodeToString
	switch offers := c.Offer.Mechanisms; {
	case !c.encrypted && !(ok && tcp.IP.IsLoopback()):
		return c.refuse(mail.StageEHLO, 538, "5.7.11 the password is not sent without encryption")
	case slices.Contains(offers, "PLAIN"):
		return c.command(mail.StageEHLO, 2, "AUTH PLAIN "+encode([]byte("\x00"+l.User+"\x00"+l.Password)))
	case slices.Contains(offers, "LOGIN"):
		if r := c.command(mail.StageEHLO, 3, "AUTH LOGIN"); r != nil {
			return r
		}
		if r := c.command(mail.StageEHLO, 3, encode([]byte(l.User))); r != nil {
			return r
		}
		return c.command(mail.StageEHLO, 2, encode([]byte(l.Password)))
	}
	return c.refuse(mail.StageEHLO, 534, "5.7.9 the receiver offers neither AUTH PLAIN nor AUTH LOGIN")
}
