package settings_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/settings"
)

// A keyJSON is a key as a client of the API reads it.
type keyJSON struct {
	ID           string   `json:"id"`
	LastFive     string   `json:"last_five"`
	Label        string   `json:"label"`
	PlainTextKey *string  `json:"plain_text_key"`
	ValidUntil   *string  `json:"valid_until"`
	Contacts     []string `json:"notification_contacts"`
	CreatedAt    string   `json:"created_at"`
	LastUsedAt   *string  `json:"last_used_at"`
	State        string   `json:"state"`
	Rotation     *struct {
		PriorLastFive   string  `json:"prior_last_five"`
		PriorValidUntil *string `json:"prior_valid_until"`
		ActivatedAt     *string `json:"activated_at"`
	} `json:"rotation"`
}

func TestAPICreate(t *testing.T) {
	s := newSite(t)
	a := s.call("alice", "POST", "/", `{"label":"HR reminders","notification_contacts":["a@agency.gov.sg","b@agency.gov.sg"]}`)
	require.Equal(t, 201, a.status, a.body)
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	require.Empty(t, a.header.Values("Location"))
	require.NotRegexp(t, tokenText, fmt.Sprint(a.header))

	var key keyJSON
	a.json(t, &key)
	require.Equal(t, "HR reminders", key.Label)
	require.Equal(t, []string{"a@agency.gov.sg", "b@agency.gov.sg"}, key.Contacts)
	require.Equal(t, "2027-05-22T12:34:56.789Z", *key.ValidUntil)
	require.Equal(t, "2026-11-23T12:34:56.789Z", key.CreatedAt)
	require.Nil(t, key.LastUsedAt)
	require.Equal(t, "active", key.State)
	require.True(t, strings.HasSuffix(*key.PlainTextKey, key.LastFive))
	require.Len(t, key.LastFive, 5)

	opened, err := s.keys.Verify(t.Context(), *key.PlainTextKey)
	require.NoError(t, err)
	require.Equal(t, key.ID, opened.ID)
	require.Equal(t, "alice", opened.Owner)
	require.True(t, opened.Allows("email:send"))

	require.NotContains(t, s.call("alice", "GET", "/", "").body, "plain_text_key")
}

func TestAPICreateWithExpiry(t *testing.T) {
	s := newSite(t)
	var key keyJSON
	s.call("alice", "POST", "/", `{"label":"x","notification_contacts":["a@agency.gov.sg"],"expires_in_days":30}`).json(t, &key)
	require.Equal(t, "2026-12-23T12:34:56.789Z", *key.ValidUntil)

	message := s.call("alice", "POST", "/", `{"label":"x","notification_contacts":["a@agency.gov.sg"],"expires_in_days":367}`).
		refused(t, 400, "api_validation")
	require.Contains(t, message, "expires_in_days")
}

func TestAPIWithoutContacts(t *testing.T) {
	s := newSite(t, func(_ *apikey.Config, c *settings.Config) { c.ContactsOptional = true })
	a := s.call("alice", "POST", "/", `{"label":"x"}`)
	require.Equal(t, 201, a.status)
	require.Contains(t, a.body, `"notification_contacts":[]`)
	var key keyJSON
	a.json(t, &key)
	require.Equal(t, 200, s.call("alice", "PUT", "/"+key.ID, `{"notification_contacts":["a@agency.gov.sg"]}`).status)
	require.Contains(t, s.call("alice", "PUT", "/"+key.ID, `{"notification_contacts":[]}`).body, `"notification_contacts":[]`)
}

