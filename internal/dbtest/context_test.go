package dbtest

import (
	"context"
	"database/sql/driver"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/opengovsg/latchkey/sqlstore"
	"github.com/opengovsg/latchkey/store"
)

// midway is an SQL function that a statement calls while it runs, and what it then does.
var midway struct {
	sync.Mutex
	do func()
}

func init() {
	sqlite.MustRegisterScalarFunction("midway", 0, func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
		midway.Lock()
		defer midway.Unlock()
		if midway.do != nil {
			midway.do()
		}
		return int64(0), nil
	})
}

// endless is SQL that runs until it is interrupted, and calls midway as it does.
const endless = `(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE midway())`

// A context that ends while a statement runs: the error says so, nothing is half done, and the next
// call finds a connection that works.
func TestContextEndsMidway(t *testing.T) {
	db := one(open(t, newFile(t), settings))
	st := migrated(t, db)
	require.NoError(t, st.Create(t.Context(), sample(1), 0))
	before, err := st.Get(t.Context(), sample(1).ID)
	require.NoError(t, err)

	for _, op := range []string{"INSERT", "UPDATE", "DELETE"} {
		exec(t, db, `CREATE TABLE IF NOT EXISTS switch (is_on INTEGER)`)
		exec(t, db, `CREATE TRIGGER endless_`+op+` AFTER `+op+` ON latchkey_keys WHEN EXISTS (SELECT 1 FROM switch)
			BEGIN SELECT COUNT(*) FROM `+endless+`; END`)
	}
	for _, write := range writes {
		t.Run(write.name, func(t *testing.T) {
			exec(t, db, `INSERT INTO switch VALUES (1)`)
			requireCanceledMidway(t, func(ctx context.Context) error { return write.call(ctx, st) })
			exec(t, db, `DELETE FROM switch`)
			recs, err := st.List(t.Context(), store.Query{Limit: 10})
			require.NoError(t, err)
			require.Equal(t, []store.Record{before}, recs, "a write that was interrupted is not done")
		})
	}
	for _, write := range writes {
		require.NoError(t, write.call(t.Context(), st), "the next call works")
	}

	// A view that never ends its search in place of the table.
	exec(t, db, `CREATE VIEW endless AS SELECT k.* FROM latchkey_keys k, `+endless)
	slow, err := sqlstore.New(db, sqlstore.SQLite, sqlstore.Config{Table: "endless"})
	require.NoError(t, err)
	require.NoError(t, st.Create(t.Context(), sample(3), 0))
	t.Run("get", func(t *testing.T) {
		requireCanceledMidway(t, func(ctx context.Context) error { _, err := slow.Get(ctx, sample(3).ID); return err })
		_, err := st.Get(t.Context(), sample(3).ID)
		require.NoError(t, err)
	})
	t.Run("list", func(t *testing.T) {
		requireCanceledMidway(t, func(ctx context.Context) error {
			recs, err := slow.List(ctx, store.Query{Limit: 10})
			require.Empty(t, recs)
			return err
		})
		recs, err := st.List(t.Context(), store.Query{Limit: 10})
		require.NoError(t, err)
		require.NotEmpty(t, recs)
	})
}

func requireCanceledMidway(t *testing.T, call func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	midway.Lock()
	midway.do = cancel
	midway.Unlock()
	err := call(ctx)
	require.Error(t, ctx.Err(), "the statement ran")
	require.ErrorIs(t, err, context.Canceled)
	requireOutage(t, err)
}

// A context that ends while a writer waits for another one.
func TestContextEndsWaiting(t *testing.T) {
	file := newFile(t)
	holder := one(open(t, file, settings))
	require.NoError(t, migrated(t, holder).Create(t.Context(), sample(1), 0))
	db := one(open(t, file, settings))
	st := newStore(t, db)
	for _, write := range writes {
		exec(t, holder, `BEGIN IMMEDIATE`)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		require.ErrorIs(t, write.call(ctx, st), context.DeadlineExceeded, write.name)
		cancel()
		exec(t, holder, `ROLLBACK`)
	}
	for _, write := range writes {
		require.NoError(t, write.call(t.Context(), st), write.name)
	}
}

// A context that ends while the pool has no connection to give.
func TestContextEndsWithoutConnection(t *testing.T) {
	db := one(open(t, newFile(t), settings))
	st := migrated(t, db)
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = st.Get(ctx, sample(1).ID)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	requireOutage(t, err)
	require.NoError(t, conn.Close())
	_, err = st.Get(t.Context(), sample(1).ID)
	require.ErrorIs(t, err, store.ErrNotFound)
}
