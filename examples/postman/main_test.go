//go:build unix

package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/examples/postman/databasetest"
)

// TestProcess is the program itself where another test runs it.
func TestProcess(t *testing.T) {
	args := os.Getenv("POSTMAN_TEST_ARGS")
	if args == "" {
		t.Skip("it is for TestSignals to run")
	}
	os.Args = append([]string{"postman"}, strings.Fields(args)...)
	main()
	os.Exit(0)
}

// process runs the program until it says that it listens.
func process(t *testing.T, args string) (cmd *exec.Cmd, log *buffer) {
	t.Helper()
	cmd = exec.Command(os.Args[0], "-test.run=^TestProcess$")
	cmd.Env = append(os.Environ(), "POSTMAN_TEST_ARGS=-dev -addr 127.0.0.1:0 -dsn "+databasetest.SQLite(t)+args)
	out := new(buffer)
	log = new(buffer)
	cmd.Stdout, cmd.Stderr = out, log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill() // where the test failed
		cmd.Wait()
	})
	appears(t, out, "Listening at ")
	return cmd, log
}

func appears(t *testing.T, b *buffer, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(b.String(), text) }, 30*time.Second, time.Millisecond)
}

func TestSignals(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		cmd, log := process(t, "")
		require.NoError(t, cmd.Process.Signal(signal))
		require.NoError(t, cmd.Wait(), "one ends it in order")
		require.Contains(t, log.String(), `"msg":"ending"`)

		cmd, log = process(t, " -drain 1m")
		require.NoError(t, cmd.Process.Signal(signal))
		appears(t, log, `"msg":"ending"`)
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		var err error
		require.Eventually(t, func() bool { // the first one takes a moment
			cmd.Process.Signal(signal)
			select {
			case err = <-ended:
				return true
			default:
				return false
			}
		}, 30*time.Second, 10*time.Millisecond)
		require.Error(t, err)
		require.Equal(t, signal, cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(), "another one at once")
	}
}
