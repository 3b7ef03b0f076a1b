package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/internal/bench/scratch"
)

// TestMain is the process of an instance where runInstance runs it as one.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "instance" {
		if err := instance(os.Stdin, os.Stdout); err != nil {
			io.WriteString(os.Stderr, err.Error()+"\n")
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestMeasure(t *testing.T) {
	if os.Getenv(scratch.PostgresVariable) == "" {
		if os.Getenv("LATCHKEY_REQUIRE_DATABASES") == "1" {
			t.Fatal(scratch.PostgresVariable + " names no server")
		}
		t.Skip(scratch.PostgresVariable + " names no server: start those of compose.yaml with `docker compose up -d` and set it as that file says")
	}
	s := setting{Instances: 2, Keys: 10, Rate: 20, Changes: 0.5, MaxAge: time.Second, PollEvery: 100 * time.Millisecond, Measured: time.Second}
	found, err := measure(t.Context(), s)
	require.NoError(t, err)
	require.Zero(t, found.Refused, "no token is refused because its key has another label")
	require.Positive(t, found.Gets)
	require.Less(t, found.Gets, found.Verified, "the cache answers most")
	require.Positive(t, found.Lists)

	var page bytes.Buffer
	write(&page, []row{{s, found}}, true)
	require.Contains(t, page.String(), "not to be quoted")
	require.Contains(t, page.String(), "| 2 | 10 | 20 | 0.5 | 1s |")
}

// The formulas, where what they come to is known otherwise.
func TestFormulas(t *testing.T) {
	s := setting{Instances: 1000, Keys: 100, Rate: 1e9, MaxAge: 16 * time.Second, PollEvery: time.Second}
	require.InDelta(t, 15, kept(s), 1e-6)
	require.InDelta(t, 100_000/15.0, reads(s), 1e-3, "a key that is used all the time is read once for each time that an answer is kept")
	require.InDelta(t, 1000, polls(s), 1e-9)
	s.Rate = 1e-6
	require.InDelta(t, 0.1, reads(s), 1e-4, "a key that is hardly used is read with each use")
	s.Rate, s.Changes = 1e9, 1e-9
	require.InDelta(t, 100_000/15.0, reads(s), 1e-3, "a key that is hardly changed is one that is not")
	s.Changes = 1e9
	require.InDelta(t, 200_000, reads(s), 1, "a key that changes all the time is kept until the next poll")
}

func TestRunFails(t *testing.T) {
	t.Setenv(scratch.PostgresVariable, "postgres://app:canary@127.0.0.1:1/none")
	out := filepath.Join(t.TempDir(), "page.md")
	err := run(t.Context(), []string{"-quick", "-out", out}, io.Discard)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "canary")
	require.NoFileExists(t, out)
	require.Error(t, run(t.Context(), []string{"-nonsense"}, io.Discard))
}
