package dbtest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/store"
)

// Row F6: the connection is lost around the query of a verification, which is repeated once.
func TestCutVerify(t *testing.T) {
	onEach(t, databases[1:], func(t *testing.T, d database) {
		r := newRig(t, d, 1)
		token, key := r.beside.issue(t)
		for _, m := range moments {
			t.Run(m.name, func(t *testing.T) {
				for range 3 {
					r.connect(t)
					r.tell(m.lose(holds(key.ID), 1))
					r.door.requireOpen(t, token)
					r.connect(t)
					r.tell(m.lose(holds(nobodysID), 1))
					r.door.requireRefused(t, nobodys)
				}
				r.connect(t)
				if m.name != "as it arrives" { // where the answer may be faster
					is := holds(key.ID)
					r.tell(m.lose(func(up bool, data []byte) bool { return is(up, data) || holds(nobodysID)(up, data) }, 100))
					r.door.requireFault(t, token)
				}
				r.connect(t)
				r.door.requireOpen(t, token)
			})
		}
	})
}

// Row F6: a list of which a part arrives is asked for again, or fails, and is never short.
func TestCutList(t *testing.T) {
	onEach(t, databases[1:], func(t *testing.T, d database) {
		r := newRig(t, d, 1)
		const n = 60
		for i := range n {
			rec := sample(i)
			rec.Metadata = `{"note":"` + strings.Repeat("x", 20_000) + `"}`
			require.NoError(t, r.direct.Create(t.Context(), rec, 0))
		}
		q := store.Query{Owner: sample(0).Owner, Limit: store.MaxLimit}
		r.connect(t)
		whole, err := r.store.List(bounded(t), q)
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
					recs, err := r.store.List(bounded(t), q)
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

// Rows F6 and F30: connections break off in the middle of whatever they carry, or are reset before
// they carry anything.
func TestCutUnderLoad(t *testing.T) {
	for name, toxic := range map[string][]string{
		"after so many bytes": {`{"type": "limit_data", "stream": "downstream", "attributes": {"bytes": 7001}}`},
		"reset": {
			`{"type": "reset_peer", "stream": "downstream", "toxicity": 0.5}`,
			`{"type": "limit_data", "stream": "upstream", "attributes": {"bytes": 5001}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, databases[1:], func(t *testing.T, d database) {
				r := newRig(t, d, conns, toxic...)
				l := startLoad(t, r.door, r.beside)
				l.until(t, "calls are answered and connections lost", func() bool {
					return l.works.Load() > 200 && r.connections() > 5*conns
				})
				l.requireKept(t)
				r.requireReturned(t)
			})
		})
	}
}
