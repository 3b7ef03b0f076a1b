package dbtest

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/sqlstore"
	"github.com/opengovsg/latchkey/store"
)

// waiting counts the calls of a database that wait for a lock.
func waiting(t *testing.T, d database, admin *sql.DB) (int, error) {
	var n int
	query := `SELECT COUNT(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
		WHERE NOT l.granted AND a.query LIKE '%latchkey_keys%' AND a.application_name = current_setting('application_name')`
	if d.dialect == sqlstore.MySQL {
		exec(t, admin, `DO SLEEP(0.15)`) // whoever looks more often sees what it saw before
		query = `SELECT COUNT(*) FROM information_schema.innodb_trx x JOIN information_schema.processlist p ON p.id = x.trx_mysql_thread_id
			WHERE x.trx_state = 'LOCK WAIT' AND p.db = DATABASE()`
	}
	err := admin.QueryRowContext(t.Context(), query).Scan(&n)
	return n, err
}

// Row F34: a call that is chosen to give way in a deadlock with somebody else's transaction is done
// all the same, once the other one has gone.
func TestFireF34Deadlock(t *testing.T) {
	onEach(t, servers, func(t *testing.T, d database) {
		dsn := d.fresh(t)
		if d.dialect == sqlstore.Postgres {
			var schema string
			require.NoError(t, d.pool(t, dsn).QueryRow(`SELECT current_schema()`).Scan(&schema))
			// The first to wait so long looks for a deadlock, and gives way.
			dsn += "&deadlock_timeout=50ms&application_name=" + schema
		}
		db := d.pool(t, dsn)
		t.Cleanup(requireNoneLeft(t, db))
		admin := d.pool(t, dsn)
		st := d.migrated(t, db)
		first, second := sample(1), sample(2)
		require.NoError(t, st.Create(t.Context(), first, 0))
		require.NoError(t, st.Create(t.Context(), second, 0))
		for i := range 30 {
			require.NoError(t, st.Create(t.Context(), sample(100+i), 0))
		}

		tx, err := admin.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer tx.Rollback()
		if d.dialect == sqlstore.Postgres {
			exec(t, tx, `SET LOCAL deadlock_timeout = '10min'`)
		} else {
			exec(t, tx, `UPDATE latchkey_keys SET last_used_at = 1 WHERE id > '`+sample(99).ID+`'`) // who has done more stays
		}
		exec(t, tx, `UPDATE latchkey_keys SET last_used_at = 1 WHERE id = '`+second.ID+`'`)
		done := make(chan error, 1)
		go func() {
			done <- st.Touch(context.Background(), []store.Use{{ID: first.ID, At: now}, {ID: second.ID, At: now}})
		}()
		watch := d.pool(t, dsn)
		eventually(t, "the call waits for the transaction", func() (bool, error) {
			n, err := waiting(t, d, watch)
			return n > 0, err
		})
		exec(t, tx, `UPDATE latchkey_keys SET last_used_at = 1 WHERE id = '`+first.ID+`'`) // and the transaction for the call
		require.NoError(t, tx.Commit(), "it is the call that gave way")
		require.NoError(t, <-done)
		for _, id := range []string{first.ID, second.ID} {
			rec, err := st.Get(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, now, rec.LastUsedAt)
		}
	})
}

// Row F34: where an administrator made every transaction serializable, a write that fails for that is
// done again, and the cap holds.
func TestFireF34Serializable(t *testing.T) {
	onEach(t, servers[:3], func(t *testing.T, d database) {
		dsn := d.fresh(t)
		db := d.pool(t, dsn+"&default_transaction_isolation=serializable")
		t.Cleanup(requireNoneLeft(t, db))
		st := d.migrated(t, db)
		rec := sample(1)
		require.NoError(t, st.Create(t.Context(), rec, 0))

		tx, err := d.pool(t, dsn).BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer tx.Rollback()
		exec(t, tx, `UPDATE latchkey_keys SET last_used_at = 1 WHERE id = '`+rec.ID+`'`)
		done := make(chan error, 1)
		changed := rec
		changed.Version, changed.Label = 1, "changed"
		go func() { done <- st.Update(context.Background(), changed) }()
		watch := d.pool(t, dsn)
		eventually(t, "the update waits", func() (bool, error) {
			var n int
			err := watch.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND transactionid IN (
				SELECT transactionid FROM pg_locks WHERE granted AND virtualtransaction IN (
					SELECT virtualtransaction FROM pg_locks WHERE relation = 'latchkey_keys'::regclass))`).Scan(&n)
			return n > 0, err
		})
		require.NoError(t, tx.Commit())
		require.NoError(t, <-done)
		kept, err := st.Get(t.Context(), rec.ID)
		require.NoError(t, err)
		require.Equal(t, "changed", kept.Label)
		require.False(t, kept.LastUsedAt.IsZero(), "both are done")

		// Creates of one owner at once, each of which may lose against the others.
		errs := make(chan error, 8)
		for i := range cap(errs) {
			go func() { errs <- st.Create(context.Background(), sample(10+i), 4) }()
		}
		created := 1
		for range cap(errs) {
			switch err := <-errs; err {
			case nil:
				created++
			case store.ErrLimit:
			default:
				requireOutage(t, err) // it lost too often
			}
		}
		require.LessOrEqual(t, created, 4)
		require.Equal(t, created, count(t, db, `SELECT COUNT(*) FROM latchkey_keys`))
	})
}
