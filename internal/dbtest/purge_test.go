package dbtest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/store"
)

// Expired and revoked records are found in two ways, and some in both. The limit bounds them
// together, and each counts once.
func TestPurgeLimit(t *testing.T) {
	onEach(t, databases, func(t *testing.T, d database) { testPurgeLimit(t, d.migrated(t, d.open(t))) })
}

func testPurgeLimit(t *testing.T, st store.Store) {
	for i := range 12 {
		rec := sample(i)
		if i%4 < 2 {
			rec.ExpiresAt = now.AddDate(0, 0, -1)
		}
		if i%4 > 0 {
			rec.RevokedAt = now.AddDate(0, 0, -1)
		}
		if i == 4 {
			rec.ExpiresAt = now // not before now
		}
		require.NoError(t, st.Create(t.Context(), rec, 0))
	}
	for _, want := range []int{3, 3, 3, 2, 0} {
		n, err := st.Purge(t.Context(), now, 3)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	recs, err := st.List(t.Context(), store.Query{Limit: 20})
	require.NoError(t, err)
	require.Len(t, recs, 1)
	require.Equal(t, sample(4).ID, recs[0].ID)
}
