package settings_test

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/settings"
)

// shown returns the value of the hidden field that the form was given.
func shown(t *testing.T, body string) string {
	t.Helper()
	m := regexp.MustCompile(`name="seen" value="([^"]*)"`).FindStringSubmatch(body)
	require.NotNil(t, m, body)
	return m[1]
}

// TestPageGenerate goes the way of a person: the empty list, the form, the token, the list.
func TestPageGenerate(t *testing.T) {
	s := newSite(t)
	a := s.open("alice", "/")
	require.Equal(t, 200, a.status)
	require.Contains(t, a.body, "You have no keys yet")
	require.Contains(t, a.body, `href="./new"`)

	form := s.open("alice", "/new")
	require.Equal(t, 200, form.status)
	fields := []string{"seen", shown(t, form.body), "label", " HR reminders ", "contacts", "a@agency.gov.sg\r\n\r\n b@agency.gov.sg \r\n"}
	a = s.press("alice", "/new", fields...)
	require.Equal(t, 200, a.status, a.body)
	require.Empty(t, a.header.Get("Location"))
	require.NotRegexp(t, tokenText, fmt.Sprint(a.header))
	tokens := tokenText.FindAllString(a.body, -1)
	require.Len(t, tokens, 1)
	require.Contains(t, a.body, "It won’t be shown again.")
	require.Contains(t, a.body, `data-copy="token" hidden`, "without a script there is no button")
	require.Contains(t, a.body, `role="status" aria-live="polite" id="copied"`)
	key, err := s.keys.Verify(t.Context(), tokens[0])
	require.NoError(t, err)
	require.Equal(t, "HR reminders", key.Label)
	require.Equal(t, "alice", key.Owner)
	require.Equal(t, []string{"a@agency.gov.sg", "b@agency.gov.sg"}, key.Contacts())
	require.True(t, key.Allows("email:send"))

	// A reload sends the form again, and neither shows the token nor makes another key.
	again := s.press("alice", "/new", fields...)
	require.Equal(t, 409, again.status)
	require.NotRegexp(t, tokenText, again.body)
	require.Contains(t, again.body, "press the button again")
	counts, err := s.keys.Count(t.Context(), "alice")
	require.NoError(t, err)
	require.Equal(t, 1, counts.Active)
	// Who wants another key of the same label presses the button of that page.
	fields[1] = shown(t, again.body)
	require.Regexp(t, tokenText, s.press("alice", "/new", fields...).body)

	for _, path := range []string{"/", "/new", "/" + key.ID, "/" + key.ID + "/delete"} {
		a := s.open("alice", path)
		require.Equal(t, 200, a.status)
		require.NotRegexp(t, tokenText, a.body)
	}
	list := s.open("alice", "/").body
	for _, text := range []string{"HR reminders", "…" + key.Hint, key.ID, "a@agency.gov.sg", "23 Nov 2026", "Never", "22 May 2027", "in 6 months", "Active"} {
		require.Contains(t, list, text)
	}
}

// TestPageKeepsWhatWasTyped finds each mistake beside its field, with everything that was entered.
func TestPageKeepsWhatWasTyped(t *testing.T) {
	s := newSite(t, func(_ *apikey.Config, c *settings.Config) { c.Expiries = []time.Duration{180 * day, 30 * day} })
	const label, contacts = `a "quoted" <b>`, "x@agency.gov.sg\nno body"
	for name, c := range map[string]struct {
		label, contacts, expiry string
		wrong                   []string
	}{
		"label":   {strings.Repeat("x", 256), "a@agency.gov.sg", "2592000", []string{"label"}},
		"control": {"a\x1b[31m", "a@agency.gov.sg", "2592000", []string{"label"}},
		"contact": {label, contacts, "2592000", []string{"contacts"}},
		"expiry":  {label, "a@agency.gov.sg", "86400", []string{"expiry"}},
		"none":    {" ", " \n", "2592000", []string{"label", "contacts"}},
	} {
		a := s.press("alice", "/new", "seen", "", "label", c.label, "contacts", c.contacts, "expiry", c.expiry)
		require.Equal(t, 400, a.status, name)
		require.Contains(t, a.body, "There is a problem")
		require.Contains(t, a.body, "<title>Error: ")
		for _, field := range c.wrong {
			require.Contains(t, a.body, `<a href="#`+field+`">`, name)
			require.Contains(t, a.body, `id="`+field+`-problem"`, name)
			require.Regexp(t, `id="`+field+`"[^>]* aria-describedby="`+field+`-help `+field+`-problem"`, a.body, name)
		}
		require.Equal(t, len(c.wrong), strings.Count(a.body, `<p class="problem"`), name)
		if name != "control" {
			require.Contains(t, html.UnescapeString(a.body), `value="`+c.label+`"`, name)
		}
		require.Contains(t, html.UnescapeString(a.body), ">\n"+c.contacts+"</textarea>", name)
		if c.expiry == "2592000" {
			require.Contains(t, a.body, `value="2592000" checked`, name)
		}
	}
	requireNoKeys(t, s)
}

