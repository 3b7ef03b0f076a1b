package dbtest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/bearer"
	"github.com/opengovsg/latchkey/store"
)

// A door is a handler behind a guard, and who went through it.
type door struct {
	*apikey.Service
	url     string
	send    func(*http.Request) (*http.Response, error)
	handler http.Handler
	entered atomic.Int64
	limit   atomic.Int64 // nanoseconds that a server gives each request
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
	d := &door{Service: keys, url: "http://localhost"}
	d.handler = bearer.New(keys, bearer.Config{}).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		d.entered.Add(1)
	}))
	d.send = func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		d.handler.ServeHTTP(w, r)
		return w.Result(), nil
	}
	return d
}

// serve puts the door on a server of its own, to which requests come over HTTP from then on, and
// which ends each of them in time.
func (d *door) serve(t *testing.T) *door {
	t.Helper()
	d.limit.Store(int64(patience))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), time.Duration(d.limit.Load()))
		defer cancel()
		d.handler.ServeHTTP(w, r.WithContext(ctx))
	}))
	t.Cleanup(func() { within(t, "the requests end", server.Close) })
	client := server.Client()
	client.Timeout = 2 * patience
	d.url, d.send = server.URL, client.Do
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
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := d.send(r)
	require.NoError(t, err)
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	require.NoError(t, err)
	switch res.StatusCode {
	case http.StatusServiceUnavailable:
		require.NotEmpty(t, res.Header.Get("Retry-After"))
		require.Empty(t, res.Header.Get("WWW-Authenticate"))
	case http.StatusUnauthorized:
		require.Contains(t, res.Header.Get("WWW-Authenticate"), `error="invalid_token"`)
	default:
		require.Equal(t, http.StatusOK, res.StatusCode)
	}
	return res.StatusCode
}
