package depot

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"flyball/engine"
	"flyball/internal/conf"
	"flyball/internal/input"
	"flyball/internal/pause"
	"flyball/realrun/dial"
)

// Remote is the server of another process. It is not copied once it is in use.
type Remote struct {
	// URL is https://IP:PORT; http on loopback alone. A name is not resolved, since it may lead anywhere.
	URL   string
	Token string
	// TLS has the authorities by which the certificate of the depot must be signed, and its name; nil: the system's
	TLS *tls.Config
	// Pause is the time before a request is made again, doubled after each further failure; 0: 0.1 s
	Pause time.Duration

	once   sync.Once
	client *dial.Client // that once has made
}

func (r *Remote) validate() []error {
	var l conf.List
	u, err := url.Parse(r.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || strings.Trim(u.Path, "/") != "" ||
		u.RawQuery != "" || u.Fragment != "" {
		l.Check(false, "url", "got %.100q, want https://IP:PORT, or http://IP:PORT on loopback", r.URL)
	} else if at, err := netip.ParseAddrPort(u.Host); err != nil {
		l.Check(false, "url", "got %q, want IP:PORT: names are not resolved, since they may lead anywhere", u.Host)
	} else {
		l.Check(u.Scheme == "https" || at.Addr().IsLoopback(), "url",
			"got http://%s outside of loopback, want https://%s", at, at)
	}
	err = checkToken(r.Token)
	l.Check(err == nil, "token", "%v", err)
	return l
}

// connect returns the client, which connects to the depot alone. Any number of goroutines may ask at once.
func (r *Remote) connect() *dial.Client {
	r.once.Do(func() {
		u, _ := url.Parse(r.URL)
		at, _ := netip.ParseAddrPort(u.Host)
		r.client = dial.Servers("the URL of the depot", at).HTTP(r.TLS)
	})
	return r.client
}

// mostFailures is how many requests in a row may fail without a new byte before a fetch does.
const mostFailures = 6

// idle is how long a depot may send nothing before the connection is given up.
const idle = 30 * time.Second

// final is an error after which a request is not made again.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// again makes a request until it has been answered to its end, it fails for good, or too many in a row have not come
// further than an earlier one: a server that goes on nowhere, and cuts each connection, sends the same bytes for ever.
func (r *Remote) again(ctx context.Context, request func() (end int64, err error)) error {
	failures, furthest := 0, int64(0)
	for {
		end, err := request()
		if stop := new(final); err == nil || errors.As(err, stop) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if failures++; end > furthest {
			failures, furthest = 1, end
		}
		if failures == mostFailures {
			return err
		}
		if err := pause.For(ctx, cmp.Or(r.Pause, 100*time.Millisecond)<<(failures-1)); err != nil {
			return err
		}
	}
}

// request makes one request, for what lies behind the first bytes. The answer must be closed.
func (r *Remote) request(ctx context.Context, method, path string, body io.Reader, from int64) (*http.Response,
	error) {
	q, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(r.URL, "/")+path, body)
	if err != nil {
		return nil, final{err}
	}
	q.Header.Set("Authorization", "Bearer "+r.Token)
	if from > 0 {
		q.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	a, err := r.connect().Do(q)
	switch {
	case errors.Is(err, dial.ErrRefused):
		return nil, final{err}
	case strange(err):
		return nil, final{fmt.Errorf("%w: %w", ErrRefused, err)}
	case err != nil:
		return nil, err
	case a.StatusCode == http.StatusOK, a.StatusCode == http.StatusPartialContent,
		a.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return a, nil
	}
	defer a.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(a.Body, 500))
	err = fmt.Errorf("the depot answers %s: %.400q", a.Status, strings.TrimSpace(string(text)))
	switch {
	case a.StatusCode == http.StatusUnauthorized, a.StatusCode == http.StatusForbidden:
		return nil, final{fmt.Errorf("%w: %w", ErrRefused, err)}
	case a.StatusCode == http.StatusNotFound:
		return nil, final{fmt.Errorf("%w: %w", ErrAbsent, err)}
	case a.StatusCode < 500:
		return nil, final{err}
	}
	return nil, err
}

