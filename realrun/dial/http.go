package dial

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Servers returns an Allowlist that allows connections to certain servers outside of loopback, such as the other
// servers of a site, and mail to none of them. Addresses that cannot be a server's own stay refused. Errors call the
// list name.
func Servers(name string, at ...netip.AddrPort) *Allowlist {
	a := &Allowlist{name: name, servers: map[netip.AddrPort]bool{}}
	for _, s := range at {
		a.servers[netip.AddrPortFrom(s.Addr().Unmap(), s.Port())] = true
	}
	return a
}

// Client is a client of HTTP that connects to addresses of an Allowlist and to no other.
type Client struct{ *http.Client }

// HTTP returns a client that connects to addresses that a allows and to no other, neither by a redirect, which it
// returns as an answer, nor by a proxy. The settings of TLS may be nil.
func (a *Allowlist) HTTP(settings *tls.Config) *Client {
	return &Client{&http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:           func(c context.Context, n, at string) (net.Conn, error) { return a.Dial(c, n, at) },
			TLSClientConfig:       settings,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: 30 * time.Second,
			IdleConnTimeout:       time.Minute,
			DisableCompression:    true, // a part of a file is counted in its own bytes
		},
	}}
}
