package storetest

import (
	"slices"
	"time"

	"github.com/opengovsg/latchkey/store"
)

var pagingRules = []rule{
	{"paging-visits-each-of-10000-records-once", func(t *trial) {
		// All of them issued in one millisecond, so that no time tells them apart.
		const total, workers = 10_000, 16
		want := make([]store.Record, total)
		for i := range want {
			want[i] = sample(0)
			want[i].ID = idAt(0, i)
		}
		errs := concurrently(workers, func(w int) error {
			for i := w; i < total; i += workers {
				if err := t.st.Create(t.Context(), want[i], 0); err != nil {
					return err
				}
			}
			return nil
		})
		for _, err := range errs {
			t.wants("Create keeps records of one owner issued at one time", err, nil)
		}
		want = newestFirst(want)
		for _, q := range []store.Query{{Limit: store.MaxLimit}, {Limit: 999, Owner: want[0].Owner, State: store.Active, At: now}} {
			t.sameIDs("pages that each begin After the last id of the one before visit every record exactly once",
				t.pages(q, total/q.Limit+2, nil), want)
		}
	}},
	{"paging-withstands-rows-that-come-and-go", func(t *trial) {
		const sentence = "while records come and go between pages, none that stood all the time is skipped or repeated"
		const total = 120
		var standing []store.Record
		for i := range total {
			rec := sample(10 * i)
			if i%3 == 0 { // those that are reached first go first
				rec.ExpiresAt = now.Add(time.Duration(total-i) * time.Second)
			} else {
				standing = append(standing, rec)
			}
			t.create(rec)
		}
		page := 0
		seen := t.pages(store.Query{Limit: 7}, 2*total, func() {
			// What goes is what was reached, the last record among it, and a little of what was
			// not. What comes is new, nearly the oldest, or about the place that was reached.
			page++
			t.purge(now.Add(time.Duration(10*page)*time.Second), store.MaxLimit)
			for i, millisecond := range []int{10*total + page, max(10*(total-6*page), 5), 5} {
				rec := sample(0)
				rec.ID = idAt(millisecond, 100+3*page+i)
				rec.ExpiresAt = now
				t.create(rec)
			}
		})
		stood := make(map[string]bool)
		for _, rec := range standing {
			stood[rec.ID] = true
		}
		seen = slices.DeleteFunc(seen, func(rec store.Record) bool { return !stood[rec.ID] })
		t.sameIDs(sentence, seen, newestFirst(standing))
	}},
	{"paging-after-an-id-no-longer-kept", func(t *trial) {
		recs := samples(9)
		for i := range recs {
			recs[i].ID = id(10 * i)
		}
		recs[4].RevokedAt = now
		t.create(recs...)
		t.purge(now.Add(time.Second), 1)
		kept := slices.Delete(slices.Clone(recs), 4, 5)
		t.selects("After need not be the id of a record that is still kept", kept,
			store.Query{After: recs[4].ID}, store.Query{After: recs[4].ID, Limit: 2}, store.Query{After: recs[4].ID, Owner: recs[4].Owner})
		for i := range recs {
			t.selects("After need not be the id of a record that was ever kept", kept,
				store.Query{After: id(10*i - 5)}, store.Query{After: id(10*i - 5), Limit: 2})
		}
	}},
}

// pages returns what paging through q shows, calling between, where not nil, after each page. It
// gives up after the number of pages given.
func (t *trial) pages(q store.Query, atMost int, between func()) []store.Record {
	t.Helper()
	var seen []store.Record
	for range atMost {
		page := t.list(q)
		if len(page) == 0 {
			return seen
		}
		seen = append(seen, page...)
		q.After = page[len(page)-1].ID
		if between != nil {
			between()
		}
	}
	t.Fatalf("paging comes to an end; it had not after %d pages of %s", atMost, describe(q))
	return nil
}
