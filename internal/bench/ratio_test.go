package main

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"
)

// benchRatio lets a benchmark and its floor take turns of a few milliseconds and reports the median of the
// ratios of neighbours. On a machine that does other work as well, which comes and goes by the second,
// this tells much more than two times that were taken one after the other.
func benchRatio(b *testing.B, subject, floor func() error) {
	timed := func(f func() error) time.Duration {
		start := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		return time.Since(start)
	}
	timed(subject) // opens connections
	timed(floor)
	var ratios []float64
	for i := 0; b.Loop(); i++ {
		var s, f time.Duration
		if i%2 == 0 {
			s, f = timed(subject), timed(floor)
		} else {
			f, s = timed(floor), timed(subject)
		}
		ratios = append(ratios, float64(s)/float64(f))
	}
	slices.Sort(ratios)
	n := len(ratios)
	b.ReportMetric((ratios[(n-1)/2]+ratios[n/2])/2, "×floor")
	b.ReportMetric(0, "ns/op") // of both together, which nobody asked for
}

// verifyRatio lets n goroutines verify some tokens, and then read their rows.
func (e engine) verifyRatio(b *testing.B) {
	e.sweep(b, func(b *testing.B, t *table, n int) {
		benchRatio(b, func() error { return allTogether(b.Context(), n, t.tokens, t.verifier) }, func() error { return allTogether(b.Context(), n, t.tokens, t.reader) })
	})
}

// allTogether makes a few calls from each of n goroutines, together about a hundred or more.
func allTogether(ctx context.Context, n int, tokens []string, newCall func() func(ctx context.Context, token string) error) error {
	var wg sync.WaitGroup
	errs := make(chan error, n)
	for g := range n {
		wg.Go(func() {
			call := newCall()
			for i := range max(100/n, 5) {
				if err := call(ctx, tokens[(g*len(tokens)/n+i)%len(tokens)]); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	return <-errs
}

func (e engine) touchRatio(b *testing.B) {
	_, rows, _ := tableSizes()
	t := e.filled(b, rows)
	floor := e.floorTouch(b, t)
	benchRatio(b, func() error { return t.store.Touch(b.Context(), t.uses()) }, func() error { return floor(b.Context(), t.uses()) })
}

func BenchmarkRatioVerifySQLite(b *testing.B)   { sqliteEngine.verifyRatio(b) }
func BenchmarkRatioVerifyPostgres(b *testing.B) { postgresEngine.verifyRatio(b) }
func BenchmarkRatioVerifyMySQL(b *testing.B)    { mysqlEngine.verifyRatio(b) }

func BenchmarkRatioTouchSQLite(b *testing.B)   { sqliteEngine.touchRatio(b) }
func BenchmarkRatioTouchPostgres(b *testing.B) { postgresEngine.touchRatio(b) }
func BenchmarkRatioTouchMySQL(b *testing.B)    { mysqlEngine.touchRatio(b) }
