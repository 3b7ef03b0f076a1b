package main

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
)

// newSetting returns one with a clock that is put forward where the program would wait, so that no
// grace can end because the machine is slow.
func newSetting(t *testing.T, rotation apikey.Rotation) setting {
	t.Helper()
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	return setting{
		path:     filepath.Join(t.TempDir(), "my 100% keys?.db"),
		rotation: rotation,
		now:      now,
		until: func(_ context.Context, end time.Time) error {
			ahead.Add(int64(end.Sub(now())))
			return nil
		},
	}
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestRotateUnderLoad(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(bounded(t), &out, newSetting(t, apikey.Rotation{Grace: time.Hour})))
	paragraphs := strings.Split(strings.TrimSpace(out.String()), "\n\n")
	require.Len(t, paragraphs, 1+rounds+1)
	require.Regexp(t, `^issued   …[0-9A-Za-z]{5}  "nightly job", expires [-0-9]{10}`, paragraphs[0])
	for _, round := range paragraphs[1 : 1+rounds] {
		require.Regexp(t, `^rotated  …[0-9A-Za-z]{5}  the next token is …[0-9A-Za-z]{5}; the key expires [-0-9]{10}
both     .*
swapped  .* has 1h0m0s from its first use
refused  …[0-9A-Za-z]{5}  with 401, and reported: late use of "nightly job"$`, round)
	}
	require.Regexp(t, `^3 rotations under [0-9]+ requests, [1-9][0-9]* of them with an old token. None of these failed.$`, paragraphs[1+rounds])
	require.NotContains(t, out.String(), "rotation_test_")
}

// TestFailedRequestsAreNoticed lets the key expire under the clients.
func TestFailedRequestsAreNoticed(t *testing.T) {
	set := newSetting(t, apikey.Rotation{Grace: time.Hour})
	until := set.until
	set.until = func(ctx context.Context, end time.Time) error {
		return until(ctx, end.AddDate(2, 0, 0))
	}
	err := run(bounded(t), io.Discard, set)
	require.ErrorContains(t, err, "a request was answered with 401")
	require.NotContains(t, err.Error(), "rotation_test_")
}

func TestRunFailsWhereItCannotKeepKeys(t *testing.T) {
	set := newSetting(t, apikey.Rotation{})
	set.path = filepath.Join(t.TempDir(), "no", "such", "folder.db")
	require.Error(t, run(bounded(t), io.Discard, set))
}

func TestSleepUntil(t *testing.T) {
	require.NoError(t, sleepUntil(t.Context(), time.Now().Add(-time.Hour)))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, sleepUntil(ended, time.Now().Add(time.Hour)), context.Canceled)
}
