package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/opengovsg/latchkey/apikey"
)

// What GET /emails says of the token that it was called with.
const (
	current  = "current token"
	replaced = "old token"
)

// emails is an ordinary handler, which tells a client that has yet to change over.
func emails(w http.ResponseWriter, r *http.Request) {
	key, _ := apikey.FromContext(r.Context())
	if key.Superseded() {
		fmt.Fprint(w, replaced)
		return
	}
	fmt.Fprint(w, current)
}

// rotate hands a client the next token of its own key. A client that never saw the answer asks again
// with the token it has: as long as nobody has used the new one, that is cancelled by another.
func rotate(keys *apikey.Service, rotation apikey.Rotation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, _ := apikey.FromContext(r.Context())
		rotation := rotation
		rotation.Hint = key.Hint // of two who ask at once, one gets a token
		token, _, err := keys.Rotate(r.Context(), apikey.Ref{Owner: key.Owner, ID: key.ID}, rotation)
		switch {
		case errors.Is(err, apikey.ErrConflict): // ErrInGrace and ErrNotActive are conflicts as well
			http.Error(w, err.Error(), http.StatusConflict)
			return
		case err != nil:
			http.Error(w, "Please try again.", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{"token": token.Reveal()})
	})
}
