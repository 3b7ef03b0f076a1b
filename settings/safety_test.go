package settings_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/settings"
)

// requireSecure asserts the headers of everything that is about somebody's keys.
func requireSecure(t *testing.T, a answer) {
	t.Helper()
	h := a.header
	require.Equal(t, []string{"no-store"}, h.Values("Cache-Control"))
	require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
	// Under no-referrer, the forms would be sent with Origin: null.
	require.Equal(t, "same-origin", h.Get("Referrer-Policy"))
	policy := h.Get("Content-Security-Policy")
	for _, rule := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
		require.Contains(t, policy, rule)
	}
	require.NotContains(t, policy, "unsafe")
	require.Empty(t, h.Values("Access-Control-Allow-Origin"))
	require.Empty(t, h.Values("Set-Cookie"))
}

// inline is what the policy forbids, and would not run.
var (
	inline = regexp.MustCompile(`(?i)<style|<[a-z][^>]*\s(?:style|on[a-z]+)=|<script(?: src="" defer)?>[^<]`)
	quoted = regexp.MustCompile(`"[^"]*"`)
)

func requireNothingInline(t *testing.T, a answer) {
	t.Helper()
	require.NotRegexp(t, inline, quoted.ReplaceAllString(a.body, `""`))
	require.NotContains(t, a.body, "\"javascript:")
}

func TestHeaders(t *testing.T) {
	s := newSite(t)
	_, key := s.issue("alice", "x")
	pages := []answer{
		s.open("", "/"), s.open("alice", "/"), s.open("alice", "/new"), s.open("alice", "/"+key.ID), s.open("alice", "/"+key.ID+"/delete"),
		s.open("alice", "/"+key.ID+"/rotate"), s.open("alice", "/no/such/page"), s.open("alice", "/?limit=x"),
		s.press("alice", "/new", "seen", "zzz", "label", "y", "contacts", "a@agency.gov.sg"),
		s.press("alice", "/new"), s.press("alice", "/"+key.ID+"/contacts"),
		s.press("alice", "/"+key.ID+"/rotate", "seen", key.Hint, "grace", "86400"),
		s.press("alice", "/"+key.ID+"/delete"),
		s.send("alice", "DELETE", "/settings/", ""),
	}
	for _, a := range pages {
		requireSecure(t, a)
		requireNothingInline(t, a)
		if a.status != 303 {
			require.Equal(t, "text/html; charset=utf-8", a.header.Get("Content-Type"))
			require.Contains(t, a.body, `<html lang="en">`)
			require.Equal(t, 1, strings.Count(a.body, "<h1"))
		}
	}
	for _, a := range []answer{
		s.call("", "GET", "/", ""), s.call("alice", "GET", "/", ""), s.call("alice", "POST", "/", ""), s.call("alice", "PATCH", "/", ""),
		s.call("alice", "POST", "/", `{"label":"x","notification_contacts":["a@agency.gov.sg"]}`), s.call("alice", "DELETE", "/x", ""),
	} {
		requireSecure(t, a)
	}
}

// TestEscaped puts what a browser would run into every place that people fill, and finds it nowhere as
// such.
func TestEscaped(t *testing.T) {
	const label = `"><script>alert(1)</script><img src=x onerror=alert(2)>{{.}}'`
	s := newSite(t, func(_ *apikey.Config, c *settings.Config) { c.Title = "<b>Keys</b>" })
	_, key, err := s.keys.Issue(t.Context(), apikey.Request{Owner: "alice", Label: label, Contacts: []string{"a'&b={{@agency.gov.sg"}})
	require.NoError(t, err)
	for _, a := range []answer{
		s.open("alice", "/"), s.open("alice", "/"+key.ID), s.open("alice", "/"+key.ID+"/delete"),
		s.open("alice", `/%3Cscript%3Ealert(1)%3C/script%3E`), s.open("alice", `/?after=%22%3E%3Cscript%3Ealert(1)`),
		s.press("alice", "/new", "seen", label, "label", label, "contacts", label, "expiry", label),
		s.press("alice", "/"+key.ID+"/contacts", "contacts", "</textarea>"+label),
		s.press("alice", "/"+key.ID+"/rotate", "seen", label, "grace", label),
		s.press("alice", "/new", "seen", "zzz", "label", label, "contacts", "a@agency.gov.sg"),
		s.press("alice", "/"+key.ID+"/rotate", "seen", key.Hint, "grace", "86400"),
	} {
		require.NotContains(t, a.body, "<script>")
		require.NotContains(t, a.body, "<img")
		require.NotContains(t, a.body, "<b>")
		requireNothingInline(t, a)
		require.Equal(t, 1, strings.Count(a.body, "</h1>"))
	}
}

