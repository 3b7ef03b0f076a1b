// Package servicetest is apikey's own tests that need a store, to be run on each of them.
package servicetest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

// A test is one rule, or the rows of the catalogue that its name begins with.
type test struct {
	name string
	run  func(t *testing.T, st store.Store)
}

// Run runs every test, each on a store of its own.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, test := range slices.Concat(tamperedTests, issueTests, requestTests, verifyTests, rowTests, pepperTests, manageTests, stateTests, listTests, ownerTests, outageTests,
		givenTests, mistakeTests, rehashTests, boundTests, offboardTests, rotateTests, renewTests, handoverTests, priorTests, lastUsedTests, eventTests, expiringTests, contestTests,
		countTests, remindTests, lifeTests, legacyTests, legacyRaceTests, importTests, watchTests) {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

const (
	prefix = "postman_live"
	owner  = "user_42"
)

// start is where every test's clock begins: a leap day, and not on a full second.
var start = time.Date(2028, 2, 29, 23, 59, 59, 123_456_000, time.UTC)

// A clock stands still until it is set.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: start} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

func (c *clock) Add(d time.Duration) { c.Set(c.Now().Add(d)) }

// config is what most tests use: every scope of two resources, and a clock that stands still.
func config(c *clock) apikey.Config {
	return apikey.Config{Prefix: prefix, Scopes: []string{"email:*", "sms:send", "keys:read"}, Now: c.Now}
}

func newService(t *testing.T, st store.Store, c apikey.Config) *apikey.Service {
	t.Helper()
	s, err := apikey.New(st, c)
	require.NoError(t, err)
	return s
}

func newPepper(t *testing.T, fill byte) apikey.Pepper {
	t.Helper()
	p, err := apikey.NewPepper(slices.Repeat([]byte{fill}, 32))
	require.NoError(t, err)
	return p
}

func request() apikey.Request { return apikey.Request{Owner: owner, Label: "HR reminders"} }

func issue(t *testing.T, s *apikey.Service, r apikey.Request) (string, apikey.Key) {
	t.Helper()
	token, key, err := s.Issue(t.Context(), r)
	require.NoError(t, err)
	return token.Reveal(), key
}

func requireOpens(t *testing.T, s *apikey.Service, token string, want apikey.Key) {
	t.Helper()
	key, err := s.Verify(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, want, key)
}

// requireRefused expects the token to be refused for the reason, as a refusal and without a key.
func requireRefused(t *testing.T, s *apikey.Service, token string, reason error) {
	t.Helper()
	key, err := s.Verify(t.Context(), token)
	require.ErrorIs(t, err, reason)
	require.ErrorIs(t, err, apikey.ErrInvalid)
	require.NotErrorIs(t, err, apikey.ErrUnavailable)
	require.Zero(t, key)
}

// requireUnavailable expects that nobody could tell: neither a key nor a refusal.
func requireUnavailable(t *testing.T, s *apikey.Service, token string) {
	t.Helper()
	key, err := s.Verify(t.Context(), token)
	require.ErrorIs(t, err, apikey.ErrUnavailable)
	require.NotErrorIs(t, err, apikey.ErrInvalid)
	require.Zero(t, key)
}

// tamper changes a record past the service, as a hand in the database would.
func tamper(t *testing.T, st store.Store, id string, change func(rec *store.Record)) {
	t.Helper()
	rec, err := st.Get(t.Context(), id)
	require.NoError(t, err)
	change(&rec)
	require.NoError(t, st.Update(t.Context(), rec))
}

// count returns how many records the store keeps of the owner.
func count(t *testing.T, st store.Store, owner string) int {
	t.Helper()
	recs, err := st.List(context.WithoutCancel(t.Context()), store.Query{Owner: owner, Limit: store.MaxLimit})
	require.NoError(t, err)
	return len(recs)
}
