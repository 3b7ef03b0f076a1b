package servicetest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

var importTests = []test{
	{"a key that is taken over is what it was, and is taken over once", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, newExacting(t, st), legacyConfig(c, new(earlier)))
		old := legacyKey(1)
		old.Scopes, old.Contacts, old.Metadata = []string{"email:send"}, []string{"hr@agency.gov.sg"}, map[string]string{"team": "hr"}
		old.CreatedAt, old.ExpiresAt = old.CreatedAt.Add(999), old.ExpiresAt.Add(999).In(time.FixedZone("SGT", 8*3600))
		rec, err := s.LegacyRecord(old)
		require.NoError(t, err)
		require.NoError(t, newExacting(t, st).Create(t.Context(), rec, 0))
		key, err := s.Get(t.Context(), apikey.Ref{Owner: owner, ID: rec.ID})
		require.NoError(t, err)
		require.Equal(t, old.Label, key.Label)
		require.Equal(t, old.Hint, key.Hint)
		require.Equal(t, old.Scopes, key.Scopes())
		require.Equal(t, old.Contacts, key.Contacts())
		require.Equal(t, old.Metadata, key.Metadata())
		require.Equal(t, legacyKey(1).CreatedAt, key.CreatedAt)
		require.Equal(t, legacyKey(1).ExpiresAt, key.ExpiresAt)
		newer, err := s.LegacyRecord(legacyKey(2))
		require.NoError(t, err)
		require.Equal(t, key.ID[:10], newer.ID[:10], "the time of creation")
		require.NotEqual(t, key.ID, newer.ID)
		requireLegacy(t, s, 1)

		again := func() {
			c.Add(time.Hour)
			rec, err := s.LegacyRecord(old)
			require.NoError(t, err)
			require.Equal(t, key.ID, rec.ID)
			require.ErrorIs(t, st.Create(t.Context(), rec, 0), store.ErrExists)
		}
		again()
		requireOpens(t, s, oldToken(1), key)
		again()
		must(s.Revoke(t.Context(), ref(key), "left the team"))
		again()
		requireRefused(t, s, oldToken(1), apikey.ErrRevoked)
	}},
	{"a key that could not be issued is not taken over", func(t *testing.T, st store.Store) {
		s := newService(t, st, legacyConfig(newClock(), new(earlier)))
		for field, spoil := range map[string]func(k *apikey.LegacyKey){
			"Scheme":       func(k *apikey.LegacyKey) { k.Scheme = "unknown" },
			"OldID":        func(k *apikey.LegacyKey) { k.OldID = "" },
			"Kept":         func(k *apikey.LegacyKey) { k.Kept = "" },
			"Owner":        func(k *apikey.LegacyKey) { k.Owner = "" },
			"Label":        func(k *apikey.LegacyKey) { k.Label = " " },
			"Scopes":       func(k *apikey.LegacyKey) { k.Scopes = []string{"email"} },
			"Contacts":     func(k *apikey.LegacyKey) { k.Contacts = []string{"nobody"} },
			"Metadata":     func(k *apikey.LegacyKey) { k.Metadata = map[string]string{"": ""} },
			"Hint":         func(k *apikey.LegacyKey) { k.Hint = "a\nb" },
			"CreatedAt":    func(k *apikey.LegacyKey) { k.CreatedAt = start.Add(time.Second) },
			"ExpiresAt":    func(k *apikey.LegacyKey) { k.ExpiresAt = start },
			"NeverExpires": func(k *apikey.LegacyKey) { k.NeverExpires, k.ExpiresAt = true, time.Time{} },
		} {
			requireNotTaken(t, s, field, spoil)
		}
		requireNotTaken(t, s, "OldID", func(k *apikey.LegacyKey) { k.OldID = strings.Repeat("x", 256) })
		requireNotTaken(t, s, "Kept", func(k *apikey.LegacyKey) { k.Kept = strings.Repeat("x", 4097) })
		requireNotTaken(t, s, "Kept", func(k *apikey.LegacyKey) { k.Kept += " " }) // as a column of a fixed width pads it
		requireNotTaken(t, s, "Hint", func(k *apikey.LegacyKey) { k.Hint = "123456789" })
		requireNotTaken(t, s, "Hint", func(k *apikey.LegacyKey) { k.Hint = "a\u202eb" }) // which turns what is shown behind it
		requireNotTaken(t, s, "Hint", func(k *apikey.LegacyKey) { k.Hint = "a\xff" })
		requireNotTaken(t, s, "CreatedAt", func(k *apikey.LegacyKey) { k.CreatedAt = time.Time{} })
		requireNotTaken(t, s, "ExpiresAt", func(k *apikey.LegacyKey) { k.ExpiresAt = time.Time{} })
		requireNotTaken(t, s, "ExpiresAt", func(k *apikey.LegacyKey) { k.ExpiresAt = start.AddDate(2, 0, 0) })
		beyond := legacyKey(1)
		beyond.Scopes = []string{"billing:pay"}
		_, err := s.LegacyRecord(beyond)
		require.ErrorIs(t, err, apikey.ErrForbidden)
		_, err = new(apikey.Service).LegacyRecord(legacyKey(1))
		require.ErrorIs(t, err, apikey.ErrUnavailable)
	}},
	{"a key that lives until it is revoked takes two to say so, also when it is taken over", func(t *testing.T, st store.Store) {
		cfg := legacyConfig(newClock(), new(earlier))
		cfg.AllowNeverExpires = true
		s := newService(t, st, cfg)
		both := legacyKey(1)
		both.NeverExpires = true
		_, err := s.LegacyRecord(both)
		require.ErrorIs(t, err, apikey.ErrInvalidArgument)
		both.ExpiresAt = time.Time{}
		rec, err := s.LegacyRecord(both)
		require.NoError(t, err)
		require.Zero(t, rec.ExpiresAt)
		both.NeverExpires = false
		_, err = s.LegacyRecord(both)
		require.ErrorIs(t, err, apikey.ErrInvalidArgument)
	}},
	{"a service takes schemes with names of their own", func(t *testing.T, st store.Store) {
		for _, schemes := range [][]apikey.LegacyScheme{
			{nil}, {(*earlier)(nil)}, {new(earlier), new(earlier)}, {named("")}, {named("Old")}, {named("1old")}, {named("a_b")}, {named(strings.Repeat("a", 33))},
		} {
			cfg := config(newClock())
			cfg.Legacy = schemes
			requireField(t, st, cfg, "Legacy")
		}
		for _, atOnce := range []int{-1, 1025} {
			cfg := config(newClock())
			cfg.LegacyAtOnce = atOnce
			requireField(t, st, cfg, "LegacyAtOnce")
		}
	}},
}

// A named scheme has a name and nothing else.
type named string

func (n named) Name() string { return string(n) }

func (named) Recognizes(string) bool { return false }

func (named) Derive(ctx context.Context, _ string) (string, error) { return "", ctx.Err() }

func (named) Keeps(string) bool { return false }

func requireField(t *testing.T, st store.Store, cfg apikey.Config, field string) {
	t.Helper()
	_, err := apikey.New(st, cfg)
	var argument *apikey.ArgumentError
	require.ErrorAs(t, err, &argument)
	require.Equal(t, field, argument.Field)
}

func requireNotTaken(t *testing.T, s *apikey.Service, field string, spoil func(k *apikey.LegacyKey)) {
	t.Helper()
	k := legacyKey(1)
	spoil(&k)
	rec, err := s.LegacyRecord(k)
	var argument *apikey.ArgumentError
	require.ErrorAs(t, err, &argument, field)
	require.Equal(t, field, argument.Field)
	require.Zero(t, rec)
}
