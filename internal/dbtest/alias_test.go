package dbtest

import (
	"database/sql"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/sqlstore"
	"github.com/opengovsg/latchkey/store"
)

// Row F34: an alias that a deleted record had is free again. While anybody reads a snapshot in which it is taken,
// InnoDB keeps the deleted row in its unique index, where all who are about to insert the alias share a lock of
// the gap that each of them wants for itself: a deadlock of all with all, which doing it again at once only
// repeats. One succeeds all the same, and the others are told that the alias is taken.
func TestContestOfAnAliasThatWasDeleted(t *testing.T) {
	for _, contest := range []struct {
		name string
		cap  int // below 0: Update
	}{{"Create", 0}, {"Create under a cap", 100}, {"Update", -1}} {
		t.Run(contest.name, func(t *testing.T) {
			onEach(t, engines, func(t *testing.T, d database) {
				dsn := d.fresh(t)
				db := d.pool(t, dsn)
				st := d.migrated(t, db)
				recs := make([]store.Record, 40)
				for i := range recs {
					recs[i] = sample(i)
					if contest.cap < 0 {
						require.NoError(t, st.Create(t.Context(), recs[i], 0))
						recs[i].Version = 1
					}
					recs[i].Alias = "team-a:0"
				}
				release := d.freed(t, d.pool(t, dsn), recs[0].Alias)
				var wg sync.WaitGroup
				errs := make([]error, len(recs))
				for i, rec := range recs {
					wg.Go(func() {
						if contest.cap < 0 {
							errs[i] = st.Update(t.Context(), rec)
						} else {
							errs[i] = st.Create(t.Context(), rec, contest.cap)
						}
					})
				}
				release()
				wg.Wait()
				won := 0
				for _, err := range errs {
					if err == nil {
						won++
					} else {
						require.ErrorIs(t, err, store.ErrExists)
					}
				}
				require.Equal(t, 1, won)
				require.Equal(t, 1, count(t, db, `SELECT COUNT(*) FROM latchkey_keys WHERE alias = 'team-a:0'`))
			})
		})
	}
}

// freed deletes a record that has the alias, in front of a transaction that still sees it. On MySQL that
// transaction shares the lock of everybody who inserts the alias, so that they are sure to meet there, until
// release is called, which is once many of them do.
func (d database) freed(t *testing.T, db *sql.DB, alias string) (release func()) {
	t.Helper()
	rec := sample(1000)
	rec.Alias = alias
	require.NoError(t, d.store(t, db).Create(t.Context(), rec, 0))
	if d.dialect == sqlstore.SQLite {
		exec(t, db, `DELETE FROM latchkey_keys WHERE id = '`+rec.ID+`'`)
		return func() {}
	}
	past, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	require.NoError(t, err)
	t.Cleanup(func() { past.Rollback() })
	require.Positive(t, count(t, past, `SELECT COUNT(*) FROM latchkey_keys`))
	exec(t, db, `DELETE FROM latchkey_keys WHERE id = '`+rec.ID+`'`)
	if d.dialect != sqlstore.MySQL {
		return func() {}
	}
	err = past.QueryRowContext(t.Context(), `SELECT 1 FROM latchkey_keys WHERE alias = ? LOCK IN SHARE MODE`, alias).Err()
	require.NoError(t, err)
	return func() {
		d.untilWaiting(t, db)
		time.Sleep(300 * time.Millisecond) // longer than all repetitions of a call together
		require.NoError(t, past.Rollback())
	}
}
