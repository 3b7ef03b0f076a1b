package keycache_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/keycache"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
)

// Row F14: whatever a call of the service does to a key in this process is so for the next verification,
// also through a service that WithStore made.
func TestF14Changed(t *testing.T) {
	ctx := context.Background()
	for name, call := range map[string]struct {
		do    func(keys *apikey.Service, key apikey.Key) error
		after error
	}{
		"Revoke": {func(keys *apikey.Service, key apikey.Key) error { _, err := keys.Revoke(ctx, ref(key), ""); return err }, apikey.ErrRevoked},
		"RevokeAll": {func(keys *apikey.Service, key apikey.Key) error {
			_, err := keys.RevokeAll(ctx, key.Owner, "")
			return err
		}, apikey.ErrRevoked},
		"Rotate": {func(keys *apikey.Service, key apikey.Key) error {
			_, _, err := keys.Rotate(ctx, ref(key), apikey.Rotation{})
			return err
		}, nil},
		"Rotate immediately": {func(keys *apikey.Service, key apikey.Key) error {
			_, _, err := keys.Rotate(ctx, ref(key), apikey.Rotation{Immediately: true})
			return err
		}, apikey.ErrSuperseded},
		"Update": {func(keys *apikey.Service, key apikey.Key) error {
			_, err := keys.Update(ctx, ref(key), apikey.Changes{Scopes: []string{}})
			return err
		}, nil},
		"Update and Purge": {func(keys *apikey.Service, key apikey.Key) error {
			_, err := keys.Update(ctx, ref(key), apikey.Changes{ExpiresAt: time.Now().Add(time.Microsecond)})
			time.Sleep(time.Millisecond)
			return errors.Join(err, onlyError(keys.Purge(ctx, time.Now())))
		}, apikey.ErrUnknown},
		"Remind": {func(keys *apikey.Service, key apikey.Key) error {
			_, err := keys.Remind(ctx, ref(key), time.Now(), func(context.Context, apikey.Key) error { return nil })
			return err
		}, nil},
	} {
		for _, through := range []string{"", " WithStore"} {
			t.Run(name+through, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, keycache.Config{})
					token, key := r.remembered(t)
					keys := r.keys
					if through != "" {
						keys = keys.WithStore(r.st.Store)
					}
					require.NoError(t, call.do(keys, key))
					require.Positive(t, r.cache.Stats().Invalidations)
					if call.after != nil {
						r.requireRefused(t, token, call.after)
						return
					}
					got := r.requireLoad(t, token)
					want, err := r.keys.Verify(t.Context(), token)
					require.NoError(t, err)
					require.Equal(t, want, got)
				})
			})
		}
	}
}

func onlyError[T any](_ T, err error) error { return err }

// Purge may delete any keys, so nothing is remembered after it: here one that a hand in the database
// had ended.
func TestPurged(t *testing.T) {
	r := newRig(t, keycache.Config{})
	token, key := r.remembered(t)
	rec, err := r.st.Get(t.Context(), key.ID)
	require.NoError(t, err)
	rec.ExpiresAt = time.Now().Add(-time.Hour).UTC().Truncate(time.Microsecond)
	require.NoError(t, r.st.Store.Update(t.Context(), rec))
	r.requireHit(t, token)
	n, err := r.keys.Purge(t.Context(), time.Now())
	require.NoError(t, err)
	require.Equal(t, 1, n)
	r.requireRefused(t, token, apikey.ErrUnknown)
}

// Row F18: a revocation of which nobody knows what came of it, since its answer was lost or the store
// panicked, counts from when it has returned if it was done.
func TestF18OutcomeUnknown(t *testing.T) {
	for name, fail := range map[string]func() error{
		"lost":  func() error { return errors.New("connection reset") },
		"panic": func() error { panic("store") },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, keycache.Config{})
			token, key := r.remembered(t)
			r.st.onUpdate(func(ctx context.Context, rec store.Record) error {
				require.NoError(t, r.st.Store.Update(ctx, rec))
				return fail()
			})
			func() {
				defer func() { require.Equal(t, name == "panic", recover() != nil) }()
				_, err := r.keys.Revoke(t.Context(), ref(key), "leaked")
				require.ErrorIs(t, err, apikey.ErrUnavailable)
			}()
			r.requireRefused(t, token, apikey.ErrRevoked)
		})
	}
}

// Row F17: to be told again, or of a key that nobody knows, is harmless.
func TestF17ToldAgain(t *testing.T) {
	r := newRig(t, keycache.Config{})
	token, key := r.remembered(t)
	other, _ := r.remembered(t)
	for range 3 {
		r.cache.Forget(key.ID)
		r.cache.Forget("01m83pph00zab5rrb146")
	}
	require.EqualValues(t, 1, r.cache.Stats().Invalidations)
	r.requireLoad(t, token)
	r.requireHit(t, other)
	r.cache.Forget("")
	require.EqualValues(t, 3, r.cache.Stats().Invalidations)
	r.requireLoad(t, token)
	r.requireLoad(t, other)
}

// Forgetting everything keeps what is being read from being remembered as well.
func TestForgetAllDuringLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{})
		token, _ := r.issue(t)
		release := r.held()
		early := r.verifying(t, token)
		synctest.Wait()
		r.cache.Forget("")
		r.st.onGet(r.st.Store.Get)
		r.requireLoad(t, token)
		r.cache.Forget("")
		release()
		require.NoError(t, (<-early).err)
		r.requireLoad(t, token)
	})
}

