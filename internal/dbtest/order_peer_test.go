package dbtest

import (
	"errors"
	"io"
	"net/rpc"
	"os"
	osexec "os/exec" // exec is a statement here
	"testing"

	"github.com/stretchr/testify/require"
)

// peerVariable makes this binary an instance instead of a test.
const peerVariable = "LATCHKEY_TEST_PEER"

// A pipe is what two processes have between them.
type pipe struct {
	io.Reader
	io.WriteCloser
}

func init() {
	if os.Getenv(peerVariable) == "" {
		return
	}
	n := new(Instance)
	server := rpc.NewServer()
	if err := server.Register(n); err != nil {
		panic(err)
	}
	// To the end of the pipe, which is when the other process closes it or is gone.
	server.ServeConn(pipe{os.Stdin, os.Stdout})
	if err := n.close(); err != nil {
		panic(err)
	}
	os.Exit(0)
}

// A caller reaches an instance: the method of that name is called with the argument.
type caller func(method string, arg, reply any) error

func (c caller) do(op Op) (r Result, err error) {
	err = c("Do", op, &r)
	return r, err
}

// here returns an instance in this process.
func here(t *testing.T, s Setup) caller {
	t.Helper()
	n := new(Instance)
	require.NoError(t, n.Open(s, nil))
	t.Cleanup(func() { require.NoError(t, n.close()) })
	return func(method string, arg, reply any) error {
		switch method {
		case "Do":
			return n.Do(arg.(Op), reply.(*Result))
		case "Configure":
			return n.Configure(arg.([]byte), nil)
		}
		return errors.New("no such method")
	}
}

// elsewhere returns an instance in a process of its own, which ends with the test.
func elsewhere(t *testing.T, s Setup) caller {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := osexec.Command(self)
	// The race detector would have every process sleep a second before it ends.
	cmd.Env = append(os.Environ(), peerVariable+"=1", "GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	client := rpc.NewClient(pipe{out, in})
	t.Cleanup(func() {
		require.NoError(t, client.Close())
		require.NoError(t, cmd.Wait(), "it ends well, and without a race")
	})
	call := func(method string, arg, reply any) error { return client.Call("Instance."+method, arg, reply) }
	require.NoError(t, call("Open", s, new(bool)))
	return call
}

// twins returns an instance here and one elsewhere on a fresh database.
func (d database) twins(t *testing.T, broken string) []caller {
	t.Helper()
	s := Setup{Database: d.index(), DSN: d.fresh(t), Broken: broken}
	d.migrated(t, d.pool(t, s.DSN))
	return []caller{here(t, s), elsewhere(t, s)}
}

func (d database) index() int {
	for i := range databases {
		if databases[i].name == d.name {
			return i
		}
	}
	panic("not one of databases")
}
