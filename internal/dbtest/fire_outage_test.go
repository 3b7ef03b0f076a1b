package dbtest

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
	"github.com/opengovsg/latchkey/store/storetest"
)

// conns is how many connections a pool of these tests has, so how many may have to be found dead
// before there is one that works.
const conns = 12

// requireRecovers asserts that the key opens again, once each dead connection has met a request.
func (d *door) requireRecovers(t *testing.T, token string) {
	t.Helper()
	for range conns {
		if d.knock(t.Context(), t, token) == http.StatusOK {
			break
		}
	}
	d.requireOpen(t, token)
	d.requireRefused(t, nobodys)
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

func (p proxy) restart(t *testing.T) {
	t.Helper()
	eventually(t, "the proxy has its port again", func() (bool, error) {
		err := p.Start()
		return err == nil, err
	})
}

// Rows F1 and F2: the server is down when the application starts, comes up, goes down and comes up.
func TestFireF1F2Down(t *testing.T) {
	onEach(t, servers, func(t *testing.T, d database) {
		dsn := d.fresh(t)
		p, proxied := d.throughProxy(t, dsn)
		p.Stop()
		db := d.pool(t, proxied)
		t.Cleanup(requireNoneLeft(t, db))
		st := d.store(t, db)
		door := newDoor(t, st)
		for _, err := range []error{st.Check(t.Context()), st.Migrate(t.Context())} {
			requireOutage(t, err)
			require.NotContains(t, err.Error(), proxied)
		}
		door.requireFault(t.Context(), t, nobodys)

		p.restart(t)
		require.NoError(t, st.Migrate(t.Context()))
		require.NoError(t, st.Check(t.Context()))
		token, key := door.issue(t)
		door.requireOpen(t, token)

		p.Stop()
		for range conns {
			door.requireFault(t.Context(), t, token)
			door.requireNothing(t.Context(), t, key)
		}
		p.restart(t)
		door.requireRecovers(t, token)
		page, err := door.List(t.Context(), key.Owner, apikey.Page{})
		require.NoError(t, err)
		require.Equal(t, []apikey.Key{key}, page.Keys, "nothing has changed meanwhile")
	})
}

// prompt returns the servers whose driver lets go of a call when its context ends. lib/pq asks the server
// to cancel and waits for the answer all the same: a server that says nothing holds the call, and
// whoever waits for it, for as long as the network does. Nothing above a driver can help that.
func prompt() []database {
	return slices.DeleteFunc(slices.Clone(servers), func(d database) bool { return d.driver == "postgres" })
}

// Rows F4 and F5: the server does not answer, or what is sent to it goes nowhere, and every request
// ends when its time is up. There are more of them than connections.
func TestFireF4F5Silent(t *testing.T) {
	onEach(t, prompt(), func(t *testing.T, d database) {
		for name, silent := range map[string]fault{
			"slow":       func(up bool, _ []byte) fate { return map[bool]fate{true: pass, false: hold}[up] },
			"black hole": func(bool, []byte) fate { return hold },
		} {
			t.Run(name, func(t *testing.T) {
				dsn := d.fresh(t)
				p, proxied := d.throughProxy(t, dsn)
				db := d.pool(t, proxied)
				t.Cleanup(requireNoneLeft(t, db))
				beside := newDoor(t, d.migrated(t, d.pool(t, dsn)))
				door := newDoor(t, d.store(t, db))
				token, key := beside.issue(t)
				door.requireOpen(t, token)

				p.tell(silent)
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
				var wg sync.WaitGroup
				codes := make(chan int, 2*conns)
				for range 2 * conns {
					wg.Go(func() { codes <- door.ask(ctx, t, token) })
				}
				wg.Wait()
				for range 2 * conns {
					require.Equal(t, http.StatusServiceUnavailable, <-codes)
				}
				soon, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				defer cancel()
				_, err := door.Verify(soon, token)
				requireUnavailable(t, err)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				door.requireNothing(soon, t, key)

				p.tell(nil)
				eventually(t, "every connection is given back", func() (bool, error) { return db.Stats().InUse == 0, nil })
				door.requireRecovers(t, token)
				page, err := beside.List(t.Context(), key.Owner, apikey.Page{})
				require.NoError(t, err)
				require.Equal(t, []apikey.Key{key}, page.Keys)
			})
		}
	})
}

// Row F6: the connection is lost around the query of a verification. One that is lost is repeated,
// and no more than that.
func TestFireF6Verify(t *testing.T) {
	onEach(t, servers, func(t *testing.T, d database) {
		r := newRig(t, d)
		token, key := r.beside.issue(t)
		for moment, lose := range moments {
			t.Run(moment, func(t *testing.T) {
				for range 3 {
					r.connect(t)
					r.tell(lose(holds(key.ID), 1))
					r.door.requireOpen(t, token)
					r.connect(t)
					r.tell(lose(holds(nobodysID), 1))
					r.door.requireRefused(t, nobodys)
				}
				r.connect(t)
				if moment != "as it arrives" { // where the answer may be faster
					is := holds(key.ID)
					r.tell(lose(func(up bool, data []byte) bool { return is(up, data) || holds(nobodysID)(up, data) }, 100))
					r.door.requireFault(t.Context(), t, token)
				}
				r.connect(t)
				r.door.requireOpen(t, token)
			})
		}
	})
}

// nobodysID is that of the key that there is none of.
const nobodysID = "01m83pph00zab5rrb146"

// Row F6: a list of which a part arrives is asked for again, or fails, and is never short.
func TestFireF6List(t *testing.T) {
	onEach(t, servers, func(t *testing.T, d database) {
		r := newRig(t, d)
		const n = 60
		for i := range n {
			rec := sample(i)
			rec.Metadata = `{"note":"` + strings.Repeat("x", 20_000) + `"}`
			require.NoError(t, r.direct.Create(t.Context(), rec, 0))
		}
		q := store.Query{Owner: sample(0).Owner, Limit: store.MaxLimit}
		r.connect(t)
		whole, err := r.store.List(t.Context(), q)
		require.NoError(t, err)
		require.Len(t, whole, n)
		for _, after := range []int{10_000, 600_000, 1_190_000} {
			for _, f := range []fate{half, cut} {
				for _, times := range []int{1, 100} {
					r.connect(t)
					left, seen := times, 0
					r.tell(func(up bool, data []byte) fate {
						seen += len(data)
						switch {
						case up:
							seen = 0
						case seen > after && left > 0:
							left--
							return f
						}
						return pass
					})
					recs, err := r.store.List(t.Context(), q)
					if times == 1 {
						require.NoError(t, err)
						require.Equal(t, whole, recs)
					} else {
						requireOutage(t, err)
						require.Empty(t, recs)
					}
				}
			}
		}
		r.connect(t)
	})
}

// Row F8: one of two clients who present the same key hangs up. The other one gets its answer.
func TestFireF8ClientLeaves(t *testing.T) {
	onEach(t, prompt(), func(t *testing.T, d database) {
		dsn := d.fresh(t)
		p, proxied := d.throughProxy(t, dsn)
		db := d.pool(t, proxied)
		t.Cleanup(requireNoneLeft(t, db))
		beside := newDoor(t, d.migrated(t, d.pool(t, dsn)))
		door := newDoor(t, d.store(t, db))
		token, key := beside.issue(t)
		for range 5 {
			p.tell(nil)
			door.requireRecovers(t, token)
			asked := make(chan struct{}, conns)
			isKey := holds(key.ID)
			p.tell(func(up bool, data []byte) fate {
				if !isKey(up, data) {
					return pass
				}
				asked <- struct{}{}
				return hold
			})
			leaving, leave := context.WithCancel(t.Context())
			defer leave()
			left, stayed := make(chan error, 1), make(chan int, 1)
			go func() { _, err := door.Verify(leaving, token); left <- err }()
			<-asked
			go func() { stayed <- door.ask(t.Context(), t, token) }()
			<-asked
			leave()
			err := <-left
			requireUnavailable(t, err)
			require.ErrorIs(t, err, context.Canceled)
			p.tell(nil)
			require.Equal(t, http.StatusOK, <-stayed)
		}
	})
}

// Rows F9, F10 and F11: whatever a store does wrong between a database and the service, no handler
// runs, and it neither keeps a connection nor spoils what comes next.
func TestFireF9F10F11Guard(t *testing.T) {
	onEach(t, engines, func(t *testing.T, d database) {
		db := d.open(t)
		st := d.migrated(t, db)
		door := newDoor(t, st)
		token, _ := door.issue(t)
		other, otherKey := door.issue(t)
		theirs, err := st.Get(t.Context(), otherKey.ID)
		require.NoError(t, err)
		for _, rec := range []store.Record{{}, theirs} {
			doorTo(door.WithStore(storetest.Mistaken(st, rec))).requireOnlyFaults(t, token)
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

func (d *door) requireOnlyFaults(t *testing.T, token string) {
	t.Helper()
	require.Equal(t, http.StatusServiceUnavailable, d.knock(t.Context(), t, token))
}

// A panicking store reads and then panics.
type panicking struct{ store.Store }

func (p panicking) Get(ctx context.Context, id string) (store.Record, error) {
	if _, err := p.Store.Get(ctx, id); err != nil {
		return store.Record{}, err
	}
	panic("after reading")
}
