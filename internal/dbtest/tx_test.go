package dbtest

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/store"
)

func TestCallersTransaction(t *testing.T) {
	for _, end := range []struct {
		name string
		call func(*sql.Tx) error
		kept bool
	}{
		{"commit", (*sql.Tx).Commit, true},
		{"rollback", (*sql.Tx).Rollback, false},
	} {
		t.Run(end.name, func(t *testing.T) {
			db := open(t, newFile(t), settings)
			outside := migrated(t, db)
			exec(t, db, `CREATE TABLE officers (name TEXT)`)
			old, gone := sample(1), sample(2)
			gone.ExpiresAt = now.AddDate(-1, 0, 0)
			require.NoError(t, outside.Create(t.Context(), old, 0))
			require.NoError(t, outside.Create(t.Context(), gone, 0))

			tx, err := db.Begin()
			require.NoError(t, err)
			defer tx.Rollback()
			exec(t, tx, `INSERT INTO officers VALUES ('Siti')`)
			st := newStore(t, tx)

			require.NoError(t, st.Create(t.Context(), sample(3), 2))
			require.ErrorIs(t, st.Create(t.Context(), sample(4), 2), store.ErrLimit, "the cap counts what the transaction wrote")
			require.ErrorIs(t, st.Create(t.Context(), sample(3), 2), store.ErrExists)
			changed := old
			changed.Version, changed.Label = 1, "changed"
			require.NoError(t, st.Update(t.Context(), changed))
			require.ErrorIs(t, st.Update(t.Context(), changed), store.ErrConflict)
			require.NoError(t, st.Touch(t.Context(), []store.Use{{ID: old.ID, At: now}}))
			n, err := st.Purge(t.Context(), now, 10)
			require.NoError(t, err)
			require.Equal(t, 1, n)
			recs, err := st.List(t.Context(), store.Query{Owner: old.Owner, Limit: 10})
			require.NoError(t, err)
			require.Len(t, recs, 2, "the transaction sees what it wrote")

			rec, err := outside.Get(t.Context(), old.ID)
			require.NoError(t, err)
			require.Equal(t, old.Label, rec.Label, "and nobody else does before it commits")
			require.True(t, rec.LastUsedAt.IsZero())

			require.NoError(t, end.call(tx), "nothing has committed or rolled back before the caller")
			_, err = outside.Get(t.Context(), sample(3).ID)
			if end.kept {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, store.ErrNotFound)
			}
			rec, err = outside.Get(t.Context(), old.ID)
			require.NoError(t, err)
			require.Equal(t, end.kept, rec.Label == "changed")
			require.Equal(t, end.kept, rec.LastUsedAt.Equal(now))
			_, err = outside.Get(t.Context(), gone.ID)
			require.Equal(t, !end.kept, err == nil)
			require.Equal(t, end.kept, count(t, db, `SELECT COUNT(*) FROM officers`) == 1)
		})
	}
}

func TestAfterCallersTransaction(t *testing.T) {
	db := open(t, newFile(t), settings)
	migrated(t, db)
	tx, err := db.Begin()
	require.NoError(t, err)
	st := newStore(t, tx)
	require.NoError(t, tx.Commit())
	requireOutages(t, st)
}

// On a connection a store begins nothing: what several goroutines do there would end up in one
// another's transactions, and the application may have begun one by hand.
func TestConnInTransactionByHand(t *testing.T) {
	db := open(t, newFile(t), settings)
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	st := migrated(t, conn)
	require.NoError(t, st.Create(t.Context(), sample(1), 1))
	before, err := st.Get(t.Context(), sample(1).ID)
	require.NoError(t, err)

	exec(t, conn, `BEGIN`)
	for _, write := range writes {
		require.NoError(t, write.call(t.Context(), st), write.name)
	}
	exec(t, conn, `ROLLBACK`)
	after, err := newStore(t, db).List(t.Context(), store.Query{Limit: 10})
	require.NoError(t, err)
	require.Equal(t, []store.Record{before}, after)

	require.NoError(t, st.Touch(t.Context(), []store.Use{{ID: before.ID, At: now}}))
	rec, err := newStore(t, db).Get(t.Context(), before.ID)
	require.NoError(t, err)
	require.Equal(t, now, rec.LastUsedAt)

	require.NoError(t, conn.Close())
	requireOutages(t, st)
}
