package depot

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/internal/mail"
)

// ask makes a request, and returns code and body.
func ask(t *testing.T, r *Remote, method, path, authorization string, header ...string) (int, string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, r.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		q.Header.Set("Authorization", authorization)
	}
	for i := 0; i < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, string(text)
}

// Each role may do what stands here and nothing else, with each method, on what is there and what is not.
func TestRights(t *testing.T) {
	d := open(t)
	text, digest := content(1, 1000)
	put(t, d, 7, text)
	r := serve(t, d, nil)
	part := "/parts/" + digest.String()
	may := map[string]string{
		"a":        "/mailings/7 /mailings/7/keys /lists/people " + part,
		"b":        "/mailings/7 /mailings/7/keys /suppression /digests /running POST:/claims " + part,
		"c":        "/mailings/7/keys /taken POST:/changes",
		"d":        "/mailings/7/keys /taken POST:/changes",
		"response": "/mailings/7/keys",
		"storage": "/mailings/7 /mailings/7/keys /mailings/7/outcomes /changes /running POST:/mailings/7/recorded " +
			part,
		"operator": "/audit",
	}
	if len(may) != len(Roles) {
		t.Fatalf("%d roles, want %d", len(may), len(Roles))
	}
	asked := 0
	for role, allowed := range may {
		for _, method := range []string{"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "PROPFIND"} {
			for _, path := range []string{"/mailings/7", "/mailings/7/keys", part, "/audit", "/", "/mailings/",
				"/parts/", "/mailing-7", "/audit/x", "/mailings/7/secret", "/changes", "/taken", "/lists/people",
				"/lists/", "/suppression", "/mailings/7/outcomes", "/mailings/7/recorded", "/digests", "/running",
				"/claims"} {
				code, body := ask(t, r, method, path, "Bearer "+tokenOf(role+"1"))
				want, reads := http.StatusForbidden, method == "GET" || method == "HEAD"
				switch {
				case reads && strings.Contains(" "+allowed+" ", " "+path+" "):
					want = http.StatusNotFound // this server has no lists, and buffers nothing
					if slices.Contains([]string{"/mailings/7", "/mailings/7/keys", part, "/audit", "/running"},
						path) {
						want = http.StatusOK
					}
				case strings.Contains(" "+allowed+" ", " "+method+":"+path+" "):
					want = http.StatusNotFound
				}
				if code != want {
					t.Errorf("%s: %s %s: got %d, want %d", role, method, path, code, want)
				}
				if want == http.StatusForbidden && method != "HEAD" && !strings.Contains(body, "is of role "+role) {
					t.Errorf("%s: %s %s: got %q", role, method, path, body)
				}
				asked++
			}
			// What is not there looks to a client without the right as what is there.
			for _, path := range []string{"/mailings/8", "/parts/" + HashToken("other").String(), "/parts/x",
				"/mailings/x"} {
				code, _ := ask(t, r, method, path, "Bearer "+tokenOf(role+"1"))
				may := (method == "GET" || method == "HEAD") && (role == "a" || role == "b" || role == "storage")
				if may == (code == http.StatusForbidden) || code == http.StatusOK {
					t.Errorf("%s: %s %s: got %d", role, method, path, code)
				}
				asked++
			}
		}
	}
	entries, err := d.Audit()
	if err != nil || len(entries) != asked {
		t.Errorf("%d entries, %v, want one for each of %d requests", len(entries), err, asked)
	}
}

// Where counted links lead is for servers that count, and for those that have the letter.
func TestTargets(t *testing.T) {
	d := open(t)
	if _, err := d.Put(Manifest{Keys: Keys{Job: 3, Recipients: 1, Date: at, Secret: mail.Key{1},
		Targets: []string{"https://shop.example/7"}}}, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	r := serve(t, d, nil)
	for role, want := range map[string]bool{"response": true, "c": false, "d": false} {
		code, body := ask(t, r, "GET", "/mailings/3/keys", "Bearer "+tokenOf(role+"1"))
		if code != http.StatusOK || strings.Contains(body, "shop.example/7") != want {
			t.Errorf("%s: got %d %s", role, code, body)
		}
	}
}

// Who shows no token of a client gets nothing, and the audit has it without the token.
func TestStrangers(t *testing.T) {
	d := open(t)
	text, digest := content(1, 1000)
	put(t, d, 7, text)
	r := serve(t, d, nil)
	good := tokenOf("b1")
	strangers := 0
	for _, show := range []string{"", "Bearer ", "Bearer x", good, "Basic " + good, "bearer " + good,
		"Bearer " + good[1:], "Bearer " + good[:len(good)-1], "Bearer " + good + "x",
		"Bearer " + HashToken(good).String()} {
		for _, path := range []string{"/parts/" + digest.String(), "/mailings/7", "/audit", "/none"} {
			code, body := ask(t, r, "GET", path, show)
			if code != http.StatusUnauthorized || strings.Contains(body, "part") || len(body) > 100 {
				t.Errorf("%q: %s: got %d %q", show, path, code, body)
			}
			strangers++
		}
	}
	if code, body := ask(t, r, "GET", "/parts/"+digest.String(), "Bearer "+good, "Range", "bytes=990-"); code !=
		http.StatusPartialContent || body != string(text[990:]) {
		t.Errorf("got %d", code)
	}
	all, err := d.Audit()
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`[{"at":"2026-11-30T12:00:00Z","who":%q,"role":"","what":"GET \"/parts/%s\"","from":0,`+
		`"code":401},{"at":"2026-11-30T12:00:00Z","who":"b1","role":"b","what":"GET \"/parts/%s\"","from":990,`+
		`"code":200}]`,
		all[0].Who, digest, digest)
	if got, _ := json.Marshal(all); string(got) != want {
		t.Errorf("got %s\nwant %s", got, want) // all strangers came at one time
	}
	if err := d.audit.enter(Access{At: at.Add(time.Minute), Who: "192.0.2.1:1"}, true); err != nil {
		t.Fatal(err)
	}
	if all, _ = d.Audit(); all[2].Before != strangers-1 {
		t.Errorf("got %+v", all[2])
	}
	if _, body := ask(t, r, "GET", "/audit", "Bearer "+tokenOf("operator1")); strings.Contains(body, good) ||
		!strings.Contains(body, `"who":"b1"`) {
		t.Errorf("got %s", body)
	}
	// Nothing is answered without an entry.
	d.audit.log.Close()
	if code, body := ask(t, r, "GET", "/parts/"+digest.String(), "Bearer "+good); code !=
		http.StatusInternalServerError || strings.Contains(body, string(text[:10])) {
		t.Errorf("got %d", code)
	}
}

