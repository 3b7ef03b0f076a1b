package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/bearer"
	"github.com/opengovsg/latchkey/memstore"
)

func BenchmarkRatioVerifyMemstore(b *testing.B) {
	keys := benchService(b, new(memstore.Store))
	tokens := benchIssue(b, keys, 1000)
	f, floorTokens := newFloor(1000, 1000)
	ctx := context.Background()
	benchRatio(b, func() error {
		for _, token := range tokens {
			if _, err := keys.Verify(ctx, token); err != nil {
				return err
			}
		}
		return nil
	}, func() error {
		for _, token := range floorTokens {
			if !f.verify(token) {
				return apikey.ErrMalformed
			}
		}
		return nil
	})
}

func BenchmarkRatioGuard(b *testing.B) {
	keys := benchService(b, new(memstore.Store))
	token := benchIssue(b, keys, 1)[0]
	guard := bearer.New(keys, bearer.Config{}).Require("email:send")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if key, ok := apikey.FromContext(r.Context()); ok && key.Owner == "user_42" {
			served++
		}
	}))
	f, floorTokens := newFloor(1, 1)
	floor := f.guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Context().Value(contextKey{}) != nil {
			served++
		}
	}))
	calls := func(h http.Handler, token string) func() error {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := nothing{make(http.Header)}
		return func() error {
			for range 1000 {
				h.ServeHTTP(w, r)
			}
			return nil
		}
	}
	benchRatio(b, calls(guard, token), calls(floor, floorTokens[0]))
}

var served int
