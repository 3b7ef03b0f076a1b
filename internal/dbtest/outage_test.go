package dbtest

import (
	"context"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
	"github.com/opengovsg/latchkey/store/storetest"
)

// Rows F1 and F2: the server is down when the application starts, comes up, goes down and comes up.
func TestServerDown(t *testing.T) {
	onEach(t, databases[1:], func(t *testing.T, d database) {
		r := newRig(t, d, conns)
		token, key := r.beside.issue(t)
		r.stop(t)
		for _, err := range []error{r.store.Check(bounded(t)), r.store.Migrate(bounded(t))} {
			requireOutage(t, err)
		}
		r.door.requireFault(t, token)
		r.start(t)
		require.NoError(t, r.store.Check(bounded(t)))
		r.door.requireRecovers(t, token)
		for range 2 {
			r.stop(t)
			for range conns {
				r.door.requireFault(t, token)
				r.door.requireNothing(bounded(t), t, key)
			}
			r.beside.requireOpen(t, token)
			r.start(t)
			r.door.requireRecovers(t, token)
			page, err := r.door.List(bounded(t), key.Owner, apikey.Page{})
			require.NoError(t, err)
			require.Equal(t, []apikey.Key{key}, page.Keys, "nothing has changed meanwhile")
		}
		r.requireReturned(t)
	})
}

// requireEnded sends more requests at once than there are connections, and asserts that each ends when
// its time is up, as a fault.
func (r rig) requireEnded(t *testing.T, token string) {
	t.Helper()
	r.door.limit.Store(int64(100 * time.Millisecond))
	var wg sync.WaitGroup
	codes := make([]int, 2*conns)
	for i := range codes {
		wg.Go(func() { codes[i] = r.door.ask(t.Context(), collect{t}, token) })
	}
	within(t, "the requests are answered", wg.Wait)
	for _, code := range codes {
		require.Equal(t, http.StatusServiceUnavailable, code)
	}
	require.Zero(t, r.door.entered.Swap(0))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := r.door.Verify(ctx, token)
	requireUnavailable(t, err)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	r.door.limit.Store(int64(patience))
}

// A collect takes what goroutines other than the test's find out.
type collect struct{ *testing.T }

func (c collect) FailNow() {
	c.Fail()
	runtime.Goexit()
}

// Row F4: every answer takes longer than a request may, those to somebody who connects among them.
func TestServerSlow(t *testing.T) {
	for _, direction := range []string{"upstream", "downstream"} {
		t.Run(direction, func(t *testing.T) {
			onEach(t, shared, func(t *testing.T, d database) {
				r := newRig(t, d, conns, `{"type": "latency", "stream": "`+direction+`", "attributes": {"latency": 250}}`)
				token, _ := r.beside.issue(t)
				r.requireEnded(t, token)
				r.requireReturned(t)
			})
		})
	}
}

// Rows F4 and F5: on connections that worked so far no answer comes any more, or nothing arrives. lib/pq
// is not among those tested: where a context ends it asks the server to cancel, and waits for the
// answer all the same.
func TestServerSilent(t *testing.T) {
	for name, silent := range map[string]fault{
		"no answer":     func(up bool, _ []byte) fate { return map[bool]fate{true: pass, false: hold}[up] },
		"no connection": func(bool, []byte) fate { return hold },
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, shared, func(t *testing.T, d database) {
				r := newRig(t, d, conns)
				token, key := r.beside.issue(t)
				for range 2 {
					r.door.requireRecovers(t, token)
					r.door.entered.Store(0)
					r.tell(silent)
					r.requireEnded(t, token)
					ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
					defer cancel()
					r.door.requireNothing(ctx, t, key)
					r.tell(nil)
					r.requireReturned(t)
				}
				r.door.requireRecovers(t, token)
				page, err := r.beside.List(bounded(t), key.Owner, apikey.Page{})
				require.NoError(t, err)
				require.Equal(t, []apikey.Key{key}, page.Keys)
			})
		})
	}
}

