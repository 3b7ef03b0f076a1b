package settings_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/settings"
)

// TestMounts goes through the page and the API wherever they may be mounted, by the links and forms of
// the pages themselves.
func TestMounts(t *testing.T) {
	for name, m := range map[string]struct {
		mount func(h http.Handler) http.Handler
		path  string
	}{
		"the root": {func(h http.Handler) http.Handler { return h }, "/"},
		"a pattern": {func(h http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/settings/keys/", h)
			return mux
		}, "/settings/keys/"},
		"the root pattern": {func(h http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/", h)
			return mux
		}, "/"},
		"a pattern with wildcards": {func(h http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/teams/{team}/keys/{rest...}", h)
			return mux
		}, "/teams/a%2Fb%20c/keys/"},
		"a pattern with a method": {func(h http.Handler) http.Handler {
			mux := http.NewServeMux()
			for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
				mux.Handle(method+" /my keys/", h)
			}
			return mux
		}, "/my%20keys/"},
		"stripped": {func(h http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/settings/keys/", http.StripPrefix("/settings/keys", h))
			return mux
		}, "/settings/keys/"},
		"stripped with the slash": {func(h http.Handler) http.Handler { return http.StripPrefix("/settings/", h) }, "/settings/"},
		"stripped in two steps": {func(h http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/keys/", h)
			return http.StripPrefix("/app", mux)
		}, "/app/keys/"},
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "postman_test"})
			require.NoError(t, err)
			set, err := settings.New(keys, settings.Config{Owner: signedIn})
			require.NoError(t, err)

			page := httptest.NewServer(m.mount(set.Page()))
			defer page.Close()
			s := &site{t: t, url: page.URL, keys: keys}
			walkPage(t, s, m.path)

			api := httptest.NewServer(m.mount(set.API()))
			defer api.Close()
			s.url = api.URL
			var listed []keyJSON
			s.send("alice", "GET", m.path, "").json(t, &listed)
			require.Len(t, listed, 1)
			a := s.send("alice", "PUT", m.path+listed[0].ID, `{"notification_contacts":["b@agency.gov.sg"]}`, "Content-Type", "application/json")
			require.Equal(t, 200, a.status, a.body)
			a = s.send("alice", "POST", m.path+listed[0].ID+"/rotate", `{}`, "Content-Type", "application/json")
			require.Equal(t, 201, a.status, a.body)
			require.Equal(t, 200, s.send("alice", "DELETE", m.path+listed[0].ID, "").status)
			require.Equal(t, 404, s.send("alice", "GET", m.path+"x/y/", "").status)
			require.Equal(t, 200, s.send("", "GET", m.path+"openapi.json", "").status)
		})
	}
}

// walkPage makes a key and opens what the pages link to.
func walkPage(t *testing.T, s *site, path string) {
	t.Helper()
	follow := func(from, to string) string {
		base, err := http.NewRequest("GET", s.url+from, nil)
		require.NoError(t, err)
		next, err := base.URL.Parse(to)
		require.NoError(t, err)
		return next.RequestURI()
	}
	form := follow(path, find(t, s.send("alice", "GET", path, ""), `<a class="button" href="([^"]*)"`))
	action := follow(form, find(t, s.send("alice", "GET", form, ""), `action="([^"]*)"`))
	a := s.send("alice", "POST", action, "seen=&label=x&contacts=a@agency.gov.sg", "Content-Type", "application/x-www-form-urlencoded")
	require.Regexp(t, tokenText, a.body)

	list := s.send("alice", "GET", path, "")
	key := follow(path, find(t, list, `<a class="label" href="([^"]*)"`))
	ask := follow(key, find(t, s.send("alice", "GET", key, ""), `<a class="button danger" href="([^"]*)"`))
	back := follow(ask, find(t, s.send("alice", "GET", ask, ""), `<p class="back"><a href="([^"]*)"`))
	require.Equal(t, key, back)
	contacts := follow(key, find(t, s.send("alice", "GET", key, ""), `action="([^"]*contacts)"`))
	a = s.send("alice", "POST", contacts, "contacts=c@agency.gov.sg", "Content-Type", "application/x-www-form-urlencoded")
	require.Equal(t, key+"?saved", follow(contacts, a.header.Get("Location")))
	require.Equal(t, key, follow(contacts, s.send("alice", "GET", contacts, "").header.Get("Location")))

	for _, from := range []string{path, key, ask, path + "no/such/page"} {
		a := s.send("alice", "GET", from, "")
		css := s.send("", "GET", follow(from, find(t, a, `<link rel="stylesheet" href="([^"]*)"`)), "")
		require.Equal(t, 200, css.status)
		require.Equal(t, "text/css; charset=utf-8", css.header.Get("Content-Type"))
		js := s.send("", "GET", follow(from, find(t, a, `<script src="([^"]*)"`)), "")
		require.Equal(t, "text/javascript; charset=utf-8", js.header.Get("Content-Type"))
	}
}

func find(t *testing.T, a answer, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(a.body)
	require.NotNil(t, m, a.body)
	return m[1]
}

// TestMountWithoutSlash leads to the address that the links are relative to.
func TestMountWithoutSlash(t *testing.T) {
	keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "postman_test"})
	require.NoError(t, err)
	set, err := settings.New(keys, settings.Config{Owner: signedIn})
	require.NoError(t, err)
	server := httptest.NewServer(http.StripPrefix("/a/settings", set.Page()))
	defer server.Close()
	s := &site{t: t, url: server.URL}
	a := s.send("alice", "GET", "/a/settings?x=y", "")
	require.Equal(t, 303, a.status)
	require.Equal(t, "./settings/", a.header.Get("Location"))
}

// TestDeepPaths asks for paths that links out of would take megabytes, signed in or not.
func TestDeepPaths(t *testing.T) {
	s := newSite(t)
	require.Contains(t, s.open("alice", strings.Repeat("/x", 16)).body, `href="`+"./"+strings.Repeat("../", 15)+`settings.css"`)
	for _, who := range []string{"", "alice"} {
		for _, depth := range []int{17, 400_000} {
			a := s.open(who, strings.Repeat("/x", depth))
			require.Equal(t, 404, a.status)
			require.Less(t, len(a.body), 100)
			requireSecure(t, a)
		}
	}
	a := s.send("alice", "GET", "/api"+strings.Repeat("/x", 400_000), "")
	a.refused(t, 404, "not_found")
}

func TestAssets(t *testing.T) {
	s := newSite(t, func(_ *apikey.Config, c *settings.Config) { c.CSS = ":root { --keys-accent: rebeccapurple }" })
	css := s.send("", "GET", "/settings/settings.css", "")
	require.True(t, strings.HasSuffix(css.body, "\n:root { --keys-accent: rebeccapurple }"))
	require.Equal(t, "no-cache", css.header.Get("Cache-Control"))
	require.Equal(t, "nosniff", css.header.Get("X-Content-Type-Options"))
	again := s.send("", "GET", "/settings/settings.css", "", "If-None-Match", css.header.Get("Etag"))
	require.Equal(t, 304, again.status)
	require.Empty(t, again.body)
	require.NotEqual(t, css.header.Get("Etag"), newSite(t).send("", "GET", "/settings/settings.css", "").header.Get("Etag"))
	for _, path := range []string{"/settings/list.html", "/settings/openapi.json", "/settings/assets/settings.css", "/api/settings.css"} {
		require.Contains(t, []int{404, 405}, s.send("alice", "GET", path, "").status)
	}
}
