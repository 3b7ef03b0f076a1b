package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Row F4: a server that hangs answers as unavailable, also to a request that has no deadline.
func TestEachCallIsBounded(t *testing.T) {
	for _, c := range calls {
		if c.name == "migrate" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
				f := &fake{
					exec: func(ctx context.Context, _ string, _ []driver.NamedValue) (driver.Result, error) {
						return nil, hang(ctx)
					},
					query: func(ctx context.Context, _ string) (driver.Rows, error) { return nil, hang(ctx) },
				}
				db := sql.OpenDB(f)
				defer db.Close()
				for timeout, want := range map[time.Duration]time.Duration{0: 5 * time.Second, time.Minute: time.Minute} {
					st, err := New(db, Postgres, Config{Timeout: timeout, Unprepared: true})
					require.NoError(t, err)
					began := time.Now()
					require.ErrorIs(t, c.do(t.Context(), st), context.DeadlineExceeded)
					require.Equal(t, want, time.Since(began), "no wall clock: time stands still but for who waits")

					// The caller's own deadline, sooner or later, stands.
					ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
					began = time.Now()
					require.ErrorIs(t, c.do(ctx, st), context.DeadlineExceeded)
					require.Equal(t, time.Hour, time.Since(began))
					cancel()
				}
			})
		})
	}
}

// A transaction may wait as long as its owner lets it, and so may a store that is told to.
func TestUnbounded(t *testing.T) {
	db := new(fake).pool(t)
	for _, st := range []*Store{
		{pool: db, timeout: -1},
		{timeout: time.Second}, // on a transaction or a connection
	} {
		ctx, cancel := st.within(t.Context())
		defer cancel()
		require.Equal(t, t.Context(), ctx)
	}
}
