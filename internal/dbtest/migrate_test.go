package dbtest

import (
	"context"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/sqlstore"
	"github.com/opengovsg/latchkey/store"
)

func TestMigrateTwice(t *testing.T) {
	onEach(t, databases, func(t *testing.T, d database) {
		db := d.open(t)
		st := d.migrated(t, db)
		require.NoError(t, st.Create(t.Context(), sample(1), 0))
		require.NoError(t, st.Migrate(t.Context()))
		require.NoError(t, st.Check(t.Context()))
		_, err := st.Get(t.Context(), sample(1).ID)
		require.NoError(t, err)
		require.Equal(t, 1, count(t, db, `SELECT COUNT(*) FROM latchkey_keys_schema`))
	})
}

// Ten processes that start at once, as far as the database can tell.
func TestMigrateAtOnce(t *testing.T) {
	onEach(t, databases, func(t *testing.T, d database) {
		for range 3 {
			dsn := d.fresh(t)
			db := d.pool(t, dsn)
			require.NoError(t, db.Ping()) // the switch of a new SQLite file to WAL waits for nobody
			errs := make(chan error)
			for range 10 {
				st := d.store(t, one(d.pool(t, dsn)))
				go func() { errs <- st.Migrate(context.Background()) }()
			}
			for range 10 {
				require.NoError(t, <-errs)
			}
			require.Equal(t, 1, count(t, db, `SELECT COUNT(*) FROM latchkey_keys_schema`))
			require.NoError(t, d.store(t, db).Create(t.Context(), sample(1), 1))
		}
	})
}

// Row F40.
func TestSchemaOfAnotherVersion(t *testing.T) {
	onEach(t, engines, func(t *testing.T, d database) {
		db := one(d.open(t))
		st := d.store(t, db)
		err := st.Check(t.Context())
		requireOutage(t, err)
		require.EqualError(t, err, "sqlstore: check: there is no schema of table latchkey_keys yet: it is for Migrate, or a tool that applies Migrations, to create")
		require.NoError(t, st.Migrate(t.Context()))

		exec(t, db, `INSERT INTO latchkey_keys_schema (version) VALUES (1000)`)
		for op, call := range map[string]func(context.Context) error{"migrate": st.Migrate, "check": st.Check} {
			err := call(t.Context())
			requireOutage(t, err)
			require.EqualError(t, err, "sqlstore: "+op+": the schema of table latchkey_keys is at version 1000, "+
				"and this program knows those up to 1")
		}
		require.NoError(t, st.Create(t.Context(), sample(1), 0), "what is there stays as it is")

		exec(t, db, `DELETE FROM latchkey_keys_schema`)
		requireOutage(t, st.Check(t.Context()))
		exec(t, db, `INSERT INTO latchkey_keys_schema (version) VALUES (-1)`)
		requireOutage(t, st.Migrate(t.Context()))
		requireOutage(t, st.Check(t.Context()))
	})
}

// Row F40: a database without a schema is an outage, and nobody's key is refused for it.
func TestStoreBeforeMigrate(t *testing.T) {
	onEach(t, databases, func(t *testing.T, d database) {
		st := d.store(t, d.open(t))
		_, err := st.Get(t.Context(), sample(1).ID)
		requireOutage(t, err)
		require.NoError(t, st.Migrate(t.Context()))
		_, err = st.Get(t.Context(), sample(1).ID)
		require.ErrorIs(t, err, store.ErrNotFound, "a statement that could not be prepared is prepared again")
	})
}

// A table of somebody else's in the way is not taken for the store's, and stays.
func TestTableInTheWay(t *testing.T) {
	onEach(t, engines, func(t *testing.T, d database) {
		db := d.open(t)
		exec(t, db, `CREATE TABLE latchkey_keys (id INTEGER)`)
		st := d.store(t, db)
		requireOutage(t, st.Migrate(t.Context()))
		requireOutage(t, st.Check(t.Context()))
		require.Zero(t, count(t, db, `SELECT COUNT(*) FROM latchkey_keys`))
	})
}

