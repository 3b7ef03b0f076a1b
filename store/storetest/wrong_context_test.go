package storetest_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/opengovsg/latchkey/store"
)

var wrongContexts = []mutant{
	{"ended-context-fails-every-method", "Create ignores it", mem(func(st store.Store, w *wrong) {
		w.create = func(_ context.Context, rec store.Record, max int) error {
			return st.Create(context.Background(), rec, max)
		}
	})},
	{"ended-context-fails-every-method", "Get ignores it", mem(func(st store.Store, w *wrong) {
		w.get = func(_ context.Context, id string) (store.Record, error) { return st.Get(context.Background(), id) }
	})},
	{"ended-context-fails-every-method", "List ignores it", mem(func(st store.Store, w *wrong) {
		w.list = func(_ context.Context, q store.Query) ([]store.Record, error) {
			return st.List(context.Background(), q)
		}
	})},
	{"ended-context-fails-every-method", "Update ignores it", mem(func(st store.Store, w *wrong) {
		w.update = func(_ context.Context, rec store.Record) error { return st.Update(context.Background(), rec) }
	})},
	{"ended-context-fails-every-method", "Touch ignores it", mem(func(st store.Store, w *wrong) {
		w.touch = func(_ context.Context, us []store.Use) error { return st.Touch(context.Background(), us) }
	})},
	{"ended-context-fails-every-method", "Purge ignores it", mem(func(st store.Store, w *wrong) {
		w.purge = func(_ context.Context, before time.Time, limit int) (int, error) {
			return st.Purge(context.Background(), before, limit)
		}
	})},
	{"ended-context-fails-every-method", "Get has its own error for it", ends(func(ctx context.Context, err error) error { return errors.New("connection closed") })},
	{"ended-context-fails-every-method", "Get wraps no error", ends(func(ctx context.Context, err error) error { return fmt.Errorf("get: %v", err) })},
	{"ended-context-fails-every-method", "Get returns the cause", ends(func(ctx context.Context, err error) error { return context.Cause(ctx) })},
	{"ended-context-fails-every-method", "Get knows one way to end", ends(func(ctx context.Context, err error) error { return context.Canceled })},
	{"ended-context-fails-every-method", "Get says not found", ends(func(ctx context.Context, err error) error { return store.ErrNotFound })},
	{"ended-context-changes-nothing", "Create writes first", mem(func(st store.Store, w *wrong) {
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			return errors.Join(st.Create(context.Background(), rec, max), ctx.Err())
		}
	})},
	{"ended-context-changes-nothing", "Update writes first", mem(func(st store.Store, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			return errors.Join(st.Update(context.Background(), rec), ctx.Err())
		}
	})},
	{"ended-context-changes-nothing", "Touch writes first", mem(func(st store.Store, w *wrong) {
		w.touch = func(ctx context.Context, us []store.Use) error {
			return errors.Join(st.Touch(context.Background(), us), ctx.Err())
		}
	})},
	{"ended-context-changes-nothing", "Purge writes first", mem(func(st store.Store, w *wrong) {
		w.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
			st.Purge(context.Background(), before, limit)
			return 0, ctx.Err()
		}
	})},
	{"error-never-comes-with-a-record", "Get returns both", mem(func(st store.Store, w *wrong) {
		w.get = func(ctx context.Context, id string) (store.Record, error) {
			rec, err := st.Get(context.Background(), id)
			return rec, errors.Join(err, ctx.Err())
		}
	})},
	{"error-never-comes-with-a-record", "List returns what it had so far", mem(func(st store.Store, w *wrong) {
		w.list = func(ctx context.Context, q store.Query) ([]store.Record, error) {
			q.Limit = 1
			recs, _ := st.List(context.Background(), q)
			return recs, ctx.Err()
		}
	})},
	{"error-never-comes-with-a-record", "Purge returns -1", mem(func(st store.Store, w *wrong) {
		w.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
			n, err := st.Purge(ctx, before, limit)
			if err != nil {
				n = -1
			}
			return n, err
		}
	})},
	{"context-ending-midway-leaves-a-write-done-or-not", "Create writes in two steps", raw(func(b *bare, w *wrong) {
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			whole := rec
			rec.Metadata = ""
			if err := b.Create(ctx, rec, max); err != nil {
				return err
			}
			whole.Version = 1
			return b.within(ctx, func() error { b.recs[whole.ID] = whole; return nil })
		}
	})},
	{"context-ending-midway-leaves-a-write-done-or-not", "Create takes the alias first", raw(func(b *bare, w *wrong) {
		taken := make(map[string]bool)
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if taken[rec.Alias] {
				return store.ErrExists
			}
			taken[rec.Alias] = true
			return b.Create(ctx, rec, max)
		}
	})},
	{"context-ending-midway-leaves-a-write-done-or-not", "Update writes in two steps", raw(func(b *bare, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			whole := rec
			kept, _ := b.peek(rec.ID)
			rec.Scopes = kept.Scopes
			if err := b.Update(ctx, rec); err != nil {
				return err
			}
			return b.within(ctx, func() error {
				rec := b.recs[whole.ID]
				rec.Scopes = whole.Scopes
				b.recs[whole.ID] = rec
				return nil
			})
		}
	})},
	{"context-ending-midway-leaves-a-write-done-or-not", "Touch writes the version first", raw(func(b *bare, w *wrong) {
		w.touch = func(ctx context.Context, us []store.Use) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			rec, _ := b.peek(us[0].ID)
			marked := rec
			marked.Version = -marked.Version
			b.put(marked)
			if err := ctx.Err(); err != nil {
				return err
			}
			b.put(rec)
			return b.Touch(context.Background(), us)
		}
	})},
	{"context-ending-midway-leaves-a-write-done-or-not", "Purge empties first", raw(func(b *bare, w *wrong) {
		w.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			recs, _ := b.List(context.Background(), store.Query{Limit: 1})
			for _, rec := range recs {
				rec.Hash = ""
				b.put(rec)
			}
			return b.Purge(ctx, before, limit)
		}
	})},
	{"context-ending-midway-leaves-a-write-done-or-not", "Create acknowledges what it did not write", mem(func(st store.Store, w *wrong) {
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			if err := st.Create(ctx, rec, max); !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
		}
	})},
}

