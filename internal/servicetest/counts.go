package servicetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
	"github.com/opengovsg/latchkey/store/storetest"
)

var countTests = []test{
	{"Count tells how many keys of an owner are in each state, and how their tokens are hashed", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		plain := newService(t, st, cfg)
		pepper := newPepper(t, 1)
		cfg.Peppers = []apikey.Pepper{pepper}
		s := newService(t, st, cfg)
		counts := func() apikey.Counts {
			t.Helper()
			n, err := s.Count(t.Context(), owner)
			require.NoError(t, err)
			return n
		}
		require.Equal(t, apikey.Counts{Schemes: map[string]int{}}, counts())

		issue(t, plain, request())
		older, pending := issue(t, plain, request())
		newer, _ := rotate(t, s, pending, apikey.Rotation{Grace: time.Hour})
		_, leaked := issue(t, plain, request())
		rotate(t, s, leaked, apikey.Rotation{Immediately: true})
		r := request()
		r.ExpiresIn = time.Minute
		issue(t, plain, r)
		_, dead := issue(t, plain, r)
		_, err := s.Revoke(t.Context(), ref(dead), "")
		require.NoError(t, err)
		hmac := "hmac-sha256:" + pepper.ID()
		require.Equal(t, apikey.Counts{Active: 4, Pending: 1, Revoked: 1, Schemes: map[string]int{"sha256": 3, hmac: 2}}, counts())
		c.Add(time.Minute - time.Microsecond)
		require.Equal(t, 0, counts().Expired)
		c.Add(time.Microsecond)
		require.Equal(t, apikey.Counts{Active: 3, Pending: 1, Expired: 1, Revoked: 1, Schemes: map[string]int{"sha256": 2, hmac: 2}}, counts())
		open(t, s, newer)
		require.Equal(t, apikey.Counts{Active: 3, InGrace: 1, Expired: 1, Revoked: 1, Schemes: map[string]int{"sha256": 2, hmac: 2}}, counts())
		open(t, s, older)
		require.Equal(t, map[string]int{"sha256": 1, hmac: 3}, counts().Schemes)
		c.Add(time.Hour - time.Microsecond)
		require.Equal(t, 1, counts().InGrace)
		c.Add(time.Microsecond)
		require.Equal(t, apikey.Counts{Active: 3, Expired: 1, Revoked: 1, Schemes: map[string]int{"sha256": 1, hmac: 2}}, counts())
	}},
	{"Count counts one owner's keys, CountAll everybody's, and both those of one prefix", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		s := newService(t, st, cfg)
		issue(t, s, request())
		issue(t, s, apikey.Request{Owner: "user_43", Label: "theirs"})
		cfg.Prefix = "postman_test"
		issue(t, newService(t, st, cfg), request())
		one, err := s.Count(t.Context(), owner)
		require.NoError(t, err)
		require.Equal(t, apikey.Counts{Active: 1, Schemes: map[string]int{"sha256": 1}}, one)
		all, err := s.CountAll(t.Context())
		require.NoError(t, err)
		require.Equal(t, apikey.Counts{Active: 2, Schemes: map[string]int{"sha256": 2}}, all)
		none, err := s.Count(t.Context(), "nobody")
		require.NoError(t, err)
		require.Equal(t, apikey.Counts{Schemes: map[string]int{}}, none)
		_, err = s.WithStore(unreachable{t}).Count(t.Context(), "")
		requireArgument(t, err, "Owner")
		down := s.WithStore(storetest.Failing(errDown))
		n, err := down.Count(t.Context(), owner)
		require.ErrorIs(t, err, errDown)
		require.Zero(t, n)
		n, err = down.CountAll(t.Context())
		require.ErrorIs(t, err, errDown)
		require.Zero(t, n)
	}},
}
