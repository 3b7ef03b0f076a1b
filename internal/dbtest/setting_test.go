package dbtest

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/sqlstore"
	"github.com/opengovsg/latchkey/store"
)

// A driver of MySQL that puts arguments into the text itself escapes them for UTF-8. To a server that
// reads the text in one of these, the backslash before the quote is the second half of a character.
func TestNoValueBecomesSQL(t *testing.T) {
	d := engines[2]
	dsn := d.fresh(t)
	d.migrated(t, d.pool(t, dsn))
	for i, charset := range []string{"gbk", "big5", "sjis", "cp932"} {
		for j, cfg := range []sqlstore.Config{{}, {Unprepared: true}} {
			db := d.pool(t, withQuery(dsn, "interpolateParams=true&charset="+charset))
			st, err := sqlstore.New(db, d.dialect, cfg)
			require.NoError(t, err)
			rec := sample(10*i + j)
			rec.Label = "中文' WHERE 1 = 0 -- 中"
			rec.Version = 1
			require.NoError(t, st.Create(t.Context(), rec, 100), charset)
			require.NoError(t, st.Update(t.Context(), rec), charset)
			got, err := st.Get(t.Context(), rec.ID)
			require.NoError(t, err)
			require.Equal(t, rec.Label, got.Label, charset)
		}
	}
}

// Where writes would not be committed, or text would be converted on its way, so that two owners become
// one, the application is told when it starts.
func TestUnfitConnectionsOfMySQL(t *testing.T) {
	d := engines[2]
	dsn := d.fresh(t)
	d.migrated(t, d.pool(t, dsn))
	for params, want := range map[string]string{
		"autocommit=0":                    "autocommit must be on",
		"character_set_connection=latin1": "character_set_connection must be the same as character_set_client",
	} {
		st := d.store(t, d.pool(t, withQuery(dsn, params)))
		require.ErrorContains(t, st.Check(t.Context()), want)
		require.ErrorContains(t, st.Migrate(t.Context()), want)
	}
}

// A schema that comes later in the search path is another tenant's: its tables are not this store's.
func TestSearchPath(t *testing.T) {
	d := engines[1]
	theirs, ours := d.fresh(t), d.fresh(t)
	d.migrated(t, d.pool(t, theirs))
	u, err := url.Parse(theirs)
	require.NoError(t, err)
	schema := u.Query().Get("search_path")
	u, err = url.Parse(ours)
	require.NoError(t, err)
	db := d.pool(t, withParams(u, "search_path="+u.Query().Get("search_path")+","+schema))

	st := d.store(t, db)
	require.ErrorContains(t, st.Check(t.Context()), "there is no schema")
	require.NoError(t, st.Migrate(t.Context()))
	require.NoError(t, st.Create(t.Context(), sample(1), 5))
	require.Zero(t, count(t, db, "SELECT COUNT(*) FROM "+schema+".latchkey_keys"))
}

// Check finds what an application would otherwise find out with its first key.
func TestCheckFindsWhatIsMissing(t *testing.T) {
	onEach(t, engines, func(t *testing.T, d database) {
		db := d.open(t)
		st := d.migrated(t, db)
		switch d.dialect {
		case sqlstore.Postgres: // which has no need of the index by name
			exec(t, db, "DROP TABLE latchkey_keys_owners")
		case sqlstore.MySQL:
			exec(t, db, "DROP INDEX latchkey_keys_active ON latchkey_keys")
		default:
			exec(t, db, "DROP INDEX latchkey_keys_active")
		}
		require.Error(t, st.Check(t.Context()))
	})
}

// An application may reset a connection of the pool, and with it what was prepared there.
func TestStatementsAreForgotten(t *testing.T) {
	for _, d := range databases[1:4] {
		t.Run(d.name, func(t *testing.T) {
			db := one(d.open(t))
			st := d.migrated(t, db)
			require.NoError(t, st.Create(t.Context(), sample(1), 5))
			for range 3 {
				_, err := st.Get(t.Context(), sample(1).ID)
				require.NoError(t, err)
				_, err = st.List(t.Context(), store.Query{Limit: 10})
				require.NoError(t, err)
				exec(t, db, "DEALLOCATE ALL")
			}
		})
	}
}

// A planner whose statistics are old looks for what is stale first and for the ids chosen after.
func TestPurgeWithOldStatistics(t *testing.T) {
	d := engines[1]
	db := d.open(t)
	st := d.migrated(t, db)
	fill(t, d, db)
	exec(t, db, "UPDATE latchkey_keys SET expires_at = NULL")
	exec(t, db, "ANALYZE latchkey_keys")
	exec(t, db, "UPDATE latchkey_keys SET expires_at = 1")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // it took longer for ten
	defer cancel()
	for range 10 {
		n, err := st.Purge(ctx, now, store.MaxLimit)
		require.NoError(t, err)
		require.Equal(t, store.MaxLimit, n)
	}
}

// Reads that go to another server, or a policy, can keep what is chosen from ever being deleted.
func TestPurgeOfWhatStays(t *testing.T) {
	d := engines[1]
	db := d.open(t)
	st := d.migrated(t, db)
	rec := sample(1)
	rec.RevokedAt = now.AddDate(-1, 0, 0)
	require.NoError(t, st.Create(t.Context(), rec, 0))
	exec(t, db, `CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`)
	exec(t, db, `CREATE TRIGGER keep BEFORE DELETE ON latchkey_keys FOR EACH ROW EXECUTE FUNCTION keep()`)
	n, err := st.Purge(t.Context(), now, 1)
	require.ErrorContains(t, err, "what there is to delete stays")
	require.Zero(t, n)
}

// Row M33: drivers read a data source name when they first connect, and quote what they can't.
func TestErrorsQuoteNoSettings(t *testing.T) {
	for _, c := range []struct {
		driver, dsn string
		dialect     sqlstore.Dialect
	}{
		{"pgx", "host=127.0.0.1 password = canary sslmode=bogus", sqlstore.Postgres},
		{"pgx", `host=127.0.0.1 password='x\'canary' sslmode=bogus`, sqlstore.Postgres},
		{"pgx", "postgres://u:canary@127.0.0.1:notaport/db", sqlstore.Postgres},
		{"pgx", "postgres://u:canary@127.0.0.1:1/db?connect_timeout=1", sqlstore.Postgres},
		{"postgres", "host=127.0.0.1 password = canary sslmode=bogus", sqlstore.Postgres},
		{"mysql", "u:canary@tcp(127.0.0.1:1)/db", sqlstore.MySQL},
		{"sqlite", "file:" + newFile(t) + "?_pragma=key('canary)", sqlstore.SQLite},
		{"sqlite", "file:" + newFile(t) + "?_pragma=canary((", sqlstore.SQLite},
	} {
		db, err := sql.Open(c.driver, c.dsn)
		require.NoError(t, err)
		st, err := sqlstore.New(db, c.dialect, sqlstore.Config{})
		require.NoError(t, err)
		_, err = st.Get(t.Context(), sample(1).ID)
		for _, err := range []error{err, st.Migrate(t.Context()), st.Check(t.Context())} {
			require.Error(t, err)
			require.NotContains(t, err.Error(), "canary")
			require.NotErrorIs(t, err, store.ErrNotFound)
			require.NotNil(t, errors.Unwrap(err))
		}
		require.NoError(t, db.Close())
	}
}
