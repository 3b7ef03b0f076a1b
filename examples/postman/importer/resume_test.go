package importer_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	osexec "os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/examples/postman/databasetest"
	"github.com/opengovsg/latchkey/examples/postman/importer"
	"github.com/opengovsg/latchkey/examples/postman/importer/importertest"
)

// importChild is set in the environment of a process that a test starts and kills. The names of the
// databases come on its standard input.
const importChild = "LATCHKEY_IMPORT_CHILD"

// TestImportChild is the child of the test below. It imports, and tells how far it is after each batch.
func TestImportChild(t *testing.T) {
	if os.Getenv(importChild) == "" {
		return // nobody's child
	}
	var from, to string
	_, err := fmt.Scanln(&from, &to)
	require.NoError(t, err)
	c := config(t)
	c.Batch = 20
	c.OnBatch = func(_ []importer.Row, sofar importer.Report) { fmt.Println("done", sofar.LastID) }
	_, err = newImporter(t, from, to, c).Run(t.Context())
	require.NoError(t, err)
	fmt.Println("end 0")
}

// TestKilled kills the import again and again until one comes to its end. Whatever was said to be done is
// there, and nothing is there twice.
func TestKilled(t *testing.T) {
	const rows = 1000
	source := importertest.NewSource(t)
	source.Fill(t, rows, noon())
	for _, target := range importertest.Targets {
		t.Run(target.Name, func(t *testing.T) {
			dsn := target.New(t)
			killed := 0
			for ended := false; !ended; killed++ {
				cmd := osexec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestImportChild$")
				cmd.Env = append(os.Environ(), importChild+"=1")
				cmd.Stdin = strings.NewReader(source.DSN + " " + dsn + "\n")
				cmd.Stderr = os.Stderr
				out, err := cmd.StdoutPipe()
				require.NoError(t, err)
				require.NoError(t, cmd.Start())
				said, lines := 0, bufio.NewScanner(out)
				for after := 12*killed + rand.IntN(12); lines.Scan(); after-- {
					var word string
					var id int
					_, err := fmt.Sscan(lines.Text(), &word, &id)
					if err != nil || word != "done" {
						ended = word == "end"
						break
					}
					said = id
					if after == 0 {
						require.NoError(t, cmd.Process.Kill())
					}
				}
				for lines.Scan() {
				}
				cmd.Wait()
				if ended {
					said = rows
				}
				all, _ := kept(t, dsn)
				require.GreaterOrEqual(t, all, int64(said/10*8))
				require.LessOrEqual(t, all, int64(rows/10*8))
			}
			require.Greater(t, killed, 1)
			report, _ := run(t, source.DSN, dsn, config(t))
			require.Equal(t, importer.Report{Read: rows, Total: rows, LastID: rows, There: 800, Deleted: 100, Expired: 100}, report)
		})
	}
}

// TestInterrupted ends the context in the middle. The report says how far it came, and another run goes on
// from there.
func TestInterrupted(t *testing.T) {
	source := importertest.NewSource(t)
	source.Fill(t, 100, noon())
	for _, target := range importertest.Targets {
		t.Run(target.Name, func(t *testing.T) {
			dsn := target.New(t)
			ctx, cancel := context.WithCancel(t.Context())
			c := config(t)
			c.Batch = 10
			c.OnBatch = func(_ []importer.Row, sofar importer.Report) {
				if sofar.LastID == 30 {
					cancel()
				}
			}
			report, err := newImporter(t, source.DSN, dsn, c).Run(ctx)
			require.ErrorIs(t, err, context.Canceled)
			require.Positive(t, report.Elapsed)
			report.Elapsed = 0
			require.Equal(t, importer.Report{Read: 30, Total: 100, LastID: 30, Imported: 24, Deleted: 3, Expired: 3}, report)
			c.After = report.LastID
			report, _ = run(t, source.DSN, dsn, c)
			require.Equal(t, importer.Report{Read: 70, Total: 70, LastID: 100, Imported: 56, Deleted: 7, Expired: 7}, report)
		})
	}
}