// strange reports whether the other end has shown a certificate that a server of this client does not have. One that
// has only expired is not strange: it will be replaced.
func strange(err error) bool {
	var invalid x509.CertificateInvalidError
	return errors.As(err, new(x509.UnknownAuthorityError)) || errors.As(err, new(x509.HostnameError)) ||
		errors.As(err, &invalid) && invalid.Reason != x509.Expired
}

// get returns a short answer.
func (r *Remote) get(ctx context.Context, path string) (text []byte, err error) {
	err = r.again(ctx, func() (int64, error) {
		a, err := r.request(ctx, http.MethodGet, path, nil, 0)
		if err != nil {
			return 0, err
		}
		defer a.Body.Close()
		text, err = io.ReadAll(input.Manifest.Bound(a.Body, path))
		if errors.Is(err, input.ErrRefused) {
			err = final{err}
		}
		return int64(len(text)), err
	})
	return text, err
}

// download fetches a part into its file that is not there as a whole, from the end of that file on.
func (r *Remote) download(ctx context.Context, k *Kept, d Digest) error {
	return r.again(ctx, func() (end int64, err error) {
		name := d.String() + partial
		f, from, err := k.files.Append(name)
		if err != nil {
			return 0, final{err}
		}
		defer func() {
			if wrong := errors.Join(f.Sync(), f.Close()); wrong != nil {
				err = final{errors.Join(err, wrong)}
			}
		}()
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		a, err := r.request(ctx, http.MethodGet, "/parts/"+d.String(), nil, from)
		if err != nil {
			return 0, err
		}
		defer a.Body.Close()
		size, fits := total(a, from)
		if !fits { // the part does not begin so, or the depot cannot go on where it ends
			if err := k.files.Remove(name); err != nil {
				return 0, final{err}
			}
			return 0, fmt.Errorf("the depot answers %s for bytes from %d on", a.Status, from)
		}
		if err := k.room(d, size); err != nil {
			return 0, final{err}
		}
		silent := time.AfterFunc(idle, func() { cancel(fmt.Errorf("the depot sent nothing for %v", idle)) })
		defer silent.Stop()
		body := &timed{io.LimitReader(a.Body, size-from+1), func() { silent.Reset(idle) }}
		got, err := io.Copy(f, body)
		if end = from + got; err != nil {
			return end, errors.Join(err, context.Cause(ctx))
		}
		if end != size {
			return end, fmt.Errorf("got %d bytes, want %d", end, size)
		}
		return end, nil
	})
}

// timed is a reader that tells of each time that something came.
type timed struct {
	io.Reader
	came func()
}

func (t *timed) Read(p []byte) (int, error) {
	n, err := t.Reader.Read(p)
	t.came()
	return n, err
}

// total returns the size of a part whose bytes from a first one on are in an answer; false if others are in it.
func total(a *http.Response, from int64) (size int64, fits bool) {
	switch {
	case a.StatusCode == http.StatusOK && from == 0:
		return a.ContentLength, a.ContentLength >= 0
	case a.StatusCode == http.StatusPartialContent:
		text, is := strings.CutPrefix(a.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", from))
		_, of, cut := strings.Cut(text, "/")
		size, err := strconv.ParseInt(of, 10, 64)
		return size, is && cut && err == nil && size >= from
	}
	return 0, false
}

// FetchKeys returns the keys of a mailing; if wait is set, it waits a while for one that is yet to come. The error
// wraps ErrAbsent if the depot has none of this number.
func (r *Remote) FetchKeys(ctx context.Context, job engine.Job, wait bool) (k Keys, err error) {
	path := fmt.Sprintf("/mailings/%d/keys", job)
	if wait {
		path += "?wait"
	}
	text, err := r.get(ctx, path)
	if err == nil {
		err = json.Unmarshal(text, &k)
	}
	if err == nil && k.Job != job {
		err = fmt.Errorf("%w: got the keys of mailing %d, want %d", ErrDamaged, k.Job, job)
	}
	return k, err
}
