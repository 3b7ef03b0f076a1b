//go:build unix

package dbtest

import (
	"database/sql"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/sqlstore"
)

// A private server belongs to one test, which may stop it. Like a cluster it listens on no port but on
// a socket.
type private struct {
	d       database
	dir     string
	command []string
	cmd     *osexec.Cmd
	gone    chan struct{} // closed when cmd has ended
	as      *syscall.Credential
}

// newPrivate makes a server of what the machine has installed, or skips. Until the test has ended
// [database.fresh] makes its schemas and databases there.
func newPrivate(t *testing.T, d database) *private {
	t.Helper()
	s := &private{d: d}
	// Not below t.TempDir, which another user may not enter and whose name is too long for a socket.
	dir, err := os.MkdirTemp("", "latchkey")
	require.NoError(t, err)
	s.dir = dir
	t.Cleanup(func() {
		eventually(t, "nothing writes there any more", func() (bool, error) {
			err := os.RemoveAll(dir)
			return err == nil, err
		})
	})
	data := filepath.Join(dir, "data")
	if d.dialect == sqlstore.Postgres {
		programs := postgresPrograms(t)
		s.as = owner(t, dir, "postgres")
		s.run(t, filepath.Join(programs, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
		s.command = []string{filepath.Join(programs, "postgres"), "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off"}
		t.Setenv("LATCHKEY_POSTGRES_DSN", "postgres://postgres@/postgres?sslmode=disable&host="+dir)
	} else {
		install, server := program(t, "mariadb-install-db"), program(t, "mariadbd")
		s.as = owner(t, dir, "mysql")
		s.run(t, install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db")
		s.command = []string{server, "--no-defaults", "--datadir=" + data, "--skip-networking", "--socket=" + filepath.Join(dir, "socket"),
			"--pid-file=" + filepath.Join(dir, "pid"), "--innodb-buffer-pool-size=32M"}
		t.Setenv("LATCHKEY_MYSQL_DSN", "root@unix("+filepath.Join(dir, "socket")+")/")
	}
	t.Cleanup(func() {
		if s.cmd != nil {
			s.stop(t, syscall.SIGKILL)
		}
	})
	s.start(t)
	return s
}

// program returns the path of one of MariaDB's programs, or skips.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if path, err := osexec.LookPath(path); err == nil {
			return path
		}
	}
	message := "there is no " + name + " to start a server with: install MariaDB's server, and put the directory of its programs on PATH"
	if os.Getenv("LATCHKEY_REQUIRE_DATABASES") == "1" {
		t.Fatal(message)
	}
	t.Skip(message)
	return ""
}

