package database

import (
	"crypto/rand"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
)

// opened opens a database with tables and requires that it is ready.
func opened(t *testing.T, dsn string) {
	t.Helper()
	d, err := Open(dsn)
	require.NoError(t, err)
	defer d.Close()
	require.Error(t, d.Ready(t.Context()), "it has no tables yet")
	require.NoError(t, d.Keys.Migrate(t.Context()))
	require.NoError(t, d.Ready(t.Context()))
}

// server returns what a variable says of a server for tests, or skips.
func server(t *testing.T, variable string) string {
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

func TestOpenSQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "100% of? #1.db")
	opened(t, path)
	require.FileExists(t, path)

	d, err := Open(path)
	require.NoError(t, err)
	defer d.Close()
	_, err = d.Exec("CREATE TABLE x (y)")
	require.NoError(t, err)
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "who may read %s", name)
	}
}

func TestOpenPostgres(t *testing.T) {
	dsn := server(t, "LATCHKEY_POSTGRES_DSN")
	admin, err := Open(dsn)
	require.NoError(t, err)
	defer admin.Close()
	name := "postman_" + strings.ToLower(rand.Text())
	_, err = admin.Exec("CREATE SCHEMA " + name)
	require.NoError(t, err)
	defer admin.Exec("DROP SCHEMA " + name + " CASCADE")
	u, err := url.Parse(dsn)
	require.NoError(t, err)
	u.RawQuery = withDefaults(u.Query(), map[string]string{"search_path": name}).Encode()
	opened(t, u.String())
}

func TestOpenMySQL(t *testing.T) {
	config, err := mysql.ParseDSN(server(t, "LATCHKEY_MYSQL_DSN"))
	require.NoError(t, err)
	u := url.URL{Scheme: "mysql", Host: config.Addr, User: url.UserPassword(config.User, config.Passwd), Path: "/"}
	admin, err := Open(u.String())
	require.NoError(t, err)
	defer admin.Close()
	name := "postman_" + strings.ToLower(rand.Text())
	_, err = admin.Exec("CREATE DATABASE " + name)
	require.NoError(t, err)
	defer admin.Exec("DROP DATABASE " + name)
	u.Path = "/" + name
	opened(t, u.String())
}

func TestIsFile(t *testing.T) {
	for dsn, want := range map[string]bool{
		"postman.db": true, "a/b c.db": true, "/srv/a@b/x=y.db": true, "./x=y.db": true, "../a@b": true, "postgres://db/x": false, "mysql://app@db/x": false,
	} {
		got, err := IsFile(dsn)
		require.NoError(t, err, dsn)
		require.Equal(t, want, got, dsn)
	}
}

// TestOpenTellsNoSecret opens what can't be opened, and looks for its password in the error.
func TestOpenTellsNoSecret(t *testing.T) {
	for _, dsn := range []string{
		"", "redis://app:canary@host/name", "postgres://app:canary@host:port/name", "postgres://app:can%zzary@host/name",
		"postgres://app:canary@host/name?sslmode=canary", "mysql://app:canary@host:port/name",
		"mysql://app:canary@host/name?timeout=canary", "mysql://app:canary@host/name?tls=canary", "mysql:// canary",
		"app:canary@tcp(host:3306)/name", "app:canary@/name", "host=db user=app password=canary", "password=canary", "postgres:/app:canary@host/name",
	} {
		d, err := Open(dsn)
		require.Error(t, err, dsn)
		require.Nil(t, d)
		require.NotContains(t, err.Error(), "can", dsn)
	}
	for _, dsn := range []string{"postgres://app:canary@127.0.0.1:1/name", "mysql://app:canary@127.0.0.1:1/name"} {
		d, err := Open(dsn)
		require.NoError(t, err, "a database may be down when it is opened")
		err = d.Ready(t.Context())
		require.Error(t, err)
		require.NotContains(t, err.Error(), "canary")
		require.NoError(t, d.Close())
	}
}
