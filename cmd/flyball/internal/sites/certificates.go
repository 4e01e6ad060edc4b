package sites

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"slices"

	"flyball/bus"
	"flyball/cmd/flyball/internal/task"
	"flyball/site"
)

// TLS returns the settings by which this computer shows who it is, and knows others; nil of a site without
// certificates.
func (s *Site) TLS() (*tls.Config, error) {
	if s.Bus.Cert == "" {
		return nil, nil
	}
	settings, err := bus.Config{CA: s.Bus.CA, Cert: s.Bus.Cert, Key: s.Bus.Key}.TLS()
	return settings, BusError(err)
}

// CheckIdentity returns an error unless the certificate of this computer and the keys of its stations are there, and
// the certificate is valid now.
func (s *Site) CheckIdentity() error {
	var wrong []error
	for _, v := range s.Here {
		if s.Bus.URL != "" && s.Roles(v) != nil {
			wrong = append(wrong, BusError(s.Connection(v).Check()))
		}
		if s.Keys != "" && slices.Contains(s.Clients(), v) {
			_, err := s.Token(v)
			wrong = append(wrong, err)
		}
	}
	settings, err := s.TLS()
	if wrong = append(wrong, err); settings != nil {
		wrong = append(wrong, s.checkCertificate(settings.Certificates[0], settings.RootCAs))
	}
	return once(wrong)
}

// once returns all errors, those with the same words once.
func once(all []error) error {
	said := map[string]bool{}
	return errors.Join(slices.DeleteFunc(all, func(err error) bool {
		if err == nil || said[err.Error()] {
			return true
		}
		said[err.Error()] = true
		return false
	})...)
}

// checkCertificate returns an error unless others will take the stations here that show them the certificate for what
// they are: it is signed by the authorities, for the addresses at which these stations are found.
func (s *Site) checkCertificate(own tls.Certificate, authorities *x509.CertPool) error {
	rest := x509.NewCertPool()
	for _, raw := range own.Certificate[1:] {
		if c, err := x509.ParseCertificate(raw); err == nil {
			rest.AddCert(c)
		}
	}
	var wrong []error
	for _, v := range s.Here {
		host, shows := s.found(v)
		if !shows {
			continue
		}
		if _, err := own.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: authorities, Intermediates: rest,
			KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err != nil {
			wrong = append(wrong, task.Fail(task.Refused, "bus.cert: %s: others would not take it for %s's: %w",
				s.Bus.Cert, v.Name(), err))
		}
	}
	return errors.Join(wrong...)
}

// found returns the host by which other computers find a station, which shows them a certificate; false if it shows
// none. The host is empty if it is one of several.
func (s *Site) found(v site.Station) (host string, shows bool) {
	switch v.Role {
	case site.A:
		host, _, _ = net.SplitHostPort(s.DepotAddress())
	case site.Storage:
		host, _, _ = net.SplitHostPort(v.Listen)
	case site.Broker:
		if u, err := url.Parse(s.Bus.URL); err == nil { // else there are several
			host = u.Hostname()
		}
	default:
		if v.Changes == "" {
			return "", false
		}
		host, _, _ = net.SplitHostPort(v.Changes)
	}
	return host, true
}
