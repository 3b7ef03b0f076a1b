package servicetest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

// An updating store has its updates done by a function.
type updating struct {
	store.Store
	update func(ctx context.Context, rec store.Record) error
}

func (s updating) Update(ctx context.Context, rec store.Record) error { return s.update(ctx, rec) }

var rehashTests = []test{
	{"a failed rehash is tried again after a minute and not before, on whatever store", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		token, key := issue(t, newService(t, st, cfg), request())
		cfg.Peppers = []apikey.Pepper{newPepper(t, 1)}
		broken := readOnly{st, new(atomic.Int64)}
		s := newService(t, broken, cfg)
		for _, step := range []struct {
			at    time.Duration
			tries int64
		}{{0, 1}, {time.Minute - 1, 1}, {time.Minute, 2}, {2*time.Minute - 1, 2}, {2 * time.Minute, 3}} {
			c.Set(start.Add(step.at))
			requireOpens(t, s, token, key)
			requireOpens(t, s.WithStore(broken), token, key) // as for a transaction
			require.Equal(t, step.tries, broken.updates.Load(), step.at)
		}
	}},
	{"a rehash that succeeds, or loses to another write, holds up no other key's", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		plain := newService(t, st, cfg)
		var tokens []string
		var keys []apikey.Key
		for range 2 {
			token, key := issue(t, plain, request())
			tokens, keys = append(tokens, token), append(keys, key)
		}
		cfg.Peppers = []apikey.Pepper{newPepper(t, 1)}
		for _, lost := range []error{store.ErrConflict, store.ErrNotFound} {
			for _, lost := range []error{lost, fmt.Errorf("table keys: %w", lost)} {
				tries := 0
				s := newService(t, updating{st, func(context.Context, store.Record) error { tries++; return lost }}, cfg)
				for i, token := range tokens {
					requireOpens(t, s, token, keys[i])
				}
				require.Equal(t, 2, tries, lost)
			}
		}
		s := newService(t, st, cfg)
		for i, token := range tokens {
			requireOpens(t, s, token, keys[i])
			requireOpens(t, s, token, keys[i])
			rec, err := st.Get(t.Context(), keys[i].ID)
			require.NoError(t, err)
			require.Equal(t, "hmac-sha256:"+cfg.Peppers[0].ID(), rec.Scheme)
			require.Equal(t, int64(2), rec.Version)
		}
	}},
	{"a client that goes away during a rehash does not keep its key from being rehashed", func(t *testing.T, st store.Store) {
		cfg := config(newClock())
		token, key := issue(t, newService(t, st, cfg), request())
		cfg.Peppers = []apikey.Pepper{newPepper(t, 1)}
		ctx, cancel := context.WithCancel(t.Context())
		tries := 0
		s := newService(t, updating{st, func(ctx context.Context, rec store.Record) error {
			tries++
			cancel()
			if err := ctx.Err(); err != nil {
				return err
			}
			return st.Update(ctx, rec)
		}}, cfg)
		_, err := s.Verify(ctx, token)
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, apikey.ErrInvalid)
		requireOpens(t, s, token, key)
		require.Equal(t, 1, tries)
		rec, err := st.Get(t.Context(), key.ID)
		require.NoError(t, err)
		require.Equal(t, int64(2), rec.Version)
	}},
	{"a rehash moves UpdatedAt, and not back", func(t *testing.T, st store.Store) {
		for _, d := range []time.Duration{time.Hour, -time.Hour} {
			c := newClock()
			cfg := config(c)
			token, key := issue(t, newService(t, st, cfg), request())
			c.Add(d)
			cfg.Peppers = []apikey.Pepper{newPepper(t, 1)}
			requireOpens(t, newService(t, st, cfg), token, key)
			rec, err := st.Get(t.Context(), key.ID)
			require.NoError(t, err)
			require.Equal(t, int64(2), rec.Version)
			require.Equal(t, start.Add(max(d, 0)), rec.UpdatedAt)
		}
	}},
	{"what is refused is not rehashed", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		plain := newService(t, st, cfg)
		dead, key := issue(t, plain, request())
		_, err := plain.Revoke(t.Context(), apikey.Ref{Owner: owner, ID: key.ID}, "")
		require.NoError(t, err)
		short := request()
		short.ExpiresIn = time.Hour
		old, _ := issue(t, plain, short)
		cfg.Peppers = []apikey.Pepper{newPepper(t, 1)}
		s := newService(t, updating{st, func(context.Context, store.Record) error {
			require.Fail(t, "rehashed")
			return nil
		}}, cfg)
		requireRefused(t, s, dead, apikey.ErrRevoked)
		c.Add(time.Hour)
		requireRefused(t, s, old, apikey.ErrExpired)
	}},
}
