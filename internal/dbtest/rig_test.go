package dbtest

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/sqlstore"
)

// patience bounds every wait for what is to happen, so that what never does fails and hangs nothing.
const patience = time.Minute

// bounded returns a context for what may not take longer.
func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// within asserts that f returns.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		require.Fail(t, "never: "+what)
	}
}

// eventually calls f until it reports true.
func eventually(t *testing.T, what string, f func() (bool, error)) {
	t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := f()
		if done {
			return
		}
		select {
		case <-tick.C:
		case <-end.C:
			require.NoError(t, errors.Join(errors.New("never: "+what), err))
		}
	}
}

// requireNoneLeft asserts that every goroutine that the test starts from now on has ended when
// whatever it opens from now on is closed. Only those that carry bytes inside the proxy are left out:
// where a link is cut while there is something in it, toxiproxy 2.12 leaves them to wait for a reader.
func requireNoneLeft(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	carriers := goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run")
	t.Cleanup(func() {
		eventually(t, "every goroutine has ended", func() (bool, error) {
			err := goleak.Find(before, carriers)
			return err == nil, err
		})
	})
}

// A rig is a door whose pool reaches its server through a proxy, and one beside it that does so
// directly.
type rig struct {
	proxy
	db     *sql.DB
	store  *sqlstore.Store
	door   *door
	beside *door
	direct *sqlstore.Store
}

// conns is how many connections the pool of a rig has where there is more than one.
const conns = 4

func newRig(t *testing.T, d database, conns int, toxic ...string) rig {
	t.Helper()
	requireNoneLeft(t)
	dsn := d.fresh(t)
	p, proxied := d.throughProxy(t, dsn, toxic...)
	direct := d.migrated(t, d.pool(t, dsn))
	db := d.pool(t, proxied)
	db.SetMaxOpenConns(conns)
	st := d.store(t, db)
	return rig{p, db, st, newDoor(t, st).serve(t), newDoor(t, direct).serve(t), direct}
}

// requireReturned asserts that no call keeps a connection to itself.
func (r rig) requireReturned(t *testing.T) {
	t.Helper()
	eventually(t, "every connection is given back", func() (bool, error) { return r.db.Stats().InUse == 0, nil })
}

// connect makes sure that the single connection is there and works.
func (r rig) connect(t *testing.T) {
	t.Helper()
	r.tell(nil)
	r.door.requireRecovers(t, "")
}

// nobodys is a well-formed token that was never issued, and nobodysID what it names.
const (
	nobodys   = "postman_live_01m83pph00zab5rrb146_RfHk7hp3ILTgK2y3mH3UqtmaFCrvkUb7keKpQPXNubf4e9wCY"
	nobodysID = "01m83pph00zab5rrb146"
)

func request(label string) apikey.Request { return apikey.Request{Owner: "user_42", Label: label} }

// issue issues a key that must come to be.
func (d *door) issue(t *testing.T) (token string, key apikey.Key) {
	t.Helper()
	tok, key, err := d.Issue(bounded(t), request("HR reminders"))
	require.NoError(t, err)
	return tok.Reveal(), key
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
func (d *door) requireFault(t *testing.T, token string) {
	t.Helper()
	for _, token := range []string{token, nobodys} {
		require.Equal(t, http.StatusServiceUnavailable, d.knock(t.Context(), t, token), "a fault is neither a key nor a refusal")
	}
}

// requireRecovers asserts that keys are told apart again, once each dead connection has met a request.
// Without a token it asks only for the one that there is none of.
func (d *door) requireRecovers(t *testing.T, token string) {
	t.Helper()
	for range conns {
		if d.knock(t.Context(), t, nobodys) == http.StatusUnauthorized {
			break
		}
	}
	d.requireRefused(t, nobodys)
	if token != "" {
		d.requireOpen(t, token)
	}
}

// requireNothing asserts that no call that manages keys does anything, or claims that it found out.
func (d *door) requireNothing(ctx context.Context, t *testing.T, key apikey.Key) {
	t.Helper()
	ref := apikey.Ref{Owner: key.Owner, ID: key.ID}
	token, _, err := d.Issue(ctx, request("never"))
	requireUnavailable(t, err)
	require.Equal(t, apikey.Token{}, token)
	_, err = d.Get(ctx, ref)
	requireUnavailable(t, err)
	_, err = d.List(ctx, key.Owner, apikey.Page{})
	requireUnavailable(t, err)
	_, err = d.Update(ctx, ref, apikey.Changes{Label: new("never")})
	requireUnavailable(t, err)
	_, err = d.Revoke(ctx, ref, "never")
	requireUnavailable(t, err)
	_, err = d.RevokeAll(ctx, key.Owner, "never")
	requireUnavailable(t, err)
	_, err = d.Purge(ctx, time.Now().Add(-time.Second))
	requireUnavailable(t, err)
}

// requireUnavailable asserts that an error of the service is a fault and no decision.
func requireUnavailable(t require.TestingT, err error) {
	require.ErrorIs(t, err, apikey.ErrUnavailable)
	for _, decision := range []error{apikey.ErrInvalid, apikey.ErrNotFound, apikey.ErrLimit, apikey.ErrConflict} {
		require.NotErrorIs(t, err, decision)
	}
}
