package settings_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/settings"
)

// TestOwnersThatNobodyCanBe has the application name owners that it could not name to the service either:
// a fault of the application, told to it and to nobody else.
func TestOwnersThatNobodyCanBe(t *testing.T) {
	for _, owner := range []string{strings.Repeat("x", 256), "ali\xffce", "alice\n", "alice\x00"} {
		s := newSite(t, func(_ *apikey.Config, c *settings.Config) {
			c.Owner = func(*http.Request) (string, error) { return owner, nil }
		})
		for _, a := range []answer{
			s.open("", "/"), s.open("", "/new"), s.open("", "/01m83pph00zab5rrb146"), s.press("", "/01m83pph00zab5rrb146/delete"),
			s.press("", "/new", "label", "x", "contacts", "a@agency.gov.sg"),
		} {
			require.Equal(t, 500, a.status, "%q", owner)
			require.NotContains(t, a.body, "Owner")
			requireSecure(t, a)
		}
		s.call("", "GET", "/", "").refused(t, 500, "internal")
		s.call("", "POST", "/", `{"label":"x","notification_contacts":["a@agency.gov.sg"]}`).refused(t, 500, "internal")
		s.call("", "DELETE", "/01m83pph00zab5rrb146", "").refused(t, 500, "internal")
		require.Equal(t, 8, s.faultCount())
		var argument *apikey.ArgumentError
		require.ErrorAs(t, s.faults[0], &argument)
		require.Equal(t, "Owner", argument.Field)
	}
}

// Row M2: owners that a database or a person may take for the same are not.
func TestOwnersThatLookAlike(t *testing.T) {
	var owner string
	s := newSite(t, func(_ *apikey.Config, c *settings.Config) {
		c.Owner = func(*http.Request) (string, error) { return owner, nil }
	})
	_, key := s.issue("alice", "of alice")
	for _, owner = range []string{"Alice", "alice ", " alice", "al\u0069\u0301ce", "\u0430lice", "alice\u200b", "alic"} {
		require.Equal(t, "[]\n", s.call("", "GET", "/", "").body, "%q", owner)
		s.call("", "DELETE", "/"+key.ID, "").refused(t, 404, "not_found")
		require.Equal(t, 404, s.open("", "/"+key.ID).status)
	}
	require.Equal(t, key, s.get(key))
}

// TestOtherPrefix finds nothing of the same owner's keys of another environment on the same table.
func TestOtherPrefix(t *testing.T) {
	st := new(memstore.Store)
	live := newSiteOn(t, st, func(c *apikey.Config, _ *settings.Config) { c.Prefix = "postman_live" })
	_, key := live.issue("alice", "of live")
	s := newSiteOn(t, st)
	require.Contains(t, s.open("alice", "/").body, "You have no keys yet")
	require.Equal(t, "[]\n", s.call("alice", "GET", "/", "").body)
	for _, a := range []answer{
		s.open("alice", "/"+key.ID), s.press("alice", "/"+key.ID+"/delete"), s.press("alice", "/"+key.ID+"/contacts", "contacts", "a@agency.gov.sg"),
		s.press("alice", "/"+key.ID+"/rotate", "seen", key.Hint, "grace", "none"), s.press("alice", "/"+key.ID+"/rotate", "seen", "", "grace", "none"),
		s.call("alice", "DELETE", "/"+key.ID, ""), s.call("alice", "POST", "/"+key.ID+"/rotate", `{"last_five":""}`),
		s.call("alice", "PUT", "/"+key.ID, `{"notification_contacts":["a@agency.gov.sg"]}`),
	} {
		require.Equal(t, 404, a.status)
	}
	require.Equal(t, key, live.get(key))
}
