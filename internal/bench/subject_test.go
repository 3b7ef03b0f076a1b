package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// honest is a subject that does as it should.
func honest() *subject {
	return &subject{
		name: "honest", where: inMemory, tokens: []string{"good_key", "good_kez", "good_kex"},
		verifier: func() verify {
			return func(_ context.Context, token string) (bool, error) { return strings.HasPrefix(token, "good_"), nil }
		},
		wrong:   func(token string) string { return "bad" + token },
		garbage: func() string { return "junk" },
		change:  func(context.Context, string) error { return nil },
	}
}

func TestCheck(t *testing.T) {
	require.NoError(t, honest().check(t.Context()))
	always := func(answer bool, err error) func() verify {
		return func() verify { return func(context.Context, string) (bool, error) { return answer, err } }
	}
	down := errors.New("down")
	changed := false
	for want, spoil := range map[string]func(*subject){
		"a good token: accepted is false":  func(s *subject) { s.verifier = always(false, nil) },
		"another secret: accepted is true": func(s *subject) { s.verifier = always(true, nil) },
		"garbage: accepted is true":        func(s *subject) { s.garbage = func() string { return "good_luck" } },
		"a good token: down":               func(s *subject) { s.verifier = always(true, down) },
		"a change: down":                   func(s *subject) { s.change = func(context.Context, string) error { return down } },
		"a good token after a change: accepted is false": func(s *subject) {
			s.change = func(context.Context, string) error { changed = true; return nil }
			s.verifier = func() verify { return func(context.Context, string) (bool, error) { return !changed, nil } }
		},
	} {
		s := honest()
		spoil(s)
		require.ErrorContains(t, s.check(t.Context()), "honest, memory: "+want)
	}
}

// TestTurnsCheck holds every turn to verifying what it says.
func TestTurnsCheck(t *testing.T) {
	s := honest()
	for _, e := range []entrant{s.still(), s.changing(100), s.flood(), s.parallel(3)} {
		turn, err := e.work(t.Context(), 250)
		require.NoError(t, err, e.name)
		require.Positive(t, turn.took)
		require.NotEmpty(t, turn.phases)
	}
	s.tokens = []string{"bad_key"}
	for _, e := range []entrant{s.still(), s.changing(100), s.flood(), s.parallel(3)} {
		_, err := e.work(t.Context(), 250)
		require.ErrorIs(t, err, errRefused, e.name)
	}
	s = honest()
	s.garbage = func() string { return "good_luck" }
	_, err := s.flood().work(t.Context(), 5)
	require.ErrorIs(t, err, errAccepted)
}

// TestTurnsCount holds every turn to the share of changes and garbage that it says.
func TestTurnsCount(t *testing.T) {
	var good, junk, changes int
	s := honest()
	s.verifier = func() verify {
		return func(_ context.Context, token string) (bool, error) {
			if token == "junk" {
				junk++
				return false, nil
			}
			good++
			return true, nil
		}
	}
	s.change = func(context.Context, string) error { changes++; return nil }
	_, err := s.changing(100).work(t.Context(), 30)
	require.NoError(t, err)
	require.Equal(t, 30, changes)
	require.Equal(t, 30*100*4/3, good, "and a third before")

	good = 0
	_, err = s.flood().work(t.Context(), 1050)
	require.NoError(t, err)
	require.Equal(t, 1050, junk)
	require.Equal(t, 1050/garbagePerToken+1050/3, good)
}

func TestWarm(t *testing.T) {
	seen := make(map[string]int)
	s := honest()
	s.warms = true
	s.verifier = func() verify {
		return func(_ context.Context, token string) (bool, error) { seen[token]++; return true, nil }
	}
	_, err := s.still().work(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, seen, 3)
}

func TestCloseAll(t *testing.T) {
	var order []string
	failure := errors.New("stuck")
	closed := func(name string, err error) *subject {
		return &subject{close: func() error { order = append(order, name); return err }}
	}
	require.ErrorIs(t, closeAll([]*subject{closed("database", nil), {}, closed("service", failure), closed("cache", nil)}), failure)
	require.Equal(t, []string{"cache", "service", "database"}, order)
}

// TestRespell keeps the id and is right in every respect but the secret.
func TestRespell(t *testing.T) {
	f, tokens := newFloor(10, 10)
	require.True(t, f.verify(tokens[3]))
	other := respell(tokens[3])
	require.Equal(t, tokens[3][:34], other[:34])
	require.NotEqual(t, tokens[3][34:77], other[34:77])
	f.digests[other[13:33]] = floorRecord{}
	require.False(t, f.verify(other))
	keys, err := newService(discard{})
	require.NoError(t, err)
	_, err = keys.Verify(t.Context(), other)
	require.ErrorContains(t, err, "unknown", "and not malformed")
}
