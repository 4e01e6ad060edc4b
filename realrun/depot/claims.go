package depot

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"flyball/internal/input"
)

// perClaim bounds the bytes of a claim.
var perClaim = input.Kind{Name: "a claim", Most: 64 << 10}

// admit answers a claim.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) {
	if s.Admit == nil {
		http.Error(w, "this server takes no claims", http.StatusNotFound)
		return
	}
	text, err := io.ReadAll(perClaim.Bound(r.Body, "claim"))
	if err != nil || !json.Valid(text) {
		http.Error(w, "want a claim", http.StatusBadRequest)
		return
	}
	switch grant, err := s.Admit(client(r).Name, text); {
	case errors.Is(err, ErrRefused):
		http.Error(w, err.Error(), http.StatusForbidden)
	case err != nil:
		http.Error(w, "the claim cannot be kept", http.StatusServiceUnavailable)
	default:
		answer(w, grant)
	}
}

// Claim asks the server to admit this client by a claim, a value that is sent as JSON, and reads into grant what it
// grants. The error wraps ErrRefused if the server does not, and has its words.
func (r *Remote) Claim(ctx context.Context, claim, grant any) error {
	return r.ask(ctx, http.MethodPost, claims, claim, grant)
}
