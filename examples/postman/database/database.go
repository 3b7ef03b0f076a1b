// Package database opens the database that a data source name says, with the settings that keys need.
package database

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/opengovsg/latchkey/sqlstore"
)

// A Database is an open database with the store of keys in it. It is safe for concurrent use.
type Database struct {
	*sql.DB
	Keys    *sqlstore.Store
	Dialect sqlstore.Dialect
}

// Open opens postgres://user:password@host/name, mysql://user:password@host/name or, as anything else,
// a SQLite file, which is made if there is none. It asks the database nothing yet, so it can be down.
// Settings in the query of a URL are passed to the driver, and go before those that are set here. No
// error repeats the data source name, which may hold a password. Close it in the end.
func Open(dsn string) (*Database, error) {
	db, dialect, err := open(dsn)
	if err != nil {
		return nil, err
	}
	keys, err := sqlstore.New(db, dialect, sqlstore.Config{})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Database{db, keys, dialect}, nil
}

func open(dsn string) (*sql.DB, sqlstore.Dialect, error) {
	file, err := IsFile(dsn)
	scheme, _, _ := strings.Cut(dsn, "://")
	switch {
	case err != nil:
		return nil, "", err
	case file:
		db, err := openSQLite(dsn)
		return db, sqlstore.SQLite, err
	case scheme == "postgres" || scheme == "postgresql":
		db, err := openPostgres(dsn)
		return db, sqlstore.Postgres, err
	case scheme == "mysql":
		db, err := openMySQL(dsn)
		return db, sqlstore.MySQL, err
	}
	return nil, "", errors.New("the data source name must begin with postgres:// or mysql://, or be the path of a file")
}

// IsFile reports whether a data source name is the path of a SQLite file, and not a URL. It fails if it is
// empty, and for what drivers take in place of a URL, user:password@tcp(host)/name and host=… password=…:
// as a path, that would make a file of which the name, which may be printed, has a password in it.
func IsFile(dsn string) (bool, error) {
	switch {
	case dsn == "":
		return false, errors.New("the data source name is empty")
	case strings.Contains(dsn, "://"):
		return false, nil
	case !filepath.IsAbs(dsn) && !strings.HasPrefix(dsn, "./") && !strings.HasPrefix(dsn, "../") && strings.ContainsAny(dsn, "@="):
		return false, errors.New("the data source name must begin with postgres:// or mysql://, or be the path of a file, which must begin with / or ./ if it has @ or = in it")
	}
	return true, nil
}

func openSQLite(path string) (*sql.DB, error) {
	// SQLite would make a file that everybody on the machine may read, and with it the hashes of codes. The
	// files that it puts beside this one are as this one is. What goes wrong, it says itself when it is used.
	if file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
		file.Close()
	}
	uriPath := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	return sql.Open("sqlite", "file:"+uriPath+"?_pragma=busy_timeout(5000)"+
		"&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
}

func openPostgres(dsn string) (*sql.DB, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return nil, errors.New("the data source name is no URL") // whose own error repeats it
	}
	u.RawQuery = withDefaults(u.Query(), map[string]string{
		"connect_timeout": "5", "target_session_attrs": "read-write",
	}).Encode()
	config, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, errors.New("the data source name is none that PostgreSQL's driver takes")
	}
	return pooled(stdlib.OpenDB(*config)), nil
}

func openMySQL(dsn string) (*sql.DB, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return nil, errors.New("the data source name is no URL")
	}
	config, err := mysql.ParseDSN("/?" + withDefaults(u.Query(), map[string]string{
		"timeout": "5s", "readTimeout": "30s", "writeTimeout": "30s", "rejectReadOnly": "true",
	}).Encode())
	if err != nil {
		return nil, errors.New("the settings in the data source name are none that MySQL's driver takes")
	}
	config.Net, config.Addr = "tcp", u.Host
	if u.Port() == "" {
		config.Addr += ":3306"
	}
	config.User = u.User.Username()
	config.Passwd, _ = u.User.Password()
	config.DBName = strings.TrimPrefix(u.Path, "/")
	config.Logger = new(mysql.NopLogger) // it prints what it also returns
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, errors.New("the data source name is none that MySQL's driver takes")
	}
	return pooled(sql.OpenDB(connector)), nil
}

func withDefaults(q url.Values, defaults map[string]string) url.Values {
	for name, value := range defaults {
		if !q.Has(name) {
			q.Set(name, value)
		}
	}
	return q
}

// pooled keeps as many connections open as there may be, since each prepares its own statements, and
// replaces each before a server does.
func pooled(db *sql.DB) *sql.DB {
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	db.SetConnMaxLifetime(5 * time.Minute)
	return db
}

// Ready reports whether the database answers and its tables are those of this release.
func (d *Database) Ready(ctx context.Context) error { return d.Keys.Check(ctx) }
