package dbtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/sqlstore"
)

// A database is one way to reach one kind of database.
type database struct {
	name    string
	dialect sqlstore.Dialect
	driver  string
	params  string // of the data source name, beside those of every test
	cfg     sqlstore.Config
}

// databases are those that everything is tested on. With the simple protocol of pgx, and with
// interpolateParams, values are part of the statements, unless these are prepared ahead.
var databases = []database{
	{"SQLite", sqlstore.SQLite, "sqlite", "", sqlstore.Config{}},
	{"PostgreSQL pgx", sqlstore.Postgres, "pgx", "", sqlstore.Config{}},
	{"PostgreSQL pgx simple", sqlstore.Postgres, "pgx", "default_query_exec_mode=simple_protocol", sqlstore.Config{Unprepared: true}},
	{"PostgreSQL pq", sqlstore.Postgres, "postgres", "", sqlstore.Config{}},
	{"MySQL", sqlstore.MySQL, "mysql", "", sqlstore.Config{}},
	{"MySQL clientFoundRows", sqlstore.MySQL, "mysql", "clientFoundRows=true", sqlstore.Config{}},
	{"MySQL GBK interpolateParams", sqlstore.MySQL, "mysql", "interpolateParams=true&charset=gbk", sqlstore.Config{Unprepared: true}},
}

// engines are one way for each kind of database, for what the driver makes no difference to.
var engines = []database{databases[0], databases[1], databases[4]}

// The driver prints what it also returns.
func init() { mysql.SetLogger(new(mysql.NopLogger)) }

// onEach runs a test on each of the databases given that is there.
func onEach(t *testing.T, dbs []database, test func(t *testing.T, d database)) {
	for _, d := range dbs {
		t.Run(d.name, func(t *testing.T) { test(t, d) })
	}
}

// server returns the data source name of the server for tests, or skips.
func server(t *testing.T, variable string) string {
	t.Helper()
	dsn := os.Getenv(variable)
	if dsn != "" {
		return dsn
	}
	message := variable + " names no server: start those of compose.yaml with `docker compose up -d` and set it as that file says"
	if os.Getenv("LATCHKEY_REQUIRE_DATABASES") == "1" {
		t.Fatal(message)
	}
	t.Skip(message)
	return ""
}

// fresh makes an empty schema or database for the test and returns the data source name under which
// to open it, any number of times. It is dropped with the test.
func (d database) fresh(t *testing.T) (dsn string) {
	t.Helper()
	name := "latchkey_" + strings.ToLower(rand.Text())
	switch d.dialect {
	case sqlstore.Postgres:
		admin := server(t, "LATCHKEY_POSTGRES_DSN")
		own(t, "pgx", admin, "CREATE SCHEMA "+name, "DROP SCHEMA "+name+" CASCADE")
		u, err := url.Parse(admin)
		require.NoError(t, err)
		// As SQLite's synchronous(OFF): no test here pulls a plug.
		return withParams(u, "search_path="+name, "application_name="+name, "synchronous_commit=off", d.params)
	case sqlstore.MySQL:
		admin := server(t, "LATCHKEY_MYSQL_DSN")
		own(t, "mysql", admin, "CREATE DATABASE "+name, "DROP DATABASE "+name)
		cfg, err := mysql.ParseDSN(admin)
		require.NoError(t, err)
		cfg.DBName = name
		return withQuery(cfg.FormatDSN(), d.params)
	}
	return "file:" + newFile(t) + "?" + settings
}

// own executes one statement on a server now and another one when the test has ended.
func own(t *testing.T, driver, dsn, make, drop string) {
	t.Helper()
	exec := func(ctx context.Context, query string) error {
		db, err := sql.Open(driver, dsn)
		if err != nil {
			return err
		}
		defer db.Close()
		_, err = db.ExecContext(ctx, query)
		return err
	}
	require.NoError(t, exec(t.Context(), make))
	t.Cleanup(func() {
		// It waits for every transaction, so also for one that a test has left open.
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, exec(ctx, drop))
	})
}

func withParams(u *url.URL, params ...string) string {
	q := u.Query()
	for _, p := range strings.Split(strings.Join(params, "&"), "&") {
		if name, value, ok := strings.Cut(p, "="); ok {
			q.Set(name, value)
		}
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func withQuery(dsn, params string) string {
	params = strings.TrimPrefix(params, "&")
	switch {
	case params == "":
		return dsn
	case strings.Contains(dsn, "?"):
		return dsn + "&" + params
	}
	return dsn + "?" + params
}

// pool opens a data source name that fresh returned. Its connections are fewer than the goroutines
// of many tests, so that a call that needs two of them is noticed.
func (d database) pool(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(d.driver, dsn)
	require.NoError(t, err)
	db.SetMaxOpenConns(12)
	db.SetMaxIdleConns(12)
	db.SetConnMaxLifetime(10 * time.Minute)
	t.Cleanup(func() { db.Close() }) // which fails where a test has killed connections
	return db
}

// open returns a pool on an empty schema or database.
func (d database) open(t *testing.T) *sql.DB {
	t.Helper()
	return d.pool(t, d.fresh(t))
}

// store returns a store on anything that a pool of d gave.
func (d database) store(t *testing.T, db sqlstore.DB) *sqlstore.Store {
	t.Helper()
	st, err := d.newStore(db)
	require.NoError(t, err)
	return st
}

func (d database) newStore(db sqlstore.DB) (*sqlstore.Store, error) {
	return sqlstore.New(db, d.dialect, d.cfg)
}

// readCommitted are the options of a transaction in which the cap is exact.
func (d database) readCommitted() *sql.TxOptions {
	if d.dialect == sqlstore.SQLite {
		return nil // it has one level, and a driver may refuse to be told of another
	}
	return &sql.TxOptions{Isolation: sql.LevelReadCommitted}
}

func (d database) migrated(t *testing.T, db sqlstore.DB) *sqlstore.Store {
	t.Helper()
	st := d.store(t, db)
	require.NoError(t, st.Migrate(t.Context()))
	return st
}

// arg returns how the n-th argument of a statement is written, from 1.
func (d database) arg(n int) string {
	if d.dialect == sqlstore.Postgres {
		return fmt.Sprint("$", n)
	}
	return "?"
}

// emptied returns a store whose tables hold nothing.
func (d database) emptied(t *testing.T, db *sql.DB) *sqlstore.Store {
	t.Helper()
	exec(t, db, "DELETE FROM latchkey_keys")
	if d.dialect != sqlstore.SQLite {
		exec(t, db, "DELETE FROM latchkey_keys_owners WHERE owner <> ''")
	}
	return d.store(t, db)
}