// prepare returns a command that writes to a file, and not to a pipe, which a process that is left
// behind would hold open.
func (s *private) prepare(t *testing.T, command ...string) *osexec.Cmd {
	t.Helper()
	out, err := os.OpenFile(filepath.Join(s.dir, "out"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	t.Cleanup(func() { out.Close() })
	cmd := osexec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	return cmd
}

func (s *private) run(t *testing.T, command ...string) {
	t.Helper()
	if err := s.prepare(t, command...).Run(); err != nil {
		said, _ := os.ReadFile(filepath.Join(s.dir, "out"))
		require.NoError(t, err, "%s", said)
	}
}

func (s *private) launch(t *testing.T) {
	t.Helper()
	cmd, gone := s.prepare(t, s.command...), make(chan struct{})
	require.NoError(t, cmd.Start())
	s.cmd, s.gone = cmd, gone
	go func() {
		defer close(gone)
		cmd.Wait() // which tells how it ended
	}()
}

// start starts the server and waits until it answers somebody. PostgreSQL ends at once while there are
// processes left of one that was killed, which take a moment to notice.
func (s *private) start(t *testing.T) {
	t.Helper()
	dsn := os.Getenv("LATCHKEY_POSTGRES_DSN")
	if s.d.dialect == sqlstore.MySQL {
		dsn = os.Getenv("LATCHKEY_MYSQL_DSN")
	}
	db, err := sql.Open(s.d.driver, dsn)
	require.NoError(t, err)
	defer db.Close()
	s.launch(t)
	eventually(t, "the server answers", func() (bool, error) {
		select {
		case <-s.gone:
			s.launch(t)
		default:
		}
		err := db.PingContext(bounded(t))
		return err == nil, err
	})
}

// stop ends the server and waits until it is gone.
func (s *private) stop(t *testing.T, how syscall.Signal) {
	t.Helper()
	s.cmd.Process.Signal(how) // which fails if it is gone already
	within(t, "the server is gone", func() { <-s.gone })
}

// Row F31: a server is stopped and started again under load, in each way there is. Nothing that was
// acknowledged is lost and the pool is as good as new.
func TestServerRestarts(t *testing.T) {
	onEach(t, shared, func(t *testing.T, d database) {
		requireNoneLeft(t)
		s := newPrivate(t, d)
		dsn := strings.Replace(d.fresh(t), "synchronous_commit=off", "synchronous_commit=on", 1)
		beside := newDoor(t, d.migrated(t, d.pool(t, dsn))).serve(t)
		db := d.pool(t, dsn)
		db.SetMaxOpenConns(conns)
		l := startLoad(t, newDoor(t, d.store(t, db)).serve(t), beside)
		for _, how := range []syscall.Signal{syscall.SIGKILL, shutdown(d)} {
			l.requireWorks(t)
			s.stop(t, how)
			l.requireFails(t)
			s.start(t)
			l.requireWorks(t)
		}
		beside.requireRecovers(t, l.good)
		l.requireKept(t)
		require.Zero(t, db.Stats().InUse)
	})
}

// shutdown is what tells a server to end in order, without waiting for its clients.
func shutdown(d database) syscall.Signal {
	if d.dialect == sqlstore.Postgres {
		return syscall.SIGINT
	}
	return syscall.SIGTERM
}

// Row F31: a primary is demoted, and writes are refused until it is one again. Keys open all along.
func TestServerDemoted(t *testing.T) {
	onEach(t, shared, func(t *testing.T, d database) {
		requireNoneLeft(t)
		newPrivate(t, d)
		dsn := d.fresh(t)
		admin := one(d.pool(t, dsn))
		d.migrated(t, admin)
		variants := []string{""}
		demote := []string{`ALTER SYSTEM SET default_transaction_read_only = on`, `SELECT pg_reload_conf()`}
		promote := []string{`SET default_transaction_read_only = off`, `ALTER SYSTEM RESET default_transaction_read_only`, `SELECT pg_reload_conf()`}
		if d.dialect == sqlstore.MySQL {
			exec(t, admin, `CREATE USER app@localhost`)
			exec(t, admin, `GRANT SELECT, INSERT, UPDATE, DELETE ON *.* TO app@localhost`) // and not to write when nobody may
			dsn = strings.Replace(dsn, "root@", "app@", 1)
			demote, promote = []string{`SET GLOBAL read_only = 1`}, []string{`SET GLOBAL read_only = 0`}
			variants = append(variants, "rejectReadOnly=true")
		}
		for _, params := range variants {
			t.Run(params, func(t *testing.T) {
				db := d.pool(t, withQuery(dsn, params))
				door := newDoor(t, d.store(t, db)).serve(t)
				token, key := door.issue(t)
				for _, query := range demote {
					exec(t, admin, query)
				}
				ref := apikey.Ref{Owner: key.Owner, ID: key.ID}
				eventually(t, "writes are refused", func() (bool, error) {
					_, err := door.Update(bounded(t), ref, apikey.Changes{Label: new("demoted")})
					return err != nil, nil
				})
				for range conns {
					tok, _, err := door.Issue(bounded(t), request("never"))
					requireUnavailable(t, err)
					require.Equal(t, apikey.Token{}, tok)
					_, err = door.Revoke(bounded(t), ref, "never")
					requireUnavailable(t, err)
					if params == "" {
						require.ErrorContains(t, err, "the database takes no writes")
					}
					door.requireOpen(t, token)
					door.requireRefused(t, nobodys)
				}
				for _, query := range promote {
					exec(t, admin, query)
				}
				eventually(t, "writes are done", func() (bool, error) {
					_, err := door.Revoke(bounded(t), ref, "promoted")
					return err == nil, err
				})
				door.requireRefused(t, token)
				fresh, _ := door.issue(t)
				door.requireOpen(t, fresh)
			})
		}
	})
}
