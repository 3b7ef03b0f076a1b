package keycache_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/keycache"
	"github.com/opengovsg/latchkey/apikey/legacy"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
)

func TestConfig(t *testing.T) {
	keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: prefix})
	require.NoError(t, err)
	for field, c := range map[string][]keycache.Config{
		"MaxAge":      {{MaxAge: -1}, {MaxAge: 99 * time.Millisecond}, {MaxAge: 5*time.Minute + 1}},
		"MaxKeys":     {{MaxKeys: -1}, {MaxKeys: 10_000_001}},
		"LoadsAtOnce": {{LoadsAtOnce: -1}, {LoadsAtOnce: 10_001}},
		"PollEvery":   {{PollEvery: -1}, {PollEvery: 49 * time.Millisecond}, {PollEvery: 11 * time.Second}, {MaxAge: time.Second, PollEvery: 2 * time.Second}},
	} {
		for _, c := range c {
			cache, err := keycache.New(keys, c)
			var argument *apikey.ArgumentError
			require.ErrorAs(t, err, &argument, "%+v", c)
			require.Equal(t, field, argument.Field)
			require.Nil(t, cache)
		}
	}
	for _, keys := range []*apikey.Service{nil, new(apikey.Service)} {
		_, err := keycache.New(keys, keycache.Config{})
		var argument *apikey.ArgumentError
		require.ErrorAs(t, err, &argument)
		require.Equal(t, "Keys", argument.Field)
	}
	for _, c := range []keycache.Config{{}, {MaxAge: 100 * time.Millisecond}, {MaxAge: 5 * time.Minute, MaxKeys: 1, LoadsAtOnce: 1, PollEvery: 50 * time.Millisecond}} {
		_, err := keycache.New(keys, c)
		require.NoError(t, err, "%+v", c)
	}
	cache, err := keycache.New(keys, keycache.Config{})
	require.NoError(t, err)
	require.Equal(t, 10*time.Second, cache.Stats().MaxAge)
}

// A cache that was not made accepts nobody, and does not panic.
func TestNotMade(t *testing.T) {
	for _, cache := range []*keycache.Cache{nil, new(keycache.Cache)} {
		_, err := cache.Verify(t.Context(), otherSecret(apikey.Key{ID: "01m83pph00zab5rrb146"}))
		requireUnavailable(t, err)
		require.ErrorIs(t, cache.Run(t.Context()), apikey.ErrUnavailable)
		require.Zero(t, cache.Stats())
		cache.Forget("01m83pph00zab5rrb146")
	}
	r := newRig(t, keycache.Config{})
	token, _ := r.remembered(t)
	var none context.Context
	_, err := r.cache.Verify(none, token)
	requireUnavailable(t, err)
	require.ErrorIs(t, r.cache.Run(none), apikey.ErrUnavailable)
	for _, id := range []string{"x", "no id at all"} {
		r.cache.Forget(id)
	}
	r.requireHit(t, token)
}

// What is answered from memory is what the service would answer, and counts as a use of the key.
func TestHit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{}, func(c *apikey.Config) { c.LastUsedEvery = time.Second })
		token, issued := r.issue(t)
		require.Equal(t, issued, r.requireLoad(t, token))
		require.NoError(t, r.keys.Flush(t.Context()))

		time.Sleep(2 * time.Second)
		key := r.requireHit(t, token)
		require.Equal(t, issued, key)
		require.EqualValues(t, 2, r.keys.Stats().Verified)
		require.NoError(t, r.keys.Flush(t.Context()))
		used, err := r.keys.Get(t.Context(), ref(issued))
		require.NoError(t, err)
		require.Equal(t, time.Now().UnixMicro(), used.LastUsedAt().UnixMicro())

		// What a handler does to its key stays with it.
		key.Scopes()[0], key.Contacts()[0], key.Label = "email:*", "else@agency.gov.sg", "else"
		require.Equal(t, issued, r.requireHit(t, token))

		s := r.cache.Stats()
		require.Equal(t, keycache.Stats{
			Hits: 2, Ages: [8]int64{1: 2}, Misses: 1, Loads: 1, Keys: 1, MaxAge: 10 * time.Second,
		}, s)
	})
}

// Only the very token that was verified is accepted from memory, and a wrong one does not drive it out.
func TestOtherTokenOfTheKey(t *testing.T) {
	r := newRig(t, keycache.Config{})
	token, key := r.remembered(t)
	before := r.st.gets.Load()
	r.requireRefused(t, otherSecret(key), apikey.ErrUnknown)
	require.Equal(t, before+1, r.st.gets.Load())
	r.requireHit(t, token)
}

