package main

import (
	"context"
	"encoding/csv"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/examples/postman/databasetest"
	"github.com/opengovsg/latchkey/examples/postman/importer/importertest"
)

// imported imports and returns what is printed.
func imported(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	err := importAt(t.Context(), args, &out, io.Discard, noon)
	return out.String(), err
}

func TestImportDryRun(t *testing.T) {
	_, source := earlierSystem(t)
	_, err := imported(t, "-from", source.DSN, "-dsn", "host=db password=canary", "-dry-run")
	require.ErrorContains(t, err, "-dsn: the data source name must", "or it would be a file that is not there yet")
	for _, target := range importertest.Targets {
		t.Run(target.Name, func(t *testing.T) {
			dsn := target.New(t)
			out, err := imported(t, "-from", source.DSN, "-dsn", dsn, "-dry-run")
			require.NoError(t, err)
			require.Regexp(t, `(?s)^Nothing was written\..*\b7 imported\n.* 1 deleted.* 8 read in .*There are no tables of keys yet: an import makes them\.\n$`, out)
			if target.Name == "SQLite" {
				require.NoFileExists(t, dsn)
				require.NoFileExists(t, dsn+"-wal")
			}
			_, err = imported(t, "-from", source.DSN, "-dsn", dsn)
			require.NoError(t, err)
			out, err = imported(t, "-from", source.DSN, "-dsn", dsn, "-dry-run")
			require.NoError(t, err)
			require.Regexp(t, `(?s)^Nothing was written\..* 0 imported\n +7 there already.* 1 deleted.* 8 read in`, out)
			require.NotContains(t, out, "tables")
		})
	}
}

// TestImportRefusals refuses more rows than the closing report names, and fails. The file has all of them.
func TestImportRefusals(t *testing.T) {
	_, source := earlierSystem(t)
	source.AddUser(t, 1, siti)
	_, err := source.Exec(`INSERT INTO api_keys (id, user_id, label, hash, last_five, created_at, updated_at, valid_until)
SELECT i, 1, 'canary', 'canary' || i, 'abcde', '2026-11-01', '2026-11-01', '2027-05-01' FROM generate_series(101, 130) AS i`)
	require.NoError(t, err)
	_, err = source.Exec("UPDATE api_keys SET valid_until = '2026-11-02' WHERE id = 1")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "report.csv")
	args := []string{"-from", source.DSN, "-dsn", databasetest.SQLite(t), "-report", file, "-batch", "7"}
	out, err := imported(t, args...)
	require.EqualError(t, err, "30 rows were refused, for the reasons above: mend them and run it again, or tell their owners")
	require.Regexp(t, `\b6 imported\n +0 there.*\n +1 deleted.*\n +1 expired.*\n +0 revoked.*\n +30 refused\n +38 read`, out)
	require.Equal(t, 20, strings.Count(out, ": hash must be spelled like what postman kept of its tokens\n"))
	require.Contains(t, out, "  id 101: hash")
	require.Contains(t, out, "  and 10 more: -report names them all\n")
	require.NotContains(t, out, "canary")

	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NotContains(t, string(text), "canary")
	lines, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	require.NoError(t, err)
	require.Len(t, lines, 1+32)
	require.Equal(t, []string{"id", "outcome", "reason"}, lines[0])
	require.Equal(t, []string{"1", "expired", "expired in the earlier system"}, lines[1])
	require.Equal(t, []string{"6", "deleted", "deleted in the earlier system"}, lines[2])
	require.Equal(t, []string{"130", "refused", "hash must be spelled like what postman kept of its tokens"}, lines[32])
	_, err = imported(t, args...)
	require.ErrorIs(t, err, os.ErrExist, "the report of a run before is not overwritten")
}

// TestImportInterrupted ends the context after the first batch. What was done is reported.
func TestImportInterrupted(t *testing.T) {
	source := importertest.NewSource(t)
	source.Fill(t, 6_000, noon())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out strings.Builder
	dsn := databasetest.SQLite(t)
	args := []string{"-from", source.DSN, "-dsn", dsn, "-batch", "1000"}
	err := importAt(ctx, args, &out, writer(func(line string) {
		require.Equal(t, "5000 of 6000 rows\n", line)
		cancel()
	}), noon)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "every row up to id 5000 is done; run it again for the rest")
	require.Regexp(t, `\b4000 imported\n(.*\n)* +5000 read in`, out.String())
	report, err := imported(t, "-from", source.DSN, "-dsn", dsn, "-after", "5000")
	require.NoError(t, err)
	require.Regexp(t, `\b800 imported\n(.*\n)* +1000 read in`, report)
}

