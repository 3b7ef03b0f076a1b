package dbtest

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/sqlstore"
	"github.com/opengovsg/latchkey/store"
)

// A rig is a service whose single connection runs through a proxy, beside one that sees the same
// database directly.
type rig struct {
	proxy
	store  *sqlstore.Store
	door   *door
	beside *door
	direct *sqlstore.Store
}

func newRig(t *testing.T, d database) rig {
	t.Helper()
	dsn := d.fresh(t)
	p, proxied := d.throughProxy(t, dsn)
	db := one(d.pool(t, proxied))
	t.Cleanup(requireNoneLeft(t, db))
	direct := d.migrated(t, d.pool(t, dsn))
	st := d.store(t, db)
	return rig{p, st, newDoor(t, st), newDoor(t, direct), direct}
}

// kept returns what is kept of an owner.
func (r rig) kept(t *testing.T, owner string) []store.Record {
	t.Helper()
	recs, err := r.direct.List(t.Context(), store.Query{Owner: owner, Limit: 10})
	require.NoError(t, err)
	return recs
}

// connect makes sure that the single connection is there and works.
func (r rig) connect(t *testing.T) {
	t.Helper()
	r.tell(nil)
	r.door.requireRefused(t, nobodys)
}

// servers are all the databases that are reached over a network.
var servers = databases[1:]

// Row F30: the connection is lost around the COMMIT of a new key. A key is handed out only if it is
// kept, and one call keeps one key at most.
func TestFireF30Issue(t *testing.T) {
	onEach(t, servers, func(t *testing.T, d database) {
		r := newRig(t, d)
		for moment, lose := range moments {
			for _, max := range []int{1, 100} {
				for _, times := range []int{1, 100} {
					t.Run(fmt.Sprintf("%s, %d times, %d keys", moment, times, max), func(t *testing.T) {
						keys, err := apikey.New(r.store, apikey.Config{Prefix: "postman_live", MaxPerOwner: max})
						require.NoError(t, err)
						owner := "user_" + rand.Text()
						r.connect(t)
						r.tell(lose(isCommit, times))
						token, key, err := keys.Issue(t.Context(), apikey.Request{Owner: owner, Label: "HR reminders"})
						r.connect(t)
						recs := r.kept(t, owner)
						if err == nil {
							require.Len(t, recs, 1, "one call keeps one key")
							require.Equal(t, key.ID, recs[0].ID)
							r.beside.requireOpen(t, token.Reveal())
							return
						}
						requireUnavailable(t, err)
						require.Equal(t, apikey.Token{}, token, "what may not be kept is not handed out")
						require.Zero(t, key)
						if moment == "before it arrives" {
							require.Empty(t, recs)
						}
						require.LessOrEqual(t, len(recs), 1, "nobody has its token, and it shows in the list")
					})
				}
			}
		}
	})
}

// Row F30: the connection is lost around a write that is one statement. Once it is acknowledged it is
// done, and whoever is told nothing may do it again.
func TestFireF30Revoke(t *testing.T) {
	onEach(t, servers, func(t *testing.T, d database) {
		r := newRig(t, d)
		for moment, lose := range moments {
			t.Run(moment, func(t *testing.T) {
				token, key := r.beside.issue(t)
				ref := apikey.Ref{Owner: key.Owner, ID: key.ID}
				sooner := key.ExpiresAt.Add(-time.Hour)

				r.connect(t)
				r.tell(lose(holds("canary-1"), 1))
				changed, err := r.door.Update(t.Context(), ref, apikey.Changes{Label: new("canary-1"), ExpiresAt: sooner})
				require.NoError(t, err)
				require.Equal(t, sooner, changed.ExpiresAt)
				rec, err := r.direct.Get(t.Context(), key.ID)
				require.NoError(t, err)
				require.Equal(t, "canary-1", rec.Label)
				require.Equal(t, sooner, rec.ExpiresAt)
				r.beside.requireOpen(t, token)

				r.connect(t)
				r.tell(lose(holds("canary-2"), 1))
				_, err = r.door.Revoke(t.Context(), ref, "canary-2")
				require.NoError(t, err)
				r.beside.requireRefused(t, token)

				r.connect(t)
				token, key = r.beside.issue(t)
				ref.ID = key.ID
				r.tell(lose(holds("canary-3"), 100))
				_, err = r.door.Revoke(t.Context(), ref, "canary-3")
				r.connect(t)
				switch {
				case err == nil:
					require.NotEqual(t, "before it arrives", moment)
					r.beside.requireRefused(t, token)
				case moment == "before it arrives":
					requireUnavailable(t, err)
					r.beside.requireOpen(t, token)
				case moment != "as it arrives":
					requireUnavailable(t, err)
					r.beside.requireRefused(t, token)
				}
				_, err = r.door.Revoke(t.Context(), ref, "canary-4")
				require.NoError(t, err, "whoever does not know does it again")
				r.beside.requireRefused(t, token)
			})
		}
	})
}

// Row F30: the server goes away as it commits, and is back later.
func TestFireF30Down(t *testing.T) {
	onEach(t, servers, func(t *testing.T, d database) {
		r := newRig(t, d)
		for moment, lose := range moments {
			t.Run(moment, func(t *testing.T) {
				owner := "user_" + rand.Text()
				r.connect(t)
				one, forever := lose(isCommit, 1), false
				r.tell(func(up bool, data []byte) fate {
					if forever {
						return cut
					}
					f := one(up, data)
					forever = f != pass
					return f
				})
				token, _, err := r.door.Issue(t.Context(), apikey.Request{Owner: owner, Label: "down"})
				requireUnavailable(t, err)
				require.Equal(t, apikey.Token{}, token)
				r.door.requireFault(t.Context(), t, nobodys)
				r.connect(t)
				require.LessOrEqual(t, len(r.kept(t, owner)), 1)
				token, key, err := r.door.Issue(t.Context(), apikey.Request{Owner: owner, Label: "up"})
				require.NoError(t, err)
				r.beside.requireOpen(t, token.Reveal())
				active := 0
				for _, rec := range r.kept(t, owner) {
					if rec.ID == key.ID {
						active++
					}
				}
				require.Equal(t, 1, active)
			})
		}
	})
}