// TestOtherSites sends what a browser sends on behalf of another site, which must change nothing, and
// what it sends for the page itself.
func TestOtherSites(t *testing.T) {
	s := newSite(t)
	_, key := s.issue("alice", "x")
	paths := map[string]string{
		"/settings/new": "label=y&contacts=a@agency.gov.sg", "/settings/" + key.ID + "/delete": "",
		"/settings/" + key.ID + "/contacts": "contacts=b@agency.gov.sg", "/settings/" + key.ID + "/rotate": "grace=none&seen=" + key.Hint,
		"/api/": `{"label":"y","notification_contacts":["a@agency.gov.sg"]}`, "/api/" + key.ID + "/rotate": `{"immediately":true}`,
	}
	for path, body := range paths {
		kind := "application/json"
		if strings.HasPrefix(path, "/settings") {
			kind = "application/x-www-form-urlencoded"
		}
		for _, headers := range [][]string{
			{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
			{"Sec-Fetch-Site", "cross-site", "Origin", s.url},
		} {
			a := s.send("alice", "POST", path, body, append(headers, "Content-Type", kind)...)
			require.Equal(t, 403, a.status, "%s %v", path, headers)
			requireSecure(t, a)
		}
	}
	s.send("alice", "DELETE", "/api/"+key.ID, "", "Sec-Fetch-Site", "cross-site").refused(t, 403, "cross_origin")
	require.Equal(t, key, s.get(key))
	counts, err := s.keys.Count(t.Context(), "alice")
	require.NoError(t, err)
	require.Equal(t, 1, counts.Active)
	require.Equal(t, 200, s.send("alice", "DELETE", "/api/"+key.ID, "", "Origin", s.url).status)
}

// TestSignedOut finds nothing about anybody's keys without a session, and nothing changed.
func TestSignedOut(t *testing.T) {
	s := newSite(t)
	_, key := s.issue("alice", "secret project")
	for _, who := range []string{"", "unknown", "nobody"} {
		for _, path := range []string{"/", "/new", "/" + key.ID, "/" + key.ID + "/delete", "/no/such/page"} {
			a := s.open(who, path)
			require.Equal(t, 401, a.status)
			require.NotEmpty(t, a.header.Get("WWW-Authenticate"))
			require.NotContains(t, a.body, "secret project")
			require.NotContains(t, a.body, "<form")
		}
		require.Equal(t, 401, s.press(who, "/"+key.ID+"/delete").status)
		require.Equal(t, 401, s.press(who, "/new", "label", "x", "contacts", "a@agency.gov.sg", "owner", "alice").status)
		s.call(who, "GET", "/?owner=alice", "").refused(t, 401, "unauthenticated")
		s.call(who, "POST", "/", `{"label":"x","notification_contacts":["a@agency.gov.sg"],"owner":"alice"}`).refused(t, 401, "unauthenticated")
		s.call(who, "DELETE", "/"+key.ID, "").refused(t, 401, "unauthenticated")
	}
	require.Equal(t, key, s.get(key))
	require.Zero(t, s.faultCount())
}

// TestTwoOwners finds that somebody else's key is as good as none, on every page and with every form.
func TestTwoOwners(t *testing.T) {
	s := newSite(t)
	_, theirs := s.issue("bob", "of bob")
	for _, id := range []string{theirs.ID, "01m83pph00zab5rrb146", "x"} {
		for _, a := range []answer{
			s.open("alice", "/"+id), s.open("alice", "/"+id+"/delete"), s.press("alice", "/"+id+"/delete"),
			s.press("alice", "/"+id+"/contacts", "contacts", "a@agency.gov.sg"), s.press("alice", "/"+id+"/contacts", "contacts", ""),
			s.press("alice", "/"+id+"/rotate", "seen", theirs.Hint, "grace", "86400"), s.press("alice", "/"+id+"/rotate"),
		} {
			require.Equal(t, 404, a.status)
			require.NotContains(t, a.body, "of bob")
		}
	}
	require.NotContains(t, s.open("alice", "/").body, theirs.ID)
	require.Equal(t, theirs, s.get(theirs))
}

func TestPageBounds(t *testing.T) {
	s := newSite(t)
	_, key := s.issue("alice", "x")
	const form = "application/x-www-form-urlencoded"
	post := func(path, body, kind string) int {
		return s.send("alice", "POST", "/settings"+path, body, "Content-Type", kind).status
	}
	require.Equal(t, 413, post("/new", "label=x&contacts="+strings.Repeat("a", 64<<10), form))
	require.Equal(t, 415, post("/new", "label=x&contacts=a@agency.gov.sg", "text/plain"))
	require.Equal(t, 415, post("/new", "{}", "application/json"))
	require.Equal(t, 400, post("/new", "label=%zz", form))
	require.Equal(t, 400, post("/new", "label=x&label=y&contacts=a@agency.gov.sg", form))
	require.Equal(t, 400, post("/new?label=x&contacts=a@agency.gov.sg", "", form), "the address is no form")
	for path, allow := range map[string]string{
		"/": "GET, HEAD", "/" + key.ID: "GET, HEAD", "/new": "GET, HEAD, POST", "/" + key.ID + "/delete": "GET, HEAD, POST", "/settings.css": "GET, HEAD",
	} {
		for _, method := range []string{"PUT", "DELETE", "PATCH", "OPTIONS"} {
			a := s.send("alice", method, "/settings"+path, "")
			require.Equal(t, 405, a.status, "%s %s", method, path)
			require.Equal(t, allow, a.header.Get("Allow"))
		}
	}
	counts, err := s.keys.Count(t.Context(), "alice")
	require.NoError(t, err)
	require.Equal(t, 1, counts.Active)
}

// TestMisconfigured finds scopes that the service does not grant: a fault of the application, and not
// a mistake of whoever asks.
func TestMisconfigured(t *testing.T) {
	s := newSite(t, func(k *apikey.Config, c *settings.Config) {
		c.Scopes = []string{"sms:send"}
		tell := c.OnError
		c.OnError = func(r *http.Request, err error) {
			tell(r, err)
			panic("in the hook")
		}
	})
	s.call("alice", "POST", "/", `{"label":"x","notification_contacts":["a@agency.gov.sg"]}`).refused(t, 500, "internal")
	require.Equal(t, 500, s.press("alice", "/new", "label", "x", "contacts", "a@agency.gov.sg").status)
	require.Equal(t, 2, s.faultCount())
	require.ErrorIs(t, s.faults[0], apikey.ErrForbidden)
}

func TestNew(t *testing.T) {
	keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "test"})
	require.NoError(t, err)
	_, err = settings.New(keys, settings.Config{Owner: signedIn})
	require.NoError(t, err)
	_, err = settings.New(nil, settings.Config{Owner: signedIn})
	require.Error(t, err)
	for field, c := range map[string]settings.Config{
		"Owner":    {},
		"Scopes":   {Owner: signedIn, Scopes: []string{"a:b", "all"}},
		"Expiries": {Owner: signedIn, Expiries: []time.Duration{day, time.Hour}},
		"Graces":   {Owner: signedIn, Graces: []time.Duration{time.Hour, 31 * day}},
	} {
		_, err := settings.New(keys, c)
		require.ErrorContains(t, err, "Config."+field)
	}
	for _, twice := range []settings.Config{
		{Owner: signedIn, Scopes: []string{"a:b", "a:b"}},
		{Owner: signedIn, Expiries: []time.Duration{day, day}},
		{Owner: signedIn, Graces: []time.Duration{day, day}},
	} {
		_, err := settings.New(keys, twice)
		require.ErrorContains(t, err, fmt.Sprint("number ", 2))
	}
}