// Row F8: one of two clients who present the same key hangs up. The other one gets its answer.
func TestClientLeaves(t *testing.T) {
	onEach(t, shared, func(t *testing.T, d database) {
		r := newRig(t, d, conns)
		token, key := r.beside.issue(t)
		asked := make(chan struct{}, 100)
		isKey := holds(key.ID)
		waits := func(up bool, data []byte) fate {
			if !isKey(up, data) {
				return pass
			}
			asked <- struct{}{}
			return hold
		}
		for range 5 {
			r.door.requireRecovers(t, token)
			r.door.entered.Store(0)
			r.tell(waits)
			leaving, leave := context.WithCancel(t.Context())
			var clients, stays sync.WaitGroup
			clients.Go(func() {
				req, _ := http.NewRequestWithContext(leaving, http.MethodGet, r.door.url, nil)
				req.Header.Set("Authorization", "Bearer "+token)
				_, err := r.door.send(req)
				require.ErrorIs(collect{t}, err, context.Canceled)
			})
			within(t, "the server is asked", func() { <-asked })
			var code int
			stays.Go(func() { code = r.door.ask(t.Context(), collect{t}, token) })
			within(t, "the server is asked again", func() { <-asked })
			require.Equal(t, 2, r.db.Stats().InUse)
			leave()
			within(t, "the client is gone", clients.Wait)
			eventually(t, "its connection is given back", func() (bool, error) { return r.db.Stats().InUse == 1, nil })
			r.tell(nil)
			within(t, "the other one is answered", stays.Wait)
			require.Equal(t, http.StatusOK, code)
			require.Equal(t, int64(1), r.door.entered.Load(), "nobody went in for the one who left")
		}
	})
}

// Rows F9, F10 and F11: whatever a store does wrong between a database and the service, no handler
// runs, and it neither keeps a connection nor spoils what comes next.
func TestMistakenStore(t *testing.T) {
	onEach(t, engines, func(t *testing.T, d database) {
		requireNoneLeft(t)
		db := d.open(t)
		st := d.migrated(t, db)
		door := newDoor(t, st)
		token, _ := door.issue(t)
		other, otherKey := door.issue(t)
		theirs, err := st.Get(t.Context(), otherKey.ID)
		require.NoError(t, err)
		for _, rec := range []store.Record{{}, theirs} {
			mistaken := doorTo(door.WithStore(storetest.Mistaken(st, rec)))
			require.Equal(t, http.StatusServiceUnavailable, mistaken.knock(t.Context(), t, token))
		}
		wild := doorTo(door.WithStore(panicking{st}))
		require.Panics(t, func() { wild.ask(t.Context(), t, token) })
		require.Zero(t, wild.entered.Load())
		require.Zero(t, db.Stats().InUse)
		door.requireOpen(t, token)
		door.requireOpen(t, other)

		// A row that is one key's by its id and another one's by all the rest.
		exec(t, db, `CREATE VIEW mixed AS SELECT m.id, k.owner, k.prefix, k.alias, k.label, k.hint, k.scopes, k.contacts,
			k.metadata, k.scheme, k.hash, k.created_at, k.updated_at, k.expires_at, k.revoked_at, k.revoked_reason,
			k.last_used_at, k.version FROM latchkey_keys m, latchkey_keys k WHERE k.id <> m.id`)
		d.cfg.Table = "mixed"
		mixed := newDoor(t, d.store(t, db))
		mixed.requireRefused(t, token)
		mixed.requireRefused(t, other)
	})
}

// A panicking store reads and then panics.
type panicking struct{ store.Store }

func (p panicking) Get(ctx context.Context, id string) (store.Record, error) {
	if _, err := p.Store.Get(ctx, id); err != nil {
		return store.Record{}, err
	}
	panic("after reading")
}
