//go:build unix

package dbtest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	osexec "os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/sqlstore"
)

// A cluster is a primary of PostgreSQL and a replica that streams from it, of the test's own. They
// listen on no port but on sockets, so that nothing else can have taken what they listen on.
type cluster struct {
	programs, dir string
	as            *syscall.Credential
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{programs: postgresPrograms(t)}
	// Not below t.TempDir, which another user may not enter.
	dir, err := os.MkdirTemp("", "latchkey")
	require.NoError(t, err)
	c.dir = dir
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	c.as = owner(t, dir, "postgres")
	c.run(t, "initdb", "-D", c.data("primary"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	// Whoever asks for remote_apply waits until the replica shows what it wrote, and nobody else waits.
	c.start(t, "primary", "-c synchronous_standby_names=* -c synchronous_commit=local")
	c.run(t, "pg_basebackup", "-h", c.socket("primary"), "-U", "postgres", "-D", c.data("replica"), "-R", "-c", "fast", "--no-sync")
	c.start(t, "replica", "")
	return c
}

// owner gives a directory to a user and returns it to run a server as. It returns nil unless the tests
// run as root, whom servers refuse to run as.
func owner(t *testing.T, dir, name string) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup(name)
	require.NoError(t, err)
	uid, err := strconv.Atoi(u.Uid)
	require.NoError(t, err)
	gid, err := strconv.Atoi(u.Gid)
	require.NoError(t, err)
	require.NoError(t, os.Chown(dir, uid, gid))
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// postgresPrograms returns the directory of the server's programs, or skips.
func postgresPrograms(t *testing.T) string {
	t.Helper()
	var dirs []string
	if path, err := osexec.LookPath("pg_ctl"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	debian, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	require.NoError(t, err)
	for _, dir := range append(dirs, debian...) {
		missing := false
		for _, program := range []string{"initdb", "pg_ctl", "pg_basebackup"} {
			_, err := os.Stat(filepath.Join(dir, program))
			missing = missing || err != nil
		}
		if !missing {
			return dir
		}
	}
	const message = "there are no initdb, pg_ctl and pg_basebackup to start a primary and a replica with: install PostgreSQL's server, and put the directory of its programs on PATH"
	if os.Getenv("LATCHKEY_REQUIRE_DATABASES") == "1" {
		t.Fatal(message)
	}
	t.Skip(message)
	return ""
}

func (c *cluster) data(server string) string { return filepath.Join(c.dir, server, "data") }

// socket returns the directory of a server's socket: not its data, which a backup copies as it is.
func (c *cluster) socket(server string) string { return filepath.Join(c.dir, server) }

func (c *cluster) run(t *testing.T, program string, args ...string) {
	t.Helper()
	cmd := osexec.Command(filepath.Join(c.programs, program), args...)
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	// A file and no pipe, which the server would hold open for as long as it runs.
	out, err := os.Create(filepath.Join(c.dir, program+".out"))
	require.NoError(t, err)
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(out.Name())
		require.NoError(t, err, "%s: %s", program, said)
	}
}

// start starts a server, waits until it takes connections, and stops it when the test has ended.
func (c *cluster) start(t *testing.T, server, options string) {
	t.Helper()
	dir := c.data(server)
	options += fmt.Sprintf(" -c listen_addresses= -c unix_socket_directories=%s -c fsync=off -c shared_buffers=16MB -c max_connections=30", c.socket(server))
	c.run(t, "pg_ctl", "start", "-w", "-D", dir, "-o", options)
	t.Cleanup(func() { c.run(t, "pg_ctl", "stop", "-D", dir, "-m", "immediate") })
}

// dsn is that of servers of the cluster, of which a driver tries one after the other.
func (c *cluster) dsn(params string, servers ...string) string {
	var hosts, ports []string
	for _, s := range servers {
		hosts, ports = append(hosts, c.socket(s)), append(ports, "5432")
	}
	return fmt.Sprintf("host=%s port=%s user=postgres dbname=postgres sslmode=disable %s",
		strings.Join(hosts, ","), strings.Join(ports, ","), params)
}

// keys returns a service on servers of the cluster.
func (c *cluster) keys(t *testing.T, dsn string, peppers ...apikey.Pepper) (*apikey.Service, *sql.DB) {
	t.Helper()
	d := engines[1]
	db := d.pool(t, dsn)
	keys, err := apikey.New(d.store(t, db), apikey.Config{
		Prefix: "postman_live", MaxPerOwner: 100_000, Peppers: peppers, Now: func() time.Time { return now },
	})
	require.NoError(t, err)
	return keys, db
}

// replay has the replica go on or stop to show what the primary did.
func replay(t *testing.T, replica *sql.DB, verb, state string) {
	t.Helper()
	exec(t, replica, "SELECT pg_wal_replay_"+verb+"()")
	for got := ""; got != state; { // it is asked for first, and done soon after
		require.NoError(t, replica.QueryRowContext(t.Context(), "SELECT pg_get_wal_replay_pause_state()").Scan(&got))
	}
}

// A replica that is behind takes a new key for an unknown one and goes on to open a revoked one. On
// the primary neither happens.
func TestReplica(t *testing.T) {
	c := newCluster(t)
	keys, primary := c.keys(t, c.dsn("", "primary"))
	stale, replica := c.keys(t, c.dsn("", "replica"))
	engines[1].migrated(t, primary)
	// Commits that are shown by the replica before they are acknowledged, and with them all before.
	inStep, inStepDB := c.keys(t, c.dsn("synchronous_commit=remote_apply", "primary"))
	exec(t, primary, "CREATE TABLE barrier (n integer)")
	barrier := func() { exec(t, inStepDB, "INSERT INTO barrier VALUES (1)") }
	barrier()

	issue := func(s *apikey.Service) (string, apikey.Ref) {
		token, key, err := s.Issue(t.Context(), apikey.Request{Owner: "user_42", Label: "HR reminders"})
		require.NoError(t, err)
		return token.Reveal(), apikey.Ref{Owner: key.Owner, ID: key.ID}
	}
	revoke := func(s *apikey.Service, ref apikey.Ref) {
		_, err := s.Revoke(t.Context(), ref, "left the team")
		require.NoError(t, err)
	}
	requireOpens := func(s *apikey.Service, token string) {
		t.Helper()
		_, err := s.Verify(t.Context(), token)
		require.NoError(t, err)
	}
	requireRefused := func(s *apikey.Service, token string, reason error) {
		t.Helper()
		_, err := s.Verify(t.Context(), token)
		require.ErrorIs(t, err, reason)
		require.ErrorIs(t, err, apikey.ErrInvalid)
	}

	t.Run("behind", func(t *testing.T) {
		oldToken, old := issue(keys)
		barrier()
		requireOpens(stale, oldToken)

		replay(t, replica, "pause", "paused")
		token, _ := issue(keys)
		revoke(keys, old)
		requireRefused(stale, token, apikey.ErrUnknown) // a good key, and the answer is 401
		requireOpens(stale, oldToken)                   // a revoked key, for as long as this lasts
		requireOpens(keys, token)
		requireRefused(keys, oldToken, apikey.ErrRevoked)

		replay(t, replica, "resume", "not paused")
		barrier()
		requireOpens(stale, token)
		requireRefused(stale, oldToken, apikey.ErrRevoked)
	})

	t.Run("takes no writes", func(t *testing.T) {
		token, ref := issue(keys)
		barrier()
		_, _, err := stale.Issue(t.Context(), apikey.Request{Owner: "user_42", Label: "HR reminders"})
		require.ErrorIs(t, err, apikey.ErrUnavailable)
		require.ErrorContains(t, err, "takes no writes")
		_, err = stale.Revoke(t.Context(), ref, "left the team")
		require.ErrorIs(t, err, apikey.ErrUnavailable)
		pepper, err := apikey.NewPepper([]byte(strings.Repeat("p", 32)))
		require.NoError(t, err)
		peppered, _ := c.keys(t, c.dsn("", "replica"), pepper)
		requireOpens(peppered, token) // though it can't be rehashed there
	})

	t.Run("lag", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // rather than for ever
		defer cancel()
		const rounds = 200
		var unknown, opened int
		var created, revoked time.Duration
		for range rounds {
			token, ref := issue(keys)
			start := time.Now()
			tries := 0
			for _, err := stale.Verify(ctx, token); err != nil; tries++ {
				require.ErrorIs(t, err, apikey.ErrUnknown)
				_, err = stale.Verify(ctx, token)
			}
			unknown += min(tries, 1)
			created = max(created, time.Since(start))

			revoke(keys, ref)
			start = time.Now()
			tries = 0
			for _, err := stale.Verify(ctx, token); err == nil; tries++ {
				_, err = stale.Verify(ctx, token)
			}
			opened += min(tries, 1)
			revoked = max(revoked, time.Since(start))
			requireRefused(stale, token, apikey.ErrRevoked)
		}
		t.Logf("of %d keys, the replica did not know %d when they were issued, for at most %s, and opened %d after they were revoked, for at most %s",
			rounds, unknown, created, opened, revoked)
	})

	t.Run("in step", func(t *testing.T) {
		took := make(map[*apikey.Service]time.Duration)
		for range 200 {
			for _, s := range []*apikey.Service{keys, inStep} {
				token, ref := issue(s)
				if s == inStep {
					requireOpens(stale, token)
				}
				start := time.Now()
				revoke(s, ref)
				took[s] += time.Since(start)
				if s == inStep {
					requireRefused(stale, token, apikey.ErrRevoked)
				}
			}
		}
		t.Logf("a revocation took %s that waited for the replica, and %s that did not", took[inStep]/200, took[keys]/200)

		token, ref := issue(inStep)
		replay(t, replica, "pause", "paused")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := inStep.Revoke(ctx, ref, "left the team")
		require.ErrorIs(t, err, apikey.ErrUnavailable, "a replica that stands still keeps the primary from acknowledging")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		replay(t, replica, "resume", "not paused")
		revoke(inStep, ref) // as whoever got no answer does
		requireRefused(stale, token, apikey.ErrRevoked)
		requireRefused(keys, token, apikey.ErrRevoked)
	})

	t.Run("kept on the primary", func(t *testing.T) {
		replay(t, replica, "pause", "paused")
		defer replay(t, replica, "resume", "not paused")
		for _, driver := range []string{"pgx", "postgres"} {
			db, err := sql.Open(driver, c.dsn("target_session_attrs=read-write", "replica", "primary"))
			require.NoError(t, err)
			defer db.Close()
			st, err := sqlstore.New(db, sqlstore.Postgres, sqlstore.Config{})
			require.NoError(t, err)
			for range 10 {
				token, ref := issue(keys)
				requireOpens(keys.WithStore(st), token)
				revoke(keys, ref)
				requireRefused(keys.WithStore(st), token, apikey.ErrRevoked)
			}
		}
	})
}
