package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWalk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "my 100% keys?.db")
	for range 2 { // the second time on the file that the first one left
		var out strings.Builder
		require.NoError(t, run(t.Context(), []string{"-db", path}, &out))
		for _, line := range []string{
			`issued   quickstart_test_`, `\[redacted\]`,
			`with the token +200  store reads: 1`, `with a scope it has +200  store reads: 1`, `without its scope +403  store reads: 1`,
			`with a typo +401  store reads: 0`, `without a token +401  store reads: 0`,
			`listed   …[0-9A-Za-z]{5}  HR reminders +active`, `revoked  …`, `with the token +401  store reads: 1`,
		} {
			require.Regexp(t, line, out.String())
		}

		token := regexp.MustCompile(`quickstart_test_\w+`).FindString(out.String())
		require.Len(t, token, len("quickstart_test")+71)
		secret := []byte(token[len(token)-49 : len(token)-6])
		files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			kept, err := os.ReadFile(file)
			require.NoError(t, err)
			require.False(t, bytes.Contains(kept, secret), "%s holds the secret", file)
		}
	}
}

func TestWalkFailsWhereItCannotKeepKeys(t *testing.T) {
	err := run(t.Context(), []string{"-db", filepath.Join(t.TempDir(), "no", "such", "folder.db")}, io.Discard)
	require.Error(t, err)
}

// ready ends the context when it is told how to call the server.
type ready struct {
	strings.Builder
	stop context.CancelFunc
}

func (r *ready) Write(p []byte) (int, error) {
	n, err := r.Builder.Write(p)
	if bytes.Contains(p, []byte("curl -i http")) {
		r.stop()
	}
	return n, err
}

func TestServeUntilInterrupted(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := &ready{stop: stop}
	require.NoError(t, run(ctx, []string{"-db", filepath.Join(t.TempDir(), "keys.db"), "-serve"}, out))
	require.Regexp(t, `curl -i -H 'Authorization: Bearer quickstart_test_\w{65,}' http://127\.0\.0\.1:\d+/whoami`, out.String())
}
