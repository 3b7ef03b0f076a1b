package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/store"
)

var errDriver = errors.New("interrupted")

// requireOutage asserts that an error is none of a store's decisions.
func requireOutage(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	for _, decision := range []error{store.ErrNotFound, store.ErrExists, store.ErrLimit, store.ErrConflict} {
		require.NotErrorIs(t, err, decision)
	}
}

func TestGetIsOneRoundTrip(t *testing.T) {
	f := new(fake)
	st, err := New(f.pool(t), SQLite, Config{})
	require.NoError(t, err)
	for range 3 {
		_, err := st.Get(t.Context(), "a")
		require.ErrorIs(t, err, store.ErrNotFound)
	}
	require.Equal(t, []string{"open", "prepare", st.get.text, st.get.text, st.get.text}, f.since())
}

// Two that come first at once, on two connections, each prepare the statement and keep one.
func TestConcurrentFirstUse(t *testing.T) {
	var both sync.WaitGroup
	both.Add(2)
	var arrived atomic.Int32
	f := &fake{prepare: func(string) error {
		if arrived.Add(1) <= 2 {
			both.Done()
		}
		both.Wait()
		return nil
	}}
	db := f.pool(t)
	db.SetMaxOpenConns(2)
	db.SetMaxIdleConns(2)
	st, err := New(db, SQLite, Config{})
	require.NoError(t, err)
	errs := make(chan error)
	for range 2 {
		go func() {
			_, err := st.Get(t.Context(), "a")
			errs <- err
		}()
	}
	for range 2 {
		require.ErrorIs(t, <-errs, store.ErrNotFound)
	}
	closed := slices.DeleteFunc(f.since(), func(what string) bool { return what != "close" })
	require.Len(t, closed, 1, "the one that is not kept is closed")
}

func TestListsArePreparedOnce(t *testing.T) {
	f := new(fake)
	st, err := New(f.pool(t), SQLite, Config{})
	require.NoError(t, err)
	list := func(q store.Query) {
		_, err := st.List(t.Context(), q)
		require.NoError(t, err)
	}
	list(store.Query{Owner: "user_42", Limit: 10})
	list(store.Query{Owner: "user_42", After: "a", Limit: 10})
	f.since()
	list(store.Query{Owner: "user_43", Limit: 11})
	list(store.Query{Owner: "user_43", After: "b", Limit: 11})
	require.NotContains(t, f.since(), "prepare", "only values differ")
}

func TestFailedPrepareIsNotRemembered(t *testing.T) {
	for _, c := range calls {
		if c.name == "migrate" {
			continue // prepares nothing
		}
		f := &fake{prepare: func(string) error { return errDriver }}
		st, err := New(f.pool(t), SQLite, Config{})
		require.NoError(t, err)
		for range 2 {
			err = c.do(t.Context(), st)
			require.ErrorIs(t, err, errDriver, c.name)
			requireOutage(t, err)
		}
		f.prepare = nil
		if err := c.do(t.Context(), st); c.name == "get" {
			require.ErrorIs(t, err, store.ErrNotFound)
		} else {
			require.NoError(t, err, c.name)
		}
	}
}

func TestOnTransactionNothingIsPreparedAhead(t *testing.T) {
	f := new(fake)
	tx, err := f.pool(t).Begin()
	require.NoError(t, err)
	defer tx.Rollback()
	st, err := New(tx, SQLite, Config{})
	require.NoError(t, err)
	f.since()
	_, err = st.Get(t.Context(), "a")
	require.ErrorIs(t, err, store.ErrNotFound)
	require.Equal(t, []string{st.get.text}, f.since())
	require.NoError(t, st.Touch(t.Context(), []store.Use{{ID: "b", At: now}, {ID: "a", At: now}}))
	require.Equal(t, []string{"prepare", st.touch.text, st.touch.text, "close"}, f.since())
}

// A driver may say anything when a context ends under it. The errors say what the driver said, and
// nothing of what the statement was about.
func TestErrors(t *testing.T) {
	for _, end := range []bool{false, true} {
		for _, c := range calls {
			ctx, cancel := context.WithCancel(t.Context())
			f := new(fake)
			stop := func() error {
				if end {
					cancel()
				}
				return errDriver
			}
			f.exec = func(context.Context, string, []driver.NamedValue) (driver.Result, error) { return nil, stop() }
			f.query = func(context.Context, string) (driver.Rows, error) { return nil, stop() }
			st, err := New(f.pool(t), SQLite, Config{})
			require.NoError(t, err)

			err = c.do(ctx, st)
			require.ErrorIs(t, err, errDriver, c.name)
			require.Equal(t, end, errors.Is(err, context.Canceled))
			require.Regexp(t, "^sqlstore: "+c.name+": ", err.Error())
			require.NotContains(t, err.Error(), "canary")
			requireOutage(t, err)
			cancel()
		}
	}
}

