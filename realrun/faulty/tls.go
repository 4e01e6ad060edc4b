package faulty

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"slices"
	"strings"
	"time"

	"flyball/internal/fault"
)

// Name is the name of every host in its certificate.
const Name = "mx.fault.example"

// certificates are what the handshakes of a receiver need.
type certificates struct {
	roots *x509.CertPool
	of    map[string]tls.Certificate // by kind of handshake
}

// newCertificates returns the certificates of a script; nil if it offers no STARTTLS.
func newCertificates(s *fault.Script) (*certificates, error) {
	if !slices.ContainsFunc(s.Offers, func(v string) bool { return strings.EqualFold(v, "STARTTLS") }) {
		return nil, nil
	}
	root, err := newAuthority()
	if err != nil {
		return nil, err
	}
	other, err := newAuthority()
	if err != nil {
		return nil, err
	}
	c := &certificates{roots: x509.NewCertPool(), of: map[string]tls.Certificate{}}
	c.roots.AddCert(root.cert)
	for _, v := range []struct {
		how, name string
		by        *authority
		until     time.Duration
	}{{"sound", Name, root, time.Hour}, {"abrupt", Name, root, time.Hour}, {"self-signed", Name, other, time.Hour},
		{"expired", Name, root, -time.Hour}, {"wrong-name", "other.example", root, time.Hour}} {
		if c.of[v.how], err = v.by.issue(v.name, time.Now().Add(v.until)); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Roots returns the authority that a client has to trust to verify the sound certificates; nil without STARTTLS.
func (r *Receiver) Roots() *x509.CertPool {
	if r.certs == nil {
		return nil
	}
	return r.certs.roots
}

func (c *certificates) config(how string) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{c.of[how]}, MinVersion: tls.VersionTLS12}
}

// authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	all := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority of tests"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, all, all, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{cert, key}, err
}

// issue returns the certificate of a server that is valid until a time.
func (a *authority) issue(name string, until time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{name}, NotBefore: until.Add(-3 * time.Hour),
		NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature}
	if name == Name {
		of.DNSNames = append(of.DNSNames, fault.Domain, "*."+fault.Domain) // where the script has a name server
		of.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, err := x509.CreateCertificate(rand.Reader, of, a.cert, &key.PublicKey, a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
