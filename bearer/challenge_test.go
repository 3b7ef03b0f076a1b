package bearer_test

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/bearer"
)

// What a route needs is what it was given, whatever the caller does to the slice later.
func TestRequireKeepsItsScopes(t *testing.T) {
	f := newFixture(t)
	scopes := []string{"key:create"}
	h := f.guard.Require(scopes...)(f.spy)
	scopes[0] = "email:send" // which the good key has
	requireRefusal(t, c3, sendDirect(t, h, request{auth: []string{"Bearer " + good}}), good)
}

// A scope that Check was given may be anything, and what stands in a challenge may not (RFC 6750
// section 3).
func TestDenyScopeIsLegal(t *testing.T) {
	for _, scopes := range [][]string{{""}, {"email:send", ""}, {" "}, {"a  b"}} {
		t.Run(fmt.Sprintf("%q", scopes), func(t *testing.T) {
			f := newFixture(t)
			r := request{auth: []string{"Bearer " + good}}.withDefaults().made(t, "http://api.example")
			_, err := f.guard.Check(r, scopes...)
			require.ErrorIs(t, err, bearer.ErrInsufficientScope)
			w := httptest.NewRecorder()
			f.guard.Deny(w, r, err)
			params := parseChallenge(t, w.Header().Get("WWW-Authenticate"))
			if scope, ok := params["scope"]; ok {
				require.Regexp(t, `^[!#-\[\]-~]+( [!#-\[\]-~]+)*$`, scope)
			}
		})
	}
}

// What was set for the answer that a handler in front hoped for does not describe a refusal.
func TestDenyClearsTheHeader(t *testing.T) {
	f := newFixture(t)
	w := httptest.NewRecorder()
	for _, name := range []string{"Content-Encoding", "Etag", "Expires", "Last-Modified", "Cache-Control", "Content-Type"} {
		w.Header().Set(name, "stale")
	}
	w.Header().Set("X-Request-Id", "kept")
	f.guard.Deny(w, httptest.NewRequest("GET", "/", nil), bearer.ErrNoCredentials)
	for name, values := range w.Header() {
		require.NotContains(t, values, "stale", name)
	}
	require.Equal(t, "kept", w.Header().Get("X-Request-Id"))
}