// A process that ended midway on MySQL leaves some tables and no number.
func TestMigrateCompletes(t *testing.T) {
	d := engines[2]
	for _, drop := range []string{"latchkey_keys", "latchkey_keys_owners", "latchkey_keys_schema"} {
		db := d.open(t)
		st := d.migrated(t, db)
		require.NoError(t, st.Migrate(t.Context()))
		exec(t, db, `DELETE FROM latchkey_keys_schema`)
		exec(t, db, `DROP TABLE `+drop)
		require.NoError(t, st.Migrate(t.Context()), drop)
		require.NoError(t, st.Check(t.Context()))
		require.NoError(t, st.Create(t.Context(), sample(1), 1))
	}
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
	onEach(t, engines[:2], func(t *testing.T, d database) {
		db := one(d.open(t))
		tx, err := db.Begin()
		require.NoError(t, err)
		st := d.migrated(t, tx)
		require.NoError(t, st.Create(t.Context(), sample(1), 0))
		require.NoError(t, tx.Rollback())
		requireOutage(t, d.store(t, db).Check(t.Context()))

		tx, err = db.Begin()
		require.NoError(t, err)
		d.migrated(t, tx)
		require.NoError(t, tx.Commit())
		require.NoError(t, d.store(t, db).Create(t.Context(), sample(1), 0))
	})
}

// A caller who commits in spite of the error leaves nothing behind that a later Migrate stumbles on.
func TestMigrateInCallersTransactionIsWholeOrNothing(t *testing.T) {
	onEach(t, engines[:2], func(t *testing.T, d database) {
		db := one(d.open(t))
		exec(t, db, `CREATE TABLE latchkey_keys_updated (mine INTEGER)`) // in the way of the last index
		tx, err := db.Begin()
		require.NoError(t, err)
		exec(t, tx, `CREATE TABLE mine (id INTEGER)`)
		requireOutage(t, d.store(t, tx).Migrate(t.Context()))
		require.NoError(t, tx.Commit())

		require.Zero(t, count(t, db, `SELECT COUNT(*) FROM mine`), "what the caller did before stays")
		exec(t, db, `DROP TABLE latchkey_keys_updated`)
		require.NoError(t, d.store(t, db).Migrate(t.Context()))
		require.NoError(t, d.store(t, db).Create(t.Context(), sample(1), 0))
	})
}

func TestMigrateWouldCommit(t *testing.T) {
	d := engines[2]
	db := d.open(t)
	exec(t, db, `CREATE TABLE mine (id INTEGER)`)
	tx, err := db.Begin()
	require.NoError(t, err)
	exec(t, tx, `INSERT INTO mine VALUES (1)`)
	require.EqualError(t, d.store(t, tx).Migrate(t.Context()), "sqlstore: migrate: a change of the schema would commit the caller's transaction")
	require.NoError(t, tx.Rollback())
	require.Zero(t, count(t, db, `SELECT COUNT(*) FROM mine`))
}

// A connection on which the caller has begun a transaction by hand stays inside it.
func TestMigrateOnConnInTransaction(t *testing.T) {
	onEach(t, engines[:2], func(t *testing.T, d database) {
		db := d.open(t)
		conn, err := db.Conn(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		exec(t, conn, `CREATE TABLE mine (id INTEGER)`)
		exec(t, conn, `BEGIN`)
		exec(t, conn, `INSERT INTO mine VALUES (1)`)
		requireOutage(t, d.store(t, conn).Migrate(t.Context()))
		require.Zero(t, count(t, db, `SELECT COUNT(*) FROM mine`), "nothing has committed")
		exec(t, conn, `COMMIT`)
		require.Equal(t, 1, count(t, conn, `SELECT COUNT(*) FROM mine`))

		d.migrated(t, conn)
		require.NoError(t, d.store(t, conn).Create(t.Context(), sample(1), 0))
	})
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
	onEach(t, engines, func(t *testing.T, d database) {
		db := d.open(t)
		var stores []*sqlstore.Store
		for _, table := range []string{"", "partner_keys", "order", "_", "k2345678901234567890123456789012345678901"[:40]} {
			st, err := sqlstore.New(db, d.dialect, sqlstore.Config{Table: table})
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
	})
}

// Goose reads the files as they are, and Migrate finds nothing left to do.
func TestMigrationsWithGoose(t *testing.T) {
	for i, dialect := range []goose.Dialect{goose.DialectSQLite3, goose.DialectPostgres, goose.DialectMySQL} {
		d := engines[i]
		t.Run(d.name, func(t *testing.T) {
			db := d.open(t)
			provider, err := goose.NewProvider(dialect, db, sqlstore.Migrations(d.dialect), goose.WithTableName("latchkey_goose_version"))
			require.NoError(t, err)
			applied, err := provider.Up(t.Context())
			require.NoError(t, err)
			require.Len(t, applied, len(provider.ListSources()))

			st := d.store(t, db)
			require.NoError(t, st.Check(t.Context()))
			require.NoError(t, st.Create(t.Context(), sample(1), 1))
			require.NoError(t, st.Migrate(t.Context()))
			require.Equal(t, 1, count(t, db, `SELECT COUNT(*) FROM latchkey_keys_schema`))
			_, err = st.Get(t.Context(), sample(1).ID)
			require.NoError(t, err)
		})
	}
}
