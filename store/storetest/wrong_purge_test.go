package storetest_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/opengovsg/latchkey/store"
)

var wrongPurges = []mutant{
	{"purge-deletes-strictly-before", "includes the time given", purges(func(rec *store.Record, before time.Time) bool { return over(rec, before.Add(time.Microsecond)) })},
	{"purge-deletes-strictly-before", "leaves the last microsecond", purges(func(rec *store.Record, before time.Time) bool { return over(rec, before.Add(-time.Microsecond)) })},
	{"purge-deletes-strictly-before", "leaves what is revoked", purges(func(rec *store.Record, before time.Time) bool {
		return over(&store.Record{ExpiresAt: rec.ExpiresAt}, before)
	})},
	{"purge-deletes-strictly-before", "leaves what is expired", purges(func(rec *store.Record, before time.Time) bool {
		return over(&store.Record{RevokedAt: rec.RevokedAt}, before)
	})},
	{"purge-deletes-strictly-before", "wants both times past", purges(func(rec *store.Record, before time.Time) bool {
		return over(rec, before) && !rec.ExpiresAt.After(before) && !rec.RevokedAt.After(before)
	})},
	{"purge-deletes-strictly-before", "deletes whatever is revoked", purges(func(rec *store.Record, before time.Time) bool {
		return over(rec, before) || !rec.RevokedAt.IsZero()
	})},
	{"purge-deletes-strictly-before", "deletes nothing", purges(func(*store.Record, time.Time) bool { return false })},
	{"purge-keeps-what-is-not-over", "takes never for past", purges(func(rec *store.Record, before time.Time) bool { return rec.ExpiresAt.Before(before) })},
	{"purge-keeps-what-is-not-over", "deletes what is active", purges(func(rec *store.Record, before time.Time) bool { return !rec.ExpiresAt.IsZero() })},
	{"purge-keeps-what-is-not-over", "deletes what is old", purges(func(rec *store.Record, before time.Time) bool { return rec.CreatedAt.Before(before) })},
	{"purge-keeps-what-is-not-over", "deletes what did not change for long", purges(func(rec *store.Record, before time.Time) bool { return rec.UpdatedAt.Before(before) })},
	{"purge-keeps-what-is-not-over", "deletes what was not used for long", purges(func(rec *store.Record, before time.Time) bool {
		return !rec.LastUsedAt.IsZero() && rec.LastUsedAt.Before(before)
	})},
	{"purge-keeps-what-is-not-over", "takes the zero time for now", purges(func(rec *store.Record, before time.Time) bool {
		if before.IsZero() {
			before = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
		}
		return over(rec, before)
	})},
	{"purge-deletes-limit-at-most-and-counts", "knows no limit", limits(func(int) int { return math.MaxInt })},
	{"purge-deletes-limit-at-most-and-counts", "deletes one more", limits(func(limit int) int { return limit + 1 })},
	{"purge-deletes-limit-at-most-and-counts", "deletes one less", limits(func(limit int) int { return limit - 1 })},
	{"purge-deletes-limit-at-most-and-counts", "counts one more", reports(func(n, limit int) int { return n + 1 })},
	{"purge-deletes-limit-at-most-and-counts", "counts nothing", reports(func(n, limit int) int { return 0 })},
	{"purge-deletes-limit-at-most-and-counts", "reports the limit", reports(func(n, limit int) int { return limit })},
	{"purge-deletes-limit-at-most-and-counts", "looks at the first records only", raw(func(b *bare, w *wrong) {
		w.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
			recs, err := b.List(ctx, store.Query{Limit: limit})
			n := 0
			for _, rec := range recs {
				if over(&rec, before) {
					b.drop(rec.ID)
					n++
				}
			}
			return n, err
		}
	})},
	{"purge-with-a-limit-below-1-deletes-nothing", "takes 0 for no limit", limits(func(limit int) int {
		if limit == 0 {
			return math.MaxInt
		}
		return limit
	})},
	{"purge-with-a-limit-below-1-deletes-nothing", "takes what is negative for no limit", limits(func(limit int) int {
		if limit < 0 {
			return math.MaxInt
		}
		return limit
	})},
	{"purge-with-a-limit-below-1-deletes-nothing", "reports a negative limit", reports(func(n, limit int) int { return min(n, limit) })},
	{"purge-with-a-limit-below-1-deletes-nothing", "fails", mem(func(st store.Store, w *wrong) {
		w.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
			if limit < 0 {
				return 0, errors.New("LIMIT must not be negative")
			}
			return st.Purge(ctx, before, limit)
		}
	})},
	{"purged-records-are-gone-wholly", "leaves the id taken", leavesTaken(func(rec *store.Record) string { return rec.ID })},
	{"purged-records-are-gone-wholly", "leaves the alias taken", leavesTaken(func(rec *store.Record) string { return rec.Alias })},
	{"purged-records-are-gone-wholly", "leaves the last use to who comes after", raw(func(b *bare, w *wrong) {
		kept := make(map[string]store.Record)
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			if before, ok := kept[rec.ID]; ok {
				rec.Label = before.Label + "?"
			}
			kept[rec.ID] = rec
			return b.Create(ctx, rec, max)
		}
	})},
	{"purged-records-are-gone-wholly", "hides from Get alone", mem(func(st store.Store, w *wrong) {
		hidden := make(map[string]bool)
		w.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
			recs, err := st.List(ctx, store.Query{Limit: limit})
			for _, rec := range recs {
				hidden[rec.ID] = true
			}
			return len(recs), err
		}
		w.get = func(ctx context.Context, id string) (store.Record, error) {
			if hidden[id] {
				return store.Record{}, store.ErrNotFound
			}
			return st.Get(ctx, id)
		}
	})},
	{"purge-decides-as-it-deletes", "decides before it deletes", raw(func(b *bare, w *wrong) {
		w.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
			recs, err := b.List(ctx, store.Query{Limit: limit})
			gap()
			n := 0
			for _, rec := range recs {
				if over(&rec, before) {
					b.drop(rec.ID)
					n++
				}
			}
			return n, err
		}
	})},
	{"purge-decides-as-it-deletes", "counts before it deletes", raw(func(b *bare, w *wrong) { w.purge = countThenPurge(b) })},
	{"purge-decides-as-it-deletes", "an Update brings back what is gone", raw(func(b *bare, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			err := b.Update(ctx, rec)
			if err == store.ErrNotFound {
				return nil
			}
			return err
		}
	})},
	{"purges-at-once-count-each-record-once", "counts before it deletes", raw(func(b *bare, w *wrong) { w.purge = countThenPurge(b) })},
	{"purges-at-once-count-each-record-once", "gives up where others are at work", mem(func(st store.Store, w *wrong) {
		var mu sync.Mutex
		w.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
			if !mu.TryLock() {
				return 0, errors.New("deadlock")
			}
			defer mu.Unlock()
			gap()
			return st.Purge(ctx, before, limit)
		}
	})},
	{"all-methods-at-once-stay-consistent", "Purge deletes what is active now and then", raw(func(b *bare, w *wrong) {
		nth := each(5)
		w.purge = func(ctx context.Context, before time.Time, limit int) (n int, err error) {
			if !nth() {
				return b.Purge(ctx, before, limit)
			}
			b.within(ctx, func() error { n = b.delete(limit, func(*store.Record) bool { return true }); return nil })
			return n, nil
		}
	})},
}

