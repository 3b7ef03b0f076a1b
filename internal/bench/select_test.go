package bench

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/opengovsg/latchkey/apikey"
)

// sweep runs a benchmark on the small and the large table, by one goroutine and by several.
func (e engine) sweep(b *testing.B, run func(b *testing.B, t *table, goroutines int)) {
	small, large, _ := sizes()
	for _, rows := range []int{small, large} {
		t := e.table(b, rows)
		for _, n := range []int{1, 8, maxGoroutines} {
			b.Run(fmt.Sprintf("rows=%d/goroutines=%d", rows, n), func(b *testing.B) { run(b, t, n) })
		}
		t.db.SetMaxIdleConns(0) // a server has a hundred connections by default, and others use it too
		keep(t.db)
	}
}

// parallel divides the operations among exactly n goroutines, which begin at different tokens. Each
// has a call of its own.
func parallel(b *testing.B, n int, tokens []string, newCall func() func(token string) error) {
	var started atomic.Int64
	procs := runtime.GOMAXPROCS(0)
	b.SetParallelism((n + procs - 1) / procs)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		g := int(started.Add(1)) - 1
		if g >= n {
			return // the parallelism is a multiple of the processors, and others do it all
		}
		call := newCall()
		for i := g * len(tokens) / n; pb.Next(); i++ {
			if err := call(tokens[i%len(tokens)]); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func (t *table) verifier() func(token string) error {
	return func(token string) error {
		_, err := t.keys.Verify(context.Background(), token)
		return err
	}
}

// reader reads the same rows by a prepared point SELECT of the same columns into variables of the same
// types, and does nothing with them.
func (t *table) reader() func(token string) error {
	var id, owner, prefix, label, hint, scopes, contacts, metadata, scheme, hash, reason, priorHint, priorScheme, priorHash string
	var alias sql.NullString
	var created, updated, grace, version int64
	var expires, revoked, used, rotated, activated, priorExpires, reminded, reminding sql.NullInt64
	dest := []any{&id, &owner, &prefix, &alias, &label, &hint, &scopes, &contacts, &metadata, &scheme, &hash,
		&created, &updated, &expires, &revoked, &reason, &used, &rotated, &activated, &grace,
		&priorHint, &priorScheme, &priorHash, &priorExpires, &reminded, &reminding, &version}
	return func(token string) error {
		return t.point.QueryRowContext(context.Background(), token[13:33]).Scan(dest...)
	}
}

func (e engine) verify(b *testing.B) {
	e.sweep(b, func(b *testing.B, t *table, n int) { parallel(b, n, t.tokens, t.verifier) })
}

func (e engine) floor(b *testing.B) {
	e.sweep(b, func(b *testing.B, t *table, n int) { parallel(b, n, t.tokens, t.reader) })
}

func BenchmarkVerifySQLite(b *testing.B)   { sqliteEngine.verify(b) }
func BenchmarkFloorSQLite(b *testing.B)    { sqliteEngine.floor(b) }
func BenchmarkVerifyPostgres(b *testing.B) { postgresEngine.verify(b) }
func BenchmarkFloorPostgres(b *testing.B)  { postgresEngine.floor(b) }
func BenchmarkVerifyMySQL(b *testing.B)    { mysqlEngine.verify(b) }
func BenchmarkFloorMySQL(b *testing.B)     { mysqlEngine.floor(b) }

// list reads a page of the owner of most keys, the newest and one that lies deep.
func (e engine) list(b *testing.B) {
	_, rows, deep := sizes()
	t := e.table(b, rows)
	for _, depth := range []int{0, deep} {
		after := t.deep(b, depth)
		b.Run(fmt.Sprint("depth=", depth), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				page, err := t.keys.List(context.Background(), largeOwner, apikey.Page{After: after, Limit: 50})
				if err != nil || len(page.Keys) != 50 {
					b.Fatal(len(page.Keys), err)
				}
			}
		})
	}
}

func BenchmarkListSQLite(b *testing.B)   { sqliteEngine.list(b) }
func BenchmarkListPostgres(b *testing.B) { postgresEngine.list(b) }
func BenchmarkListMySQL(b *testing.B)    { mysqlEngine.list(b) }
