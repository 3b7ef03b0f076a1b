package main

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/examples/postman/mail/mailtest"
)

func TestDryRun(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), []string{"-dry-run"}, &out))
	for _, line := range []string{
		`This would be sent:`,
		`key \w{20} "Payroll: gaji & 工资 <live>" of "team_hr": ends in 3 days, on .* \+08:00; 2 contacts`,
		`key \w{20} "Leave reminders" of "team_hr": ends in 13 days, on .*; 1 contact\n`,
		`key \w{20} "Appointments" of "team_hr": not used since it was rotated, the old token ends tomorrow, on .*; 1 contact\n`,
		`Subject: API key “Appointments”: the old token stops working tomorrow`,
		`https://app\.agency\.example/settings/api-keys`,
	} {
		require.Regexp(t, line, out.String())
	}
	for _, other := range []string{"Nobody's", "Newsletter", "Old intranet", "@", "reminders_test_"} {
		require.NotContains(t, out.String(), other)
	}
}

func TestIdle(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), []string{"-idle", "1"}, &out))
	require.Regexp(t, `key \w{20} "Leave reminders" of "team_hr": never used, issued \d{4}-\d\d-\d\d\n`, out.String())
	require.Regexp(t, `\n\d+ keys unused since \d{4}-`, out.String())
	out.Reset()
	require.NoError(t, run(t.Context(), []string{"-idle", "4000"}, &out))
	require.Regexp(t, `(?m)^0 keys unused since`, out.String())
}

// A database is told of once, however often the program runs, and whatever it is called.
func TestOnce(t *testing.T) {
	s := mailtest.Start(t, nil)
	path := filepath.Join(t.TempDir(), "my 100% keys?.db")
	require.NoError(t, makeSamples(t.Context(), path, "acme_live"))
	args := []string{"-db", path, "-prefix", "acme_live", "-smtp", s.Addr, "-plaintext"}
	var out strings.Builder
	require.NoError(t, run(t.Context(), append(args, "-dry-run"), &out))
	require.Empty(t, s.Received())

	require.NoError(t, run(t.Context(), append(args, "-once"), &out))
	require.Contains(t, out.String(), "3 sent, 0 failed, 1 without contacts, 0 done before")
	got := s.Received()
	require.Len(t, got, 4)
	for _, e := range got {
		read(t, e)
	}
	out.Reset()
	require.NoError(t, run(t.Context(), append(args, "-once"), &out))
	require.Equal(t, "0 sent, 0 failed, 1 without contacts, 3 done before\n", out.String())
	out.Reset()
	require.NoError(t, run(t.Context(), append(args, "-dry-run"), &out))
	require.Equal(t, "There is nothing to send.\n", out.String())
	require.Empty(t, s.Received())
}

// passed ends the context when a pass was made.
type passed struct {
	mu sync.Mutex
	strings.Builder
	stop context.CancelFunc
}

func (p *passed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if bytes.Contains(b, []byte("sent")) {
		p.stop()
	}
	return p.Builder.Write(b)
}

func TestRunUntilInterrupted(t *testing.T) {
	s := mailtest.Start(t, nil)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := &passed{stop: stop}
	require.NoError(t, run(ctx, []string{"-smtp", s.Addr, "-plaintext"}, out))
	require.Contains(t, out.String(), "3 sent, 0 failed")
	require.Len(t, s.Received(), 4)
}

func TestRunFails(t *testing.T) {
	empty := []string{"-dry-run", "-db", filepath.Join(t.TempDir(), "empty.db")}
	require.ErrorContains(t, run(t.Context(), empty, io.Discard), "there is no schema")
	for i, args := range [][]string{
		{},
		{"-dry-run", "-zone", "Mars/Olympus"},
		{"-dry-run", "-prefix", "No"},
		{"-smtp", "mail.test"},
		{"-smtp", "mail.test:smtp"},
		{"-smtp", "127.0.0.1:1", "-once"}, // where nobody listens
	} {
		require.Error(t, run(t.Context(), args, io.Discard), i)
	}
}
