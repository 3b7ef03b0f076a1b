package memstore_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
	"github.com/opengovsg/latchkey/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return new(memstore.Store) })
}

func record(i int) store.Record {
	at := time.UnixMicro(1_795_420_800_000_000).UTC()
	return store.Record{
		ID: fmt.Sprintf("01m83pph00%010d", i), Owner: "user_42", Prefix: "acme", Label: "x",
		Scheme: "sha256", Hash: store.Hash(strings.Repeat("h", 32)), CreatedAt: at, UpdatedAt: at,
	}
}

func TestGetAllocatesNothing(t *testing.T) {
	var st memstore.Store
	rec := record(1)
	require.NoError(t, st.Create(t.Context(), rec, 0))
	ctx := t.Context()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if got, err := st.Get(ctx, rec.ID); err != nil || got.Hash != rec.Hash {
			t.Error("not the record")
		}
	}))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := st.Get(ctx, "01m83pph00zab5rrb146"); err != store.ErrNotFound {
			t.Error(err)
		}
	}))
}

// TestPrintsNoHash prints a store in ways that make package fmt follow pointers.
func TestPrintsNoHash(t *testing.T) {
	var st memstore.Store
	require.NoError(t, st.Create(t.Context(), record(1), 0))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{&st, struct{ st *memstore.Store }{&st}, []*memstore.Store{&st}} {
			out := fmt.Sprintf(verb, v)
			require.NotContains(t, out, strings.Repeat("h", 8), verb)
			require.NotContains(t, out, strings.Repeat("68", 8), verb)
		}
	}
}

// TestIndexesFollow checks that nothing is left of a record that is purged: neither its alias, nor
// its place in its owner's list, nor its owner.
func TestIndexesFollow(t *testing.T) {
	var st memstore.Store
	ctx := t.Context()
	for i := range 100 {
		rec := record(i * 7 % 100) // not in order, so that ids are inserted in the middle
		rec.Alias = fmt.Sprint("alias ", i)
		rec.Owner = fmt.Sprint("owner ", i%3)
		rec.RevokedAt = rec.CreatedAt
		require.NoError(t, st.Create(ctx, rec, 0))
	}
	n, err := st.Purge(ctx, record(0).CreatedAt.Add(time.Hour), 60)
	require.NoError(t, err)
	require.Equal(t, 60, n)
	recs, err := st.List(ctx, store.Query{Limit: 1000})
	require.NoError(t, err)
	require.Len(t, recs, 40)
	byOwner := 0
	for i := range 3 {
		recs, err := st.List(ctx, store.Query{Owner: fmt.Sprint("owner ", i), Limit: 1000})
		require.NoError(t, err)
		byOwner += len(recs)
	}
	require.Equal(t, 40, byOwner)
	byAlias := 0
	for i := range 100 {
		recs, err := st.List(ctx, store.Query{Alias: fmt.Sprint("alias ", i), Limit: 1})
		require.NoError(t, err)
		byAlias += len(recs)
	}
	require.Equal(t, 40, byAlias)
	for i := range 100 {
		err := st.Create(ctx, record(i), 0)
		if err != nil {
			require.ErrorIs(t, err, store.ErrExists)
		}
	}
	recs, err = st.List(ctx, store.Query{Limit: 1000})
	require.NoError(t, err)
	require.Len(t, recs, 100)
}

// TestReadersAndWriters is for the race detector: every method at once, on the same few records.
func TestReadersAndWriters(t *testing.T) {
	var st memstore.Store
	ctx := t.Context()
	at := record(0).CreatedAt
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 200 {
				rec := record(i % 8)
				st.Create(ctx, rec, 0)
				if got, err := st.Get(ctx, rec.ID); err == nil {
					got.RevokedAt = at
					st.Update(ctx, got)
				}
				st.Touch(ctx, []store.Use{{ID: rec.ID, At: at.Add(time.Duration(i))}})
				st.List(ctx, store.Query{Owner: rec.Owner, Limit: 10})
				if g == 0 && i%20 == 0 {
					st.Purge(ctx, at.Add(time.Hour), 3)
				}
			}
		})
	}
	wg.Wait()
	recs, err := st.List(ctx, store.Query{Limit: 10})
	require.NoError(t, err)
	for i := 1; i < len(recs); i++ {
		require.Less(t, recs[i].ID, recs[i-1].ID)
	}
}