func TestAPIListNewestFirst(t *testing.T) {
	s := newSite(t)
	require.Equal(t, "[]\n", s.call("alice", "GET", "/", "").body)
	_, first := s.issue("alice", "first")
	token, second := s.issue("alice", "second")
	s.issue("bob", "of bob")
	_, err := s.keys.Verify(t.Context(), token)
	require.NoError(t, err)
	require.NoError(t, s.keys.Flush(t.Context()))

	a := s.call("alice", "GET", "/", "")
	require.Equal(t, 200, a.status)
	require.Empty(t, a.header.Get("Link"))
	var keys []keyJSON
	a.json(t, &keys)
	require.Len(t, keys, 2)
	require.Equal(t, second.ID, keys[0].ID)
	require.Equal(t, first.ID, keys[1].ID)
	require.NotNil(t, keys[0].LastUsedAt)
	require.Nil(t, keys[1].LastUsedAt)

	head := s.call("alice", "HEAD", "/", "")
	require.Equal(t, 200, head.status)
	require.Empty(t, head.body)
}

// TestAPIPages follows the links through keys of which some are deleted, and finds all others once.
func TestAPIPages(t *testing.T) {
	s := newSite(t)
	var want []string
	for i := range 23 {
		_, key := s.issue("alice", fmt.Sprint("key ", i))
		if i%3 == 0 {
			_, err := s.keys.Revoke(t.Context(), apikey.Ref{Owner: "alice", ID: key.ID}, "")
			require.NoError(t, err)
			continue
		}
		want = append([]string{key.ID}, want...)
	}
	for _, limit := range []int{1, 4, 5, 15} {
		var found []string
		for query, pages := fmt.Sprint("?limit=", limit), 0; query != ""; pages++ {
			require.LessOrEqual(t, pages, len(want))
			a := s.call("alice", "GET", "/"+query, "")
			var keys []keyJSON
			a.json(t, &keys)
			require.LessOrEqual(t, len(keys), limit)
			require.NotEmpty(t, keys)
			for _, key := range keys {
				found = append(found, key.ID)
			}
			link := a.header.Get("Link")
			if query = ""; link != "" {
				require.Regexp(t, `^<\?[^>]+>; rel="next"$`, link)
				query = link[1:strings.Index(link, ">")]
			}
		}
		require.Equal(t, want, found)
	}
	var revoked []keyJSON
	s.call("alice", "GET", "/?state=revoked", "").json(t, &revoked)
	require.Len(t, revoked, 8)
	require.Equal(t, "revoked", revoked[0].State)
}

func TestAPIUpdate(t *testing.T) {
	s := newSite(t)
	_, key := s.issue("alice", "HR")
	a := s.call("alice", "PUT", "/"+key.ID, `{"notification_contacts":["new@agency.gov.sg"]}`)
	require.Equal(t, 200, a.status, a.body)
	var got keyJSON
	a.json(t, &got)
	require.Equal(t, []string{"new@agency.gov.sg"}, got.Contacts)
	require.Equal(t, []string{"new@agency.gov.sg"}, s.get(key).Contacts())
	require.Nil(t, got.PlainTextKey)
	require.Equal(t, "HR", s.get(key).Label)
}

func TestAPIDelete(t *testing.T) {
	s := newSite(t)
	token, key := s.issue("alice", "HR")
	for range 2 { // the second one finds it done
		a := s.call("alice", "DELETE", "/"+key.ID, "")
		require.Equal(t, 200, a.status)
		require.JSONEq(t, `{"id":"`+key.ID+`"}`, a.body)
	}
	_, err := s.keys.Verify(t.Context(), token)
	require.ErrorIs(t, err, apikey.ErrRevoked)
	require.Equal(t, "[]\n", s.call("alice", "GET", "/", "").body)
	s.call("alice", "PUT", "/"+key.ID, `{"notification_contacts":["a@agency.gov.sg"]}`).refused(t, 409, "not_active")
	s.call("alice", "POST", "/"+key.ID+"/rotate", `{}`).refused(t, 409, "not_active")
}

