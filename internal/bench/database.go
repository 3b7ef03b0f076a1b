package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/opengovsg/latchkey/sqlstore"
)

// An engine is one kind of database, with one driver.
type engine struct {
	name     string
	dialect  sqlstore.Dialect
	driver   string
	module   string // that the driver is of
	integer  string // the types of a cast
	bytes    string
	text     string // a type that can be a primary key
	blob     string
	version  string // a query
	variable string // of the environment, with the data source name; none for SQLite
	release  string // that is running, once it is known
}

var (
	sqliteEngine = engine{"SQLite", sqlstore.SQLite, "sqlite", "modernc.org/sqlite",
		"integer", "blob", "TEXT", "BLOB", "SELECT sqlite_version()", "", ""}
	postgresEngine = engine{"PostgreSQL", sqlstore.Postgres, "pgx", "github.com/jackc/pgx/v5",
		"integer", "bytea", "TEXT", "BYTEA", "SHOW server_version", "LATCHKEY_POSTGRES_DSN", ""}
	mysqlEngine = engine{"MySQL", sqlstore.MySQL, "mysql", "github.com/go-sql-driver/mysql",
		"signed", "binary", "VARCHAR(160)", "VARBINARY(128)", "SELECT VERSION()", "LATCHKEY_MYSQL_DSN", ""}
)

// maxGoroutines is how many verify at once at most, each on a connection that the pool keeps.
const maxGoroutines = 32

// errNoServer says that no server was named for an engine.
var errNoServer = errors.New("names no server: start those of compose.yaml with `docker compose up -d` and set it as that file says")

// dsn returns the data source name of a server. No error repeats it, as it may hold a password.
func (e engine) dsn() (string, error) {
	if dsn := os.Getenv(e.variable); dsn != "" {
		return dsn, nil
	}
	return "", fmt.Errorf("%s %w", e.variable, errNoServer)
}

// open returns a pool on an empty schema or database, with the settings of the server and, for SQLite,
// those that the documentation of sqlstore recommends, and what closes and drops it.
func (e engine) open(ctx context.Context) (db *sql.DB, drop func() error, err error) {
	name := "latchkey_bench_" + strings.ToLower(rand.Text())
	switch e.dialect {
	case sqlstore.Postgres:
		admin, err := e.dsn()
		if err != nil {
			return nil, nil, err
		}
		u, err := url.Parse(admin)
		if err != nil {
			return nil, nil, errors.New(e.variable + " is not a URL")
		}
		q := u.Query()
		q.Set("search_path", name)
		u.RawQuery = q.Encode()
		return e.pool(ctx, admin, u.String(), "CREATE SCHEMA "+name, "DROP SCHEMA "+name+" CASCADE")
	case sqlstore.MySQL:
		admin, err := e.dsn()
		if err != nil {
			return nil, nil, err
		}
		cfg, err := mysql.ParseDSN(admin)
		if err != nil {
			return nil, nil, errors.New(e.variable + " is not a data source name")
		}
		cfg.DBName = name
		return e.pool(ctx, admin, cfg.FormatDSN(), "CREATE DATABASE "+name, "DROP DATABASE "+name)
	}
	dir, err := os.MkdirTemp("", name)
	if err != nil {
		return nil, nil, err
	}
	db, err = sql.Open(e.driver, "file:"+filepath.Join(dir, "keys.db")+
		"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return keep(db), func() error { return errors.Join(db.Close(), os.RemoveAll(dir)) }, nil
}

// pool makes a schema or database and returns a pool on it.
func (e engine) pool(ctx context.Context, admin, dsn, create, drop string) (*sql.DB, func() error, error) {
	server, err := sql.Open(e.driver, admin)
	if err != nil {
		return nil, nil, err
	}
	if _, err := server.ExecContext(ctx, create); err != nil {
		return nil, nil, errors.Join(err, server.Close())
	}
	undo := func() error {
		// Also after an interrupt, which must leave nothing behind.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		_, err := server.ExecContext(ctx, drop)
		return errors.Join(err, server.Close())
	}
	db, err := sql.Open(e.driver, dsn)
	if err != nil {
		return nil, nil, errors.Join(err, undo())
	}
	return keep(db), func() error { return errors.Join(db.Close(), undo()) }, nil
}

// keep lets a pool keep every connection it opens.
func keep(db *sql.DB) *sql.DB {
	db.SetMaxOpenConns(maxGoroutines)
	db.SetMaxIdleConns(maxGoroutines)
	return db
}

// placeholder returns how the n-th argument of a statement is written.
func (e engine) placeholder(n int) string {
	if e.dialect == sqlstore.Postgres {
		return fmt.Sprint("$", n)
	}
	return "?"
}

// reachable returns the engines that can be measured, by the names of what is running, and a sentence
// about each other one.
func reachable(ctx context.Context) (engines []engine, missing []string, err error) {
	for _, e := range []engine{sqliteEngine, postgresEngine, mysqlEngine} {
		if e.variable != "" {
			if _, err := e.dsn(); err != nil {
				missing = append(missing, fmt.Sprintf("%s was left out: `%s` named no server.", e.name, e.variable))
				continue
			}
		}
		db, drop, err := e.open(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", e.name, err)
		}
		err = errors.Join(db.QueryRowContext(ctx, e.version).Scan(&e.release), drop())
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", e.name, err)
		}
		if strings.Contains(e.release, "MariaDB") {
			e.name = "MariaDB"
		}
		engines = append(engines, e)
	}
	return engines, missing, nil
}
