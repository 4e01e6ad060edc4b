package dial

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// A client of HTTP goes where the list allows, and nowhere else by a redirect.
func TestHTTP(t *testing.T) {
	reached := 0
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer target.Close()
	server := httptest.NewServer(http.RedirectHandler(target.URL, http.StatusFound))
	defer server.Close()
	other := Servers("the servers of a site", netip.MustParseAddrPort("192.0.2.1:443"))
	for _, list := range []*Allowlist{nil, other} {
		a, err := list.HTTP(nil).Get(server.URL)
		if err != nil || a.StatusCode != http.StatusFound || reached != 0 {
			t.Errorf("got %v, %v, reached %d times, want the redirect as the answer", a, err, reached)
		}
		if err == nil {
			a.Body.Close()
		}
	}
	for _, v := range []struct {
		list *Allowlist
		url  string
	}{{nil, "http://192.0.2.1:443"}, {other, "http://192.0.2.1:80"}, {other, "http://192.0.2.2:443"},
		{other, "http://localhost:443"},
		{Servers("x", netip.MustParseAddrPort("169.254.1.1:80")), "http://169.254.1.1:80"}} {
		if _, err := v.list.HTTP(nil).Get(v.url); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: got %v, want ErrRefused", v.url, err)
		}
	}
	if err := other.CheckAddress("192.0.2.1:443"); err != nil {
		t.Error(err)
	}
	if err := other.CheckMail("partner.org", netip.MustParseAddrPort("192.0.2.1:443")); !errors.Is(err, ErrRefused) {
		t.Errorf("mail: got %v, want ErrRefused", err)
	}
}
