package dbtest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

// shared are the engines that several machines can share.
var shared = engines[1:]

// must does what has to be done and returns what came of it.
func must(t *testing.T, instance caller, op Op, want string) Result {
	t.Helper()
	op.Patience = -1
	r, err := instance.do(op)
	require.NoError(t, err)
	require.Equal(t, want, r.Outcome, "%s %s", op.Kind, r.Text)
	return r
}

// A key that one process issued opens in the other at once, and one that was revoked or given
// another label there is so on the next call.
func TestInstances(t *testing.T) {
	onEach(t, shared, func(t *testing.T, d database) {
		twins := d.twins(t, "")
		for n := range 400 {
			one, other := twins[n%2], twins[1-n%2]
			name := fmt.Sprint("round ", n)
			issued := must(t, one, Op{Kind: "issue", Name: name}, "ok")
			verify := Op{Kind: "verify", Token: issued.Token}
			require.Equal(t, issued.View, must(t, other, verify, "ok").View)
			require.Equal(t, issued.View, must(t, one, verify, "ok").View)

			must(t, other, Op{Kind: "update", ID: issued.ID, Label: "since " + name}, "ok")
			require.Equal(t, "since "+name, must(t, one, verify, "ok").View.Label)
			must(t, one, Op{Kind: "revoke", ID: issued.ID, Name: "done"}, "ok")
			must(t, other, verify, "revoked")
			must(t, one, verify, "revoked")
			must(t, other, Op{Kind: "update", ID: issued.ID, Label: name}, "inactive")
		}
	})
}

// While many verify a key in both processes, one of them revokes it. Whatever begins in the other
// one after that was acknowledged is refused.
func TestInstancesUnderLoad(t *testing.T) {
	onEach(t, shared, func(t *testing.T, d database) {
		twins := d.twins(t, "")
		for n := range 25 {
			one, other := twins[n%2], twins[1-n%2]
			issued := must(t, one, Op{Kind: "issue", Name: "busy"}, "ok")
			verify := Op{Kind: "verify", Token: issued.Token, Patience: -1}
			var opened, wg sync.WaitGroup
			revoked := make(chan struct{})
			for range 6 {
				opened.Add(1)
				wg.Go(func() {
					for m := 0; ; m++ {
						late := false
						select {
						case <-revoked:
							late = true
						default:
						}
						r, err := other.do(verify)
						if m == 0 {
							assert.Equal(t, "ok", r.Outcome, r.Text)
							opened.Done()
						}
						if !assert.NoError(t, err) {
							return
						}
						if late {
							assert.Equal(t, "revoked", r.Outcome, r.Text)
							return
						}
						assert.Contains(t, []string{"ok", "revoked"}, r.Outcome, r.Text)
					}
				})
			}
			opened.Wait()
			must(t, one, Op{Kind: "revoke", ID: issued.ID, Name: "done"}, "ok")
			close(revoked)
			wg.Wait()
			require.False(t, t.Failed())
		}
	})
}

// Peppers come and go, to one process after the other, and no key is refused by either.
func TestInstancesPeppers(t *testing.T) {
	steps := [][]byte{ // as Config.Peppers says how
		{}, {0, 1}, {1, 0}, {1},
		{1, 2}, {2, 1}, {2},
	}
	onEach(t, shared, func(t *testing.T, d database) {
		s := Setup{Database: d.index(), DSN: d.fresh(t)}
		st := d.migrated(t, d.pool(t, s.DSN))
		twins := []caller{here(t, s), elsewhere(t, s)}

		var tokens []string
		var at time.Duration // no rehash that failed keeps the next one from being tried
		use := func() {
			at += time.Hour / 60
			for _, instance := range twins {
				issued := must(t, instance, Op{Kind: "issue", Name: "peppered", At: at}, "ok")
				tokens = append(tokens, issued.Token)
			}
			var wg sync.WaitGroup
			for _, instance := range twins {
				wg.Go(func() {
					for _, token := range tokens {
						r, err := instance.do(Op{Kind: "verify", Token: token, At: at, Patience: -1})
						assert.NoError(t, err)
						assert.Equal(t, "ok", r.Outcome, r.Text)
					}
				})
			}
			wg.Wait()
			require.False(t, t.Failed())
		}
		schemes := func() map[string]int {
			recs, err := st.List(t.Context(), store.Query{Limit: store.MaxLimit})
			require.NoError(t, err)
			n := make(map[string]int)
			for _, rec := range recs {
				n[rec.Scheme]++
			}
			return n
		}
		for i, step := range steps {
			for _, instance := range twins {
				require.NoError(t, instance("Configure", step, new(bool)))
				use() // one of them has the new peppers, and then both
			}
			// Whoever takes a pepper away first looks whether anything still needs it.
			if i+1 < len(steps) && len(steps[i+1]) < len(step) {
				for n := 0; len(schemes()) > 1; n++ {
					require.Less(t, n, 50, "a key that is used is rehashed")
					use()
				}
			}
		}
		require.Len(t, schemes(), 1)
		require.NotContains(t, schemes(), "sha256")

		// What the steps above are for: this one leaves out the one before.
		require.NoError(t, twins[0]("Configure", []byte{3, 2}, new(bool)))
		issued := must(t, twins[0], Op{Kind: "issue", Name: "too early", At: at}, "ok")
		r := must(t, twins[1], Op{Kind: "verify", Token: issued.Token, At: at}, lost)
		require.Contains(t, r.Text, apikey.ErrUnavailable.Error(), "which is no refusal")
	})
}
