package servicetest

import (
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
	"github.com/opengovsg/latchkey/store/storetest"
)

// labels returns the labels of the keys that a walk yields, sorted.
func labels(t *testing.T, walk iter.Seq2[apikey.Key, error]) []string {
	t.Helper()
	all := []string{}
	for key, err := range walk {
		require.NoError(t, err)
		all = append(all, key.Label)
	}
	slices.Sort(all)
	return all
}

// ending issues a key with the label that expires after a time.
func ending(t *testing.T, s *apikey.Service, label string, in time.Duration) (string, apikey.Key) {
	t.Helper()
	return issue(t, s, apikey.Request{Owner: "owner of " + label, Label: label, ExpiresIn: in})
}

var expiringTests = []test{
	{"Expiring yields what ends in the window, the first instant included and the last not", func(t *testing.T, st store.Store) {
		c := newClock()
		exact := newExacting(t, st)
		s := newService(t, exact, config(c))
		for label, in := range map[string]time.Duration{"before": day - time.Microsecond, "first": day, "last": 2*day - time.Microsecond, "after": 2 * day} {
			ending(t, s, label, in)
		}
		from, before := start.Add(day), start.Add(2*day)
		require.Equal(t, []string{"first", "last"}, labels(t, s.Expiring(t.Context(), from, before)))
		singapore := time.FixedZone("", 8*60*60)
		require.Equal(t, []string{"first", "last"}, labels(t, s.Expiring(t.Context(), from.Add(999).In(singapore), before.Add(999).In(singapore))))
		all := []string{"after", "before", "first", "last"}
		far := time.Date(8999, 1, 1, 0, 0, 0, 0, time.UTC)
		for _, from := range []time.Time{{}, time.Time{}.Add(1), time.Unix(-1<<62, 0), time.Unix(0, 0), start} {
			require.Equal(t, all, labels(t, s.Expiring(t.Context(), from, far)), from)
		}
		require.Equal(t, all, labels(t, s.Expiring(t.Context(), start, time.Unix(1<<62, 0))))
		for _, window := range [][2]time.Time{{from, from}, {before, from}, {from, {}}, {{}, {}}, {start, start.Add(time.Hour)}, {far, far.Add(day)}} {
			require.Empty(t, labels(t, s.Expiring(t.Context(), window[0], window[1])))
		}
	}},
	{"Expiring yields a key by when its people have to act, once", func(t *testing.T, st store.Store) {
		for _, from := range []time.Time{{}, start} {
			c := newClock()
			cfg := config(c)
			cfg.AllowNeverExpires = true
			s := newService(t, storetest.FailOn(st, 0, errDown), cfg)
			name := func(label string) string { return fmt.Sprint(label, from.Unix()) }
			within := []string{}
			// Ends in ten days by its old token, or not before a hundred or so by its new one.
			for label, row := range map[string]struct {
				ends                               time.Duration // of the new token, from its rotation
				use, again, immediately, cut, over bool
				within                             bool
			}{
				"pending":                           {ends: 100 * day, within: true},
				"pending, and both end in the span": {ends: 15 * day, within: true},
				"pending, and both end together":    {ends: 10 * day, within: true},
				"pending, renewed and cut":          {ends: 100 * day, cut: true, within: true},
				"pending again":                     {ends: 100 * day, again: true, within: true},
				"in grace":                          {ends: 100 * day, use: true},
				"in grace, and ends in the span":    {ends: 15 * day, use: true, within: true},
				"immediately":                       {ends: 100 * day, immediately: true},
				"immediately, and ends in the span": {ends: 15 * day, immediately: true, within: true},
				"cancelled":                         {ends: 100 * day, again: true, use: true},
				"never taken over":                  {ends: 100 * day, over: true},
			} {
				c.Set(start)
				_, key := ending(t, s, name(label), 10*day)
				r := apikey.Rotation{ExpiresIn: row.ends, Immediately: row.immediately}
				newer, rotated := rotate(t, s, key, r)
				if row.again {
					newer, rotated = rotate(t, s, key, r)
				}
				if row.use {
					open(t, s, newer)
				}
				if row.cut {
					_, err := s.Update(t.Context(), ref(key), apikey.Changes{ExpiresAt: start.Add(15 * day)})
					require.NoError(t, err)
				}
				if row.over {
					c.Set(key.ExpiresAt)
					require.Equal(t, []string{}, slices.DeleteFunc(labels(t, s.Expiring(t.Context(), from, rotated.ExpiresAt)), func(l string) bool { return l != key.Label }))
					_, err := s.Revoke(t.Context(), ref(key), "")
					require.NoError(t, err)
				}
				if row.within {
					within = append(within, name(label))
				}
			}
			c.Set(start)
			_, dead := ending(t, s, name("revoked"), 10*day)
			_, err := s.Revoke(t.Context(), ref(dead), "")
			require.NoError(t, err)
			r := request()
			r.NeverExpires = true
			_, never := issue(t, s, r)
			_, got := rotate(t, s, never, apikey.Rotation{})
			require.Zero(t, got.EndsAt(start))

			slices.Sort(within)
			require.Equal(t, within, labels(t, s.Expiring(t.Context(), from, start.Add(20*day))))
			require.Empty(t, labels(t, s.Expiring(t.Context(), start.Add(10*day+1), start.Add(10*day))))
			_, err = s.RevokeAll(t.Context(), owner, "")
			require.NoError(t, err)
			for key, err := range s.Expiring(t.Context(), from, start.Add(400*day)) {
				require.NoError(t, err)
				_, err = s.Revoke(t.Context(), ref(key), "")
				require.NoError(t, err)
			}
		}
	}},
	{"Expiring and Idle leave out the dead and those of other prefixes, and go past a thousand", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		cfg.MaxPerOwner = 3000
		s := newService(t, st, cfg)
		cfg.Prefix = "postman_test"
		ending(t, newService(t, st, cfg), "another prefix's", 10*day)
		_, gone := ending(t, s, "expired", day)
		want := issueMany(t, s, c, 1001)
		c.Set(gone.ExpiresAt)
		for name, walk := range map[string]iter.Seq2[apikey.Key, error]{
			"Expiring": s.Expiring(t.Context(), start, start.Add(400*day)),
			"Idle":     s.Idle(t.Context(), c.Now()),
		} {
			got := make([]apikey.Key, 0, 1001)
			for key, err := range walk {
				require.NoError(t, err)
				got = append(got, key)
			}
			require.Equal(t, want, ids(got), name)
			n := 0
			for range walk {
				if n++; n == 3 {
					break
				}
			}
			require.Equal(t, 3, n)
		}
		n, err := s.CountAll(t.Context())
		require.NoError(t, err)
		require.Equal(t, apikey.Counts{Active: 1001, Expired: 1, Schemes: map[string]int{"sha256": 1001}}, n)
		for _, call := range []int{1, 2} { // the first page and the second
			for _, walk := range []func(s *apikey.Service) iter.Seq2[apikey.Key, error]{
				func(s *apikey.Service) iter.Seq2[apikey.Key, error] {
					return s.Expiring(t.Context(), start, start.Add(400*day))
				},
				func(s *apikey.Service) iter.Seq2[apikey.Key, error] { return s.Idle(t.Context(), c.Now()) },
			} {
				yielded, failed := 0, 0
				for key, err := range walk(s.WithStore(storetest.FailOn(st, call, errDown))) {
					if yielded++; err != nil {
						failed++
						require.ErrorIs(t, err, apikey.ErrUnavailable)
						require.ErrorIs(t, err, errDown)
						require.Zero(t, key)
					}
				}
				require.Equal(t, 1, failed)
				require.Equal(t, (call-1)*1000+1, yielded)
			}
		}
	}},
	{"Idle yields what was issued before and not used since", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		for _, row := range []struct {
			label        string
			issued, used time.Duration
		}{
			{"old and unused", 0, 0},
			{"used before", 0, 10*day - time.Microsecond},
			{"used since", 0, 10 * day},
			{"just old", 10*day - time.Microsecond, 0},
			{"new", 10 * day, 0},
		} {
			c.Set(start.Add(row.issued))
			token, _ := ending(t, s, row.label, 100*day)
			if row.used > 0 {
				c.Set(start.Add(row.used))
				open(t, s, token)
			}
		}
		flush(t, s)
		require.Equal(t, []string{"just old", "old and unused", "used before"}, labels(t, s.Idle(t.Context(), start.Add(10*day))))
		require.Empty(t, labels(t, s.Idle(t.Context(), start)))
	}},
}
