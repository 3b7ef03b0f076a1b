package dbtest

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/sqlstore"
	"github.com/opengovsg/latchkey/store"
)

func TestMigrateTwice(t *testing.T) {
	db := open(t, newFile(t), settings)
	st := migrated(t, db)
	require.NoError(t, st.Create(t.Context(), sample(1), 0))
	require.NoError(t, st.Migrate(t.Context()))
	_, err := st.Get(t.Context(), sample(1).ID)
	require.NoError(t, err)
	require.Equal(t, 1, count(t, db, `SELECT COUNT(*) FROM latchkey_keys_schema`))
}

// Ten processes that start at once, as far as the database can tell.
func TestMigrateAtOnce(t *testing.T) {
	file := newFile(t)
	db := open(t, file, settings)
	require.NoError(t, db.Ping()) // the switch of a new file to WAL waits for nobody
	errs := make(chan error)
	for range 10 {
		st := newStore(t, open(t, file, settings))
		go func() { errs <- st.Migrate(context.Background()) }()
	}
	for range 10 {
		require.NoError(t, <-errs)
	}
	require.Equal(t, 1, count(t, db, `SELECT COUNT(*) FROM latchkey_keys_schema`))
}

// Row F40.
func TestMigrateRefusesNewerSchema(t *testing.T) {
	db := one(open(t, newFile(t), settings))
	st := migrated(t, db)
	exec(t, db, `INSERT INTO latchkey_keys_schema (version) VALUES (1000)`)
	err := st.Migrate(t.Context())
	requireOutage(t, err)
	require.EqualError(t, err, "sqlstore: migrate: the schema of table latchkey_keys is at version 1000, "+
		"and this program knows those up to 1")
	require.NoError(t, st.Create(t.Context(), sample(1), 0), "what is there stays as it is")

	exec(t, db, `DELETE FROM latchkey_keys_schema`)
	exec(t, db, `INSERT INTO latchkey_keys_schema (version) VALUES (-1)`)
	requireOutage(t, st.Migrate(t.Context()))
}

// Row F40: a database without a schema is an outage, and nobody's key is refused for it.
func TestStoreBeforeMigrate(t *testing.T) {
	st := newStore(t, open(t, newFile(t), settings))
	_, err := st.Get(t.Context(), sample(1).ID)
	requireOutage(t, err)
	require.NoError(t, st.Migrate(t.Context()))
	_, err = st.Get(t.Context(), sample(1).ID)
	require.ErrorIs(t, err, store.ErrNotFound, "a statement that could not be prepared is prepared again")
}

func TestMigrateIsAllOrNothing(t *testing.T) {
	db := one(open(t, newFile(t), settings))
	exec(t, db, `CREATE TABLE latchkey_keys_updated (id INTEGER)`) // in the way of the last index
	st := newStore(t, db)
	requireOutage(t, st.Migrate(t.Context()))
	require.Equal(t, 1, count(t, db, `SELECT COUNT(*) FROM sqlite_master`), "what was created before the failure is gone")

	exec(t, db, `DROP TABLE latchkey_keys_updated`)
	require.NoError(t, st.Migrate(t.Context()))
	require.NoError(t, st.Create(t.Context(), sample(1), 0))
}

func TestMigrateInCallersTransaction(t *testing.T) {
	db := one(open(t, newFile(t), settings))
	tx, err := db.Begin()
	require.NoError(t, err)
	st := migrated(t, tx)
	require.NoError(t, st.Create(t.Context(), sample(1), 0))
	require.NoError(t, tx.Rollback())
	require.Zero(t, count(t, db, `SELECT COUNT(*) FROM sqlite_master`))

	tx, err = db.Begin()
	require.NoError(t, err)
	migrated(t, tx)
	require.NoError(t, tx.Commit())
	require.NoError(t, newStore(t, db).Create(t.Context(), sample(1), 0))
}

