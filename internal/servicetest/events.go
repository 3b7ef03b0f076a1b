package servicetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
	"github.com/opengovsg/latchkey/store/storetest"
)

// life takes a key through everything that can happen to it and returns its tokens.
func life(t *testing.T, s *apikey.Service, c *clock) (older, newer string, key apikey.Key) {
	t.Helper()
	older, key = issue(t, s, request())
	c.Add(time.Minute)
	_, err := s.Update(t.Context(), ref(key), apikey.Changes{Label: new("payroll")})
	require.NoError(t, err)
	c.Add(time.Minute)
	newer, _ = rotate(t, s, key, apikey.Rotation{Grace: time.Minute})
	c.Add(time.Minute)
	open(t, s, newer)
	c.Add(time.Minute)
	requireRefused(t, s, older, apikey.ErrSuperseded)
	sent, err := s.Remind(t.Context(), ref(key), start.Add(time.Second), func(context.Context, apikey.Key) error { return nil })
	require.NoError(t, err)
	require.True(t, sent)
	c.Add(time.Minute)
	_, err = s.Revoke(t.Context(), ref(key), "left the team")
	require.NoError(t, err)
	requireRefused(t, s, older, apikey.ErrRevoked)
	return older, newer, key
}

// lifeEvents are what is told of it: calls at once, and what verifications have to tell by Run.
var lifeEvents = []apikey.EventKind{
	apikey.EventIssued, apikey.EventUpdated, apikey.EventRotated, apikey.EventReminded, apikey.EventRevoked, apikey.EventActivated, apikey.EventLateUse,
}

