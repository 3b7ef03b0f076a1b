package servicetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
	"github.com/opengovsg/latchkey/store/storetest"
)

// A stale store still lists one record that it no longer has, as a replica might, and counts how
// often it is asked.
type stale struct {
	store.Store
	t     *testing.T
	id    string
	lists *int
}

func (s stale) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	*s.lists++
	require.Less(s.t, *s.lists, 10, "the same page is asked for again and again")
	return s.Store.List(ctx, q)
}

func (s stale) Get(ctx context.Context, id string) (store.Record, error) {
	if id == s.id {
		return store.Record{}, store.ErrNotFound
	}
	return s.Store.Get(ctx, id)
}

var offboardTests = []test{
	{"RevokeAll goes past what is purged meanwhile, and ends", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		all := issueMany(t, s, c, 3)
		lists := 0
		n, err := s.WithStore(stale{st, t, all[1], &lists}).RevokeAll(t.Context(), owner, "offboarded")
		require.NoError(t, err)
		require.Equal(t, 2, n)
		for _, id := range []string{all[0], all[2]} {
			key, err := s.Get(t.Context(), apikey.Ref{Owner: owner, ID: id})
			require.NoError(t, err)
			require.Equal(t, "offboarded", key.RevokedReason)
			require.Equal(t, c.Now(), key.RevokedAt)
		}
	}},
	{"RevokeAll also ends what is issued while it runs", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		issueMany(t, s, c, 2)
		left := 3
		racing := updating{st, func(ctx context.Context, rec store.Record) error {
			if left--; left >= 0 {
				issueMany(t, s, c, 1)
			}
			return st.Update(ctx, rec)
		}}
		n, err := s.WithStore(racing).RevokeAll(t.Context(), owner, "")
		require.NoError(t, err)
		require.Equal(t, 5, n)
		require.Zero(t, active(t, st, c.Now()))
	}},
	{"RevokeAll reads many keys at once", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		issueMany(t, s, c, 20)
		lists := 0
		n, err := s.WithStore(stale{st, t, "", &lists}).RevokeAll(t.Context(), owner, "")
		require.NoError(t, err)
		require.Equal(t, 20, n)
	}},
	{"RevokeAll counts what it revoked until it failed", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		issueMany(t, s, c, 3)
		for _, fails := range []int{1, 4} { // the list, and the read of the second key
			n, err := s.WithStore(storetest.FailOn(st, fails, errDown)).RevokeAll(t.Context(), owner, "")
			require.ErrorIs(t, err, errDown)
			require.Equal(t, fails/4, n)
		}
		require.Equal(t, 2, active(t, st, c.Now()))
	}},
	{"RevokeAll spares the owner's keys of another prefix", func(t *testing.T, st store.Store) {
		cfg := config(newClock())
		s := newService(t, st, cfg)
		issue(t, s, request())
		cfg.Prefix = "postman_test"
		test := newService(t, st, cfg)
		token, key := issue(t, test, request())
		n, err := s.RevokeAll(t.Context(), owner, "")
		require.NoError(t, err)
		require.Equal(t, 1, n)
		requireOpens(t, test, token, key)
	}},
	{"what names no owner or no key, or asks too much, asks nothing of the store", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock())).WithStore(unreachable{t})
		_, err := s.RevokeAll(t.Context(), "", "")
		requireArgument(t, err, "Owner")
		_, err = s.RevokeAll(t.Context(), "a\nb", "")
		requireArgument(t, err, "Owner")
		_, err = s.RevokeAll(t.Context(), owner, "two\nlines")
		requireArgument(t, err, "Reason")
		some := apikey.AnyOwner("00000000000000000000")
		_, err = s.Update(t.Context(), some, apikey.Changes{Label: new("")})
		requireArgument(t, err, "Label")
		_, err = s.Update(t.Context(), some, apikey.Changes{Scopes: []string{"fax:send"}})
		require.ErrorIs(t, err, apikey.ErrForbidden)
		_, err = s.Revoke(t.Context(), some, "two\nlines")
		requireArgument(t, err, "Reason")
		_, err = s.Purge(t.Context(), start.Add(time.Hour))
		requireArgument(t, err, "before")
		for _, ref := range []apikey.Ref{{Owner: owner, ID: "x"}, {Owner: owner}, apikey.AnyOwner("' OR 1=1 --")} {
			_, err := s.Get(t.Context(), ref)
			require.Equal(t, apikey.ErrNotFound, err)
			_, err = s.Revoke(t.Context(), ref, "")
			require.Equal(t, apikey.ErrNotFound, err)
		}
	}},
	{"Purge asks once where one step is enough", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		issueMany(t, s, c, 3)
		c.Add(400 * 24 * time.Hour)
		n, err := s.WithStore(storetest.FailOn(st, 2, errDown)).Purge(t.Context(), c.Now())
		require.NoError(t, err)
		require.Equal(t, 3, n)
	}},
}
