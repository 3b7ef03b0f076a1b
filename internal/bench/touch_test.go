package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/sqlstore"
	"github.com/opengovsg/latchkey/store"
)

const batch = 500

// uses returns a batch of uses, each of another key, that all are later than any before.
func (t *table) uses() []store.Use {
	t.used = t.used.Add(time.Microsecond)
	uses := make([]store.Use, batch)
	for i := range uses {
		uses[i] = store.Use{ID: t.tokens[i*issued/batch][13:33], At: t.used}
	}
	return uses
}

// touch writes batches of uses to the large table, as the store does or as its floor does.
func (e engine) touch(b *testing.B, floor bool) {
	_, rows, _ := tableSizes()
	t := e.filled(b, rows)
	write := t.store.Touch
	if floor {
		write = e.floorTouch(b, t)
	}
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if err := write(ctx, t.uses()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1000/float64(b.N)/batch, "µs/row")
	var n int
	require.NoError(b, t.db.QueryRow("SELECT COUNT(*) FROM latchkey_keys WHERE last_used_at = "+
		strconv.FormatInt(t.used.UnixMicro(), 10)).Scan(&n))
	require.Equal(b, batch, n)
}

// touches are the fastest ways we measured to move the last uses of 500 records forward, each prepared
// ahead and in a transaction of its own. Not every driver or server can do them: see docs/design.md.
var touches = map[sqlstore.Dialect]string{
	sqlstore.SQLite: "UPDATE latchkey_keys SET last_used_at = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at < ?)",
	sqlstore.Postgres: `
UPDATE latchkey_keys AS k SET last_used_at = u.at
FROM unnest($1::text[], $2::bigint[]) AS u (id, at)
WHERE k.id = u.id AND (k.last_used_at IS NULL OR k.last_used_at < u.at)`,
	sqlstore.MySQL: `
UPDATE JSON_TABLE(?, '$[*]' COLUMNS (id VARBINARY(20) PATH '$.ID', at BIGINT PATH '$.At')) AS u
STRAIGHT_JOIN latchkey_keys AS k ON k.id = u.id
SET k.last_used_at = u.at
WHERE k.last_used_at IS NULL OR k.last_used_at < u.at`,
}

// floorTouch returns what writes uses that way.
func (e engine) floorTouch(b *testing.B, t *table) func(ctx context.Context, uses []store.Use) error {
	b.Helper()
	stmt, err := t.db.PrepareContext(b.Context(), touches[e.dialect])
	require.NoError(b, err)
	b.Cleanup(func() { stmt.Close() })
	return map[sqlstore.Dialect]func(context.Context, []store.Use) error{
		sqlstore.SQLite:   func(ctx context.Context, uses []store.Use) error { return t.loop(ctx, stmt, uses) },
		sqlstore.Postgres: func(ctx context.Context, uses []store.Use) error { return arrays(ctx, stmt, uses) },
		sqlstore.MySQL:    func(ctx context.Context, uses []store.Use) error { return jsonTable(ctx, stmt, uses) },
	}[e.dialect]
}

// loop executes a statement for each use in one transaction.
func (t *table) loop(ctx context.Context, stmt *sql.Stmt, uses []store.Use) error {
	tx, err := t.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	in := tx.StmtContext(ctx, stmt)
	for _, use := range uses {
		at := use.At.UnixMicro()
		if _, err := in.ExecContext(ctx, at, use.ID, at); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// arrays hands pgx slices, which lib/pq does not take.
func arrays(ctx context.Context, stmt *sql.Stmt, uses []store.Use) error {
	ids := make([]string, len(uses))
	ats := make([]int64, len(uses))
	for i, use := range uses {
		ids[i], ats[i] = use.ID, use.At.UnixMicro()
	}
	_, err := stmt.ExecContext(ctx, ids, ats)
	return err
}

func jsonTable(ctx context.Context, stmt *sql.Stmt, uses []store.Use) error {
	type element struct {
		ID string
		At int64
	}
	list := make([]element, len(uses))
	for i, use := range uses {
		list[i] = element{use.ID, use.At.UnixMicro()}
	}
	text, err := json.Marshal(list)
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(ctx, string(text))
	return err
}

func BenchmarkTouchSQLite(b *testing.B)        { sqliteEngine.touch(b, false) }
func BenchmarkFloorTouchSQLite(b *testing.B)   { sqliteEngine.touch(b, true) }
func BenchmarkTouchPostgres(b *testing.B)      { postgresEngine.touch(b, false) }
func BenchmarkFloorTouchPostgres(b *testing.B) { postgresEngine.touch(b, true) }
func BenchmarkTouchMySQL(b *testing.B)         { mysqlEngine.touch(b, false) }
func BenchmarkFloorTouchMySQL(b *testing.B)    { mysqlEngine.touch(b, true) }