// An import that can't begin says why, and reports nothing of rows.
func TestImportThatCannotBegin(t *testing.T) {
	out, err := imported(t, "-from", databasetest.Postgres(t), "-dsn", databasetest.SQLite(t))
	require.ErrorContains(t, err, "the earlier system's tables")
	require.NotContains(t, err.Error(), "run it again")
	require.Empty(t, out)
}

type writer func(string)

func (w writer) Write(b []byte) (int, error) { w(string(b)); return len(b), nil }

// TestImportOnATerminal looks at the bar that somebody at a terminal sees.
func TestImportOnATerminal(t *testing.T) {
	_, source := earlierSystem(t)
	ours, theirs, err := pty.Open()
	require.NoError(t, err)
	defer ours.Close()
	require.NoError(t, pty.Setsize(ours, &pty.Winsize{Rows: 24, Cols: 100}))
	seen := make(chan string)
	go func() {
		text, _ := io.ReadAll(ours) // ends with an error when the other side closes
		seen <- string(text)
	}()
	args := []string{"-from", source.DSN, "-dsn", databasetest.SQLite(t), "-batch", "3"}
	var out strings.Builder
	require.NoError(t, importAt(t.Context(), args, &out, theirs, noon))
	require.NoError(t, theirs.Close())
	bar := <-seen
	require.Regexp(t, `importing\s+100% .*\(8/8`, bar)
	require.True(t, strings.HasSuffix(bar, "\n"))
	require.NotContains(t, out.String(), "100%")
}

// TestImportTellsNoSecret fails in each way there is, and looks for what must not be told in all that is
// printed.
func TestImportTellsNoSecret(t *testing.T) {
	v, source := earlierSystem(t)
	good := func(dsn, password string) string {
		u, err := url.Parse(dsn)
		require.NoError(t, err)
		u.User = url.UserPassword(u.User.Username(), password)
		return u.String()
	}
	target := databasetest.SQLite(t)
	from := good(source.DSN, "canary")
	t.Setenv("POSTMAN_FROM", "postgres://app:canary@127.0.0.1:1/old")
	t.Setenv("POSTMAN_DSN", "postgres://app:canary@127.0.0.1:1/new")
	for _, args := range [][]string{
		{}, {"-h"}, {"-no-such-flag"}, {"-batch", "many"}, {"more"}, {"-from", "postgres://app:canary@127.0.0.1:1/old", "-dsn", target},
		{"-from", "postgres://app:canary@host:port/old"}, {"-from", "canary"}, {"-from", from, "-dsn", "redis://canary"},
		{"-from", from, "-dsn", "postgres://app:canary@127.0.0.1:1/new"}, {"-from", from, "-dsn", "mysql://app:canary@127.0.0.1:1/new"},
		{"-from", from, "-dsn", "mysql://app:canary@127.0.0.1:1/new", "-dry-run"}, {"-from", from, "-dsn", filepath.Join(t.TempDir(), "canary", "keys.db")},
		{"-from", from, "-dsn", target, "-dry-run"}, {"-from", from, "-dsn", target}, {"-from", from, "-dsn", good(databasetest.Postgres(t), "canary")},
		{"-from", from, "-dsn", target, "-prefix", ""}, {"-from", from, "-dsn", target, "-prefix", "a b"}, {"-from", from, "-dsn", target, "-batch", "-1"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		var out strings.Builder
		err := importAt(ctx, args, &out, &out, noon)
		cancel()
		if err != nil {
			out.WriteString(err.Error())
		}
		require.NotEmpty(t, out.String())
		require.NotContains(t, out.String(), "canary", "%q", args)
		for _, r := range v.Rows {
			require.NotContains(t, out.String(), r.Row.Hash)
			require.NotContains(t, out.String(), r.Row.LastFive)
			require.NotContains(t, out.String(), r.Row.Label)
		}
	}
}
