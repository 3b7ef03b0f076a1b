package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/bearer"
	"github.com/opengovsg/latchkey/store"
)

// Without bearer credentials a request goes on without a key; with them it is held to them.
func TestOptional(t *testing.T) {
	f := newFixture(t)
	cookie := http.Header{"Cookie": {"session=6f1c"}}
	for _, way := range ways(t, f.guard.Optional(f.spy)) {
		for _, row := range rows() {
			if row.wants(way.name) == c0 {
				t.Run(row.name+" "+way.name, func(t *testing.T) {
					f.reset()
					res, err := way.send(t, row.request)
					require.NoError(t, err)
					requirePass(t, res)
					require.Equal(t, sight{calls: 1, body: row.body}, f.spy.saw())
					require.Zero(t, f.store.reads.Load())
					require.Empty(t, f.told())
				})
				continue
			}
			if row.header == nil {
				row.header = cookie
			}
			t.Run(row.name+" "+way.name, func(t *testing.T) { f.try(t, way, row) })
		}
	}
}

func TestOptionalStoreFault(t *testing.T) {
	f := newFixture(t)
	f.store.get = func(context.Context, string) (store.Record, error) {
		return store.Record{}, errors.New("connection refused")
	}
	h := f.guard.Optional(f.spy)
	cookie := http.Header{"Cookie": {"session=6f1c"}}
	requireRefusal(t, c4, sendDirect(t, h, request{auth: []string{"Bearer " + good}, header: cookie}), good)
	require.Zero(t, f.spy.saw().calls)
	requirePass(t, sendDirect(t, h, request{header: cookie}))
	require.Equal(t, sight{calls: 1}, f.spy.saw())
}

// Check and Deny by hand answer what Handler does.
func TestCheckAndDeny(t *testing.T) {
	f := newFixture(t)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, err := f.guard.Check(r)
		if err != nil {
			require.Zero(t, key)
			f.guard.Deny(w, r, fmt.Errorf("by hand: %w", err))
			return
		}
		f.spy.ServeHTTP(w, r.WithContext(apikey.NewContext(r.Context(), key)))
	})
	for _, row := range rows() {
		t.Run(row.name, func(t *testing.T) {
			f.try(t, way{direct, func(t *testing.T, r request) (*response, error) { return sendDirect(t, h, r), nil }}, row)
		})
	}
}

func TestCheckScopes(t *testing.T) {
	f := newFixture(t)
	r := request{auth: []string{"Bearer " + good}}.withDefaults().made(t, "http://api.example")

	key, err := f.guard.Check(r, "email:send", "report:read")
	require.NoError(t, err)
	require.Equal(t, goodID, key.ID)

	key, err = f.guard.Check(r, "email:send", "key:create")
	require.Zero(t, key)
	require.ErrorIs(t, err, bearer.ErrInsufficientScope)
	require.NotErrorIs(t, err, apikey.ErrInvalid)
	lacking, ok := errors.AsType[*bearer.ScopeError](err)
	require.True(t, ok)
	require.Equal(t, bearer.ScopeError{KeyID: goodID, Scope: "email:send key:create"}, *lacking)
	secretless(t, err.Error(), good)

	w := httptest.NewRecorder()
	f.guard.Deny(w, r, fmt.Errorf("by hand: %w", err))
	res := received(t, w.Result())
	requireRefusal(t, c3, res, good)
	require.Equal(t, "email:send key:create", parseChallenge(t, res.header.Get("WWW-Authenticate"))["scope"])
	require.Empty(t, f.spy.saw(), "Check runs no handler")
	require.Len(t, f.told(), 1, "Deny tells, Check does not")
}

// A scope from data is named only where it can be.
func TestDenyUnquotableScope(t *testing.T) {
	f := newFixture(t)
	for _, scope := range []string{`a"b:c`, `a\b:c`, "a:b\r\nX-Injected: c", "ä:b", "a:\x00"} {
		t.Run(fmt.Sprintf("%q", scope), func(t *testing.T) {
			r := request{auth: []string{"Bearer " + good}}.withDefaults().made(t, "http://api.example")
			_, err := f.guard.Check(r, scope)
			require.ErrorIs(t, err, bearer.ErrInsufficientScope)
			w := httptest.NewRecorder()
			f.guard.Deny(w, r, err)
			res := received(t, w.Result())
			require.Equal(t, http.StatusForbidden, res.status)
			require.Equal(t, map[string]string{"realm": "api", "error": "insufficient_scope"},
				parseChallenge(t, res.header.Get("WWW-Authenticate")))
			requireProblem(t, res)
		})
	}
}

// RFC 9110 section 11.6.1: the challenge of another scheme stays.
func TestOtherChallengeStays(t *testing.T) {
	f := newFixture(t)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("WWW-Authenticate", `Negotiate`)
		w.Header().Set("Cache-Control", "public, max-age=60")
		w.Header().Set("Content-Type", "text/html")
		f.guard.Handler(f.spy).ServeHTTP(w, r)
	})
	for value, want := range map[string]code{"": c0, "Bearer": c1, "Bearer " + unknown: c2} {
		res := sendDirect(t, h, request{auth: []string{value}})
		challenges := res.header["Www-Authenticate"]
		require.Len(t, challenges, 2)
		require.Equal(t, "Negotiate", challenges[0])
		res.header["Www-Authenticate"] = challenges[1:]
		requireRefusal(t, want, res, value)
	}
	require.Zero(t, f.spy.saw().calls)
}

// A nil error is answered like an unknown one: nobody is let in or blamed by mistake.
func TestDenyNil(t *testing.T) {
	f := newFixture(t)
	w := httptest.NewRecorder()
	f.guard.Deny(w, request{}.withDefaults().made(t, "http://api.example"), nil)
	requireRefusal(t, c4, received(t, w.Result()))
	require.Equal(t, []error{nil}, f.told())
}

// A key that is used where it need not be is held to the route's scopes all the same.
func TestOptionalScopes(t *testing.T) {
	f := newFixture(t)
	scopes := []string{"email:send", "key:create"}
	h := f.guard.Optional(f.spy, scopes...)
	scopes[1] = "email:send"
	requireRefusal(t, c3, sendDirect(t, h, request{auth: []string{"Bearer " + good}}), good)
	require.Zero(t, f.spy.saw().calls)
	requirePass(t, sendDirect(t, h, request{}))
	requirePass(t, sendDirect(t, f.guard.Optional(f.spy, "email:send"), request{auth: []string{"Bearer " + good}}))
	require.Equal(t, 2, f.spy.saw().calls)
}