var eventTests = []test{
	{"the observer is told what happened to a key, when, and how it then was", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		var seen observer
		cfg.Observer = seen.Observe
		s := newService(t, st, cfg)
		older, newer, key := life(t, s, c)
		rec := kept(t, st, key)
		events := seen.takeAll(t, s)
		at := func(n time.Duration) time.Time { return start.Add(n * time.Minute) }
		times := []time.Time{at(0), at(1), at(2), at(4), at(5), at(3), at(4)}
		require.Len(t, events, len(lifeEvents))
		for i, e := range events {
			require.Equal(t, lifeEvents[i], e.Kind)
			require.Equal(t, times[i], e.At, e.Kind)
			require.Equal(t, key.ID, e.Key.ID)
			require.False(t, e.Key.Superseded())
			h, rotated := e.Key.Handover()
			require.Equal(t, e.Kind != "issued" && e.Kind != "updated", rotated, e.Kind)
			require.Equal(t, e.Kind == "rotated", rotated && h.Pending(), e.Kind)
			require.Equal(t, e.Kind != "issued", e.Key.Label == "payroll", e.Kind)
			require.Equal(t, e.Kind == "revoked", e.Key.RevokedReason != "", e.Kind)
			require.Equal(t, e.Kind == "reminded" || e.Kind == "revoked", !e.Key.RemindedFor().IsZero(), e.Kind)
			_, first := split(older)
			_, second := split(newer)
			for _, text := range []string{fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e), fmt.Sprintf("%x", e)} {
				for _, secret := range []string{first, second, string(rec.Hash), string(rec.PriorHash)} {
					require.False(t, strings.Contains(text, secret), e.Kind) // without showing it
					require.False(t, strings.Contains(text, fmt.Sprintf("%x", secret)), e.Kind)
				}
			}
		}
	}},
	{"what failed, changed nothing or was tried without a key is no event", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		var seen observer
		cfg.Observer = seen.Observe
		counter := storetest.Counter{Store: st}
		s := newService(t, &counter, cfg)
		token, key := issue(t, s, request())
		_, err := s.Revoke(t.Context(), ref(key), "")
		require.NoError(t, err)
		_, key = issue(t, s, request())
		require.Equal(t, []apikey.EventKind{"issued", "revoked", "issued"}, seen.take(t, s))

		everyCall(t.Context(), s.WithStore(storetest.Failing(errDown)), token, key.ID, func(string, error) {})
		_, err = s.Revoke(t.Context(), apikey.AnyOwner(tokenID(token)), "again")
		require.NoError(t, err)
		_, err = s.Update(t.Context(), ref(key), apikey.Changes{Label: new("")})
		require.Error(t, err)
		_, _, err = s.Rotate(t.Context(), apikey.Ref{Owner: "user_43", ID: key.ID}, apikey.Rotation{})
		require.Error(t, err)
		before := counter.Calls() - counter.Gets.Load()
		_, secret := split(token)
		garbage := []string{wrong(key), token, token[1:], spell(prefix, "00000000000000000000", secret), ""}
		for i := range 10_000 {
			_, err := s.Verify(t.Context(), garbage[i%len(garbage)])
			require.ErrorIs(t, err, apikey.ErrInvalid)
		}
		require.Equal(t, before, counter.Calls()-counter.Gets.Load())
		require.Empty(t, seen.take(t, s))
		require.Equal(t, apikey.Stats{Malformed: 4000, Unknown: 4000, Revoked: 2000, Unavailable: 1}, s.Stats())
		flush(t, s)
		require.Equal(t, before, counter.Calls()-counter.Gets.Load())
	}},
	{"an observer that panics changes nothing, and is counted", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		cfg.Observer = func(context.Context, apikey.Event) { panic("the observer's own") }
		s := newService(t, st, cfg)
		_, _, key := life(t, s, c)
		require.Equal(t, int64(5), s.Stats().EventsLost)
		new(observer).takeAll(t, s)
		require.Equal(t, int64(len(lifeEvents)), s.Stats().EventsLost)
		require.Equal(t, "left the team", kept(t, st, key).RevokedReason)
	}},
	{"without an observer nothing waits and nothing is lost", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		older, key := issue(t, s, request())
		rotate(t, s, key, apikey.Rotation{Immediately: true})
		for range 300 {
			requireRefused(t, s, older, apikey.ErrSuperseded)
		}
		require.Zero(t, s.Stats().EventsLost)
	}},
	{"256 events of verifications wait for Run, and what is more is counted", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		var seen observer
		cfg.Observer = seen.Observe
		s := newService(t, st, cfg)
		older, key := issue(t, s, request())
		newer, _ := rotate(t, s, key, apikey.Rotation{Immediately: true})
		seen.take(t, s)
		for range 300 {
			c.Add(time.Minute) // a key's late uses are told of once a minute
			requireRefused(t, s, older, apikey.ErrSuperseded)
			open(t, s.WithStore(st), newer)
		}
		require.Equal(t, int64(44), s.Stats().EventsLost)
		require.Len(t, seen.take(t, s.WithStore(st)), 256, "one queue for all that share a service")
		c.Add(time.Minute)
		requireRefused(t, s, older, apikey.ErrSuperseded)
		require.Equal(t, []apikey.EventKind{"late use"}, seen.take(t, s))
		require.Equal(t, int64(44), s.Stats().EventsLost)
	}},
	{"every verification is counted once, by what became of it", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		require.Zero(t, s.Stats())
		require.Zero(t, new(apikey.Service).Stats())
		older, newer, key := life(t, s, c) // one opened, one superseded, one revoked
		requireRefused(t, s, newer[1:], apikey.ErrMalformed)
		r := request()
		r.ExpiresIn = time.Minute
		short, _ := issue(t, s, r)
		open(t, s.WithStore(st), short)
		c.Add(time.Minute)
		for range 2 {
			requireRefused(t, s, short, apikey.ErrExpired)
		}
		for range 3 {
			requireRefused(t, s, wrong(key), apikey.ErrUnknown)
		}
		requireUnavailable(t, s.WithStore(storetest.Failing(errDown)), older)
		requireUnavailable(t, s.WithStore(storetest.Mistaken(st, store.Record{})), older)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.Verify(gone, newer)
		require.ErrorIs(t, err, apikey.ErrUnavailable)
		tamper(t, st, key.ID, func(rec *store.Record) { rec.Hash = "" })
		requireRefused(t, s, newer, apikey.ErrCorrupt)
		require.Equal(t, apikey.Stats{
			Verified: 2, Malformed: 1, Unknown: 3, Expired: 2, Revoked: 1, Superseded: 1, Corrupt: 1, Unavailable: 3,
		}, s.Stats())
	}},
	{"counts are exact under load", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		token, key := issue(t, s, request())
		at40(func(i int) {
			for range 5 {
				_, err := s.Verify(t.Context(), token)
				require.NoError(t, err)
				_, err = s.Verify(t.Context(), wrong(key))
				require.ErrorIs(t, err, apikey.ErrUnknown)
			}
		})
		require.Equal(t, apikey.Stats{Verified: 200, Unknown: 200}, s.Stats())
	}},
}

func tokenID(token string) string {
	id, _ := split(token)
	return id
}
