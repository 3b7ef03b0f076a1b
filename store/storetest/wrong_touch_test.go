package storetest_test

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/opengovsg/latchkey/store"
)

var wrongTouches = []mutant{
	{"touch-applies-a-batch-of-500", "applies 100", uses(func(us []store.Use) []store.Use { return us[:min(len(us), 100)] })},
	{"touch-applies-a-batch-of-500", "applies all but the last", uses(func(us []store.Use) []store.Use { return us[:max(0, len(us)-1)] })},
	{"touch-applies-a-batch-of-500", "gives all the same time", uses(func(us []store.Use) []store.Use {
		for i := range us {
			us[i].At = us[0].At
		}
		return us
	})},
	{"touch-applies-a-batch-of-500", "gives each the time of the next", uses(func(us []store.Use) []store.Use {
		for i := range us[1:] {
			us[i].At = us[i+1].At
		}
		return us
	})},
	{"touch-applies-a-batch-of-500", "can't take so many", mem(func(st store.Store, w *wrong) {
		w.touch = func(ctx context.Context, us []store.Use) error {
			if len(us) > 499 {
				return errors.New("too many SQL variables")
			}
			return st.Touch(ctx, us)
		}
	})},
	{"touch-moves-only-forward", "goes back", touches(func(rec *store.Record, use store.Use) { rec.LastUsedAt = use.At })},
	{"touch-moves-only-forward", "goes back to never", touches(func(rec *store.Record, use store.Use) {
		if use.At.After(rec.LastUsedAt) || use.At.IsZero() {
			rec.LastUsedAt = use.At
		}
	})},
	{"touch-moves-only-forward", "does not begin", touches(func(rec *store.Record, use store.Use) {
		if !rec.LastUsedAt.IsZero() && use.At.After(rec.LastUsedAt) {
			rec.LastUsedAt = use.At
		}
	})},
	{"touch-moves-only-forward", "moves by seconds", touches(func(rec *store.Record, use store.Use) {
		if use.At.Sub(rec.LastUsedAt) >= time.Second {
			rec.LastUsedAt = use.At
		}
	})},
	{"touch-takes-uses-of-one-id-in-any-order", "keeps the last of a batch", raw(func(b *bare, w *wrong) {
		w.touch = func(ctx context.Context, us []store.Use) error {
			for _, use := range us {
				if rec, ok := b.peek(use.ID); ok {
					rec.LastUsedAt = use.At
					b.put(rec)
				}
			}
			return nil
		}
	})},
	{"touch-takes-uses-of-one-id-in-any-order", "keeps the first of a batch", uses(func(us []store.Use) (once []store.Use) {
		seen := make(map[string]bool)
		for _, use := range us {
			if !seen[use.ID] {
				once = append(once, use)
			}
			seen[use.ID] = true
		}
		return once
	})},
	{"touch-takes-uses-of-one-id-in-any-order", "takes each id once", mem(func(st store.Store, w *wrong) {
		w.touch = func(ctx context.Context, us []store.Use) error {
			seen := make(map[string]bool)
			for _, use := range us {
				if seen[use.ID] {
					return errors.New("cannot affect a row a second time")
				}
				seen[use.ID] = true
			}
			return st.Touch(ctx, us)
		}
	})},
	{"touch-ignores-ids-not-kept", "fails", unknownUse(func(context.Context, store.Store, store.Use) error { return store.ErrNotFound })},
	{"touch-ignores-ids-not-kept", "creates them", unknownUse(func(ctx context.Context, st store.Store, use store.Use) error {
		return st.Create(ctx, store.Record{ID: use.ID, LastUsedAt: use.At}, 0)
	})},
	{"touch-ignores-ids-not-kept", "stops there without a word", mem(func(st store.Store, w *wrong) {
		w.touch = func(ctx context.Context, us []store.Use) error {
			for _, use := range us {
				if _, err := st.Get(ctx, use.ID); err != nil {
					return nil
				}
				st.Touch(ctx, []store.Use{use})
			}
			return nil
		}
	})},
	{"touch-changes-no-other-field", "adds to Version", touches(func(rec *store.Record, use store.Use) { forward(rec, use); rec.Version++ })},
	{"touch-changes-no-other-field", "sets UpdatedAt", touches(func(rec *store.Record, use store.Use) { forward(rec, use); rec.UpdatedAt = use.At })},
	{"touch-changes-no-other-field", "writes a record of its own", touches(func(rec *store.Record, use store.Use) {
		forward(rec, use)
		rec.Metadata = ""
	})},
	{"touch-changes-no-other-field", "makes an Update fail", raw(func(b *bare, w *wrong) {
		touched := make(map[string]bool)
		w.touch = func(ctx context.Context, us []store.Use) error {
			for _, use := range us {
				touched[use.ID] = true
			}
			return b.Touch(ctx, us)
		}
		w.update = func(ctx context.Context, rec store.Record) error {
			if touched[rec.ID] {
				return store.ErrConflict
			}
			return b.Update(ctx, rec)
		}
	})},
	{"touch-revives-nothing", "revives what is revoked", touches(func(rec *store.Record, use store.Use) { forward(rec, use); rec.RevokedAt = time.Time{} })},
	{"touch-revives-nothing", "lets what is expired live longer", touches(func(rec *store.Record, use store.Use) {
		forward(rec, use)
		if rec.Expired(use.At) {
			rec.ExpiresAt = use.At.Add(time.Hour)
		}
	})},
	{"touch-revives-nothing", "brings back what is purged", raw(func(b *bare, w *wrong) {
		created := make(map[string]store.Record)
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			created[rec.ID] = rec
			return b.Create(ctx, rec, max)
		}
		w.touch = func(ctx context.Context, us []store.Use) error {
			for _, use := range us {
				b.Create(ctx, created[use.ID], 0)
			}
			return b.Touch(ctx, us)
		}
	})},
	{"touch-and-update-at-once-lose-neither", "writes the whole record", raw(func(b *bare, w *wrong) {
		w.touch = func(ctx context.Context, us []store.Use) error {
			for _, use := range us {
				if rec, ok := b.peek(use.ID); ok && use.At.After(rec.LastUsedAt) {
					gap()
					rec.LastUsedAt = use.At
					b.put(rec)
				}
			}
			return nil
		}
	})},
	{"touch-and-update-at-once-lose-neither", "Update writes the use it read", raw(func(b *bare, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			kept, _ := b.peek(rec.ID)
			gap()
			err := b.Update(ctx, rec)
			if now, ok := b.peek(rec.ID); ok {
				now.LastUsedAt = kept.LastUsedAt
				b.put(now)
			}
			return err
		}
	})},
	{"touch-and-update-at-once-lose-neither", "gives up where others are at work", raw(func(b *bare, w *wrong) {
		var writers atomic.Int64
		alone := func(write func() error) error {
			defer writers.Add(-1)
			if writers.Add(1) > 1 {
				return errors.New("deadlock")
			}
			gap()
			return write()
		}
		w.touch = func(ctx context.Context, us []store.Use) error {
			return alone(func() error { return b.Touch(ctx, us) })
		}
		w.update = func(ctx context.Context, rec store.Record) error {
			return alone(func() error { return b.Update(ctx, rec) })
		}
	})},
	{"touch-of-no-uses-is-fine", "fails", mem(func(st store.Store, w *wrong) {
		w.touch = func(ctx context.Context, us []store.Use) error {
			if len(us) == 0 {
				return errors.New("syntax error near ')'")
			}
			return st.Touch(ctx, us)
		}
	})},
	{"touch-of-no-uses-is-fine", "touches all", raw(func(b *bare, w *wrong) {
		w.touch = func(ctx context.Context, us []store.Use) error {
			recs, _ := b.List(ctx, store.Query{Limit: 100})
			for _, rec := range recs {
				if len(us) == 0 {
					rec.LastUsedAt = rec.CreatedAt
					b.put(rec)
				}
			}
			return b.Touch(ctx, us)
		}
	})},
	{"all-methods-at-once-stay-consistent", "Touch loses each seventh batch", mem(func(st store.Store, w *wrong) {
		nth := each(7)
		w.touch = func(ctx context.Context, us []store.Use) error {
			if nth() {
				return nil
			}
			return st.Touch(ctx, us)
		}
	})},
	{"uses-given-to-touch-belong-to-the-caller", "applies them when it is read", mem(func(st store.Store, w *wrong) {
		var later [][]store.Use
		apply := func(ctx context.Context) {
			for _, us := range later {
				st.Touch(ctx, us)
			}
		}
		w.touch = func(_ context.Context, us []store.Use) error { later = append(later, us); return nil }
		w.get = func(ctx context.Context, id string) (store.Record, error) { apply(ctx); return st.Get(ctx, id) }
		w.list = func(ctx context.Context, q store.Query) ([]store.Record, error) { apply(ctx); return st.List(ctx, q) }
	})},
}

