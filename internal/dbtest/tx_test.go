package dbtest

import (
	"context"
	"database/sql"
	"sync"
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
			onEach(t, databases, func(t *testing.T, d database) {
				db := d.open(t)
				outside := d.migrated(t, db)
				exec(t, db, `CREATE TABLE officers (name VARCHAR(20))`)
				old, gone := sample(1), sample(2)
				gone.ExpiresAt = now.AddDate(-1, 0, 0)
				require.NoError(t, outside.Create(t.Context(), old, 0))
				require.NoError(t, outside.Create(t.Context(), gone, 0))

				tx, err := db.Begin()
				require.NoError(t, err)
				defer tx.Rollback()
				exec(t, tx, `INSERT INTO officers VALUES ('Siti')`)
				st := outside.WithTx(tx)

				require.NoError(t, st.Create(t.Context(), sample(3), 2))
				require.ErrorIs(t, st.Create(t.Context(), sample(4), 2), store.ErrLimit, "the cap counts what the transaction wrote")
				require.ErrorIs(t, st.Create(t.Context(), sample(3), 2), store.ErrExists)
				require.ErrorIs(t, st.Create(t.Context(), sample(3), 0), store.ErrExists, "and a refusal does not end it")
				changed := old
				changed.Version, changed.Label = 1, "changed"
				require.NoError(t, st.Update(t.Context(), changed))
				require.ErrorIs(t, st.Update(t.Context(), changed), store.ErrConflict)
				changed.Version, changed.Alias = 2, "moved"
				require.NoError(t, st.Update(t.Context(), changed))
				taken := sample(3)
				taken.Version, taken.Alias = 1, "moved"
				require.ErrorIs(t, st.Update(t.Context(), taken), store.ErrExists, "nor does a refusal of an alias")
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
		})
	}
}

// Table C-2: the cap holds where each key is created in a transaction of the caller's, together with
// something else, and what was refused leaves nothing behind.
func TestCapInCallersTransactions(t *testing.T) {
	onEach(t, databases, func(t *testing.T, d database) {
		db := d.open(t)
		st := d.migrated(t, db)
		exec(t, db, `CREATE TABLE officers (n INTEGER)`)
		require.NoError(t, st.Create(t.Context(), sample(100), 5)) // or the first to come contend for the owner's row
		var wg sync.WaitGroup
		errs := make([]error, 40)
		for i := range errs {
			wg.Go(func() { errs[i] = d.join(t.Context(), db, i) })
		}
		wg.Wait()
		created := 0
		for _, err := range errs {
			if err == nil {
				created++
			} else {
				require.ErrorIs(t, err, store.ErrLimit)
			}
		}
		require.Equal(t, 4, created)
		recs, err := st.List(t.Context(), store.Query{Limit: 50})
		require.NoError(t, err)
		require.Len(t, recs, 5)
		require.Equal(t, 4, count(t, db, `SELECT COUNT(*) FROM officers`))
	})
}

