package requests

import (
	"bytes"
	"context"
	"errors"
	"html/template"
	"io"
	"mime"
	"mime/multipart"
	"net/http"

	"flyball/internal/mail"
)

// mostBody is the size of a body that is read.
const mostBody = 4 << 10

// route is a method and a path with what is done there.
type route struct {
	pattern string
	do      http.HandlerFunc
}

// routes returns all that is served. Only POST changes anything.
func (s *Server) routes() []route {
	all := []route{{"GET /u/{ticket}", s.show}, {"POST /u/{ticket}", s.act}}
	if s.cfg.Form != nil {
		all = append(all, route{"GET /u/{$}", s.showForm}, route{"POST /u/{$}", s.takeForm})
	}
	return all
}

// handler serves the routes, and refuses requests that other sites make in a browser.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.HandleFunc(r.pattern, r.do)
	}
	inner := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri "+
			"'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Robots-Tag", "noindex, nofollow")
		// a page elsewhere learns no ticket; no-referrer would hide the origin of a form
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Timeout)
		defer cancel()
		inner.ServeHTTP(w, r.WithContext(ctx))
	})
}

// page is what a person reads.
type page struct {
	Title, Text string
	Forms       []button
	Ask         *ask
}

// button is a form without anything to fill in.
type button struct{ Action, Name, Value, Label string }

// ask is a form to fill in.
type ask struct{ Stamp, Address string }

var pages = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
</head>
<body>
<main>
<h1>{{.Title}}</h1>
<p>{{.Text}}</p>
{{range .Forms}}<form method="post"{{with .Action}} action="{{.}}"{{end}}>
<input type="hidden" name="{{.Name}}" value="{{.Value}}">
<button>{{.Label}}</button>
</form>
{{end}}{{with .Ask}}<form method="post">
<input type="hidden" name="stamp" value="{{.Stamp}}">
<p><label>Mail address: <input type="email" name="address" value="{{.Address}}" required maxlength="254" autocomplete="email"></label></p>
<p hidden><label>Leave this empty: <input name="website" tabindex="-1" autocomplete="off"></label></p>
<button name="ask" value="add">Subscribe</button>
<button name="ask" value="delete">Unsubscribe</button>
</form>
{{end}}</main>
</body>
</html>
`))

func answer(w http.ResponseWriter, code int, p page) {
	var b bytes.Buffer
	if err := pages.Execute(&b, p); err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	w.Write(b.Bytes())
}

// unknown is the answer to a ticket that cannot be read. It is the same for all that no mailing wrote, or whose time is
// over.
func unknown(w http.ResponseWriter, why error) {
	if errors.Is(why, errLater) {
		later(w)
		return
	}
	answer(w, http.StatusNotFound, page{Title: "This link does not work", Text: "It is not complete, or too old. " +
		"Take the link of a newer mail, or answer the mail with the word unsubscribe in the first line."})
}

// later is the answer while requests cannot be kept.
func later(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "60")
	answer(w, http.StatusServiceUnavailable, page{Title: "Please try again", Text: "Your request could not be kept. " +
		"Nothing has changed. Please try again in a minute."})
}

// offer is what a ticket offers: a page with a button, whose one pair of name and value is the request.
type offer struct{ title, text, name, value, label string }

func (s *Server) offer(purpose byte) offer {
	switch name := s.cfg.Name; purpose {
	case mail.ToLeave:
		return offer{"Leave " + name, "You will get no more mail of " + name + ".", "List-Unsubscribe", "One-Click",
			"Unsubscribe"}
	case mail.ToReturn:
		return offer{"Return to " + name, "You will get mail of " + name + " again.", "return", "yes",
			"Subscribe again"}
	case mail.ToJoin:
		return offer{"Subscribe to " + name, "Somebody, probably you, has asked for mail of " + name +
			" to your address.",
			"confirm", "yes", "Yes, subscribe"}
	case mail.ToQuit:
		return offer{"Leave " + name, "Somebody, probably you, has asked for no more mail of " + name +
			" to your address.",
			"confirm", "yes", "Yes, unsubscribe"}
	}
	panic("requests: a ticket for another purpose")
}

// show shows the page of a ticket.
func (s *Server) show(w http.ResponseWriter, r *http.Request) {
	_, t, err := s.ticket(r.PathValue("ticket"))
	if err != nil {
		unknown(w, err)
		return
	}
	o := s.offer(t.Purpose)
	answer(w, http.StatusOK, page{Title: o.title, Text: o.text, Forms: []button{{"", o.name, o.value, o.label}}})
}

// act does what a ticket is for. The answer says that it is done, also if it was before.
func (s *Server) act(w http.ResponseWriter, r *http.Request) {
	j, t, err := s.ticket(r.PathValue("ticket"))
	if err != nil {
		unknown(w, err)
		return
	}
	o := s.offer(t.Purpose)
	if !says(w, r, o.name, o.value) {
		answer(w, http.StatusBadRequest, page{Title: "Nothing has changed",
			Text: "The request was not of the form that " +
				"is expected here."})
		return
	}
	by := "click"
	if r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Origin") != "" {
		by = "page"
	}
	var changed bool
	done := page{Title: "Done"}
	switch t.Purpose {
	case mail.ToLeave:
		err = s.leave(r.Context(), j, t.Rcpt, by)
		done.Text = "You will get no more mail of " + s.cfg.Name + "."
		back := s.offer(mail.ToReturn)
		done.Forms = []button{{s.write(j, mail.ToReturn, t.Rcpt), back.name, back.value, back.label}}
	case mail.ToReturn:
		changed, err = j.Desk.Return(r.Context(), j.First+t.Rcpt)
		done.Text = "You will get mail of " + s.cfg.Name + " again."
	default:
		changed, err = j.Desk.Agree(r.Context(), j.First+t.Rcpt, t.Purpose == mail.ToJoin)
		done.Text = "Your request is confirmed."
	}
	if err != nil {
		later(w)
		return
	}
	if changed {
		kind := Returned
		if t.Purpose == mail.ToQuit {
			kind = Left
		}
		s.cfg.tell(Event{Kind: kind, Job: j.Name, Rcpt: &t.Rcpt, By: by, Address: s.cfg.Form.address(j, t.Rcpt)})
	}
	answer(w, http.StatusOK, done)
}

// says reports whether a body is one pair of name and value, and nothing else, in either form that RFC 8058 3.2 has.
func says(w http.ResponseWriter, r *http.Request, name, value string) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBody))
	if err != nil {
		return false
	}
	kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "multipart/form-data" {
		return string(bytes.TrimRight(body, "\r\n")) == name+"="+value
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	p, err := parts.NextPart()
	if err != nil || p.FormName() != name || p.FileName() != "" {
		return false
	}
	content, err := io.ReadAll(p)
	if err != nil || string(content) != value {
		return false
	}
	_, err = parts.NextPart()
	return err == io.EOF
}
