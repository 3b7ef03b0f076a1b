package storetest_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/opengovsg/latchkey/store"
)

var wrongCreates = []mutant{
	{"create-sets-version-1", "keeps the version given", raw(func(b *bare, w *wrong) {
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			err := b.Create(ctx, rec, max)
			if err == nil {
				b.put(rec)
			}
			return err
		}
	})},
	{"create-sets-version-1", "counts from 0", gets(func(rec *store.Record) { rec.Version-- })},
	{"create-refuses-a-taken-id", "overwrites", raw(func(b *bare, w *wrong) {
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			b.drop(rec.ID)
			return b.Create(ctx, rec, max)
		}
	})},
	{"create-refuses-a-taken-id", "refuses and overwrites", raw(func(b *bare, w *wrong) {
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			err := b.Create(ctx, rec, max)
			if err == store.ErrExists {
				b.put(rec)
			}
			return err
		}
	})},
	{"create-refuses-a-taken-id", "ignores a duplicate without a word", creates(store.ErrExists, nil)},
	{"create-refuses-a-taken-id", "takes a duplicate for an outage", creates(store.ErrExists, errors.New("1062"))},
	{"create-refuses-a-taken-id", "takes a duplicate for a conflict", creates(store.ErrExists, store.ErrConflict)},
	{"create-refuses-a-taken-id", "says two things at once", creates(store.ErrExists, errors.Join(store.ErrExists, store.ErrConflict))},
	{"create-refuses-a-taken-id", "allows the very same record again", mem(func(st store.Store, w *wrong) {
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			if kept, err := st.Get(ctx, rec.ID); err == nil && kept == rec {
				return nil
			}
			return st.Create(ctx, rec, max)
		}
	})},
	{"create-refuses-a-taken-id", "leaves the alias taken", leavesAlias(store.ErrExists)},
	{"create-refuses-a-taken-alias", "knows no unique alias", raw(func(b *bare, w *wrong) {
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			alias := rec.Alias
			rec.Alias = ""
			err := b.Create(ctx, rec, max)
			if err == nil {
				rec.Alias, rec.Version = alias, 1
				b.put(rec)
			}
			return err
		}
	})},
	{"create-refuses-a-taken-alias", "has an alias unique for each owner", mem(func(st store.Store, w *wrong) {
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			recs, _ := st.List(ctx, store.Query{Alias: rec.Alias, Limit: 1})
			if rec.Alias != "" && len(recs) > 0 && recs[0].Owner != rec.Owner {
				return nil
			}
			return st.Create(ctx, rec, max)
		}
	})},
	{"create-refuses-a-taken-alias", "keeps a record though its alias is taken", raw(func(b *bare, w *wrong) {
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			err := b.Create(ctx, rec, max)
			if err == store.ErrExists {
				rec.Alias = ""
				b.Create(ctx, rec, 0)
			}
			return err
		}
	})},
	{"create-takes-any-number-of-empty-aliases", "has the empty alias unique too", mem(func(st store.Store, w *wrong) {
		empty := false
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			if rec.Alias == "" && empty {
				return store.ErrExists
			}
			empty = empty || rec.Alias == ""
			return st.Create(ctx, rec, max)
		}
	})},
	{"create-keeps-one-of-40-with-one-id", "looks before it writes", raw(func(b *bare, w *wrong) {
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			if _, taken := b.peek(rec.ID); taken {
				return store.ErrExists
			}
			gap()
			rec.Version = 1
			b.put(rec)
			return nil
		}
	})},
	{"create-keeps-one-of-40-with-one-alias", "looks before it writes", raw(func(b *bare, w *wrong) {
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			if recs, _ := b.List(ctx, store.Query{Alias: rec.Alias, Limit: 1}); len(recs) > 0 {
				return store.ErrExists
			}
			gap()
			rec.Version = 1
			b.put(rec)
			return nil
		}
	})},
}

// creates makes a store whose Create returns another error in the place of one.
func creates(err, instead error) func() store.Store {
	return mem(func(st store.Store, w *wrong) {
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			got := st.Create(ctx, rec, max)
			if got == err {
				return instead
			}
			return got
		}
	})
}