// join creates an officer and a key in one transaction of READ COMMITTED, or on SQLite of the one
// kind there is.
func (d database) join(ctx context.Context, db *sql.DB, i int) error {
	tx, err := db.BeginTx(ctx, d.readCommitted())
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, `INSERT INTO officers VALUES (`+d.arg(1)+`)`, i); err != nil {
		return err
	}
	var n int // what pins a snapshot under other levels
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM latchkey_keys`).Scan(&n); err != nil {
		return err
	}
	st, err := d.newStore(tx)
	if err != nil {
		return err
	}
	if err := st.Create(ctx, sample(i), 5); err != nil {
		return err
	}
	return tx.Commit()
}

// Under REPEATABLE READ a count may be one of the past. PostgreSQL refuses then, and a caller tries
// again; the cap is never exceeded.
func TestCapUnderRepeatableRead(t *testing.T) {
	d := engines[1]
	for _, level := range []sql.IsolationLevel{sql.LevelRepeatableRead, sql.LevelSerializable} {
		db := d.open(t)
		st := d.migrated(t, db)
		var txs []*sql.Tx
		for range 2 {
			tx, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: level})
			require.NoError(t, err)
			defer tx.Rollback()
			require.Zero(t, count(t, tx, `SELECT COUNT(*) FROM latchkey_keys`))
			txs = append(txs, tx)
		}
		require.NoError(t, d.store(t, txs[0]).Create(t.Context(), sample(0), 1))
		require.NoError(t, txs[0].Commit())
		err := d.store(t, txs[1]).Create(t.Context(), sample(1), 1)
		requireOutage(t, err)
		require.ErrorContains(t, err, "40001")
		require.NoError(t, txs[1].Rollback())
		require.ErrorIs(t, st.Create(t.Context(), sample(1), 1), store.ErrLimit)
	}
}

// What a transaction that created a key under a cap holds until it ends: keys of other owners, reads,
// and creating without a cap go on.
func TestLongTransaction(t *testing.T) {
	onEach(t, databases[1:], func(t *testing.T, d database) {
		db := d.open(t)
		st := d.migrated(t, db)
		require.NoError(t, st.Create(t.Context(), sample(1), 5))
		tx, err := db.Begin()
		require.NoError(t, err)
		defer tx.Rollback()
		require.NoError(t, d.store(t, tx).Create(t.Context(), sample(2), 5))

		other := sample(3)
		other.Owner = "user_43"
		require.NoError(t, st.Create(t.Context(), other, 5))
		require.NoError(t, st.Create(t.Context(), sample(4), 0))
		rec, err := st.Get(t.Context(), sample(1).ID)
		require.NoError(t, err)
		require.NoError(t, st.Update(t.Context(), rec))
		require.NoError(t, st.Touch(t.Context(), []store.Use{{ID: rec.ID, At: now}, {ID: other.ID, At: now}}))
		recs, err := st.List(t.Context(), store.Query{Owner: rec.Owner, Limit: 5})
		require.NoError(t, err)
		require.Len(t, recs, 2)

		waits := make(chan error)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { waits <- st.Create(ctx, sample(5), 5) }()
		d.untilWaiting(t, db)
		cancel()
		require.ErrorIs(t, <-waits, context.Canceled, "the same owner's next key waits")
		require.NoError(t, tx.Commit())
		require.NoError(t, st.Create(t.Context(), sample(5), 5))
	})
}

func TestAfterCallersTransaction(t *testing.T) {
	onEach(t, engines, func(t *testing.T, d database) {
		db := d.open(t)
		d.migrated(t, db)
		tx, err := db.Begin()
		require.NoError(t, err)
		st := d.store(t, tx)
		require.NoError(t, tx.Commit())
		requireOutages(t, st)
	})
}

// On a connection a store begins nothing: what several goroutines do there would end up in one
// another's transactions, and the application may have begun one by hand.
func TestConnInTransactionByHand(t *testing.T) {
	onEach(t, databases, func(t *testing.T, d database) {
		db := d.open(t)
		conn, err := db.Conn(t.Context())
		require.NoError(t, err)
		st := d.migrated(t, conn)
		require.NoError(t, st.Create(t.Context(), sample(1), 1))
		before, err := st.Get(t.Context(), sample(1).ID)
		require.NoError(t, err)

		exec(t, conn, `BEGIN`)
		for _, write := range writes {
			require.NoError(t, write.call(t.Context(), st), write.name)
		}
		exec(t, conn, `ROLLBACK`)
		after, err := d.store(t, db).List(t.Context(), store.Query{Limit: 10})
		require.NoError(t, err)
		require.Equal(t, []store.Record{before}, after)

		require.NoError(t, st.Touch(t.Context(), []store.Use{{ID: before.ID, At: now}}))
		rec, err := d.store(t, db).Get(t.Context(), before.ID)
		require.NoError(t, err)
		require.Equal(t, now, rec.LastUsedAt)

		require.NoError(t, conn.Close())
		requireOutages(t, st)
	})
}
