package dbtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/sqlstore"
	"github.com/opengovsg/latchkey/store"
)

// deadlocked reports whether an error says that a transaction was chosen to give way.
func deadlocked(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "40P01"
	}
	e, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && e.Number == 1213
}

// Row F34 behind the guard: the application's own transactions lock keys in whatever order, and get into
// deadlocks with each other and with the store. Keys open all along, and what is acknowledged stays.
func TestDeadlocksUnderLoad(t *testing.T) {
	onEach(t, shared, func(t *testing.T, d database) {
		requireNoneLeft(t)
		dsn := d.fresh(t)
		if d.dialect == sqlstore.Postgres {
			dsn += "&deadlock_timeout=10ms" // after which it looks for one
		}
		db, theirs := d.pool(t, dsn), d.pool(t, dsn)
		st := d.migrated(t, db)
		door := newDoor(t, st).serve(t)
		const n = 6
		var tokens [n]string
		var keys [n]apikey.Key
		var uses []store.Use
		for i := range keys {
			tokens[i], keys[i] = door.issue(t)
			uses = append(uses, store.Use{ID: keys[i].ID, At: now})
		}
		ctx := bounded(t)
		stop := make(chan struct{})
		var others, workers sync.WaitGroup
		var deadlocks atomic.Int64
		for range 2 {
			others.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					tx, err := theirs.BeginTx(ctx, nil)
					if !assert.NoError(t, err) {
						return
					}
					for _, i := range rand.Perm(n) {
						if _, err = tx.ExecContext(ctx, `UPDATE latchkey_keys SET version = version WHERE id = `+d.arg(1), keys[i].ID); err != nil {
							break
						}
						time.Sleep(time.Millisecond) // for somebody else to take another
					}
					if deadlocked(err) {
						deadlocks.Add(1)
					}
					tx.Rollback()
				}
			})
		}
		var labels [n]string
		for i := range keys {
			workers.Go(func() {
				ref := apikey.Ref{Owner: keys[i].Owner, ID: keys[i].ID}
				for round := 0; round < 10 || deadlocks.Load() == 0 && ctx.Err() == nil; round++ {
					label := fmt.Sprint("round ", round)
					if _, err := door.Update(ctx, ref, apikey.Changes{Label: &label}); err == nil {
						labels[i] = label
					} else {
						requireUnavailable(collect{t}, err) // it lost too often
					}
					if err := st.Touch(ctx, uses); err != nil {
						assert.False(t, decision(err), err)
					}
					assert.Equal(t, http.StatusOK, door.ask(ctx, collect{t}, tokens[i]))
					assert.Equal(t, http.StatusUnauthorized, door.ask(ctx, collect{t}, nobodys))
				}
			})
		}
		workers.Wait()
		close(stop)
		others.Wait()
		require.False(t, t.Failed())
		require.Positive(t, deadlocks.Load())
		for i := range keys {
			key, err := door.Get(ctx, apikey.Ref{Owner: keys[i].Owner, ID: keys[i].ID})
			require.NoError(t, err)
			require.Equal(t, labels[i], key.Label)
		}
	})
}

// Row F34: where an administrator made every transaction serializable, a write that fails for that is
// done again, and the cap holds.
func TestSerializable(t *testing.T) {
	onEach(t, databases[1:4], func(t *testing.T, d database) {
		requireNoneLeft(t)
		dsn := d.fresh(t)
		db := d.pool(t, dsn+"&default_transaction_isolation=serializable")
		st := d.migrated(t, db)
		rec := sample(1)
		require.NoError(t, st.Create(t.Context(), rec, 0))

		other := d.pool(t, dsn)
		tx, err := other.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer tx.Rollback()
		exec(t, tx, `UPDATE latchkey_keys SET last_used_at = 1 WHERE id = '`+rec.ID+`'`)
		done := make(chan error, 1)
		changed := rec
		changed.Version, changed.Label = 1, "changed"
		ctx := bounded(t)
		go func() { done <- st.Update(ctx, changed) }()
		d.untilWaiting(t, other)
		require.NoError(t, tx.Commit())
		require.NoError(t, <-done)
		kept, err := st.Get(t.Context(), rec.ID)
		require.NoError(t, err)
		require.Equal(t, "changed", kept.Label)
		require.False(t, kept.LastUsedAt.IsZero(), "both are done")

		// Creates of one owner at once, each of which may lose against the others.
		errs := make(chan error, 8)
		for i := range cap(errs) {
			go func() { errs <- st.Create(ctx, sample(10+i), 4) }()
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
