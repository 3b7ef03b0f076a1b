package dbtest

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	osexec "os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/sqlstore"
)

// crashChild names, in the environment of a process that a test starts and kills, the database it
// writes to. The data source name comes on its standard input.
const crashChild = "LATCHKEY_CRASH_CHILD"

// TestCrashChild is the child of the tests below. It creates keys, shortens and revokes them until
// it is killed, and tells of each once it is done.
func TestCrashChild(t *testing.T) {
	name := os.Getenv(crashChild)
	if name == "" {
		return // nobody's child
	}
	var dsn string
	_, err := fmt.Scanln(&dsn)
	require.NoError(t, err)
	for _, d := range databases {
		if d.name != name {
			continue
		}
		db, err := sql.Open(d.driver, dsn)
		require.NoError(t, err)
		keys := newKeys(t, d.store(t, db))
		for worker := range 3 {
			go func() {
				for {
					crashLife(context.Background(), keys, worker)
				}
			}()
		}
		select {} // until killed
	}
}

// crashLife is the life of three keys: two are shortened, and one of these is revoked.
func crashLife(ctx context.Context, keys *apikey.Service, worker int) {
	say := func(err error, words ...any) {
		if err != nil {
			words = []any{"failed", err}
		}
		fmt.Print(fmt.Sprintln(words...)) // one write
	}
	for n := range 3 {
		token, key, err := keys.Issue(ctx, apikey.Request{Owner: fmt.Sprint("user_", worker), Label: "crash", ExpiresIn: 24 * time.Hour})
		say(err, "created", token.Reveal())
		if err != nil || n == 0 {
			continue
		}
		ref := apikey.Ref{Owner: key.Owner, ID: key.ID}
		sooner := key.ExpiresAt.Add(-time.Hour)
		_, err = keys.Update(ctx, ref, apikey.Changes{ExpiresAt: sooner})
		say(err, "shortened", token.Reveal(), sooner.UnixMicro())
		if err != nil || n == 1 {
			continue
		}
		say(nil, "revoking", token.Reveal())
		_, err = keys.Revoke(ctx, ref, "crash")
		say(err, "revoked", token.Reveal())
	}
}

// A promise is what a child has said of a key before it died.
type promise struct {
	expires  int64 // 0: as it was issued
	revoking bool
	revoked  bool
}

// crash starts a child, kills it after it said so many things, and returns what it has promised.
func crash(t *testing.T, d database, dsn string, after int) map[string]*promise {
	t.Helper()
	cmd := osexec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashChild$")
	cmd.Env = append(os.Environ(), crashChild+"="+d.name)
	cmd.Stdin = strings.NewReader(dsn + "\n")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	said := make(map[string]*promise)
	lines := bufio.NewReader(out)
	for n := 0; ; n++ {
		if n == after {
			require.NoError(t, cmd.Process.Kill())
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			break // what is left of a line was never said
		}
		words := strings.Fields(line)
		require.GreaterOrEqual(t, len(words), 2, line)
		p := said[words[1]]
		switch words[0] {
		case "created":
			require.Nil(t, p)
			said[words[1]] = new(promise)
		case "shortened":
			_, err := fmt.Sscan(words[2], &p.expires)
			require.NoError(t, err)
		case "revoking":
			p.revoking = true
		case "revoked":
			p.revoked = true
		default:
			require.Fail(t, "the child failed", line)
		}
	}
	var exit *osexec.ExitError
	require.ErrorAs(t, cmd.Wait(), &exit)
	require.False(t, exit.Exited(), "it was killed and did not end by itself")
	return said
}

// requireKept asserts that whatever a child promised holds.
func requireKept(t *testing.T, door *door, said map[string]*promise) {
	t.Helper()
	for token, p := range said {
		code := door.knock(t.Context(), t, token)
		switch {
		case p.revoked:
			require.Equal(t, http.StatusUnauthorized, code, "a key whose revocation was acknowledged is refused")
			_, err := door.Verify(t.Context(), token)
			require.ErrorIs(t, err, apikey.ErrRevoked)
		case !p.revoking:
			require.Equal(t, http.StatusOK, code, "a key that was acknowledged opens")
		default: // the answer was on its way
			require.Contains(t, []int{http.StatusOK, http.StatusUnauthorized}, code)
		}
		if p.expires == 0 || p.revoked {
			continue
		}
		key, err := door.Verify(t.Context(), token)
		if !errors.Is(err, apikey.ErrRevoked) {
			require.NoError(t, err)
			require.Equal(t, p.expires, key.ExpiresAt.UnixMicro(), "a change that was acknowledged stays")
		}
	}
}

// requireWhole asserts that no row is half of one: every one has a hash and what a key has.
func requireWhole(t *testing.T, db *sql.DB, kept int) {
	t.Helper()
	require.GreaterOrEqual(t, count(t, db, `SELECT COUNT(*) FROM latchkey_keys`), kept)
	require.Zero(t, count(t, db, `SELECT COUNT(*) FROM latchkey_keys WHERE LENGTH(hash) <> 32 OR version < 1 OR expires_at IS NULL
		OR LENGTH(hint) = 0 OR (revoked_at IS NULL) <> (revoked_reason = '')`))
}

// Row F39: whatever a process said it did with a file is done, whenever it is killed, and the file is
// whole. Nothing repairs it between two deaths.
func TestCrashF39SQLite(t *testing.T) {
	rounds := 200
	if testing.Short() {
		rounds = 20
	}
	const files = 5 // so that a round that waits for the disk holds up no other
	d := databases[0]
	for file := range files {
		t.Run(fmt.Sprint("file ", file), func(t *testing.T) {
			t.Parallel()
			dsn := "file:" + newFile(t) + "?" + strings.ReplaceAll(settings, "synchronous(OFF)", "synchronous(FULL)")
			db := d.pool(t, dsn)
			d.migrated(t, db)
			kept := 0
			for range rounds / files {
				require.NoError(t, db.Close(), "nobody else has the file open when the child dies")
				said := crash(t, d, dsn, 1+rand.IntN(20))
				db = d.pool(t, dsn)
				kept += len(said)
				requireKept(t, newDoor(t, d.store(t, db)), said)
				var check string
				require.NoError(t, db.QueryRowContext(t.Context(), `PRAGMA integrity_check`).Scan(&check))
				require.Equal(t, "ok", check)
			}
			require.Positive(t, kept)
			requireWhole(t, db, kept)
		})
	}
}

// Row F39 of a client: what a process said it did on a server is done, whenever it is killed.
func TestCrashF39Client(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 5
	}
	for _, d := range engines {
		if d.dialect == sqlstore.SQLite {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			dsn := d.fresh(t)
			db := d.pool(t, dsn)
			door := newDoor(t, d.migrated(t, db))
			kept := 0
			for range rounds {
				said := crash(t, d, dsn, 1+rand.IntN(100))
				kept += len(said)
				requireKept(t, door, said)
			}
			requireWhole(t, db, kept)
		})
	}
}
