package main

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/sqlstore"
	"github.com/opengovsg/latchkey/store"
)

// drops take away what the benchmarks made once all have run, as they share what takes long to fill. A
// run that is killed leaves it behind.
var drops []func() error

func TestMain(m *testing.M) {
	code := m.Run()
	for _, drop := range drops {
		if err := drop(); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// tableSizes returns how many rows the small and the large table have, and how deep in the keys of its
// owner a deep page lies.
func tableSizes() (small, large, depth int) {
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

// filled returns the table with so many rows, which is filled once, or skips.
func (e engine) filled(b *testing.B, rows int) *table {
	b.Helper()
	name := tableName{e.dialect, rows}
	if t := tables[name]; t != nil {
		return t
	}
	e.needServer(b)
	t, err := e.table(b.Context(), rows, nil)
	require.NoError(b, err)
	drops = append(drops, t.drop)
	tables[name] = t
	return t
}

// needServer skips where no server is named, unless one is required.
func (e engine) needServer(tb testing.TB) {
	tb.Helper()
	if e.variable == "" {
		return
	}
	if _, err := e.dsn(); errors.Is(err, errNoServer) && os.Getenv("LATCHKEY_REQUIRE_DATABASES") != "1" {
		tb.Skip(err)
	} else {
		require.NoError(tb, err)
	}
}

func benchService(b *testing.B, st store.Store, peppers ...apikey.Pepper) *apikey.Service {
	b.Helper()
	keys, err := newService(st, peppers...)
	require.NoError(b, err)
	return keys
}

func benchIssue(b *testing.B, keys *apikey.Service, n int) []string {
	b.Helper()
	tokens, err := issue(b.Context(), keys, n)
	require.NoError(b, err)
	return tokens
}
