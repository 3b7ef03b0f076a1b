package dbtest

import (
	"database/sql"
	"fmt"
	"net"
	"os"
	osexec "os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/sqlstore"
)

// A private server belongs to one test, which may stop it.
type private struct {
	dialect sqlstore.Dialect
	dir     string
	port    int
	command []string
	cmd     *osexec.Cmd
	owner   *syscall.Credential // whom it runs as, nil for whoever runs the tests
}

// newPrivate makes a server out of what the machine has installed, or skips.
func newPrivate(t *testing.T, d database) *private {
	t.Helper()
	s := &private{dialect: d.dialect, port: freePort(t)}
	var err error
	s.dir, err = os.MkdirTemp("", "latchkey") // a short name, which a Unix socket needs
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(s.dir)) })
	data := filepath.Join(s.dir, "data")
	port := strconv.Itoa(s.port)
	if d.dialect == sqlstore.Postgres {
		initdb, server := binary(t, "initdb"), binary(t, "postgres")
		s.runAs(t, "postgres")
		s.run(t, initdb, "-D", data, "-U", "postgres", "-A", "trust", "--no-sync")
		s.command = []string{server, "-D", data, "-p", port, "-k", s.dir, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"}
	} else {
		install, server := binary(t, "mariadb-install-db"), binary(t, "mariadbd")
		s.runAs(t, "mysql")
		s.run(t, install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db")
		s.command = []string{server, "--no-defaults", "--datadir=" + data, "--port=" + port, "--bind-address=127.0.0.1",
			"--socket=" + filepath.Join(s.dir, "socket"), "--pid-file=" + filepath.Join(s.dir, "pid"), "--innodb-buffer-pool-size=32M"}
	}
	s.start(t)
	t.Cleanup(func() { s.stop(t, syscall.SIGKILL) })
	return s
}

// binary returns the path of a server's program, or skips.
func binary(t *testing.T, name string) string {
	t.Helper()
	if path, err := osexec.LookPath(name); err == nil {
		return path
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/", "/usr/sbin/", "/usr/local/pgsql/bin/"} {
		if found, _ := filepath.Glob(pattern + name); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	message := name + " is not installed: this test starts and stops a server of its own"
	if os.Getenv("LATCHKEY_REQUIRE_DATABASES") == "1" {
		t.Fatal(message)
	}
	t.Skip(message)
	return ""
}

// runAs has the server run as somebody else where the tests run as root, as whom none runs.
func (s *private) runAs(t *testing.T, name string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	u, err := user.Lookup(name)
	require.NoError(t, err)
	uid, err := strconv.Atoi(u.Uid)
	require.NoError(t, err)
	gid, err := strconv.Atoi(u.Gid)
	require.NoError(t, err)
	require.NoError(t, os.Chown(s.dir, uid, gid))
	s.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func (s *private) prepare(command ...string) *osexec.Cmd {
	cmd := osexec.Command(command[0], command[1:]...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner, Setpgid: true}
	return cmd
}

func (s *private) run(t *testing.T, command ...string) {
	t.Helper()
	out, err := s.prepare(command...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// start starts the server and waits until it listens, which is before it answers.
func (s *private) start(t *testing.T) {
	t.Helper()
	s.cmd = s.prepare(s.command...)
	require.NoError(t, s.cmd.Start())
	eventually(t, "the server listens", func() (bool, error) {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)))
		if err != nil {
			return false, err
		}
		return true, conn.Close()
	})
}

// requireAnswers waits until the server answers.
func (s *private) requireAnswers(t *testing.T, d database) {
	t.Helper()
	db, err := sql.Open(d.driver, s.admin())
	require.NoError(t, err)
	defer db.Close()
	eventually(t, "the server answers", func() (bool, error) {
		err := db.PingContext(t.Context())
		return err == nil, err
	})
}

// stop ends the server and waits until it is gone. SIGKILL goes to all of its processes.
func (s *private) stop(t *testing.T, how syscall.Signal) {
	t.Helper()
	if s.cmd == nil {
		return
	}
	pid := s.cmd.Process.Pid
	if how == syscall.SIGKILL {
		pid = -pid
	}
	require.NoError(t, syscall.Kill(pid, how))
	s.cmd.Wait() // which tells how it ended
	s.cmd = nil
}

// admin returns the data source name of the server.
func (s *private) admin() string {
	if s.dialect == sqlstore.Postgres {
		return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", s.port)
	}
	return fmt.Sprintf("root@tcp(127.0.0.1:%d)/", s.port)
}

// variable is the one that names the server of a dialect.
func (s *private) variable() string {
	if s.dialect == sqlstore.Postgres {
		return "LATCHKEY_POSTGRES_DSN"
	}
	return "LATCHKEY_MYSQL_DSN"
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
