package servicetest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
	"github.com/opengovsg/latchkey/store/storetest"
)

// due is an instant to remind of.
var due = start.Add(10 * day)

// A mailbox notes what it is told to send.
type mailbox struct{ sent atomic.Int64 }

func (m *mailbox) send(context.Context, apikey.Key) error {
	m.sent.Add(1)
	return nil
}

// requireNoReminder expects that there is nothing to do, and nobody to be told.
func requireNoReminder(t *testing.T, s *apikey.Service, key apikey.Key, due time.Time) {
	t.Helper()
	sent, err := s.Remind(t.Context(), ref(key), due, func(context.Context, apikey.Key) error {
		require.Fail(t, "reminded")
		return nil
	})
	require.NoError(t, err)
	require.False(t, sent)
}

func remind(t *testing.T, s *apikey.Service, key apikey.Key, due time.Time) apikey.Key {
	t.Helper()
	var told apikey.Key
	sent, err := s.Remind(t.Context(), ref(key), due, func(_ context.Context, key apikey.Key) error { told = key; return nil })
	require.NoError(t, err)
	require.True(t, sent)
	return told
}

var errBounced = errors.New("bounced")

var remindTests = []test{
	{"people are reminded of an instant once, and of an earlier one no more", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, newExacting(t, st), config(c))
		token, key := issue(t, s, request())
		told := remind(t, s, key, due.Add(999).In(time.FixedZone("", 8*60*60)))
		require.Equal(t, key, told)
		require.Equal(t, due, open(t, s, token).RemindedFor())
		for _, due := range []time.Time{due, due.Add(999), due.Add(-day), start} {
			requireNoReminder(t, s, key, due)
		}
		c.Add(time.Hour)
		requireNoReminder(t, s, key, due)
		require.Equal(t, due, remind(t, s, key, due.Add(time.Microsecond)).RemindedFor())
		rec := kept(t, st, key)
		require.Equal(t, due.Add(time.Microsecond), rec.RemindedFor)
		require.Zero(t, rec.RemindingUntil)
		require.Equal(t, c.Now(), rec.UpdatedAt)
		_, other := issue(t, s, request())
		require.Zero(t, kept(t, st, other).RemindedFor)
	}},
	{"of forty calls at once, on two services, one reminds", func(t *testing.T, st store.Store) {
		c := newClock()
		services := []*apikey.Service{newService(t, st, config(c)), newService(t, st, config(c))}
		_, key := issue(t, services[0], request())
		for i := range 3 {
			var m mailbox
			var sent atomic.Int64
			at40(func(n int) {
				ok, err := services[n%2].Remind(t.Context(), ref(key), due.Add(time.Duration(i)*day), m.send)
				require.NoError(t, err)
				if ok {
					sent.Add(1)
				}
			})
			require.Equal(t, int64(1), m.sent.Load())
			require.Equal(t, int64(1), sent.Load())
		}
	}},
	{"a notifier that fails or panics is tried again, also at once and by others", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		var seen observer
		cfg.Observer = seen.Observe
		s := newService(t, st, cfg)
		_, key := issue(t, s, request())
		for range 2 {
			sent, err := s.Remind(t.Context(), ref(key), due, func(context.Context, apikey.Key) error { return errBounced })
			require.Equal(t, errBounced, err)
			require.False(t, sent)
			sent, err = s.Remind(t.Context(), ref(key), due, func(context.Context, apikey.Key) error { panic("canary") })
			require.ErrorContains(t, err, "panicked")
			require.NotContains(t, err.Error(), "canary")
			require.False(t, sent)
			sent, err = s.Remind(t.Context(), ref(key), due, nil)
			require.Error(t, err)
			require.False(t, sent)
		}
		require.Zero(t, kept(t, st, key).RemindedFor)
		require.Equal(t, []apikey.EventKind{"issued"}, seen.take(t, s))
		remind(t, s, key, due)
		require.Equal(t, []apikey.EventKind{"reminded"}, seen.take(t, s))
		requireNoReminder(t, s, key, due)
		require.Empty(t, seen.take(t, s))
	}},
	{"of an instance that died while it reminded another takes over after five minutes", func(t *testing.T, st store.Store) {
		c := newClock()
		s, other := newService(t, st, config(c)), newService(t, st, config(c))
		for _, late := range []error{nil, errBounced} {
			c.Set(start)
			_, key := issue(t, s, request())
			began, end, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
			go func() {
				defer close(done)
				_, err := s.Remind(context.Background(), ref(key), due, func(context.Context, apikey.Key) error {
					close(began)
					<-end
					return late
				})
				if late == nil {
					require.NoError(t, err)
				} else {
					require.Equal(t, late, err)
				}
			}()
			<-began
			for _, d := range []time.Duration{0, 5*time.Minute - time.Microsecond, -day} {
				c.Set(start.Add(d))
				requireNoReminder(t, other, key, due)
			}
			c.Set(start.Add(5 * time.Minute))
			sent, err := other.Remind(t.Context(), ref(key), due, func(context.Context, apikey.Key) error {
				close(end) // the first one was not dead after all
				<-done
				require.Equal(t, start.Add(10*time.Minute), kept(t, st, key).RemindingUntil, "it ends nobody else's turn")
				return nil
			})
			require.NoError(t, err)
			require.True(t, sent)
			require.Equal(t, due, kept(t, st, key).RemindedFor)
			requireNoReminder(t, s, key, due)
		}
	}},
	{"nobody is reminded of a key that is dead or gone by now", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		_, revoked := issue(t, s, request())
		_, err := s.Revoke(t.Context(), ref(revoked), "")
		require.NoError(t, err)
		requireNoReminder(t, s, revoked, due)
		_, expired := issue(t, s, request())
		c.Set(expired.ExpiresAt)
		requireNoReminder(t, s, expired, due)
		for _, key := range []apikey.Key{{Owner: owner, ID: "00000000000000000000"}, {Owner: "user_43", ID: expired.ID}} {
			sent, err := s.Remind(t.Context(), ref(key), due, nil)
			require.Equal(t, apikey.ErrNotFound, err)
			require.False(t, sent)
		}
		_, err = s.Remind(t.Context(), apikey.Ref{ID: expired.ID}, due, nil)
		requireArgument(t, err, "Owner")
		for _, due := range []time.Time{{}, time.Unix(-1, 0), time.Date(9001, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(1<<60, 0)} {
			_, err := s.WithStore(unreachable{t}).Remind(t.Context(), ref(expired), due, nil)
			requireArgument(t, err, "due")
		}
	}},
	{"what happens to a key while its people are reminded is not undone", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		during := func(do func(key apikey.Key)) apikey.Key {
			t.Helper()
			_, key := issue(t, s, request())
			sent, err := s.Remind(t.Context(), ref(key), due, func(_ context.Context, key apikey.Key) error { do(key); return nil })
			require.NoError(t, err)
			require.True(t, sent)
			return key
		}
		key := during(func(key apikey.Key) {
			_, err := s.Revoke(t.Context(), ref(key), "meanwhile")
			require.NoError(t, err)
		})
		rec := kept(t, st, key)
		require.Equal(t, "meanwhile", rec.RevokedReason)
		require.Equal(t, due, rec.RemindedFor)
		key = during(func(key apikey.Key) { rotate(t, s, key, apikey.Rotation{}) })
		require.True(t, handover(t, s, key).Pending())
		require.Equal(t, due, kept(t, st, key).RemindedFor)
		during(func(key apikey.Key) {
			_, err := s.Revoke(t.Context(), ref(key), "")
			require.NoError(t, err)
			c.Add(time.Second)
			_, err = s.Purge(t.Context(), c.Now())
			require.NoError(t, err)
			_, err = s.Get(t.Context(), ref(key))
			require.Equal(t, apikey.ErrNotFound, err)
		})
	}},
	{"what was sent is kept as sent when the caller's context ends, and while others write", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, contended(st, 5), config(c))
		_, key := issue(t, s, request())
		ctx, cancel := context.WithCancel(t.Context())
		sent, err := s.Remind(ctx, ref(key), due, func(ctx context.Context, _ apikey.Key) error {
			deadline, ok := ctx.Deadline()
			require.True(t, ok, "it has a time of its own")
			require.Less(t, time.Until(deadline), 3*time.Minute)
			cancel()
			require.Error(t, ctx.Err())
			return nil
		})
		require.NoError(t, err)
		require.True(t, sent)
		requireNoReminder(t, s, key, due)
	}},
	{"a reminder that can't be kept is told as such, and repeated after five minutes", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		var seen observer
		cfg.Observer = seen.Observe
		s := newService(t, st, cfg)
		_, key := issue(t, s, request())
		var m mailbox
		for _, call := range []int{1, 2} { // before it notifies nothing is lost
			sent, err := s.WithStore(storetest.FailOn(st, call, errDown)).Remind(t.Context(), ref(key), due, m.send)
			require.ErrorIs(t, err, errDown)
			require.ErrorIs(t, err, apikey.ErrUnavailable)
			require.False(t, sent)
			require.Zero(t, m.sent.Load())
			require.Zero(t, kept(t, st, key).RemindingUntil)
		}
		sent, err := s.WithStore(storetest.FailOn(st, 4, errDown)).Remind(t.Context(), ref(key), due, m.send)
		require.ErrorIs(t, err, errDown)
		require.True(t, sent)
		require.Equal(t, int64(1), m.sent.Load())
		require.Equal(t, []apikey.EventKind{"issued"}, seen.take(t, s))
		requireNoReminder(t, s, key, due)
		c.Add(5 * time.Minute)
		remind(t, s, key, due)
	}},
	{"whoever was told of a later end is told of a sooner one, and not of the same again", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		for _, sooner := range []func(key apikey.Key){
			func(key apikey.Key) {
				_, err := s.Update(t.Context(), ref(key), apikey.Changes{ExpiresAt: start.Add(5 * day)})
				require.NoError(t, err)
			},
			func(key apikey.Key) { rotate(t, s, key, apikey.Rotation{ExpiresIn: 5 * day}) },
		} {
			_, key := issue(t, s, request())
			remind(t, s, key, due)
			_, err := s.Update(t.Context(), ref(key), apikey.Changes{ExpiresAt: key.ExpiresAt, Label: new("payroll")})
			require.NoError(t, err)
			rotate(t, s, key, apikey.Rotation{})
			requireNoReminder(t, s, key, due)
			sooner(key)
			remind(t, s, key, start.Add(4*day))
			requireNoReminder(t, s, key, start.Add(4*day))

			// Also where that comes while they are being told.
			_, key = issue(t, s, request())
			sent, err := s.Remind(t.Context(), ref(key), due, func(_ context.Context, key apikey.Key) error { sooner(key); return nil })
			require.NoError(t, err)
			require.True(t, sent)
			remind(t, s, key, start.Add(4*day))
		}
	}},
}
