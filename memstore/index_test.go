package memstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/store"
)

// TestPurgeLeavesNothing looks for what would grow for as long as the process lives.
func TestPurgeLeavesNothing(t *testing.T) {
	var st Store
	at := time.UnixMicro(1_795_420_800_000_000).UTC()
	for i := range 50 {
		require.NoError(t, st.Create(t.Context(), store.Record{
			ID: fmt.Sprintf("01m83pph00%010d", i), Owner: fmt.Sprint("owner ", i%20), Alias: fmt.Sprint("alias ", i),
			CreatedAt: at, UpdatedAt: at, RevokedAt: at,
		}, 0))
	}
	require.Len(t, st.owners, 20)
	n, err := st.Purge(t.Context(), at.Add(time.Hour), store.MaxLimit)
	require.NoError(t, err)
	require.Equal(t, 50, n)
	require.Empty(t, st.owners)
	require.Empty(t, st.aliases)
	require.Empty(t, st.all.ids)
	for i := range st.shards {
		require.Empty(t, st.shards[i].entries)
	}
}

// TestIndex adds ids in every order there is of five, and walks down from each place.
func TestIndex(t *testing.T) {
	var orders func(done, left string)
	orders = func(done, left string) {
		if left == "" {
			var x index
			for _, id := range done {
				x.add(string(id))
			}
			for below, want := range map[string]string{"": "fdcba", "a": "", "b": "a", "e": "dcba", "f": "dcba", "g": "fdcba", "\x00": ""} {
				got := ""
				for id := range x.descend(below) {
					got += id
				}
				require.Equal(t, want, got, "below %q of %q", below, done)
			}
			for id := range x.descend("") {
				require.Equal(t, "f", id)
				break
			}
		}
		for i := range left {
			orders(done+left[i:i+1], left[:i]+left[i+1:])
		}
	}
	orders("", "abcdf")
	for range (*index)(nil).descend("") {
		require.Fail(t, "an owner without keys has an id")
	}
}
