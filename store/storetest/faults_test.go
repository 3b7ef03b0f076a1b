package storetest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
	"github.com/opengovsg/latchkey/store/storetest"
)

var errDown = errors.New("down")

// methods makes one call of each method, which a store that holds the record "b" of owner "o" has
// no reason to refuse, and wants no result beside an error.
var methods = []struct {
	name string
	call func(context.Context, *testing.T, store.Store) error
}{
	{"Create", func(ctx context.Context, t *testing.T, st store.Store) error {
		return st.Create(ctx, store.Record{ID: "a", Owner: "o"}, 0)
	}},
	{"Get", func(ctx context.Context, t *testing.T, st store.Store) error {
		rec, err := st.Get(ctx, "b")
		if err != nil && rec != (store.Record{}) {
			t.Errorf("Get returned a record with the error %v", err)
		}
		return err
	}},
	{"List", func(ctx context.Context, t *testing.T, st store.Store) error {
		recs, err := st.List(ctx, store.Query{Limit: 1})
		if err != nil && recs != nil {
			t.Errorf("List returned records with the error %v", err)
		}
		return err
	}},
	{"Update", func(ctx context.Context, t *testing.T, st store.Store) error {
		return st.Update(ctx, store.Record{ID: "b", Owner: "o", Version: 1})
	}},
	{"Touch", func(ctx context.Context, t *testing.T, st store.Store) error {
		return st.Touch(ctx, []store.Use{{ID: "b", At: time.Unix(1, 0)}})
	}},
	{"Purge", func(ctx context.Context, t *testing.T, st store.Store) error {
		n, err := st.Purge(ctx, time.Unix(1, 0), 1)
		if err != nil && n != 0 {
			t.Errorf("Purge returned a count with the error %v", err)
		}
		return err
	}},
}

func holding(t *testing.T, recs ...store.Record) store.Store {
	t.Helper()
	st := new(memstore.Store)
	for _, rec := range recs {
		if err := st.Create(t.Context(), rec, 0); err != nil {
			t.Fatal(err)
		}
	}
	return st
}

func TestFailing(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, ctx := range []context.Context{t.Context(), ended} {
		for _, m := range methods {
			if err := m.call(ctx, t, storetest.Failing(errDown)); err != errDown {
				t.Errorf("%s returned %v", m.name, err)
			}
		}
	}
}

func TestFailOn(t *testing.T) {
	for n := -1; n <= 8; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			counter := &storetest.Counter{Store: holding(t, store.Record{ID: "b", Owner: "o"})}
			st := storetest.FailOn(counter, n, errDown)
			for i, m := range methods {
				var want error
				if i+1 == n {
					want = errDown
				}
				if err := m.call(t.Context(), t, st); err != want {
					t.Errorf("call %d returned %v where %v was due", i+1, err, want)
				}
			}
			passed := int64(6)
			if 1 <= n && n <= 6 {
				passed = 5
			}
			if counter.Calls() != passed {
				t.Errorf("%d calls reached the store, not %d", counter.Calls(), passed)
			}
		})
	}
}

func TestFailOnConcurrently(t *testing.T) {
	st := storetest.FailOn(holding(t, store.Record{ID: "b"}), 20, errDown)
	var failed atomic.Int64
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			if _, err := st.Get(t.Context(), "b"); err != nil {
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	if failed.Load() != 1 {
		t.Errorf("%d of 40 calls failed, not 1", failed.Load())
	}
}

func TestFaultsNeedAnError(t *testing.T) {
	for name, construct := range map[string]func(){
		"Failing": func() { storetest.Failing(nil) },
		"FailOn":  func() { storetest.FailOn(new(memstore.Store), 1, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("a fault without an error was accepted, and would call a store that is not there")
				}
			}()
			construct()
		})
	}
}

func TestHanging(t *testing.T) {
	for _, m := range methods {
		t.Run(m.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				var err error
				returned := false
				go func() {
					err = m.call(ctx, t, storetest.Hanging())
					returned = true
				}()
				synctest.Wait() // until there is nothing left to do but wait
				if returned {
					t.Errorf("the method returned %v though the context had not ended", err)
				}
				cancel()
				synctest.Wait()
				if !returned || err != context.Canceled {
					t.Errorf("the method returned: %v, and: %v", returned, err)
				}
			})
			expired, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
			defer cancel()
			if err := m.call(expired, t, storetest.Hanging()); err != context.DeadlineExceeded {
				t.Errorf("past the deadline the method returned %v", err)
			}
		})
	}
}

func TestMistaken(t *testing.T) {
	other := store.Record{ID: "c", Owner: "someone else"}
	for _, rec := range []store.Record{other, {}} {
		st := storetest.Mistaken(holding(t, store.Record{ID: "b", Owner: "o"}), rec)
		for _, id := range []string{"b", "unknown"} {
			got, err := st.Get(t.Context(), id)
			if err != nil || got != rec {
				t.Errorf("Get(%q) returned the record %q and %v", id, got.ID, err)
			}
		}
		for _, m := range methods {
			if err := m.call(t.Context(), t, st); m.name != "Get" && err != nil {
				t.Errorf("%s returned %v, not what the store within does", m.name, err)
			}
		}
		recs, err := st.List(t.Context(), store.Query{Limit: 10})
		if err != nil || len(recs) != 2 || recs[0].ID != "b" || recs[1].ID != "a" {
			t.Errorf("List returned %d records and %v, not those of the store within", len(recs), err)
		}
	}
}

func TestCounter(t *testing.T) {
	counter := &storetest.Counter{Store: holding(t, store.Record{ID: "b", Owner: "o"})}
	if counter.Calls() != 0 {
		t.Errorf("%d calls were counted before the first", counter.Calls())
	}
	for range 3 {
		for _, m := range methods {
			if err := m.call(t.Context(), t, counter); err != nil && m.name != "Create" && m.name != "Update" {
				t.Errorf("%s returned %v", m.name, err) // those two meet their own first write again
			}
		}
	}
	counter.Get(t.Context(), "unknown")
	counter.Purge(t.Context(), time.Unix(0, 0), 0)
	for method, c := range map[string]struct{ got, want int64 }{
		"Create": {counter.Creates.Load(), 3},
		"Get":    {counter.Gets.Load(), 4},
		"List":   {counter.Lists.Load(), 3},
		"Update": {counter.Updates.Load(), 3},
		"Touch":  {counter.Touches.Load(), 3},
		"Purge":  {counter.Purges.Load(), 4},
		"all":    {counter.Calls(), 20},
	} {
		if c.got != c.want {
			t.Errorf("%s was counted %d times, not %d", method, c.got, c.want)
		}
	}
}

func TestCounterIsTransparent(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return &storetest.Counter{Store: new(memstore.Store)} })
}

func TestCounterAllocatesNothing(t *testing.T) {
	counter := &storetest.Counter{Store: holding(t, store.Record{ID: "b"})}
	if n := testing.AllocsPerRun(100, func() { counter.Get(context.Background(), "b") }); n != 0 {
		t.Errorf("Get through a Counter allocates %v times", n)
	}
}
