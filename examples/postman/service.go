package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
	_ "time/tzdata" // a container may have no zones of its own

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/legacy"
	"github.com/opengovsg/latchkey/apikey/reminder"
	"github.com/opengovsg/latchkey/bearer"
	"github.com/opengovsg/latchkey/emaildomain"
	"github.com/opengovsg/latchkey/examples/postman/database"
	"github.com/opengovsg/latchkey/examples/postman/mail"
	"github.com/opengovsg/latchkey/examples/postman/signin"
	"github.com/opengovsg/latchkey/settings"
)

// The scopes of keys. A key that was taken over has none, and may do all that its owner may.
const (
	scopeSend = "email:send"
	scopeRead = "campaign:read"
)

const day = 24 * time.Hour

// A service is everything behind the socket.
type service struct {
	log      *slog.Logger
	db       *database.Database
	keys     *apikey.Service
	guard    *bearer.Guard
	signin   *signin.SignIn
	mail     mail.Sender
	from     string
	reminder *reminder.Reminder
	origin   *http.CrossOriginProtection
	now      func() time.Time
	handler  http.Handler
	ending   atomic.Bool
}

func newService(o options, db *database.Database) (*service, error) {
	s := &service{log: slog.New(slog.NewJSONHandler(o.log, nil)), db: db, from: o.from, origin: http.NewCrossOriginProtection(), now: o.now}
	if s.now == nil {
		s.now = time.Now
	}
	if o.dev {
		s.from = "postman@agency.gov.sg"
	}
	officers, err := emaildomain.New(".gov.sg")
	if err != nil {
		return nil, err
	}
	singapore, err := time.LoadLocation("Asia/Singapore")
	if err != nil {
		return nil, err
	}
	var outbox *mail.Outbox
	if s.mail, outbox, err = sender(o); err != nil {
		return nil, err
	}
	links, mailPage := []settings.Link{{Text: "Sign out", URL: "/logout"}}, ""
	if outbox != nil {
		mailPage = "/outbox"
		links = append([]settings.Link{{Text: "Outbox", URL: mailPage}}, links...)
	}
	if s.keys, err = newKeys(o, db, s.log); err != nil {
		return nil, err
	}
	s.guard = bearer.New(s.keys, bearer.Config{Realm: "postman", OnDeny: s.denied})
	s.signin = signin.New(signin.Config{
		DB: db.DB, Dialect: db.Dialect, Policy: officers, Mail: s.mail, Keys: codeKeys(o.peppers),
		InsecureCookie: o.dev, Home: "/settings/", MailPage: mailPage, OnError: s.fault, Now: o.now,
	})
	page, err := settings.New(s.keys, settings.Config{
		Owner:    s.signin.Owner,
		Scopes:   []string{scopeSend, scopeRead},
		Expiries: []time.Duration{180 * day, 90 * day, 30 * day},
		Links:    links,
		CSS: ".narrow > form { margin-top: 2rem; } .intro + p, .actions + p { margin-top: 1rem; } " +
			"pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font: .94rem/1.5 var(--keys-mono); }",
		Location: singapore,
		OnError:  s.fault,
		Now:      o.now,
	})
	if err != nil {
		return nil, err
	}
	s.reminder, err = reminder.New(s.keys, s.remindBy(o.url+"/settings/"), reminder.Config{
		Milestones: []int{28, 14, 3, 1}, Location: singapore, OnPass: s.reminded, Now: o.now,
	})
	if err != nil {
		return nil, err
	}
	s.handler = s.logged(s.routes(page, outbox))
	return s, nil
}

// newKeys returns the service of the keys.
func newKeys(o options, db *database.Database, log *slog.Logger) (*apikey.Service, error) {
	c := apikey.Config{
		Prefix:     "postman_live",
		Scopes:     []string{scopeSend, scopeRead},
		DefaultTTL: 180 * day,
		Observer:   apikey.LogEvents(log),
		Now:        o.now,
	}
	if o.dev {
		c.Prefix = "postman_dev"
		c.LastUsedEvery = time.Second // who tries it out looks at once
	}
	for _, key := range o.peppers {
		pepper := apikey.NoPepper
		if key != nil {
			var err error
			if pepper, err = apikey.NewPepper(key); err != nil {
				return nil, fmt.Errorf("POSTMAN_PEPPERS_FILE: %w", err)
			}
		}
		c.Peppers = append(c.Peppers, pepper)
	}
	if o.legacySalt != "" {
		scheme, err := legacy.NewPostman(o.legacySalt, "v1")
		if err != nil {
			return nil, fmt.Errorf("POSTMAN_LEGACY_SALT: %w", err)
		}
		c.Legacy = []apikey.LegacyScheme{scheme}
	}
	return apikey.New(db.Keys, c)
}

// codeKeys derives from each pepper a key for the hashes of one-time codes, so that one secret has one use.
func codeKeys(peppers [][]byte) [][]byte {
	var keys [][]byte
	for _, pepper := range peppers {
		if pepper == nil {
			keys = append(keys, nil)
			continue
		}
		mac := hmac.New(sha256.New, pepper)
		mac.Write([]byte("postman one-time codes"))
		keys = append(keys, mac.Sum(nil))
	}
	return keys
}

// routes are those of today's service, and the pages. A front end of another origin is refused, so today's
// is to be served at the same one, by the proxy in front.
func (s *service) routes(page *settings.Settings, outbox *mail.Outbox) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", http.RedirectHandler("/settings/", http.StatusSeeOther))
	mux.Handle("/login", s.signin.Page())
	mux.Handle("/login/", s.signin.Page())
	mux.Handle("/logout", s.signin.Page())
	mux.Handle("/settings/", s.signin.Require(page.Page()))
	mux.Handle("GET /settings/settings.css", http.StripPrefix("/settings", page.Page())) // also for who is not signed in
	if outbox != nil {
		mux.Handle("GET /outbox", outbox.Page())
		mux.Handle("GET /outbox.json", outbox.JSON())
	}

	mux.Handle("/v1/auth/", s.signin.API())
	mux.Handle("/v1/api-key", page.API())
	mux.Handle("/v1/api-key/", page.API())
	mux.Handle("GET /v1/campaigns", s.guard.Optional(http.HandlerFunc(s.serveCampaigns)))
	mux.Handle("POST /v1/transactional/email/send", s.guard.Optional(http.HandlerFunc(s.serveSend)))

	mux.HandleFunc("GET /healthz", s.serveHealth)
	mux.HandleFunc("GET /readyz", s.serveReady)
	return mux
}

// fault logs what went wrong on our side.
func (s *service) fault(r *http.Request, err error) {
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		return // who asked has gone
	}
	s.log.Error("fault", "route", r.Pattern, "err", err)
}

// denied logs why a key was refused, which names the key by its public id.
func (s *service) denied(r *http.Request, reason error) {
	switch {
	case errors.Is(reason, bearer.ErrNoCredentials), errors.Is(reason, bearer.ErrMalformedHeader):
		return // anybody can cause it at any rate
	case errors.Is(reason, apikey.ErrInvalid), errors.Is(reason, bearer.ErrInsufficientScope):
		s.log.Info("key refused", "route", r.Pattern, "reason", reason)
	default:
		s.fault(r, reason)
	}
}
