package storetest_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/opengovsg/latchkey/store"
)

var wrongLists = []mutant{
	{"list-runs-newest-first", "runs oldest first", sorts(func(a, b *store.Record) bool { return a.ID < b.ID })},
	{"list-runs-newest-first", "runs by CreatedAt", sorts(func(a, b *store.Record) bool { return a.CreatedAt.After(b.CreatedAt) })},
	{"list-runs-newest-first", "runs by UpdatedAt", sorts(func(a, b *store.Record) bool { return a.UpdatedAt.After(b.UpdatedAt) })},
	{"list-runs-newest-first", "runs in the order of an index", sorts(func(a, b *store.Record) bool { return a.Owner < b.Owner })},
	{"list-holds-to-its-limit", "knows no limit", asks(func(q *store.Query) { q.Limit = math.MaxInt })},
	{"list-holds-to-its-limit", "returns one more", asks(func(q *store.Query) { q.Limit++ })},
	{"list-holds-to-its-limit", "returns one less", asks(func(q *store.Query) { q.Limit-- })},
	{"list-holds-to-its-limit", "returns 5 at most", asks(func(q *store.Query) { q.Limit = min(q.Limit, 5) })},
	{"list-holds-to-its-limit", "limits before it selects", mem(func(st store.Store, w *wrong) {
		w.list = func(ctx context.Context, q store.Query) ([]store.Record, error) {
			recs, err := st.List(ctx, store.Query{Limit: q.Limit, After: q.After})
			return slices.DeleteFunc(recs, func(rec store.Record) bool { return !q.Match(&rec) }), err
		}
	})},
	{"list-holds-to-its-limit", "returns the oldest of those selected", mem(func(st store.Store, w *wrong) {
		w.list = func(ctx context.Context, q store.Query) ([]store.Record, error) {
			limit := q.Limit
			q.Limit = math.MaxInt
			recs, err := st.List(ctx, q)
			return recs[max(0, len(recs)-limit):], err
		}
	})},
	{"list-with-a-limit-below-1-is-empty", "takes 0 for no limit", asks(func(q *store.Query) {
		if q.Limit == 0 {
			q.Limit = math.MaxInt
		}
	})},
	{"list-with-a-limit-below-1-is-empty", "takes what is negative for no limit", asks(func(q *store.Query) {
		if q.Limit < 0 {
			q.Limit = math.MaxInt
		}
	})},
	{"list-with-a-limit-below-1-is-empty", "takes 0 for an error", mem(func(st store.Store, w *wrong) {
		w.list = func(ctx context.Context, q store.Query) ([]store.Record, error) {
			if q.Limit == 0 {
				return nil, errors.New("LIMIT must be positive")
			}
			return st.List(ctx, q)
		}
	})},
	{"list-without-a-match-is-empty", "says not found", mem(func(st store.Store, w *wrong) {
		w.list = func(ctx context.Context, q store.Query) ([]store.Record, error) {
			recs, err := st.List(ctx, q)
			if len(recs) == 0 && err == nil {
				err = store.ErrNotFound
			}
			return recs, err
		}
	})},
	{"list-without-a-match-is-empty", "shows all to an owner who has none", mem(func(st store.Store, w *wrong) {
		w.list = func(ctx context.Context, q store.Query) ([]store.Record, error) {
			recs, err := st.List(ctx, q)
			if len(recs) == 0 {
				return st.List(ctx, store.Query{Limit: q.Limit})
			}
			return recs, err
		}
	})},
}

// sorts makes a store that lists in another order, limited after that.
func sorts(less func(a, b *store.Record) bool) func() store.Store {
	return mem(func(st store.Store, w *wrong) {
		w.list = func(ctx context.Context, q store.Query) ([]store.Record, error) {
			limit := q.Limit
			q.Limit = math.MaxInt
			recs, err := st.List(ctx, q)
			slices.SortStableFunc(recs, func(a, b store.Record) int {
				switch {
				case less(&a, &b):
					return -1
				case less(&b, &a):
					return 1
				}
				return 0
			})
			return recs[:min(len(recs), limit)], err
		}
	})
}

