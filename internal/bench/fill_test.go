package bench

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/sqlstore"
)

const (
	// issued is how many keys of a table have tokens. They lie evenly among all others.
	issued = 1000

	// span is the time within which the keys of a table were created, shorter than any lives.
	span = 100 * 24 * time.Hour

	// largeOwner has one key in five.
	largeOwner = "large"
)

// A table is a database with keys in it.
type table struct {
	db     *sql.DB
	store  *sqlstore.Store
	keys   *apikey.Service
	point  *sql.Stmt // reads a row by its id
	tokens []string
	used   time.Time // later than any use so far
}

// sizes returns how many rows the small and the large table have, and how deep in the keys of its
// owner a deep page lies.
func sizes() (small, large, depth int) {
	if testing.Short() {
		return issued, 10_000, 1000
	}
	return issued, 1_000_000, 100_000
}

type tableName struct {
	dialect sqlstore.Dialect
	rows    int
}

var tables = make(map[tableName]*table)

// table returns the table with so many rows, which is filled once.
func (e engine) table(b *testing.B, rows int) *table {
	b.Helper()
	name := tableName{e.dialect, rows}
	if t := tables[name]; t != nil {
		return t
	}
	t := &table{db: e.open(b), used: time.Now()}
	var err error
	t.store, err = sqlstore.New(t.db, e.dialect, sqlstore.Config{})
	require.NoError(b, err)
	require.NoError(b, t.store.Migrate(b.Context()))
	t.keys = newService(b, t.store)
	first := time.Now().Add(-span)
	e.fill(b, t, first, rows-issued)
	t.issue(b, first)
	analyze := map[sqlstore.Dialect]string{
		sqlstore.SQLite:   "ANALYZE",
		sqlstore.Postgres: "VACUUM ANALYZE",
		sqlstore.MySQL:    "ANALYZE TABLE latchkey_keys",
	}[e.dialect]
	_, err = t.db.ExecContext(b.Context(), analyze)
	require.NoError(b, err)
	var n int
	require.NoError(b, t.db.QueryRowContext(b.Context(), "SELECT COUNT(*) FROM latchkey_keys").Scan(&n))
	require.Equal(b, rows, n)
	mark := map[sqlstore.Dialect]string{sqlstore.SQLite: "?", sqlstore.Postgres: "$1", sqlstore.MySQL: "?"}[e.dialect]
	t.point, err = t.db.PrepareContext(b.Context(), `
SELECT id, owner, prefix, alias, label, hint, scopes, contacts, metadata, scheme, hash,
  created_at, updated_at, expires_at, revoked_at, revoked_reason, last_used_at, rotated_at, activated_at, grace,
  prior_hint, prior_scheme, prior_hash, prior_expires_at, reminded_for, reminding_until, version
FROM latchkey_keys WHERE id = `+mark)
	require.NoError(b, err)
	tables[name] = t
	return t
}

// issue issues keys with tokens, in one transaction, at instants spread over the span.
func (t *table) issue(b *testing.B, first time.Time) {
	b.Helper()
	tx, err := t.db.BeginTx(b.Context(), nil)
	require.NoError(b, err)
	defer tx.Rollback()
	keys, err := apikey.New(t.store.WithTx(tx), apikey.Config{
		Prefix: "postman_live", Scopes: []string{"email:*"}, MaxPerOwner: issued,
		Now: func() time.Time { return first.Add(span / issued * time.Duration(len(t.tokens))) },
	})
	require.NoError(b, err)
	for range issued {
		t.tokens = append(t.tokens, issue(b, keys, 1)...)
	}
	require.NoError(b, tx.Commit())
}

// fill puts n keys in, in the order of their creation. Nobody knows a token that opens one of them.
func (e engine) fill(b *testing.B, t *table, first time.Time, n int) {
	b.Helper()
	if n == 0 {
		return
	}
	const chunk = 1000 // servers limit how far a query may recurse
	step := span.Milliseconds() / int64(n)
	tx, err := t.db.BeginTx(b.Context(), nil)
	require.NoError(b, err)
	defer tx.Rollback()
	ms := first.UnixMilli()
	for range n / chunk {
		// The product stays below 2⁶³; its remainder stands for the random half of an id.
		_, err := tx.ExecContext(b.Context(), fmt.Sprintf(`
INSERT INTO latchkey_keys (id, owner, prefix, label, hint, scopes, contacts, metadata, scheme, hash,
  created_at, updated_at, expires_at, revoked_reason, grace, prior_hint, prior_scheme, prior_hash, version)
WITH RECURSIVE n (ms) AS (SELECT %d UNION ALL SELECT ms + %d FROM n WHERE ms < %d)
SELECT CONCAT(%s, %s), CASE WHEN (ms - %d) %% %d = 0 THEN '%s' ELSE CONCAT('team_', ms %% 9973) END,
  'postman_live', 'HR reminders', 'e9wCY', 'email:send', '["team@agency.gov.sg"]', '',
  'sha256', CAST('0123456789abcdef0123456789abcdef' AS %s),
  ms * 1000, ms * 1000, (ms + %d) * 1000, '', 0, '', '', CAST('' AS %s), 1
FROM n`,
			ms, step, ms+(chunk-1)*step,
			e.base32("ms"), e.base32("ms * 4000037 % 1125899906842597"),
			first.UnixMilli(), 5*step, largeOwner, e.bytes,
			(180*24*time.Hour).Milliseconds(), e.bytes))
		require.NoError(b, err)
		ms += chunk * step
	}
	require.NoError(b, tx.Commit())
}

// base32 returns an expression for ten digits of a number, as half an id has.
func (e engine) base32(number string) string {
	var digits []string
	for shift := 45; shift >= 0; shift -= 5 {
		digits = append(digits, fmt.Sprintf("SUBSTR('%s', CAST(((%s) >> %d) & 31 AS %s) + 1, 1)", base32, number, shift, e.integer))
	}
	return "CONCAT(" + strings.Join(digits, ", ") + ")"
}

// deep returns the id after which the owner of most keys has so many newer ones.
func (t *table) deep(b *testing.B, depth int) (id string) {
	b.Helper()
	if depth > 0 {
		require.NoError(b, t.db.QueryRowContext(context.Background(), fmt.Sprintf(
			"SELECT id FROM latchkey_keys WHERE owner = '%s' ORDER BY id DESC LIMIT 1 OFFSET %d", largeOwner, depth-1)).Scan(&id))
	}
	return id
}
