package dbtest

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/bearer"
	"github.com/opengovsg/latchkey/store"
)

// patience bounds what a test waits for that is to happen, so that one that never does fails.
const patience = time.Minute

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

func (d *door) requireOpen(t *testing.T, token string) {
	t.Helper()
	require.Equal(t, http.StatusOK, d.knock(t.Context(), t, token), "a good key opens")
}

func (d *door) requireRefused(t *testing.T, token string) {
	t.Helper()
	require.Equal(t, http.StatusUnauthorized, d.knock(t.Context(), t, token), "a bad key is refused")
}

// requireFault asserts that the answer is that nobody could tell, with a good key and with one that
// there is none of.
func (d *door) requireFault(ctx context.Context, t *testing.T, token string) {
	t.Helper()
	for _, token := range []string{token, nobodys} {
		require.Equal(t, http.StatusServiceUnavailable, d.knock(ctx, t, token), "a fault is neither a key nor a refusal")
	}
}

// nobodys is a well-formed token that was never issued.
const nobodys = "postman_live_01m83pph00zab5rrb146_RfHk7hp3ILTgK2y3mH3UqtmaFCrvkUb7keKpQPXNubf4e9wCY"

func request(label string) apikey.Request { return apikey.Request{Owner: "user_42", Label: label} }

// issue issues a key that must come to be.
func (d *door) issue(t *testing.T) (token string, key apikey.Key) {
	t.Helper()
	tok, key, err := d.Issue(t.Context(), request("HR reminders"))
	require.NoError(t, err)
	return tok.Reveal(), key
}

// requireUnavailable asserts that an error of the service is a fault and no decision.
func requireUnavailable(t require.TestingT, err error) {
	require.ErrorIs(t, err, apikey.ErrUnavailable)
	for _, decision := range []error{apikey.ErrInvalid, apikey.ErrNotFound, apikey.ErrLimit, apikey.ErrConflict} {
		require.NotErrorIs(t, err, decision)
	}
}

// requireNoneLeft returns a function that asserts that everything which was started since is gone. It
// closes the pool first, which ends what the pool itself runs. What the proxy runs is its own.
func requireNoneLeft(t *testing.T, db *sql.DB) func() {
	t.Helper()
	before := goleak.IgnoreCurrent()
	return func() {
		t.Helper()
		require.Eventually(t, func() bool { return db.Stats().InUse == 0 }, patience, time.Millisecond, "every connection is given back")
		require.NoError(t, db.Close())
		const proxies = "github.com/Shopify/toxiproxy/v2"
		require.NoError(t, goleak.Find(before,
			goleak.IgnoreAnyFunction(proxies+".(*Proxy).server"),
			goleak.IgnoreAnyFunction(proxies+".(*Proxy).freeBlocker"),
			goleak.IgnoreAnyFunction(proxies+".(*ToxicLink).read"),
			goleak.IgnoreAnyFunction(proxies+".(*ToxicLink).write"),
			goleak.IgnoreAnyFunction(proxies+"/toxics.(*ToxicStub).Run"),
		))
	}
}

// eventually calls f until it reports true. It bounds a wait for what a server does on its own.
func eventually(t *testing.T, what string, f func() (bool, error)) {
	t.Helper()
	deadline, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := f()
		if done {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.Done():
			require.NoError(t, errors.Join(errors.New("never: "+what), err))
		}
	}
}
