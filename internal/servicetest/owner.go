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

var ownerTests = []test{
	{"M31 RevokeAll ends every key of one owner, and can be repeated after a failure", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		cfg.MaxPerOwner = 2000
		s := newService(t, st, cfg)
		n := store.MaxLimit + 1 // more than one step
		for range n {
			issue(t, s, request())
		}
		token, spared := issue(t, s, apikey.Request{Owner: "user_43", Label: "theirs"})

		const fails = 20
		_, err := s.WithStore(storetest.FailOn(st, fails, errDown)).RevokeAll(t.Context(), owner, "offboarded")
		require.ErrorIs(t, err, apikey.ErrUnavailable)
		left := active(t, st, c.Now())
		require.Less(t, left, n)
		require.Positive(t, left)
		got, err := s.RevokeAll(t.Context(), owner, "offboarded")
		require.NoError(t, err)
		require.Equal(t, left, got)
		require.Zero(t, active(t, st, c.Now()))
		requireOpens(t, s, token, spared)

		got, err = s.RevokeAll(t.Context(), owner, "offboarded")
		require.NoError(t, err)
		require.Zero(t, got)
	}},
	{"RevokeAll also revokes what has expired here and may not have elsewhere", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		token, key := issue(t, s, request())
		c.Set(key.ExpiresAt)
		got, err := s.RevokeAll(t.Context(), owner, "")
		require.NoError(t, err)
		require.Equal(t, 1, got)
		c.Set(start)
		requireRefused(t, s, token, apikey.ErrRevoked)
	}},
	{"RevokeAll counts what it revoked, and ends on a list that lags behind", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		issueMany(t, s, c, 3)
		recs, err := st.List(t.Context(), store.Query{Owner: owner, Limit: 10})
		require.NoError(t, err)
		got, err := s.WithStore(lagging{st, recs}).RevokeAll(t.Context(), owner, "")
		require.NoError(t, err)
		require.Equal(t, 3, got)
	}},
	{"RevokeAll needs an owner", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		token, key := issue(t, s, request())
		_, err := s.RevokeAll(t.Context(), "", "")
		requireArgument(t, err, "Owner")
		requireOpens(t, s, token, key)
	}},
	{"Purge deletes what died before, and nothing that lives", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		short := request()
		short.ExpiresIn = time.Hour
		expired, _ := issue(t, s, short)
		revoked, gone := issue(t, s, request())
		living, key := issue(t, s, request())
		_, err := s.Revoke(t.Context(), apikey.Ref{Owner: owner, ID: gone.ID}, "")
		require.NoError(t, err)

		for _, before := range []time.Time{start.Add(time.Microsecond), time.Unix(-1, 0), time.Unix(-1e13, 0), {}, time.Unix(1<<60, 0)} {
			_, err = s.Purge(t.Context(), before)
			requireArgument(t, err, "before")
		}
		n, err := s.Purge(t.Context(), start)
		require.NoError(t, err)
		require.Zero(t, n, "what died at the very instant stays")

		c.Add(2 * time.Hour)
		n, err = s.Purge(t.Context(), c.Now())
		require.NoError(t, err)
		require.Equal(t, 2, n)
		requireRefused(t, s, expired, apikey.ErrUnknown)
		requireRefused(t, s, revoked, apikey.ErrUnknown)
		requireOpens(t, s, living, key)
		require.Equal(t, 1, count(t, st, owner))
	}},
	{"Purge works in steps until nothing is left", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		cfg.MaxPerOwner = 2000
		s := newService(t, st, cfg)
		n := store.MaxLimit + 1
		for range n {
			issue(t, s, request())
		}
		c.Add(400 * 24 * time.Hour)
		got, err := s.WithStore(storetest.FailOn(st, 2, errDown)).Purge(t.Context(), c.Now())
		require.ErrorIs(t, err, apikey.ErrUnavailable)
		require.Equal(t, store.MaxLimit, got)
		got, err = s.Purge(t.Context(), c.Now())
		require.NoError(t, err)
		require.Equal(t, 1, got)
	}},
}

// lagging is a store whose lists show what was there once.
type lagging struct {
	store.Store
	recs []store.Record
}

func (s lagging) List(_ context.Context, q store.Query) ([]store.Record, error) {
	var recs []store.Record
	for i := range s.recs {
		if q.Match(&s.recs[i]) {
			recs = append(recs, s.recs[i])
		}
	}
	return recs, nil
}

// active counts the records of the tests' owner that are active.
func active(t *testing.T, st store.Store, at time.Time) int {
	t.Helper()
	n := 0
	q := store.Query{Owner: owner, State: store.Active, At: at, Limit: store.MaxLimit}
	for {
		recs, err := st.List(t.Context(), q)
		require.NoError(t, err)
		if len(recs) == 0 {
			return n
		}
		n += len(recs)
		q.After = recs[len(recs)-1].ID
	}
}
