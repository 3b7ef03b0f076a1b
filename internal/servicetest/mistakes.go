package servicetest

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/cryptotest"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
	"github.com/opengovsg/latchkey/store/storetest"
)

// A wordy store wraps every error into more words.
type wordy struct{ store.Store }

func wordily(err error) error {
	if err != nil {
		return fmt.Errorf("table keys: %w", err)
	}
	return nil
}

func (s wordy) Create(ctx context.Context, rec store.Record, max int) error {
	return wordily(s.Store.Create(ctx, rec, max))
}

func (s wordy) Get(ctx context.Context, id string) (store.Record, error) {
	rec, err := s.Store.Get(ctx, id)
	return rec, wordily(err)
}

func (s wordy) Update(ctx context.Context, rec store.Record) error {
	return wordily(s.Store.Update(ctx, rec))
}

// A busy store answers so many updates with a conflict, and counts all of them.
type busy struct {
	store.Store
	left, updates *atomic.Int64
}

func contended(st store.Store, conflicts int64) busy {
	s := busy{st, new(atomic.Int64), new(atomic.Int64)}
	s.left.Store(conflicts)
	return s
}

func (s busy) Update(ctx context.Context, rec store.Record) error {
	s.updates.Add(1)
	if s.left.Add(-1) >= 0 {
		return store.ErrConflict
	}
	return s.Store.Update(ctx, rec)
}

// A taken store says of the first so many new ids that they exist, and counts all of them.
type taken struct {
	store.Store
	left    int
	ids     map[string]bool
	secrets map[store.Hash]bool
}

func (s *taken) Create(ctx context.Context, rec store.Record, max int) error {
	s.ids[rec.ID], s.secrets[rec.Hash] = true, true
	if s.left--; s.left >= 0 {
		return store.ErrExists
	}
	return s.Store.Create(ctx, rec, max)
}

// A mislisted store changes what is listed.
type mislisted struct {
	store.Store
	wrong func([]store.Record) []store.Record
}

func (s mislisted) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	recs, err := s.Store.List(ctx, q)
	return s.wrong(recs), err
}