// leavesAlias makes a store in which a Create that was refused has taken its alias.
func leavesAlias(refusal error) func() store.Store {
	return mem(func(st store.Store, w *wrong) {
		taken := make(map[string]bool)
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			if taken[rec.Alias] {
				return store.ErrExists
			}
			err := st.Create(ctx, rec, max)
			if err == refusal && rec.Alias != "" {
				taken[rec.Alias] = true
			}
			return err
		}
	})
}

var wrongCaps = []mutant{
	{"cap-holds-under-40-concurrent-creates", "counts before it writes", mem(func(st store.Store, w *wrong) {
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			recs, _ := st.List(ctx, store.Query{Owner: rec.Owner, State: store.Active, At: rec.UpdatedAt, Limit: math.MaxInt})
			if max > 0 && len(recs) >= max {
				return store.ErrLimit
			}
			gap()
			return st.Create(ctx, rec, 0)
		}
	})},
	{"cap-holds-under-40-concurrent-creates", "gives up where others are at work", mem(func(st store.Store, w *wrong) {
		var mu sync.Mutex
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			if !mu.TryLock() {
				return errors.New("deadlock")
			}
			defer mu.Unlock()
			gap()
			return st.Create(ctx, rec, max)
		}
	})},
	{"cap-allows-max-and-no-more", "allows one more", caps(func(n, max int) bool { return n > max }, counted)},
	{"cap-allows-max-and-no-more", "allows one less", caps(func(n, max int) bool { return n >= max-1 }, counted)},
	{"cap-allows-max-and-no-more", "refuses exactly at max", caps(func(n, max int) bool { return n == max }, counted)},
	{"cap-allows-max-and-no-more", "says that the record exists", creates(store.ErrLimit, store.ErrExists)},
	{"cap-counts-no-revoked-and-no-expired-records", "counts revoked records", caps(full, func(kept, rec *store.Record) bool {
		return kept.Owner == rec.Owner && !kept.Expired(rec.UpdatedAt)
	})},
	{"cap-counts-no-revoked-and-no-expired-records", "counts expired records", caps(full, func(kept, rec *store.Record) bool {
		return kept.Owner == rec.Owner && kept.RevokedAt.IsZero()
	})},
	{"cap-counts-no-revoked-and-no-expired-records", "counts what another clock revoked", caps(full, func(kept, rec *store.Record) bool {
		return kept.Owner == rec.Owner && !kept.Expired(rec.UpdatedAt) && (kept.RevokedAt.IsZero() || kept.RevokedAt.After(rec.UpdatedAt))
	})},
	{"cap-counts-no-revoked-and-no-expired-records", "counts by its own clock", caps(full, func(kept, rec *store.Record) bool {
		return kept.Owner == rec.Owner && kept.Active(time.Now())
	})},
	{"cap-counts-no-revoked-and-no-expired-records", "counts what it ever kept", mem(func(st store.Store, w *wrong) {
		created := make(map[string]int)
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			if max > 0 && created[rec.Owner] >= max {
				return store.ErrLimit
			}
			if rec.Active(rec.UpdatedAt) {
				created[rec.Owner]++
			}
			return st.Create(ctx, rec, 0)
		}
	})},
	{"cap-yields-to-a-taken-id", "counts before it looks", mem(func(st store.Store, w *wrong) {
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			recs, _ := st.List(ctx, store.Query{Owner: rec.Owner, State: store.Active, At: rec.UpdatedAt, Limit: math.MaxInt})
			if max > 0 && len(recs) >= max {
				return store.ErrLimit
			}
			return st.Create(ctx, rec, max)
		}
	})},
	{"cap-yields-to-a-taken-id", "looks for the id alone", mem(func(st store.Store, w *wrong) {
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			err := st.Create(ctx, rec, max)
			if _, unknown := st.Get(ctx, rec.ID); err == store.ErrExists && unknown != nil && max > 0 {
				recs, _ := st.List(ctx, store.Query{Owner: rec.Owner, State: store.Active, At: rec.UpdatedAt, Limit: math.MaxInt})
				if len(recs) >= max {
					return store.ErrLimit
				}
			}
			return err
		}
	})},
	{"cap-counts-at-updated-at", "counts at CreatedAt", caps(full, func(kept, rec *store.Record) bool {
		return kept.Owner == rec.Owner && kept.Active(rec.CreatedAt)
	})},
	{"cap-counts-at-updated-at", "counts by its own clock", caps(full, func(kept, rec *store.Record) bool {
		return kept.Owner == rec.Owner && kept.Active(time.Now())
	})},
	{"cap-counts-at-updated-at", "counts what expires at that instant", caps(full, func(kept, rec *store.Record) bool {
		return kept.Owner == rec.Owner && kept.Active(rec.UpdatedAt.Add(-time.Microsecond))
	})},
	{"cap-counts-at-updated-at", "does not count what expires right after", caps(full, func(kept, rec *store.Record) bool {
		return kept.Owner == rec.Owner && kept.Active(rec.UpdatedAt.Add(time.Microsecond))
	})},
	{"cap-counts-at-updated-at", "does not count what never expires", caps(full, func(kept, rec *store.Record) bool {
		return kept.Owner == rec.Owner && kept.ExpiresAt.After(rec.UpdatedAt)
	})},
	{"cap-counts-one-owner-under-every-prefix", "counts each prefix for itself", caps(full, func(kept, rec *store.Record) bool {
		return counted(kept, rec) && kept.Prefix == rec.Prefix
	})},
	{"cap-counts-one-owner-under-every-prefix", "counts all owners", caps(full, func(kept, rec *store.Record) bool { return kept.Active(rec.UpdatedAt) })},
	{"cap-of-0-or-below-is-none", "takes 0 for none allowed", caps(func(n, max int) bool { return max >= 0 && n >= max }, counted)},
	{"cap-of-0-or-below-is-none", "takes what is negative for none allowed", caps(func(n, max int) bool { return max != 0 && n >= max }, counted)},
	{"cap-refusal-leaves-nothing", "keeps what it refuses", mem(func(st store.Store, w *wrong) {
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			err := st.Create(ctx, rec, max)
			if err == store.ErrLimit {
				st.Create(ctx, rec, 0)
			}
			return err
		}
	})},
	{"cap-refusal-leaves-nothing", "leaves the alias taken", leavesAlias(store.ErrLimit)},
	{"cap-refusal-leaves-nothing", "lets through what would not count itself", mem(func(st store.Store, w *wrong) {
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			if !rec.Active(rec.UpdatedAt) {
				max = 0
			}
			return st.Create(ctx, rec, max)
		}
	})},
}

