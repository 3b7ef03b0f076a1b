package storetest

import (
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/opengovsg/latchkey/store"
)

// instants returns now, the instants next to it that a store tells apart, and others so far from it.
func instants(others ...time.Duration) []time.Time {
	ts := []time.Time{now.Add(-time.Microsecond), now, now.Add(time.Microsecond)}
	for _, d := range others {
		ts = append(ts, now.Add(d))
	}
	return ts
}

var queryRules = []rule{
	{"query-selects-by-owner-prefix-and-alias", func(t *trial) {
		t.selectsFrom60("Owner, Prefix and Alias select the records that have them",
			store.Query{Owner: "user_42"}, store.Query{Owner: "user_43"}, store.Query{Owner: "user_4"},
			store.Query{Prefix: "postman_live"}, store.Query{Prefix: "postman_test"}, store.Query{Prefix: "postman"},
			store.Query{Alias: "alias-0"}, store.Query{Alias: "alias-55"}, store.Query{Alias: "alias-"},
			store.Query{Owner: "user_42", Prefix: "postman_test"},
			store.Query{Owner: "user_42", Alias: "alias-0"}, store.Query{Owner: "user_43", Alias: "alias-0"})
	}},
	{"query-selects-by-state-at-an-instant", func(t *trial) {
		var queries []store.Query
		for _, state := range []store.State{store.AnyState, store.Active, store.Expired, store.Revoked} {
			for _, at := range instants(-2*time.Hour, 2*time.Hour) {
				queries = append(queries, store.Query{State: state, At: at}, store.Query{State: state, At: at, Owner: "user_42"})
			}
			queries = append(queries, store.Query{State: state})
		}
		t.selectsFrom60("State selects by Record.Active and Record.Expired at At, and as revoked what has any RevokedAt", queries...)
	}},
	{"query-for-an-unknown-state-is-empty", func(t *trial) {
		var queries []store.Query
		for _, state := range []store.State{4, 5, -1, 256} {
			queries = append(queries, store.Query{State: state, At: now}, store.Query{State: state, Owner: "user_42"})
		}
		t.selectsFrom60("a State that the store does not know selects nothing", queries...)
	}},
	{"query-selects-by-window-of-expiry", func(t *trial) {
		var queries []store.Query
		bounds := append(instants(-time.Hour, 2*time.Hour), time.Time{})
		for _, from := range bounds {
			for _, before := range bounds {
				queries = append(queries, store.Query{ExpiresFrom: from, ExpiresBefore: before})
			}
		}
		t.selectsFrom60("the window of expiry begins with ExpiresFrom, ends before ExpiresBefore, and holds no record that never expires", queries...)
	}},
	{"query-selects-by-window-of-prior-expiry", func(t *trial) {
		var queries []store.Query
		bounds := append(instants(-time.Hour, 2*time.Hour), time.Time{})
		for _, from := range bounds {
			for _, before := range bounds {
				queries = append(queries, store.Query{PriorExpiresFrom: from, PriorExpiresBefore: before})
			}
		}
		t.selectsFrom60("the window of prior expiry begins with PriorExpiresFrom, ends before PriorExpiresBefore, and holds no record without PriorExpiresAt", queries...)
	}},
	{"query-selects-by-changed-since", func(t *trial) {
		var queries []store.Query
		for _, since := range instants() {
			queries = append(queries, store.Query{ChangedSince: since}, store.Query{ChangedSince: since, Owner: "user_43"})
		}
		t.selectsFrom60("ChangedSince selects records whose UpdatedAt is at or after it", queries...)
	}},
	{"query-selects-after-a-cursor", func(t *trial) {
		var queries []store.Query
		for _, n := range []int{-1, 0, 1, 30, 58, 59, 60} {
			queries = append(queries, store.Query{After: id(n)}, store.Query{After: id(n), Owner: "user_42"}, store.Query{After: id(n), Limit: 5})
		}
		t.selectsFrom60("After selects records whose ID sorts before it, and not itself", queries...)
	}},
	{"query-selects-by-all-its-fields-together", func(t *trial) {
		// The same queries on each run: the seed is fixed.
		rnd := rand.New(rand.NewPCG(1, 2))
		instant := func() time.Time { return instants()[rnd.IntN(3)] }
		queries := make([]store.Query, 400)
		for i := range queries {
			q := &queries[i]
			for range 1 + rnd.IntN(5) {
				switch rnd.IntN(11) {
				case 0:
					q.Owner = []string{"user_42", "user_43"}[rnd.IntN(2)]
				case 1:
					q.Prefix = []string{"postman_live", "postman_test"}[rnd.IntN(2)]
				case 2:
					q.Alias = "alias-" + strconv.Itoa(5*rnd.IntN(12))
				case 3:
					q.State, q.At = store.State(rnd.IntN(4)), instant()
				case 4:
					q.ExpiresFrom = instant()
				case 5:
					q.ExpiresBefore = instant().Add(time.Duration(rnd.IntN(2)) * 2 * time.Hour)
				case 6:
					q.ChangedSince = instant()
				case 7:
					q.After = id(rnd.IntN(70))
				case 8:
					q.Limit = 1 + rnd.IntN(6)
				case 9:
					q.PriorExpiresFrom = instant()
				case 10:
					q.PriorExpiresBefore = instant().Add(time.Duration(rnd.IntN(2)) * 2 * time.Hour)
				}
			}
		}
		t.selectsFrom60("a record is selected if every field set selects it", queries...)
	}},
}

// selectsFrom60 requires that each query selects as Query.Match does among 60 records: every
// combination of an expiry about now, a revocation, two owners and two prefixes, with changes and
// prior expiries about now and an alias on each fifth.
func (t *trial) selectsFrom60(sentence string, queries ...store.Query) {
	t.Helper()
	var recs []store.Record
	for _, expires := range append(instants(time.Hour), time.Time{}) {
		for _, revoked := range []time.Time{{}, now.Add(-time.Hour), now.Add(time.Hour)} {
			for _, owner := range []string{"user_42", "user_43"} {
				for _, prefix := range []string{"postman_live", "postman_test"} {
					n := len(recs)
					rec := sample(n)
					rec.Owner, rec.Prefix = owner, prefix
					rec.ExpiresAt, rec.RevokedAt = expires, revoked
					rec.CreatedAt, rec.UpdatedAt = now.AddDate(0, 0, -1), instants()[n%3]
					rec.PriorExpiresAt = append(instants(time.Hour), time.Time{})[n/3%5]
					if n%5 == 0 {
						rec.Alias = "alias-" + strconv.Itoa(n)
					}
					recs = append(recs, rec)
				}
			}
		}
	}
	t.create(recs...)
	t.selects(sentence, recs, queries...)
}
