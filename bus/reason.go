package bus

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/nats-io/nats.go"
)

// end is this end of a connection, as errors call it.
type end struct {
	where  string // the broker is, without secrets; or the subject of a message
	config Config // has the files by which this end shows who it is
}

// at returns the end in errors about a subject.
func (e end) at(subject string) end { return end{subject, e.config} }

// key returns by what the broker knows this end.
func (e end) key() string {
	if e.config.NKey == "" {
		return "this key or token"
	}
	return "the key in " + e.config.NKey
}

// certificate returns the certificate of this end.
func (e end) certificate() string {
	if e.config.Cert == "" {
		return "this end without a certificate"
	}
	return "the certificate in " + e.config.Cert
}

// final returns the error with which a connection must end after what the broker has said, nil if it may go on.
func (e end) final(err error) error {
	if errors.Is(err, nats.ErrPermissionViolation) {
		// nats: permissions violation: Permissions Violation for Publish to "x.y"
		_, what, _ := strings.Cut(err.Error(), "Violation for ")
		return refused(nil, "the broker refuses a right: got no right for %s, want it in the broker's table for %s",
			what, e.key())
	}
	return nil
}

// explain returns an error of NATS in the words of its cause.
func (e end) explain(err error) error {
	where := e.where
	var known *failure
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var alert tls.AlertError
	switch text := fmt.Sprint(err); {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.Is(err, nats.ErrReconnectBufExceeded):
		return unreachable(nil, "%s: the broker is lost", where)
	case errors.Is(err, nats.ErrPermissionViolation):
		return e.final(err)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired),
		errors.Is(err, nats.ErrAuthRevoked), strings.Contains(text, "uthorization Violation"):
		return refused(nil, "%s: the broker does not know %s: want the one that it was started with", where, e.key())
	case errors.Is(err, nats.ErrNkeysNotSupported):
		return refused(nil, "%s: the broker takes no nkeys: want one that is configured with them", where)
	case errors.As(err, &invalid), errors.As(err, &unknown), errors.As(err, &host):
		return refused(err, "%s: the broker's certificate, by the authorities in %s", where, cmp.Or(e.config.CA,
			"the system"))
	case errors.As(err, &alert), strings.Contains(text, "remote error: tls"),
		strings.Contains(text, "after TLS handshake"):
		return refused(err, "%s: the broker refuses %s", where, e.certificate())
	case errors.Is(err, nats.ErrSecureConnRequired), errors.Is(err, nats.ErrSecureConnWanted),
		strings.Contains(text, "first record does not look like a TLS handshake"):
		return refused(err, "%s: one end speaks TLS and the other does not", where)
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, nats.ErrNoServers):
		return unreachable(nil, "%s: nothing listens there", where)
	}
	var network net.Error
	if errors.As(err, &network) && network.Timeout() || errors.Is(err, nats.ErrTimeout) {
		return unreachable(nil, "%s: no answer within %s", where, dialWithin)
	}
	return unreachable(err, "%s", where)
}

func hiddenAll(urls string) string {
	all := strings.Split(urls, ",")
	for i, u := range all {
		scheme, rest, has := strings.Cut(u, "://")
		if has {
			all[i] = scheme + "://" + strings.TrimPrefix(hidden(rest), "...@")
		}
	}
	return strings.Join(all, ",")
}
