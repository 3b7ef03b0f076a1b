package main

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 9}, 3}} {
		given := append([]float64(nil), c.of...)
		require.Equal(t, c.want, median(c.of))
		require.Equal(t, given, c.of, "it sorts a copy")
	}
	require.True(t, math.IsNaN(median(nil)))
}

// TestRatio has a machine that slows down from round to round: the medians of times are of another round
// than those of ratios.
func TestRatio(t *testing.T) {
	slower := times{
		{{{10, 100, 1000}, {100, 10, 1000}}},
		{{{30, 400, 2000}, {500, 20, 4000}}, {{7, 7, 7}, {8, 8, 8}}},
	}
	require.Equal(t, figure{100, 100, 100}, slower.time(0, 0))
	require.Equal(t, figure{450, 400, 500}, slower.time(1, 0))
	require.Equal(t, figure{3.5, 3, 4}, slower.ratio(1, 0, 0, 0))
	require.Equal(t, figure{7.5, 7, 8}, slower.time(1, 1))
	require.Equal(t, figure{1, 1, 1}, slower.ratio(0, 0, 0, 0))
}

// steady is work that takes so long each time, by a clock of its own.
func steady(name string, ns float64, calls *[]string) entrant {
	return entrant{name, func(_ context.Context, n int) (turn, error) {
		*calls = append(*calls, name)
		return turn{time.Duration(float64(n) * ns), []float64{ns, 2 * ns}}, nil
	}}
}

func TestCompete(t *testing.T) {
	var calls []string
	entrants := []entrant{steady("a", 1000, &calls), steady("b", 3000, &calls), steady("c", 2000, &calls)}
	p := plan{passes: 4, turn: 500}
	ticks := 0
	got, err := compete(t.Context(), entrants, p, 3, true, func() { ticks++ })
	require.NoError(t, err)
	require.Equal(t, 4*3*3, ticks)
	require.Equal(t, figure{3000, 3000, 3000}, got.time(1, 0))
	require.Equal(t, figure{6000, 6000, 6000}, got.time(1, 1))
	require.Equal(t, figure{1.5, 1.5, 1.5}, got.ratio(1, 0, 2, 0))
	for _, passes := range got {
		require.Len(t, passes, 2, "phases")
		require.Len(t, passes[0], 4)
		require.Len(t, passes[0][3], 3)
	}
	// Everybody comes first at times, and each pair in both orders.
	turns := calls[len(calls)-ticks:]
	first, before := make(map[string]bool), make(map[string]bool)
	for i := 0; i < len(turns); i += 3 {
		round := turns[i : i+3]
		require.ElementsMatch(t, []string{"a", "b", "c"}, round)
		first[round[0]] = true
		before[round[0]+round[1]], before[round[1]+round[2]] = true, true
	}
	require.Len(t, first, 3)
	require.Len(t, before, 6)
}

func TestCompeteEnds(t *testing.T) {
	failure := errors.New("out of order")
	_, err := compete(t.Context(), []entrant{{"x", func(context.Context, int) (turn, error) { return turn{}, failure }}}, tiny, 1, false, func() {})
	require.ErrorIs(t, err, failure)
	require.ErrorContains(t, err, "x: ")

	ctx, cancel := context.WithCancel(t.Context())
	var calls []string
	ticks := 0
	_, err = compete(ctx, []entrant{steady("a", 1e9, &calls)}, plan{passes: 100, turn: 1}, 100, false, func() {
		if ticks++; ticks == 5 {
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 5, ticks)
}

// TestSize gives work enough to do for a turn, also where the first try was held up.
func TestSize(t *testing.T) {
	tries := 0
	n, err := size(t.Context(), entrant{"x", func(_ context.Context, n int) (turn, error) {
		tries++
		took := time.Duration(n) * time.Microsecond
		if tries == 1 {
			took += 20 * time.Millisecond
		}
		return turn{took: took}, nil
	}}, 10*time.Millisecond)
	require.NoError(t, err)
	require.Equal(t, 10_000, n)

	n, err = size(t.Context(), entrant{"slow", func(_ context.Context, n int) (turn, error) {
		return turn{took: time.Duration(n) * time.Second}, nil
	}}, time.Millisecond)
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

// TestPicker draws the same tokens in each run, and all of them.
func TestPicker(t *testing.T) {
	tokens := []string{"a", "b", "c"}
	one, same, other := newPicker(tokens, 1), newPicker(tokens, 1), newPicker(tokens, 2)
	seen := make(map[string]bool)
	differ := false
	for range 10_000 {
		token := one.token()
		require.Equal(t, token, same.token())
		differ = differ || token != other.token()
		seen[token] = true
	}
	require.Len(t, seen, 3)
	require.True(t, differ)
}
