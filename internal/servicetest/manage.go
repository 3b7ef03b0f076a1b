package servicetest

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

var manageTests = []test{
	{"Update changes what it names, and no more", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		r := request()
		r.Scopes, r.Contacts, r.Metadata = []string{"sms:send"}, []string{"a@example.com"}, map[string]string{"a": "b"}
		token, key := issue(t, s, r)
		ref := apikey.Ref{Owner: owner, ID: key.ID}
		update := func(changes apikey.Changes) apikey.Key {
			t.Helper()
			c.Add(time.Minute)
			got, err := s.Update(t.Context(), ref, changes)
			require.NoError(t, err)
			rec, err := st.Get(t.Context(), key.ID)
			require.NoError(t, err)
			require.Equal(t, c.Now(), rec.UpdatedAt)
			requireOpens(t, s, token, got)
			return got
		}
		want := update(apikey.Changes{})
		require.Equal(t, key.Scopes(), want.Scopes())

		got := update(apikey.Changes{Label: new("payroll")})
		require.Equal(t, "payroll", got.Label)
		require.Equal(t, r.Contacts, got.Contacts())
		got = update(apikey.Changes{Contacts: []string{"b@example.com", "c@example.com"}})
		require.Equal(t, []string{"b@example.com", "c@example.com"}, got.Contacts())
		require.Equal(t, "payroll", got.Label)
		got = update(apikey.Changes{Scopes: []string{"email:send"}})
		require.True(t, got.Allows("email:send"))
		require.False(t, got.Allows("sms:send"))
		got = update(apikey.Changes{Metadata: map[string]string{}, Contacts: []string{}, Scopes: []string{}})
		require.Empty(t, got.Metadata())
		require.Empty(t, got.Contacts())
		require.Empty(t, got.Scopes())
		require.Equal(t, "payroll", got.Label)
		require.Equal(t, key.ExpiresAt, got.ExpiresAt)
		require.Equal(t, key.CreatedAt, got.CreatedAt)
	}},
	{"M29 Update grants nothing beyond the ceiling and lengthens no life", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		_, key := issue(t, s, request())
		ref := apikey.Ref{Owner: owner, ID: key.ID}
		_, err := s.Update(t.Context(), ref, apikey.Changes{Scopes: []string{"fax:send"}})
		require.ErrorIs(t, err, apikey.ErrForbidden)
		_, err = s.Update(t.Context(), ref, apikey.Changes{Scopes: []string{"sms:send"}, Ceiling: key.Ceiling()})
		require.ErrorIs(t, err, apikey.ErrForbidden)
		for _, at := range []time.Time{
			key.ExpiresAt.Add(time.Microsecond),
			start,
			start.Add(-time.Hour),
			time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
			time.Unix(1<<62, 0),
			time.Unix(-1<<62, 0),
		} {
			_, err = s.Update(t.Context(), ref, apikey.Changes{ExpiresAt: at})
			requireArgument(t, err, "ExpiresAt")
		}
		for field, changes := range map[string]apikey.Changes{
			"Label":    {Label: new("")},
			"Scopes":   {Scopes: []string{"email"}},
			"Contacts": {Contacts: []string{"x"}},
			"Metadata": {Metadata: map[string]string{"": ""}},
		} {
			_, err = s.Update(t.Context(), ref, changes)
			requireArgument(t, err, field)
		}
		got, err := s.Get(t.Context(), ref)
		require.NoError(t, err)
		require.Equal(t, key, got)
	}},
	{"M5 M29 a change is bounded by the owner and the expiry of whoever asks for it", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		r := request()
		r.Scopes, r.ExpiresIn = []string{"sms:send"}, time.Hour
		_, parent := issue(t, s, r)
		_, older := issue(t, s, request())
		_, theirs := issue(t, s, apikey.Request{Owner: "user_43", Label: "theirs"})
		grant := apikey.Changes{Scopes: []string{"sms:send"}, Ceiling: parent.Ceiling()}

		_, err := s.Update(t.Context(), apikey.Ref{Owner: owner, ID: older.ID}, grant)
		require.ErrorIs(t, err, apikey.ErrForbidden, "a key must not pass its scopes to one that outlives it")
		_, err = s.Update(t.Context(), apikey.AnyOwner(theirs.ID), apikey.Changes{Label: new("mine"), Ceiling: parent.Ceiling()})
		require.ErrorIs(t, err, apikey.ErrForbidden)
		for _, key := range []apikey.Key{older, theirs} {
			got, err := s.Get(t.Context(), apikey.AnyOwner(key.ID))
			require.NoError(t, err)
			require.Equal(t, key, got)
		}

		grant.ExpiresAt = parent.ExpiresAt
		got, err := s.Update(t.Context(), apikey.Ref{Owner: owner, ID: older.ID}, grant)
		require.NoError(t, err)
		require.True(t, got.Allows("sms:send"))
		got, err = s.Update(t.Context(), apikey.Ref{Owner: owner, ID: older.ID}, apikey.Changes{Scopes: []string{}, Ceiling: parent.Ceiling()})
		require.NoError(t, err, "taking scopes away needs no life")
		require.Empty(t, got.Scopes())
	}},
	{"M8 a shorter expiry is kept to the microsecond, whatever its zone and clock", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		token, key := issue(t, s, request())
		at := start.Add(time.Hour + 999*time.Nanosecond).In(time.FixedZone("", 8*60*60))
		got, err := s.Update(t.Context(), apikey.Ref{Owner: owner, ID: key.ID}, apikey.Changes{ExpiresAt: at})
		require.NoError(t, err)
		require.Equal(t, start.Add(time.Hour), got.ExpiresAt)
		requireOpens(t, s, token, got)
		c.Set(start.Add(time.Hour))
		requireRefused(t, s, token, apikey.ErrExpired)
	}},
	{"a key that never expires can be given an end, within reason", func(t *testing.T, st store.Store) {
		cfg := config(newClock())
		cfg.AllowNeverExpires = true
		s := newService(t, st, cfg)
		r := request()
		r.NeverExpires = true
		_, key := issue(t, s, r)
		ref := apikey.Ref{Owner: owner, ID: key.ID}
		_, err := s.Update(t.Context(), ref, apikey.Changes{ExpiresAt: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)})
		requireArgument(t, err, "ExpiresAt")
		got, err := s.Update(t.Context(), ref, apikey.Changes{ExpiresAt: start.Add(time.Hour)})
		require.NoError(t, err)
		require.Equal(t, start.Add(time.Hour), got.ExpiresAt)
	}},
	{"M15 somebody else's key is not found, in every call, and stays as it is", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		token, key := issue(t, s, request())
		before, err := st.Get(t.Context(), key.ID)
		require.NoError(t, err)
		for _, ref := range []apikey.Ref{
			{Owner: "user_43", ID: key.ID},
			{Owner: owner + " ", ID: key.ID},
			{Owner: strings.ToUpper(owner), ID: key.ID},
			{Owner: owner, ID: "00000000000000000000"},
			{Owner: owner, ID: ""},
			{Owner: owner, ID: strings.ToUpper(key.ID)},
			{Owner: owner, ID: key.ID + " "},
			{Owner: owner, ID: "' OR 1=1 --"},
			{Owner: owner, ID: strings.Repeat("0", 1<<20)},
			apikey.AnyOwner("00000000000000000000"),
		} {
			_, err := s.Get(t.Context(), ref)
			require.Equal(t, apikey.ErrNotFound, err)
			_, err = s.Update(t.Context(), ref, apikey.Changes{Label: new("mine")})
			require.Equal(t, apikey.ErrNotFound, err)
			_, err = s.Revoke(t.Context(), ref, "")
			require.Equal(t, apikey.ErrNotFound, err)
		}
		for _, ref := range []apikey.Ref{{}, {ID: key.ID}, {Owner: "a\x00", ID: key.ID}} {
			_, err := s.Get(t.Context(), ref)
			requireArgument(t, err, "Owner")
			_, err = s.Revoke(t.Context(), ref, "")
			requireArgument(t, err, "Owner")
		}
		after, err := st.Get(t.Context(), key.ID)
		require.NoError(t, err)
		require.True(t, before == after)
		requireOpens(t, s, token, key)
	}},
	{"an operator may act for any owner, and says so", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		token, key := issue(t, s, request())
		got, err := s.Get(t.Context(), apikey.AnyOwner(key.ID))
		require.NoError(t, err)
		require.Equal(t, key, got)
		_, err = s.Revoke(t.Context(), apikey.AnyOwner(key.ID), "found in a public repository")
		require.NoError(t, err)
		requireRefused(t, s, token, apikey.ErrRevoked)
	}},
	{"Update of several fields at once by several people loses none", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		_, key := issue(t, s, request())
		ref := apikey.Ref{Owner: owner, ID: key.ID}
		var wg sync.WaitGroup
		for _, changes := range []apikey.Changes{
			{Label: new("payroll")},
			{Contacts: []string{"b@example.com"}},
			{Scopes: []string{"sms:send"}},
			{Metadata: map[string]string{"a": "b"}},
		} {
			wg.Go(func() {
				_, err := s.Update(t.Context(), ref, changes)
				require.NoError(t, err)
			})
		}
		wg.Wait()
		got, err := s.Get(t.Context(), ref)
		require.NoError(t, err)
		require.Equal(t, "payroll", got.Label)
		require.Equal(t, []string{"b@example.com"}, got.Contacts())
		require.Equal(t, []string{"sms:send"}, got.Scopes())
		require.Equal(t, map[string]string{"a": "b"}, got.Metadata())
	}},
}
