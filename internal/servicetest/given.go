package servicetest

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

// An exacting store fails the test when it is given a time that the contract does not allow, and
// keeps the queries it is asked.
type exacting struct {
	store.Store
	t       *testing.T
	queries *[]store.Query
}

func newExacting(t *testing.T, st store.Store) exacting {
	return exacting{st, t, new([]store.Query)}
}

func (s exacting) times(all ...time.Time) {
	s.t.Helper()
	for _, at := range all {
		require.True(s.t, at == at.UTC().Truncate(time.Microsecond), "%v is not in UTC and to the microsecond", at)
	}
}

func (s exacting) record(rec store.Record) {
	s.t.Helper()
	s.times(rec.CreatedAt, rec.UpdatedAt, rec.ExpiresAt, rec.RevokedAt, rec.LastUsedAt,
		rec.RotatedAt, rec.ActivatedAt, rec.PriorExpiresAt, rec.RemindedFor, rec.RemindingUntil)
	require.Equal(s.t, rec.Grace.Truncate(time.Microsecond), rec.Grace)
}

func (s exacting) Create(ctx context.Context, rec store.Record, max int) error {
	s.record(rec)
	return s.Store.Create(ctx, rec, max)
}

func (s exacting) Update(ctx context.Context, rec store.Record) error {
	s.record(rec)
	return s.Store.Update(ctx, rec)
}

func (s exacting) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	s.times(q.At, q.ExpiresFrom, q.ExpiresBefore, q.PriorExpiresFrom, q.PriorExpiresBefore)
	*s.queries = append(*s.queries, q)
	return s.Store.List(ctx, q)
}

func (s exacting) Touch(ctx context.Context, uses []store.Use) error {
	for _, use := range uses {
		s.times(use.At)
	}
	return s.Store.Touch(ctx, uses)
}

func (s exacting) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	s.times(before)
	require.LessOrEqual(s.t, limit, store.MaxLimit)
	return s.Store.Purge(ctx, before, limit)
}

// A counter counts how often the clock is read.
type counter struct {
	*clock
	reads int
}

func (c *counter) Now() time.Time {
	c.reads++
	return c.clock.Now()
}