// TestTerminated has an administrator end the connections to both databases while they are at work. The
// import goes on by itself, and counts nothing twice.
func TestTerminated(t *testing.T) {
	const rows = 3000
	source := importertest.NewSource(t)
	source.Fill(t, rows, noon())
	dsn := databasetest.Postgres(t)
	require.NoError(t, importertest.Open(t, dsn).Keys.Migrate(t.Context()))
	u, err := url.Parse(dsn)
	require.NoError(t, err)
	q := u.Query()
	name := q.Get("search_path")
	q.Set("application_name", name)
	u.RawQuery = q.Encode()
	from, err := url.Parse(source.DSN)
	require.NoError(t, err)
	from.RawQuery += "&application_name=" + name

	began, ended := make(chan struct{}), make(chan struct{})
	terminated := make(chan int)
	go func() {
		<-began
		n := 0
		for n < 12 {
			select {
			case <-ended:
				terminated <- n
				return
			case <-time.After(60 * time.Millisecond):
			}
			var some int
			if source.QueryRow("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1", name).Scan(&some) == nil {
				n += some
			}
		}
		terminated <- n
	}()
	c := config(t)
	c.Batch = 50
	c.OnBatch = func(_ []importer.Row, sofar importer.Report) {
		if sofar.Read == 50 {
			close(began)
		}
	}
	report, err := newImporter(t, from.String(), u.String(), c).Run(t.Context())
	require.NoError(t, err)
	report.Elapsed = 0
	close(ended)
	require.Positive(t, <-terminated)
	require.Equal(t, importer.Report{Read: rows, Total: rows, LastID: rows, Imported: 2400, Deleted: 300, Expired: 300}, report)
}

// TestLostCommit loses the answers to commits. What they did is done, and is not taken for the doing of a
// run before.
func TestLostCommit(t *testing.T) {
	source := importertest.NewSource(t)
	source.Fill(t, 100, noon())
	p, dsn := throughProxy(t, databasetest.Postgres(t))
	c := config(t)
	c.Batch = 10
	clock := noon()
	c.Now = func() time.Time { clock = clock.Add(time.Millisecond); return clock }
	lossy := func() importer.Report {
		c.OnBatch = func(_ []importer.Row, sofar importer.Report) {
			if sofar.Read == 10 {
				p.loseCommits.Store(2) // of keys, and none of tables
			}
		}
		report, err := newImporter(t, source.DSN, dsn, c).Run(t.Context())
		require.NoError(t, err)
		require.Negative(t, p.loseCommits.Load())
		report.Elapsed = 0
		return report
	}
	require.Equal(t, importer.Report{Read: 100, Total: 100, LastID: 100, Imported: 80, Deleted: 10, Expired: 10}, lossy())

	_, err := source.Exec("UPDATE api_keys SET deleted_at = '2026-11-22' WHERE id <= 20")
	require.NoError(t, err)
	require.Equal(t, importer.Report{Read: 100, Total: 100, LastID: 100, There: 64, Revoked: 16, Deleted: 12, Expired: 8}, lossy())
}

// TestDown takes one of the databases away in the middle, and it does not come back. The import ends and
// says how far it came; another one does the rest.
func TestDown(t *testing.T) {
	for _, which := range []string{"source", "target"} {
		t.Run(which, func(t *testing.T) {
			t.Parallel()
			source := importertest.NewSource(t)
			source.Fill(t, 100, noon())
			to := databasetest.Postgres(t)
			from, into := source.DSN, to
			var p *proxy
			if which == "source" {
				p, from = throughProxy(t, from)
			} else {
				p, into = throughProxy(t, into)
			}
			c := config(t)
			c.Batch = 10
			c.OnBatch = func(_ []importer.Row, sofar importer.Report) {
				if sofar.LastID == 40 {
					p.fall()
				}
			}
			report, err := newImporter(t, from, into, c).Run(t.Context())
			require.Error(t, err)
			require.Equal(t, int64(40), report.LastID)
			requireSum(t, report)
			all, _ := kept(t, to)
			require.Equal(t, int64(32), all)
			c.OnBatch = nil
			report, _ = run(t, source.DSN, to, c)
			require.Equal(t, importer.Report{Read: 100, Total: 100, LastID: 100, Imported: 48, There: 32, Deleted: 10, Expired: 10}, report)
		})
	}
}
