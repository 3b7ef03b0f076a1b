// Package importertest makes databases for tests of the import: one as the earlier Postman has it, and new
// ones to import into.
package importertest

import (
	"database/sql"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/examples/postman/database"
	"github.com/opengovsg/latchkey/examples/postman/databasetest"
)

// tables are the earlier system's, with its columns, types and constraints, as far as they concern keys.
const tables = `
CREATE TABLE users (
  id SERIAL PRIMARY KEY,
  email TEXT NOT NULL UNIQUE,
  created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now(),
  updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now()
);
CREATE TABLE api_keys (
  id BIGSERIAL PRIMARY KEY,
  user_id INTEGER NOT NULL REFERENCES users (id),
  label VARCHAR(255) NOT NULL,
  hash VARCHAR(255) NOT NULL,
  last_five VARCHAR(5) NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
  deleted_at TIMESTAMP WITH TIME ZONE,
  valid_until TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT '2024-04-21T00:00:00Z',
  notification_contacts VARCHAR(255)[]
)`

// A Source is a database of the earlier system's. Its pool may write, unlike the importer's.
type Source struct {
	*sql.DB
	DSN string
}

// NewSource makes a database of the earlier system's, without rows.
func NewSource(t testing.TB) Source {
	t.Helper()
	dsn := databasetest.Postgres(t)
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	_, err = db.Exec(tables)
	require.NoError(t, err)
	return Source{db, dsn}
}

// A Row is a row to add.
type Row struct {
	ID       int64
	User     int64
	Label    string
	Hash     string
	LastFive string
	Contacts []string
	Created  time.Time
	Until    time.Time
	Deleted  *time.Time
}

// AddUser adds a user.
func (s Source) AddUser(t testing.TB, id int64, email string) {
	t.Helper()
	_, err := s.Exec("INSERT INTO users (id, email) VALUES ($1, $2)", id, email)
	require.NoError(t, err)
}

// Add adds a row.
func (s Source) Add(t testing.TB, r Row) {
	t.Helper()
	contacts := pgtype.FlatArray[string](r.Contacts)
	_, err := s.Exec(`INSERT INTO api_keys (id, user_id, label, hash, last_five, notification_contacts, created_at, updated_at, valid_until, deleted_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9)`, r.ID, r.User, r.Label, r.Hash, r.LastFive, contacts, r.Created, r.Until, r.Deleted)
	require.NoError(t, err)
}

// Fill adds rows with the ids from 1 to n, of a hundred users. Of each ten the first has expired and the
// last is deleted.
func (s Source) Fill(t testing.TB, n int, now time.Time) {
	t.Helper()
	_, err := s.Exec("INSERT INTO users (id, email) SELECT u, 'user' || u || '@agency.gov.sg' FROM generate_series(1, 100) AS u")
	require.NoError(t, err)
	_, err = s.Exec(`
INSERT INTO api_keys (id, user_id, label, hash, last_five, notification_contacts, created_at, updated_at, valid_until, deleted_at)
SELECT i, 1 + i % 100, 'team ' || i, 'user' || (1 + i % 100) || '_v1_' || left(md5(i::text), 30) || '.', 'abcde',
  CASE WHEN i % 2 = 0 THEN ARRAY['team' || i || '@agency.gov.sg'] END,
  $2::timestamptz - interval '30 days', $2::timestamptz - interval '30 days',
  $2::timestamptz + CASE WHEN i % 10 = 1 THEN interval '-1 day' ELSE interval '150 days' END,
  CASE WHEN i % 10 = 0 THEN $2::timestamptz - interval '1 day' END
FROM generate_series(1, $1::int) AS i`, n, now)
	require.NoError(t, err)
	_, err = s.Exec("ANALYZE api_keys")
	require.NoError(t, err)
}

// A Target is a database to import into, which is not there yet.
type Target struct {
	Name string
	New  func(t testing.TB) (dsn string)
}

// Targets are one of each kind.
var Targets = []Target{{"SQLite", databasetest.SQLite}, {"PostgreSQL", databasetest.Postgres}, {"MySQL", databasetest.MySQL}}

// Open opens a database of the new system's, until the test ends.
func Open(t testing.TB, dsn string) *database.Database {
	t.Helper()
	db, err := database.Open(dsn)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}
