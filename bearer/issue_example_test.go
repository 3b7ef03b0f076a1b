package bearer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
)

// createKey is the handler behind a form or a script of a signed-in person. It hands the token out
// this once, in a body that nobody may cache.
func createKey(keys *apikey.Service, signedIn func(*http.Request) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, key, err := keys.Issue(r.Context(), apikey.Request{
			Owner:  signedIn(r), // from the session, never from the request's body
			Label:  r.FormValue("label"),
			Scopes: []string{"email:send"},
		})
		switch {
		case errors.Is(err, apikey.ErrInvalidArgument):
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		case errors.Is(err, apikey.ErrLimit):
			http.Error(w, "You have as many keys as you may have.", http.StatusConflict)
			return
		case err != nil:
			http.Error(w, "Please try again.", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		json.NewEncoder(w).Encode(map[string]string{
			"id":    key.ID,
			"token": token.Reveal(), // a Token by itself marshals as "[redacted]"
		})
	}
}

func Example_issueOverHTTP() {
	keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "acme_live", Scopes: []string{"email:send"}})
	if err != nil {
		log.Fatal(err)
	}
	create := createKey(keys, func(*http.Request) string { return "user_42" })
	for _, label := range []string{"HR reminders", ""} {
		r := httptest.NewRequest("POST", "/keys", strings.NewReader("label="+label))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		create(w, r)
		fmt.Println(w.Code, w.Header().Get("Cache-Control"), strings.Contains(w.Body.String(), "acme_live_"))
	}
	// Output:
	// 201 no-store true
	// 400  false
}

// A handler behind a guard is tested without one, with a key that a service on a memory store issued.
func Example_testing() {
	handler := func(w http.ResponseWriter, r *http.Request) {
		key, _ := apikey.FromContext(r.Context())
		fmt.Fprintf(w, "%s may send: %t", key.Owner, key.Allows("email:send"))
	}

	keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "test", Scopes: []string{"email:send"}})
	if err != nil {
		log.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	_, key, err := keys.Issue(r.Context(), apikey.Request{Owner: "user_42", Label: "test", Scopes: []string{"email:send"}})
	if err != nil {
		log.Fatal(err)
	}
	w := httptest.NewRecorder()
	handler(w, r.WithContext(apikey.NewContext(r.Context(), key)))
	fmt.Println(w.Body)
	// Output:
	// user_42 may send: true
}