// countThenPurge is a Purge in two steps between which others can step.
func countThenPurge(b *bare) func(ctx context.Context, before time.Time, limit int) (int, error) {
	return func(ctx context.Context, before time.Time, limit int) (int, error) {
		recs, _ := b.List(ctx, store.Query{Limit: math.MaxInt})
		n := 0
		for _, rec := range recs {
			if over(&rec, before) && n < limit {
				n++
			}
		}
		gap()
		_, err := b.Purge(ctx, before, limit)
		return n, err
	}
}

// limits makes a store that purges to another limit than the one given.
func limits(instead func(int) int) func() store.Store {
	return mem(func(st store.Store, w *wrong) {
		w.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
			return st.Purge(ctx, before, instead(limit))
		}
	})
}

// reports makes a store that tells something else than how many it purged.
func reports(instead func(n, limit int) int) func() store.Store {
	return mem(func(st store.Store, w *wrong) {
		w.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
			n, err := st.Purge(ctx, before, limit)
			return instead(n, limit), err
		}
	})
}

// leavesTaken makes a store in which what a record had stays taken for ever.
func leavesTaken(what func(*store.Record) string) func() store.Store {
	return mem(func(st store.Store, w *wrong) {
		taken := make(map[string]bool)
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			if taken[what(&rec)] {
				return store.ErrExists
			}
			taken[what(&rec)] = true
			return st.Create(ctx, rec, max)
		}
	})
}