// Two clients with one token, or a token that may be guessed, are refused before anything is served.
func TestClients(t *testing.T) {
	d := open(t)
	one := Client{"b1", Delivering, HashToken(tokenOf("b1"))}
	for _, bad := range [][]Client{{one, {"b2", Delivering, one.Hash}}, {one, {"b1", Sending, HashToken("other")}},
		{{"b1", "x", one.Hash}}, {{"", Sending, one.Hash}}, {{"b\n1", Sending, one.Hash}},
		{{"b1", Sending, Digest{}}}} {
		if _, err := d.Serve(bad, time.Now); err == nil {
			t.Errorf("%v were served", bad)
		}
	}
	for token, want := range map[string]bool{NewToken(): true, strings.Repeat("x", 26): true,
		strings.Repeat("x", 25): false, strings.Repeat("x", 26) + " ": false, strings.Repeat("x", 26) + "\n": false} {
		if err := checkToken(token); (err == nil) != want {
			t.Errorf("%q: %v", token, err)
		}
	}
	good := Config{Dir: "x", Most: 1, Remote: &Remote{URL: "https://192.0.2.1:8443", Token: NewToken()}}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for _, url := range []string{"http://192.0.2.1:80", "https://depot.example:443", "https://192.0.2.1",
		"ftp://127.0.0.1:1", "https://u:p@192.0.2.1:1", "https://192.0.2.1:1/x", "https://192.0.2.1:1?x", "x", ""} {
		bad := good
		bad.Remote = &Remote{URL: url, Token: good.Remote.Token}
		if _, err := Keep(bad); err == nil {
			t.Errorf("%s was taken", url)
		}
	}
	if err := (Config{}).Validate(); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("got %v, want all problems", err)
	}
}

// certificate returns a certificate of 127.0.0.1 and the authorities that signed it, which is itself.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true,
		BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}

// Over HTTPS a client wants a certificate of its authorities, and does not show its token to another one.
func TestHTTPS(t *testing.T) {
	d := open(t)
	text, digest := content(1, 1000)
	put(t, d, 7, text)
	s, err := d.Serve(clients(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	certificate1, pool := certificate(t)
	_, other := certificate(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Listen(ctx, l, &tls.Config{Certificates: []tls.Certificate{certificate1}}) }()
	kept := func(token string, c *tls.Config) *Kept {
		r := &Remote{URL: "https://" + l.Addr().String(), Token: token, TLS: c, Pause: time.Nanosecond}
		return keep(t, t.TempDir(), r, 1<<20, nil)
	}
	b1, good := tokenOf("b1"), &tls.Config{RootCAs: pool}
	name, err := kept(b1, good).Fetch(t.Context(), digest)
	if err != nil || !bytes.Equal(read(t, name), text) {
		t.Error(err)
	}
	if _, err = kept(b1, &tls.Config{RootCAs: other}).Fetch(t.Context(), digest); !errors.Is(err, ErrRefused) ||
		!strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v, want a refused certificate", err)
	}
	late := func() time.Time { return time.Now().Add(2 * time.Hour) } // the depot's will be replaced
	if _, err = kept(b1, &tls.Config{RootCAs: pool, Time: late}).Fetch(t.Context(), digest); errors.Is(err,
		ErrRefused) || !strings.Contains(fmt.Sprint(err), "expired") {
		t.Errorf("got %v, want a certificate that has expired, and no refusal", err)
	}
	if _, err = kept(NewToken(), good).Fetch(t.Context(), digest); !errors.Is(err, ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
	if _, err = kept(tokenOf("d1"), good).Mailing(t.Context(), 7); !errors.Is(err, ErrRefused) ||
		!strings.Contains(err.Error(), "d1 is of role d, which may not have the manifest") {
		t.Errorf("got %v, want the right that is missing", err)
	}
	if _, err = kept(b1, good).Mailing(t.Context(), 8); !errors.Is(err, ErrAbsent) {
		t.Errorf("got %v, want ErrAbsent", err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	outside, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	if err := s.Listen(t.Context(), outside, nil); !errors.Is(err, ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
}
