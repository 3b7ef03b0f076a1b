package dbtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/sqlstore"
	"github.com/opengovsg/latchkey/store"
)

// untilWaiting returns once some statement in the schema or database of db waits for a lock.
func (d database) untilWaiting(t *testing.T, db sqlstore.DB) {
	t.Helper()
	query := `SELECT COUNT(*) FROM pg_locks l JOIN pg_class c ON c.relnamespace = to_regnamespace(current_schema())
		JOIN pg_locks h ON h.pid = l.pid AND h.relation = c.oid WHERE NOT l.granted`
	if d.dialect == sqlstore.MySQL {
		query = `SELECT COUNT(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p
			ON p.id = t.trx_mysql_thread_id WHERE t.trx_state = 'LOCK WAIT' AND p.db = DATABASE()`
	}
	// InnoDB shows what it last showed to whoever looks again within a tenth of a second.
	for n := 0; count(t, db, query) == 0; n++ {
		require.Less(t, n, 200, "nothing waits")
		time.Sleep(150 * time.Millisecond)
	}
}

// Row F34: of two that deadlock one loses, and if that is the store it does its part again.
func TestDeadlock(t *testing.T) {
	onEach(t, databases[1:], func(t *testing.T, d database) {
		db := d.open(t)
		st := d.migrated(t, db)
		require.NoError(t, st.Create(t.Context(), sample(1), 0))
		require.NoError(t, st.Create(t.Context(), sample(2), 0))
		lock := `UPDATE latchkey_keys SET version = version WHERE id = ` + d.arg(1)

		tx, err := db.Begin()
		require.NoError(t, err)
		defer tx.Rollback()
		exec(t, tx, lock, sample(2).ID)
		done := make(chan error)
		go func() {
			done <- st.Touch(context.Background(), []store.Use{{ID: sample(1).ID, At: now}, {ID: sample(2).ID, At: now}})
		}()
		d.untilWaiting(t, db)
		tx.ExecContext(t.Context(), lock, sample(1).ID) // fails, if this is the one that loses
		tx.Rollback()
		require.NoError(t, <-done)
		for i := range 2 {
			rec, err := st.Get(t.Context(), sample(i+1).ID)
			require.NoError(t, err)
			require.Equal(t, now, rec.LastUsedAt)
		}
	})
}

// Row F34, in a transaction of the caller's, which is for the caller to begin anew.
func TestDeadlockOfCallers(t *testing.T) {
	onEach(t, engines[1:], func(t *testing.T, d database) {
		db := d.open(t)
		st := d.migrated(t, db)
		var recs [2]store.Record
		var txs [2]*sqlstore.Store
		for i := range txs {
			require.NoError(t, st.Create(t.Context(), sample(i), 0))
			recs[i] = written(sample(i))
			recs[i].Owner = sample(i).Owner
			tx, err := db.Begin()
			require.NoError(t, err)
			defer tx.Rollback()
			txs[i] = d.store(t, tx)
			require.NoError(t, txs[i].Update(t.Context(), recs[i]))
		}
		first := make(chan error)
		go func() { first <- txs[0].Update(context.Background(), recs[1]) }()
		d.untilWaiting(t, db)
		second := txs[1].Update(t.Context(), recs[0])
		lost := 0
		for _, err := range []error{second, <-first} {
			if err != nil {
				lost++
				requireOutage(t, err)
			}
		}
		require.Equal(t, 1, lost)
	})
}

// Row F38, and F31: whatever writes says so, and reading goes on.
func TestServerReadOnly(t *testing.T) {
	onEach(t, databases[1:], func(t *testing.T, d database) {
		dsn := d.fresh(t)
		require.NoError(t, d.migrated(t, d.pool(t, dsn)).Create(t.Context(), sample(1), 0))
		db := one(d.pool(t, dsn))
		if d.dialect == sqlstore.MySQL {
			exec(t, db, `SET SESSION TRANSACTION READ ONLY`)
		} else {
			exec(t, db, `SET default_transaction_read_only = on`)
		}
		st := d.store(t, db)
		for _, write := range writes {
			err := write.call(t.Context(), st)
			if d.driver == "postgres" && write.name == "create" {
				continue // lib/pq begins every transaction as READ WRITE, which a replica would refuse
			}
			if write.name == "purge" && err == nil {
				continue // finds nothing to write
			}
			requireOutage(t, err)
			require.ErrorContains(t, err, "the database takes no writes", write.name)
		}
		rec, err := st.Get(t.Context(), sample(1).ID)
		require.NoError(t, err)
		require.Equal(t, int64(1), rec.Version)
		require.True(t, rec.LastUsedAt.IsZero())
	})
}

