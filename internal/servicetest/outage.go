package servicetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
	"github.com/opengovsg/latchkey/store/storetest"
)

// unreachable is a store that must not be called.
type unreachable struct{ t *testing.T }

func (s unreachable) fail() error {
	s.t.Helper()
	require.Fail(s.t, "the store was called")
	return errors.New("called")
}

func (s unreachable) Create(context.Context, store.Record, int) error { return s.fail() }
func (s unreachable) Get(context.Context, string) (store.Record, error) {
	return store.Record{}, s.fail()
}
func (s unreachable) Update(context.Context, store.Record) error         { return s.fail() }
func (s unreachable) Touch(context.Context, []store.Use) error           { return s.fail() }
func (s unreachable) Purge(context.Context, time.Time, int) (int, error) { return 0, s.fail() }
func (s unreachable) List(context.Context, store.Query) ([]store.Record, error) {
	return nil, s.fail()
}

var errDown = errors.New("connection refused")

// everyCall makes each call of the service once and hands on its error.
func everyCall(ctx context.Context, s *apikey.Service, token, id string, each func(call string, err error)) {
	ref := apikey.Ref{Owner: owner, ID: id}
	_, _, err := s.Issue(ctx, request())
	each("Issue", err)
	_, err = s.Verify(ctx, token)
	each("Verify", err)
	_, err = s.Get(ctx, ref)
	each("Get", err)
	_, err = s.List(ctx, owner, apikey.Page{})
	each("List", err)
	for _, err = range s.All(ctx, owner) {
		each("All", err)
	}
	_, err = s.Update(ctx, ref, apikey.Changes{Label: new("other")})
	each("Update", err)
	_, _, err = s.Rotate(ctx, ref, apikey.Rotation{})
	each("Rotate", err)
	_, err = s.Remind(ctx, ref, start, func(context.Context, apikey.Key) error { return nil })
	each("Remind", err)
	for _, err = range s.Expiring(ctx, start, start.Add(day)) {
		each("Expiring", err)
	}
	for _, err = range s.Idle(ctx, start) {
		each("Idle", err)
	}
	for _, err = range s.Changed(ctx, time.Hour) {
		each("Changed", err)
	}
	_, err = s.Count(ctx, owner)
	each("Count", err)
	_, err = s.CountAll(ctx)
	each("CountAll", err)
	_, err = s.Revoke(ctx, ref, "")
	each("Revoke", err)
	_, err = s.RevokeAll(ctx, owner, "")
	each("RevokeAll", err)
	_, err = s.Purge(ctx, start.Add(-time.Hour))
	each("Purge", err)
}

var outageTests = []test{
	{"F2 F6 a store that fails is unavailable in every call, and never a refusal", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		token, key := issue(t, s, request())
		down := s.WithStore(storetest.Failing(errDown))
		calls := 0
		everyCall(t.Context(), down, token, key.ID, func(call string, err error) {
			calls++
			require.ErrorIs(t, err, apikey.ErrUnavailable, call)
			require.ErrorIs(t, err, errDown, call)
			require.NotErrorIs(t, err, apikey.ErrInvalid, call)
			require.NotErrorIs(t, err, apikey.ErrNotFound, call)
		})
		require.Equal(t, 16, calls)
		requireOpens(t, s, token, key)
	}},
	{"F5 P32 a context that ends is told as such, and nothing is allowed", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		token, key := issue(t, s, request())
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		for _, s := range []*apikey.Service{s, s.WithStore(storetest.Hanging())} {
			for _, ctx := range []context.Context{cancelled, late} {
				everyCall(ctx, s, token, key.ID, func(call string, err error) {
					require.ErrorIs(t, err, ctx.Err(), call)
					require.ErrorIs(t, err, apikey.ErrUnavailable, call)
					require.NotErrorIs(t, err, apikey.ErrInvalid, call)
				})
			}
		}
		require.Equal(t, 1, count(t, st, owner))
		requireOpens(t, s, token, key)
	}},
	{"F10 F11 a store that returns nothing or another's row opens nothing", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		token, key := issue(t, s, request())
		other, otherKey := issue(t, s, apikey.Request{Owner: "user_43", Label: "theirs"})
		theirs, err := st.Get(t.Context(), otherKey.ID)
		require.NoError(t, err)
		for _, rec := range []store.Record{{}, theirs} {
			mistaken := s.WithStore(storetest.Mistaken(st, rec))
			requireUnavailable(t, mistaken, token)
			_, err := mistaken.Get(t.Context(), apikey.Ref{Owner: owner, ID: key.ID})
			require.ErrorIs(t, err, apikey.ErrUnavailable)
			_, err = mistaken.Revoke(t.Context(), apikey.AnyOwner(key.ID), "")
			require.ErrorIs(t, err, apikey.ErrUnavailable)
		}
		requireOpens(t, s, other, otherKey)
	}},
	{"a list with another's key in it is shown to nobody", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		issue(t, s, request())
		_, theirs := issue(t, s, apikey.Request{Owner: "user_43", Label: "theirs"})
		for _, wrong := range []func(q store.Query) store.Query{
			func(q store.Query) store.Query { q.Owner = ""; return q },
			func(q store.Query) store.Query { q.Owner = "user_43"; return q },
		} {
			_, err := s.WithStore(misread{st, wrong}).List(t.Context(), owner, apikey.Page{})
			require.ErrorIs(t, err, apikey.ErrUnavailable)
		}
		_, err := s.Get(t.Context(), apikey.Ref{Owner: "user_43", ID: theirs.ID})
		require.NoError(t, err)
	}},
	{"P33 a nil context does nothing", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		token, key := issue(t, s, request())
		var none context.Context
		everyCall(none, s, token, key.ID, func(call string, err error) {
			require.ErrorIs(t, err, apikey.ErrUnavailable, call)
		})
		requireOpens(t, s, token, key)
	}},
	{"a store that is built on such a service refuses nobody by failing", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		token, _ := issue(t, s, request())
		requireUnavailable(t, s.WithStore(storetest.Failing(apikey.ErrRevoked)), token)
	}},
	{"A50 a client that has gone is let in nowhere, also by a store that overlooks it", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		token, _ := issue(t, s, request())
		ctx, cancel := context.WithCancel(t.Context())
		key, err := s.WithStore(leaving{st, cancel}).Verify(ctx, token)
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, apikey.ErrInvalid)
		require.Zero(t, key)
	}},
}

// leaving is a store whose client goes while it reads, which it does not notice.
type leaving struct {
	store.Store
	leave context.CancelFunc
}

func (s leaving) Get(ctx context.Context, id string) (store.Record, error) {
	s.leave()
	return s.Store.Get(context.WithoutCancel(ctx), id)
}

// misread is a store that answers another query than was asked.
type misread struct {
	store.Store
	wrong func(store.Query) store.Query
}

func (s misread) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	return s.Store.List(ctx, s.wrong(q))
}
