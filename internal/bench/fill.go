package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

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

	// commitEvery is how many keys are filled in with one transaction, so that the log of a server,
	// which has to be able to take them back, stays small.
	commitEvery = 100_000
)

// A table is a database with keys in it.
type table struct {
	db     *sql.DB
	drop   func() error
	store  *sqlstore.Store
	keys   *apikey.Service
	point  *sql.Stmt // reads a row by its id
	tokens []string
	used   time.Time // later than any use so far
}

// table returns a new database with so many keys, hashed under the first pepper if there is one. It
// calls filled, where not nil, with how many more there are.
func (e engine) table(ctx context.Context, rows int, filled func(n int), peppers ...apikey.Pepper) (t *table, err error) {
	t = &table{used: time.Now()}
	t.db, t.drop, err = e.open(ctx)
	if err != nil {
		return nil, err
	}
	drop := t.drop // there is no table beside an error
	defer func() {
		if err != nil {
			err = errors.Join(err, drop())
		}
	}()
	if t.store, err = sqlstore.New(t.db, e.dialect, sqlstore.Config{}); err != nil {
		return nil, err
	}
	if err := t.store.Migrate(ctx); err != nil {
		return nil, err
	}
	if t.keys, err = newService(t.store, peppers...); err != nil {
		return nil, err
	}
	first := time.Now().Add(-span)
	if err := e.fill(ctx, t, first, rows-issued, filled); err != nil {
		return nil, err
	}
	if err := t.issue(ctx, first, peppers...); err != nil {
		return nil, err
	}
	analyze := map[sqlstore.Dialect]string{
		sqlstore.SQLite:   "ANALYZE",
		sqlstore.Postgres: "VACUUM ANALYZE",
		sqlstore.MySQL:    "ANALYZE TABLE latchkey_keys",
	}[e.dialect]
	if _, err := t.db.ExecContext(ctx, analyze); err != nil {
		return nil, err
	}
	var n int
	if err := t.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM latchkey_keys").Scan(&n); err != nil {
		return nil, err
	}
	if n != rows {
		return nil, fmt.Errorf("%s has %d rows and not %d", e.name, n, rows)
	}
	t.point, err = t.db.PrepareContext(ctx, `
SELECT id, owner, prefix, alias, label, hint, scopes, contacts, metadata, scheme, hash,
  created_at, updated_at, expires_at, revoked_at, revoked_reason, last_used_at, rotated_at, activated_at, grace,
  prior_hint, prior_scheme, prior_hash, prior_expires_at, reminded_for, reminding_until, version
FROM latchkey_keys WHERE id = `+e.placeholder(1))
	return t, err
}

// issue issues keys with tokens, in one transaction, at instants spread over the span.
func (t *table) issue(ctx context.Context, first time.Time, peppers ...apikey.Pepper) error {
	tx, err := t.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	keys, err := apikey.New(t.store.WithTx(tx), apikey.Config{
		Prefix: prefix, Scopes: []string{"email:*"}, MaxPerOwner: issued, Peppers: peppers,
		Now: func() time.Time { return first.Add(span / issued * time.Duration(len(t.tokens))) },
	})
	if err != nil {
		return err
	}
	for range issued {
		tokens, err := issue(ctx, keys, 1)
		if err != nil {
			return err
		}
		t.tokens = append(t.tokens, tokens...)
	}
	return tx.Commit()
}

// fill puts n keys in, in the order of their creation. Nobody knows a token that opens one of them.
func (e engine) fill(ctx context.Context, t *table, first time.Time, n int, filled func(n int)) error {
	if n == 0 {
		return nil
	}
	step := span.Milliseconds() / int64(n)
	for done := 0; done < n; done += commitEvery {
		rows := min(commitEvery, n-done)
		if err := e.fillSome(ctx, t, first, first.UnixMilli()+int64(done)*step, step, rows); err != nil {
			return err
		}
		if filled != nil {
			filled(rows)
		}
	}
	return nil
}

// fillSome puts in n keys that were created in steps of milliseconds.
func (e engine) fillSome(ctx context.Context, t *table, first time.Time, ms, step int64, n int) error {
	const chunk = 1000 // servers limit how far a query may recurse
	tx, err := t.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for range n / chunk {
		// The product stays below 2⁶³; its remainder stands for the random half of an id.
		_, err := tx.ExecContext(ctx, fmt.Sprintf(`
INSERT INTO latchkey_keys (id, owner, prefix, label, hint, scopes, contacts, metadata, scheme, hash,
  created_at, updated_at, expires_at, revoked_reason, grace, prior_hint, prior_scheme, prior_hash, version)
WITH RECURSIVE n (ms) AS (SELECT %d UNION ALL SELECT ms + %d FROM n WHERE ms < %d)
SELECT CONCAT(%s, %s), CASE WHEN (ms - %d) %% %d = 0 THEN '%s' ELSE CONCAT('team_', ms %% 9973) END,
  '%s', 'HR reminders', 'e9wCY', 'email:send', '["team@agency.gov.sg"]', '',
  'sha256', CAST('0123456789abcdef0123456789abcdef' AS %s),
  ms * 1000, ms * 1000, (ms + %d) * 1000, '', 0, '', '', CAST('' AS %s), 1
FROM n`,
			ms, step, ms+(chunk-1)*step,
			e.base32("ms"), e.base32("ms * 4000037 % 1125899906842597"),
			first.UnixMilli(), 5*step, largeOwner, prefix, e.bytes,
			(180*24*time.Hour).Milliseconds(), e.bytes))
		if err != nil {
			return err
		}
		ms += chunk * step
	}
	return tx.Commit()
}

// base32 returns an expression for ten digits of a number, as half an id has.
func (e engine) base32(number string) string {
	var digits []string
	for shift := 45; shift >= 0; shift -= 5 {
		digits = append(digits, fmt.Sprintf("SUBSTR('%s', CAST(((%s) >> %d) & 31 AS %s) + 1, 1)", base32, number, shift, e.integer))
	}
	return "CONCAT(" + strings.Join(digits, ", ") + ")"
}

// reader returns what reads the row of a token by a prepared point SELECT of the columns that a store
// reads, into variables of the same types, and does nothing with them.
func (t *table) reader() func(ctx context.Context, token string) error {
	var id, owner, prefix, label, hint, scopes, contacts, metadata, scheme, hash, reason, priorHint, priorScheme, priorHash string
	var alias sql.NullString
	var created, updated, grace, version int64
	var expires, revoked, used, rotated, activated, priorExpires, reminded, reminding sql.NullInt64
	dest := []any{&id, &owner, &prefix, &alias, &label, &hint, &scopes, &contacts, &metadata, &scheme, &hash,
		&created, &updated, &expires, &revoked, &reason, &used, &rotated, &activated, &grace,
		&priorHint, &priorScheme, &priorHash, &priorExpires, &reminded, &reminding, &version}
	return func(ctx context.Context, token string) error {
		return t.point.QueryRowContext(ctx, token[13:33]).Scan(dest...)
	}
}