// A driver may end the rows early, without an error, when the context ends.
func TestRowsEndWithContext(t *testing.T) {
	for _, c := range calls {
		if c.name == "touch" || c.name == "purge" || c.name == "migrate" {
			continue // read no rows
		}
		ctx, cancel := context.WithCancel(t.Context())
		f := new(fake)
		f.exec = func(context.Context, string, []driver.NamedValue) (driver.Result, error) {
			return driver.RowsAffected(0), nil
		}
		f.query = func(context.Context, string) (driver.Rows, error) {
			cancel()
			return &fakeRows{}, nil
		}
		st, err := New(f.pool(t), SQLite, Config{})
		require.NoError(t, err)
		err = c.do(ctx, st)
		require.ErrorIs(t, err, context.Canceled, c.name)
		requireOutage(t, err)
	}
}

func TestListIsNeverPartial(t *testing.T) {
	f := &fake{query: func(context.Context, string) (driver.Rows, error) {
		return &fakeRows{ids: []string{"b", "a"}, err: errDriver}, nil
	}}
	st, err := New(f.pool(t), SQLite, Config{})
	require.NoError(t, err)
	recs, err := st.List(t.Context(), store.Query{Limit: 10})
	require.ErrorIs(t, err, errDriver)
	require.Nil(t, recs)
}

// A row that can't be read is an outage, and does not hold on to its connection.
func TestSpoiltRow(t *testing.T) {
	f := &fake{query: func(context.Context, string) (driver.Rows, error) {
		return &fakeRows{ids: []string{"b", "a"}, spoilt: true}, nil
	}}
	st, err := New(f.pool(t), SQLite, Config{})
	require.NoError(t, err)
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		recs, err := st.List(ctx, store.Query{Limit: 10})
		requireOutage(t, err)
		require.Nil(t, recs)
		rec, err := st.Get(ctx, "b")
		requireOutage(t, err)
		require.Zero(t, rec)
		require.NoError(t, ctx.Err())
		cancel()
	}
}

// What was in the way of a new record may be gone when Create looks for it.
func TestCreateIsRefusedByWhatIsGone(t *testing.T) {
	f := &fake{exec: func(context.Context, string, []driver.NamedValue) (driver.Result, error) {
		return driver.RowsAffected(0), nil
	}}
	st, err := New(f.pool(t), SQLite, Config{})
	require.NoError(t, err)
	require.ErrorIs(t, st.Create(t.Context(), canary, 1), store.ErrLimit)
	for _, max := range []int{0, -1} {
		require.ErrorIs(t, st.Create(t.Context(), canary, max), store.ErrExists, "there is no limit to have been reached")
	}
}

// Row F11.
func TestGetRefusesAnotherRecord(t *testing.T) {
	for _, id := range []string{"A", "a ", "b", ""} {
		f := &fake{query: func(context.Context, string) (driver.Rows, error) { return &fakeRows{ids: []string{id}}, nil }}
		st, err := New(f.pool(t), SQLite, Config{})
		require.NoError(t, err)
		rec, err := st.Get(t.Context(), "a")
		requireOutage(t, err)
		require.Zero(t, rec)
	}
}

func TestTouchBatches(t *testing.T) {
	var ids []string
	f := &fake{exec: func(_ context.Context, _ string, args []driver.NamedValue) (driver.Result, error) {
		ids = append(ids, args[1].Value.(string))
		return driver.RowsAffected(1), nil
	}}
	st, err := New(f.pool(t), SQLite, Config{})
	require.NoError(t, err)
	uses := make([]store.Use, touchChunk+1)
	for i := range uses {
		uses[i] = store.Use{ID: fmt.Sprintf("%03d", len(uses)-i), At: now}
	}
	given := slices.Clone(uses)
	require.NoError(t, st.Touch(t.Context(), uses))
	require.Equal(t, given, uses, "the caller's slice is left as it was")
	require.Len(t, ids, len(uses))
	require.True(t, slices.IsSorted(ids), "everyone takes rows in one order")
	around := slices.DeleteFunc(f.since(), func(what string) bool { return what == st.touch.text })
	require.Equal(t, []string{"open", "begin", "prepare", "close", "commit", "begin", "prepare", "close", "commit"}, around)
}
