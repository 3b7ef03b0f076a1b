package otelkey_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store/storetest"
)

// A fixture is a service on a memory store with a clock to set, and one token for each outcome there is.
type fixture struct {
	st      *memstore.Store
	keys    *apikey.Service
	now     time.Time
	tokens  map[string]string // by outcome
	ids     map[string]string // of their keys, by outcome
	secrets []string          // what nothing may show
}

// newFixture tells the observer what happens, which may be nil.
func newFixture(t *testing.T, observer func(context.Context, apikey.Event)) *fixture {
	t.Helper()
	f := &fixture{
		st:     new(memstore.Store),
		now:    time.Date(2026, time.March, 1, 9, 30, 0, 0, time.UTC),
		tokens: make(map[string]string),
		ids:    make(map[string]string),
	}
	var err error
	f.keys, err = apikey.New(f.st, apikey.Config{Prefix: "acme_live", Observer: observer, Now: func() time.Time { return f.now }})
	require.NoError(t, err)

	f.issue(t, "expired", time.Hour)
	superseded := f.issue(t, "superseded", 0)
	_, _, err = f.keys.Rotate(t.Context(), superseded, apikey.Rotation{Immediately: true})
	require.NoError(t, err)
	f.now = f.now.Add(2 * time.Hour)
	_, err = f.keys.Revoke(t.Context(), f.issue(t, "revoked", 0), "left the team")
	require.NoError(t, err)
	corrupt := f.issue(t, "corrupt", 0)
	rec, err := f.st.Get(t.Context(), corrupt.ID)
	require.NoError(t, err)
	rec.Hash = rec.Hash[:31]
	require.NoError(t, f.st.Update(t.Context(), rec))
	f.issue(t, "verified", 0)
	f.tokens["unavailable"] = f.tokens["verified"]
	f.tokens["malformed"] = f.tokens["verified"] + "?"

	elsewhere, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "acme_live"})
	require.NoError(t, err)
	unknown, key, err := elsewhere.Issue(t.Context(), apikey.Request{Owner: "nobody", Label: "x"})
	require.NoError(t, err)
	f.tokens["unknown"], f.ids["unknown"] = unknown.Reveal(), key.ID
	return f
}

// issue issues a key whose token is going to have the outcome.
func (f *fixture) issue(t *testing.T, outcome string, ttl time.Duration) apikey.Ref {
	t.Helper()
	token, key, err := f.keys.Issue(t.Context(), apikey.Request{
		Owner: "user_42", Label: "HR reminders", Contacts: []string{"siti@agency.gov.sg"}, ExpiresIn: ttl,
	})
	require.NoError(t, err)
	f.tokens[outcome], f.ids[outcome] = token.Reveal(), key.ID
	rec, err := f.st.Get(t.Context(), key.ID)
	require.NoError(t, err)
	secret := token.Reveal()[len("acme_live_")+21:][:43]
	hash := string(rec.Hash)
	f.secrets = append(f.secrets, secret, hash, hex.EncodeToString([]byte(hash)), strings.Trim(fmt.Sprintf("%q", hash), `"`))
	return apikey.Ref{Owner: "user_42", ID: key.ID}
}

var errDown = errors.New("dial postgres://latchkey:dsn-password@db.internal: refused")

// verifiers returns what verifies the token of each outcome: the service on its store, or on one that
// is down.
func (f *fixture) verifiers() map[string]apikey.Verifier {
	all := make(map[string]apikey.Verifier)
	for outcome := range f.tokens {
		all[outcome] = f.keys
	}
	all["unavailable"] = f.keys.WithStore(storetest.Failing(errDown))
	return all
}

// requireNoSecret looks for what nothing may show in whatever a value prints and marshals as.
func (f *fixture) requireNoSecret(t *testing.T, v any) {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	shown := fmt.Sprintf("%s %+v %#v", text, v, v)
	require.Greater(t, len(shown), 100)
	for i, secret := range append(f.secrets, "dsn-password", "siti@") {
		if strings.Contains(shown, secret) {
			t.Errorf("secret %d is shown", i) // and not what shows it
		}
	}
}

// within waits for what must come, and not for ever.
func within(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		require.Fail(t, "nothing came")
	}
}