var givenTests = []test{
	{"F22 F23 whatever the clock's zone and precision, times are cut to the microsecond, in UTC", func(t *testing.T, st store.Store) {
		const rest = 999 * time.Nanosecond
		singapore := time.FixedZone("", 8*60*60)
		c := newClock()
		c.Set(start.Add(rest).In(singapore))
		cfg := config(c)
		s := newService(t, newExacting(t, st), cfg)
		r := request()
		r.ExpiresIn = time.Hour + rest
		token, key := issue(t, s, r)
		require.Equal(t, start, key.CreatedAt)
		require.Equal(t, start.Add(time.Hour), key.ExpiresAt)
		requireOpens(t, s, token, key)

		r = request()
		r.Ceiling = &apikey.Ceiling{ExpiresAt: start.Add(time.Minute + rest).In(singapore)}
		_, child := issue(t, s, r)
		require.Equal(t, start.Add(time.Minute), child.ExpiresAt)

		ref := apikey.Ref{Owner: owner, ID: key.ID}
		got, err := s.Update(t.Context(), ref, apikey.Changes{ExpiresAt: start.Add(time.Second + rest).In(singapore)})
		require.NoError(t, err)
		require.Equal(t, start.Add(time.Second), got.ExpiresAt)
		for _, state := range []apikey.State{"", "active", "expired", "revoked"} {
			_, err := s.List(t.Context(), owner, apikey.Page{State: state})
			require.NoError(t, err)
		}

		c.Add(time.Millisecond)
		cfg.Peppers = []apikey.Pepper{newPepper(t, 1)}
		_, err = newService(t, newExacting(t, st), cfg).Verify(t.Context(), token)
		require.NoError(t, err)
		rec, err := st.Get(t.Context(), key.ID)
		require.NoError(t, err)
		require.Contains(t, rec.Scheme, "hmac")
		require.Equal(t, start.Add(time.Millisecond), rec.UpdatedAt)

		got, err = s.Revoke(t.Context(), ref, "")
		require.NoError(t, err)
		require.Equal(t, start.Add(time.Millisecond), got.RevokedAt)
		n, err := s.RevokeAll(t.Context(), owner, "")
		require.NoError(t, err)
		require.Equal(t, 1, n)
		n, err = s.Purge(t.Context(), start.Add(time.Millisecond+rest).In(singapore))
		require.NoError(t, err)
		require.Zero(t, n, "what was revoked at that microsecond was not revoked before it")
	}},
	{"a record has one spelling, and none for nothing", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		kept := func(key apikey.Key) store.Record {
			rec, err := st.Get(t.Context(), key.ID)
			require.NoError(t, err)
			return rec
		}
		r := request()
		r.Scopes = []string{"sms:send", "email:read", "email:*"}
		r.Contacts = []string{"o'neil+keys@example.com", "a&b@example.com"}
		r.Metadata = map[string]string{"b": "<1>", "a": "é"}
		_, key := issue(t, s, r)
		rec := kept(key)
		require.Equal(t, "sms:send email:read email:*", rec.Scopes)
		require.Equal(t, `["o'neil+keys@example.com","a&b@example.com"]`, rec.Contacts)
		require.Equal(t, `{"a":"é","b":"<1>"}`, rec.Metadata)
		require.Equal(t, prefix, rec.Prefix)
		require.Equal(t, rec.CreatedAt, rec.UpdatedAt)

		none := apikey.Changes{Scopes: []string{}, Contacts: []string{}, Metadata: map[string]string{}}
		_, err := s.Update(t.Context(), apikey.Ref{Owner: owner, ID: key.ID}, none)
		require.NoError(t, err)
		r = request()
		r.Scopes, r.Contacts, r.Metadata = none.Scopes, none.Contacts, none.Metadata
		_, other := issue(t, s, r)
		for _, rec := range []store.Record{kept(key), kept(other)} {
			require.Empty(t, rec.Scopes+rec.Contacts+rec.Metadata)
		}
	}},
	{"a list asks for its owner, its prefix and one record more than the page", func(t *testing.T, st store.Store) {
		c := newClock()
		exact := newExacting(t, st)
		s := newService(t, exact, config(c))
		_, key := issue(t, s, request())
		for _, p := range []apikey.Page{{Limit: 7}, {Limit: 7, State: "expired", After: key.ID}} {
			_, err := s.List(t.Context(), owner, p)
			require.NoError(t, err)
		}
		for _, err := range s.All(t.Context(), owner) {
			require.NoError(t, err)
		}
		require.Equal(t, []store.Query{
			{Owner: owner, Prefix: prefix, Limit: 8},
			{Owner: owner, Prefix: prefix, Limit: 8, State: store.Expired, At: start, After: key.ID},
			{Owner: owner, Prefix: prefix, Limit: 501},
		}, *exact.queries)
	}},
	{"a page holds 50 keys where the caller names no limit, in any state", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		want := issueMany(t, s, c, 51)
		_, err := s.Revoke(t.Context(), apikey.Ref{Owner: owner, ID: want[0]}, "")
		require.NoError(t, err)
		c.Add(200 * 24 * time.Hour) // the others have expired
		l, err := s.List(t.Context(), owner, apikey.Page{})
		require.NoError(t, err)
		require.Equal(t, want[:50], ids(l.Keys))
		require.Equal(t, want[49], l.Next)
	}},
	{"the clock is read once a call, and not at all where nothing depends on it", func(t *testing.T, st store.Store) {
		c := &counter{clock: newClock()}
		cfg := config(c.clock)
		cfg.Now = c.Now
		s := newService(t, contended(st, 3), cfg)
		var reads []int
		read := func(call func()) {
			before := c.reads
			call()
			reads = append(reads, c.reads-before)
		}
		var token string
		var key apikey.Key
		read(func() { token, key = issue(t, s, request()) })
		read(func() { requireOpens(t, s, token, key) })
		ref := apikey.Ref{Owner: owner, ID: key.ID}
		read(func() {
			_, err := s.Update(t.Context(), ref, apikey.Changes{Label: new("payroll")})
			require.NoError(t, err)
		})
		read(func() {
			_, err := s.List(t.Context(), owner, apikey.Page{State: "active"})
			require.NoError(t, err)
		})
		read(func() {
			_, err := s.Revoke(t.Context(), ref, "")
			require.NoError(t, err)
		})
		read(func() {
			_, err := s.Purge(t.Context(), start)
			require.NoError(t, err)
		})
		require.Equal(t, slices.Repeat([]int{1}, 6), reads)
		read(func() { requireRefused(t, s, token, apikey.ErrRevoked) })
		read(func() {
			_, err := s.Get(t.Context(), ref)
			require.NoError(t, err)
		})
		read(func() {
			_, err := s.List(t.Context(), owner, apikey.Page{})
			require.NoError(t, err)
		})
		require.Equal(t, slices.Repeat([]int{0}, 3), reads[6:])

		token, key = issue(t, s, request())
		cfg.Peppers = []apikey.Pepper{newPepper(t, 1)}
		failing := newService(t, readOnly{st, new(atomic.Int64)}, cfg)
		read(func() { requireOpens(t, failing, token, key) })
		require.Equal(t, 1, reads[9], "a rehash that fails included")
	}},
}
