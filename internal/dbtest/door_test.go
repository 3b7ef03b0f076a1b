package dbtest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/bearer"
	"github.com/opengovsg/latchkey/store"
)

// A door is a handler behind a guard, and who went through it.
type door struct {
	*apikey.Service
	handler http.Handler
	entered atomic.Int64
}

func newDoor(t *testing.T, st store.Store) *door {
	t.Helper()
	return doorTo(newKeys(t, st))
}

func newKeys(t *testing.T, st store.Store) *apikey.Service {
	t.Helper()
	keys, err := apikey.New(st, apikey.Config{Prefix: "postman_live", MaxPerOwner: 1_000_000})
	require.NoError(t, err)
	return keys
}

func doorTo(keys *apikey.Service) *door {
	d := &door{Service: keys}
	d.handler = bearer.New(keys, bearer.Config{}).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		d.entered.Add(1)
	}))
	return d
}

// knock sends one request and returns the answer, once it is sure that it is one of the three there
// are: let in, refused, or told to come back later. Requests must not be sent at the same time.
func (d *door) knock(ctx context.Context, t *testing.T, token string) int {
	t.Helper()
	before := d.entered.Load()
	code := d.ask(ctx, t, token)
	require.Equal(t, code == http.StatusOK, d.entered.Load() == before+1, "the handler runs if the answer is 200")
	require.Equal(t, code != http.StatusOK, d.entered.Load() == before, "and only then")
	return code
}

// ask is knock for requests that come at the same time: it leaves aside who went in.
func (d *door) ask(ctx context.Context, t require.TestingT, token string) int {
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	d.handler.ServeHTTP(w, r)
	switch w.Code {
	case http.StatusServiceUnavailable:
		require.NotEmpty(t, w.Header().Get("Retry-After"))
		require.Empty(t, w.Header().Get("WWW-Authenticate"))
	case http.StatusUnauthorized:
		require.Contains(t, w.Header().Get("WWW-Authenticate"), `error="invalid_token"`)
	default:
		require.Equal(t, http.StatusOK, w.Code)
	}
	return w.Code
}
