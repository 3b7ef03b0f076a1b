package main

import (
	"context"
	"database/sql"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tiny runs through everything and measures nothing that means anything.
var tiny = plan{
	name: "quick", passes: 1, rounds: 1, scaleRounds: 1, turn: 10 * time.Microsecond, changeEvery: 3,
	sizes: []int{issued, 2 * issued}, goroutines: []int{1, 2},
	hashedKeys: 30, slowKeys: 3, memoryKeys: 2000, patience: time.Minute,
}

func discarded() progress { return progress{out: io.Discard} }

// leftovers counts what runs leave on servers and in the folder for temporary files.
func leftovers(t *testing.T) (n int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(os.TempDir(), "latchkey_bench_*"))
	require.NoError(t, err)
	n = len(files)
	for _, e := range []engine{postgresEngine, mysqlEngine} {
		dsn, err := e.dsn()
		if err != nil {
			continue
		}
		db, err := sql.Open(e.driver, dsn)
		require.NoError(t, err)
		var kept int
		require.NoError(t, db.QueryRow(`SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name LIKE 'latchkey\_bench\_%'`).Scan(&kept))
		n += kept
		require.NoError(t, db.Close())
	}
	return n
}

// TestRun measures on every store there is, and holds the page to having all of it.
func TestRun(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, e := range []engine{postgresEngine, mysqlEngine} {
		if _, err := e.dsn(); err != nil && os.Getenv("LATCHKEY_REQUIRE_DATABASES") == "1" {
			t.Fatal(err)
		}
	}
	r, err := measure(t.Context(), tiny, progress{out: t.Output()})
	require.NoError(t, err)
	docs := t.TempDir()
	require.NoError(t, r.publish(docs, discarded()))

	files, err := os.ReadDir(docs)
	require.NoError(t, err)
	require.Len(t, files, 2)
	page, err := os.ReadFile(filepath.Join(docs, "benchmarks.md"))
	require.NoError(t, err)
	chart, err := os.ReadFile(filepath.Join(docs, "benchmarks.svg"))
	require.NoError(t, err)
	require.NoError(t, xml.Unmarshal(chart, new(struct{})))
	require.Equal(t, 3, len(r.engines)+len(r.missing))
	for _, sentence := range r.missing {
		require.Contains(t, string(page), sentence)
	}
	stores := []string{inMemory}
	for _, e := range r.engines {
		stores = append(stores, e.name)
	}
	for _, where := range stores {
		for _, name := range []string{"floor", "latchkey", "latchkey with a pepper", "latchkey cached"} {
			require.Contains(t, string(page), "| "+name+" | "+r.find(t, name, where).origin.String()+" | "+where+" |")
			require.Contains(t, string(chart), name+", "+where)
		}
		for _, keys := range []string{"1\u00a0000", "2\u00a0000"} {
			for _, goroutines := range []string{"1", "2"} {
				require.Contains(t, string(page), "| "+keys+" | "+where+" | latchkey | "+goroutines+" |")
			}
		}
	}
	for _, name := range []string{"ory/fosite", "golang-jwt/jwt HS256", "x/crypto bcrypt, cost 10", "alexedwards/argon2id, defaults",
		"Grafana service accounts", "Gitea access tokens", "Postman's first API"} {
		require.Len(t, r.find(t, name, inMemory).of, 3, "latchkey bare, with a pepper and cached")
	}
	for _, where := range stores[1:] {
		for _, name := range []string{"keystogo", "lechefran/auth", "go-apikeys", "a cache emptied by every change"} {
			require.Len(t, r.find(t, name, where).of, 3)
			require.NotNil(t, r.find(t, name, where).changes)
		}
	}
	require.NotContains(t, string(page), "NaN")
	require.Contains(t, string(page), "short run")
	requireTables(t, string(page))
}

// find returns a compared subject.
func (r *report) find(t *testing.T, name, where string) compared {
	t.Helper()
	for _, s := range r.subjects {
		if s.name == name && s.where == where {
			return s
		}
	}
	require.Fail(t, "not measured", "%s, %s", name, where)
	return compared{}
}

// requireTables holds every row of a table to as many cells as the row before it.
func requireTables(t *testing.T, page string) {
	t.Helper()
	cells, tables := 0, 0
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "|") {
			cells = 0
			continue
		}
		n := strings.Count(line, "|")
		if cells == 0 {
			tables++
		} else {
			require.Equal(t, cells, n, line)
		}
		cells = n
	}
	require.Equal(t, 7, tables)
}

// An interrupter ends a run, as Ctrl+C does, when it says that it has come so far.
type interrupter struct {
	at     string
	cancel context.CancelFunc
}

func (i interrupter) Write(line []byte) (int, error) {
	if strings.Contains(string(line), i.at) {
		i.cancel()
	}
	return len(line), nil
}

// TestInterrupted ends a run where there is most to take away, and looks for what is left.
func TestInterrupted(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	before := leftovers(t)
	for _, at := range []string{"Preparing", "subjects accept what is good"} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := measure(ctx, tiny, progress{out: interrupter{at, cancel}})
		require.ErrorIs(t, err, context.Canceled, at)
		require.Equal(t, before, leftovers(t), at)
	}
	engines, _, err := reachable(t.Context())
	require.NoError(t, err)
	for _, e := range engines {
		for _, at := range []string{"Filling", "Verifying by turns"} {
			ctx, cancel := context.WithCancel(t.Context())
			_, err := scaleEngine(ctx, tiny, e, 2*issued, progress{out: interrupter{at, cancel}})
			require.ErrorIs(t, err, context.Canceled, e.name)
			require.Equal(t, before, leftovers(t), e.name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = measure(ctx, tiny, discarded())
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, before, leftovers(t))
}

// TestArguments refuses what would come to nothing, before anything is measured.
func TestArguments(t *testing.T) {
	for _, args := range [][]string{{"-docs", filepath.Join(t.TempDir(), "missing")}, {"-docs", "main.go"}, {"all"}, {"-fast"}} {
		null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		require.NoError(t, err)
		require.Error(t, run(t.Context(), args, null), args)
		require.NoError(t, null.Close())
	}
}

// TestNothingHalfWritten has the second of two files fail.
func TestNothingHalfWritten(t *testing.T) {
	docs := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(docs, "benchmarks.svg.new", "in the way"), 0o755))
	r := report{plan: quick, subjects: []compared{{name: "floor", where: inMemory, time: figure{100, 90, 110}}}}
	require.Error(t, r.publish(docs, discarded()))
	require.NoFileExists(t, filepath.Join(docs, "benchmarks.md"))
	require.NoFileExists(t, filepath.Join(docs, "benchmarks.md.new"))
	require.NoFileExists(t, filepath.Join(docs, "benchmarks.svg"))
}
