package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/internal/bench/scratch"
)

// TestMain is the process of a server where start runs it as one.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "serve" {
		if err := serve(os.Args[2], os.Stdin, os.Stdout); err != nil {
			io.WriteString(os.Stderr, err.Error()+"\n")
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestMeasure measures every server there is for an instant, and requires that all answers were right.
func TestMeasure(t *testing.T) {
	p := plan{passes: 1, turn: 100 * time.Millisecond, churn: 500 * time.Millisecond, workers: 4}
	r, err := measure(t.Context(), p, subjects(), io.Discard)
	require.NoError(t, err)
	require.Len(t, r.rows, len(subjects()))
	require.Zero(t, r.wrong())
	for _, row := range r.rows {
		require.Positive(t, median(row.throughput), row.name)
		require.Positive(t, row.latency[0].p50, row.name)
		if row.name != bare {
			require.Positive(t, row.changes, row.name)
			require.Positive(t, row.churned, row.name)
		}
	}
	require.InDelta(t, 1, r.ratio(r.rows[0]), 0)
	var page bytes.Buffer
	r.write(&page, true)
	require.Contains(t, page.String(), "not to be quoted")
	for _, name := range subjects() {
		require.Contains(t, page.String(), "| "+name+" |")
	}
	page.Reset()
	r.write(&page, false)
	require.NotContains(t, page.String(), "not to be quoted")
}

// A server that lets everything in is found out.
func TestMeasureFindsWrongAllow(t *testing.T) {
	s, err := start(t.Context(), bare)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.stop()) }()
	answers, changes, err := churn(t.Context(), s, 200, 2, time.Second)
	require.NoError(t, err)
	require.Positive(t, changes)
	m := judge(answers)
	require.Positive(t, m.allowed)
	require.Equal(t, m.allowed, m.sum())
}

func TestJudge(t *testing.T) {
	now := time.Now()
	second := func(n int) time.Time { return now.Add(time.Duration(n) * time.Second) }
	alive, dead := &life{}, &life{ending: second(10), ended: second(12)}
	at := func(l *life, began, over, code int) mistakes {
		return judge([]answer{{l, second(began), second(over).Sub(second(began)), code}})
	}
	const ok, no = http.StatusOK, http.StatusUnauthorized
	allowed, refused, failed := mistakes{allowed: 1}, mistakes{refused: 1}, mistakes{failed: 1}
	require.Zero(t, at(alive, 1, 2, ok))
	require.Equal(t, refused, at(alive, 1, 2, no))
	require.Zero(t, at(dead, 1, 2, ok))
	require.Equal(t, refused, at(dead, 8, 9, no))
	require.Zero(t, at(dead, 9, 11, no), "it may have come after the end")
	require.Zero(t, at(dead, 11, 20, ok), "it may have come before the end")
	require.Zero(t, at(dead, 13, 14, no))
	require.Equal(t, allowed, at(dead, 13, 14, ok))
	for _, code := range []int{0, 400, 403, 500, 503} {
		require.Equal(t, failed, at(alive, 1, 2, code))
		require.Equal(t, failed, at(dead, 13, 14, code))
	}
}

func TestQuantiles(t *testing.T) {
	var answers []answer
	for n := 1000; n >= 1; n-- {
		answers = append(answers, answer{took: time.Duration(n)})
	}
	require.Equal(t, quantiles{501, 991, 1000}, quantilesOf(answers))
	require.Zero(t, quantilesOf(nil))
	require.Equal(t, 2.5, median([]float64{4, 1, 2, 3}))
	require.Equal(t, 2.0, median([]float64{9, 1, 2}))
}

// What can't be measured leaves no page behind.
func TestRunFails(t *testing.T) {
	t.Setenv(scratch.PostgresVariable, "postgres://127.0.0.1:1/none")
	out := filepath.Join(t.TempDir(), "page.md")
	require.ErrorContains(t, run(t.Context(), []string{"-quick", "-out", out}, io.Discard), postgres)
	require.NoFileExists(t, out)
	require.Error(t, run(t.Context(), []string{"-nonsense"}, io.Discard))
}
