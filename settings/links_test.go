package settings_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/settings"
)

// TestLinks finds the application's links above every page, also for who is not signed in.
func TestLinks(t *testing.T) {
	links := []settings.Link{{"Sign out & <leave>", "/logout?a=1&b=2"}, {"Help", "https://help.agency.gov.sg/"}}
	s := newSite(t, func(_ *apikey.Config, c *settings.Config) { c.Links = links })
	links[0].URL = "/changed"
	_, key := s.issue("alice", "x")
	for _, a := range []answer{
		s.open("alice", "/"), s.open("alice", "/new"), s.open("alice", "/"+key.ID), s.open("alice", "/none"), s.open("", "/"),
	} {
		require.Contains(t, a.body, `<nav class="links" aria-label="Application">`+
			`<a href="/logout?a=1&amp;b=2">Sign out &amp; &lt;leave&gt;</a> <a href="https://help.agency.gov.sg/">Help</a> </nav>`)
		require.Less(t, strings.Index(a.body, `class="skip"`), strings.Index(a.body, `class="links"`), "the skip link comes first")
		requireNothingInline(t, a)
	}
	require.NotContains(t, newSite(t).open("alice", "/").body, "<nav class=\"links\"")

	keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "x"})
	require.NoError(t, err)
	for _, link := range []settings.Link{
		{"", "/x"}, {"x", ""}, {"x", "logout"}, {"x", "javascript:alert(1)"}, {"x", "//evil.example"}, {"x", "https:///x"}, {"x", "/%zz"},
	} {
		_, err := settings.New(keys, settings.Config{Owner: signedIn, Links: []settings.Link{{"ok", "/"}, link}})
		require.ErrorContains(t, err, "number 2 of Config.Links", link)
		require.NotContains(t, err.Error(), "evil")
	}
}
