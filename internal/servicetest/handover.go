package servicetest

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

// An observer keeps the events it is told of.
type observer struct {
	mu     sync.Mutex
	events []apikey.Event
}

func (o *observer) Observe(_ context.Context, e apikey.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, e)
}

// take has the service hand over what waits, as Run does when it ends, and returns the kinds of events
// since the last time.
func (o *observer) take(t *testing.T, s *apikey.Service) []apikey.EventKind {
	t.Helper()
	kinds := []apikey.EventKind{}
	for _, e := range o.takeAll(t, s) {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func (o *observer) takeAll(t *testing.T, s *apikey.Service) []apikey.Event {
	t.Helper()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, s.Run(ended))
	o.mu.Lock()
	defer o.mu.Unlock()
	events := o.events
	o.events = nil
	return events
}

// at40 calls a function 40 times at once.
func at40(call func(i int)) {
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range 40 {
		wg.Go(func() {
			<-begin
			call(i)
		})
	}
	close(begin)
	wg.Wait()
}

// interrupted is a store on which something is done just before the first update.
func interrupted(st store.Store, do func()) store.Store {
	var once sync.Once
	return updating{st, func(ctx context.Context, rec store.Record) error {
		once.Do(do)
		return st.Update(ctx, rec)
	}}
}

var handoverTests = []test{
	{"forty first uses at once, of two services, activate once", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		var seen observer
		cfg.Observer = seen.Observe
		services := []*apikey.Service{newService(t, st, cfg), newService(t, st, cfg)}
		s := services[0]
		older, key := issue(t, s, request())
		newer, _ := rotate(t, s, key, apikey.Rotation{Grace: time.Hour})
		require.Equal(t, []apikey.EventKind{"issued", "rotated"}, seen.take(t, s))
		at40(func(i int) {
			key, err := services[i%2].Verify(t.Context(), newer)
			require.NoError(t, err)
			require.False(t, key.Superseded())
		})
		require.Equal(t, int64(3), kept(t, st, key).Version)
		require.Equal(t, []apikey.EventKind{"activated"}, append(seen.take(t, s), seen.take(t, services[1])...))
		require.Equal(t, start.Add(time.Hour), open(t, s, older).TokenExpiresAt())
	}},
	{"where an activation can't be written both tokens go on, and it is tried again after a second", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		var seen observer
		cfg.Observer = seen.Observe
		plain := newService(t, st, config(c))
		older, key := issue(t, plain, request())
		newer, _ := rotate(t, plain, key, apikey.Rotation{Grace: time.Hour})
		broken := readOnly{st, new(atomic.Int64)}
		s := newService(t, broken, cfg)
		for _, step := range []struct {
			at    time.Duration
			tries int64
		}{{0, 1}, {time.Second - 1, 1}, {time.Second, 2}, {2*time.Second - 1, 2}, {2 * time.Second, 3}, {-time.Hour, 4}, {-time.Hour, 4}} {
			c.Set(start.Add(step.at))
			for range 3 {
				require.False(t, open(t, s, newer).Superseded())
				require.True(t, open(t, s, older).Superseded())
			}
			open(t, s.WithStore(broken), newer) // as in a transaction
			require.Equal(t, step.tries, broken.updates.Load(), step.at)
		}
		require.True(t, handover(t, s, key).Pending())
		require.Empty(t, seen.take(t, s))
		c.Set(start.Add(time.Minute))
		healed := s.WithStore(st)
		open(t, healed, newer)
		require.Equal(t, c.Now(), handover(t, s, key).ActivatedAt)
		require.Equal(t, []apikey.EventKind{"activated"}, seen.take(t, healed))
	}},
	{"a rotation is activated in any year", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		for _, year := range []int{1970, 2262, 2263, 2400, 5000, 8999} {
			c.Set(time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC))
			_, key := issue(t, s, request())
			newer, _ := rotate(t, s, key, apikey.Rotation{})
			c.Add(time.Hour)
			open(t, s, newer)
			require.Equal(t, c.Now(), handover(t, s, key).ActivatedAt, year)
			require.Equal(t, c.Now(), kept(t, st, key).UpdatedAt, "whoever asks for what changed sees it")
		}
	}},
	{"a client that goes away does not keep its token from being activated", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		_, key := issue(t, s, request())
		newer, _ := rotate(t, s, key, apikey.Rotation{})
		ctx, cancel := context.WithCancel(t.Context())
		_, err := s.WithStore(interrupted(st, cancel)).Verify(ctx, newer)
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, apikey.ErrInvalid)
		require.False(t, handover(t, s, key).Pending())
	}},
	{"an activation yields to another one", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		_, key := issue(t, s, request())
		newer, _ := rotate(t, s, key, apikey.Rotation{})
		open(t, s.WithStore(interrupted(st, func() {
			c.Add(-time.Minute)
			open(t, s, newer)
		})), newer)
		require.Equal(t, start.Add(-time.Minute), handover(t, s, key).ActivatedAt)
		require.Equal(t, start, kept(t, st, key).UpdatedAt, "a clock that is behind does not take it back")
		require.Equal(t, int64(3), kept(t, st, key).Version)
	}},
	{"an activation yields to a revocation, and to a rotation, and takes back no update", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		for name, row := range map[string]struct {
			meanwhile func(key apikey.Key)
			pending   bool
			after     error
		}{
			"revoked": {func(key apikey.Key) {
				_, err := s.Revoke(t.Context(), ref(key), "meanwhile")
				require.NoError(t, err)
			}, true, apikey.ErrRevoked},
			"rotated":     {func(key apikey.Key) { rotate(t, s, key, apikey.Rotation{}) }, true, apikey.ErrUnknown},
			"immediately": {func(key apikey.Key) { rotate(t, s, key, apikey.Rotation{Immediately: true}) }, false, apikey.ErrUnknown},
			"updated": {func(key apikey.Key) {
				_, err := s.Update(t.Context(), ref(key), apikey.Changes{Label: new("meanwhile"), ExpiresAt: start.Add(time.Hour)})
				require.NoError(t, err)
			}, false, nil},
		} {
			older, key := issue(t, s, request())
			newer, _ := rotate(t, s, key, apikey.Rotation{})
			var meant store.Record
			racing := s.WithStore(interrupted(st, func() {
				row.meanwhile(key)
				meant = kept(t, st, key)
			}))
			open(t, racing, newer) // it began before
			rec := kept(t, st, key)
			require.Equal(t, row.pending, handover(t, s, key).Pending(), name)
			if row.after != nil {
				require.True(t, meant == rec, name)
				requireRefused(t, s, newer, row.after)
				continue
			}
			require.Equal(t, "meanwhile", rec.Label)
			require.Equal(t, start, rec.ActivatedAt)
			require.Equal(t, start.Add(time.Hour), rec.PriorExpiresAt)
			require.Equal(t, start.Add(time.Hour), open(t, s, older).TokenExpiresAt())
		}
	}},
	{"a revocation ends both tokens, pending or in grace", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		for _, used := range []bool{false, true} {
			older, key := issue(t, s, request())
			newer, _ := rotate(t, s, key, apikey.Rotation{})
			if used {
				open(t, s, newer)
			}
			_, err := s.Revoke(t.Context(), ref(key), "")
			require.NoError(t, err)
			for _, d := range []time.Duration{0, -time.Hour, 2 * day, 1000 * day} { // past every other reason
				c.Set(start.Add(d))
				requireRefused(t, s, older, apikey.ErrRevoked)
				requireRefused(t, s, newer, apikey.ErrRevoked)
			}
			c.Set(start)
		}
	}},
}
