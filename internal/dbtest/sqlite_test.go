package dbtest

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/opengovsg/latchkey/sqlstore"
	"github.com/opengovsg/latchkey/store"
)

// settings are those that the documentation of sqlstore recommends, except that writers wait longer
// for each other, for slow machines under the race detector, and that nothing is synced.
const settings = "_pragma=busy_timeout(60000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_txlock=immediate"

// now is when the records of these tests are written. No test reads a clock.
var now = time.Date(2026, 3, 1, 9, 30, 0, 123_456_000, time.UTC)

// newFile returns the name of a database file that does not exist yet.
func newFile(t *testing.T) string { return filepath.Join(t.TempDir(), "keys.db") }

// open returns a pool on the file that is closed with the test.
func open(t *testing.T, file, settings string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?"+settings)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// one makes a pool hold a single connection, so that a connection left in a bad state is noticed
// by whoever comes next.
func one(db *sql.DB) *sql.DB {
	db.SetMaxOpenConns(1)
	return db
}

func newStore(t *testing.T, db sqlstore.DB) *sqlstore.Store {
	t.Helper()
	st, err := sqlstore.New(db, sqlstore.SQLite, sqlstore.Config{})
	require.NoError(t, err)
	return st
}

func migrated(t *testing.T, db sqlstore.DB) *sqlstore.Store {
	t.Helper()
	st := newStore(t, db)
	require.NoError(t, st.Migrate(t.Context()))
	return st
}

// exec runs a statement that a test writes by hand.
func exec(t *testing.T, db sqlstore.DB, query string, args ...any) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), query, args...)
	require.NoError(t, err)
}

func count(t *testing.T, db sqlstore.DB, query string, args ...any) int {
	t.Helper()
	var n int
	require.NoError(t, db.QueryRowContext(t.Context(), query, args...).Scan(&n))
	return n
}

func sample(n int) store.Record {
	return store.Record{
		ID:        fmt.Sprintf("01m83pph00%010d", n),
		Owner:     "user_42",
		Prefix:    "postman_live",
		Label:     "HR reminders",
		Hint:      "e9wCY",
		Scopes:    "email:send",
		Scheme:    "sha256",
		Hash:      store.Hash(strings.Repeat(string(rune('a'+n%26)), 32)),
		CreatedAt: now,
		UpdatedAt: now,
		ExpiresAt: now.AddDate(0, 6, 0),
	}
}

// requireOutage asserts that an error is none of a store's decisions.
func requireOutage(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	for _, decision := range []error{store.ErrNotFound, store.ErrExists, store.ErrLimit, store.ErrConflict} {
		require.NotErrorIs(t, err, decision)
	}
}
