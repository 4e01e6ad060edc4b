// Package dial is the only one that makes a live run connect. Without an allowlist it connects to loopback alone; an
// allowlist names receivers outside, and which domains' mail may go there. What is allowed is decided by the final
// address, at every dial: a name is never resolved here.
package dial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"flyball/internal/mail"
	"flyball/realrun/path"
)

// ErrRefused is the error of a live run that would connect to an address, or mail a domain, that it may not.
var ErrRefused = errors.New("refused for safety")

// Dial connects to addr, IP:PORT, if a allows it; network is "tcp" or, for a name server, "udp". A nil Allowlist allows
// loopback alone. Errors are those of CheckAddress and of the net package.
func (a *Allowlist) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return a.DialWithin(ctx, network, addr, 0)
}

// DialWithin is Dial for a connection each of whose packets may be sent the given number of times, by the sender and by
// each router; 0: the system's own limit.
func (a *Allowlist) DialWithin(ctx context.Context, network, addr string, times int) (net.Conn, error) {
	if err := a.CheckAddress(addr); err != nil {
		return nil, err
	}
	limit := path.Limit(times)
	d := net.Dialer{Control: func(network, final string, c syscall.RawConn) error {
		if err := a.CheckAddress(final); err != nil || limit == nil {
			return err
		}
		return limit(network, final, c)
	}}
	return d.DialContext(ctx, network, addr)
}

// Lacks reports whether err is a lack of descriptors, ports or memory on this computer.
func Lacks(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Local connects to a socket in a folder of this computer.
func Local(name string) (net.Conn, error) { return net.Dial("unix", name) }

// Probe returns an error unless a receiver listens at addr, which a allows.
func (a *Allowlist) Probe(addr string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := a.Dial(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("nothing listens at %s: %w", addr, err)
	}
	return conn.Close()
}

// CheckAddress returns an error that wraps ErrRefused unless addr is an address of this machine's loopback interface,
// or one that a allows for some domain or for name servers. The host must be an IP address: a name, even localhost, may
// resolve to any. The error does not wrap ErrRefused if addr is not of the form IP:PORT.
func (a *Allowlist) CheckAddress(addr string) error {
	at, err := parse(addr)
	switch {
	case err != nil:
		return err
	case at.Addr().IsLoopback():
		return nil
	}
	why := never(at.Addr())
	switch {
	case why != "":
		return fmt.Errorf("%w: got %s, %s, want a receiver's own address", ErrRefused, addr, why)
	case a == nil:
		return fmt.Errorf("%w: got %s, want an address in 127.0.0.0/8, or ::1; others need an allowlist", ErrRefused,
			addr)
	case a.servers[at]:
		return nil
	}
	for _, e := range a.entries {
		if e.reaches(at) {
			return nil
		}
	}
	return fmt.Errorf("%w: got %s, want an address and port that %s allows", ErrRefused, addr, a.name)
}

// CheckDomain returns an error that wraps ErrRefused unless mail of a domain may be sent at all: the domain, in lower
// case and A-labels, is reserved or a allows it for some receiver.
func (a *Allowlist) CheckDomain(domain string) error {
	if (mail.Address{Domain: domain}).Reserved() {
		return nil
	}
	if a == nil {
		return fmt.Errorf("%w: got domain %q, want a reserved one, such as \"provider.example\" (RFC 2606); others "+
			"need an allowlist", ErrRefused, domain)
	}
	for _, e := range a.entries {
		if e.takes(domain) {
			return nil
		}
	}
	return fmt.Errorf("%w: got domain %q, want a reserved one, or one that %s allows", ErrRefused, domain, a.name)
}

// CheckSender returns an error that wraps ErrRefused unless messages may come from a domain: it is reserved, or the
// sender's own or below it, since replies go there.
func (a *Allowlist) CheckSender(domain string) error {
	switch {
	case (mail.Address{Domain: domain}).Reserved():
		return nil
	case a == nil:
		return fmt.Errorf("%w: got domain %q, want a reserved one, such as \"sender.example\" (RFC 2606)", ErrRefused,
			domain)
	case domain == a.Sender || strings.HasSuffix(domain, "."+a.Sender):
		return nil
	}
	return fmt.Errorf("%w: got domain %q, want a reserved one, or the sender's in %s, %s", ErrRefused, domain, a.name,
		a.Sender)
}

// CheckMail returns an error that wraps ErrRefused unless mail of a domain may go to the receiver at an address: both
// are allowed together, or the domain is reserved and the receiver on loopback.
func (a *Allowlist) CheckMail(domain string, at netip.AddrPort) error {
	if err := a.CheckDomain(domain); err != nil {
		return err
	}
	if err := a.CheckAddress(at.String()); err != nil {
		return err
	}
	at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	if at.Addr().IsLoopback() && (mail.Address{Domain: domain}).Reserved() {
		return nil
	}
	if a != nil {
		for _, e := range a.entries {
			if e.takes(domain) && e.reaches(at) {
				return nil
			}
		}
	}
	return fmt.Errorf("%w: got mail of domain %q for %s, want a receiver that is allowed for this domain", ErrRefused,
		domain, at)
}

// parse returns addr without the mapping of IPv4 into IPv6.
func parse(addr string) (netip.AddrPort, error) {
	const want = "want IP:PORT, such as 127.0.0.1:2525 or [::1]:2525"
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("got %q, %s", addr, want)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return netip.AddrPort{}, fmt.Errorf("got port %q, %s", port, want)
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return netip.AddrPort{}, fmt.Errorf("%w: got the name %q, %s: names are not resolved, since they may lead "+
			"anywhere", ErrRefused, host, want)
	case ip.Zone() != "":
		return netip.AddrPort{}, fmt.Errorf("%w: got %s, which is on the link %s alone, %s", ErrRefused, addr,
			ip.Zone(), want)
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(number)), nil
}

// special holds addresses that are not one receiver's own, and those behind which another address stands. No
// allowlist allows them.
var special = []struct {
	network netip.Prefix
	is      string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "which means this machine (RFC 1122)"},
	{netip.MustParsePrefix("169.254.0.0/16"), "which is on a link alone (RFC 3927)"},
	{netip.MustParsePrefix("224.0.0.0/4"), "a multicast address"},
	{netip.MustParsePrefix("240.0.0.0/4"), "which is reserved or broadcast (RFC 1112)"},
	{netip.MustParsePrefix("::/128"), "which means this machine"},
	{netip.MustParsePrefix("::/96"), "which may stand for an IPv4 address (RFC 4291)"},
	{netip.MustParsePrefix("::ffff:0:0/96"), "which stands for an IPv4 address (RFC 4291)"},
	{netip.MustParsePrefix("::ffff:0:0:0/96"), "which stands for an IPv4 address (RFC 2765)"},
	{netip.MustParsePrefix("64:ff9b::/96"), "which stands for an IPv4 address (RFC 6052)"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "which stands for an IPv4 address (RFC 8215)"},
	{netip.MustParsePrefix("2001::/32"), "which stands for an IPv4 address (RFC 4380)"},
	{netip.MustParsePrefix("2002::/16"), "which stands for an IPv4 address (RFC 3056)"},
	{netip.MustParsePrefix("fe80::/10"), "which is on a link alone (RFC 4291)"},
	{netip.MustParsePrefix("fec0::/10"), "which is on a site alone (RFC 3879)"},
	{netip.MustParsePrefix("ff00::/8"), "a multicast address"},
}

// never returns why ip is never connected to; empty if an allowlist may allow it.
func never(ip netip.Addr) string {
	for _, s := range special {
		if s.network.Contains(ip) {
			return s.is
		}
	}
	return ""
}