func TestPageExpiry(t *testing.T) {
	s := newSite(t, func(_ *apikey.Config, c *settings.Config) { c.Expiries = []time.Duration{180 * day, 30 * day} })
	form := s.open("alice", "/new").body
	require.Contains(t, form, `value="15552000" checked`)
	require.Contains(t, form, "until 23 Dec 2026")
	a := s.press("alice", "/new", "seen", "", "label", "x", "contacts", "a@agency.gov.sg", "expiry", "2592000")
	key, err := s.keys.Verify(t.Context(), tokenText.FindString(a.body))
	require.NoError(t, err)
	require.Equal(t, s.clock().Add(30*day), key.ExpiresAt)

	// Its replacement lives as long, also the replacement of that one, and the page says so before.
	for range 2 {
		s.advance(10 * day)
		require.Contains(t, s.open("alice", "/"+key.ID).body, "You get a new key, good for 30 days from now.")
		a = s.press("alice", "/"+key.ID+"/rotate", "seen", key.Hint, "grace", "none")
		key, err = s.keys.Verify(t.Context(), tokenText.FindString(a.body))
		require.NoError(t, err)
		require.Equal(t, s.clock().Add(30*day).Truncate(time.Microsecond), key.ExpiresAt)
	}

	// A life that is none of those offered is renewed by the service's default.
	_, other := s.issue("alice", "other")
	_, err = s.keys.Update(t.Context(), apikey.Ref{Owner: "alice", ID: other.ID}, apikey.Changes{ExpiresAt: s.clock().Add(7 * day)})
	require.NoError(t, err)
	require.Contains(t, s.open("alice", "/"+other.ID).body, "You get a new key with a new expiry date.")
	require.Equal(t, 200, s.press("alice", "/"+other.ID+"/rotate", "seen", other.Hint, "grace", "none").status)
	require.Equal(t, s.clock().Add(180*day).Truncate(time.Microsecond), s.get(other).ExpiresAt)
}

func TestPageContacts(t *testing.T) {
	s := newSite(t)
	_, key := s.issue("alice", "HR")
	a := s.press("alice", "/"+key.ID+"/contacts", "contacts", "b@agency.gov.sg\nc@agency.gov.sg")
	require.Equal(t, 303, a.status)
	require.Equal(t, "../"+key.ID+"?saved", a.header.Get("Location"))
	require.Equal(t, []string{"b@agency.gov.sg", "c@agency.gov.sg"}, s.get(key).Contacts())
	require.Contains(t, s.open("alice", "/"+key.ID+"?saved").body, "Contacts saved.")

	for _, wrong := range []string{"", "nobody"} {
		a := s.press("alice", "/"+key.ID+"/contacts", "contacts", wrong)
		require.Equal(t, 400, a.status)
		require.Contains(t, a.body, `id="contacts-problem"`)
		require.Contains(t, a.body, ">\n"+wrong+"</textarea>")
	}
	require.Len(t, s.get(key).Contacts(), 2)
}

func TestPageRotate(t *testing.T) {
	s := newSite(t)
	old, key := s.issue("alice", "HR")
	page := s.open("alice", "/"+key.ID).body
	require.Contains(t, page, `value="86400" checked`)
	seen := shown(t, page)
	require.Equal(t, key.Hint, seen)

	a := s.press("alice", "/"+key.ID+"/rotate", "seen", seen, "grace", "604800")
	require.Equal(t, 200, a.status, a.body)
	tokens := tokenText.FindAllString(a.body, -1)
	require.Len(t, tokens, 1)
	require.NotEqual(t, old, tokens[0])
	require.Contains(t, a.body, "…"+key.Hint)

	// The same press again shows no token, and leaves the one that was shown alone.
	again := s.press("alice", "/"+key.ID+"/rotate", "seen", seen, "grace", "604800")
	require.Equal(t, 409, again.status)
	require.NotRegexp(t, tokenText, again.body)
	require.Contains(t, again.body, "was replaced after you opened this page")
	require.Contains(t, s.open("alice", "/").body, "New key unused")

	_, err := s.keys.Verify(t.Context(), tokens[0])
	require.NoError(t, err)
	h, _ := s.get(key).Handover()
	require.Equal(t, s.clock().Add(7*day).Truncate(time.Microsecond), h.PriorExpiresAt)
	page = s.open("alice", "/"+key.ID).body
	require.Contains(t, page, "Changing over")
	require.NotContains(t, page, `value="604800"`, "the last rotation is not over")

	require.Equal(t, 409, s.press("alice", "/"+key.ID+"/rotate", "seen", shown(t, page), "grace", "86400").status)
	a = s.press("alice", "/"+key.ID+"/rotate", "seen", shown(t, page), "grace", "none")
	require.Equal(t, 200, a.status)
	require.Contains(t, a.body, "The key before it has stopped working.")
	_, err = s.keys.Verify(t.Context(), tokens[0])
	require.ErrorIs(t, err, apikey.ErrSuperseded)
}