// kill ends every connection to the schema or database but the one it works on, and returns how many.
func (d database) kill(ctx context.Context, db sqlstore.DB) (int, error) {
	query := `SELECT pid FROM pg_stat_activity WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()`
	kill := `SELECT pg_terminate_backend($1)`
	if d.dialect == sqlstore.MySQL {
		query, kill = `SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()`, `KILL ?`
	}
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var pids []int64
	for rows.Next() {
		var pid int64
		if err := rows.Scan(&pid); err != nil {
			return 0, err
		}
		pids = append(pids, pid)
	}
	for _, pid := range pids {
		// One that has ended since is no matter.
		db.ExecContext(ctx, kill, pid)
	}
	return len(pids), rows.Err()
}

// Rows F6 and F30: connections are killed all the time. No answer is wrong, no write that was
// acknowledged is lost, no new key is refused for being there already, and the pool recovers.
func TestKilledConnections(t *testing.T) {
	onEach(t, databases[1:], func(t *testing.T, d database) {
		dsn := d.fresh(t)
		db := d.pool(t, dsn)
		st := d.migrated(t, db)
		require.NoError(t, st.Create(t.Context(), sample(0), 0))
		killer, err := d.pool(t, dsn).Conn(t.Context())
		require.NoError(t, err)
		defer killer.Close()

		const workers, rounds = 6, 40
		var kills, faults atomic.Int64
		versions := make([]int64, workers)
		wrong := make(chan error, workers)
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				ctx := t.Context()
				for i := range rounds {
					if _, err := st.Get(ctx, sample(0).ID); decision(err) {
						wrong <- fmt.Errorf("get: %w", err)
					}
					rec := sample(1000*(w+1) + i)
					rec.Owner = fmt.Sprint("user ", w)
					max := 0
					if i%2 == 0 {
						max = 1000
					}
					err := st.Create(ctx, rec, max)
					if decision(err) {
						wrong <- fmt.Errorf("create: %w", err)
					}
					if err != nil {
						faults.Add(1)
						continue
					}
					rec.Version, rec.RevokedAt = 1, now
					if err := st.Update(ctx, rec); decision(err) {
						wrong <- fmt.Errorf("update: %w", err)
					} else if err == nil {
						versions[w]++
					} else {
						faults.Add(1)
					}
				}
			})
		}
		stop := make(chan struct{})
		killed := make(chan error)
		go func() {
			for {
				select {
				case <-stop:
					killed <- nil
					return
				default:
				}
				n, err := d.kill(context.Background(), killer)
				kills.Add(int64(n))
				if err != nil {
					killed <- err
					return
				}
			}
		}()
		wg.Wait()
		close(stop)
		require.NoError(t, <-killed)
		close(wrong)
		for err := range wrong {
			require.NoError(t, err)
		}
		require.NotZero(t, kills.Load())

		_, err = st.Get(t.Context(), sample(0).ID)
		require.NoError(t, err, "the pool has recovered")
		for w := range workers {
			recs, err := st.List(t.Context(), store.Query{Owner: fmt.Sprint("user ", w), Limit: store.MaxLimit})
			require.NoError(t, err)
			revoked := int64(0)
			for _, rec := range recs {
				if !rec.RevokedAt.IsZero() {
					revoked++
					require.Equal(t, int64(2), rec.Version)
				}
			}
			require.GreaterOrEqual(t, revoked, versions[w], "what was acknowledged is kept")
		}
		t.Logf("%d connections killed, %d writes failed", kills.Load(), faults.Load())
	})
}

func decision(err error) bool {
	for _, d := range []error{store.ErrNotFound, store.ErrExists, store.ErrLimit, store.ErrConflict} {
		if errors.Is(err, d) {
			return true
		}
	}
	return false
}
