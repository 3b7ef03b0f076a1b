package main

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
)

// sweep runs a benchmark on the small and the large table, by one goroutine and by several.
func (e engine) sweep(b *testing.B, run func(b *testing.B, t *table, goroutines int)) {
	small, large, _ := tableSizes()
	for _, rows := range []int{small, large} {
		t := e.filled(b, rows)
		for _, n := range []int{1, 8, maxGoroutines} {
			b.Run(fmt.Sprintf("rows=%d/goroutines=%d", rows, n), func(b *testing.B) { run(b, t, n) })
		}
		t.db.SetMaxIdleConns(0) // a server has a hundred connections by default, and others use it too
		keep(t.db)
	}
}

// parallel divides the operations among exactly n goroutines, which begin at different tokens. Each
// has a call of its own.
func parallel(b *testing.B, n int, tokens []string, newCall func() func(ctx context.Context, token string) error) {
	var started atomic.Int64
	ctx := b.Context()
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
			if err := call(ctx, tokens[i%len(tokens)]); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func (t *table) verifier() func(ctx context.Context, token string) error {
	return func(ctx context.Context, token string) error {
		_, err := t.keys.Verify(ctx, token)
		return err
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
	_, rows, deep := tableSizes()
	t := e.filled(b, rows)
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

// deep returns the id after which the owner of most keys has so many newer ones.
func (t *table) deep(b *testing.B, depth int) (id string) {
	b.Helper()
	if depth > 0 {
		require.NoError(b, t.db.QueryRowContext(b.Context(), fmt.Sprintf(
			"SELECT id FROM latchkey_keys WHERE owner = '%s' ORDER BY id DESC LIMIT 1 OFFSET %d", largeOwner, depth-1)).Scan(&id))
	}
	return id
}
