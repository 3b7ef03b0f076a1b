package settings_test

import (
	"fmt"
	"html"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
)

// TestManyDeleted lists a key that is older than more deleted ones than are passed over for one page, and
// never says that there is none.
func TestManyDeleted(t *testing.T) {
	st := new(memstore.Store)
	s := newSiteOn(t, st)
	_, old := s.issue("alice", "the old one")
	_, key := s.issue("alice", "x")
	_, err := s.keys.Revoke(t.Context(), apikey.Ref{Owner: "alice", ID: key.ID}, "")
	require.NoError(t, err)
	rec, err := st.Get(t.Context(), key.ID)
	require.NoError(t, err)
	for i := range 4_600 {
		rec.ID = fmt.Sprintf("%s%010d", key.ID[:10], i) // of the same millisecond
		require.NoError(t, st.Create(t.Context(), rec, 0))
	}
	body := s.open("alice", "/").body
	require.NotContains(t, body, "You have no keys yet")
	require.Contains(t, body, "Only deleted keys so far")
	older := regexp.MustCompile(`<a rel="next" href="([^"]*)"`).FindStringSubmatch(body)
	require.NotNil(t, older)
	require.Contains(t, s.open("alice", "/"+html.UnescapeString(older[1])).body, old.ID)

	a := s.call("alice", "GET", "/?limit=20", "")
	require.Equal(t, "[]\n", a.body)
	require.NotEmpty(t, a.header.Get("Link"))
}

// TestClockBehind shows on an instance whose clock is behind what was noted on another one.
func TestClockBehind(t *testing.T) {
	s := newSite(t)
	token, key := s.issue("alice", "x")
	_, err := s.keys.Verify(t.Context(), token)
	require.NoError(t, err)
	require.NoError(t, s.keys.Flush(t.Context()))
	s.advance(-3 * time.Minute)
	for _, path := range []string{"/", "/" + key.ID} {
		body := s.open("alice", path).body
		require.Contains(t, body, "just now")
		require.NotContains(t, body, "minutes")
	}
	_, err = s.keys.Revoke(t.Context(), apikey.Ref{Owner: "alice", ID: key.ID}, "")
	require.NoError(t, err)
	s.advance(-3 * time.Minute)
	require.NotContains(t, s.open("alice", "/?state=revoked").body, "in 3 minutes")
}
