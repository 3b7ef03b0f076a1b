package servicetest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

// rowTests are about rows that nothing of the library wrote.
var rowTests = []test{
	{"P20 a hash of another length opens to nothing", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		token, key := issue(t, s, request())
		rec, err := st.Get(t.Context(), key.ID)
		require.NoError(t, err)
		good := rec.Hash
		for _, hash := range []store.Hash{"", good[:31], good + "\x00", good + good, "\x00", store.Hash(strings.Repeat("\x00", 31))} {
			tamper(t, st, key.ID, func(rec *store.Record) { rec.Hash = hash })
			requireRefused(t, s, token, apikey.ErrCorrupt)
		}
		tamper(t, st, key.ID, func(rec *store.Record) { rec.Hash = store.Hash(strings.Repeat("\x00", 32)) })
		requireRefused(t, s, token, apikey.ErrUnknown)
		tamper(t, st, key.ID, func(rec *store.Record) { rec.Hash = good })
		_, err = s.Verify(t.Context(), token)
		require.NoError(t, err)
	}},
	{"P21 a scheme or a pepper that is not known is a fault, not a refusal", func(t *testing.T, st store.Store) {
		cfg := config(newClock())
		cfg.Peppers = []apikey.Pepper{newPepper(t, 1)}
		s := newService(t, st, cfg)
		token, key := issue(t, s, request())
		_, other := issue(t, s, request())
		for _, scheme := range []string{"", "md5", "sha256 ", "SHA256", "hmac-sha256:", "hmac-sha256:00000000", "hmac-sha256:" + strings.ToUpper(cfg.Peppers[0].ID()) + "0"} {
			tamper(t, st, key.ID, func(rec *store.Record) { rec.Scheme = scheme })
			requireUnavailable(t, s, token)
		}
		l, err := s.List(t.Context(), owner, apikey.Page{})
		require.NoError(t, err, "one bad row must not hide the others")
		require.ElementsMatch(t, []string{key.ID, other.ID}, ids(l.Keys))
	}},
	{"P22 an expiry far in the past is not taken for never", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		token, key := issue(t, s, request())
		for _, at := range []time.Time{time.UnixMicro(0).UTC(), time.UnixMicro(1).UTC(), time.Time{}.Add(time.Microsecond)} {
			tamper(t, st, key.ID, func(rec *store.Record) { rec.ExpiresAt = at })
			requireRefused(t, s, token, apikey.ErrExpired)
		}
	}},
	{"F41 contacts, metadata and scopes that do not parse read as none and hide no key", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		r := request()
		r.Scopes = []string{"email:send"}
		token, key := issue(t, s, r)
		for _, bad := range []string{"{", "null", "[1]", `{"a":1}`, `["a"`, "0", `"email:send"`} {
			tamper(t, st, key.ID, func(rec *store.Record) { rec.Contacts, rec.Metadata, rec.Scopes = bad, bad, bad })
			key, err := s.Verify(t.Context(), token)
			require.NoError(t, err)
			require.Empty(t, key.Contacts())
			require.Empty(t, key.Metadata())
			require.False(t, key.Allows("email:send"))
			l, err := s.List(t.Context(), owner, apikey.Page{})
			require.NoError(t, err)
			require.Len(t, l.Keys, 1)
		}
	}},
}
