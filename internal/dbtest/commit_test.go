package dbtest

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

// kept returns what is kept of an owner.
func (r rig) kept(t *testing.T, owner string) []store.Record {
	t.Helper()
	recs, err := r.direct.List(t.Context(), store.Query{Owner: owner, Limit: 10})
	require.NoError(t, err)
	return recs
}

// Row F30: the connection is lost around the COMMIT of a new key. A key is handed out only if it is
// kept, and one call keeps one key at most.
func TestCutCommit(t *testing.T) {
	onEach(t, databases[1:], func(t *testing.T, d database) {
		r := newRig(t, d, 1)
		for _, m := range moments {
			for _, max := range []int{1, 100} {
				for _, times := range []int{1, 100} {
					t.Run(fmt.Sprintf("%s, %d times, %d keys", m.name, times, max), func(t *testing.T) {
						keys, err := apikey.New(r.store, apikey.Config{Prefix: "postman_live", MaxPerOwner: max})
						require.NoError(t, err)
						owner := "user_" + rand.Text()
						r.connect(t)
						cuts := 0
						r.tell(m.lose(func(up bool, data []byte) bool {
							if isCommit(up, data) {
								cuts++
								return true
							}
							return false
						}, times))
						token, key, err := keys.Issue(bounded(t), apikey.Request{Owner: owner, Label: "HR reminders"})
						r.connect(t)
						require.Positive(t, cuts, "the connection was lost")
						recs := r.kept(t, owner)
						if err == nil {
							require.Len(t, recs, 1, "one call keeps one key")
							require.Equal(t, key.ID, recs[0].ID)
							r.beside.requireOpen(t, token.Reveal())
							return
						}
						require.NotEqual(t, 1, times, "a connection that is lost once fails nothing")
						requireUnavailable(t, err)
						require.Equal(t, apikey.Token{}, token, "what may not be kept is not handed out")
						require.Zero(t, key)
						if m.name == "before it arrives" {
							require.Empty(t, recs)
						}
						require.LessOrEqual(t, len(recs), 1, "nobody has its token, and it shows in the list")
						if len(recs) == 1 {
							_, err := r.door.Revoke(bounded(t), apikey.Ref{Owner: owner, ID: recs[0].ID}, "nobody has it")
							require.NoError(t, err)
						}
						token, _, err = keys.Issue(bounded(t), apikey.Request{Owner: owner, Label: "again"})
						require.NoError(t, err)
						r.beside.requireOpen(t, token.Reveal())
					})
				}
			}
		}
	})
}

// Row F30: the connection is lost around a write that is one statement. Once it is acknowledged it is
// done, and whoever is told nothing may do it again.
func TestCutRevoke(t *testing.T) {
	onEach(t, databases[1:], func(t *testing.T, d database) {
		r := newRig(t, d, 1)
		for _, m := range moments {
			t.Run(m.name, func(t *testing.T) {
				token, key := r.beside.issue(t)
				ref := apikey.Ref{Owner: key.Owner, ID: key.ID}
				sooner := key.ExpiresAt.Add(-time.Hour)

				r.connect(t)
				r.tell(m.lose(holds("canary-1"), 1))
				changed, err := r.door.Update(bounded(t), ref, apikey.Changes{Label: new("canary-1"), ExpiresAt: sooner})
				require.NoError(t, err)
				require.Equal(t, sooner, changed.ExpiresAt)
				rec, err := r.direct.Get(t.Context(), key.ID)
				require.NoError(t, err)
				require.Equal(t, "canary-1", rec.Label)
				require.Equal(t, sooner, rec.ExpiresAt)
				r.beside.requireOpen(t, token)

				r.connect(t)
				r.tell(m.lose(holds("canary-2"), 1))
				_, err = r.door.Revoke(bounded(t), ref, "canary-2")
				require.NoError(t, err)
				r.beside.requireRefused(t, token)

				r.connect(t)
				token, key = r.beside.issue(t)
				ref.ID = key.ID
				r.tell(m.lose(holds("canary-3"), 100))
				_, err = r.door.Revoke(bounded(t), ref, "canary-3")
				r.connect(t)
				switch {
				case err == nil:
					require.NotEqual(t, "before it arrives", m.name)
					r.beside.requireRefused(t, token)
				case m.name == "before it arrives":
					requireUnavailable(t, err)
					r.beside.requireOpen(t, token)
				case m.name != "as it arrives":
					requireUnavailable(t, err)
					r.beside.requireRefused(t, token)
				}
				_, err = r.door.Revoke(bounded(t), ref, "canary-4")
				require.NoError(t, err, "whoever does not know does it again")
				r.beside.requireRefused(t, token)
			})
		}
	})
}

// Rows F2 and F30: the server goes away as it commits, and is back later.
func TestDownAtCommit(t *testing.T) {
	onEach(t, databases[1:], func(t *testing.T, d database) {
		r := newRig(t, d, 1)
		for _, m := range moments {
			t.Run(m.name, func(t *testing.T) {
				owner := "user_" + rand.Text()
				r.connect(t)
				once, forever := m.lose(isCommit, 1), false
				r.tell(func(up bool, data []byte) fate {
					if forever {
						return cut
					}
					f := once(up, data)
					forever = f != pass
					return f
				})
				token, _, err := r.door.Issue(bounded(t), apikey.Request{Owner: owner, Label: "down"})
				requireUnavailable(t, err)
				require.Equal(t, apikey.Token{}, token)
				r.door.requireFault(t, nobodys)
				r.connect(t)
				require.LessOrEqual(t, len(r.kept(t, owner)), 1)
				token, key, err := r.door.Issue(bounded(t), apikey.Request{Owner: owner, Label: "up"})
				require.NoError(t, err)
				r.beside.requireOpen(t, token.Reveal())
				require.Equal(t, key.ID, r.kept(t, owner)[0].ID)
			})
		}
	})
}
