// Package databasetest gives tests empty databases.
package databasetest

import (
	"crypto/rand"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/examples/postman/database"
)

// Each runs a test on SQLite, PostgreSQL and MySQL or MariaDB, with the data source name of a database that
// is empty. Where a server is not there, its test is skipped, or fails if LATCHKEY_REQUIRE_DATABASES is 1.
func Each(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Run("SQLite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, Postgres(t)) })
	t.Run("MySQL", func(t *testing.T) { test(t, MySQL(t)) })
}

// SQLite returns the path of a file that is not there yet.
func SQLite(t testing.TB) string { return filepath.Join(t.TempDir(), "postman.db") }

// Postgres returns the URL of a schema of its own.
func Postgres(t testing.TB) string {
	t.Helper()
	u, err := url.Parse(server(t, "LATCHKEY_POSTGRES_DSN"))
	require.NoError(t, err, "LATCHKEY_POSTGRES_DSN")
	name := fresh(t, u.String(), "CREATE SCHEMA ", "DROP SCHEMA ", " CASCADE")
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

// MySQL returns the URL of a database of its own.
func MySQL(t testing.TB) string {
	t.Helper()
	config, err := mysql.ParseDSN(server(t, "LATCHKEY_MYSQL_DSN"))
	require.NoError(t, err, "LATCHKEY_MYSQL_DSN")
	u := url.URL{Scheme: "mysql", Host: config.Addr, User: url.UserPassword(config.User, config.Passwd), Path: "/"}
	u.Path = "/" + fresh(t, u.String(), "CREATE DATABASE ", "DROP DATABASE ", "")
	return u.String()
}

// fresh makes what a name is for, until the test ends.
func fresh(t testing.TB, dsn, create, drop, cascade string) string {
	t.Helper()
	admin, err := database.Open(dsn)
	require.NoError(t, err)
	name := "postman_" + strings.ToLower(rand.Text())
	_, err = admin.Exec(create + name)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := admin.Exec(drop + name + cascade)
		require.NoError(t, err)
		require.NoError(t, admin.Close())
	})
	return name
}

// server returns what a variable says of a server for tests, or skips.
func server(t testing.TB, variable string) string {
	t.Helper()
	dsn := os.Getenv(variable)
	if dsn == "" && os.Getenv("LATCHKEY_REQUIRE_DATABASES") == "1" {
		t.Fatal(variable + " names no server")
	}
	if dsn == "" {
		t.Skip(variable + " names no server: start those of compose.yaml with `docker compose up -d` and set it as that file says")
	}
	return dsn
}