func TestAPIRotate(t *testing.T) {
	s := newSite(t)
	old, key := s.issue("alice", "HR")
	s.advance(100 * day)
	a := s.call("alice", "POST", "/"+key.ID+"/rotate", `{"grace_seconds":3600,"last_five":"`+key.Hint+`"}`)
	require.Equal(t, 201, a.status, a.body)
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	var got keyJSON
	a.json(t, &got)
	require.Equal(t, key.ID, got.ID)
	require.Equal(t, "pending", got.State)
	require.Equal(t, key.Hint, got.Rotation.PriorLastFive)

	// The same again, as of a second press, makes no other token.
	s.call("alice", "POST", "/"+key.ID+"/rotate", `{"last_five":"`+key.Hint+`"}`).refused(t, 409, "conflict")
	for _, token := range []string{old, *got.PlainTextKey} {
		_, err := s.keys.Verify(t.Context(), token)
		require.NoError(t, err)
	}
	var keys []keyJSON
	s.call("alice", "GET", "/", "").json(t, &keys)
	require.Equal(t, "rotating", keys[0].State)
	h, _ := s.get(key).Handover()
	require.Equal(t, s.clock().Add(time.Hour).Truncate(time.Microsecond), h.PriorExpiresAt)
	s.call("alice", "POST", "/"+key.ID+"/rotate", `{}`).refused(t, 409, "in_grace")

	a = s.call("alice", "POST", "/"+key.ID+"/rotate", `{"immediately":true}`)
	require.Equal(t, 201, a.status)
	_, err := s.keys.Verify(t.Context(), *got.PlainTextKey)
	require.ErrorIs(t, err, apikey.ErrSuperseded)
}

// As on the page: whoever chose a life for a key gets a replacement for no longer.
func TestAPIRotateKeepsTheLifeChosen(t *testing.T) {
	s := newSite(t, func(_ *apikey.Config, c *settings.Config) { c.Expiries = []time.Duration{180 * day, 30 * day} })
	var key keyJSON
	s.call("alice", "POST", "/", `{"label":"x","notification_contacts":["a@agency.gov.sg"],"expires_in_days":30}`).json(t, &key)
	s.advance(10 * day)
	s.call("alice", "POST", "/"+key.ID+"/rotate", `{}`).json(t, &key)
	require.Equal(t, "2027-01-02T12:34:56.789Z", *key.ValidUntil)
}

func TestAPIStates(t *testing.T) {
	s := newSite(t, func(c *apikey.Config, _ *settings.Config) { c.AllowNeverExpires = true })
	s.issue("alice", "ends")
	_, _, err := s.keys.Issue(t.Context(), apikey.Request{Owner: "alice", Label: "never ends", NeverExpires: true})
	require.NoError(t, err)
	s.advance(180 * day)
	var keys []keyJSON
	s.call("alice", "GET", "/", "").json(t, &keys)
	require.Nil(t, keys[0].ValidUntil)
	require.Equal(t, "active", keys[0].State)
	require.Equal(t, "expired", keys[1].State)
	s.call("alice", "GET", "/?state=active", "").json(t, &keys)
	require.Len(t, keys, 1)
}

func TestAPILimit(t *testing.T) {
	s := newSite(t, func(c *apikey.Config, _ *settings.Config) { c.MaxPerOwner = 1 })
	s.issue("alice", "the one")
	s.call("alice", "POST", "/", `{"label":"x","notification_contacts":["a@agency.gov.sg"]}`).refused(t, 409, "limit_reached")
	require.Zero(t, s.faultCount())
}

// TestAPIMembers holds the answers to exactly what is documented.
func TestAPIMembers(t *testing.T) {
	s := newSite(t)
	s.issue("alice", "x")
	var keys []map[string]json.RawMessage
	s.call("alice", "GET", "/", "").json(t, &keys)
	names := make([]string, 0, len(keys[0]))
	for name := range keys[0] {
		names = append(names, name)
	}
	require.ElementsMatch(t, []string{"id", "last_five", "label", "valid_until", "notification_contacts", "created_at",
		"last_used_at", "state", "rotation"}, names)
}