var wrongPages = []mutant{
	{"paging-visits-each-of-10000-records-once", "has a cursor that knows only the time", selects(func(q *store.Query, rec *store.Record) bool {
		return (q.Owner == "" || q.Owner == rec.Owner) && (q.After == "" || rec.ID[:10] < q.After[:10])
	})},
	{"paging-visits-each-of-10000-records-once", "ends after 4096 records", mem(func(st store.Store, w *wrong) {
		shown := 0
		w.list = func(ctx context.Context, q store.Query) ([]store.Record, error) {
			recs, err := st.List(ctx, q)
			if shown += len(recs); shown > 4096 {
				recs = nil
			}
			return recs, err
		}
	})},
	{"paging-withstands-rows-that-come-and-go", "counts the rows it has shown", mem(func(st store.Store, w *wrong) {
		shown := make(map[string]int)
		w.list = func(ctx context.Context, q store.Query) ([]store.Record, error) {
			skip := shown[q.After]
			recs, err := st.List(ctx, store.Query{Limit: math.MaxInt})
			recs = recs[min(skip, len(recs)):]
			recs = recs[:min(q.Limit, len(recs))]
			if len(recs) > 0 {
				shown[recs[len(recs)-1].ID] = skip + len(recs)
			}
			return recs, err
		}
	})},
	{"paging-withstands-rows-that-come-and-go", "begins anew where the cursor is gone", lostCursor(func(q *store.Query) { q.After = "" })},
	{"paging-withstands-rows-that-come-and-go", "ends where the cursor is gone", lostCursor(func(q *store.Query) { q.Limit = 0 })},
	{"paging-after-an-id-no-longer-kept", "begins anew where the cursor is gone", lostCursor(func(q *store.Query) { q.After = "" })},
	{"paging-after-an-id-no-longer-kept", "ends where the cursor is gone", lostCursor(func(q *store.Query) { q.Limit = 0 })},
	{"paging-after-an-id-no-longer-kept", "says not found where the cursor is gone", mem(func(st store.Store, w *wrong) {
		w.list = func(ctx context.Context, q store.Query) ([]store.Record, error) {
			if _, err := st.Get(ctx, q.After); q.After != "" && err != nil {
				return nil, err
			}
			return st.List(ctx, q)
		}
	})},
}

// lostCursor makes a store that asks otherwise where no record has the cursor's id.
func lostCursor(instead func(*store.Query)) func() store.Store {
	return mem(func(st store.Store, w *wrong) {
		w.list = func(ctx context.Context, q store.Query) ([]store.Record, error) {
			if _, err := st.Get(ctx, q.After); q.After != "" && err != nil {
				instead(&q)
			}
			return st.List(ctx, q)
		}
	})
}