// A staged store keeps what it is given to itself until it is committed, as a transaction does.
type staged struct {
	store.Store
	writes []func() error
}

func (s *staged) Create(ctx context.Context, rec store.Record, most int) error {
	s.writes = append(s.writes, func() error { return s.Store.Create(ctx, rec, most) })
	return nil
}

func (s *staged) Update(ctx context.Context, rec store.Record) error {
	s.writes = append(s.writes, func() error { return s.Store.Update(ctx, rec) })
	return nil
}

func (s *staged) commit(t *testing.T) {
	t.Helper()
	for _, write := range s.writes {
		require.NoError(t, write())
	}
}

// What a transaction of the application's changes counts as if another process had: within MaxAge of
// the commit, or at once where the application says so.
func TestTransaction(t *testing.T) {
	for _, told := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, keycache.Config{})
			token, key := r.remembered(t)
			tx := &staged{Store: r.st.Store}
			_, err := r.keys.WithStore(tx).Revoke(t.Context(), ref(key), "left")
			require.NoError(t, err)
			r.requireLoad(t, token)
			tx.commit(t)
			if told {
				r.cache.Forget(key.ID)
			} else {
				r.requireHit(t, token)
				time.Sleep(10 * time.Second)
			}
			r.requireRefused(t, token, apikey.ErrRevoked)
		})
	}
}

// A token that was refused before the transaction that makes it was committed opens a second later, or
// at once where the application says so. No such refusal outlasts that.
func TestM28RefusedBeforeItWasThere(t *testing.T) {
	for _, told := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, keycache.Config{})
			tx := &staged{Store: r.st.Store}
			issued, key, err := r.keys.WithStore(tx).Issue(t.Context(), request())
			require.NoError(t, err)
			token := issued.Reveal()
			r.requireRefused(t, token, apikey.ErrUnknown)
			tx.commit(t)
			if told {
				r.cache.Forget(key.ID)
			} else {
				time.Sleep(time.Second - time.Nanosecond)
				r.requireRefused(t, token, apikey.ErrUnknown)
				time.Sleep(time.Nanosecond)
			}
			r.requireLoad(t, token)
			r.requireHit(t, token)
		})
	}
}

// A token that was refused is refused again without a look, for a second, and by the same error.
func TestRefusalRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{})
		token, key := r.remembered(t)
		_, err := r.keys.Revoke(t.Context(), ref(key), "leaked")
		require.NoError(t, err)
		for token, reason := range map[string]error{token: apikey.ErrRevoked, otherSecret(key): apikey.ErrUnknown} {
			before, refusals := r.st.gets.Load(), r.cache.Stats().Refusals
			for range 100 {
				var refused *apikey.RefusedError
				_, err := r.cache.Verify(t.Context(), token)
				require.ErrorAs(t, err, &refused)
				require.Equal(t, apikey.RefusedError{KeyID: key.ID, Err: reason}, *refused)
				*refused = apikey.RefusedError{} // by whoever got it
			}
			require.Equal(t, before+1, r.st.gets.Load())
			require.Equal(t, refusals+99, r.cache.Stats().Refusals)
			time.Sleep(time.Second)
			r.requireRefused(t, token, reason)
			require.Equal(t, before+2, r.st.gets.Load())
		}
	})
}

// Rule 12: that nobody could tell is never remembered, nor taken for a refusal.
func TestErrorNotRemembered(t *testing.T) {
	r := newRig(t, keycache.Config{})
	token, key := r.issue(t)
	down := errors.New("down")
	r.st.onGet(func(context.Context, string) (store.Record, error) { return store.Record{}, down })
	for range 3 {
		r.requireUnavailable(t, token)
		r.requireUnavailable(t, otherSecret(key))
	}
	r.st.onGet(r.st.Store.Get)
	r.requireLoad(t, token)
	r.requireRefused(t, otherSecret(key), apikey.ErrUnknown)
}

// Rows F10 and F11: a store that answers with nothing, or with somebody else's record, is a fault.
func TestF11WrongRecord(t *testing.T) {
	r := newRig(t, keycache.Config{})
	token, _ := r.issue(t)
	_, other := r.issue(t)
	for _, id := range []string{"", other.ID} {
		r.st.onGet(func(ctx context.Context, _ string) (store.Record, error) {
			if id == "" {
				return store.Record{}, nil
			}
			return r.st.Store.Get(ctx, id)
		})
		r.requireUnavailable(t, token)
		require.Zero(t, r.cache.Stats().Keys)
	}
}

// A refusal that tells that a key has ended ends it for its other token too.
func TestEndedForBothTokens(t *testing.T) {
	st := new(memstore.Store)
	here, there := beside(t, st, keycache.Config{}), beside(t, st, keycache.Config{})
	old, key := here.issue(t)
	next, _, err := here.keys.Rotate(t.Context(), ref(key), apikey.Rotation{})
	require.NoError(t, err)
	for range 2 {
		_, err = here.cache.Verify(t.Context(), next.Reveal())
		require.NoError(t, err)
	}
	_, err = there.keys.Revoke(t.Context(), ref(key), "leaked")
	require.NoError(t, err)
	here.requireHit(t, next.Reveal())
	here.requireRefused(t, old, apikey.ErrRevoked)
	here.requireRefused(t, next.Reveal(), apikey.ErrRevoked)
}
