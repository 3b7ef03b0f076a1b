package bearer_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/bearer"
	"github.com/opengovsg/latchkey/store"
)

// deniedRequests has a request for each answer of a guard.
func deniedRequests() map[code]request {
	return map[code]request{
		c0: {},
		c1: {auth: []string{"Bearer " + good, "Bearer " + good}},
		c2: {auth: []string{"Bearer " + revoked}},
		c3: {auth: []string{"Bearer " + other}},
		c4: {auth: []string{"Bearer " + good}},
	}
}

// failFor makes the store fail for the good key alone.
func (f *fixture) failFor(id string) {
	f.store.get = func(ctx context.Context, asked string) (store.Record, error) {
		if asked == id {
			return store.Record{}, errors.New("connection refused")
		}
		return f.store.Store.Get(ctx, asked)
	}
}

// The hook runs when the answer is written, once, with the request.
func TestOnDeny(t *testing.T) {
	for want, sent := range deniedRequests() {
		f := newFixture(t)
		f.failFor(goodID)
		var w *httptest.ResponseRecorder
		var seen *response
		var got *http.Request
		guard := bearer.New(f.keys, bearer.Config{OnDeny: func(r *http.Request, reason error) {
			require.Nil(t, seen, "the hook runs once")
			got, seen = r, &response{w.Code, w.Header().Clone(), w.Body.String()}
			requireReason(t, want, 1, reason)
			secretless(t, reason.Error(), sent.auth...)
		}})
		w = httptest.NewRecorder()
		r := sent.withDefaults().made(t, "http://api.example")
		guard.Require("email:send")(f.spy).ServeHTTP(w, r)
		require.Same(t, r, got)
		requireRefusal(t, want, seen, sent.auth...)
		require.Equal(t, seen, &response{w.Code, w.Header(), w.Body.String()})
	}
}

// Row F44: a hook that panics changes nothing.
func TestOnDenyPanics(t *testing.T) {
	var nobody *http.Request
	for name, hook := range map[string]func(*http.Request, error){
		"F44 value":   func(*http.Request, error) { panic("boom") },
		"F44 abort":   func(*http.Request, error) { panic(http.ErrAbortHandler) },
		"F44 runtime": func(*http.Request, error) { _ = nobody.Method },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.failFor(goodID)
			quiet := bearer.New(f.keys, bearer.Config{}).Require("email:send")(f.spy)
			loud := bearer.New(f.keys, bearer.Config{OnDeny: hook}).Require("email:send")(f.spy)
			for _, way := range ways(t, loud) {
				for want, sent := range deniedRequests() {
					res, err := way.send(t, sent)
					require.NoError(t, err)
					requireRefusal(t, want, res, sent.auth...)
					require.Equal(t, sendDirect(t, quiet, sent).body, res.body)
				}
			}
			require.Zero(t, f.spy.saw().calls)
		})
	}
}

// A brokenWriter panics as net/http's own do where a request must be aborted.
type brokenWriter struct{ http.ResponseWriter }

func (brokenWriter) Write([]byte) (int, error) { panic(http.ErrAbortHandler) }

// The hook's recover must not swallow a panic that is not the hook's.
func TestWriterPanicGoesOn(t *testing.T) {
	f := newFixture(t)
	r := request{}.withDefaults().made(t, "http://api.example")
	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		f.guard.Handler(f.spy).ServeHTTP(brokenWriter{httptest.NewRecorder()}, r)
	})
	require.Len(t, f.told(), 1, "the refusal is told of all the same")
	require.Zero(t, f.spy.saw().calls)
}

// What passes is none of the hook's business.
func TestOnDenyNotToldOfSuccess(t *testing.T) {
	f := newFixture(t)
	requirePass(t, sendDirect(t, f.guard.Handler(f.spy), request{auth: []string{"Bearer " + good}}))
	require.Empty(t, f.told())
}
