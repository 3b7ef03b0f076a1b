package browsertest

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/bearer"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/settings"
	"github.com/opengovsg/latchkey/store"
)

const day = 24 * time.Hour

// A site is a server with the page.
type site struct {
	url   string // without a slash at the end
	page  string // where the list of keys is, below that
	store store.Store
	owner string

	scopes []string // of each key
}

func stopService() {}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{page: "/settings/", store: new(memstore.Store), owner: "siti@agency.gov.sg", scopes: []string{"email:send"}}
	keys := s.at(t, 0)
	set, err := settings.New(keys, settings.Config{
		Owner: func(r *http.Request) (string, error) {
			cookie, err := r.Cookie("session")
			if err != nil {
				return "", err
			}
			return cookie.Value, nil
		},
		Scopes:   []string{"email:send"},
		Expiries: []time.Duration{180 * day, 30 * day, 90 * day},
	})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/settings/", set.Page())
	mux.HandleFunc("/sign-in", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: s.owner, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
		http.Redirect(w, r, "/settings/", http.StatusSeeOther)
	})
	mux.HandleFunc("/favicon.ico", func(http.ResponseWriter, *http.Request) {})
	mux.Handle("POST /api/mail", bearer.New(keys, bearer.Config{}).Require("email:send")(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
	})))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// at returns the service as it was some time ago, to make keys with that have a past.
func (s *site) at(t *testing.T, ago time.Duration) *apikey.Service {
	t.Helper()
	keys, err := apikey.New(s.store, apikey.Config{Prefix: "postman_dev", Scopes: []string{"email:send"},
		Now: func() time.Time { return time.Now().Add(-ago) }})
	require.NoError(t, err)
	return keys
}

// signIn leads to the list of keys.
func (b *tab) signIn() {
	b.Helper()
	b.visit("/sign-in")
	b.heading("API keys")
}

// opens returns what the API answers to a token.
func (s *site) opens(t *testing.T, token string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/api/mail", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := (&http.Client{Timeout: patience}).Do(r)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res.StatusCode
}
