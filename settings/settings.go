// Package settings is what a signed-in person manages API keys with: a page, and a JSON API for an
// application with pages of its own. Both are handlers to mount below any path.
//
//	s, err := settings.New(keys, settings.Config{Owner: func(r *http.Request) (string, error) {
//		return sessions.User(r)
//	}})
//	mux.Handle("/settings/keys/", s.Page())
//	mux.Handle("/api/keys/", s.API())
//
// Who is signed in is for Config.Owner to tell, from a session cookie or whatever else the
// application has. Requests that a browser sends on behalf of another site are refused. Mount the
// handlers beside the handlers that keys open, and not behind the same guard: whoever holds a key
// should not be able to make more of them.
package settings

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/opengovsg/latchkey/apikey"
)

// Config adjusts the page and the API. Only Owner is required.
type Config struct {
	// Owner returns the owner whose keys the person behind the request may manage, as the application
	// names it to apikey.Service. An error, or an empty owner, is answered with 401; an error that wraps
	// apikey.ErrUnavailable with 503. It must be safe for concurrent use.
	Owner func(r *http.Request) (owner string, err error)

	// Title is the heading of the page: "API keys" where empty.
	Title string

	// ContactsOptional lets keys be without a contact. Nobody hears then that such a key is about to
	// end.
	ContactsOptional bool

	// Scopes are what every key that is made here may do. They must be among apikey.Config.Scopes.
	// None: keys identify their owner and no more.
	Scopes []string

	// Expiries are the lives that the page offers for a new key, the first of them chosen already: at
	// least a day each, and no longer than apikey.Config.MaxTTL. None: no choice, and the service's own
	// default.
	Expiries []time.Duration

	// Graces are the overlaps that the page offers for a rotation, the first of them chosen already: a
	// minute to 30 days each. None: 24 hours, 7 days and 1 hour.
	Graces []time.Duration

	// Links are shown above every page, in this order: the way back to the application, and out of it.
	// None: no such line.
	Links []Link

	// CSS is appended to the page's stylesheet. It is where to set the custom properties that the
	// stylesheet begins with, such as --keys-accent.
	CSS string

	// Location is where the page tells dates and times: UTC where nil.
	Location *time.Location

	// OnError, where not nil, is told of faults after the answer is decided: a store that could not
	// answer, a person for whom Owner fails with apikey.ErrUnavailable, a configuration that the service
	// refuses. Mistakes in requests are no faults. It must be safe for concurrent use, and a panic in it
	// is recovered.
	OnError func(r *http.Request, err error)

	// Now is the clock that states and dates are told by, and should be that of the service: time.Now
	// where nil. It must be safe for concurrent use.
	Now func() time.Time
}

// A Link leads to another page of the application.
type Link struct {
	Text string // must not be empty
	URL  string // a path such as "/logout", or begins with https:// or http://
}

// Settings makes the handlers. Make one with [New]. It is safe for concurrent use.
type Settings struct {
	keys   *apikey.Service
	config Config
	assets map[string]asset
	origin *http.CrossOriginProtection
}

const (
	day      = 24 * time.Hour
	minGrace = time.Minute
	maxGrace = 30 * day
)

// New returns handlers for the keys of the service. The error, if any, says which field of the
// configuration can't be so.
func New(keys *apikey.Service, c Config) (*Settings, error) {
	switch {
	case keys == nil:
		return nil, errors.New("settings: the service is nil")
	case c.Owner == nil:
		return nil, errors.New("settings: Config.Owner is nil")
	}
	for i, scope := range c.Scopes {
		if !apikey.ValidScope(scope) || slices.Contains(c.Scopes[:i], scope) {
			return nil, fmt.Errorf("settings: number %d of Config.Scopes is repeated or not of the form resource:action", i+1)
		}
	}
	for i, expiry := range c.Expiries {
		if expiry < day || slices.Contains(c.Expiries[:i], expiry) {
			return nil, fmt.Errorf("settings: number %d of Config.Expiries is repeated or less than a day", i+1)
		}
	}
	for i, grace := range c.Graces {
		if grace < minGrace || grace > maxGrace || slices.Contains(c.Graces[:i], grace) {
			return nil, fmt.Errorf("settings: number %d of Config.Graces is repeated or not a minute to 30 days", i+1)
		}
	}
	for i, link := range c.Links {
		u, err := url.Parse(link.URL)
		local := err == nil && u.Scheme == "" && u.Host == "" && strings.HasPrefix(link.URL, "/")
		web := err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
		if link.Text == "" || !local && !web {
			return nil, fmt.Errorf("settings: number %d of Config.Links has no text, or leads neither to a path nor to https:// or http://", i+1)
		}
	}
	c.Scopes, c.Expiries, c.Graces = slices.Clone(c.Scopes), slices.Clone(c.Expiries), slices.Clone(c.Graces)
	c.Links = slices.Clone(c.Links)
	if len(c.Graces) == 0 {
		c.Graces = []time.Duration{day, 7 * day, time.Hour}
	}
	if c.Title == "" {
		c.Title = "API keys"
	}
	if c.Location == nil {
		c.Location = time.UTC
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Settings{
		keys:   keys,
		config: c,
		assets: assetsWith(c.CSS),
		origin: http.NewCrossOriginProtection(),
	}, nil
}

// errSignedOut says that nobody is signed in.
var errSignedOut = errors.New("settings: not signed in")

// owner returns whose keys the request is about, from Config.Owner and nowhere else.
func (s *Settings) owner(r *http.Request) (string, error) {
	owner, err := s.config.Owner(r)
	switch {
	case errors.Is(err, apikey.ErrUnavailable):
		return "", err
	case err != nil || owner == "":
		return "", errSignedOut
	}
	return owner, nil
}

// tell runs the application's hook.
func (s *Settings) tell(r *http.Request, err error) {
	if s.config.OnError == nil {
		return
	}
	defer func() { recover() }()
	s.config.OnError(r, err)
}

// secure sets what every answer carries. A page must not run or load anything that is not its own,
// be shown inside another site's, or be kept: one of the answers holds a token.
func secure(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; "+
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// Under no-referrer a browser sends forms with "Origin: null". Where it says nothing of
	// Sec-Fetch-Site, as without TLS, each would be taken for another site's.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY") // for browsers that don't know frame-ancestors
}
