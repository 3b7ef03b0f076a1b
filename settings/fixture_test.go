package settings_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/settings"
	"github.com/opengovsg/latchkey/store"
)

const day = 24 * time.Hour

// A site is a server with the page and the API, whose people have a session cookie.
type site struct {
	t    *testing.T
	url  string
	keys *apikey.Service

	mu     sync.Mutex
	now    time.Time
	faults []error
}

var errNoSession = errors.New("no session")

// signedIn is what an application would do: it asks the cookie who somebody is, and nothing else.
func signedIn(r *http.Request) (string, error) {
	cookie, err := r.Cookie("session")
	if err != nil {
		return "", errNoSession
	}
	switch cookie.Value {
	case "alice-session":
		return "alice", nil
	case "bob-session":
		return "bob", nil
	case "nobody-session":
		return "", nil
	case "outage-session":
		return "", apikey.ErrUnavailable
	}
	return "", errNoSession
}

func newSite(t *testing.T, change ...func(*apikey.Config, *settings.Config)) *site {
	return newSiteOn(t, new(memstore.Store), change...)
}

func newSiteOn(t *testing.T, st store.Store, change ...func(*apikey.Config, *settings.Config)) *site {
	t.Helper()
	s := &site{t: t, now: time.Date(2026, 11, 23, 12, 34, 56, 789_012_000, time.UTC)}
	kc := apikey.Config{Prefix: "postman_test", Scopes: []string{"email:send"}, Now: s.clock}
	sc := settings.Config{Owner: signedIn, Scopes: []string{"email:send"}, Now: s.clock, OnError: s.fault}
	for _, f := range change {
		f(&kc, &sc)
	}
	var err error
	s.keys, err = apikey.New(st, kc)
	require.NoError(t, err)
	set, err := settings.New(s.keys, sc)
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/settings/", set.Page())
	mux.Handle("/api/", set.API())
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *site) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// advance puts the clock forward, also so that keys have an order.
func (s *site) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func (s *site) fault(_ *http.Request, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, err)
}

func (s *site) faultCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.faults)
}

// An answer is a response that was read.
type answer struct {
	status int
	header http.Header
	body   string
}

// json reads the body into v.
func (a answer) json(t *testing.T, v any) {
	t.Helper()
	require.Equal(t, "application/json", a.header.Get("Content-Type"), a.body)
	require.NoError(t, json.Unmarshal([]byte(a.body), v))
}

// refused asserts the status and the code of an error, and returns the message.
func (a answer) refused(t *testing.T, status int, code string) string {
	t.Helper()
	var e map[string]string
	a.json(t, &e)
	require.Equal(t, status, a.status, a.body)
	require.Equal(t, code, e["code"])
	require.NotEmpty(t, e["message"])
	require.Len(t, e, 2)
	return e["message"]
}

var client = &http.Client{
	Timeout:       30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// send makes a request as somebody, "" for nobody. Headers are pairs.
func (s *site) send(who, method, path, body string, headers ...string) answer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	require.NoError(s.t, err)
	if who != "" {
		r.AddCookie(&http.Cookie{Name: "session", Value: who + "-session"})
	}
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	res, err := client.Do(r)
	require.NoError(s.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(s.t, err)
	return answer{res.StatusCode, res.Header, string(text)}
}

// call sends JSON to the API.
func (s *site) call(who, method, path, body string) answer {
	s.t.Helper()
	return s.send(who, method, "/api"+path, body, "Content-Type", "application/json")
}

// open gets a page.
func (s *site) open(who, path string) answer {
	s.t.Helper()
	return s.send(who, "GET", "/settings"+path, "")
}

// press sends a form of the page. Fields are pairs.
func (s *site) press(who, path string, fields ...string) answer {
	s.t.Helper()
	form := make(url.Values)
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return s.send(who, "POST", "/settings"+path, form.Encode(), "Content-Type", "application/x-www-form-urlencoded",
		"Sec-Fetch-Site", "same-origin")
}

// issue makes a key past the handlers, and puts the clock forward.
func (s *site) issue(owner, label string) (token string, key apikey.Key) {
	s.t.Helper()
	t, key, err := s.keys.Issue(s.t.Context(), apikey.Request{Owner: owner, Label: label, Contacts: []string{"ops@agency.gov.sg"}})
	require.NoError(s.t, err)
	s.advance(time.Second)
	return t.Reveal(), key
}

func (s *site) get(key apikey.Key) apikey.Key {
	s.t.Helper()
	key, err := s.keys.Get(s.t.Context(), apikey.Ref{Owner: key.Owner, ID: key.ID})
	require.NoError(s.t, err)
	return key
}

var tokenText = regexp.MustCompile(`postman_test_[0-9a-z]{20}_[0-9A-Za-z]{49}`)