// A connection on which the caller has begun a transaction by hand stays inside it.
func TestMigrateOnConnInTransaction(t *testing.T) {
	conn, err := open(t, newFile(t), settings).Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	exec(t, conn, `CREATE TABLE mine (id INTEGER)`)
	exec(t, conn, `BEGIN`)
	exec(t, conn, `INSERT INTO mine VALUES (1)`)
	requireOutage(t, newStore(t, conn).Migrate(t.Context()))
	exec(t, conn, `COMMIT`)
	require.Equal(t, 1, count(t, conn, `SELECT COUNT(*) FROM mine`))

	migrated(t, conn)
	require.NoError(t, newStore(t, conn).Create(t.Context(), sample(1), 0))
}

// A context that ends while Migrate waits for another writer leaves no transaction behind.
func TestMigrateContextEnds(t *testing.T) {
	file := newFile(t)
	db := one(open(t, file, settings))
	other := one(open(t, file, settings))
	exec(t, other, `BEGIN IMMEDIATE`)

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	st := newStore(t, db)
	require.ErrorIs(t, st.Migrate(ctx), context.DeadlineExceeded)
	exec(t, other, `ROLLBACK`)

	exec(t, other, `CREATE TABLE mine (id INTEGER)`) // would wait for a transaction left behind
	require.NoError(t, st.Migrate(t.Context()))
	require.NoError(t, st.Create(t.Context(), sample(1), 0))
}

func TestTablesSideBySide(t *testing.T) {
	db := open(t, newFile(t), settings)
	var stores []*sqlstore.Store
	for _, table := range []string{"", "partner_keys", "order", "_", "k2345678901234567890123456789012345678901"[:40]} {
		st, err := sqlstore.New(db, sqlstore.SQLite, sqlstore.Config{Table: table})
		require.NoError(t, err)
		require.NoError(t, st.Migrate(t.Context()), table)
		require.NoError(t, st.Migrate(t.Context()), table)
		stores = append(stores, st)
	}
	for i, st := range stores {
		rec := sample(1)
		rec.Owner = []string{"a", "b", "c", "d", "e"}[i]
		rec.Alias = "one alias in each table"
		require.NoError(t, st.Create(t.Context(), rec, 1))
		require.ErrorIs(t, st.Create(t.Context(), sample(1), 1), store.ErrExists)
	}
	for i, st := range stores {
		for _, q := range queries {
			q.query.Limit = 10
			_, err := st.List(t.Context(), q.query)
			require.NoError(t, err, q.name)
		}
		recs, err := st.List(t.Context(), store.Query{Limit: 10})
		require.NoError(t, err)
		require.Len(t, recs, 1)
		require.Equal(t, []string{"a", "b", "c", "d", "e"}[i], recs[0].Owner)
		n, err := st.Purge(t.Context(), recs[0].ExpiresAt.AddDate(1, 0, 0), 10)
		require.NoError(t, err)
		require.Equal(t, 1, n)
	}
}

// A migration tool reads the files and executes each of them as it stands.
func TestMigrationsByHand(t *testing.T) {
	db := open(t, newFile(t), settings)
	files := sqlstore.Migrations(sqlstore.SQLite)
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		_, err = db.ExecContext(t.Context(), string(text))
		return err
	})
	require.NoError(t, err)
	st := newStore(t, db)
	require.NoError(t, st.Create(t.Context(), sample(1), 1))
	require.NoError(t, st.Migrate(t.Context()), "the files record their numbers, so Migrate has nothing to do")

	byHand := schema(t, db)
	other := open(t, newFile(t), settings)
	migrated(t, other)
	require.Equal(t, byHand, schema(t, other))
	require.NotEmpty(t, byHand)
}

// schema returns the names of all that a database holds.
func schema(t *testing.T, db sqlstore.DB) (names []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT name FROM sqlite_master ORDER BY name`)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		names = append(names, name)
	}
	require.NoError(t, errors.Join(rows.Err(), rows.Close()))
	return names
}
