package servicetest

import (
	"math"
	"strings"
	"sync"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

var issueTests = []test{
	{"what is issued verifies, and comes back as it was given", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		r := request()
		r.Scopes = []string{"sms:send", "email:*"}
		r.Contacts = []string{"team@agency.gov.sg", "o'neil+keys@example.com"}
		r.Metadata = map[string]string{"team": "人事 <b>&", "cost centre": ""}
		r.ExpiresIn = 30 * 24 * time.Hour
		token, key := issue(t, s, r)

		require.Equal(t, owner, key.Owner)
		require.Equal(t, r.Label, key.Label)
		require.Equal(t, r.Scopes, key.Scopes())
		require.Equal(t, r.Contacts, key.Contacts())
		require.Equal(t, r.Metadata, key.Metadata())
		require.Equal(t, start, key.CreatedAt)
		require.Equal(t, start.Add(r.ExpiresIn), key.ExpiresAt)
		require.Equal(t, apikey.StateActive, key.State(c.Now()))
		require.Equal(t, token[len(token)-5:], key.Hint)
		id, err := s.Format().Parse(token)
		require.NoError(t, err)
		require.Equal(t, id, key.ID)
		requireOpens(t, s, token, key)

		got, err := s.Get(t.Context(), apikey.Ref{Owner: owner, ID: key.ID})
		require.NoError(t, err)
		require.Equal(t, key, got)
	}},
	{"the default life is 180 days, and less where MaxTTL is", func(t *testing.T, st store.Store) {
		cfg := config(newClock())
		_, key := issue(t, newService(t, st, cfg), request())
		require.Equal(t, start.Add(180*24*time.Hour), key.ExpiresAt)
		cfg.MaxTTL = 24 * time.Hour
		_, key = issue(t, newService(t, st, cfg), request())
		require.Equal(t, start.Add(24*time.Hour), key.ExpiresAt)
		cfg.DefaultTTL = time.Hour
		_, key = issue(t, newService(t, st, cfg), request())
		require.Equal(t, start.Add(time.Hour), key.ExpiresAt)
	}},
	{"M7 a life that is no life, or too long, is refused", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		for _, in := range []time.Duration{-1, -time.Hour, 1, time.Second - 1, 366*24*time.Hour + 1, math.MaxInt64, math.MinInt64} {
			r := request()
			r.ExpiresIn = in
			_, _, err := s.Issue(t.Context(), r)
			requireArgument(t, err, "ExpiresIn")
		}
		for _, in := range []time.Duration{time.Second, 366 * 24 * time.Hour} {
			r := request()
			r.ExpiresIn = in
			issue(t, s, r)
		}
		require.Equal(t, 2, count(t, st, owner))
	}},
	{"a key that never expires takes both switches", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		r := request()
		r.NeverExpires = true
		_, _, err := newService(t, st, cfg).Issue(t.Context(), r)
		requireArgument(t, err, "NeverExpires")

		cfg.AllowNeverExpires = true
		s := newService(t, st, cfg)
		token, key := issue(t, s, r)
		require.Zero(t, key.ExpiresAt)
		c.Add(200 * 366 * 24 * time.Hour)
		requireOpens(t, s, token, key)

		r.ExpiresIn = time.Hour
		_, _, err = s.Issue(t.Context(), r)
		requireArgument(t, err, "ExpiresIn")
		c.Set(start)
		_, key = issue(t, s, request())
		require.NotZero(t, key.ExpiresAt, "the switch alone must not make keys immortal")
	}},
	{"M12 a repeated id is drawn again and never overwrites", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		cryptotest.SetGlobalRandom(t, 7)
		first, key1 := issue(t, s, request())
		cryptotest.SetGlobalRandom(t, 7)
		second, key2 := issue(t, s, request())
		require.NotEqual(t, key1.ID, key2.ID)
		requireOpens(t, s, first, key1)
		requireOpens(t, s, second, key2)

		third := newService(t, st, config(newClock()))
		s = third.WithStore(alwaysExists{st})
		_, _, err := s.Issue(t.Context(), request())
		require.ErrorIs(t, err, apikey.ErrUnavailable, "a source that only repeats itself must end, not loop")
		require.Equal(t, 2, count(t, st, owner))
	}},
	{"M14 the cap holds under concurrent requests", func(t *testing.T, st store.Store) {
		cfg := config(newClock())
		cfg.MaxPerOwner = 5
		s := newService(t, st, cfg)
		var mu sync.Mutex
		issued, limited := 0, 0
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() {
				_, _, err := s.Issue(t.Context(), request())
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					issued++
				} else if isLimit(err) {
					limited++
				}
			})
		}
		wg.Wait()
		require.Equal(t, 5, issued)
		require.Equal(t, 35, limited)
		require.Equal(t, 5, count(t, st, owner))
	}},
	{"the cap counts active keys only, and each owner's alone", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		cfg.MaxPerOwner = 2
		s := newService(t, st, cfg)
		r := request()
		r.ExpiresIn = time.Hour
		_, expiring := issue(t, s, r)
		_, revoked := issue(t, s, request())
		_, _, err := s.Issue(t.Context(), request())
		require.ErrorIs(t, err, apikey.ErrLimit)
		other := request()
		other.Owner = "user_43"
		issue(t, s, other)

		_, err = s.Revoke(t.Context(), apikey.Ref{Owner: owner, ID: revoked.ID}, "")
		require.NoError(t, err)
		issue(t, s, request())
		_, _, err = s.Issue(t.Context(), request())
		require.ErrorIs(t, err, apikey.ErrLimit)
		c.Set(expiring.ExpiresAt)
		issue(t, s, request())
	}},
	{"secrets and ids do not repeat", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		seen := make(map[string]bool)
		for range 50 {
			token, key := issue(t, s, request())
			secret := strings.TrimPrefix(token, prefix+"_"+key.ID+"_")[:43]
			require.False(t, seen[secret] || seen[key.ID])
			seen[secret], seen[key.ID] = true, true
		}
	}},
}
