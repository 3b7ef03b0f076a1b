package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/bearer"
	"github.com/opengovsg/latchkey/memstore"
)

// nothing is a ResponseWriter that costs nothing itself.
type nothing struct{ header http.Header }

func (w nothing) Header() http.Header         { return w.header }
func (w nothing) Write(p []byte) (int, error) { return len(p), nil }
func (w nothing) WriteHeader(int)             {}

func serve(b *testing.B, h http.Handler, header string) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", header)
	w := nothing{make(http.Header)}
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

// BenchmarkBareHandler is a handler with nothing in front of it.
func BenchmarkBareHandler(b *testing.B) {
	served := 0
	serve(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { served++ }), "Bearer x")
}

type contextKey struct{}

// next is a handler that the compiler can't see through, as it can't through a mux.
var next http.Handler

// guard is the least a guard does as it is usually written: take the token out of the header, verify it
// as the floor does, and hand who it is on with context.WithValue.
func (f *floor) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || !f.verify(token) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, token[13:33])))
	})
}

func BenchmarkFloorGuard(b *testing.B) {
	f, tokens := newFloor(1, 1)
	served := 0
	next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Context().Value(contextKey{}) != nil {
			served++
		}
	})
	serve(b, f.guard(next), "Bearer "+tokens[0])
	if served == 0 {
		b.Fatal("not served")
	}
}

func BenchmarkGuard(b *testing.B) {
	keys := benchService(b, new(memstore.Store))
	token := benchIssue(b, keys, 1)[0]
	served := 0
	guard := bearer.New(keys, bearer.Config{})
	next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if key, ok := apikey.FromContext(r.Context()); ok && key.Owner == "user_42" {
			served++
		}
	})
	h := guard.Require("email:send")(next)
	serve(b, h, "Bearer "+token)
	if served == 0 {
		b.Fatal("not served")
	}
}
