package storetest

import (
	"math"

	"github.com/opengovsg/latchkey/store"
)

var listRules = []rule{
	{"list-runs-newest-first", func(t *trial) {
		recs := samples(30)
		for i, n := range []int{7, 3, 20, 0, 29, 12} { // neither the order of creating nor of the times
			recs[i], recs[n] = recs[n], recs[i]
		}
		for i := range recs {
			recs[i].CreatedAt = now.AddDate(0, 0, (i*7)%30)
			recs[i].UpdatedAt = now.AddDate(0, 0, (i*11)%30)
			recs[i].Owner = []string{"user_42", "user_43"}[i%2]
		}
		t.create(recs...)
		t.selects("List runs from newest to oldest, which is descending by ID", recs,
			store.Query{}, store.Query{Owner: "user_42"}, store.Query{Prefix: "postman_live"}, store.Query{ChangedSince: now})
	}},
	{"list-holds-to-its-limit", func(t *trial) {
		recs := samples(12)
		for i := range recs {
			recs[i].Owner = []string{"user_42", "user_43", "user_44"}[i%3]
		}
		t.create(recs...)
		for _, limit := range []int{1, 2, 3, 4, 5, 11, 12, 13, store.MaxLimit} {
			t.selects("List returns at most q.Limit records, the newest of those selected", recs,
				store.Query{Limit: limit}, store.Query{Owner: "user_42", Limit: limit}, store.Query{After: id(6), Limit: limit})
		}
	}},
	{"list-with-a-limit-below-1-is-empty", func(t *trial) {
		t.create(samples(3)...)
		for _, limit := range []int{0, -1, math.MinInt} {
			for _, q := range []store.Query{{Limit: limit}, {Owner: "user_42", Limit: limit}} {
				if n := len(t.list(q)); n != 0 {
					t.Errorf("a Limit below 1 selects nothing; %d records came for %s", n, describe(q))
				}
			}
		}
	}},
	{"list-without-a-match-is-empty", func(t *trial) {
		for range 2 {
			for _, q := range []store.Query{
				{Owner: "nobody"}, {Prefix: "nothing"}, {Alias: "unknown"}, {After: "0"},
				{ExpiresBefore: now}, {ChangedSince: now.AddDate(1, 0, 0)}, {State: store.Revoked},
			} {
				q.Limit = 10
				recs, err := t.st.List(t.Context(), q)
				t.wants("no match is an empty result, not an error", err, nil)
				if len(recs) != 0 {
					t.Errorf("no match is an empty result; %d records came for %s", len(recs), describe(q))
				}
			}
			t.create(sample(len(t.all())))
		}
	}},
}

// selects requires that List selects from all the records kept those that Query.Match selects, in
// order, for each query. A query that names no limit is given the largest.
func (t *trial) selects(sentence string, kept []store.Record, queries ...store.Query) {
	t.Helper()
	kept = newestFirst(kept)
	for _, q := range queries {
		if q.Limit == 0 {
			q.Limit = store.MaxLimit
		}
		var want []store.Record
		for _, rec := range kept {
			if q.Match(&rec) && len(want) < q.Limit {
				want = append(want, rec)
			}
		}
		t.sameIDs(sentence+", as Query.Match defines it, for "+describe(q), t.list(q), want)
	}
}
