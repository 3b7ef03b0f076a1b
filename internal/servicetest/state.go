package servicetest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

// restless is a store in which every record changes just before each update.
type restless struct{ store.Store }

func (s restless) Update(ctx context.Context, rec store.Record) error {
	theirs, err := s.Get(ctx, rec.ID)
	if err != nil {
		return err
	}
	if err := s.Store.Update(ctx, theirs); err != nil {
		return err
	}
	return s.Store.Update(ctx, rec)
}

var stateTests = []test{
	{"M23 the first revocation is the one that is kept", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		_, key := issue(t, s, request())
		ref := apikey.Ref{Owner: owner, ID: key.ID}
		first, err := s.Revoke(t.Context(), ref, "left the team")
		require.NoError(t, err)
		require.Equal(t, start, first.RevokedAt)
		require.Equal(t, "left the team", first.RevokedReason)
		require.Equal(t, apikey.StateRevoked, first.State(start))
		c.Add(time.Hour)
		again, err := s.Revoke(t.Context(), ref, "another reason")
		require.NoError(t, err)
		require.Equal(t, first, again)
	}},
	{"M23 forty revocations at once agree on one", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		token, key := issue(t, s, request())
		got := make([]apikey.Key, 40)
		var wg sync.WaitGroup
		for i := range got {
			wg.Go(func() {
				var err error
				got[i], err = s.Revoke(t.Context(), apikey.Ref{Owner: owner, ID: key.ID}, fmt.Sprint("reason ", i))
				require.NoError(t, err)
			})
		}
		wg.Wait()
		for _, key := range got {
			require.Equal(t, got[0], key)
		}
		rec, err := st.Get(t.Context(), key.ID)
		require.NoError(t, err)
		require.Equal(t, int64(2), rec.Version, "one write revoked it")
		requireRefused(t, s, token, apikey.ErrRevoked)
	}},
	{"M24 M25 keys that never expire can be revoked, expired ones too, and dead ones not be changed", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		cfg.AllowNeverExpires = true
		s := newService(t, st, cfg)
		never := request()
		never.NeverExpires = true
		token, immortal := issue(t, s, never)
		_, err := s.Revoke(t.Context(), apikey.Ref{Owner: owner, ID: immortal.ID}, "")
		require.NoError(t, err)
		requireRefused(t, s, token, apikey.ErrRevoked)
		_, err = s.Update(t.Context(), apikey.Ref{Owner: owner, ID: immortal.ID}, apikey.Changes{Label: new("back")})
		require.ErrorIs(t, err, apikey.ErrNotActive)
		require.ErrorIs(t, err, apikey.ErrConflict)

		token, mortal := issue(t, s, request())
		c.Set(mortal.ExpiresAt)
		_, err = s.Update(t.Context(), apikey.Ref{Owner: owner, ID: mortal.ID}, apikey.Changes{Label: new("back")})
		require.ErrorIs(t, err, apikey.ErrNotActive)
		_, err = s.Revoke(t.Context(), apikey.Ref{Owner: owner, ID: mortal.ID}, "")
		require.NoError(t, err)
		requireRefused(t, s, token, apikey.ErrRevoked)
	}},
	{"a reason is bounded and on one line", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		token, key := issue(t, s, request())
		ref := apikey.Ref{Owner: owner, ID: key.ID}
		for _, reason := range []string{strings.Repeat("x", 256), "two\nlines", "\x00", "\xff"} {
			_, err := s.Revoke(t.Context(), ref, reason)
			requireArgument(t, err, "Reason")
			_, err = s.RevokeAll(t.Context(), owner, reason)
			requireArgument(t, err, "Reason")
		}
		requireOpens(t, s, token, key)
		got, err := s.Revoke(t.Context(), ref, strings.Repeat("é", 255))
		require.NoError(t, err)
		require.Equal(t, strings.Repeat("é", 255), got.RevokedReason)
	}},
	{"M28 M30 a use recorded during a revocation revives nothing", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		token, key := issue(t, s, request())
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				require.NoError(t, st.Touch(t.Context(), []store.Use{{ID: key.ID, At: start.Add(time.Duration(i) * time.Second)}}))
			})
		}
		wg.Go(func() {
			_, err := s.Revoke(t.Context(), apikey.Ref{Owner: owner, ID: key.ID}, "")
			require.NoError(t, err)
		})
		wg.Wait()
		requireRefused(t, s, token, apikey.ErrRevoked)
		rec, err := st.Get(t.Context(), key.ID)
		require.NoError(t, err)
		require.Equal(t, start.Add(19*time.Second), rec.LastUsedAt)
	}},
	{"a record that never holds still ends in a conflict and stays as it is", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		token, key := issue(t, s, request())
		_, err := s.WithStore(restless{st}).Update(t.Context(), apikey.Ref{Owner: owner, ID: key.ID}, apikey.Changes{Label: new("x")})
		require.ErrorIs(t, err, apikey.ErrConflict)
		requireOpens(t, s, token, key)
	}},
	{"F20 on a clock that tells no time nothing is opened, issued or ended", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		token, key := issue(t, s, request())
		for _, now := range []time.Time{{}, time.Unix(-1, 0), time.Date(9000, 1, 1, 0, 0, 1, 0, time.UTC), time.Unix(1<<60, 0)} {
			c.Set(now)
			everyCall(t.Context(), s, token, key.ID, func(call string, err error) {
				switch call {
				case "Get", "List", "All": // which look at no clock
					require.NoError(t, err, call)
				default:
					require.ErrorIs(t, err, apikey.ErrUnavailable, call)
				}
			})
			_, err := s.List(t.Context(), owner, apikey.Page{State: apikey.StateActive})
			require.ErrorIs(t, err, apikey.ErrUnavailable)
		}
		c.Set(start)
		require.Equal(t, 1, count(t, st, owner))
		requireOpens(t, s, token, key)
	}},
	{"a change on a clock that is behind does not take UpdatedAt back", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		_, key := issue(t, s, request())
		c.Add(-time.Hour)
		got, err := s.Revoke(t.Context(), apikey.Ref{Owner: owner, ID: key.ID}, "")
		require.NoError(t, err)
		require.Equal(t, start.Add(-time.Hour), got.RevokedAt)
		rec, err := st.Get(t.Context(), key.ID)
		require.NoError(t, err)
		require.Equal(t, start, rec.UpdatedAt)
	}},
}
