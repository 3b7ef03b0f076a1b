package dbtest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	web "github.com/opengovsg/latchkey/settings"
	"github.com/opengovsg/latchkey/store"
)

// newSettings returns the handlers on a store, for whoever the cookie "session" names.
func newSettings(t *testing.T, st store.Store, max int) (*apikey.Service, *web.Settings, func(time.Duration)) {
	t.Helper()
	var ahead atomic.Int64
	clock := func() time.Time { return now.Add(time.Duration(ahead.Load())) }
	keys, err := apikey.New(st, apikey.Config{Prefix: "settings_test", MaxPerOwner: max, Now: clock})
	require.NoError(t, err)
	s, err := web.New(keys, web.Config{
		Now:      clock,
		Links:    []web.Link{{Text: "Home", URL: "/"}, {Text: "Sign out", URL: "/logout"}},
		Expiries: []time.Duration{180 * 24 * time.Hour, 30 * 24 * time.Hour},
		Owner: func(r *http.Request) (string, error) {
			cookie, err := r.Cookie("session")
			if err != nil {
				return "", err
			}
			return cookie.Value, nil
		},
	})
	require.NoError(t, err)
	return keys, s, func(d time.Duration) { ahead.Add(int64(d)) }
}

// A visitor sends requests to a server of its own, as somebody.
type visitor struct {
	t      *testing.T
	server *httptest.Server
	who    string
}

func newVisitor(t *testing.T, h http.Handler) visitor {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return visitor{t, server, "alice"}
}

// do sends a request and returns it, as it was, with the response, whose body is read.
func (v visitor) do(method, path, kind, body string) (*http.Request, *http.Response, string) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), patience)
	defer cancel()
	build := func() *http.Request {
		r, err := http.NewRequestWithContext(ctx, method, v.server.URL+path, strings.NewReader(body))
		require.NoError(v.t, err)
		if body != "" {
			r.Header.Set("Content-Type", kind)
		}
		if v.who != "" {
			r.AddCookie(&http.Cookie{Name: "session", Value: v.who})
		}
		return r
	}
	res, err := v.server.Client().Transport.RoundTrip(build())
	require.NoError(v.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(v.t, err)
	res.Body = io.NopCloser(strings.NewReader(string(text)))
	return build(), res, string(text)
}
