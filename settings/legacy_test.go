package settings_test

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/settings"
)

// An earlier is a system whose tokens are "old_" and more, and which kept them as they are.
type earlier struct{}

func (earlier) Name() string                                           { return "earlier" }
func (earlier) Recognizes(token string) bool                           { return strings.HasPrefix(token, "old_") }
func (earlier) Derive(_ context.Context, token string) (string, error) { return token, nil }

func (earlier) Keeps(kept string) bool { return strings.HasPrefix(kept, "old_") }

const oldToken = "old_0000000000000000"

// newSiteAfter has a key of the earlier system, of which nobody knows what its token ends in.
func newSiteAfter(t *testing.T) (*site, apikey.Key) {
	t.Helper()
	st := new(memstore.Store)
	s := newSiteOn(t, st, func(c *apikey.Config, _ *settings.Config) { c.Legacy = []apikey.LegacyScheme{earlier{}} })
	rec, err := s.keys.LegacyRecord(apikey.LegacyKey{
		Scheme: "earlier", OldID: "1", Kept: oldToken, Owner: "alice", Label: "HR",
		CreatedAt: s.clock().Add(-100 * day), ExpiresAt: s.clock().Add(100 * day),
	})
	require.NoError(t, err)
	require.NoError(t, st.Create(t.Context(), rec, 0))
	return s, s.get(apikey.Key{Owner: "alice", ID: rec.ID})
}

var nothing = regexp.MustCompile(`…\s*<`) // of which something should follow the dots

// TestPageRotateWithoutHint replaces a key of which the page has no last characters to show, or to tell
// presses apart by.
func TestPageRotateWithoutHint(t *testing.T) {
	s, key := newSiteAfter(t)
	page := s.open("alice", "/"+key.ID).body
	require.Contains(t, page, "Not known")
	for _, path := range []string{"/", "/" + key.ID, "/" + key.ID + "/delete"} {
		require.NotRegexp(t, nothing, s.open("alice", path).body)
	}
	require.Equal(t, 409, s.press("alice", "/"+key.ID+"/rotate", "grace", "86400").status, "a form that says nothing of what was seen")
	require.Equal(t, 409, s.press("alice", "/"+key.ID+"/rotate", "seen", "00000", "grace", "86400").status)

	a := s.press("alice", "/"+key.ID+"/rotate", "seen", shown(t, page), "grace", "86400")
	require.Equal(t, 200, a.status, a.body)
	token := tokenText.FindString(a.body)
	require.Contains(t, a.body, "The key before it goes on until the new one is first used")
	require.NotContains(t, a.body, "has stopped working")

	again := s.press("alice", "/"+key.ID+"/rotate", "seen", shown(t, page), "grace", "86400")
	require.Equal(t, 409, again.status)
	require.NotRegexp(t, tokenText, again.body)
	require.Contains(t, again.body, "Key before it</dt><dd>works until")
	require.Contains(t, s.open("alice", "/"+key.ID+"/delete").body, "The key before it ends with it.")
	for _, open := range []string{oldToken, token} {
		_, err := s.keys.Verify(t.Context(), open)
		require.NoError(t, err)
	}
}

func TestAPIRotateWithoutHint(t *testing.T) {
	s, key := newSiteAfter(t)
	s.call("bob", "POST", "/"+key.ID+"/rotate", `{"last_five":""}`).refused(t, 404, "not_found")
	a := s.call("alice", "POST", "/"+key.ID+"/rotate", `{"last_five":""}`)
	require.Equal(t, 201, a.status, a.body)
	var got keyJSON
	a.json(t, &got)
	require.Empty(t, got.Rotation.PriorLastFive)
	s.call("alice", "POST", "/"+key.ID+"/rotate", `{"last_five":""}`).refused(t, 409, "conflict")
	require.Equal(t, got.LastFive, s.get(key).Hint)
}
