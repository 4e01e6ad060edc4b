package reporting

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"flyball/internal/mail"
	"flyball/realrun/dial"
)

// Check returns an error unless reports may go to an address: a mail address whose domain allow allows, at the receiver
// too that takes all mail, if there is one, or http://IP:PORT/... on loopback. The error wraps dial.ErrRefused if a
// report there would not be safe.
func Check(to string, allow *dial.Allowlist, receiver string) error {
	if ofWeb(to) {
		u, err := url.Parse(to)
		if err != nil || u.Scheme != "http" || u.User != nil || u.Port() == "" {
			return fmt.Errorf("got %q, want http://IP:PORT/..., or a mail address", to)
		}
		return (*dial.Allowlist)(nil).CheckAddress(u.Host)
	}
	a, err := mail.ParseAddress(to)
	if err != nil {
		return fmt.Errorf("got %q, want a mail address, or http://IP:PORT/...: %w", to, err)
	}
	if at, err := netip.ParseAddrPort(receiver); err == nil {
		return allow.CheckMail(a.Domain, at)
	}
	return allow.CheckDomain(a.Domain)
}

// ByMail reports whether reports to an address go by mail.
func ByMail(to string) bool { return to != "" && !ofWeb(to) }

func ofWeb(to string) bool { return strings.Contains(to, "://") }

// post posts a report to an address on loopback.
func post(ctx context.Context, to string, text []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	client := (*dial.Allowlist)(nil).HTTP(nil)
	defer client.CloseIdleConnections()
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("the address answered %s", answer.Status)
	}
	return nil
}
