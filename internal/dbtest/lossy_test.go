package dbtest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/sqlstore"
	"github.com/opengovsg/latchkey/store"
)

// lossy is a driver's connection that carries out what it is told and then, at what ends a write and
// if lose says so, reports that the connection was lost on the way back: row F30.
type lossy struct {
	driver.Conn
	lose func() error
	inTx *bool
}

type lossyConnector struct {
	driver.Connector
	lose func() error
}

func (c lossyConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	return lossy{conn, c.lose, new(bool)}, err
}

func (c lossy) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	res, err := c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
	if err != nil || *c.inTx {
		return res, err // which may say to prepare the statement first
	}
	return res, c.lose()
}

func (c lossy) Prepare(query string) (driver.Stmt, error) {
	stmt, err := c.Conn.Prepare(query)
	return lossyStmt{stmt, c}, err
}

type lossyStmt struct {
	driver.Stmt
	conn lossy
}

func (s lossyStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	res, err := s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
	if err != nil || *s.conn.inTx {
		return res, err
	}
	return res, s.conn.lose()
}

func (s lossyStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
}

func (c lossy) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (c lossy) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
	*c.inTx = true
	return lossyTx{tx, c}, err
}

type lossyTx struct {
	driver.Tx
	conn lossy
}

func (tx lossyTx) Commit() error {
	*tx.conn.inTx = false
	return errors.Join(tx.Tx.Commit(), tx.conn.lose())
}

func (tx lossyTx) Rollback() error {
	*tx.conn.inTx = false
	return tx.Tx.Rollback()
}

// connector returns what opens connections of d without statements that are prepared on the way.
func (d database) connector(t *testing.T, dsn string) driver.Connector {
	t.Helper()
	db, err := sql.Open(d.driver, dsn)
	require.NoError(t, err)
	defer db.Close()
	if drv, ok := db.Driver().(driver.DriverContext); ok {
		c, err := drv.OpenConnector(dsn)
		require.NoError(t, err)
		return c
	}
	return plainConnector{db.Driver(), dsn}
}

type plainConnector struct {
	driver driver.Driver
	dsn    string
}

func (c plainConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c plainConnector) Driver() driver.Driver                        { return c.driver }

// A losing store loses the answers to its next writes, as many as it is told.
type losing struct {
	*sqlstore.Store
	left int
	err  error
}

func (d database) losing(t *testing.T, lost error) *losing {
	t.Helper()
	dsn := d.fresh(t)
	d.migrated(t, d.pool(t, dsn))
	l := &losing{err: lost}
	db := sql.OpenDB(lossyConnector{d.connector(t, dsn), func() error {
		if l.left == 0 {
			return nil
		}
		l.left--
		return l.err
	}})
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	d.cfg.Unprepared = true
	l.Store = d.store(t, db)
	return l
}

// Row F30: whoever repeats a write whose answer was lost does it once, and learns that it is done.
func TestLostAnswers(t *testing.T) {
	onEach(t, databases, func(t *testing.T, d database) {
		for name, lost := range lostConnections {
			t.Run(name, func(t *testing.T) {
				st := d.losing(t, lost)
				lose := func(n int) { st.left = n }
				for i, max := range []int{0, 5} {
					lose(1)
					rec := sample(i)
					rec.UpdatedAt = now.Add(999) // nanoseconds, which are not kept
					require.NoError(t, st.Create(t.Context(), rec, max))
					require.Zero(t, st.left)
					kept, err := st.Get(t.Context(), rec.ID)
					require.NoError(t, err)
					require.Equal(t, int64(1), kept.Version)

					require.ErrorIs(t, st.Create(t.Context(), rec, max), store.ErrExists, "what was kept before stays a refusal")
					lose(1)
					other := rec
					other.Hash = sample(20).Hash
					require.ErrorIs(t, st.Create(t.Context(), other, 0), store.ErrExists, "somebody else's record is not taken for one's own")
				}
				full := sample(3)
				lose(1)
				require.ErrorIs(t, st.Create(t.Context(), full, 2), store.ErrLimit)
				lose(0) // a refusal by the cap ends without a write to lose

				lose(1)
				rec := sample(1)
				rec.Version, rec.Label, rec.Alias = 1, "changed", "a new alias"
				require.NoError(t, st.Update(t.Context(), rec))
				kept, err := st.Get(t.Context(), rec.ID)
				require.NoError(t, err)
				require.Equal(t, "changed", kept.Label)
				require.Equal(t, "a new alias", kept.Alias)
				require.Equal(t, int64(2), kept.Version, "it is done once")
				rec.Label = "too late"
				lose(1)
				require.ErrorIs(t, st.Update(t.Context(), rec), store.ErrConflict)
				rec.ID = sample(9).ID
				lose(1)
				require.ErrorIs(t, st.Update(t.Context(), rec), store.ErrNotFound)
				taken := sample(0)
				taken.Version, taken.Alias = 1, "a new alias"
				lose(1)
				require.ErrorIs(t, st.Update(t.Context(), taken), store.ErrExists)
				lose(0) // a refusal by the index may end without a write to lose

				lose(1)
				require.NoError(t, st.Touch(t.Context(), []store.Use{{ID: sample(1).ID, At: now}, {ID: sample(0).ID, At: now}}))
				kept, err = st.Get(t.Context(), sample(1).ID)
				require.NoError(t, err)
				require.Equal(t, now, kept.LastUsedAt)
				require.Equal(t, int64(2), kept.Version)

				lose(1)
				n, err := st.Purge(t.Context(), now.AddDate(9, 0, 0), 10)
				requireOutage(t, err)
				require.Zero(t, n, "nobody can tell how many")

				for range 3 { // once more is enough
					lose(2)
					requireOutage(t, st.Update(t.Context(), sample(1)))
					lose(2)
					requireOutage(t, st.Touch(t.Context(), []store.Use{{ID: sample(1).ID, At: now}}))
				}
			})
		}
	})
}
