package settings_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/settings"
)

// pressAtOnce presses a button many times at once, and returns how often each status was answered, and
// the tokens that were shown.
func (s *site) pressAtOnce(path string, fields func(i int) []string) (answers map[int]int, tokens []string) {
	s.t.Helper()
	answers = make(map[int]int)
	all := make([]answer, 40)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i] = s.press("alice", path, fields(i)...) })
	}
	wg.Wait()
	for _, a := range all {
		answers[a.status]++
		tokens = append(tokens, tokenText.FindAllString(a.body, -1)...)
	}
	return answers, tokens
}

// Row M14: of 40 presses at once as many make a key as may.
func TestPageAtOnceNoMoreThanAllowed(t *testing.T) {
	s := newSite(t, func(c *apikey.Config, _ *settings.Config) { c.MaxPerOwner = 5 })
	answers, tokens := s.pressAtOnce("/new", func(i int) []string {
		return []string{"seen", "", "label", fmt.Sprint("system ", i), "contacts", "a@agency.gov.sg"}
	})
	require.Equal(t, map[int]int{200: 5, 409: 35}, answers)
	require.Len(t, tokens, 5)
	for _, token := range tokens {
		_, err := s.keys.Verify(t.Context(), token)
		require.NoError(t, err)
	}
}

// Row M26: of 40 presses at once one replaces the key, and the token that it shows is the one that works.
func TestPageAtOnceOneRotates(t *testing.T) {
	s := newSite(t)
	old, key := s.issue("alice", "x")
	answers, tokens := s.pressAtOnce("/"+key.ID+"/rotate", func(int) []string { return []string{"seen", key.Hint, "grace", "86400"} })
	require.Equal(t, map[int]int{200: 1, 409: 39}, answers)
	require.Len(t, tokens, 1)
	for _, token := range []string{old, tokens[0]} {
		_, err := s.keys.Verify(t.Context(), token)
		require.NoError(t, err)
	}
}

// Who replaces a key while it is deleted is shown a token that is dead, or none; what is deleted stays so.
func TestPageAtOnceDeleteWins(t *testing.T) {
	s := newSite(t)
	old, key := s.issue("alice", "x")
	var (
		wg      sync.WaitGroup
		deleted map[int]int
	)
	wg.Go(func() { deleted, _ = s.pressAtOnce("/"+key.ID+"/delete", func(int) []string { return nil }) })
	rotated, tokens := s.pressAtOnce("/"+key.ID+"/rotate", func(int) []string { return []string{"seen", key.Hint, "grace", "none"} })
	wg.Wait()
	require.Equal(t, map[int]int{303: 40}, deleted)
	require.Equal(t, 40, rotated[200]+rotated[409])
	for _, token := range append(tokens, old) {
		_, err := s.keys.Verify(t.Context(), token)
		require.ErrorIs(t, err, apikey.ErrInvalid)
	}
	require.False(t, s.get(key).RevokedAt.IsZero())
	require.Zero(t, s.faultCount())
}
