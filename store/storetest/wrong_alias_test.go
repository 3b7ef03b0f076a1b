package storetest_test

import (
	"context"

	"github.com/opengovsg/latchkey/store"
)

var wrongAliases = []mutant{
	{"update-moves-the-alias", "Update leaves the alias before in the index", mem(func(st store.Store, w *wrong) {
		before := make(map[string]string)
		w.update = func(ctx context.Context, rec store.Record) error {
			kept, _ := st.Get(ctx, rec.ID)
			err := st.Update(ctx, rec)
			if err == nil {
				before[kept.Alias] = rec.Alias
			}
			return err
		}
		w.list = func(ctx context.Context, q store.Query) ([]store.Record, error) {
			recs, err := st.List(ctx, q)
			if moved := before[q.Alias]; q.Alias != "" && moved != "" && len(recs) == 0 {
				q.Alias = moved
				return st.List(ctx, q)
			}
			return recs, err
		}
	})},
	{"update-moves-the-alias", "Update leaves the new alias out of the index", mem(func(st store.Store, w *wrong) {
		indexed := make(map[string]bool)
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			err := st.Create(ctx, rec, max)
			if err == nil {
				indexed[rec.Alias] = true
			}
			return err
		}
		w.list = func(ctx context.Context, q store.Query) ([]store.Record, error) {
			if q.Alias != "" && !indexed[q.Alias] {
				return nil, nil
			}
			return st.List(ctx, q)
		}
	})},
	{"update-moves-the-alias", "Update leaves the alias before taken", mem(func(st store.Store, w *wrong) {
		taken := make(map[string]bool)
		w.update = func(ctx context.Context, rec store.Record) error {
			kept, _ := st.Get(ctx, rec.ID)
			err := st.Update(ctx, rec)
			if err == nil && kept.Alias != rec.Alias {
				taken[kept.Alias] = true
			}
			return err
		}
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			if rec.Alias != "" && taken[rec.Alias] {
				return store.ErrExists
			}
			return st.Create(ctx, rec, max)
		}
	})},
	{"update-refuses-a-taken-alias", "Update lets two records have one", raw(func(b *bare, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			err := b.Update(ctx, rec)
			if err == store.ErrExists {
				kept, _ := b.peek(rec.ID)
				rec = rightly(kept, rec)
				rec.Version++
				b.put(rec)
				return nil
			}
			return err
		}
	})},
	{"update-refuses-a-taken-alias", "says conflict", updates(store.ErrExists, store.ErrConflict)},
	{"update-refuses-a-taken-alias", "says nothing", updates(store.ErrExists, nil)},
	{"update-refuses-a-taken-alias", "writes all else", raw(func(b *bare, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			err := b.Update(ctx, rec)
			if err == store.ErrExists {
				kept, _ := b.peek(rec.ID)
				rec.Alias = kept.Alias
				b.Update(ctx, rec)
			}
			return err
		}
	})},
	{"update-refuses-a-taken-alias", "Update takes the alias from the other record", raw(func(b *bare, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			err := b.Update(ctx, rec)
			if err == store.ErrExists {
				recs, _ := b.List(ctx, store.Query{Alias: rec.Alias, Limit: 1})
				recs[0].Alias = ""
				b.put(recs[0])
				return b.Update(ctx, rec)
			}
			return err
		}
	})},
	{"update-refuses-a-taken-alias", "Update looks at the alias before the version", mem(func(st store.Store, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			recs, _ := st.List(ctx, store.Query{Alias: rec.Alias, Limit: 1})
			if rec.Alias != "" && len(recs) > 0 && recs[0].ID != rec.ID {
				return store.ErrExists
			}
			return st.Update(ctx, rec)
		}
	})},
	{"update-takes-any-number-of-empty-aliases", "takes empty for an alias", mem(func(st store.Store, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			recs, _ := st.List(ctx, store.Query{Limit: store.MaxLimit})
			for _, other := range recs {
				if rec.Alias == "" && other.Alias == "" && other.ID != rec.ID {
					return store.ErrExists
				}
			}
			return st.Update(ctx, rec)
		}
	})},
	{"update-gives-one-of-40-an-alias", "looks before it writes", raw(func(b *bare, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			recs, _ := b.List(ctx, store.Query{Alias: rec.Alias, Limit: 1})
			if rec.Alias != "" && len(recs) > 0 && recs[0].ID != rec.ID {
				return store.ErrExists
			}
			gap()
			return lookThenWrite(b)(ctx, rec)
		}
	})},
}