var wrongQueries = []mutant{
	{"query-selects-by-owner-prefix-and-alias", "ignores Owner", asks(func(q *store.Query) { q.Owner = "" })},
	{"query-selects-by-owner-prefix-and-alias", "ignores Prefix", asks(func(q *store.Query) { q.Prefix = "" })},
	{"query-selects-by-owner-prefix-and-alias", "ignores Alias", asks(func(q *store.Query) { q.Alias = "" })},
	{"query-selects-by-owner-prefix-and-alias", "ignores Owner beside Alias", asks(func(q *store.Query) {
		if q.Alias != "" {
			q.Owner = ""
		}
	})},
	{"query-selects-by-owner-prefix-and-alias", "selects by the start of a prefix", selects(func(q *store.Query, rec *store.Record) bool {
		at := min(len(q.Prefix), len(rec.Prefix))
		return q.Prefix == "" || rec.Prefix[:at] == q.Prefix
	})},
	{"query-selects-by-state-at-an-instant", "ignores State", asks(func(q *store.Query) { q.State = store.AnyState })},
	{"query-selects-by-state-at-an-instant", "takes revoked for active", states(store.Active, func(q *store.Query, rec *store.Record) bool { return !rec.Expired(q.At) })},
	{"query-selects-by-state-at-an-instant", "takes expired for active", states(store.Active, func(q *store.Query, rec *store.Record) bool { return rec.RevokedAt.IsZero() })},
	{"query-selects-by-state-at-an-instant", "takes revoked for expired", states(store.Expired, func(q *store.Query, rec *store.Record) bool { return rec.Expired(q.At) })},
	{"query-selects-by-state-at-an-instant", "takes expired for not revoked", states(store.Revoked, func(q *store.Query, rec *store.Record) bool {
		return !rec.RevokedAt.IsZero() && !rec.Expired(q.At)
	})},
	{"query-selects-by-state-at-an-instant", "waits for the time of a revocation", states(store.Revoked, func(q *store.Query, rec *store.Record) bool {
		return !rec.RevokedAt.IsZero() && !rec.RevokedAt.After(q.At)
	})},
	{"query-selects-by-state-at-an-instant", "lets a key live at its expiry", asks(func(q *store.Query) { q.At = q.At.Add(-time.Microsecond) })},
	{"query-selects-by-state-at-an-instant", "ends a key before its expiry", asks(func(q *store.Query) { q.At = q.At.Add(time.Microsecond) })},
	{"query-selects-by-state-at-an-instant", "reads its own clock", asks(func(q *store.Query) { q.At = time.Now() })},
	{"query-selects-by-state-at-an-instant", "reads its own clock where At is zero", asks(func(q *store.Query) {
		if q.At.IsZero() {
			q.At = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
		}
	})},
	{"query-for-an-unknown-state-is-empty", "selects all", asks(func(q *store.Query) {
		if q.State < 0 || q.State > store.Revoked {
			q.State = store.AnyState
		}
	})},
	{"query-for-an-unknown-state-is-empty", "takes it for revoked", asks(func(q *store.Query) { q.State = min(q.State, store.Revoked) })},
	{"query-for-an-unknown-state-is-empty", "keeps eight bits of it", asks(func(q *store.Query) { q.State = store.State(uint8(q.State)) })},
	{"query-selects-by-window-of-expiry", "includes the end", asks(func(q *store.Query) { q.ExpiresBefore = shift(q.ExpiresBefore, time.Microsecond) })},
	{"query-selects-by-window-of-expiry", "excludes the start", asks(func(q *store.Query) { q.ExpiresFrom = shift(q.ExpiresFrom, time.Microsecond) })},
	{"query-selects-by-window-of-expiry", "ignores the start", asks(func(q *store.Query) { q.ExpiresFrom = time.Time{} })},
	{"query-selects-by-window-of-expiry", "ignores the end", asks(func(q *store.Query) { q.ExpiresBefore = time.Time{} })},
	{"query-selects-by-window-of-expiry", "takes never for before", selects(func(q *store.Query, rec *store.Record) bool {
		return !rec.ExpiresAt.Before(q.ExpiresFrom) && (q.ExpiresBefore.IsZero() || rec.ExpiresAt.Before(q.ExpiresBefore))
	})},
	{"query-selects-by-window-of-expiry", "takes never for after", selects(func(q *store.Query, rec *store.Record) bool {
		return rec.ExpiresAt.IsZero() && q.ExpiresBefore.IsZero() || q.Match(rec)
	})},
	{"query-selects-by-window-of-prior-expiry", "includes the end", asks(func(q *store.Query) { q.PriorExpiresBefore = shift(q.PriorExpiresBefore, time.Microsecond) })},
	{"query-selects-by-window-of-prior-expiry", "excludes the start", asks(func(q *store.Query) { q.PriorExpiresFrom = shift(q.PriorExpiresFrom, time.Microsecond) })},
	{"query-selects-by-window-of-prior-expiry", "ignores the start", asks(func(q *store.Query) { q.PriorExpiresFrom = time.Time{} })},
	{"query-selects-by-window-of-prior-expiry", "ignores the end", asks(func(q *store.Query) { q.PriorExpiresBefore = time.Time{} })},
	{"query-selects-by-window-of-prior-expiry", "looks at ExpiresAt", selects(func(q *store.Query, rec *store.Record) bool {
		return (&store.Query{ExpiresFrom: q.PriorExpiresFrom, ExpiresBefore: q.PriorExpiresBefore}).Match(rec)
	})},
	{"query-selects-by-changed-since", "excludes the instant", asks(func(q *store.Query) { q.ChangedSince = shift(q.ChangedSince, time.Microsecond) })},
	{"query-selects-by-changed-since", "ignores it", asks(func(q *store.Query) { q.ChangedSince = time.Time{} })},
	{"query-selects-by-changed-since", "looks at CreatedAt", selects(func(q *store.Query, rec *store.Record) bool { return !rec.CreatedAt.Before(q.ChangedSince) })},
	{"query-selects-after-a-cursor", "includes it", asks(func(q *store.Query) {
		if q.After != "" {
			q.After += "0"
		}
	})},
	{"query-selects-after-a-cursor", "selects what is newer", selects(func(q *store.Query, rec *store.Record) bool { return q.After == "" || rec.ID > q.After })},
	{"query-selects-after-a-cursor", "ignores it beside Owner", asks(func(q *store.Query) {
		if q.Owner != "" {
			q.After = ""
		}
	})},
	{"query-selects-by-all-its-fields-together", "ignores Prefix beside State", asks(func(q *store.Query) {
		if q.State != store.AnyState {
			q.Prefix = ""
		}
	})},
	{"query-selects-by-all-its-fields-together", "ignores State beside ChangedSince", asks(func(q *store.Query) {
		if !q.ChangedSince.IsZero() {
			q.State = store.AnyState
		}
	})},
	{"query-selects-by-all-its-fields-together", "ignores all else beside Alias", asks(func(q *store.Query) {
		if q.Alias != "" {
			*q = store.Query{Alias: q.Alias, Limit: q.Limit}
		}
	})},
	{"query-selects-by-all-its-fields-together", "ignores After beside a window", asks(func(q *store.Query) {
		if !q.ExpiresFrom.IsZero() {
			q.After = ""
		}
	})},
}

// states makes a store that takes other records to be in the state.
func states(state store.State, match func(q *store.Query, rec *store.Record) bool) func() store.Store {
	return selects(func(q *store.Query, rec *store.Record) bool {
		if q.State != state {
			return q.Match(rec)
		}
		other := *q
		other.State = store.AnyState
		return other.Match(rec) && match(q, rec)
	})
}

// shift moves a time that is set.
func shift(t time.Time, d time.Duration) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(d)
}
