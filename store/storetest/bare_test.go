package storetest_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opengovsg/latchkey/store"
)

// bare is the plainest store that keeps the contract. Wrong stores that memstore gives no hold for
// are made from it, because its records can be reached into.
type bare struct {
	mu   sync.Mutex
	recs map[string]store.Record
}

// within runs f while nothing else touches the records.
func (b *bare) within(ctx context.Context, f func() error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.recs == nil {
		b.recs = make(map[string]store.Record)
	}
	return f()
}

// peek, put and drop reach one record, with no rule applied.
func (b *bare) peek(id string) (rec store.Record, ok bool) {
	b.within(context.Background(), func() error { rec, ok = b.recs[id]; return nil })
	return rec, ok
}

func (b *bare) put(rec store.Record) {
	b.within(context.Background(), func() error { b.recs[rec.ID] = rec; return nil })
}

func (b *bare) drop(id string) {
	b.within(context.Background(), func() error { delete(b.recs, id); return nil })
}

// every returns all records that match, newest first.
func (b *bare) every(match func(*store.Record) bool) (recs []store.Record) {
	for _, rec := range b.recs {
		if match(&rec) {
			recs = append(recs, rec)
		}
	}
	slices.SortFunc(recs, func(x, y store.Record) int { return strings.Compare(y.ID, x.ID) })
	return recs
}

func (b *bare) Create(ctx context.Context, rec store.Record, max int) error {
	return b.within(ctx, func() error {
		if _, taken := b.recs[rec.ID]; taken {
			return store.ErrExists
		}
		if rec.Alias != "" && len(b.every(func(r *store.Record) bool { return r.Alias == rec.Alias })) > 0 {
			return store.ErrExists
		}
		counts := func(r *store.Record) bool { return r.Owner == rec.Owner && r.Active(rec.UpdatedAt) }
		if max > 0 && len(b.every(counts)) >= max {
			return store.ErrLimit
		}
		rec.Version = 1
		b.recs[rec.ID] = rec
		return nil
	})
}

func (b *bare) Get(ctx context.Context, id string) (rec store.Record, err error) {
	err = b.within(ctx, func() error {
		var ok bool
		if rec, ok = b.recs[id]; !ok {
			return store.ErrNotFound
		}
		return nil
	})
	return rec, err
}

func (b *bare) List(ctx context.Context, q store.Query) (recs []store.Record, err error) {
	err = b.within(ctx, func() error {
		recs = b.every(q.Match)
		recs = recs[:min(len(recs), max(q.Limit, 0))]
		return nil
	})
	return recs, err
}

func (b *bare) Update(ctx context.Context, given store.Record) error {
	return b.within(ctx, func() error { return b.replace(given, rightly) })
}

func (b *bare) Touch(ctx context.Context, uses []store.Use) error {
	return b.within(ctx, func() error { return b.use(uses, forward) })
}

func (b *bare) Purge(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = b.within(ctx, func() error {
		n = b.delete(limit, func(rec *store.Record) bool { return over(rec, before) })
		return nil
	})
	return n, err
}

// replace keeps what with makes of the record kept and the one given. The caller is within.
func (b *bare) replace(given store.Record, with func(kept, given store.Record) store.Record) error {
	kept, ok := b.recs[given.ID]
	switch {
	case !ok || kept.Owner != given.Owner:
		return store.ErrNotFound
	case kept.Version != given.Version:
		return store.ErrConflict
	}
	rec := with(kept, given)
	if rec.Alias != "" && len(b.every(func(r *store.Record) bool { return r.Alias == rec.Alias && r.ID != rec.ID })) > 0 {
		return store.ErrExists
	}
	rec.Version = kept.Version + 1
	b.recs[rec.ID] = rec
	return nil
}

// rightly returns what Update is to keep.
func rightly(kept, given store.Record) store.Record {
	given.Prefix, given.CreatedAt, given.LastUsedAt = kept.Prefix, kept.CreatedAt, kept.LastUsedAt
	return given
}

// use does something to the record of each use. The caller is within.
func (b *bare) use(uses []store.Use, edit func(*store.Record, store.Use)) error {
	for _, use := range uses {
		if rec, ok := b.recs[use.ID]; ok {
			edit(&rec, use)
			b.recs[use.ID] = rec
		}
	}
	return nil
}

// forward is what a use is to do to its record.
func forward(rec *store.Record, use store.Use) {
	if use.At.After(rec.LastUsedAt) {
		rec.LastUsedAt = use.At
	}
}

// delete deletes up to limit of the records that match. The caller is within.
func (b *bare) delete(limit int, match func(*store.Record) bool) (n int) {
	for _, rec := range b.every(match) {
		if n >= limit {
			break
		}
		delete(b.recs, rec.ID)
		n++
	}
	return n
}

// over reports whether rec expired or was revoked before the given time.
func over(rec *store.Record, before time.Time) bool {
	past := func(t time.Time) bool { return !t.IsZero() && t.Before(before) }
	return past(rec.ExpiresAt) || past(rec.RevokedAt)
}
