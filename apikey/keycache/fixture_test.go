package keycache_test

import (
	"context"
	"hash/crc32"
	"sync/atomic"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/keycache"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
)

// A spy counts what is read of a store, and lets a test answer in its place.
type spy struct {
	store.Store
	gets, lists atomic.Int64
	get         atomic.Pointer[func(ctx context.Context, id string) (store.Record, error)]
	update      atomic.Pointer[func(ctx context.Context, rec store.Record) error]
	list        atomic.Pointer[func(ctx context.Context, q store.Query) ([]store.Record, error)]
}

func (s *spy) Get(ctx context.Context, id string) (store.Record, error) {
	s.gets.Add(1)
	if get := s.get.Load(); get != nil {
		return (*get)(ctx, id)
	}
	return s.Store.Get(ctx, id)
}

func (s *spy) Update(ctx context.Context, rec store.Record) error {
	if update := s.update.Load(); update != nil {
		return (*update)(ctx, rec)
	}
	return s.Store.Update(ctx, rec)
}

func (s *spy) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	s.lists.Add(1)
	if list := s.list.Load(); list != nil {
		return (*list)(ctx, q)
	}
	return s.Store.List(ctx, q)
}

func (s *spy) onGet(get func(ctx context.Context, id string) (store.Record, error)) {
	s.get.Store(&get)
}
func (s *spy) onUpdate(update func(ctx context.Context, rec store.Record) error) {
	s.update.Store(&update)
}
func (s *spy) onList(list func(ctx context.Context, q store.Query) ([]store.Record, error)) {
	s.list.Store(&list)
}

// A rig is a cache in front of a service on a store in memory.
type rig struct {
	st    *spy
	keys  *apikey.Service
	cache *keycache.Cache
}

const prefix = "postman_live"

// rigs is how many there were: each has random numbers of its own.
var rigs atomic.Uint64

// newRig returns a rig whose settings the test may change.
func newRig(t *testing.T, c keycache.Config, settings ...func(*apikey.Config)) rig {
	t.Helper()
	return beside(t, new(memstore.Store), c, settings...)
}

// beside returns a rig on a store that others may have as well, as another process would.
func beside(t *testing.T, st store.Store, c keycache.Config, settings ...func(*apikey.Config)) rig {
	t.Helper()
	// Where only FIPS 140-3 algorithms run, gathering entropy takes a clock, and in a bubble that stands still.
	cryptotest.SetGlobalRandom(t, rigs.Add(1))
	r := rig{st: &spy{Store: st}}
	config := apikey.Config{Prefix: prefix, Scopes: []string{"email:send"}, MaxPerOwner: 1_000_000}
	for _, set := range settings {
		set(&config)
	}
	var err error
	r.keys, err = apikey.New(r.st, config)
	require.NoError(t, err)
	r.cache, err = keycache.New(r.keys, c)
	require.NoError(t, err)
	return r
}

func request() apikey.Request {
	return apikey.Request{Owner: "user_42", Label: "HR reminders", Scopes: []string{"email:send"}, Contacts: []string{"team@agency.gov.sg"}}
}

// issue issues a key and returns its token.
func (r rig) issue(t *testing.T) (string, apikey.Key) {
	t.Helper()
	token, key, err := r.keys.Issue(t.Context(), request())
	require.NoError(t, err)
	return token.Reveal(), key
}

// remembered issues a key that the cache then remembers.
func (r rig) remembered(t *testing.T) (string, apikey.Key) {
	t.Helper()
	token, key := r.issue(t)
	r.requireLoad(t, token)
	r.requireHit(t, token)
	return token, key
}

// requireHit asserts that the token is accepted without a look into the store.
func (r rig) requireHit(t *testing.T, token string) apikey.Key {
	t.Helper()
	before, hits := r.st.gets.Load(), r.cache.Stats().Hits
	key, err := r.cache.Verify(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, before, r.st.gets.Load(), "the store is not asked")
	require.Equal(t, hits+1, r.cache.Stats().Hits)
	return key
}

// requireLoad asserts that the token is accepted after a look into the store.
func (r rig) requireLoad(t *testing.T, token string) apikey.Key {
	t.Helper()
	before := r.st.gets.Load()
	key, err := r.cache.Verify(t.Context(), token)
	require.NoError(t, err)
	require.Greater(t, r.st.gets.Load(), before, "the store is asked")
	return key
}

// requireRefused asserts that the token is refused for the reason.
func (r rig) requireRefused(t *testing.T, token string, reason error) {
	t.Helper()
	key, err := r.cache.Verify(t.Context(), token)
	require.ErrorIs(t, err, reason)
	require.ErrorIs(t, err, apikey.ErrInvalid)
	require.NotErrorIs(t, err, apikey.ErrUnavailable)
	require.Zero(t, key)
}

// requireUnavailable asserts that nobody could tell.
func (r rig) requireUnavailable(t *testing.T, token string) {
	t.Helper()
	key, err := r.cache.Verify(t.Context(), token)
	requireUnavailable(t, err)
	require.Zero(t, key)
}

func requireUnavailable(t require.TestingT, err error) {
	require.ErrorIs(t, err, apikey.ErrUnavailable)
	require.NotErrorIs(t, err, apikey.ErrInvalid)
}

func ref(key apikey.Key) apikey.Ref { return apikey.Ref{Owner: key.Owner, ID: key.ID} }

// spell returns the token of an id and a secret, as anybody can who knows the format.
func spell(id, secret string) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	b := []byte(prefix + "_" + id + "_" + secret)
	var crc [6]byte
	for i, sum := 5, crc32.ChecksumIEEE(b); i >= 0; i-- {
		crc[i] = digits[sum%62]
		sum /= 62
	}
	return string(append(b, crc[:]...))
}

// otherSecret returns a token of the same key with a secret that is wrong.
func otherSecret(key apikey.Key) string {
	return spell(key.ID, "0000000000000000000000000000000000000000000")
}

// ageing is longer than an answer is kept for certain, and less than it may be kept.
const ageing = 7 * 10 * time.Second / 8
