package servicetest

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
	"github.com/opengovsg/latchkey/store/storetest"
)

var boundTests = []test{
	{"M1 M3 M4 M10 what is a little too much or too odd is refused, and what just fits is kept", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		for _, bad := range []struct {
			field string
			set   func(r *apikey.Request)
		}{
			{"Owner", func(r *apikey.Request) { r.Owner = strings.Repeat("密", 85) + "x" }},
			{"Label", func(r *apikey.Request) { r.Label = " " }},
			{"Label", func(r *apikey.Request) { r.Label = "\u00a0\u3000" }},
			{"Label", func(r *apikey.Request) { r.Label = "two\u2029paragraphs" }},
			{"Contacts", func(r *apikey.Request) { r.Contacts = []string{"<ann@example.com>"} }},
			{"Contacts", func(r *apikey.Request) { r.Contacts = []string{"ann@example.com(Ann)"} }},
			{"Contacts", func(r *apikey.Request) { r.Contacts = []string{`"ann"@example.com`} }},
			{"Contacts", func(r *apikey.Request) { r.Contacts = []string{"ann@example.com\t"} }},
			{"Contacts", func(r *apikey.Request) { r.Contacts = []string{"ann\x00@example.com"} }},
			{"Contacts", func(r *apikey.Request) { r.Contacts = []string{"ann@ex\xffample.com"} }},
			{"Contacts", func(r *apikey.Request) { r.Contacts = []string{"a\xff@example.com"} }},
		} {
			r := request()
			bad.set(&r)
			_, _, err := s.WithStore(unreachable{t}).Issue(t.Context(), r)
			requireArgument(t, err, bad.field)
		}
		for _, set := range []func(r *apikey.Request){
			func(r *apikey.Request) { r.Owner = strings.Repeat("密", 85) },
			func(r *apikey.Request) { r.Label = strings.Repeat("😀", 255) },
			func(r *apikey.Request) { r.Contacts = []string{strings.Repeat("x", 242) + "@example.com"} },
			func(r *apikey.Request) { r.Metadata = map[string]string{strings.Repeat("x", 64): ""} },
		} {
			r := request()
			set(&r)
			token, key := issue(t, s, r)
			requireOpens(t, s, token, key)
			require.Equal(t, r.Owner, key.Owner)
			require.Equal(t, r.Label, key.Label)
			require.ElementsMatch(t, r.Contacts, key.Contacts())
			require.True(t, maps.Equal(r.Metadata, key.Metadata()))
		}
	}},
	{"keys are issued in the years 1970 to 9000", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		for _, at := range []time.Time{time.Unix(0, 0), time.Date(9000, 12, 31, 23, 59, 59, 0, time.UTC)} {
			c.Set(at)
			token, key := issue(t, s, request())
			require.Equal(t, at.UTC(), key.CreatedAt)
			requireOpens(t, s, token, key)
		}
	}},
	{"an owner has 100 active keys at most where the configuration names no number", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		issueMany(t, s, c, 100)
		_, _, err := s.Issue(t.Context(), request())
		require.Equal(t, apikey.ErrLimit, err)
	}},
	{"M5 a ceiling can be reached, and not be above the service's own", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		ceiling := &apikey.Ceiling{Scopes: []string{"email:*", "fax:send"}, ExpiresAt: start.Add(time.Hour)}
		r := request()
		r.Ceiling = ceiling
		r.Scopes = []string{"fax:send"}
		_, _, err := s.Issue(t.Context(), r)
		require.ErrorIs(t, err, apikey.ErrForbidden)

		r.Scopes = []string{"email:*"}
		r.ExpiresIn = time.Hour
		r.Owner = "user_43" // the ceiling names no owner
		_, key := issue(t, s, r)
		require.Equal(t, ceiling.ExpiresAt, key.ExpiresAt)
		require.Equal(t, r.Scopes, key.Scopes())

		ref := apikey.Ref{Owner: "user_43", ID: key.ID}
		_, err = s.Update(t.Context(), ref, apikey.Changes{Scopes: []string{"fax:send"}, Ceiling: ceiling})
		require.ErrorIs(t, err, apikey.ErrForbidden)
		got, err := s.Update(t.Context(), ref, apikey.Changes{Scopes: []string{"email:read"}, Ceiling: ceiling})
		require.NoError(t, err)
		require.Equal(t, []string{"email:read"}, got.Scopes())
	}},
	{"an expiry may be set to what it is, and that of a key without one 36 600 days ahead", func(t *testing.T, st store.Store) {
		cfg := config(newClock())
		cfg.AllowNeverExpires = true
		s := newService(t, st, cfg)
		_, mortal := issue(t, s, request())
		never := request()
		never.NeverExpires = true
		_, immortal := issue(t, s, never)
		const most = 36_600 * 24 * time.Hour
		ref := apikey.Ref{Owner: owner, ID: immortal.ID}
		_, err := s.Update(t.Context(), ref, apikey.Changes{ExpiresAt: start.Add(most + time.Microsecond)})
		requireArgument(t, err, "ExpiresAt")
		for _, c := range []struct {
			id string
			at time.Time
		}{{mortal.ID, mortal.ExpiresAt}, {immortal.ID, start.Add(most)}, {immortal.ID, start.Add(time.Microsecond)}} {
			got, err := s.Update(t.Context(), apikey.Ref{Owner: owner, ID: c.id}, apikey.Changes{ExpiresAt: c.at})
			require.NoError(t, err)
			require.Equal(t, c.at, got.ExpiresAt)
		}
	}},
	{"every refusal of a well-formed token names its id, and tells the reason", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		old, gone := issue(t, s, request())
		_, secret := split(old)
		_, other := issue(t, s, request())
		revoked, dead := issue(t, s, request())
		_, err := s.Revoke(t.Context(), apikey.Ref{Owner: owner, ID: dead.ID}, "")
		require.NoError(t, err)
		corrupt, bad := issue(t, s, request())
		tamper(t, st, bad.ID, func(rec *store.Record) { rec.Hash = "short" })
		c.Set(gone.ExpiresAt)
		none := "00000000000000000000"
		for _, refusal := range []struct {
			token, id string
			reason    error
			text      string
		}{
			{spell(prefix, none, secret), none, apikey.ErrUnknown, "unknown"},
			{spell(prefix, other.ID, secret), other.ID, apikey.ErrUnknown, "unknown"},
			{old, gone.ID, apikey.ErrExpired, "expired"},
			{revoked, dead.ID, apikey.ErrRevoked, "revoked"},
			{corrupt, bad.ID, apikey.ErrCorrupt, "corrupt record"},
		} {
			requireRefused(t, s, refusal.token, refusal.reason)
			_, err := s.Verify(t.Context(), refusal.token)
			refused, ok := errors.AsType[*apikey.RefusedError](err)
			require.True(t, ok, refusal.text)
			require.Equal(t, refusal.id, refused.KeyID)
			require.Equal(t, refusal.reason, refused.Err)
			require.EqualError(t, err, "apikey: invalid token: "+refusal.text+": key "+refusal.id)
		}
	}},
	{"ids sort by when their keys were issued, to the millisecond, and by nothing else", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		long := request()
		long.ExpiresIn = 24 * time.Hour
		_, first := issue(t, s, long)
		c.Add(time.Millisecond)
		short := request()
		short.ExpiresIn = time.Hour
		_, second := issue(t, s, short)
		require.Less(t, first.ID, second.ID)
	}},
	{"one verification is one read of the store, and no write", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		token, key := issue(t, s, request())
		requireOpens(t, s.WithStore(storetest.FailOn(st, 2, errDown)), token, key)
		_, secret := split(token)
		none := spell(prefix, "00000000000000000000", secret)
		requireRefused(t, s.WithStore(storetest.FailOn(st, 2, errDown)), none, apikey.ErrUnknown)
	}},
	{"P21 what needs a pepper that is gone names its key and the pepper, and no secret", func(t *testing.T, st store.Store) {
		cfg := config(newClock())
		plain := newService(t, st, cfg)
		pepper := newPepper(t, 1)
		cfg.Peppers = []apikey.Pepper{pepper}
		token, key := issue(t, newService(t, st, cfg), request())
		requireUnavailable(t, plain, token)
		_, err := plain.Verify(t.Context(), token)
		require.ErrorContains(t, err, "key "+key.ID)
		require.ErrorContains(t, err, "hmac-sha256:"+pepper.ID())
		_, secret := split(token)
		require.False(t, strings.Contains(err.Error(), secret))
	}},
	{"what expires while the store answers is expired", func(t *testing.T, st store.Store) {
		c := newClock()
		token, key := issue(t, newService(t, st, config(c)), request())
		c.Set(key.ExpiresAt.Add(-time.Microsecond))
		slow := newService(t, slowly{st, func() { c.Set(key.ExpiresAt) }}, config(c))
		requireRefused(t, slow, token, apikey.ErrExpired)
	}},
}

// A slow store lets time pass between a read and its answer.
type slowly struct {
	store.Store
	pass func()
}

func (s slowly) Get(ctx context.Context, id string) (store.Record, error) {
	rec, err := s.Store.Get(ctx, id)
	s.pass()
	return rec, err
}