func TestPageRotateWithoutChoice(t *testing.T) {
	s := newSite(t)
	_, key := s.issue("alice", "HR")
	for _, grace := range []string{"", "60", "-1", "0", "x"} {
		a := s.press("alice", "/"+key.ID+"/rotate", "seen", key.Hint, "grace", grace)
		require.Equal(t, 400, a.status)
		require.Contains(t, a.body, `<a href="#grace">`)
	}
	require.Equal(t, 409, s.press("alice", "/"+key.ID+"/rotate", "grace", "86400").status)
	_, rotated := s.get(key).Handover()
	require.False(t, rotated)
}

func TestPageDelete(t *testing.T) {
	s := newSite(t)
	token, key := s.issue("alice", "HR & co")
	page := s.open("alice", "/"+key.ID+"/delete")
	require.Equal(t, 200, page.status)
	require.Contains(t, page.body, "Every system that uses this key stops working at once.")
	_, err := s.keys.Verify(t.Context(), token)
	require.NoError(t, err, "asking deletes nothing")

	a := s.press("alice", "/"+key.ID+"/delete")
	require.Equal(t, 303, a.status)
	require.Equal(t, "../?deleted="+key.ID, a.header.Get("Location"))
	_, err = s.keys.Verify(t.Context(), token)
	require.ErrorIs(t, err, apikey.ErrRevoked)
	list := s.open("alice", "/?deleted="+key.ID).body
	require.Contains(t, list, "“<bdi>HR &amp; co</bdi>” has stopped working.")
	require.Contains(t, list, "You have no keys yet")
	require.Contains(t, s.open("alice", "/?state=revoked").body, key.ID)
	gone := s.open("alice", "/"+key.ID).body
	require.Contains(t, gone, "Deleted")
	require.NotContains(t, gone, "<form")

	// An address that somebody made up says nothing.
	_, other := s.issue("alice", "lives")
	_, theirs := s.issue("bob", "of bob")
	_, err = s.keys.Revoke(t.Context(), apikey.Ref{Owner: "bob", ID: theirs.ID}, "")
	require.NoError(t, err)
	for _, id := range []string{other.ID, theirs.ID, "x"} {
		require.NotContains(t, s.open("alice", "/?deleted="+id).body, "Key deleted.")
	}
}

func TestPagePaging(t *testing.T) {
	s := newSite(t)
	for i := range 45 {
		s.issue("alice", fmt.Sprintf("label %02d.", i))
	}
	older := regexp.MustCompile(`<a rel="next" href="([^"]*)"`)
	var seen []string
	path := "/"
	for range 3 {
		a := s.open("alice", path)
		require.Equal(t, 200, a.status)
		seen = append(seen, regexp.MustCompile(`label \d\d\.`).FindAllString(a.body, -1)...)
		m := older.FindStringSubmatch(a.body)
		if m == nil {
			path = ""
			break
		}
		path = "/" + html.UnescapeString(m[1])
	}
	require.Empty(t, path)
	require.Len(t, seen, 45)
	require.Equal(t, "label 44.", seen[0])
	require.Equal(t, "label 00.", seen[44])
	require.Equal(t, 400, s.open("alice", "/?after=x").status)
}

func TestPageLimit(t *testing.T) {
	s := newSite(t, func(c *apikey.Config, _ *settings.Config) { c.MaxPerOwner = 1 })
	s.issue("alice", "the one")
	a := s.press("alice", "/new", "seen", "zzz", "label", "x", "contacts", "a@agency.gov.sg")
	require.Equal(t, 409, a.status)
	require.Contains(t, a.body, "as many active keys as allowed")
	require.Contains(t, a.body, `value="x"`)
}