var mistakeTests = []test{
	{"a decision of the store is the same in more words, and is handed on bare", func(t *testing.T, st store.Store) {
		cfg := config(newClock())
		cfg.MaxPerOwner = 2
		s := newService(t, wordy{st}, cfg)
		cryptotest.SetGlobalRandom(t, 7)
		token, key := issue(t, s, request())
		cryptotest.SetGlobalRandom(t, 7)
		_, again := issue(t, s, request())
		require.NotEqual(t, key.ID, again.ID)
		_, _, err := s.Issue(t.Context(), request())
		require.Equal(t, apikey.ErrLimit, err)
		none := "00000000000000000000"
		_, err = s.Get(t.Context(), apikey.AnyOwner(none))
		require.Equal(t, apikey.ErrNotFound, err)
		_, secret := split(token)
		requireRefused(t, s, spell(prefix, none, secret), apikey.ErrUnknown)

		ref := apikey.Ref{Owner: owner, ID: key.ID}
		for _, conflicts := range []int64{1, 1000} {
			_, err = s.WithStore(wordy{contended(st, conflicts)}).Update(t.Context(), ref, apikey.Changes{Label: new("x")})
			if conflicts == 1 {
				require.NoError(t, err)
			} else {
				require.Equal(t, apikey.ErrConflict, err)
			}
		}
	}},
	{"F29 an id is drawn three times at most, each time with a new secret", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		for _, first := range []int{0, 2, 3} {
			busy := &taken{st, first, make(map[string]bool), make(map[store.Hash]bool)}
			token, key, err := s.WithStore(busy).Issue(t.Context(), request())
			require.Len(t, busy.ids, min(first+1, 3))
			require.Len(t, busy.secrets, min(first+1, 3))
			if first < 3 {
				require.NoError(t, err)
				requireOpens(t, s, token.Reveal(), key)
				continue
			}
			require.ErrorIs(t, err, apikey.ErrUnavailable)
			require.ErrorIs(t, err, store.ErrExists)
			require.Zero(t, token)
			require.Zero(t, key)
		}
	}},
	{"what could not be kept is not handed out", func(t *testing.T, st store.Store) {
		cfg := config(newClock())
		cfg.MaxPerOwner = 1
		s := newService(t, st, cfg)
		issue(t, s, request())
		for _, s := range []*apikey.Service{s, s.WithStore(storetest.Failing(errDown))} {
			token, key, err := s.Issue(t.Context(), request())
			require.Error(t, err)
			require.Zero(t, token)
			require.Zero(t, key)
		}
	}},
	{"a change is tried again a hundred times, after a conflict only", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		_, key := issue(t, s, request())
		ref := apikey.Ref{Owner: owner, ID: key.ID}
		most := contended(st, 99)
		got, err := s.WithStore(most).Update(t.Context(), ref, apikey.Changes{Label: new("payroll")})
		require.NoError(t, err)
		require.Equal(t, "payroll", got.Label)
		require.Equal(t, int64(100), most.updates.Load())
		endless := contended(st, 1000)
		_, err = s.WithStore(endless).Revoke(t.Context(), ref, "")
		require.Equal(t, apikey.ErrConflict, err)
		require.Equal(t, int64(100), endless.updates.Load())

		broken := readOnly{st, new(atomic.Int64)}
		_, err = s.WithStore(broken).Update(t.Context(), ref, apikey.Changes{Label: new("x")})
		require.ErrorIs(t, err, apikey.ErrUnavailable)
		require.ErrorIs(t, err, errReadOnly)
		_, err = s.WithStore(broken).Revoke(t.Context(), ref, "")
		require.ErrorIs(t, err, errReadOnly)
		require.Equal(t, int64(2), broken.updates.Load())
	}},
	{"F10 a row that has lost its owner opens nothing and is nobody's", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		token, key := issue(t, s, request())
		rec, err := st.Get(t.Context(), key.ID)
		require.NoError(t, err)
		rec.Owner = ""
		mistaken := s.WithStore(storetest.Mistaken(st, rec))
		requireUnavailable(t, mistaken, token)
		_, err = mistaken.Get(t.Context(), apikey.AnyOwner(key.ID))
		require.ErrorIs(t, err, apikey.ErrUnavailable)
	}},
	{"F11 a list that is not the one asked for is shown to nobody", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		s := newService(t, st, cfg)
		all := issueMany(t, s, c, 4)
		_, err := s.Revoke(t.Context(), apikey.Ref{Owner: owner, ID: all[3]}, "")
		require.NoError(t, err)
		cfg.Prefix = "postman_test"
		issue(t, newService(t, st, cfg), request())
		page := apikey.Page{Limit: 2, State: "active", After: all[0]}

		l, err := s.List(t.Context(), owner, page)
		require.NoError(t, err)
		require.Equal(t, all[1:3], ids(l.Keys))
		for name, wrong := range map[string]func(q store.Query) store.Query{
			"prefix": func(q store.Query) store.Query { q.Prefix = ""; q.After = ""; q.Limit = 1; return q },
			"state":  func(q store.Query) store.Query { q.State = store.AnyState; return q },
			"after":  func(q store.Query) store.Query { q.After = ""; return q },
		} {
			_, err := s.WithStore(misread{st, wrong}).List(t.Context(), owner, page)
			require.ErrorIs(t, err, apikey.ErrUnavailable, name)
		}
		_, err = s.WithStore(misread{st, func(q store.Query) store.Query { q.Limit++; return q }}).
			List(t.Context(), owner, apikey.Page{Limit: 2})
		require.ErrorIs(t, err, apikey.ErrUnavailable, "more than asked for")
		for name, wrong := range map[string]func([]store.Record) []store.Record{
			"upside down": func(recs []store.Record) []store.Record { slices.Reverse(recs); return recs },
			"one twice":   func(recs []store.Record) []store.Record { return append(recs, recs[len(recs)-1]) },
		} {
			_, err := s.WithStore(mislisted{st, wrong}).List(t.Context(), owner, page)
			require.ErrorIs(t, err, apikey.ErrUnavailable, name)
		}
	}},
}