// touches makes a store that has another way with the record of a use.
func touches(edit func(*store.Record, store.Use)) func() store.Store {
	return raw(func(b *bare, w *wrong) {
		w.touch = func(ctx context.Context, us []store.Use) error {
			return b.within(ctx, func() error { return b.use(us, edit) })
		}
	})
}

// uses makes a store that applies other uses than those it is given.
func uses(instead func([]store.Use) []store.Use) func() store.Store {
	return mem(func(st store.Store, w *wrong) {
		w.touch = func(ctx context.Context, us []store.Use) error {
			return st.Touch(ctx, instead(append([]store.Use(nil), us...)))
		}
	})
}

// unknownUse makes a store that does something about the uses of ids that are not kept.
func unknownUse(do func(context.Context, store.Store, store.Use) error) func() store.Store {
	return mem(func(st store.Store, w *wrong) {
		w.touch = func(ctx context.Context, us []store.Use) error {
			for _, use := range us {
				if _, err := st.Get(ctx, use.ID); err != nil {
					if err := do(ctx, st, use); err != nil {
						return err
					}
				}
			}
			return st.Touch(ctx, us)
		}
	})
}

// each returns a function that is true on every n-th call.
func each(n int64) func() bool {
	var calls atomic.Int64
	return func() bool { return calls.Add(1)%n == 0 }
}