// ends makes a store whose Get returns another error where its context has ended.
func ends(instead func(ctx context.Context, err error) error) func() store.Store {
	return mem(func(st store.Store, w *wrong) {
		w.get = func(ctx context.Context, id string) (store.Record, error) {
			rec, err := st.Get(ctx, id)
			if ended := ctx.Err(); ended != nil {
				err = instead(ctx, ended)
			}
			return rec, err
		}
	})
}

var wrongErrors = []mutant{
	{"errors-show-no-hash", "Create shows it as it is", tells(func(hash string) string { return hash })},
	{"errors-show-no-hash", "Create shows it in quotes", tells(func(hash string) string { return fmt.Sprintf("%q", hash) })},
	{"errors-show-no-hash", "Create shows it in hex", tells(func(hash string) string { return fmt.Sprintf("%x", hash) })},
	{"errors-show-no-hash", "Create shows it in capital hex", tells(func(hash string) string { return fmt.Sprintf("%X", hash) })},
	{"errors-show-no-hash", "Create shows it in decimal", tells(func(hash string) string { return fmt.Sprint([]byte(hash)) })},
	{"errors-show-no-hash", "Create shows it in Go", tells(func(hash string) string { return fmt.Sprintf("%#v", []byte(hash)) })},
	{"errors-show-no-hash", "Create shows it in base 64", tells(func(hash string) string { return base64.StdEncoding.EncodeToString([]byte("key:" + hash)) })},
	{"errors-show-no-hash", "Create shows it in base 64 for URLs", tells(func(hash string) string { return base64.RawURLEncoding.EncodeToString([]byte("k" + hash)) })},
	{"errors-show-no-hash", "Create shows half of it", tells(func(hash string) string { return hash[len(hash)/2:] })},
	{"errors-show-no-hash", "Update shows it", mem(func(st store.Store, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			err := st.Update(ctx, rec)
			if err == store.ErrConflict {
				err = fmt.Errorf("UPDATE … SET hash = x'%x': %w", []byte(rec.Hash), err)
			}
			return err
		}
	})},
	{"errors-show-no-hash", "Create shows its arguments when cancelled", mem(func(st store.Store, w *wrong) {
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			err := st.Create(ctx, rec, max)
			if errors.Is(err, context.Canceled) {
				err = argsError{string(rec.Hash), err}
			}
			return err
		}
	})},
}

// argsError shows its arguments only where it is printed with %+v or %#v.
type argsError struct {
	Arg string
	error
}

func (e argsError) Format(f fmt.State, verb rune) {
	if f.Flag('+') || f.Flag('#') {
		fmt.Fprint(f, e.Arg)
	}
	fmt.Fprint(f, e.Error())
}

// tells makes a store whose ErrExists comes with the hash.
func tells(hash func(string) string) func() store.Store {
	return mem(func(st store.Store, w *wrong) {
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			err := st.Create(ctx, rec, max)
			if err == store.ErrExists {
				err = fmt.Errorf("row %s: %w", hash(string(rec.Hash)), err)
			}
			return err
		}
	})
}

var wrongMemory = []mutant{
	{"result-of-list-belongs-to-the-caller", "List returns the same slice again", mem(func(st store.Store, w *wrong) {
		cached := make(map[store.Query][]store.Record)
		w.list = func(ctx context.Context, q store.Query) (recs []store.Record, err error) {
			if cached[q] == nil {
				cached[q], err = st.List(ctx, q)
			}
			return cached[q], err
		}
	})},
	{"result-of-list-belongs-to-the-caller", "List returns a part of its own slice", mem(func(st store.Store, w *wrong) {
		var own []store.Record
		w.list = func(ctx context.Context, q store.Query) ([]store.Record, error) {
			if own == nil {
				own, _ = st.List(ctx, store.Query{Limit: 1000})
			}
			return own[:min(q.Limit, len(own))], nil
		}
	})},
	{"result-of-list-belongs-to-the-caller", "Update reaches into what List returned", mem(func(st store.Store, w *wrong) {
		var last []store.Record
		w.list = func(ctx context.Context, q store.Query) ([]store.Record, error) {
			recs, err := st.List(ctx, q)
			last = recs
			return recs, err
		}
		w.update = func(ctx context.Context, rec store.Record) error {
			err := st.Update(ctx, rec)
			if i := slices.IndexFunc(last, func(r store.Record) bool { return r.ID == rec.ID }); i >= 0 && err == nil {
				last[i], _ = st.Get(ctx, rec.ID)
			}
			return err
		}
	})},
}