// Malformed tokens cost no read and no memory; those of an earlier system are left to the service.
func TestNoToken(t *testing.T) {
	scheme, err := legacy.NewSHA256(legacy.SHA256Config{Name: "old", Prefix: "old_", MinLen: 20, MaxLen: 20})
	require.NoError(t, err)
	r := newRig(t, keycache.Config{}, func(c *apikey.Config) { c.Legacy = []apikey.LegacyScheme{scheme} })
	token, _ := r.issue(t)
	for _, bad := range []string{"", "x", token + "x", token[:len(token)-1], strings.ToUpper(token), strings.Repeat("a", 1<<20), "postman_test" + token[len(prefix):]} {
		r.requireRefused(t, bad, apikey.ErrMalformed)
	}
	require.Zero(t, r.st.gets.Load()+r.st.lists.Load())

	const old = "old_0123456789abcdef"
	kept, err := scheme.Derive(t.Context(), old)
	require.NoError(t, err)
	rec, err := r.keys.LegacyRecord(apikey.LegacyKey{
		Scheme: "old", OldID: "1", Kept: kept, Owner: "user_42", Label: "HR reminders", CreatedAt: time.Now().Add(-time.Hour), ExpiresAt: time.Now().Add(time.Hour),
	})
	require.NoError(t, err)
	require.NoError(t, r.st.Create(t.Context(), rec, 0))
	for range 3 {
		lists := r.st.lists.Load()
		key, err := r.cache.Verify(t.Context(), old)
		require.NoError(t, err)
		require.Equal(t, rec.ID, key.ID)
		require.Greater(t, r.st.lists.Load(), lists)
	}
	_, err = r.keys.Revoke(t.Context(), apikey.AnyOwner(rec.ID), "")
	require.NoError(t, err)
	r.requireRefused(t, old, apikey.ErrRevoked)
	require.Equal(t, keycache.Stats{MaxAge: 10 * time.Second}, r.cache.Stats())
}

// A context that has ended gets no key, whoever would answer.
func TestContextEnded(t *testing.T) {
	r := newRig(t, keycache.Config{})
	token, _ := r.remembered(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("gone"))
	_, err := r.cache.Verify(ctx, token)
	requireUnavailable(t, err)
	require.ErrorIs(t, err, context.Canceled)
	require.EqualValues(t, 1, r.cache.Stats().Unavailable)
}

// Row M28: a token that was just issued or rotated elsewhere opens at once, also where the token
// before it is remembered, and where it was refused before.
func TestM28JustRotatedElsewhere(t *testing.T) {
	there := newRig(t, keycache.Config{})
	here := beside(t, there.st, keycache.Config{})
	for range 20 {
		old, key := there.issue(t)
		here.requireLoad(t, old)
		here.requireHit(t, old)
		here.requireRefused(t, otherSecret(key), apikey.ErrUnknown)
		token, _, err := there.keys.Rotate(t.Context(), ref(key), apikey.Rotation{})
		require.NoError(t, err)
		got, err := here.cache.Verify(t.Context(), token.Reveal())
		require.NoError(t, err)
		handover, _ := got.Handover()
		require.False(t, handover.Pending(), "its first use activates it")
	}
}

// Both tokens of a key that is rotated are remembered, each with its own end.
func TestBothTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{})
		old, key := r.remembered(t)
		next, _, err := r.keys.Rotate(t.Context(), ref(key), apikey.Rotation{Grace: 5 * time.Second})
		require.NoError(t, err)
		r.requireLoad(t, old)
		require.True(t, r.requireHit(t, old).Superseded())

		activated := time.Now()
		r.requireLoad(t, next.Reveal())
		r.requireLoad(t, next.Reveal()) // what came of the first use was not remembered: that changed the key
		r.requireLoad(t, old)
		for range 3 {
			require.False(t, r.requireHit(t, next.Reveal()).Superseded())
			require.True(t, r.requireHit(t, old).Superseded())
		}
		time.Sleep(5*time.Second - time.Microsecond)
		require.Equal(t, activated.Add(5*time.Second).UTC(), r.requireHit(t, old).TokenExpiresAt())
		time.Sleep(time.Microsecond)
		r.requireRefused(t, old, apikey.ErrSuperseded)
		r.requireHit(t, next.Reveal())
	})
}

// As long as the first use of a new token can't be written, each use tries again, as without a cache.
func TestActivationTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{})
		_, key := r.issue(t)
		token, _, err := r.keys.Rotate(t.Context(), ref(key), apikey.Rotation{})
		require.NoError(t, err)
		r.st.onUpdate(func(context.Context, store.Record) error { return errors.New("read-only") })
		for range 10 { // the service itself lets a second pass between attempts
			r.requireLoad(t, token.Reveal())
			time.Sleep(300 * time.Millisecond)
		}
		time.Sleep(time.Second)
		r.st.onUpdate(r.st.Store.Update)
		r.requireLoad(t, token.Reveal())
		seen, err := r.keys.Get(t.Context(), ref(key))
		require.NoError(t, err)
		handover, _ := seen.Handover()
		require.Equal(t, time.Now().UnixMicro(), handover.ActivatedAt.UnixMicro())
		r.requireLoad(t, token.Reveal())
		r.requireHit(t, token.Reveal())
	})
}