// full and counted are the cap as it ought to be.
func full(n, max int) bool { return max > 0 && n >= max }
func counted(kept, rec *store.Record) bool {
	return kept.Owner == rec.Owner && kept.Active(rec.UpdatedAt)
}

// caps makes a store with another notion of which records count, or of when there are too many.
func caps(refuse func(n, max int) bool, counts func(kept, rec *store.Record) bool) func() store.Store {
	return mem(func(st store.Store, w *wrong) {
		var mu sync.Mutex
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			mu.Lock()
			defer mu.Unlock()
			if !refuse(math.MaxInt, max) || taken(st, &rec) {
				return st.Create(ctx, rec, 0)
			}
			recs, _ := st.List(ctx, store.Query{Limit: math.MaxInt})
			n := 0
			for i := range recs {
				if counts(&recs[i], &rec) {
					n++
				}
			}
			if refuse(n, max) {
				return store.ErrLimit
			}
			return st.Create(ctx, rec, 0)
		}
	})
}

// taken reports whether the id or the alias of rec is.
func taken(st store.Store, rec *store.Record) bool {
	if _, err := st.Get(context.Background(), rec.ID); err == nil {
		return true
	}
	recs, _ := st.List(context.Background(), store.Query{Alias: rec.Alias, Limit: 1})
	return rec.Alias != "" && len(recs) > 0
}
