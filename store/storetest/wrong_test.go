package storetest_test

import (
	"context"
	"math"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
	"github.com/opengovsg/latchkey/store/storetest"
)

// A mutant is a store that breaks the contract in one way, and the rule that must see it.
type mutant struct {
	rule string
	name string
	make func() store.Store
}

// TestWrongStores requires that every wrong store is seen by the rule it breaks, and that there is
// no rule that no store can break.
func TestWrongStores(t *testing.T) {
	mutants := slices.Concat(wrongFields(), wrongValues, wrongCreates, wrongCaps, wrongGets, wrongTexts,
		wrongLists, wrongPages, wrongQueries, wrongUpdates, wrongAliases, wrongTouches, wrongPurges, wrongContexts, wrongErrors, wrongMemory)
	seen := make(map[string]bool)
	names := storetest.RuleNames()
	for _, m := range mutants {
		t.Run(m.rule+"/"+m.name, func(t *testing.T) {
			if !slices.Contains(names, m.rule) {
				t.Fatalf("there is no rule %q", m.rule)
			}
			// Some of them go wrong only where two calls meet, which need not be on the first try.
			for range 20 {
				if failures := storetest.Failures(t.Context(), m.rule, m.make()); len(failures) > 0 {
					t.Log(failures[0])
					return
				}
			}
			t.Errorf("the rule %s passes a store that breaks it: %s", m.rule, m.name)
		})
		seen[m.rule] = true
	}
	for _, name := range names {
		if !seen[name] {
			t.Errorf("no wrong store breaks the rule %s, so nothing shows that it can fail", name)
		}
	}
}

// TestRightStores requires that what the wrong stores are made from is right, so that it is the
// wrong in them that a rule sees.
func TestRightStores(t *testing.T) {
	for name, right := range map[string]func() store.Store{
		"mem":      mem(func(store.Store, *wrong) {}),
		"raw":      raw(func(*bare, *wrong) {}),
		"replaces": replaces(rightly),
		"caps":     caps(full, counted),
		"selects":  selects((*store.Query).Match),
		"purges":   purges(over),
		"touches":  touches(forward),
	} {
		t.Run(name, func(t *testing.T) {
			for _, rule := range storetest.RuleNames() {
				if rule == "paging-visits-each-of-10000-records-once" {
					continue // the slow one, which TestRun tries
				}
				for _, failure := range storetest.Failures(t.Context(), rule, right()) {
					t.Errorf("%s: %s", rule, failure)
				}
			}
		})
	}
}

// A wrong store does what its functions do, and what the Store within does where they are nil.
type wrong struct {
	store.Store
	create func(ctx context.Context, rec store.Record, max int) error
	get    func(ctx context.Context, id string) (store.Record, error)
	list   func(ctx context.Context, q store.Query) ([]store.Record, error)
	update func(ctx context.Context, rec store.Record) error
	touch  func(ctx context.Context, uses []store.Use) error
	purge  func(ctx context.Context, before time.Time, limit int) (int, error)
}

func (w *wrong) Create(ctx context.Context, rec store.Record, max int) error {
	if w.create != nil {
		return w.create(ctx, rec, max)
	}
	return w.Store.Create(ctx, rec, max)
}

func (w *wrong) Get(ctx context.Context, id string) (store.Record, error) {
	if w.get != nil {
		return w.get(ctx, id)
	}
	return w.Store.Get(ctx, id)
}

func (w *wrong) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	if w.list != nil {
		return w.list(ctx, q)
	}
	return w.Store.List(ctx, q)
}

func (w *wrong) Update(ctx context.Context, rec store.Record) error {
	if w.update != nil {
		return w.update(ctx, rec)
	}
	return w.Store.Update(ctx, rec)
}

func (w *wrong) Touch(ctx context.Context, uses []store.Use) error {
	if w.touch != nil {
		return w.touch(ctx, uses)
	}
	return w.Store.Touch(ctx, uses)
}

func (w *wrong) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	if w.purge != nil {
		return w.purge(ctx, before, limit)
	}
	return w.Store.Purge(ctx, before, limit)
}

// mem makes wrong stores around memstore.
func mem(spoil func(st store.Store, w *wrong)) func() store.Store {
	return func() store.Store {
		w := &wrong{Store: new(memstore.Store)}
		spoil(w.Store, w)
		return w
	}
}

// raw makes wrong stores around bare, for those that reach into the records.
func raw(spoil func(b *bare, w *wrong)) func() store.Store {
	return func() store.Store {
		b := new(bare)
		w := &wrong{Store: b}
		spoil(b, w)
		return w
	}
}

// gets makes a store whose Get returns something else than what is kept.
func gets(edit func(*store.Record)) func() store.Store {
	return mem(func(st store.Store, w *wrong) {
		w.get = func(ctx context.Context, id string) (store.Record, error) {
			rec, err := st.Get(ctx, id)
			if err == nil {
				edit(&rec)
			}
			return rec, err
		}
	})
}

// lists makes a store whose List returns something else than what is kept.
func lists(edit func(*store.Record)) func() store.Store {
	return mem(func(st store.Store, w *wrong) {
		w.list = func(ctx context.Context, q store.Query) ([]store.Record, error) {
			recs, err := st.List(ctx, q)
			for i := range recs {
				edit(&recs[i])
			}
			return recs, err
		}
	})
}

// asks makes a store that lists by another query than the one given.
func asks(edit func(*store.Query)) func() store.Store {
	return mem(func(st store.Store, w *wrong) {
		w.list = func(ctx context.Context, q store.Query) ([]store.Record, error) {
			edit(&q)
			return st.List(ctx, q)
		}
	})
}

// selects makes a store that has another notion of which records a query selects.
func selects(match func(q *store.Query, rec *store.Record) bool) func() store.Store {
	return mem(func(st store.Store, w *wrong) {
		w.list = func(ctx context.Context, q store.Query) ([]store.Record, error) {
			recs, err := st.List(ctx, store.Query{Limit: math.MaxInt})
			recs = slices.DeleteFunc(recs, func(rec store.Record) bool { return !match(&q, &rec) })
			return recs[:min(len(recs), max(q.Limit, 0))], err
		}
	})
}

// replaces makes a store that checks an Update as it must and then keeps something else.
func replaces(with func(kept, given store.Record) store.Record) func() store.Store {
	return raw(func(b *bare, w *wrong) {
		w.update = func(ctx context.Context, given store.Record) error {
			return b.within(ctx, func() error { return b.replace(given, with) })
		}
	})
}

// purges makes a store that has another notion of which records are over.
func purges(match func(rec *store.Record, before time.Time) bool) func() store.Store {
	return raw(func(b *bare, w *wrong) {
		w.purge = func(ctx context.Context, before time.Time, limit int) (n int, err error) {
			err = b.within(ctx, func() error {
				n = b.delete(limit, func(rec *store.Record) bool { return match(rec, before) })
				return nil
			})
			return n, err
		}
	})
}

// gap lets other goroutines run between two steps that ought to be one.
func gap() {
	for range 100 {
		runtime.Gosched()
	}
}

// field returns the settable field of rec.
func field(rec *store.Record, name string) reflect.Value {
	return reflect.ValueOf(rec).Elem().FieldByName(name)
}
