package bearer_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/bearer"
)

// panicText runs f, which must panic, and returns what with.
func panicText(t *testing.T, f func()) (text string) {
	t.Helper()
	defer func() {
		v := recover()
		require.NotNil(t, v, "it must panic")
		text = fmt.Sprint(v)
	}()
	f()
	return ""
}

// What is not set up right fails before it meets a request.
func TestConstruction(t *testing.T) {
	f := newFixture(t)
	for name, construct := range map[string]func(){
		"nil verifier":                 func() { bearer.New(nil, bearer.Config{}) },
		"nil service":                  func() { bearer.New((*apikey.Service)(nil), bearer.Config{}) },
		"nil handler":                  func() { f.guard.Handler(nil) },
		"nil handler in Require":       func() { f.guard.Require("email:send")(nil) },
		"nil handler in Optional":      func() { f.guard.Optional(nil) },
		"bad scope in Optional":        func() { f.guard.Optional(f.spy, "email") },
		"A46 no scope":                 func() { f.guard.Require() },
		"A46 an empty list of scopes":  func() { f.guard.Require([]string{}...) },
		"scope that is empty":          func() { f.guard.Require("") },
		"scope without action":         func() { f.guard.Require("email") },
		"scope with an empty action":   func() { f.guard.Require("email:") },
		"scope with an empty resource": func() { f.guard.Require(":send") },
		"two scopes in one":            func() { f.guard.Require("email:send report:read") },
		"scope with a quotation mark":  func() { f.guard.Require(`email:se"nd`) },
		"scope with a line break":      func() { f.guard.Require("email:send\r\nX-Y: z") },
		"scope beyond ASCII":           func() { f.guard.Require("é:send") },
		"scope that is too long":       func() { f.guard.Require("email:" + strings.Repeat("s", 100)) },
		"good scope and a bad one":     func() { f.guard.Require("email:send", "email") },
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, panicText(t, construct), "bearer: ")
		})
	}
}

// Row A47.
func TestRealm(t *testing.T) {
	f := newFixture(t)
	for _, realm := range []string{
		`a"b`, `a\b`, "a\rb", "a\nb", "a\r\nX-Injected: b", "a\x00b", "a\tb", "a\x1bb", "a\x7fb", "ä", "\xff", "\u2028", `"`,
	} {
		t.Run(fmt.Sprintf("A47 %q", realm), func(t *testing.T) {
			text := panicText(t, func() { bearer.New(f.keys, bearer.Config{Realm: realm}) })
			require.Contains(t, text, "Realm")
		})
	}
	for realm, want := range map[string]string{"": "api", "postman": "postman", "a, b='c' ~!": "a, b='c' ~!", " ": " "} {
		t.Run(fmt.Sprintf("A47 good %q", realm), func(t *testing.T) {
			guard := bearer.New(f.keys, bearer.Config{Realm: realm})
			res := sendDirect(t, guard.Handler(f.spy), request{})
			params := parseChallenge(t, res.header.Get("WWW-Authenticate"))
			require.Equal(t, map[string]string{"realm": want}, params)
		})
	}
}

// A guard or a service that was not made by New lets nobody in.
func TestZeroValues(t *testing.T) {
	f := newFixture(t)
	r := request{auth: []string{"Bearer " + good}}
	require.Panics(t, func() { sendDirect(t, new(bearer.Guard).Handler(f.spy), r) })
	h := bearer.New(new(apikey.Service), bearer.Config{}).Handler(f.spy)
	requireRefusal(t, c0, sendDirect(t, h, request{}))
	requireRefusal(t, c4, sendDirect(t, h, r), good)
	require.Zero(t, f.spy.saw().calls)
}

// The good key is granted "email:send report:*".
func TestScopes(t *testing.T) {
	for _, tt := range []struct {
		required []string
		want     code
	}{
		{[]string{"email:send"}, pass},
		{[]string{"email:send", "email:send"}, pass},
		{[]string{"report:read"}, pass},
		{[]string{"report:*"}, pass},
		{[]string{"email:send", "report:read", "report:write"}, pass},
		{[]string{"email:*"}, c3},
		{[]string{"email:read"}, c3},
		{[]string{"email:sender"}, c3},
		{[]string{"email:sen"}, c3},
		{[]string{"Email:send"}, c3},
		{[]string{"mail:send"}, c3},
		{[]string{"reports:read"}, c3},
		{[]string{"send:report"}, c3},
		{[]string{"email:send", "key:create"}, c3},
		{[]string{"key:create", "email:send"}, c3},
	} {
		t.Run(strings.Join(tt.required, " "), func(t *testing.T) {
			f := newFixture(t)
			h := f.guard.Require(tt.required...)(f.spy)
			res := sendDirect(t, h, request{auth: []string{"Bearer " + good}})
			if tt.want == pass {
				requirePass(t, res)
				require.Equal(t, passed(""), f.spy.saw())
				return
			}
			requireRefusal(t, tt.want, res, good)
			require.Equal(t, strings.Join(tt.required, " "), parseChallenge(t, res.header.Get("WWW-Authenticate"))["scope"])
			require.Zero(t, f.spy.saw().calls)
		})
	}
	t.Run("key without scopes", func(t *testing.T) {
		f := newFixture(t)
		r := request{auth: []string{"Bearer " + other}}
		requireRefusal(t, c3, sendDirect(t, f.guard.Require("email:send")(f.spy), r), other)
		require.Zero(t, f.spy.saw().calls)
		requirePass(t, sendDirect(t, f.guard.Handler(f.spy), r))
	})
	t.Run("bad key is not told of scopes", func(t *testing.T) {
		f := newFixture(t)
		r := request{auth: []string{"Bearer " + revoked}}
		requireRefusal(t, c2, sendDirect(t, f.guard.Require("email:send")(f.spy), r), revoked)
	})
}

