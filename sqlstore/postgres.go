package sqlstore

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"github.com/opengovsg/latchkey/store"
)

var postgres = dialect{
	name:     Postgres,
	quote:    `"`,
	numbered: true,

	// There are no index hints. Queries are written so that only the right index gives their order.
	by:      func(string) string { return "" },
	ordered: true,

	isolation: sql.LevelReadCommitted,

	begin: "BEGIN",
	// A BEGIN inside a transaction only warns, and the COMMIT would be of the caller's transaction.
	inside: "SAVEPOINT latchkey_migrate",
	adapt:  adaptPostgres,

	// Only in the schema where tables would be made: queries resolve names along the whole search path,
	// and must not find the table of another tenant there.
	hasTable:    "SELECT COUNT(to_regclass(quote_ident(current_schema()) || '.' || CAST(? AS text)))",
	quotesTable: true,

	// A duplicate that is an error would end the caller's transaction.
	create: insertRecord + " ON CONFLICT DO NOTHING",
	// Written and not only locked, so that under REPEATABLE READ and above, where the count may be
	// one of the past, whoever comes second fails and counts again in a new transaction.
	lock: `
INSERT INTO {owners} AS o (owner, creates) VALUES (?, 1)
ON CONFLICT (owner) DO UPDATE SET creates = o.creates + 1`,
	insert: insertPostgres,

	// As with create; though one that takes the alias at the same time is found by the index alone.
	unlessTaken: " AND NOT EXISTS (SELECT 1 FROM {table} WHERE alias = ? AND id <> ?)",

	// Arguments are text that is cast, because drivers differ in what they take for an array.
	touch: `
UPDATE {table} AS k SET last_used_at = u.at
FROM unnest(CAST(CAST(? AS text) AS text[]), CAST(CAST(? AS text) AS bigint[])) AS u (id, at)
WHERE k.id = u.id AND (k.last_used_at IS NULL OR k.last_used_at < u.at)`,
	apply: touchPostgres,

	// Joined, and not compared with an array: where its statistics are old the planner may look for what
	// is stale first, and then read the text of the array anew for each row.
	purge: `
DELETE FROM {table} AS k USING unnest(CAST(CAST(? AS text) AS text[])) AS u (id)
WHERE k.id = u.id AND ` + isStale,
	remove: removePostgres,
}

// adaptPostgres leaves out what CockroachDB does not take in a column and has no need of: its text
// compares byte by byte.
func adaptPostgres(ctx context.Context, tx DB, text string) (string, error) {
	var version string
	if err := tx.QueryRowContext(ctx, "SELECT version()").Scan(&version); err != nil {
		return "", err
	}
	if strings.HasPrefix(version, "CockroachDB") {
		text = strings.ReplaceAll(text, ` COLLATE "C"`, "")
	}
	return text, nil
}

func insertPostgres(ctx context.Context, s *Store, rec *store.Record, max int) error {
	if max <= 0 {
		return oneRow(s.exec(ctx, &s.create, values(rec)...))
	}
	return s.inTx(ctx, func(tx DB) error {
		if err := s.takeTurn(ctx, tx, rec, max); err != nil {
			return err
		}
		return oneRow(affected(s.execOn(ctx, tx, s.create.text, values(rec)...)))
	})
}

func oneRow(n int64, err error) error {
	if err == nil && n == 0 {
		return store.ErrExists
	}
	return err
}

func touchPostgres(ctx context.Context, s *Store, uses []store.Use) error {
	ids := make([]string, len(uses))
	ats := make([]string, len(uses))
	for i, use := range uses {
		ids[i] = use.ID
		ats[i] = strconv.FormatInt(use.At.UnixMicro(), 10)
	}
	_, err := s.exec(ctx, &s.touch, array(ids), array(ats))
	return err
}

func removePostgres(ctx context.Context, s *Store, before int64, limit int) (int64, error) {
	return s.removeChosen(ctx, before, limit, func(ids []string) (int64, error) {
		return s.exec(ctx, &s.purge, array(ids), before, before)
	})
}

var arrayEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// array returns an array as PostgreSQL reads one from text.
func array(elements []string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, e := range elements {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		arrayEscapes.WriteString(&b, e)
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}
