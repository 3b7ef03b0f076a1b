package servicetest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

func ids(keys []apikey.Key) []string {
	all := make([]string, len(keys))
	for i, key := range keys {
		all[i] = key.ID
	}
	return all
}

// issueMany issues n keys a second apart and returns their ids, newest first.
func issueMany(t *testing.T, s *apikey.Service, c *clock, n int) []string {
	t.Helper()
	var all []string
	for i := range n {
		c.Add(time.Second)
		r := request()
		r.Label = fmt.Sprint("key ", i)
		_, key := issue(t, s, r)
		all = append(all, key.ID)
	}
	slices.Reverse(all)
	return all
}

var listTests = []test{
	{"pages run from the newest to the oldest and the last one says so", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		want := issueMany(t, s, c, 7)
		for _, limit := range []int{1, 2, 3, 6, 7, 8, 500} {
			var got []string
			page := apikey.Page{Limit: limit}
			for {
				l, err := s.List(t.Context(), owner, page)
				require.NoError(t, err)
				require.NotEmpty(t, l.Keys)
				got = append(got, ids(l.Keys)...)
				if l.Next == "" {
					break
				}
				require.Len(t, l.Keys, limit)
				page.After = l.Next
			}
			require.Equal(t, want, got)
		}
		l, err := s.List(t.Context(), "nobody", apikey.Page{})
		require.NoError(t, err)
		require.Empty(t, l.Keys)
		require.Empty(t, l.Next)
	}},
	{"All yields every key across pages and stops when told", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		cfg.MaxPerOwner = 1000
		s := newService(t, st, cfg)
		want := issueMany(t, s, c, 501)
		var got []string
		for key, err := range s.All(t.Context(), owner) {
			require.NoError(t, err)
			got = append(got, key.ID)
		}
		require.Equal(t, want, got)
		got = nil
		for key := range s.All(t.Context(), owner) {
			if got = append(got, key.ID); len(got) == 3 {
				break
			}
		}
		require.Equal(t, want[:3], got)
		for _, err := range s.All(t.Context(), "") {
			requireArgument(t, err, "Owner")
		}
	}},
	{"pages can be narrowed to a state", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		_, active := issue(t, s, request())
		short := request()
		short.ExpiresIn = time.Hour
		_, expired := issue(t, s, short)
		_, revoked := issue(t, s, short)
		_, err := s.Revoke(t.Context(), apikey.Ref{Owner: owner, ID: revoked.ID}, "")
		require.NoError(t, err)
		c.Set(expired.ExpiresAt)
		for state, want := range map[apikey.State]string{
			apikey.StateActive: active.ID, apikey.StateExpired: expired.ID, apikey.StateRevoked: revoked.ID,
		} {
			l, err := s.List(t.Context(), owner, apikey.Page{State: state})
			require.NoError(t, err)
			require.Equal(t, []string{want}, ids(l.Keys), state)
			require.Equal(t, state, l.Keys[0].State(c.Now()))
		}
		_, err = s.List(t.Context(), owner, apikey.Page{State: "live"})
		requireArgument(t, err, "State")
	}},
	{"M17 M19 cursors and limits from outside are refused before any store call", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		_, key := issue(t, s, request())
		s = s.WithStore(unreachable{t})
		for _, after := range []string{
			key.ID[1:], key.ID + "0", strings.ToUpper(key.ID), "' OR 1=1--", `{"id":1}`, "\x00", strings.Repeat("0", 1<<20), "MDE=",
		} {
			_, err := s.List(t.Context(), owner, apikey.Page{After: after})
			requireArgument(t, err, "After")
		}
		for _, limit := range []int{-1, 501, 1e9, math.MaxInt, math.MinInt} {
			_, err := s.List(t.Context(), owner, apikey.Page{Limit: limit})
			requireArgument(t, err, "Limit")
		}
	}},
	{"M17 another owner's key as a cursor shows none of that owner's keys", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		mine := issueMany(t, s, c, 2)
		c.Add(time.Second)
		_, theirs := issue(t, s, apikey.Request{Owner: "user_43", Label: "theirs"})
		l, err := s.List(t.Context(), owner, apikey.Page{After: theirs.ID})
		require.NoError(t, err)
		require.Equal(t, mine, ids(l.Keys))
	}},
	{"M22 keys that come and go between pages neither repeat nor hide others", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		want := issueMany(t, s, c, 6)
		var got []string
		page := apikey.Page{Limit: 2}
		for {
			l, err := s.List(t.Context(), owner, page)
			require.NoError(t, err)
			got = append(got, ids(l.Keys)...)
			if l.Next == "" {
				break
			}
			page.After = l.Next
			issueMany(t, s, c, 1)
			_, err = s.Revoke(t.Context(), apikey.Ref{Owner: owner, ID: l.Next}, "") // the cursor's own key goes
			require.NoError(t, err)
			c.Add(time.Second)
			n, err := s.Purge(t.Context(), c.Now())
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
		require.Equal(t, want, got)
	}},
	{"M2 owners are compared byte by byte", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		owners := []string{"Alice", "alice", "alice ", " alice", "álice", "a\u0301lice", "al%ce", "al_ce", "' OR ''='", strings.Repeat("密", 85)}
		for _, owner := range owners {
			r := request()
			r.Owner = owner
			issue(t, s, r)
		}
		for _, owner := range owners {
			l, err := s.List(t.Context(), owner, apikey.Page{})
			require.NoError(t, err)
			require.Len(t, l.Keys, 1, owner)
			require.Equal(t, owner, l.Keys[0].Owner)
		}
	}},
	{"an iteration ends when its context does", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		issueMany(t, s, c, 2)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		yields := 0
		for _, err := range s.All(ctx, owner) {
			require.ErrorIs(t, err, context.Canceled)
			yields++
		}
		require.Equal(t, 1, yields)
	}},
}
