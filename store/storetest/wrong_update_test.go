package storetest_test

import (
	"context"
	"errors"
	"reflect"
	"strings"

	"github.com/opengovsg/latchkey/store"
)

var wrongUpdates = []mutant{
	{"update-replaces-every-field-but-six", "Update leaves a field for which rec has nothing", replaces(func(kept, given store.Record) store.Record {
		rec := rightly(kept, given)
		v, k := reflect.ValueOf(&rec).Elem(), reflect.ValueOf(kept)
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				v.Field(i).Set(k.Field(i))
			}
		}
		return rec
	})},
	{"update-replaces-every-field-but-six", "Update keeps the first revocation itself", replaces(func(kept, given store.Record) store.Record {
		rec := rightly(kept, given)
		if !kept.RevokedAt.IsZero() {
			rec.RevokedAt, rec.RevokedReason = kept.RevokedAt, kept.RevokedReason
		}
		return rec
	})},
	{"update-adds-1-to-the-version", "Update leaves the version", raw(func(b *bare, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			err := b.Update(ctx, rec)
			if err == nil {
				b.put(rec)
			}
			return err
		}
	})},
	{"update-adds-1-to-the-version", "Update adds 2", raw(func(b *bare, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			err := b.Update(ctx, rec)
			if err == nil {
				rec.Version += 2
				b.put(rec)
			}
			return err
		}
	})},
	{"update-adds-1-to-the-version", "Update writes nothing where nothing changes", mem(func(st store.Store, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			if kept, err := st.Get(ctx, rec.ID); err == nil && kept == rec {
				return nil
			}
			return st.Update(ctx, rec)
		}
	})},
	{"update-adds-1-to-the-version", "Update takes what does not change for not found", mem(func(st store.Store, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			if kept, err := st.Get(ctx, rec.ID); err == nil && kept == rec {
				return store.ErrNotFound
			}
			return st.Update(ctx, rec)
		}
	})},
	{"update-of-another-version-is-a-conflict", "ignores the version", conflicts(func(kept, given int64) bool { return false }, store.ErrConflict)},
	{"update-of-another-version-is-a-conflict", "lets newer ones through", conflicts(func(kept, given int64) bool { return given < kept }, store.ErrConflict)},
	{"update-of-another-version-is-a-conflict", "lets older ones through", conflicts(func(kept, given int64) bool { return given > kept }, store.ErrConflict)},
	{"update-of-another-version-is-a-conflict", "takes version 0 for any", conflicts(func(kept, given int64) bool { return given != kept && given != 0 }, store.ErrConflict)},
	{"update-of-another-version-is-a-conflict", "says not found", conflicts(func(kept, given int64) bool { return given != kept }, store.ErrNotFound)},
	{"update-of-another-version-is-a-conflict", "says nothing", conflicts(func(kept, given int64) bool { return given != kept }, nil)},
	{"update-of-another-version-is-a-conflict", "says that it could not answer", conflicts(func(kept, given int64) bool { return given != kept }, errors.New("0 rows affected"))},
	{"update-of-another-version-is-a-conflict", "writes although it says so", raw(func(b *bare, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			err := b.Update(ctx, rec)
			if err == store.ErrConflict {
				b.put(rec)
			}
			return err
		}
	})},
	{"update-of-an-unknown-id-creates-nothing", "upserts", mem(func(st store.Store, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			err := st.Update(ctx, rec)
			if err == store.ErrNotFound {
				return st.Create(ctx, rec, 0)
			}
			return err
		}
	})},
	{"update-of-an-unknown-id-creates-nothing", "upserts and says not found", mem(func(st store.Store, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			err := st.Update(ctx, rec)
			if err == store.ErrNotFound {
				st.Create(ctx, rec, 0)
			}
			return err
		}
	})},
	{"update-of-an-unknown-id-creates-nothing", "says nothing", updates(store.ErrNotFound, nil)},
	{"update-of-an-unknown-id-creates-nothing", "says conflict", updates(store.ErrNotFound, store.ErrConflict)},
	{"update-of-an-unknown-id-creates-nothing", "finds a record by its alias", mem(func(st store.Store, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			recs, _ := st.List(ctx, store.Query{Alias: rec.Alias, Limit: 1})
			if rec.Alias != "" && len(recs) > 0 {
				rec.ID = recs[0].ID
			}
			return st.Update(ctx, rec)
		}
	})},
	{"update-of-another-owners-record-is-not-found", "ignores the owner", mem(func(st store.Store, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			kept, _ := st.Get(ctx, rec.ID)
			rec.Owner = kept.Owner
			return st.Update(ctx, rec)
		}
	})},
	{"update-of-another-owners-record-is-not-found", "changes the owner", mem(func(st store.Store, w *wrong) {
		owners := make(map[string]string)
		w.update = func(ctx context.Context, rec store.Record) error {
			kept, _ := st.Get(ctx, rec.ID)
			owners[rec.ID] = rec.Owner
			rec.Owner = kept.Owner
			return st.Update(ctx, rec)
		}
	})},
	{"update-of-another-owners-record-is-not-found", "takes no owner for any", mem(func(st store.Store, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			if rec.Owner == "" {
				kept, _ := st.Get(ctx, rec.ID)
				rec.Owner = kept.Owner
			}
			return st.Update(ctx, rec)
		}
	})},
	{"update-of-another-owners-record-is-not-found", "says conflict where the version differs too", mem(func(st store.Store, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			if kept, err := st.Get(ctx, rec.ID); err == nil && kept.Version != rec.Version {
				return store.ErrConflict
			}
			return st.Update(ctx, rec)
		}
	})},
	{"update-lets-one-of-40-through", "looks before it writes", raw(func(b *bare, w *wrong) { w.update = lookThenWrite(b) })},
	{"update-lets-one-of-40-through", "lets two through", mem(func(st store.Store, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			err := st.Update(ctx, rec)
			if err == store.ErrConflict && strings.HasSuffix(rec.RevokedReason, "7") {
				rec.Version++
				return st.Update(ctx, rec)
			}
			return err
		}
	})},
	{"all-methods-at-once-stay-consistent", "Update looks before it writes", raw(func(b *bare, w *wrong) { w.update = lookThenWrite(b) })},
	{"all-methods-at-once-stay-consistent", "Update loses each seventh write", mem(func(st store.Store, w *wrong) {
		nth := each(7)
		w.update = func(ctx context.Context, rec store.Record) error {
			if kept, err := st.Get(ctx, rec.ID); err == nil && kept.Version == rec.Version && nth() {
				return nil
			}
			return st.Update(ctx, rec)
		}
	})},
}

// lookThenWrite is an Update in two steps between which others can step.
func lookThenWrite(b *bare) func(ctx context.Context, rec store.Record) error {
	return func(ctx context.Context, rec store.Record) error {
		kept, ok := b.peek(rec.ID)
		switch {
		case !ok || kept.Owner != rec.Owner:
			return store.ErrNotFound
		case kept.Version != rec.Version:
			return store.ErrConflict
		}
		gap()
		rec = rightly(kept, rec)
		rec.Version++
		b.put(rec)
		return nil
	}
}

// conflicts makes a store with another notion of what a conflict is, or what to say to one.
func conflicts(differ func(kept, given int64) bool, say error) func() store.Store {
	return mem(func(st store.Store, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			kept, err := st.Get(ctx, rec.ID)
			switch {
			case err != nil || kept.Owner != rec.Owner:
				return store.ErrNotFound
			case differ(kept.Version, rec.Version):
				return say
			}
			rec.Version = kept.Version
			return st.Update(ctx, rec)
		}
	})
}

// updates makes a store whose Update returns another error in the place of one.
func updates(err, instead error) func() store.Store {
	return mem(func(st store.Store, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			got := st.Update(ctx, rec)
			if got == err {
				return instead
			}
			return got
		}
	})
}
