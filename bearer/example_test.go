package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/bearer"
	"github.com/opengovsg/latchkey/memstore"
)

// newKeys returns a service and the token of a key that may read e-mails and not send any.
func newKeys() (*apikey.Service, string) {
	keys, err := apikey.New(new(memstore.Store), apikey.Config{
		Prefix: "postman_live",
		Scopes: []string{"email:read", "email:send"},
	})
	if err != nil {
		log.Fatal(err)
	}
	token, _, err := keys.Issue(context.Background(), apikey.Request{
		Owner:  "user_42",
		Label:  "HR reminders",
		Scopes: []string{"email:read"},
	})
	if err != nil {
		log.Fatal(err)
	}
	return keys, token.Reveal()
}

// try sends a request to a handler and prints what it answers.
func try(h http.Handler, method, path string, headers ...string) {
	r := httptest.NewRequest(method, path, nil)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code == http.StatusOK {
		fmt.Println(w.Code, w.Body)
	} else {
		fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	}
}

func ExampleGuard_Handler() {
	keys, token := newKeys()
	guard := bearer.New(keys, bearer.Config{})
	whoami := guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, _ := apikey.FromContext(r.Context())
		fmt.Fprintf(w, "hello %s, this is %s", key.Owner, key.Label)
	}))

	try(whoami, "GET", "/whoami", "Authorization: Bearer "+token)
	try(whoami, "GET", "/whoami")
	try(whoami, "GET", "/whoami", "Authorization: Bearer "+token+"?")
	try(whoami, "GET", "/whoami", "Authorization: Bearer stale")
	// Output:
	// 200 hello user_42, this is HR reminders
	// 401 Bearer realm="api"
	// 400 Bearer realm="api", error="invalid_request"
	// 401 Bearer realm="api", error="invalid_token"
}

func ExampleGuard_Require() {
	keys, token := newKeys()
	guard := bearer.New(keys, bearer.Config{Realm: "postman"})
	ok := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") })

	mux := http.NewServeMux()
	mux.Handle("GET /emails", guard.Require("email:read")(ok))
	mux.Handle("POST /emails", guard.Require("email:send")(ok))

	try(mux, "GET", "/emails", "Authorization: Bearer "+token)
	try(mux, "POST", "/emails", "Authorization: Bearer "+token)
	// Output:
	// 200 ok
	// 403 Bearer realm="postman", error="insufficient_scope", scope="email:send"
}

// A handler behind Optional serves people with a session as well, and decides what to do with those
// who have neither.
func ExampleGuard_Optional() {
	sessions := map[string]string{"mX3vPq": "Siti"} // the application's own

	keys, token := newKeys()
	guard := bearer.New(keys, bearer.Config{})
	hello := guard.Optional(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if key, ok := apikey.FromContext(r.Context()); ok {
			fmt.Fprint(w, "hello program of ", key.Owner)
			return
		}
		if cookie, err := r.Cookie("session"); err == nil && sessions[cookie.Value] != "" {
			fmt.Fprint(w, "hello ", sessions[cookie.Value])
			return
		}
		guard.Deny(w, r, bearer.ErrNoCredentials)
	}))

	try(hello, "GET", "/", "Authorization: Bearer "+token)
	try(hello, "GET", "/", "Cookie: session=mX3vPq")
	try(hello, "GET", "/")
	// Bad credentials are refused, whatever else comes with them.
	try(hello, "GET", "/", "Cookie: session=mX3vPq", "Authorization: Bearer stale")
	// Output:
	// 200 hello program of user_42
	// 200 hello Siti
	// 401 Bearer realm="api"
	// 401 Bearer realm="api", error="invalid_token"
}

// Check is for handlers that learn only from the request which scope it takes.
func ExampleGuard_Check() {
	keys, token := newKeys()
	guard := bearer.New(keys, bearer.Config{})
	emails := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scope := "email:send"
		if r.Method == "GET" {
			scope = "email:read"
		}
		key, err := guard.Check(r, scope)
		if err != nil {
			guard.Deny(w, r, err)
			return
		}
		fmt.Fprint(w, "hello ", key.Owner)
	})

	try(emails, "GET", "/emails", "Authorization: Bearer "+token)
	try(emails, "POST", "/emails", "Authorization: Bearer "+token)
	// Output:
	// 200 hello user_42
	// 403 Bearer realm="api", error="insufficient_scope", scope="email:send"
}

// The reason of a refusal goes to the log, where it says more than the client is told.
func ExampleConfig_onDeny() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{} // so that the output below is the same every time
			}
			return a
		},
	}))

	keys, _ := newKeys()
	guard := bearer.New(keys, bearer.Config{OnDeny: func(r *http.Request, reason error) {
		level := slog.LevelInfo
		if errors.Is(reason, apikey.ErrUnavailable) {
			level = slog.LevelError
		}
		logger.Log(r.Context(), level, "denied", "path", r.URL.Path, "reason", reason)
	}})

	try(guard.Handler(http.NotFoundHandler()), "GET", "/emails",
		"Authorization: Bearer postman_live_01m83pph00zab5rrb146_RfHk7hp3ILTgK2y3mH3UqtmaFCrvkUb7keKpQPXNubf4e9wCY")
	// Output:
	// level=INFO msg=denied path=/emails reason="apikey: invalid token: unknown: key 01m83pph00zab5rrb146"
	// 401 Bearer realm="api", error="invalid_token"
}