// Row F51: guards around guards run the handler once, and answer a refusal once.
func TestNestedGuards(t *testing.T) {
	f := newFixture(t)
	mux := http.NewServeMux()
	mux.Handle("/", f.guard.Require("email:send")(f.spy))
	for name, h := range map[string]http.Handler{
		"twice":            f.guard.Handler(f.guard.Handler(f.spy)),
		"scope inside":     f.guard.Handler(f.guard.Require("email:send")(f.spy)),
		"scope outside":    f.guard.Require("email:send")(f.guard.Handler(f.spy)),
		"mux":              f.guard.Handler(mux),
		"optional inside":  f.guard.Handler(f.guard.Optional(f.spy)),
		"optional outside": f.guard.Optional(f.guard.Require("email:send")(f.spy)),
	} {
		t.Run("F51 "+name, func(t *testing.T) {
			f.reset()
			requirePass(t, sendDirect(t, h, request{auth: []string{"Bearer " + good}}))
			require.Equal(t, passed(""), f.spy.saw())
			f.reset()
			requireRefusal(t, c2, sendDirect(t, h, request{auth: []string{"Bearer " + revoked}}), revoked)
			requireRefusal(t, c0, sendDirect(t, h, request{}))
			require.Len(t, f.told(), 2)
			require.Zero(t, f.spy.saw().calls)
		})
	}
}

// Row F52: what a handler does to its key, also after it returned, reaches no other request.
func TestKeyIsACopy(t *testing.T) {
	f := newFixture(t)
	var kept sync.WaitGroup
	h := f.guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, ok := apikey.FromContext(r.Context())
		require.True(t, ok)
		spoil := func() {
			key.ID, key.Owner = otherID, "user_2"
			key.RevokedAt = now
			for _, scopes := range [][]string{key.Scopes(), key.Ceiling().Scopes} {
				scopes[0] = "admin:*"
			}
		}
		spoil()
		again, ok := apikey.FromContext(r.Context())
		require.True(t, ok)
		require.Equal(t, goodID, again.ID)
		require.Equal(t, "user_1", again.Owner)
		require.Equal(t, apikey.StateActive, again.State(now))
		require.Equal(t, []string{"email:send", "report:*"}, again.Scopes())
		require.False(t, again.Allows("admin:x"))
		kept.Go(spoil)
		io.WriteString(w, served)
	}))
	for range 10 {
		requirePass(t, sendDirect(t, h, request{auth: []string{"Bearer " + good}}))
	}
	kept.Wait()
}

// The request that the handler gets is the client's but for the key.
func TestHandlerGetsTheRequest(t *testing.T) {
	type contextKey struct{}
	f := newFixture(t)
	for name, wrap := range map[string]func(http.Handler) http.Handler{
		"Handler": f.guard.Handler, "Require": f.guard.Require("email:send"),
		"Optional": func(next http.Handler) http.Handler { return f.guard.Optional(next, "email:send") },
	} {
		t.Run(name, func(t *testing.T) {
			sent := httptest.NewRequestWithContext(context.WithValue(t.Context(), contextKey{}, "value"),
				http.MethodPost, "/a/b?c=d", strings.NewReader("body"))
			sent.Header.Set("Authorization", "Bearer "+good)
			sent.SetPathValue("name", "b")
			w := httptest.NewRecorder()
			wrap(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				require.Same(t, w, rw)
				require.Equal(t, "value", r.Context().Value(contextKey{}))
				require.Equal(t, "b", r.PathValue("name"))
				require.Equal(t, sent.Header, r.Header)
				require.Equal(t, sent.URL, r.URL)
				require.Nil(t, r.Form)
				body, err := io.ReadAll(r.Body)
				require.NoError(t, err)
				require.Equal(t, "body", string(body))
				io.WriteString(rw, served)
			})).ServeHTTP(w, sent)
			require.Equal(t, served, w.Body.String())
			_, keyed := apikey.FromContext(sent.Context())
			require.False(t, keyed, "the caller's request must stay as it is")
		})
	}
}
