package bench

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/opengovsg/latchkey/sqlstore"
)

// An engine is one kind of database, with one driver.
type engine struct {
	dialect sqlstore.Dialect
	driver  string
	integer string // the types of a cast
	bytes   string
}

var (
	sqliteEngine   = engine{sqlstore.SQLite, "sqlite", "integer", "blob"}
	postgresEngine = engine{sqlstore.Postgres, "pgx", "integer", "bytea"}
	mysqlEngine    = engine{sqlstore.MySQL, "mysql", "signed", "binary"}
)

// maxGoroutines is how many verify at once at most, each on a connection that the pool keeps.
const maxGoroutines = 32

// drops take away what the benchmarks made once all have run, as they share what takes long to fill. A
// run that is killed leaves it behind.
var drops []func() error

func TestMain(m *testing.M) {
	code := m.Run()
	for _, drop := range drops {
		if err := drop(); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// server returns the data source name of a server for benchmarks, or skips.
func server(b *testing.B, variable string) string {
	b.Helper()
	dsn := os.Getenv(variable)
	if dsn != "" {
		return dsn
	}
	message := variable + " names no server: start those of compose.yaml with `docker compose up -d` and set it as that file says"
	if os.Getenv("LATCHKEY_REQUIRE_DATABASES") == "1" {
		b.Fatal(message)
	}
	b.Skip(message)
	return ""
}

// open returns a pool on an empty schema or database, with the settings of the server and, for SQLite,
// those that the documentation of sqlstore recommends.
func (e engine) open(b *testing.B) *sql.DB {
	b.Helper()
	name := "latchkey_" + strings.ToLower(rand.Text())
	switch e.dialect {
	case sqlstore.Postgres:
		admin := server(b, "LATCHKEY_POSTGRES_DSN")
		u, err := url.Parse(admin)
		require.NoError(b, err)
		q := u.Query()
		q.Set("search_path", name)
		u.RawQuery = q.Encode()
		return e.pool(b, admin, u.String(), "CREATE SCHEMA "+name, "DROP SCHEMA "+name+" CASCADE")
	case sqlstore.MySQL:
		admin := server(b, "LATCHKEY_MYSQL_DSN")
		cfg, err := mysql.ParseDSN(admin)
		require.NoError(b, err)
		cfg.DBName = name
		return e.pool(b, admin, cfg.FormatDSN(), "CREATE DATABASE "+name, "DROP DATABASE "+name)
	}
	dir, err := os.MkdirTemp("", name)
	require.NoError(b, err)
	db, err := sql.Open(e.driver, "file:"+filepath.Join(dir, "keys.db")+
		"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	require.NoError(b, err)
	drops = append(drops, db.Close, func() error { return os.RemoveAll(dir) })
	return keep(db)
}

// pool makes a schema or database that is dropped in the end and returns a pool on it.
func (e engine) pool(b *testing.B, admin, dsn, create, drop string) *sql.DB {
	b.Helper()
	server, err := sql.Open(e.driver, admin)
	require.NoError(b, err)
	_, err = server.ExecContext(context.Background(), create)
	require.NoError(b, err)
	db, err := sql.Open(e.driver, dsn)
	require.NoError(b, err)
	drops = append(drops, db.Close, func() error {
		_, err := server.ExecContext(context.Background(), drop)
		return err
	}, server.Close)
	return keep(db)
}

// keep lets a pool keep every connection it opens.
func keep(db *sql.DB) *sql.DB {
	db.SetMaxOpenConns(maxGoroutines)
	db.SetMaxIdleConns(maxGoroutines)
	return db
}
